//! The same content as the terminal's, as Markdown to be pasted into a ticket.

use std::io::{self, Write};

use super::again::Again;
use super::collect::{Collected, Group};
use super::escape::{clip, escape};
use super::figures::{count, counted, period_in, span_us, us_between, when_in};
use super::format::{Format, Verbosity};
use super::view;
use super::{Setting, Sink};
use crate::report::{Advice, Class, Handshake, Incident, Summary, VERSION};
use crate::time::{Timestamp, Zone};

/// `--format md`.
pub const FORMAT: Format = Format {
    name: "md",
    about: "Markdown, for a ticket",
    streams: |look| look.all || look.verbosity == Verbosity::Quiet,
    sink: |out, look| Box::new(MarkdownSink::new(out).in_zone(look.layout.zone().clone()).with_again(look.again.clone())),
};

/// Writes Markdown at the end of the run.
#[derive(Debug)]
pub struct MarkdownSink<W> {
    out: W,
    collected: Collected,
    settings: Vec<Setting>,
    zone: Zone,
    again: Option<Again>,
}

impl<W: Write> MarkdownSink<W> {
    /// Writes to `out`, which should buffer.
    pub fn new(out: W) -> Self {
        Self { out, collected: Collected::default(), settings: Vec::new(), zone: Zone::UTC, again: None }
    }

    /// The same, with what the reader must know of how it came about at the end.
    #[must_use]
    pub fn with_settings(self, settings: Vec<Setting>) -> Self {
        Self { settings, ..self }
    }

    /// The same with times of this zone.
    #[must_use]
    pub fn in_zone(self, zone: Zone) -> Self {
        Self { collected: Collected::in_zone(zone.clone()), zone, ..self }
    }

    /// The same, with the command that shows a failure in full.
    #[must_use]
    pub fn with_again(self, again: Option<Again>) -> Self {
        Self { again, ..self }
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
        let Self { out, collected, settings, zone, again } = self;
        let out: &mut dyn Write = out;
        collected.sort();
        let ticket = Ticket { with_date: collected.several_days(), collected, zone, again: again.as_ref() };
        ticket.head(out)?;
        ticket.incidents(out)?;
        let told = || ticket.collected.groups.iter().filter(|group| group.incident.is_none());
        for (number, shown) in told().take(GROUPS).enumerate() {
            ticket.group(out, number.saturating_add(1), shown)?;
        }
        let hidden = told().skip(GROUPS).map(|group| group.count).chain(ticket.collected.beyond.values().copied());
        match hidden.fold(0_u64, u64::saturating_add) {
            0 => {}
            more => writeln!(out, "\nAnd {}.", counted(more, "more handshake", "more handshakes"))?,
        }
        if !settings.is_empty() {
            grounds(out, ticket.collected, settings)?;
        }
        out.flush()
    }
}

/// What is written, and how its times are.
struct Ticket<'a> {
    collected: &'a Collected,
    zone: &'a Zone,
    with_date: bool,
    again: Option<&'a Again>,
}

