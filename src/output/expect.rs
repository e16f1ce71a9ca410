//! Whether captures are as expected, for a person at a terminal.

use std::io::{self, Write};

use anstyle::Style;

use super::figures::{count, counted};
use super::layout::Layout;
use crate::expect::{CheckResult, Example, Found, Outcome, Status};

/// Writes what holds and what does not, with the handshakes that show it.
pub fn write(out: &mut dyn Write, layout: &Layout, outcome: &Outcome) -> io::Result<()> {
    let palette = layout.palette;
    let checks = || outcome.services.iter().flat_map(|service| &service.checks);
    let of = |status: Status| checks().filter(|check| check.status == status).count() as u64;
    let numbers = format!(
        ": {} hold, {} differ, {} not seen; {}",
        count(of(Status::Holds)),
        count(of(Status::Differs)),
        count(of(Status::NotObserved)),
        counted(outcome.handshakes, "handshake", "handshakes"),
    );
    let (style, verdict) = if outcome.as_expected { (palette.good, "As expected") } else { (palette.bad, "Not as expected") };
    layout.flow(out, 0, 2, &[(style, verdict), (Style::new(), &numbers)])?;
    for service in &outcome.services {
        writeln!(out)?;
        let numbers = format!("  {}", counted(service.handshakes, "handshake", "handshakes"));
        layout.flow(out, 0, 2, &[(palette.strong, &service.service), (palette.dim, &numbers)])?;
        service.checks.iter().try_for_each(|check| self::check(out, layout, check))?;
    }
    if !outcome.other_services.is_empty() {
        writeln!(out)?;
        layout.heading(
            out,
            0,
            if outcome.other_services_fail { "Services that are not expected" } else { "Services that are not described" },
        )?;
        let most = if outcome.other_services_fail { outcome.other_services.len() } else { OTHERS };
        for found in outcome.other_services.iter().take(most) {
            self::found(out, layout, found)?;
        }
        match outcome.other_services.len().saturating_sub(most) {
            0 => {}
            more => layout.prose(out, 2, &format!("and {}", counted(more, "other", "others")))?,
        }
    }
    Ok(())
}

fn check(out: &mut dyn Write, layout: &Layout, check: &CheckResult) -> io::Result<()> {
    let palette = layout.palette;
    let (style, word) = match check.status {
        Status::Holds => (palette.good, "holds     "),
        Status::Differs => (palette.bad, "differs   "),
        Status::NotObserved if check.fails => (palette.bad, "not seen  "),
        Status::NotObserved => (palette.warn, "not seen  "),
    };
    let text = format!("{}: {}", check.what, check.expected);
    layout.flow(out, 2, 14, &[(style, word), (Style::new(), "  "), (Style::new(), &text)])?;
    check.differences.iter().try_for_each(|found| self::found(out, layout, found))
}

fn found(out: &mut dyn Write, layout: &Layout, found: &Found) -> io::Result<()> {
    let times = match found.examples.len() {
        0 => String::new(),
        _ => format!(" ({})", counted(found.handshakes, "handshake", "handshakes")),
    };
    layout.flow(out, 4, 6, &[(Style::new(), &found.found), (layout.palette.dim, &times)])?;
    found.examples.iter().try_for_each(|example| self::example(out, layout, example))
}

fn example(out: &mut dyn Write, layout: &Layout, example: &Example) -> io::Result<()> {
    let Example { id, start, client, server, source, first_frame, last_frame } = example;
    let text = format!("{}  {client} → {server}  {source} frames\u{a0}{first_frame}-{last_frame}  {id}", layout.when(*start, true));
    layout.row(out, 6, 8, &[(layout.palette.dim, &text)])
}

/// Services that nobody described, named.
const OTHERS: usize = 10;
