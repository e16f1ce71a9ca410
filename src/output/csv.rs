//! A row for each handshake, for spreadsheets (RFC 4180).
//!
//! Safe against formula injection: a text that a spreadsheet would compute gets an apostrophe before it. Control characters are escaped,
//! so that a row is a line.

use std::borrow::Cow;
use std::io::{self, Write};

use super::escape::escape;
use super::format::Format;
use crate::flow::Endpoint;
use crate::report::{Cause, Confidence, Dialect, Handshake, Sink, Tls, word};
use crate::time::{TimeText, Timestamp};

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
    times: TimeText,
    begun: bool,
}

impl<W: Write> CsvSink<W> {
    /// Writes to `out`, which should buffer.
    pub fn new(out: W) -> Self {
        Self { out, row: Vec::new(), times: TimeText::default(), begun: false }
    }

    fn header(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        self.write(COLUMNS.iter().map(|(name, _)| Cell::Word(name)))
    }

    fn write<'a>(&mut self, cells: impl Iterator<Item = Cell<'a>>) -> io::Result<()> {
        self.row.clear();
        for cell in cells {
            match cell {
                Cell::Word(word) => self.row.extend_from_slice(word.as_bytes()),
                Cell::Number(number) => self.row.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
                Cell::Time(at) => self.row.extend_from_slice(self.times.of(at)),
                Cell::Address(endpoint) => self.row.extend_from_slice(endpoint.text().address()),
                Cell::Slugs(causes) => push_slugs(&mut self.row, &causes),
                Cell::Text(text) => push_text(&mut self.row, &text),
                Cell::Nothing => {}
            }
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

/// What stands in a cell.
enum Cell<'a> {
    /// A word of our own making: a letter first, and nothing in it that needs care.
    Word(&'a str),
    Number(u64),
    Time(Timestamp),
    /// An endpoint's address.
    Address(Endpoint),
    Slugs(Cow<'a, [Cause]>),
    /// What may be a stranger's.
    Text(Cow<'a, str>),
    Nothing,
}

fn push_slugs(row: &mut Vec<u8>, causes: &[Cause]) {
    for (place, cause) in causes.iter().enumerate() {
        if place > 0 {
            row.push(b' ');
        }
        row.extend_from_slice(cause.slug().as_bytes());
    }
}

/// A text as a cell.
pub(super) fn push_text(row: &mut Vec<u8>, cell: &str) {
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

fn number(value: impl Into<Option<u64>>) -> Cell<'static> {
    value.into().map_or(Cell::Nothing, Cell::Number)
}

fn text<'a>(value: impl Into<Option<Cow<'a, str>>>) -> Cell<'a> {
    value.into().map_or(Cell::Nothing, Cell::Text)
}

/// A field of `tls`.
fn tls<'a>(report: &'a Handshake<'a>, field: impl FnOnce(&'a Tls<'a>) -> Option<Cow<'a, str>>) -> Cell<'a> {
    text(report.tls.as_ref().and_then(field))
}

type Column = (&'static str, for<'a> fn(&'a Handshake<'a>) -> Cell<'a>);

/// The columns in order. New ones are added at the end.
const COLUMNS: &[Column] = &[
    ("start", |r| Cell::Time(r.handshake.start)),
    ("end", |r| Cell::Time(r.handshake.end)),
    ("client_address", |r| Cell::Address(r.client)),
    ("client_port", |r| number(u64::from(r.client.port))),
    ("server_address", |r| Cell::Address(r.server)),
    ("server_port", |r| number(u64::from(r.server.port))),
    ("server_name", |r| text(r.server_name().map(Cow::Borrowed))),
    ("transport", |r| Cell::Word(r.network.transport.name())),
    ("protocol", |r| Cell::Word(r.network.protocol.name())),
    ("outcome", |r| Cell::Word(r.handshake.outcome.name())),
    ("stage", |r| Cell::Word(r.handshake.stage.name())),
    ("cause", |r| Cell::Word(r.diagnosis.cause.map_or("", Cause::slug))),
    ("stopped_by", |r| Cell::Word(r.diagnosis.stopped_by.name())),
    ("confidence", |r| Cell::Word(r.diagnosis.confidence.map_or("", Confidence::name))),
    ("summary", |r| Cell::Text(r.summary())),
    ("alternatives", |r| Cell::Slugs(Cow::Borrowed(&r.diagnosis.alternatives))),
    ("findings", |r| Cell::Slugs(r.diagnosis.findings.iter().map(|finding| finding.cause).collect())),
    ("version", |r| tls(r, |tls| tls.version.map(|version| word(version.name(), version)))),
    ("cipher", |r| tls(r, |tls| tls.cipher.map(|cipher| word(cipher.name(), cipher)))),
    ("curve", |r| tls(r, |tls| tls.curve.map(|curve| word(curve.name(), curve)))),
    ("next_protocol", |r| tls(r, |tls| tls.next_protocol.as_deref().map(Cow::Borrowed))),
    ("ja4", |r| tls(r, |tls| tls.client.as_ref().map(|client| client.offer.ja4().into()))),
    ("preamble", |r| Cell::Word(r.handshake.preamble.map_or("", Dialect::name))),
    ("resumed", |r| Cell::Word(if r.handshake.resumed { "true" } else { "false" })),
    ("tcp_rtt_us", |r| number(r.handshake.timing.tcp_rtt_us)),
    ("server_hello_us", |r| number(r.handshake.timing.server_hello_us)),
    ("server_think_us", |r| number(r.handshake.timing.server_think_us)),
    ("total_us", |r| number(r.handshake.timing.total_us)),
    ("client_retransmits", |r| number(u64::from(r.handshake.loss.client_retransmits))),
    ("server_retransmits", |r| number(u64::from(r.handshake.loss.server_retransmits))),
    ("source", |r| text(Cow::Borrowed(r.capture.source.as_ref()))),
    ("first_frame", |r| number(r.capture.place(r.capture.first_frame).frame)),
    ("last_frame", |r| number(r.capture.place(r.capture.last_frame).frame)),
    ("community_id", |r| Cell::Word(r.network.community_id.as_str())),
    ("id", |r| Cell::Word(r.handshake.id.as_str())),
    ("class", |r| Cell::Word(r.class().name())),
    ("last_source", |r| text(r.capture.place(r.capture.last_frame).file.map(Cow::Owned))),
    ("first_merged_frame", |r| number(r.capture.place(r.capture.first_frame).merged)),
    ("last_merged_frame", |r| number(r.capture.place(r.capture.last_frame).merged)),
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
