//! One handshake in full, for a person at a terminal: the ladder, where the time went, what was offered against what was chosen, the
//! certificates, and the diagnosis.

use std::io::{self, Write};

use anstyle::Style;

use super::figures::{span_us, us_between};
use super::layout::{Layout, NO_BREAK};
use super::view;
use crate::report::Handshake;

mod chain;
mod hellos;
mod ladder;
mod timing;

pub(in crate::output) use chain::{Standing, standing};

/// Writes everything that is known of a handshake. Its report should hold a timeline; without one, the ladder is left out.
pub fn handshake(out: &mut dyn Write, layout: &Layout, report: &Handshake<'_>) -> io::Result<()> {
    head(out, layout, report)?;
    story(out, layout, report)?;
    diagnosis(out, layout, report)
}

/// The same, with the verdict and what to do before the packets: for a screen that is read from the top.
pub fn verdict_first(out: &mut dyn Write, layout: &Layout, report: &Handshake<'_>) -> io::Result<()> {
    head(out, layout, report)?;
    diagnosis(out, layout, report)?;
    story(out, layout, report)
}

/// The part of it that is no verdict: ladder, times, hellos, certificates.
fn story(out: &mut dyn Write, layout: &Layout, report: &Handshake<'_>) -> io::Result<()> {
    ladder::write(out, layout, report)?;
    timing::write(out, layout, report)?;
    hellos::write(out, layout, report)?;
    chain::write(out, layout, report)
}

fn head(out: &mut dyn Write, layout: &Layout, report: &Handshake<'_>) -> io::Result<()> {
    let (plain, palette) = (Style::new(), layout.palette);
    let style = palette.of(report.class());
    let cause = report.diagnosis.cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    let sure = view::confidence(report, " (", ")");
    let id = report.handshake.id.as_str();
    let ending = view::ending(report);
    layout.flow(out, 0, 2, &[(palette.dim, id), (plain, "  "), (style, &ending), (style, &cause), (plain, &sure)])?;
    let frames = view::frames(report).replace(' ', &NO_BREAK.to_string());
    let start = report.handshake.start;
    let when = format!("{} {}", layout.when(start, true), layout.zone().name(start));
    layout.row(
        out,
        0,
        2,
        &[
            (palette.dim, &when.replace(' ', &NO_BREAK.to_string())),
            (plain, "  "),
            (plain, &report.client.to_string()),
            (plain, " → "),
            (palette.strong, &view::server(report)),
            (palette.dim, "  "),
            (palette.dim, &frames),
        ],
    )?;
    for (label, owner) in view::owners(report) {
        layout.labelled(out, 0, label, &owner)?;
    }
    let source = view::source(report);
    let mut facts = vec![if source.is_empty() { source } else { format!("in {source}") }];
    for (before, text) in [("inside ", view::path(report)), ("the capture lacks something here: ", view::quality(report))] {
        facts.push(if text.is_empty() { text } else { format!("{before}{text}") });
    }
    facts.retain(|fact| !fact.is_empty());
    if facts.is_empty() { Ok(()) } else { layout.flow(out, 0, 2, &[(palette.dim, &facts.join("; "))]) }
}

fn diagnosis(out: &mut dyn Write, layout: &Layout, report: &Handshake<'_>) -> io::Result<()> {
    let palette = layout.palette;
    let said = &report.diagnosis;
    section(out, layout, "Diagnosis")?;
    layout.prose(out, INDENT, &report.summary())?;
    let evidence = view::evidence(said);
    if !evidence.is_empty() {
        layout.flow(out, INDENT, INDENT, &[(palette.dim, "Evidence")])?;
        for piece in evidence.into_iter().take(EVIDENCE) {
            let after = piece.mark.and_then(|mark| us_between(report.handshake.start, mark.time));
            let after = after.map(|us| format!(" +{}", span_us(us))).unwrap_or_default();
            let place = piece
                .mark
                .map(|mark| format!("{}{after}  ", view::frame(report, mark.frame)))
                .unwrap_or_default()
                .replace(' ', &NO_BREAK.to_string());
            let indent = INDENT.saturating_add(2);
            layout.flow(out, indent, indent.saturating_add(2), &[(palette.dim, &place), (Style::new(), &piece.text)])?;
        }
    }
    if !said.against.is_empty() {
        layout.labelled(out, INDENT, "Evidence against it:", &view::against(report))?;
    }
    if !said.alternatives.is_empty() {
        layout.labelled(out, INDENT, "Also possible:", &view::alternatives(said))?;
    }
    for finding in view::noticed(said).take(EVIDENCE) {
        layout.labelled(out, INDENT, "Also noticed:", &finding.summary)?;
    }
    if !said.remedy.is_empty() {
        layout.flow(out, INDENT, INDENT, &[(palette.strong, "Fix")])?;
        for line in said.remedy.iter() {
            layout.advice(out, INDENT.saturating_add(2), line)?;
        }
    }
    if let Some(cause) = said.cause {
        layout.flow(out, INDENT, INDENT, &[(palette.dim, &format!("More about this cause: handshark explain {cause}"))])?;
    }
    Ok(())
}

fn section(out: &mut dyn Write, layout: &Layout, title: &str) -> io::Result<()> {
    writeln!(out)?;
    layout.heading(out, 0, title)
}

const INDENT: usize = 2;
/// Pieces of evidence and findings shown.
const EVIDENCE: usize = 20;

#[cfg(test)]
mod tests;
