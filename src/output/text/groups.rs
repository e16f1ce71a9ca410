//! What failed, what was slow, what could not be decided, and what is worth knowing: group by group.

use std::io::{self, Write};

use anstyle::Style;

use super::listing::negotiated;
use super::{Telling, TextOptions, view};
use crate::output::again::Again;
use crate::output::collect::{Collected, Entry, Group};
use crate::output::escape::width;
use crate::output::figures::{count, counted, span_us, us_between};
use crate::output::layout::Layout;
use crate::report::{Advice, Class, Handshake, Loss, Severity, Timing};

/// Writes the groups that are in no incident, by section.
pub(super) fn write(out: &mut dyn Write, telling: &Telling<'_>) -> io::Result<()> {
    let Telling { layout, collected, options, .. } = *telling;
    let told = || collected.groups.iter().filter(|group| group.incident.is_none());
    let in_incidents = collected.groups.iter().any(|group| group.incident.is_some());
    // Where there is only one thing to tell, it needs no heading.
    let alone = told().count() == 1 && !in_incidents;
    let mut number = 0_usize;
    let mut in_full = 0_usize;
    for (class, heading) in SECTIONS {
        let heading = if in_incidents && *class == Class::Failed { "FAILURES IN NO INCIDENT" } else { heading };
        let groups = told().filter(|group| group.class == *class);
        let mut hidden = collected.beyond.get(class).copied().unwrap_or_default();
        let mut hidden_groups = 0_u64;
        let mut first = !alone || *class == Class::Probe;
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
            one(out, telling, if alone { 0 } else { number }, group)?;
        }
        if hidden > 0 {
            writeln!(out)?;
            let text = format!("{} not shown here: use --all or --json.", counted(hidden, "more handshake is", "more handshakes are"));
            layout.prose(out, 0, &text)?;
        }
    }
    notes(out, layout, collected, options)?;
    if number > 1 || in_incidents {
        writeln!(out)?;
        let text = "More about a cause: handshark explain CAUSE. Every handshake: --all. More detail: -v. For programs: --json.";
        layout.flow(out, 0, 0, &[(layout.palette.dim, text)])?;
    }
    Ok(())
}

fn one(out: &mut dyn Write, telling: &Telling<'_>, number: usize, group: &Group) -> io::Result<()> {
    let Telling { layout, collected, options, again } = *telling;
    let palette = layout.palette;
    let report = &group.shown;
    let with_date = collected.several_days();
    head(out, layout, number, group)?;
    subject(out, layout, report, "", with_date)?;
    layout.prose(out, INDENT, &report.summary())?;
    grounds(out, layout, report, options)?;
    if !report.diagnosis.remedy.is_empty() {
        layout.flow(out, INDENT, INDENT, &[(palette.strong, "Fix")])?;
        for line in report.diagnosis.remedy.iter() {
            layout.advice(out, INDENT.saturating_add(2), line)?;
        }
    }
    if options.verbose {
        details(out, layout, report)?;
    }
    others(out, layout, group, with_date, options)?;
    next(out, layout, report, again, None)
}

/// `1. certificate-expired (certain), alerted by the client, 12 times`.
fn head(out: &mut dyn Write, layout: &Layout, number: usize, group: &Group) -> io::Result<()> {
    let (plain, palette) = (Style::new(), layout.palette);
    let report = &group.shown;
    let style = palette.of(group.class);
    let confidence = view::confidence(report, " (", ")");
    let times = if group.count > 1 { format!(", {} times", count(group.count)) } else { String::new() };
    let number = if number > 0 { format!("{number}. ") } else { String::new() };
    layout.flow(
        out,
        0,
        INDENT,
        &[
            (palette.dim, &number),
            (style, view::cause(report)),
            (plain, &confidence),
            (plain, ", "),
            (plain, &view::ending(report)),
            (plain, &times),
        ],
    )
}

/// When it was, who with whom, and in which frames.
pub(super) fn subject(out: &mut dyn Write, layout: &Layout, report: &Handshake<'_>, label: &str, with_date: bool) -> io::Result<()> {
    let (plain, palette) = (Style::new(), layout.palette);
    layout.row(
        out,
        INDENT,
        INDENT.saturating_add(2),
        &[
            (palette.dim, label),
            (palette.dim, if label.is_empty() { "" } else { ": " }),
            (palette.dim, &layout.when(report.handshake.start, with_date)),
            (plain, "  "),
            (plain, &report.client.to_string()),
            (plain, " → "),
            (palette.strong, &view::server(report)),
            (palette.dim, "  "),
            (palette.dim, &view::frames(report).replace(' ', "\u{a0}")),
        ],
    )?;
    view::owners(report).try_for_each(|(label, owner)| layout.labelled(out, INDENT, label, &owner))
}

