//! A line for each failure, as it happens: for `--quiet`, for logs and for live use.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::Style;

use super::escape::{clip, escape};
use super::figures::when_in;
use super::layout::Span;
use super::style::Palette;
use super::view;
use crate::report::{Cause, Class, Handshake, Id, Incident, Side, Sink, State};
use crate::time::Zone;

/// Writes a line for each handshake that failed or whose users suffered, and nothing else. Every line is flushed.
#[derive(Debug)]
pub struct LineSink<W> {
    out: W,
    palette: Palette,
    zone: Zone,
    priorities: bool,
    /// Handshakes that were told of while they stalled, with the cause given then. Bounded.
    told: BTreeMap<Id, Option<Cause>>,
}

impl<W: Write> LineSink<W> {
    /// Writes to `out`.
    pub const fn new(out: W, palette: Palette) -> Self {
        Self { out, palette, zone: Zone::UTC, priorities: false, told: BTreeMap::new() }
    }

    /// The same with times of this zone.
    #[must_use]
    pub fn in_zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// Begins each line with its priority as sd-daemon(3) has it (`<4>`): what journald and `logger --prio-prefix` read.
    #[must_use]
    pub fn with_priorities(self, priorities: bool) -> Self {
        Self { priorities, ..self }
    }

    fn priority(&mut self, priority: u8) -> io::Result<()> {
        if self.priorities { write!(self.out, "<{priority}>") } else { Ok(()) }
    }
}

