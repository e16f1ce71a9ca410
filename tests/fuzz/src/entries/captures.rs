//! Whole captures: the reader, and all of the program.

use std::io::Cursor;
use std::path::Path;
use std::sync::LazyLock;

use handshark::capture::{FrameSource, open_stream};
use handshark::diagnosis::chain::TrustStore;
use handshark::frame::Block;
use handshark::output::csv::CsvSink;
use handshark::output::layout::Layout;
use handshark::output::line::LineSink;
use handshark::output::markdown::MarkdownSink;
use handshark::output::ndjson::NdjsonSink;
use handshark::output::style::Palette;
use handshark::output::text::{TextOptions, TextSink};
use handshark::pipeline::{self, Options};
use handshark::report::{Handshake, Incident, Report, Sink, Summary};

/// A capture file's bytes, compressed or not: every frame lies within what was read, in the order of the file.
pub fn capture(bytes: &[u8]) {
    let Some(mut source) = open(bytes) else { return };
    let (mut block, mut number, mut frames) = (Block::default(), 0, 0);
    while source.fill(&mut block).expect("memory can be read") {
        for frame in block.frames() {
            assert!(frame.head.number > number, "frames are numbered in order");
            number = frame.head.number;
            frames += 1;
        }
    }
    let inventory = source.inventory();
    assert_eq!(inventory.inputs.iter().map(|input| input.frames).sum::<u64>(), frames, "every frame is counted");
}

/// A capture file's bytes through the whole program, to every output. What is shown does not depend on the number of threads and holds nothing
/// that a terminal would obey.
pub fn pipeline(bytes: &[u8]) {
    let alone = reports(bytes, &ALONE);
    if bytes.len().is_multiple_of(8) {
        let text = |reports: &[Report]| shown(reports, |out| Box::new(NdjsonSink::new(out, false)));
        assert_eq!(text(&alone), text(&reports(bytes, &TOGETHER)), "one thread and three say the same");
    }
    shown(&alone, |out| Box::new(NdjsonSink::new(out, false)));
    shown(&alone, |out| Box::new(CsvSink::new(out)));
    shown(&alone, |out| Box::new(MarkdownSink::new(out)));
    shown(&alone, |out| Box::new(LineSink::new(out, Palette::PLAIN)));
    let options = TextOptions { all: true, verbose: true };
    shown(&alone, |out| Box::new(TextSink::new(out, Layout::new(Some(80), Palette::PLAIN), options)));
}

fn open(bytes: &[u8]) -> Option<Box<dyn FrameSource>> {
    open_stream(Path::new("fuzz"), Box::new(Cursor::new(bytes.to_vec())), None).ok()
}

fn reports(bytes: &[u8], options: &Options) -> Vec<Report> {
    let Some(source) = open(bytes) else { return Vec::new() };
    let mut said = Said(Vec::new());
    pipeline::run(source, options, &mut said, &mut |_| {}).expect("memory can be read");
    said.0
}

/// Keeps everything that is said.
struct Said(Vec<Report>);

impl Sink for Said {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> std::io::Result<()> {
        self.0.push(Report::Handshake(Box::new(handshake.to_static())));
        Ok(())
    }

    fn incident(&mut self, incident: &Incident) -> std::io::Result<()> {
        self.0.push(Report::Incident(Box::new(incident.clone())));
        Ok(())
    }

    fn summary(&mut self, summary: &Summary) -> std::io::Result<()> {
        self.0.push(Report::Summary(Box::new(summary.clone())));
        Ok(())
    }
}

fn shown(reports: &[Report], sink: impl FnOnce(&mut Vec<u8>) -> Box<dyn Sink + '_>) -> String {
    let mut out = Vec::new();
    let mut sink = sink(&mut out);
    for report in reports {
        report.give(sink.as_mut()).expect("memory can be written");
    }
    sink.finish().expect("memory can be written");
    drop(sink);
    let text = String::from_utf8(out).expect("output is UTF-8");
    let obeyed = text.chars().find(|char| char.is_control() && !matches!(char, '\n' | '\r'));
    assert_eq!(obeyed, None, "a terminal would obey this");
    text
}

static ALONE: LazyLock<Options> = LazyLock::new(|| options(1));
static TOGETHER: LazyLock<Options> = LazyLock::new(|| options(3));

fn options(threads: usize) -> Options {
    Options { threads, timeline: true, ..Options::of_captures(TrustStore::mozilla()) }
}
