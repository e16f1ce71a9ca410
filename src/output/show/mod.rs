//! One handshake in full, for a person at a terminal: the ladder, where the time went, what was offered against what was chosen, the
//! certificates, and the diagnosis.

use std::io::{self, Write};

use anstyle::Style;

use super::figures::{Moment, span_us, when};
use super::layout::{Layout, NO_BREAK};
use super::view::{self, Kind};
use crate::report::HandshakeReport;

mod chain;
mod hellos;
mod ladder;
mod timing;

pub(in crate::output) use chain::{Standing, standing};

/// Writes everything that is known of a handshake. Its report should hold a timeline; without one, the ladder is left out.
pub fn handshake(out: &mut dyn Write, layout: &Layout, report: &HandshakeReport) -> io::Result<()> {
    head(out, layout, report)?;
    story(out, layout, report)?;
    diagnosis(out, layout, report)
}

/// The part of it that is no verdict: ladder, times, hellos, certificates.
pub fn story(out: &mut dyn Write, layout: &Layout, report: &HandshakeReport) -> io::Result<()> {
    ladder::write(out, layout, report)?;
    timing::write(out, layout, report)?;
    hellos::write(out, layout, report)?;
    chain::write(out, layout, report)
}

fn head(out: &mut dyn Write, layout: &Layout, report: &HandshakeReport) -> io::Result<()> {
    let (plain, palette) = (Style::new(), layout.palette);
    let style = match view::kind(report) {
        Kind::Failed => palette.bad,
        Kind::Completed => palette.good,
        _ => palette.warn,
    };
    let cause = report.diagnosis.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
    let sure = report.diagnosis.confidence.as_deref().map(|word| format!(" ({word})")).unwrap_or_default();
    let id = report.handshake.id.as_str();
    let ending = view::ending(report);
    layout.flow(out, 0, 2, &[(palette.dim, id), (plain, "  "), (style, &ending), (style, &cause), (plain, &sure)])?;
    let frames = view::frames(report).replace(' ', &NO_BREAK.to_string());
    layout.flow(
        out,
        0,
        2,
        &[
            (palette.dim, &when(&report.handshake.start, true).replace(' ', &NO_BREAK.to_string())),
            (plain, "  "),
            (plain, &view::endpoint(&report.client)),
            (plain, " → "),
            (palette.strong, &view::server(report)),
            (palette.dim, "  "),
            (palette.dim, &frames),
        ],
    )?;
    let source = report.capture.source.as_str();
    let mut facts = vec![if source.is_empty() { String::new() } else { format!("in {source}") }];
    if !report.network.path.is_empty() {
        facts.push(format!("inside {}", report.network.path.join(", ")));
    }
    if !report.capture.quality.is_empty() {
        facts.push(format!("the capture lacks something here: {}", report.capture.quality.join(", ")));
    }
    facts.retain(|fact| !fact.is_empty());
    if facts.is_empty() { Ok(()) } else { layout.flow(out, 0, 2, &[(palette.dim, &facts.join("; "))]) }
}

fn diagnosis(out: &mut dyn Write, layout: &Layout, report: &HandshakeReport) -> io::Result<()> {
    let palette = layout.palette;
    let said = &report.diagnosis;
    section(out, layout, "Diagnosis")?;
    layout.prose(out, INDENT, &said.summary)?;
    if !said.evidence.is_empty() {
        layout.flow(out, INDENT, INDENT, &[(palette.dim, "Evidence")])?;
        let start = Moment::parse(&report.handshake.start);
        for piece in said.evidence.iter().take(EVIDENCE) {
            let at = piece.time.as_deref().and_then(Moment::parse).zip(start.as_ref());
            let after = at.and_then(|(at, start)| at.us_since(start)).map(|us| format!(" +{}", span_us(us))).unwrap_or_default();
            let place = piece.frame.map(|frame| format!("frame {frame}{after}  ").replace(' ', &NO_BREAK.to_string())).unwrap_or_default();
            let indent = INDENT.saturating_add(2);
            layout.flow(out, indent, indent.saturating_add(2), &[(palette.dim, &place), (Style::new(), &piece.text)])?;
        }
    }
    if !said.against.is_empty() {
        layout.labelled(out, INDENT, "Speaks against it:", &view::against(said))?;
    }
    if !said.alternatives.is_empty() {
        layout.labelled(out, INDENT, "Also possible:", &said.alternatives.join(", "))?;
    }
    for finding in view::noticed(said).take(EVIDENCE) {
        layout.labelled(out, INDENT, "Also noticed:", &finding.text)?;
    }
    if !said.remedy.is_empty() {
        layout.flow(out, INDENT, INDENT, &[(palette.strong, "Fix")])?;
        for line in &said.remedy {
            layout.advice(out, INDENT.saturating_add(2), line)?;
        }
    }
    if let Some(cause) = &said.cause {
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
