//! The answer, what was read, and what came of it.

use std::io::{self, Write};

use anstyle::Style;

use super::TextOptions;
use super::view;
use crate::output::collect::Collected;
use crate::output::figures::{bytes, count, counted, span_us, us_between};
use crate::output::layout::Layout;
use crate::report::{Class, Counts, Summary, TRAFFIC_ANSWERED, total_bytes};

/// Writes the answer, in one sentence.
pub(super) fn answer(out: &mut dyn Write, layout: &Layout, collected: &Collected) -> io::Result<()> {
    let Some(summary) = &collected.summary else { return Ok(()) };
    let palette = layout.palette;
    let of = |wanted: fn(Class) -> bool| summary.classes.of_those(wanted) > 0;
    let style = match (of(Class::is_failure), of(Class::is_problem), of(|class| class == Class::Completed)) {
        (true, ..) => palette.bad,
        (false, false, true) => palette.good,
        _ => palette.warn,
    };
    let with_date = collected.several_days();
    let sentence = summary.answer(&|at| layout.moment(at, with_date));
    layout.flow(out, 0, 0, &[(style, &sentence)])?;
    writeln!(out)
}

/// Writes what was read and what came of it.
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
        layout.row(out, 0, 2, &[(palette.strong, &input.source), (Style::new(), &text)])?;
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
        let length = us_between(first, last).map(|us| format!(" ({})", span_us(us))).unwrap_or_default();
        let text = format!("{} {}{length}", layout.period(first, last, true), layout.zone().name(last));
        layout.flow(out, 0, 2, &[(palette.dim, &text)])?;
    }
    Ok(())
}

fn verdicts(out: &mut dyn Write, layout: &Layout, collected: &Collected, summary: &Summary) -> io::Result<()> {
    let (plain, palette) = (Style::new(), layout.palette);
    // Whoever shows handshakes as they come collects none of them.
    let classes = if summary.classes.total() > 0 { &summary.classes } else { &collected.classes };
    let total = classes.total().max(summary.handshakes);
    if total == 0 || (total == 1 && summary.left_out.is_none()) {
        // The answer has said it.
        return Ok(());
    }
    let parts = classes.iter().filter(|(_, number)| *number > 0);
    let parts: Vec<_> = parts.map(|(class, number)| (palette.of(class), view::class_counted(class, number))).collect();
    if !summary.inputs.is_empty() {
        writeln!(out)?;
    }
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
    if collected.classes.of(Class::Failed) > 1 {
        layout.labelled(out, 2, "How they failed:", &listed(&collected.endings, usize::MAX))?;
    }
    for (class, label) in
        [(Class::Failed, "Why they failed:"), (Class::Rejected, "Why they were rejected:"), (Class::Troubled, "The trouble:")]
    {
        causes(out, layout, label, &collected.causes(class))?;
    }
    Ok(())
}

/// Causes of one class, where they are too many to be seen at a glance below.
fn causes(out: &mut dyn Write, layout: &Layout, label: &str, ranked: &[(&'static str, u64)]) -> io::Result<()> {
    let Some(column) = ranked.first().filter(|_| ranked.len() >= AT_A_GLANCE).map(|(_, number)| count(*number).len()) else {
        return Ok(());
    };
    layout.flow(out, 2, 2, &[(layout.palette.dim, label)])?;
    for (cause, number) in ranked.iter().take(CAUSES) {
        layout.flow(out, 4, 6, &[(Style::new(), &format!("{:>column$}  ", count(*number))), (layout.palette.strong, cause)])?;
    }
    match ranked.len().saturating_sub(CAUSES) {
        0 => Ok(()),
        more => layout.prose(out, 4, &format!("and {}", counted(more as u64, "rarer cause", "rarer causes"))),
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
    if !summary.other_flows.is_empty() && !nothing {
        let label = if summary.left_out.is_some() { "Connections without TLS, in the whole capture:" } else { "Connections without TLS:" };
        layout.labelled(out, 2, label, &listed(&summary.other_flows, REASONS))?;
    }
    carried(out, layout, summary, nothing, options)?;
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
        more => layout.prose(out, 2, &format!("and {}: see --json", counted(more as u64, "more note", "more notes"))),
    }
}

/// What the packets carried, where nothing else was found and the answer has not named all of it.
fn carried(out: &mut dyn Write, layout: &Layout, summary: &Summary, nothing: bool, options: TextOptions) -> io::Result<()> {
    let total = total_bytes(&summary.traffic);
    // The answer has named the first of them.
    let more = nothing && summary.traffic.len() > TRAFFIC_ANSWERED;
    if summary.traffic.is_empty() || !(more || options.verbose) {
        return Ok(());
    }
    let mut told: Vec<String> = summary.traffic.iter().take(REASONS).map(|carried| carried.told_with_packets(total)).collect();
    if summary.traffic.len() > told.len() {
        told.push("…".to_owned());
    }
    layout.labelled(out, 2, "What the packets carry:", &told.join("; "))
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
/// Fewer causes than these are told below on the same screen.
const AT_A_GLANCE: usize = 4;
/// Causes counted one by one: a screen's half.
const CAUSES: usize = 12;
/// Reasons and protocols named one by one.
const REASONS: usize = 8;
/// Notes shown.
const NOTES: usize = 8;
