//! What is written straight from an outline is what serde makes of the report.

use std::io;
use std::path::PathBuf;

use handshark::output::Sink;
use handshark::output::ndjson::NdjsonSink;
use handshark::pipeline::{self, Outlet};
use handshark::report::{Outline, Report};

use crate::support::{analyse, capture_of, labelled, open, options};

/// Takes outlines, as `read --json` does.
struct Lines(NdjsonSink<Vec<u8>>);

impl Outlet for Lines {
    fn report(&mut self, report: Report) -> io::Result<()> {
        self.0.report(&report)
    }

    fn takes_outlines(&self) -> bool {
        true
    }

    fn outline(&mut self, outline: &Outline<'_>) -> io::Result<()> {
        self.0.outline(outline)
    }
}

#[test]
fn lines_from_outlines_are_the_reports() {
    let captures: Vec<PathBuf> = labelled().iter().map(|(sidecar, label)| capture_of(sidecar, label)).collect();
    for paths in captures.chunks(40) {
        let mut lines = Lines(NdjsonSink::new(Vec::new(), false));
        pipeline::run(open(paths), &options(1, false), &mut lines, &mut |_| {}).unwrap();
        let text = String::from_utf8(lines.0.into_inner()).unwrap();
        let said = analyse(paths, 1);
        assert!(text.lines().count() > said.handshakes.len());
        for (line, report) in text.lines().zip(&said.handshakes) {
            // Names in these captures hold nothing that would be written otherwise than serde does.
            assert_eq!(line, serde_json::to_string(report).unwrap());
        }
    }
}