impl<W: Write> Sink for LineSink<W> {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        let (id, cause) = (handshake.handshake.id, handshake.diagnosis.cause);
        let calm = !(handshake.class().is_problem() || handshake.class() == Class::Undecided);
        if handshake.handshake.provisional {
            if self.told.len() < TOLD {
                self.told.insert(id, cause);
            }
        } else {
            match self.told.remove(&id) {
                // It ended as it was told already.
                Some(told) if told == cause => return Ok(()),
                None if calm => return Ok(()),
                _ => {}
            }
        }
        self.priority(if calm { NOTICE } else { WARNING })?;
        line(&mut self.out, self.palette, &self.zone, handshake)?;
        self.out.flush()
    }

    fn incident(&mut self, report: &Incident) -> io::Result<()> {
        let Some(state @ (State::Begun | State::Ended)) = report.state else { return Ok(()) };
        self.priority(if state == State::Begun { WARNING } else { NOTICE })?;
        incident(&mut self.out, self.palette, &self.zone, report, state)?;
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes one handshake on one line, however long:
/// `2026-11-21 09:04:20.031  10.0.0.1:40112 → www.example.test (10.0.0.2:443)  certificate-expired  alerted by the client, certain: …`.
pub fn line(out: &mut dyn Write, palette: Palette, zone: &Zone, report: &Handshake<'_>) -> io::Result<()> {
    let plain = Style::new();
    let style = palette.of(report.class());
    let confidence = view::confidence(report, ", ", "");
    let spans: &[Span<'_>] = &[
        (palette.dim, &when_in(zone, report.handshake.start, true)),
        (plain, "  "),
        (plain, &view::end(report, Side::Client)),
        (plain, " → "),
        (palette.strong, &view::end(report, Side::Server)),
        (plain, "  "),
        (style, if report.class() == Class::Completed { "completed after all" } else { view::cause(report) }),
        (plain, "  "),
        (plain, &view::ending(report)),
        (plain, &confidence),
        (plain, if report.handshake.provisional { ", still under way" } else { "" }),
        (plain, ": "),
        (plain, &report.summary()),
    ];
    for (style, text) in spans {
        let text = escape(text);
        let text = clip(&text, LONGEST_PART);
        write!(out, "{style}{text}{style:#}")?;
    }
    writeln!(out)
}

/// Writes that an incident begins or is over, for those who watch: `2026-11-21 09:00:12.031  incident begun: certificate-expired: 2 of 2 …`.
fn incident(out: &mut dyn Write, palette: Palette, zone: &Zone, report: &Incident, state: State) -> io::Result<()> {
    let (style, time) = if state == State::Begun { (palette.bad, report.first_seen) } else { (palette.good, report.last_seen) };
    let (dim, strong) = (palette.dim, palette.strong);
    let summary = escape(&report.summary);
    let (cause, summary) = (report.cause, clip(&summary, LONGEST_PART));
    let (state, time) = (state.name(), when_in(zone, time, true));
    write!(out, "{dim}{time}{dim:#}  {strong}incident {state}{strong:#}: {style}{cause}{style:#}: {summary}")?;
    for (label, owner) in view::common_owners(report) {
        let owner = escape(&owner);
        write!(out, " {label} {}.", clip(&owner, LONGEST_PART))?;
    }
    writeln!(out)
}

/// Handshakes under way that are remembered as told; of those beyond, the end is told too.
const TOLD: usize = 4096;

/// Priorities of syslog(3).
const WARNING: u8 = 4;
const NOTICE: u8 = 5;

/// Columns of one part of a line: a log line stays one that tools take.
const LONGEST_PART: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;
    use crate::report::samples;

    fn lines(reports: &[Report]) -> String {
        let mut out = Vec::new();
        let mut sink = LineSink::new(&mut out, Palette::PLAIN);
        for report in reports {
            report.give(&mut sink).unwrap();
        }
        sink.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_line_for_each_failure_and_no_other() {
        let text = lines(&[Report::Handshake(Box::new(samples::expired(0))), Report::Handshake(Box::new(samples::completed()))]);
        assert_eq!(
            text,
            "2026-11-21 09:00:12.031  10.0.0.1:40112 → www.example.test (10.0.0.2:443)  certificate-expired  alerted by the client, certain: \
             The certificate of www.example.test expired on 2026-11-20 23:59:59 UTC, 9 hours before this handshake, and the client refused it.\n"
        );
    }

    #[test]
    fn a_stall_is_told_once_and_corrected() {
        let mut flagged = samples::expired(0);
        flagged.handshake.provisional = true;
        let mut completed = samples::completed();
        completed.handshake.id = flagged.handshake.id;
        let report = |report: &Handshake<'static>| Report::Handshake(Box::new(report.clone()));
        let text = lines(&[report(&flagged), report(&samples::expired(0)), report(&samples::expired(0))]);
        assert_eq!(text.lines().count(), 2, "told, not told again when it ends so; the third is another\n{text}");
        let text = lines(&[report(&flagged), report(&completed)]);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().next().is_some_and(|line| line.contains("still under way")), "{text}");
        assert!(text.lines().last().is_some_and(|line| line.contains("completed after all")), "{text}");
    }

    #[test]
    fn incidents_are_told_when_they_begin_and_end() {
        let report = |state: Option<State>| Report::Incident(Box::new(Incident { state, ..samples::incident() }));
        let text = lines(&[
            report(None),
            report(Some(State::Begun)),
            report(Some(State::Growing)),
            report(Some(State::Ended)),
            report(Some(State::Open)),
        ]);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.starts_with("2026-11-21 09:00:12.031  incident begun: certificate-expired: Since"), "{text}");
    }

    #[test]
    fn priorities_are_those_of_the_system_log() {
        let mut out = Vec::new();
        let mut sink = LineSink::new(&mut out, Palette::PLAIN).with_priorities(true);
        let ended = Incident { state: Some(State::Ended), ..samples::incident() };
        for report in [Report::Handshake(Box::new(samples::expired(0))), Report::Incident(Box::new(ended))] {
            report.give(&mut sink).unwrap();
        }
        let text = String::from_utf8(out).unwrap();
        let starts: Vec<String> = text.lines().map(|line| line.chars().take(7).collect()).collect();
        assert_eq!(starts, ["<4>2026", "<5>2026"]);
    }

    #[test]
    fn a_hostile_name_stays_on_its_line() {
        let text = lines(&[Report::Handshake(Box::new(samples::named(&format!("a\r\n\x1b]0;x\x07{}", "b".repeat(10_000)))))]);
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains("a\\r\\n\\x1b]0;x\\x07b") && text.len() < 4_000, "{text}");
    }
}
