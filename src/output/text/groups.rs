//! What failed, what was slow, what could not be decided, and what is worth knowing: group by group.

use std::io::{self, Write};

use anstyle::Style;

use super::TextOptions;
use super::listing::negotiated;
use super::view;
use crate::output::collect::{Collected, Entry, Group};
use crate::output::escape::width;
use crate::output::figures::{count, counted, span_us, us_between, when};
use crate::output::layout::Layout;
use crate::report::{Class, Handshake, Loss, Severity, Timing};

/// Writes all groups by section.
pub(super) fn write(out: &mut dyn Write, layout: &Layout, collected: &Collected, options: TextOptions) -> io::Result<()> {
    let mut number = 0_usize;
    let mut in_full = 0_usize;
    for (class, heading) in SECTIONS {
        let groups = collected.groups.iter().filter(|group| group.class == *class);
        let mut hidden = collected.beyond.get(class).copied().unwrap_or_default();
        let mut hidden_groups = 0_u64;
        let mut first = true;
        for group in groups {
            number = number.saturating_add(1);
            if in_full >= IN_FULL && !options.all {
                hidden = hidden.saturating_add(group.count);
                hidden_groups = hidden_groups.saturating_add(1);
                if hidden_groups <= IN_BRIEF {
                    if first {
                        writeln!(out)?;
                        layout.heading(out, 0, heading)?;
                        first = false;
                    }
                    head(out, layout, number, group)?;
                }
                continue;
            }
            in_full = in_full.saturating_add(1);
            if first {
                writeln!(out)?;
                layout.heading(out, 0, heading)?;
                first = false;
            }
            if *class == Class::Probe && !options.verbose {
                brief(out, layout, number, group)?;
                continue;
            }
            writeln!(out)?;
            one(out, layout, number, group, collected, options)?;
        }
        if hidden > 0 {
            writeln!(out)?;
            let text = format!("{} not shown here: use --all or --json.", counted(hidden, "more handshake is", "more handshakes are"));
            layout.prose(out, 0, &text)?;
        }
    }
    notes(out, layout, collected, options)?;
    if number > 0 {
        writeln!(out)?;
        let text = "More about a cause: handshark explain CAUSE. Every handshake: --all. More detail: -v. For programs: --json.";
        layout.flow(out, 0, 0, &[(layout.palette.dim, text)])?;
    }
    Ok(())
}

fn one(out: &mut dyn Write, layout: &Layout, number: usize, group: &Group, collected: &Collected, options: TextOptions) -> io::Result<()> {
    let (plain, palette) = (Style::new(), layout.palette);
    let report = &group.shown;
    let diagnosis = &report.diagnosis;
    let with_date = collected.several_days();
    head(out, layout, number, group)?;
    layout.flow(
        out,
        INDENT,
        INDENT.saturating_add(2),
        &[
            (palette.dim, &when(report.handshake.start, with_date)),
            (plain, "  "),
            (plain, &report.client.to_string()),
            (plain, " → "),
            (palette.strong, &view::server(report)),
            (palette.dim, "  "),
            (palette.dim, &view::frames(report).replace(' ', "\u{a0}")),
        ],
    )?;
    layout.prose(out, INDENT, &report.summary())?;
    evidence(out, layout, report)?;
    if !diagnosis.against.is_empty() {
        layout.labelled(out, INDENT, "Speaks against it:", &view::against(diagnosis))?;
    }
    if !diagnosis.alternatives.is_empty() {
        layout.labelled(out, INDENT, "Also possible:", &view::alternatives(diagnosis))?;
    }
    for finding in view::noticed(diagnosis) {
        if options.verbose || Severity::of(finding, report.handshake.outcome) != Severity::Info {
            layout.labelled(out, INDENT, "Also noticed:", &finding.summary)?;
        }
    }
    let quality = view::quality(report);
    if !quality.is_empty() {
        layout.labelled(out, INDENT, "Capture quality:", &quality)?;
    }
    match collected.incident_of(report) {
        Some((place, incident)) if *incident.remedy == *diagnosis.remedy => {
            layout.labelled(out, INDENT, "Fix:", &format!("see incident {place}, which this is part of."))?;
        }
        incident => {
            if let Some((place, _)) = incident {
                layout.flow(out, INDENT, INDENT, &[(palette.dim, &format!("Part of incident {place}."))])?;
            }
            if !diagnosis.remedy.is_empty() {
                layout.flow(out, INDENT, INDENT, &[(palette.strong, "Fix")])?;
                for line in diagnosis.remedy.iter() {
                    layout.advice(out, INDENT.saturating_add(2), line)?;
                }
            }
        }
    }
    if options.verbose {
        details(out, layout, report)?;
    }
    others(out, layout, group, with_date, options)
}

