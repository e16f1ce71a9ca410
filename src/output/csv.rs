//! A row for each handshake, for spreadsheets (RFC 4180).
//!
//! Safe against formula injection: a text that a spreadsheet would compute gets an apostrophe before it. Control characters are escaped,
//! so that a row is a line.

use std::borrow::Cow;
use std::io::{self, Write};

use super::escape::escape;
use super::format::Format;
use crate::flow::Endpoint;
use crate::report::{Cause, Confidence, Handshake, Sink, Tls, word};
use crate::time::Timestamp;

/// `--format csv`.
pub const FORMAT: Format = Format {
    name: "csv",
    about: "One row for each handshake, for a spreadsheet",
    streams: |_| true,
    sink: |out, _| Box::new(CsvSink::new(out)),
};

/// Writes CSV.
#[derive(Debug)]
pub struct CsvSink<W> {
    out: W,
    row: Vec<u8>,
    begun: bool,
}

impl<W: Write> CsvSink<W> {
    /// Writes to `out`, which should buffer.
    pub const fn new(out: W) -> Self {
        Self { out, row: Vec::new(), begun: false }
    }

    fn header(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        self.write(COLUMNS.iter().map(|(name, _)| Cow::Borrowed(*name)))
    }

    fn write<'a>(&mut self, cells: impl Iterator<Item = Cow<'a, str>>) -> io::Result<()> {
        self.row.clear();
        for cell in cells {
            push_cell(&mut self.row, &cell);
            self.row.push(b',');
        }
        // The comma behind the last one.
        self.row.pop();
        self.row.extend_from_slice(b"\r\n");
        self.out.write_all(&self.row)
    }
}

impl<W: Write> Sink for CsvSink<W> {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        self.header()?;
        self.write(COLUMNS.iter().map(|(_, value)| value(handshake)))
    }

    fn finish(&mut self) -> io::Result<()> {
        self.header()?;
        self.out.flush()
    }
}

fn push_cell(row: &mut Vec<u8>, cell: &str) {
    let cell = escape(cell);
    let apostrophe = if cell.trim_start().starts_with(is_formula) { "'" } else { "" };
    if !cell.contains([',', '"', '\'']) && apostrophe.is_empty() {
        return row.extend_from_slice(cell.as_bytes());
    }
    row.push(b'"');
    row.extend_from_slice(apostrophe.as_bytes());
    row.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
    row.push(b'"');
}

/// Whether a spreadsheet takes what begins so for a formula; the wide forms are read alike in some locales.
const fn is_formula(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠')
}

fn number(value: impl Into<Option<u64>>) -> Cow<'static, str> {
    Cow::Owned(value.into().map(|number| itoa::Buffer::new().format(number).to_owned()).unwrap_or_default())
}

fn time(at: Timestamp) -> Cow<'static, str> {
    Cow::Owned(at.to_string())
}

fn address(endpoint: Endpoint) -> Cow<'static, str> {
    Cow::Owned(endpoint.address.to_string())
}

fn slugs(causes: impl Iterator<Item = Cause>) -> Cow<'static, str> {
    Cow::Owned(causes.map(Cause::slug).collect::<Vec<_>>().join(" "))
}

/// A field of `tls`.
fn tls<'a>(report: &'a Handshake<'a>, field: impl FnOnce(&'a Tls<'a>) -> Option<Cow<'a, str>>) -> Cow<'a, str> {
    report.tls.as_ref().and_then(field).unwrap_or_default()
}

type Column = (&'static str, for<'a> fn(&'a Handshake<'a>) -> Cow<'a, str>);

/// The columns in order. New ones are added at the end.
const COLUMNS: &[Column] = &[
    ("start", |r| time(r.handshake.start)),
    ("end", |r| time(r.handshake.end)),
    ("client_address", |r| address(r.client)),
    ("client_port", |r| number(u64::from(r.client.port))),
    ("server_address", |r| address(r.server)),
    ("server_port", |r| number(u64::from(r.server.port))),
    ("server_name", |r| r.server_name().unwrap_or_default().into()),
    ("transport", |r| r.network.transport.name().into()),
    ("protocol", |r| r.network.protocol.name().into()),
    ("outcome", |r| r.handshake.outcome.name().into()),
    ("stage", |r| r.handshake.stage.name().into()),
    ("cause", |r| r.diagnosis.cause.map_or("", Cause::slug).into()),
    ("stopped_by", |r| r.diagnosis.stopped_by.name().into()),
    ("confidence", |r| r.diagnosis.confidence.map_or("", Confidence::name).into()),
    ("summary", |r| r.summary()),
    ("alternatives", |r| slugs(r.diagnosis.alternatives.iter().copied())),
    ("findings", |r| slugs(r.diagnosis.findings.iter().map(|finding| finding.cause))),
    ("version", |r| tls(r, |tls| tls.version.map(|version| word(version.name(), version)))),
    ("cipher", |r| tls(r, |tls| tls.cipher.map(|cipher| word(cipher.name(), cipher)))),
    ("curve", |r| tls(r, |tls| tls.curve.map(|curve| word(curve.name(), curve)))),
    ("next_protocol", |r| tls(r, |tls| tls.next_protocol.as_deref().map(Cow::Borrowed))),
    ("ja4", |r| tls(r, |tls| tls.client.as_ref().map(|client| client.offer.ja4().into()))),
    ("preamble", |r| r.handshake.preamble.map_or("", |dialect| dialect.name()).into()),
    ("resumed", |r| if r.handshake.resumed { "true" } else { "false" }.into()),
    ("tcp_rtt_us", |r| number(r.handshake.timing.tcp_rtt_us)),
    ("server_hello_us", |r| number(r.handshake.timing.server_hello_us)),
    ("server_think_us", |r| number(r.handshake.timing.server_think_us)),
    ("total_us", |r| number(r.handshake.timing.total_us)),
    ("client_retransmits", |r| number(u64::from(r.handshake.loss.client_retransmits))),
    ("server_retransmits", |r| number(u64::from(r.handshake.loss.server_retransmits))),
    ("source", |r| r.capture.source.as_ref().into()),
    ("first_frame", |r| number(r.capture.first_frame)),
    ("last_frame", |r| number(r.capture.last_frame)),
    ("community_id", |r| r.network.community_id.as_str().into()),
    ("id", |r| r.handshake.id.as_str().into()),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;
    use crate::report::samples;

    fn written(reports: &[Report]) -> String {
        let mut out = Vec::new();
        let mut sink = CsvSink::new(&mut out);
        for report in reports {
            report.give(&mut sink).unwrap();
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