/// What a verdict stands on, and what else it could be.
pub(super) fn grounds(out: &mut dyn Write, layout: &Layout, report: &Handshake<'_>, options: TextOptions) -> io::Result<()> {
    let diagnosis = &report.diagnosis;
    evidence(out, layout, report)?;
    if !diagnosis.against.is_empty() {
        layout.labelled(out, INDENT, "Evidence against it:", &view::against(report))?;
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
    if quality.is_empty() { Ok(()) } else { layout.labelled(out, INDENT, "Capture quality:", &quality) }
}

/// What to type to see more: this handshake packet by packet, what its cause means, and another command.
pub(super) fn next(
    out: &mut dyn Write,
    layout: &Layout,
    report: &Handshake<'_>,
    again: Option<&Again>,
    another: Option<&Advice>,
) -> io::Result<()> {
    let Some(show) = again.and_then(|again| again.show(report)) else {
        return layout.labelled(out, INDENT, "Handshake ID:", report.handshake.id.as_str());
    };
    layout.flow(out, INDENT, INDENT, &[(layout.palette.dim, "Packet by packet")])?;
    layout.advice(out, INDENT.saturating_add(2), &Advice::Command(show))?;
    match another {
        Some(another) => {
            layout.flow(out, INDENT, INDENT, &[(layout.palette.dim, "All of them")])?;
            layout.advice(out, INDENT.saturating_add(2), another)
        }
        None => Ok(()),
    }
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
    let evidence = view::evidence(&report.diagnosis);
    if evidence.is_empty() {
        return Ok(());
    }
    let palette = layout.palette;
    let start = report.handshake.start;
    let rows: Vec<(String, String)> = evidence
        .iter()
        .take(EVIDENCE)
        .map(|piece| {
            let frame = piece.mark.map(|mark| view::frame(report, mark.frame)).unwrap_or_default();
            let after = piece.mark.and_then(|mark| us_between(start, mark.time)).map(|us| format!("+{}", span_us(us)));
            (frame, after.unwrap_or_default())
        })
        .collect();
    let frame_column = rows.iter().map(|(frame, _)| width(frame)).max().unwrap_or_default();
    let after_column = rows.iter().map(|(_, after)| width(after)).max().unwrap_or_default();
    layout.flow(out, INDENT, INDENT, &[(palette.dim, "Evidence")])?;
    // In a narrow terminal, and beside long names of files, the text stands below its place.
    let column = frame_column.saturating_add(after_column).saturating_add(INDENT);
    let beside = layout.width() >= BESIDE && column <= layout.width() / 2;
    for ((frame, after), piece) in rows.iter().zip(&evidence) {
        let mut place = String::new();
        for (text, column) in [(format!("{frame:frame_column$}"), frame_column), (format!("{after:>after_column$}"), after_column)] {
            if column > 0 {
                place.push_str(&text);
                place.push_str("  ");
            }
        }
        let indent = INDENT.saturating_add(2);
        let hanging = if beside { indent.saturating_add(width(&place)) } else { indent.saturating_add(2) };
        let place = if beside { place.as_str() } else { place.trim_start() };
        layout.flow(out, indent, hanging, &[(palette.dim, place), (Style::new(), &piece.text)])?;
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
        rows.push(("Alert:", format!("{name} from the {}{level}{hidden}, {}", alert.from, view::frame(report, alert.frame))));
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
    ]);
    for (label, text) in rows.iter().filter(|(_, text)| !text.is_empty()) {
        layout.labelled(out, INDENT, label, text)?;
    }
    Ok(())
}

fn timing(timing: Timing) -> String {
    [
        ("network round trip", timing.tcp_rtt_us),
        ("ClientHello after", timing.client_hello_us),
        ("ServerHello after", timing.server_hello_us),
        ("of which server processing", timing.server_think_us),
        ("Finished after", timing.finished_us),
        ("total", timing.total_us),
    ]
    .into_iter()
    .filter_map(|(label, us)| us.map(|us| format!("{label} {}", span_us(us))))
    .collect::<Vec<_>>()
    .join(", ")
}

/// The other handshakes of a group, the first of them.
pub(super) fn others(out: &mut dyn Write, layout: &Layout, group: &Group, with_date: bool, options: TextOptions) -> io::Result<()> {
    let more = group.count.saturating_sub(1);
    if more == 0 {
        return Ok(());
    }
    let (plain, palette) = (Style::new(), layout.palette);
    layout.flow(out, INDENT, INDENT, &[(palette.dim, "Also affected")])?;
    let ending = view::ending(&group.shown);
    for Entry { start, client, server, ending: other, frames } in &group.others {
        let differs = if *other == ending { String::new() } else { format!("  {other}") };
        let indent = INDENT.saturating_add(2);
        layout.row(
            out,
            indent,
            indent.saturating_add(2),
            &[
                (palette.dim, &layout.when(*start, with_date)),
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
        let place = note.frame.as_ref().map(|frame| format!(", {frame}")).unwrap_or_default();
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
    (Class::Troubled, "COMPLETED WITH TROUBLE"),
    (Class::Undecided, "UNDECIDED: the rest is missing"),
    (Class::Probe, "PROBES (no handshake attempted): health checks, scans and spare connections"),
];

/// Indentation of what belongs to a group.
pub(super) const INDENT: usize = 3;
/// From this width on, evidence stands beside its frame and time.
const BESIDE: usize = 60;
/// Groups shown in full without `--all`.
const IN_FULL: usize = 20;
/// Groups of a section named on one line after those.
const IN_BRIEF: u64 = 20;
/// Pieces of evidence shown: a verdict rests on a handful.
const EVIDENCE: usize = 12;
/// Findings on completed handshakes shown.
const NOTES: usize = 20;