/// `1. certificate-expired (certain), alerted by the client, 12 times`.
fn head(out: &mut dyn Write, layout: &Layout, number: usize, group: &Group) -> io::Result<()> {
    let (plain, palette) = (Style::new(), layout.palette);
    let report = &group.shown;
    let style = palette.of(group.class);
    let confidence = view::confidence(report, " (", ")");
    let times = if group.count > 1 { format!(", {} times", count(group.count)) } else { String::new() };
    layout.flow(
        out,
        0,
        INDENT,
        &[
            (palette.dim, &format!("{number}. ")),
            (style, view::cause(report)),
            (plain, &confidence),
            (plain, ", "),
            (plain, &view::ending(report)),
            (plain, &times),
        ],
    )
}

/// What nobody wanted is told on one line: `3. tcp-probe, 8 times  10.0.0.1 answered …`.
fn brief(out: &mut dyn Write, layout: &Layout, number: usize, group: &Group) -> io::Result<()> {
    let (plain, palette) = (Style::new(), layout.palette);
    let times = if group.count > 1 { format!(", {} times", count(group.count)) } else { String::new() };
    layout.flow(
        out,
        0,
        INDENT,
        &[
            (palette.dim, &format!("{number}. ")),
            (palette.dim, view::cause(&group.shown)),
            (plain, &times),
            (plain, "  "),
            (plain, &group.shown.summary()),
        ],
    )
}

fn evidence(out: &mut dyn Write, layout: &Layout, report: &Handshake<'_>) -> io::Result<()> {
    let evidence = &report.diagnosis.evidence;
    if evidence.is_empty() {
        return Ok(());
    }
    let palette = layout.palette;
    let start = report.handshake.start;
    let rows: Vec<(String, String)> = evidence
        .iter()
        .take(EVIDENCE)
        .map(|piece| {
            let frame = piece.mark.map(|mark| format!("frame {}", mark.frame)).unwrap_or_default();
            let after = piece.mark.and_then(|mark| us_between(start, mark.time)).map(|us| format!("+{}", span_us(us)));
            (frame, after.unwrap_or_default())
        })
        .collect();
    let frame_column = rows.iter().map(|(frame, _)| width(frame)).max().unwrap_or_default();
    let after_column = rows.iter().map(|(_, after)| width(after)).max().unwrap_or_default();
    layout.flow(out, INDENT, INDENT, &[(palette.dim, "Evidence")])?;
    for ((frame, after), piece) in rows.iter().zip(evidence.iter()) {
        let mut place = String::new();
        for (text, column) in [(format!("{frame:frame_column$}"), frame_column), (format!("{after:>after_column$}"), after_column)] {
            if column > 0 {
                place.push_str(&text);
                place.push_str("  ");
            }
        }
        let indent = INDENT.saturating_add(2);
        layout.flow(out, indent, indent.saturating_add(width(&place)), &[(palette.dim, &place), (Style::new(), &piece.text)])?;
    }
    match evidence.len().saturating_sub(EVIDENCE) {
        0 => Ok(()),
        more => layout.prose(out, INDENT.saturating_add(2), &format!("and {more} more: see --json")),
    }
}

/// Parameters, timing and fingerprints, for `-v`.
fn details(out: &mut dyn Write, layout: &Layout, report: &Handshake<'_>) -> io::Result<()> {
    let handshake = &report.handshake;
    let mut rows = vec![
        ("Reached:", handshake.stage.name().to_owned()),
        ("Messages:", handshake.history.to_string()),
        ("Negotiated:", negotiated(report)),
    ];
    if let Some(client) = report.tls.as_ref().and_then(|tls| tls.client.as_ref()) {
        let offer = &client.offer;
        rows.extend([
            ("Versions offered:", view::listed(offer.supported_versions())),
            ("Suites offered:", view::listed(offer.supported_ciphers())),
            ("Groups offered:", view::listed(offer.supported_groups())),
            ("ALPN offered:", view::listed(offer.alpn())),
            ("JA4:", client.offer.ja4().to_owned()),
        ]);
    }
    for alert in report.tls.iter().flat_map(|tls| &tls.alerts) {
        let name = alert.alert.map_or_else(|| "alert".to_owned(), |alert| format!("{} ({})", alert.description, alert.description.0));
        let level = alert.level().map(|level| format!(", {level}")).unwrap_or_default();
        let hidden = if alert.encrypted { ", encrypted" } else { "" };
        rows.push(("Alert:", format!("{name} from the {}{level}{hidden}, frame {}", alert.from, alert.frame)));
    }
    let loss = handshake.loss;
    if loss != Loss::default() {
        let text = format!(
            "{} by the client, {} by the server, {} missing",
            counted(loss.client_retransmits, "retransmission", "retransmissions"),
            loss.server_retransmits,
            counted(loss.gap_bytes, "byte", "bytes")
        );
        rows.push(("Loss:", text));
    }
    rows.extend([
        ("Timing:", timing(handshake.timing)),
        ("Path:", view::path(report)),
        ("Community ID:", report.network.community_id.to_string()),
        ("Handshake ID:", handshake.id.to_string()),
    ]);
    for (label, text) in rows.iter().filter(|(_, text)| !text.is_empty()) {
        layout.labelled(out, INDENT, label, text)?;
    }
    Ok(())
}

