//! A row for each handshake, for spreadsheets (RFC 4180).
//!
//! Safe against formula injection: a text that a spreadsheet would compute gets an apostrophe before it. Control characters are escaped,
//! so that a row is a line.

use std::io::{self, Write};

use super::Sink;
use super::escape::escape;
use super::view;
use crate::report::{HandshakeReport, Report};

/// Writes CSV.
#[derive(Debug)]
pub struct CsvSink<W> {
    out: W,
    begun: bool,
}

impl<W: Write> CsvSink<W> {
    /// Writes to `out`, which should buffer.
    pub const fn new(out: W) -> Self {
        Self { out, begun: false }
    }

    fn header(&mut self) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            row(&mut self.out, COLUMNS.iter().map(|(name, _)| (*name).to_owned()))?;
        }
        Ok(())
    }
}

impl<W: Write> Sink for CsvSink<W> {
    fn report(&mut self, report: &Report) -> io::Result<()> {
        self.header()?;
        match report {
            Report::Handshake(handshake) => row(&mut self.out, COLUMNS.iter().map(|(_, value)| value(handshake))),
            Report::Incident(_) | Report::Summary(_) => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.header()?;
        self.out.flush()
    }
}

fn row(out: &mut dyn Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        let cell = escape(&cell);
        let apostrophe = if cell.trim_start().starts_with(is_formula) { "'" } else { "" };
        if cell.contains([',', '"', '\'']) || !apostrophe.is_empty() {
            write!(out, "\"{apostrophe}{}\"", cell.replace('"', "\"\""))?;
        } else {
            out.write_all(cell.as_bytes())?;
        }
    }
    out.write_all(b"\r\n")
}

/// Whether a spreadsheet takes what begins so for a formula; the wide forms are read alike in some locales.
const fn is_formula(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠')
}

fn number(value: Option<u64>) -> String {
    value.map(|number| number.to_string()).unwrap_or_default()
}

fn tls(report: &HandshakeReport, field: fn(&crate::report::Tls) -> Option<&String>) -> String {
    report.tls.as_ref().and_then(field).cloned().unwrap_or_default()
}

type Column = (&'static str, fn(&HandshakeReport) -> String);

/// The columns in order. New ones are added at the end.
const COLUMNS: &[Column] = &[
    ("start", |r| r.handshake.start.clone()),
    ("end", |r| r.handshake.end.clone()),
    ("client_address", |r| r.client.address.clone()),
    ("client_port", |r| r.client.port.to_string()),
    ("server_address", |r| r.server.address.clone()),
    ("server_port", |r| r.server.port.to_string()),
    ("server_name", |r| view::server_name(r).unwrap_or_default().to_owned()),
    ("transport", |r| r.network.transport.clone()),
    ("protocol", |r| r.network.protocol.clone()),
    ("outcome", |r| r.handshake.outcome.clone()),
    ("stage", |r| r.handshake.stage.clone()),
    ("cause", |r| r.diagnosis.cause.clone().unwrap_or_default()),
    ("stopped_by", |r| r.diagnosis.stopped_by.clone()),
    ("confidence", |r| r.diagnosis.confidence.clone().unwrap_or_default()),
    ("summary", |r| r.diagnosis.summary.clone()),
    ("alternatives", |r| r.diagnosis.alternatives.join(" ")),
    ("findings", |r| r.diagnosis.findings.iter().map(|finding| finding.id.as_str()).collect::<Vec<_>>().join(" ")),
    ("version", |r| tls(r, |tls| tls.version.as_ref())),
    ("cipher", |r| tls(r, |tls| tls.cipher.as_ref())),
    ("curve", |r| tls(r, |tls| tls.curve.as_ref())),
    ("next_protocol", |r| tls(r, |tls| tls.next_protocol.as_ref())),
    ("ja4", |r| tls(r, |tls| tls.client.as_ref().map(|client| &client.ja4))),
    ("preamble", |r| r.handshake.preamble.clone().unwrap_or_default()),
    ("resumed", |r| r.handshake.resumed.to_string()),
    ("tcp_rtt_us", |r| number(r.handshake.timing.tcp_rtt_us)),
    ("server_hello_us", |r| number(r.handshake.timing.server_hello_us)),
    ("server_think_us", |r| number(r.handshake.timing.server_think_us)),
    ("total_us", |r| number(r.handshake.timing.total_us)),
    ("client_retransmits", |r| r.handshake.loss.client_retransmits.to_string()),
    ("server_retransmits", |r| r.handshake.loss.server_retransmits.to_string()),
    ("source", |r| r.capture.source.clone()),
    ("first_frame", |r| r.capture.first_frame.to_string()),
    ("last_frame", |r| r.capture.last_frame.to_string()),
    ("community_id", |r| r.network.community_id.clone()),
    ("id", |r| r.handshake.id.clone()),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples;

    fn written(reports: &[Report]) -> String {
        let mut out = Vec::new();
        let mut sink = CsvSink::new(&mut out);
        for report in reports {
            sink.report(report).unwrap();
        }
        sink.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    /// Cells of a row as RFC 4180 has them.
    fn cells(line: &str) -> Vec<String> {
        let (mut out, mut cell, mut quoted) = (Vec::new(), String::new(), false);
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => out.push(std::mem::take(&mut cell)),
                _ => cell.push(c),
            }
        }
        assert!(!quoted);
        out.push(cell);
        out
    }

    #[test]
    fn a_row_for_each_handshake_and_a_header() {
        let text = written(&samples::run());
        let lines: Vec<_> = text.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 1 + 18);
        assert!(lines.iter().all(|line| cells(line).len() == COLUMNS.len()));
        assert!(lines[0].starts_with("start,end,client_address,"));
        let row = cells(lines[1]);
        assert_eq!(row[4..7], ["10.0.0.2", "443", "www.example.test"]);
        assert_eq!(row[11], "certificate-expired");
        assert_eq!(written(&[]).lines().count(), 1);
    }

    #[test]
    fn formulas_and_line_breaks_are_disarmed() {
        for name in ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "＝1", "a\",\r\n=1,\"b"] {
            let text = written(&[Report::Handshake(Box::new(samples::named(name)))]);
            assert_eq!(text.lines().count(), 2, "{text}");
            let row = cells(text.lines().nth(1).unwrap());
            assert_eq!(row.len(), COLUMNS.len(), "{text}");
            assert!(!row[6].trim_start().starts_with(is_formula), "{name}: {}", row[6]);
        }
    }
}
