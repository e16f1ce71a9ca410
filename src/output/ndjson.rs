//! One JSON object a line (NDJSON): the schema of docs/SCHEMA.md as it is.
//!
//! Whatever could act on a terminal is written as a `\u` escape, which every JSON reader turns back into the same string.

mod fields;
mod outline;

use std::io::{self, Write};

use serde_json::ser::Formatter;

use super::Sink;
use super::escape::is_hazard;
use crate::report::{Outline, Report};
use crate::time::TimeText;

/// Writes NDJSON.
#[derive(Debug)]
pub struct NdjsonSink<W> {
    out: W,
    flush_each: bool,
    /// Whole lines that have not been written yet.
    lines: Vec<u8>,
    times: TimeText,
}

impl<W: Write> NdjsonSink<W> {
    /// Writes to `out`, some dozens of lines at a time. With `flush_each`, every line is sent on its way at once: for pipes and live use.
    pub fn new(out: W, flush_each: bool) -> Self {
        Self { out, flush_each, lines: Vec::new(), times: TimeText::default() }
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.lines.push(b'\n');
        if self.flush_each {
            self.flush()
        } else if self.lines.len() >= MANY {
            self.write()
        } else {
            Ok(())
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let result = self.out.write_all(&self.lines);
        self.lines.clear();
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write()?;
        self.out.flush()
    }
}

impl<W: Write> Sink for NdjsonSink<W> {
    fn report(&mut self, report: &Report) -> io::Result<()> {
        push_value(&mut self.lines, report);
        self.end_line()
    }

    fn takes_outlines(&self) -> bool {
        true
    }

    fn outline(&mut self, outline: &Outline<'_>) -> io::Result<()> {
        outline::push(&mut self.lines, outline, &mut self.times);
        self.end_line()
    }

    fn idle(&mut self) -> io::Result<()> {
        self.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.flush()
    }
}

/// Bytes that are written at a time.
const MANY: usize = 64 << 10;

/// Appends a string with its quotes.
fn push_string(out: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        push_value(out, text);
    }
}

/// Whether nothing in it needs an escape. Sixteen bytes are looked at in one step, without a branch for each.
fn is_plain(text: &[u8]) -> bool {
    let (chunks, rest) = text.as_chunks();
    let mut last = [b' '; 16];
    if let Some(place) = last.get_mut(..rest.len()) {
        place.copy_from_slice(rest);
    }
    let mut odd = [0; 16];
    for chunk in chunks.iter().chain([&last]) {
        for (odd, byte) in odd.iter_mut().zip(chunk) {
            *odd |= u8::from(byte.wrapping_sub(0x20) >= 0x5f) | u8::from(*byte == b'"') | u8::from(*byte == b'\\');
        }
    }
    odd == [0; 16]
}

/// Appends anything. Writing to memory does not fail.
fn push_value(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    let _ = value.serialize(&mut serde_json::Serializer::with_formatter(out, SafeFormatter));
}

/// Compact JSON without raw control, direction or invisible characters.
struct SafeFormatter;

impl Formatter for SafeFormatter {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        // serde_json escapes C0 itself; DEL is the one ASCII character left.
        if fragment.bytes().all(|byte| byte.is_ascii() && byte != 0x7f) {
            return out.write_all(fragment.as_bytes());
        }
        for c in fragment.chars() {
            let mut buffer = [0_u16; 2];
            if is_hazard(c) {
                for unit in c.encode_utf16(&mut buffer) {
                    write!(out, "\\u{unit:04x}")?;
                }
            } else {
                write!(out, "{c}")?;
            }
        }
        Ok(())
    }
}

/// What serde's derived serialisation gives.
#[cfg(test)]
fn by_serde(value: &impl serde::Serialize) -> String {
    let mut out = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, SafeFormatter)).unwrap();
    String::from_utf8(out).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples;

    fn written(reports: &[Report]) -> String {
        let mut written = Vec::new();
        let mut sink = NdjsonSink::new(&mut written, false);
        for report in reports {
            sink.report(report).unwrap();
        }
        sink.finish().unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn every_kind_reads_back_equal() {
        let reports = samples::run();
        let text = written(&reports);
        let back: Vec<Report> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        // Read back, a command is a line like any other.
        assert_eq!(serde_json::to_value(&back).unwrap(), serde_json::to_value(&reports).unwrap());
    }

    #[test]
    fn hostile_names_stay_on_their_line_and_read_back_equal() {
        let name = "a\n\"\x1b[2J\u{9b}\u{7f}\u{202e}\u{e0041}株";
        let report = Report::Handshake(Box::new(samples::named(name)));
        let text = written(std::slice::from_ref(&report));
        assert_eq!(text.lines().count(), 1);
        assert!(!text.trim_end().chars().any(is_hazard), "{text}");
        assert!(text.contains("\\udb40\\udc41"), "{text}");
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }

    #[test]
    fn what_was_not_observed_is_absent() {
        let text = written(&[Report::Handshake(Box::new(samples::refused()))]);
        assert!(!text.contains("null"), "{text}");
        assert!(!text.contains("\"tls\":"), "{text}");
        let mut summary = samples::summary();
        summary.first_time = None;
        assert!(!written(&[Report::Summary(Box::new(summary))]).contains("null"));
    }

    #[test]
    fn lines_are_flushed_one_by_one_when_asked() {
        struct Counting(usize);
        impl Write for Counting {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                self.0 += 1;
                Ok(())
            }
        }
        for (each, expected) in [(true, samples::run().len()), (false, 0)] {
            let mut counting = Counting(0);
            let mut sink = NdjsonSink::new(&mut counting, each);
            for report in samples::run() {
                sink.report(&report).unwrap();
            }
            assert_eq!(counting.0, expected);
        }
    }
}