impl Ticket<'_> {
    fn when(&self, at: Timestamp) -> String {
        when_in(self.zone, at, self.with_date)
    }

    fn head(&self, out: &mut dyn Write) -> io::Result<()> {
        let collected = self.collected;
        let Some(summary) = &collected.summary else { return writeln!(out, "# TLS handshakes") };
        let answer = summary.answer(&|at| self.when(at).split('.').next().unwrap_or_default().to_owned());
        writeln!(out, "# {}\n", text(answer.trim_end_matches('.')))?;
        for input in summary.inputs.iter().take(INPUTS) {
            let damage = input.damage.as_deref().map(|damage| format!("; {}", text(damage))).unwrap_or_default();
            writeln!(out, "- {}: {}{damage}", text(&input.source), counted(input.frames, "frame", "frames"))?;
        }
        if let Some((first, last)) = summary.times {
            writeln!(out, "- {} {}", period_in(self.zone, first, last, true), self.zone.name(last))?;
        }
        let total = collected.classes.total();
        if total > 0 {
            writeln!(out, "- {}", view::classes(&collected.classes))?;
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
        let causes: Vec<_> =
            Class::ALL.iter().flat_map(|class| collected.causes(*class).into_iter().map(|cause| (*class, cause))).collect();
        if causes.len() > 1 {
            writeln!(out, "\n| cause | handshakes | class |\n|---|---:|---|")?;
            for (class, (cause, number)) in causes {
                writeln!(out, "| {cause} | {} | {} |", count(number), class.words(number))?;
            }
        }
        Ok(())
    }

    fn incidents(&self, out: &mut dyn Write) -> io::Result<()> {
        for (place, incident) in self.collected.incidents.iter().take(GROUPS).enumerate() {
            writeln!(out, "\n## Incident {}: {} at {}", place.saturating_add(1), incident.cause, text(&view::place(incident)))?;
            writeln!(out, "\n{}", text(&incident.summary))?;
            let times = period_in(self.zone, incident.first_seen, incident.last_seen, self.with_date);
            writeln!(out, "\n{times}; confidence: {}", incident.confidence.name())?;
            view::common_owners(incident).try_for_each(|(label, owner)| writeln!(out, "\n{label} {}", text(&owner)))?;
            for change in &incident.changes {
                writeln!(out, "\nWhat changed: {}", text(change))?;
            }
            let shown = self.collected.of_incident(place).find(|group| group.shown.diagnosis.cause == Some(incident.cause));
            if let Some(group) = shown {
                self.subject(out, &group.shown, if group.count > 1 { "For example: " } else { "" })?;
                Self::proof(out, &group.shown)?;
            }
            fix(out, &incident.remedy)?;
            if let Some(group) = shown {
                self.next(out, &group.shown)?;
            }
        }
        Ok(())
    }

    fn group(&self, out: &mut dyn Write, number: usize, group: &Group) -> io::Result<()> {
        let report = &group.shown;
        let times = if group.count > 1 { format!(", {} times", count(group.count)) } else { String::new() };
        writeln!(out, "\n## {number}. {}: {}{times}", view::cause(report), view::ending(report))?;
        writeln!(out, "\n{}", text(&report.summary()))?;
        self.subject(out, report, "")?;
        Self::proof(out, report)?;
        fix(out, &report.diagnosis.remedy)?;
        self.next(out, report)
    }

    fn subject(&self, out: &mut dyn Write, report: &Handshake<'_>, label: &str) -> io::Result<()> {
        writeln!(
            out,
            "\n{label}{} {} → {}, {}{}",
            self.when(report.handshake.start),
            text(&report.client.to_string()),
            text(&view::server(report)),
            text(&view::frames(report)),
            view::confidence(report, "; confidence: ", ""),
        )?;
        view::owners(report).try_for_each(|(label, owner)| writeln!(out, "\n{label} {}", text(&owner)))
    }

    fn proof(out: &mut dyn Write, report: &Handshake<'_>) -> io::Result<()> {
        let diagnosis = &report.diagnosis;
        let evidence = view::evidence(diagnosis);
        if !evidence.is_empty() {
            writeln!(out, "\nEvidence:\n")?;
            for piece in evidence {
                let after = piece.mark.and_then(|mark| us_between(report.handshake.start, mark.time));
                let after = after.map(|us| format!(" (+{})", span_us(us))).unwrap_or_default();
                let frame = piece.mark.map(|mark| format!("{}{after}: ", text(&view::frame(report, mark.frame)))).unwrap_or_default();
                writeln!(out, "- {frame}{}", text(&piece.text))?;
            }
        }
        if !diagnosis.against.is_empty() {
            writeln!(out, "\nEvidence against it: {}", text(&view::against(report)))?;
        }
        if !diagnosis.alternatives.is_empty() {
            writeln!(out, "\nAlso possible: {}", view::alternatives(diagnosis))?;
        }
        Ok(())
    }

    fn next(&self, out: &mut dyn Write, report: &Handshake<'_>) -> io::Result<()> {
        match self.again.and_then(|again| again.show(report)) {
            Some(show) => writeln!(out, "\nPacket by packet:\n\n    {}", escape(&show.to_string())),
            None => writeln!(out, "\nHandshake ID: {}", report.handshake.id),
        }
    }
}

/// How it came about.
fn grounds(out: &mut dyn Write, collected: &Collected, settings: &[Setting]) -> io::Result<()> {
    writeln!(out, "\n## Evidence and limits\n")?;
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
            "# 14 of 18 handshakes failed: 12 of 13 with www.example.test from 09:00:12 to 09:00:23, because",
            "- 18 handshakes: 14 failed, 1 completed with trouble, 2 undecided, 1 completed\n",
            "| certificate-expired | 12 | failed |",
            "\n## Incident 1: certificate-expired at www.example.test\n",
            "\n## 1. path-mtu-black-hole: stalled in the network\n",
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
