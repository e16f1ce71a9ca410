//! The same content as the terminal's, as Markdown to be pasted into a ticket.

use std::io::{self, Write};

use super::collect::{Collected, Group};
use super::escape::{clip, escape};
use super::figures::{count, counted, span_us, us_between, when};
use super::format::{Format, Verbosity};
use super::view;
use super::{Setting, Sink};
use crate::report::{Advice, Class, Handshake, Incident, Summary, VERSION};

/// `--format md`.
pub const FORMAT: Format = Format {
    name: "md",
    about: "Markdown, for a ticket",
    streams: |look| look.all || look.verbosity == Verbosity::Quiet,
    sink: |out, _| Box::new(MarkdownSink::new(out)),
};

/// Writes Markdown at the end of the run.
#[derive(Debug)]
pub struct MarkdownSink<W> {
    out: W,
    collected: Collected,
    settings: Vec<Setting>,
}

impl<W: Write> MarkdownSink<W> {
    /// Writes to `out`, which should buffer.
    pub fn new(out: W) -> Self {
        Self::with_settings(out, Vec::new())
    }

    /// The same, with what the reader must know of how it came about at the end.
    pub fn with_settings(out: W, settings: Vec<Setting>) -> Self {
        Self { out, collected: Collected::default(), settings }
    }
}

impl<W: Write> Sink for MarkdownSink<W> {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        self.collected.handshake(handshake);
        Ok(())
    }

    fn incident(&mut self, incident: &Incident) -> io::Result<()> {
        self.collected.incident(incident);
        Ok(())
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.collected.summary = Some(summary.clone());
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let (out, collected) = (&mut self.out as &mut dyn Write, &mut self.collected);
        collected.sort();
        head(out, collected)?;
        incidents(out, collected)?;
        let with_date = collected.several_days();
        for (number, shown) in collected.groups.iter().take(GROUPS).enumerate() {
            let incident = collected.incident_of(&shown.shown).map(|(place, _)| place).filter(|place| *place <= GROUPS);
            group(out, number.saturating_add(1), shown, with_date, incident)?;
        }
        let hidden = collected.groups.iter().skip(GROUPS).map(|group| group.count).chain(collected.beyond.values().copied());
        match hidden.fold(0_u64, u64::saturating_add) {
            0 => {}
            more => writeln!(out, "\nAnd {}.", counted(more, "handshake more", "handshakes more"))?,
        }
        if !self.settings.is_empty() {
            grounds(out, collected, &self.settings)?;
        }
        out.flush()
    }
}

fn head(out: &mut dyn Write, collected: &Collected) -> io::Result<()> {
    let total = collected.classes.total();
    writeln!(out, "# TLS handshakes: {} of {} failed", count(collected.classes.of(Class::Failed)), count(total))?;
    writeln!(out, "\n- {}", view::classes(&collected.classes))?;
    let Some(summary) = &collected.summary else { return Ok(()) };
    for input in summary.inputs.iter().take(INPUTS) {
        let damage = input.damage.as_deref().map(|damage| format!("; {}", text(damage))).unwrap_or_default();
        writeln!(out, "- {}: {}{damage}", text(&input.source), counted(input.frames, "frame", "frames"))?;
    }
    if let Some((first, last)) = summary.times {
        writeln!(out, "- {} to {} UTC", when(first, true), when(last, true))?;
    }
    if let Some(left_out) = summary.left_out {
        writeln!(out, "- {} of {} were asked for", count(total), counted(left_out.saturating_add(total), "handshake", "handshakes"))?;
    }
    for note in view::notes(summary).take(INPUTS) {
        writeln!(out, "- {}", text(note))?;
    }
    if summary.drops > 0 {
        writeln!(out, "- {} dropped while capturing", counted(summary.drops, "packet was", "packets were"))?;
    }
    if !summary.causes.is_empty() {
        writeln!(out, "\n| cause | handshakes |\n|---|---:|")?;
        for (cause, number) in view::ranked(&summary.causes) {
            writeln!(out, "| {cause} | {} |", count(number))?;
        }
    }
    Ok(())
}

/// What it rests on.
fn grounds(out: &mut dyn Write, collected: &Collected, settings: &[Setting]) -> io::Result<()> {
    writeln!(out, "\n## What this rests on\n")?;
    writeln!(out, "- Tool: handshark {VERSION}")?;
    for setting in settings {
        writeln!(out, "- {}: {}", setting.name, text(&setting.value))?;
    }
    for input in collected.summary.iter().flat_map(|summary| &summary.inputs).take(INPUTS) {
        if let Some(sha256) = &input.sha256 {
            writeln!(out, "- SHA-256 of {}: {}", text(&input.source), text(sha256))?;
        }
    }
    Ok(())
}

