//! What was read, and what came of it.

use std::io::{self, Write};

use anstyle::Style;

use super::TextOptions;
use super::view;
use crate::output::collect::Collected;
use crate::output::figures::{bytes, count, counted, date, span_us, us_between, when};
use crate::output::layout::Layout;
use crate::report::{Class, Counts, Summary};

/// Writes the summary.
pub(super) fn write(out: &mut dyn Write, layout: &Layout, collected: &Collected, options: TextOptions) -> io::Result<()> {
    let empty = Summary::default();
    let summary = collected.summary.as_ref().unwrap_or(&empty);
    inputs(out, layout, summary)?;
    verdicts(out, layout, collected, summary)?;
    caveats(out, layout, summary, options)
}

fn inputs(out: &mut dyn Write, layout: &Layout, summary: &Summary) -> io::Result<()> {
    let palette = layout.palette;
    for (index, input) in summary.inputs.iter().enumerate() {
        // A damaged file is always named.
        if index >= INPUTS && input.damage.is_none() {
            continue;
        }
        let text = format!(": {}, {}, {}", input.format, counted(input.frames, "frame", "frames"), bytes(input.bytes));
        layout.flow(out, 0, 2, &[(palette.strong, &input.source), (Style::new(), &text)])?;
        if let Some(damage) = &input.damage {
            layout.flow(out, 2, 4, &[(palette.warn, damage)])?;
        }
    }
    if summary.inputs.len() > 1 {
        let text = format!(
            "{} in all: {}, {}",
            counted(u64::try_from(summary.inputs.len()).unwrap_or(u64::MAX), "input", "inputs"),
            counted(summary.frames, "frame", "frames"),
            bytes(summary.bytes)
        );
        layout.prose(out, 0, &text)?;
    }
    if let Some((first, last)) = summary.times {
        let until = when(last, date(first) != date(last));
        let length = us_between(first, last).map(|us| format!(" ({})", span_us(us))).unwrap_or_default();
        layout.flow(out, 0, 2, &[(palette.dim, &format!("{} to {until} UTC{length}", when(first, true)))])?;
    }
    Ok(())
}

fn verdicts(out: &mut dyn Write, layout: &Layout, collected: &Collected, summary: &Summary) -> io::Result<()> {
    let (plain, palette) = (Style::new(), layout.palette);
    let total = collected.classes.total().max(summary.handshakes);
    if !summary.inputs.is_empty() {
        writeln!(out)?;
    }
    if let Some(left_out) = summary.left_out.filter(|_| total == 0) {
        let text = format!(": of {}, none is what was asked for.", counted(left_out, "handshake", "handshakes"));
        return layout.flow(out, 0, 2, &[(palette.warn, "Nothing found"), (plain, &text)]);
    }
    if total == 0 {
        let text = format!(" was found in {}.", counted(summary.frames, "frame", "frames"));
        return layout.flow(out, 0, 2, &[(palette.warn, "No TLS handshake"), (plain, &text)]);
    }
    let parts = collected.classes.iter().filter(|(_, number)| *number > 0);
    let parts: Vec<_> = parts.map(|(class, number)| (palette.of(class), view::class_counted(class, number))).collect();
    let head = format!("{}: ", counted(total, "handshake", "handshakes"));
    let mut spans = vec![(palette.strong, head.as_str())];
    for (index, (style, text)) in parts.iter().enumerate() {
        if index > 0 {
            spans.push((plain, ", "));
        }
        spans.push((*style, text));
    }
    let asked = summary.left_out.map(|left_out| format!(" (asked for, of {})", count(left_out.saturating_add(total))));
    if let Some(asked) = &asked {
        spans.push((palette.dim, asked));
    }
    layout.flow(out, 0, 2, &spans)?;
    if collected.classes.of(Class::Failed) > 0 {
        layout.labelled(out, 2, "How they failed:", &listed(&collected.endings, usize::MAX))?;
    }
    causes(out, layout, summary)
}

fn causes(out: &mut dyn Write, layout: &Layout, summary: &Summary) -> io::Result<()> {
    let ranked = view::ranked(&summary.causes);
    let Some(column) = ranked.first().map(|(_, number)| count(*number).len()) else { return Ok(()) };
    layout.flow(out, 2, 2, &[(layout.palette.dim, "Causes:")])?;
    for (cause, number) in ranked.iter().take(CAUSES) {
        layout.flow(out, 4, 6, &[(Style::new(), &format!("{:>column$}  ", count(*number))), (layout.palette.strong, cause)])?;
    }
    match ranked.len().saturating_sub(CAUSES) {
        0 => Ok(()),
        more => layout.prose(out, 4, &format!("and {more} rarer causes")),
    }
}

/// What makes the verdicts less sure than they look.
fn caveats(out: &mut dyn Write, layout: &Layout, summary: &Summary, options: TextOptions) -> io::Result<()> {
    let nothing = summary.handshakes == 0;
    let skipped = summary.skipped.values().fold(0_u64, |sum, n| sum.saturating_add(*n));
    if skipped > 0 && (nothing || options.verbose || skipped >= summary.frames / 10) {
        let text = format!("{}: {}", counted(skipped, "frame", "frames"), listed(&summary.skipped, REASONS));
        layout.labelled(out, 2, "Not looked at:", &text)?;
    }
    if !summary.other_flows.is_empty() {
        layout.labelled(out, 2, "Connections without TLS:", &listed(&summary.other_flows, REASONS))?;
    }
    if summary.drops > 0 {
        layout.flow(
            out,
            2,
            4,
            &[
                (layout.palette.warn, &format!("{} dropped while capturing", counted(summary.drops, "packet was", "packets were"))),
                (Style::new(), ": what looks like loss may be the capture's."),
            ],
        )?;
    }
    if summary.evictions > 0 {
        layout.labelled(out, 2, "Given up early for lack of room:", &counted(summary.evictions, "connection", "connections"))?;
    }
    for note in view::notes(summary).take(NOTES) {
        layout.labelled(out, 2, "Note:", note)?;
    }
    match view::notes(summary).count().saturating_sub(NOTES) {
        0 => Ok(()),
        more => layout.prose(out, 2, &format!("and {more} more notes: see --json")),
    }
}

fn listed(counts: &Counts, most: usize) -> String {
    let ranked = view::ranked(counts);
    let mut parts: Vec<_> = ranked.iter().take(most).map(|(name, number)| format!("{} {name}", count(*number))).collect();
    if ranked.len() > most {
        parts.push("…".to_owned());
    }
    parts.join(", ")
}

/// Inputs named one by one.
const INPUTS: usize = 5;
/// Causes counted one by one: a screen's half.
const CAUSES: usize = 12;
/// Reasons and protocols named one by one.
const REASONS: usize = 8;
/// Notes shown.
const NOTES: usize = 8;
