//! What changed between two captures, for a person at a terminal.

use std::io::{self, Write};

use anstyle::Style;

use super::figures::{count, counted};
use super::layout::Layout;
use super::view;
use crate::compare::diff::{Change, Differences, Direction, Head};

/// Writes the differences.
pub fn write(out: &mut dyn Write, layout: &Layout, differences: &Differences) -> io::Result<()> {
    head(out, layout, "Before:", &differences.before)?;
    head(out, layout, "After: ", &differences.after)?;
    for change in &differences.overall {
        line(out, layout, 2, change, "Overall: ")?;
    }
    writeln!(out)?;
    if differences.services.is_empty() {
        let text = match differences.unchanged {
            0 => "Neither capture holds a handshake to compare.".to_owned(),
            1 => "Nothing changed at the one service that both captures hold.".to_owned(),
            more => format!("Nothing changed at any of the {} services.", count(more as u64)),
        };
        return layout.prose(out, 0, &text);
    }
    layout.heading(out, 0, "WHAT CHANGED")?;
    for service in differences.services.iter().take(SERVICES) {
        writeln!(out)?;
        let numbers = match (service.before, service.after) {
            (Some(before), Some(after)) => format!("  {}; before {}", view::classes(&after), view::classes(&before)),
            (None, Some(after)) => format!("  {}", view::classes(&after)),
            (before, _) => format!("  before {}", before.as_ref().map(view::classes).unwrap_or_default()),
        };
        layout.flow(out, 0, 2, &[(layout.palette.strong, &service.service), (layout.palette.dim, &numbers)])?;
        for change in &service.changes {
            line(out, layout, 2, change, "")?;
        }
    }
    writeln!(out)?;
    match differences.services.len().saturating_sub(SERVICES) {
        0 => {}
        more => layout.prose(out, 0, &format!("And {} more services that changed: see --json.", count(more as u64)))?,
    }
    match differences.unchanged {
        0 => Ok(()),
        unchanged => layout.prose(out, 0, &format!("Nothing changed at {}.", counted(unchanged as u64, "other service", "other services"))),
    }
}

fn head(out: &mut dyn Write, layout: &Layout, label: &str, head: &Head) -> io::Result<()> {
    let mut sources = head.sources.iter().take(SOURCES).cloned().collect::<Vec<_>>().join(", ");
    match head.sources.len().saturating_sub(SOURCES) {
        0 => {}
        more => {
            sources.push_str(" and ");
            sources.push_str(&counted(more as u64, "other", "others"));
        }
    }
    let times = match (head.first_time, head.last_time) {
        (Some(first), Some(last)) => format!(", {} {}", layout.period(first, last, true), layout.zone().name(last)),
        _ => String::new(),
    };
    let rest = format!("{times}: {}", view::classes(&head.classes));
    layout.flow(out, 0, 8, &[(layout.palette.dim, label), (Style::new(), " "), (layout.palette.strong, &sources), (Style::new(), &rest)])
}

fn line(out: &mut dyn Write, layout: &Layout, indent: usize, change: &Change, label: &str) -> io::Result<()> {
    let palette = layout.palette;
    let (mark, style) = match change.direction {
        Direction::Worse => ("worse   ", palette.bad),
        Direction::Better => ("better  ", palette.good),
        Direction::Other => ("changed ", palette.warn),
    };
    let what = match change.what {
        "failures" | "cause" | "service" | "certificate" | "time" => String::new(),
        "client" if change.direction == Direction::Worse => String::new(),
        "client" => "clients: ".to_owned(),
        "address" => "address: ".to_owned(),
        other => format!("{other} agreed on: "),
    };
    let text = format!("{label}{what}{}", change.text);
    layout.flow(out, indent, indent.saturating_add(10), &[(style, mark), (Style::new(), "  "), (Style::new(), &text)])
}

/// Services shown in full: the rest is for programs.
const SERVICES: usize = 50;
/// Inputs named.
const SOURCES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Tally, diff};
    use crate::output::style::Palette;
    use crate::report::samples;
    use crate::report::{Report, Sink as _};

    fn text(before: &[Report], after: &[Report]) -> String {
        let tally = |reports: &[Report]| {
            let mut tally = Tally::default();
            for report in reports {
                match report {
                    Report::Handshake(handshake) => tally.handshake(handshake).unwrap(),
                    Report::Summary(summary) => tally.end(summary),
                    Report::Incident(_) | Report::Tally(_) | Report::Heartbeat(_) => {}
                }
            }
            tally
        };
        let mut out = Vec::new();
        write(&mut out, &Layout::new(Some(80), Palette::PLAIN), &diff::compare(&tally(before), &tally(after))).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_broke_is_said_first() {
        let summary = || Report::Summary(Box::default());
        let good: Vec<Report> = (0..12).map(|_| Report::Handshake(Box::new(samples::completed()))).chain([summary()]).collect();
        let bad: Vec<Report> = (0..12).map(|_| Report::Handshake(Box::new(samples::expired(0)))).chain([summary()]).collect();
        let text = text(&good, &bad);
        let (_, services) = text.split_once("WHAT CHANGED").unwrap();
        let place = |part: &str| services.find(part).unwrap_or_else(|| panic!("{part}\n{text}"));
        assert!(place("now always fails: all 12 (was none of 12)") < place("certificate-expired: all 12 (was never)"));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn nothing_is_said_plainly() {
        assert!(text(&[], &[]).contains("Neither capture holds a handshake"));
        let same = [Report::Handshake(Box::new(samples::completed()))];
        assert!(text(&same, &same).contains("Nothing changed at the one service"));
    }
}