fn incidents(out: &mut dyn Write, collected: &Collected) -> io::Result<()> {
    for (number, incident) in collected.incidents.iter().take(GROUPS).enumerate() {
        let place = text(&view::place(incident));
        writeln!(out, "\n## Incident {}: {} at {place}", number.saturating_add(1), incident.cause)?;
        writeln!(out, "\n{}", text(&incident.summary))?;
        writeln!(
            out,
            "\n{} of {} handshakes failed, from {}; {}.",
            count(incident.failed),
            count(incident.attempts),
            counted(incident.clients_total, "client", "clients"),
            incident.confidence.name()
        )?;
        for change in &incident.changes {
            writeln!(out, "\nWhat changed: {}", text(change))?;
        }
        fix(out, &incident.remedy)?;
    }
    Ok(())
}

fn group(out: &mut dyn Write, number: usize, group: &Group, with_date: bool, incident: Option<usize>) -> io::Result<()> {
    let report = &group.shown;
    let diagnosis = &report.diagnosis;
    let times = if group.count > 1 { format!(", {} times", count(group.count)) } else { String::new() };
    writeln!(out, "\n## {number}. {}: {}{times}", view::cause(report), view::ending(report))?;
    writeln!(out, "\n{}", text(&report.summary()))?;
    writeln!(
        out,
        "\n{} {} → {}, {}{}",
        when(report.handshake.start, with_date),
        text(&report.client.to_string()),
        text(&view::server(report)),
        view::frames(report),
        view::confidence(report, "; confidence: ", ""),
    )?;
    if !diagnosis.evidence.is_empty() {
        writeln!(out, "\nEvidence:\n")?;
        for piece in diagnosis.evidence.iter() {
            let after = piece.mark.and_then(|mark| us_between(report.handshake.start, mark.time));
            let after = after.map(|us| format!(" (+{})", span_us(us))).unwrap_or_default();
            let frame = piece.mark.map(|mark| format!("frame {}{after}: ", mark.frame)).unwrap_or_default();
            writeln!(out, "- {frame}{}", text(&piece.text))?;
        }
    }
    if !diagnosis.against.is_empty() {
        writeln!(out, "\nSpeaks against it: {}", text(&view::against(diagnosis)))?;
    }
    if !diagnosis.alternatives.is_empty() {
        writeln!(out, "\nAlso possible: {}", view::alternatives(diagnosis))?;
    }
    match incident {
        Some(number) => writeln!(out, "\nFix: see incident {number}, which this is part of."),
        None => fix(out, &diagnosis.remedy),
    }
}

/// Commands are indented code, which nothing in them can end.
fn fix(out: &mut dyn Write, remedy: &[Advice]) -> io::Result<()> {
    let mut in_code = false;
    for (index, advice) in remedy.iter().enumerate() {
        match advice {
            Advice::Command(command) => {
                if !in_code {
                    writeln!(out)?;
                }
                in_code = true;
                writeln!(out, "    {}", escape(&command.to_string()))?;
            }
            Advice::Text(line) => {
                in_code = false;
                writeln!(out, "\n{}{}", if index == 0 { "Fix: " } else { "" }, text(line))?;
            }
        }
    }
    Ok(())
}

/// Text that Markdown takes for text, and HTML as well.
fn text(raw: &str) -> String {
    let shown = escape(raw);
    let shown = clip(&shown, LONGEST_TEXT);
    let mut out = String::with_capacity(shown.len());
    for c in shown.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '@' | '!' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// Groups and incidents shown: a ticket is read by people.
const GROUPS: usize = 20;
/// Inputs and notes named one by one.
const INPUTS: usize = 10;
/// Columns of one text.
const LONGEST_TEXT: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;
    use crate::report::samples;

    fn written(reports: &[Report]) -> String {
        let mut out = Vec::new();
        let mut sink = MarkdownSink::new(&mut out);
        for report in reports {
            report.give(&mut sink).unwrap();
        }
        sink.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_ticket_has_it_all() {
        let out = written(&samples::run());
        for part in [
            "# TLS handshakes: 14 of 18 failed\n",
            "| certificate-expired | 12 |",
            "\n## Incident 1: certificate-expired at www.example.test\n",
            "\n## 1. certificate-expired: alerted by the client, 12 times\n",
            "- frame 11 (+13.0 ms): client sent alert certificate\\_expired (45)",
            "\n\n    openssl s_client -connect 10.0.0.2:443 -servername www.example.test </dev/null",
            "\nAlso possible: packet-loss, server-flight-dropped\n",
        ] {
            assert!(out.contains(part), "{part}\n{out}");
        }
    }

    #[test]
    fn names_are_no_markup() {
        let out = written(&[Report::Handshake(Box::new(samples::named("<img src=x>[a](http://b) **c** |\n# d @team")))]);
        assert!(!out.contains("<img") && !out.contains("[a]") && !out.contains("**c**") && !out.contains(" @team"), "{out}");
        assert!(out.lines().all(|line| !line.starts_with("# d")), "{out}");
    }
}
