//! One JSON object a line (NDJSON): the schema of docs/SCHEMA.md as it is.

use std::io::{self, Write};

use super::format::Format;
use super::json::Json;
use crate::report::{Handshake, Heartbeat, Incident, Sink, Summary, Tally};

/// `--format json`.
pub const FORMAT: Format = Format {
    name: "json",
    about: "One JSON object a line",
    streams: |_| true,
    sink: |out, look| Box::new(NdjsonSink::new(out, look.at_once)),
};

/// Writes NDJSON.
#[derive(Debug)]
pub struct NdjsonSink<W> {
    out: W,
    flush_each: bool,
    /// Whole lines that have not been written yet.
    lines: Json,
}

impl<W: Write> NdjsonSink<W> {
    /// Writes to `out`, some dozens of lines at a time. With `flush_each`, every line is sent on its way at once: for pipes and live use.
    pub fn new(out: W, flush_each: bool) -> Self {
        Self { out, flush_each, lines: Json::default() }
    }

    fn line(&mut self, fields: impl FnOnce(&mut Json)) -> io::Result<()> {
        self.lines.whole(fields);
        self.lines.out.push(b'\n');
        if self.flush_each {
            self.flush()
        } else if self.lines.out.len() >= MANY {
            self.write()
        } else {
            Ok(())
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let result = self.out.write_all(&self.lines.out);
        self.lines.out.clear();
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write()?;
        self.out.flush()
    }
}

impl<W: Write> Sink for NdjsonSink<W> {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        self.line(|json| handshake.write(json))
    }

    fn incident(&mut self, incident: &Incident) -> io::Result<()> {
        self.line(|json| incident.write(json))
    }

    fn tally(&mut self, tally: &Tally) -> io::Result<()> {
        self.line(|json| tally.write(json))
    }

    fn heartbeat(&mut self, heartbeat: &Heartbeat) -> io::Result<()> {
        self.line(|json| heartbeat.write(json))
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.line(|json| summary.write(json))
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::output::escape::is_hazard;
    use crate::report::Report;
    use crate::report::samples;

    fn written(reports: &[Report]) -> String {
        let mut written = Vec::new();
        let mut sink = NdjsonSink::new(&mut written, false);
        for report in reports {
            report.give(&mut sink).unwrap();
        }
        sink.finish().unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn every_kind_is_a_line_that_reads_back() {
        let reports = samples::run();
        let text = written(&reports);
        let kinds: Vec<String> =
            text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned()).collect();
        assert_eq!(kinds.iter().filter(|kind| *kind == "handshake").count(), reports.len() - 2);
        assert_eq!(kinds[reports.len() - 2..], ["incident", "summary"]);
    }

    #[test]
    fn hostile_names_stay_on_their_line_and_read_back_equal() {
        let name = "a\n\"\x1b[2J\u{9b}\u{7f}\u{202e}\u{e0041}株";
        let text = written(&[Report::Handshake(Box::new(samples::named(name)))]);
        assert_eq!(text.lines().count(), 1);
        assert!(!text.trim_end().chars().any(is_hazard), "{text}");
        assert!(text.contains("\\udb40\\udc41"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["tls"]["client"]["server_name"], name);
    }

    #[test]
    fn what_was_not_observed_is_absent() {
        let text = written(&[Report::Handshake(Box::new(samples::refused()))]);
        assert!(!text.contains("null") && !text.contains("\"tls\":"), "{text}");
        let mut summary = samples::summary();
        summary.times = None;
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
                report.give(&mut sink).unwrap();
            }
            assert_eq!(counting.0, expected);
        }
    }
}
