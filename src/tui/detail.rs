//! One handshake in full, as lines that fit the screen.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::look::{self, Look};
use crate::output::escape::{escape, width};
use crate::output::figures::when;
use crate::output::view;
use crate::report::{Advice, Handshake, Severity, word};

/// The lines of a handshake's page, none longer than so many columns unless a single word is.
pub(super) fn lines(report: &Handshake<'_>, look: &Look, columns: usize) -> Vec<Line<'static>> {
    let mut page = Page { lines: Vec::new(), look, columns };
    let diagnosis = &report.diagnosis;
    page.text(look.strong, &format!("{} → {}", report.client, view::server(report)));
    let confidence = view::confidence(report, ", ", "");
    let under_way = if report.handshake.provisional { ", still under way" } else { "" };
    page.text(look.of(report.class()), &format!("{}: {}{confidence}{under_way}", view::cause(report), view::ending(report)));
    page.blank();
    page.text(Style::new(), &report.summary());
    timeline(&mut page, report);
    if !diagnosis.remedy.is_empty() {
        page.heading("What to do");
        for line in diagnosis.remedy.iter() {
            let prompt = if matches!(line, Advice::Command(_)) { "$ " } else { "" };
            page.text(Style::new(), &format!("  {prompt}{}", line.line()));
        }
    }
    if !diagnosis.against.is_empty() {
        page.heading("What speaks against it");
        page.text(Style::new(), &format!("  {}", view::against(report)));
    }
    if !diagnosis.alternatives.is_empty() {
        page.heading("What else it could be");
        page.text(Style::new(), &format!("  {}", view::alternatives(diagnosis)));
    }
    let others: Vec<_> = view::noticed(diagnosis).collect();
    if !others.is_empty() {
        page.heading("Also noticed");
        for finding in others {
            page.text(
                Style::new(),
                &format!("  {} ({}): {}", finding.cause, Severity::of(finding, report.handshake.outcome).name(), finding.summary),
            );
        }
    }
    parameters(&mut page, report);
    page.lines
}

/// What happened when: evidence in order, with the time since the start, and where the time went as bars.
fn timeline(page: &mut Page<'_>, report: &Handshake<'_>) {
    page.heading("Timeline");
    page.text(Style::new(), &format!("  {}  begins, {}", when(report.handshake.start, true), view::frames(report)));
    for evidence in report.diagnosis.evidence.iter() {
        let at = evidence.mark.map_or_else(|| " ".repeat(23), |mark| when(mark.time, true));
        let frame = evidence.mark.map(|mark| format!("{}: ", view::frame(report, mark.frame))).unwrap_or_default();
        page.text(Style::new(), &format!("  {at}  {frame}{}", evidence.text));
    }
    page.text(Style::new(), &format!("  {}  ends: {}", when(report.handshake.end, true), view::ending(report)));
    let timing = &report.handshake.timing;
    let parts = [
        ("TCP round trip", timing.tcp_rtt_us),
        ("client to ClientHello", timing.client_hello_us),
        ("ClientHello to ServerHello", timing.server_hello_us),
        ("server thinking", timing.server_think_us),
        ("ServerHello to Finished", timing.finished_us),
        ("in all", timing.total_us),
    ];
    let most = parts.iter().filter_map(|(_, micros)| *micros).max().unwrap_or(1).max(1);
    for (what, micros) in parts {
        let Some(micros) = micros else { continue };
        let width = usize::try_from(micros.saturating_mul(BAR).div_ceil(most)).unwrap_or_default();
        page.spans(vec![
            Span::raw(format!("  {what:<27}{:>10} ", look::micros(micros))),
            Span::styled("█".repeat(width), page.look.accent),
        ]);
    }
}

fn parameters(page: &mut Page<'_>, report: &Handshake<'_>) {
    page.heading("Handshake");
    let mut pair = |what: &str, value: &str| {
        if !value.is_empty() {
            page.text(Style::new(), &format!("  {what:<16}{value}"));
        }
    };
    pair("outcome", &format!("{} at {}", report.handshake.outcome.name(), report.handshake.stage.name()));
    pair("history", &report.handshake.history);
    if let Some(tls) = &report.tls {
        pair("version", &tls.version.map(|version| word(version.name(), version)).unwrap_or_default());
        pair("cipher", &tls.cipher.map(|cipher| word(cipher.name(), cipher)).unwrap_or_default());
        pair("group", &tls.curve.map(|curve| word(curve.name(), curve)).unwrap_or_default());
        pair("ALPN", tls.next_protocol.as_deref().unwrap_or_default());
        if let Some(client) = &tls.client {
            pair("offered", &view::listed(client.offer.supported_versions()));
            pair("JA4", client.offer.ja4());
        }
        for certificate in tls.server.iter().flat_map(|server| &server.certificates) {
            pair("certificate", &format!("{}, until {}", certificate.subject, certificate.not_after));
        }
    }
    pair("captured", &format!("{} {}", view::source(report), view::quality(report)));
    pair("id", report.handshake.id.as_str());
}

struct Page<'a> {
    lines: Vec<Line<'static>>,
    look: &'a Look,
    columns: usize,
}

impl Page<'_> {
    /// Text that goes on below its own beginning where it is too long for one line.
    fn text(&mut self, style: Style, text: &str) {
        let text = escape(text);
        let indent = text.len() - text.trim_start().len();
        let hang = if indent == 0 { 0 } else { indent + 2 };
        let (mut line, mut taken, mut begun) = (" ".repeat(indent), indent, false);
        for word in text.trim_start().split(' ') {
            let columns = width(word);
            if begun && taken + 1 + columns > self.columns {
                self.lines.push(Line::styled(std::mem::replace(&mut line, " ".repeat(hang)), style));
                taken = hang;
            } else if begun {
                line.push(' ');
                taken += 1;
            }
            line.push_str(word);
            taken += columns;
            begun = true;
        }
        self.lines.push(Line::styled(line, style));
    }

    fn spans(&mut self, spans: Vec<Span<'static>>) {
        self.lines.push(Line::from(spans));
    }

    fn blank(&mut self) {
        self.lines.push(Line::default());
    }

    fn heading(&mut self, text: &str) {
        self.blank();
        self.text(Style::new().add_modifier(Modifier::BOLD), text);
    }
}

/// Columns of the longest bar.
const BAR: u64 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_goes_on_below_its_own_beginning() {
        let look = Look::new(false);
        let mut page = Page { lines: Vec::new(), look: &look, columns: 16 };
        page.text(Style::new(), "  one two  three four");
        page.text(Style::new(), "one two three four");
        page.text(Style::new(), "a_word_that_is_longer_than_the_screen x");
        let lines: Vec<String> = page.lines.iter().map(ToString::to_string).collect();
        let expected = ["  one two  three", "    four", "one two three", "four", "a_word_that_is_longer_than_the_screen", "x"];
        assert_eq!(lines, expected);
    }
}