fn timing(timing: Timing) -> String {
    [
        ("network round trip", timing.tcp_rtt_us),
        ("client's ClientHello after", timing.client_hello_us),
        ("ServerHello after", timing.server_hello_us),
        ("of which the server itself", timing.server_think_us),
        ("Finished after", timing.finished_us),
        ("in all", timing.total_us),
    ]
    .into_iter()
    .filter_map(|(label, us)| us.map(|us| format!("{label} {}", span_us(us))))
    .collect::<Vec<_>>()
    .join(", ")
}

fn others(out: &mut dyn Write, layout: &Layout, group: &Group, with_date: bool, options: TextOptions) -> io::Result<()> {
    let more = group.count.saturating_sub(1);
    if more == 0 {
        return Ok(());
    }
    let (plain, palette) = (Style::new(), layout.palette);
    layout.flow(out, INDENT, INDENT, &[(palette.dim, "The same")])?;
    let ending = view::ending(&group.shown);
    for Entry { start, client, server, ending: other, frames } in &group.others {
        let differs = if *other == ending { String::new() } else { format!("  {other}") };
        let indent = INDENT.saturating_add(2);
        layout.flow(
            out,
            indent,
            indent.saturating_add(2),
            &[
                (palette.dim, &when(*start, with_date)),
                (plain, "  "),
                (plain, &client.to_string()),
                (plain, " → "),
                (plain, server),
                (palette.warn, &differs),
                (palette.dim, "  "),
                (palette.dim, &frames.replace(' ', "\u{a0}")),
            ],
        )?;
    }
    match more.saturating_sub(u64::try_from(group.others.len()).unwrap_or(u64::MAX)) {
        0 => Ok(()),
        hidden => {
            let hint = if options.all { "the list above" } else { "--all or --json" };
            layout.prose(out, INDENT.saturating_add(2), &format!("and {} more: see {hint}", count(hidden)))
        }
    }
}

/// Findings on handshakes that completed.
fn notes(out: &mut dyn Write, layout: &Layout, collected: &Collected, options: TextOptions) -> io::Result<()> {
    let notes: Vec<_> = collected.notes.iter().filter(|note| options.verbose || note.severity != Severity::Info).collect();
    if notes.is_empty() {
        return Ok(());
    }
    let palette = layout.palette;
    writeln!(out)?;
    layout.heading(out, 0, "WORTH KNOWING: nothing failed because of it")?;
    for note in notes.iter().take(NOTES) {
        let place = note.frame.map(|frame| format!(", frame {frame}")).unwrap_or_default();
        let place = if note.count > 1 {
            format!("  ({} times{place})", count(note.count))
        } else {
            format!("  ({})", place.trim_start_matches(", "))
        };
        layout.flow(
            out,
            2,
            4,
            &[
                (palette.warn, note.cause.slug()),
                (Style::new(), "  "),
                (palette.strong, &note.server),
                (Style::new(), ": "),
                (Style::new(), &note.text),
                (palette.dim, if place == "  ()" { "" } else { &place }),
            ],
        )?;
    }
    match notes.len().saturating_sub(NOTES) {
        0 => Ok(()),
        more => layout.prose(out, 2, &format!("and {more} more: see --json")),
    }
}

/// The sections in order.
const SECTIONS: &[(Class, &str)] = &[
    (Class::Failed, "FAILED HANDSHAKES"),
    (Class::Rejected, "REJECTED AFTER COMPLETION"),
    (Class::Troubled, "COMPLETED, BUT NOT WELL"),
    (Class::Undecided, "UNDECIDED: the capture is missing the rest"),
    (Class::Probe, "NO HANDSHAKE WANTED: health checks, scans and spare connections"),
];

/// Indentation of what belongs to a group.
const INDENT: usize = 3;
/// Groups shown in full without `--all`.
const IN_FULL: usize = 20;
/// Groups of a section named on one line after those.
const IN_BRIEF: u64 = 20;
/// Pieces of evidence shown: a verdict rests on a handful.
const EVIDENCE: usize = 12;
/// Findings on completed handshakes shown.
const NOTES: usize = 20;
