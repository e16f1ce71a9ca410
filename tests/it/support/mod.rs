//! What several tests share.

pub mod conversation;
pub mod program;
pub mod recording;
pub mod report;
pub mod skip;

use std::io;
use std::path::{Path, PathBuf};

use handshark::capture::{self, FrameSource, Inputs};
use handshark::diagnosis::chain::TrustStore;
use handshark::output::ndjson::NdjsonSink;
use handshark::pipeline::{self, Options};
use handshark::report::{self as typed, Sink};

use self::report::{Advice, HandshakeReport, IncidentReport, Line, SummaryReport};

/// Everything one run said.
#[derive(Debug, Default)]
pub struct Said {
    pub handshakes: Vec<HandshakeReport>,
    pub incidents: Vec<IncidentReport>,
    pub summary: SummaryReport,
    /// Its lines as they were written.
    pub lines: Vec<String>,
    /// All of it, as outputs take it.
    pub typed: Vec<typed::Report>,
}

impl Said {
    /// The handshakes as outputs take them.
    pub fn typed_handshakes(&self) -> impl Iterator<Item = &typed::Handshake<'static>> {
        self.typed.iter().filter_map(|report| match report {
            typed::Report::Handshake(handshake) => Some(&**handshake),
            _ => None,
        })
    }
}

/// Writes what it is given, reads it back as another program would, and keeps both.
impl Sink for Said {
    fn handshake(&mut self, handshake: &typed::Handshake<'_>) -> io::Result<()> {
        let (text, line) = read_back(|sink| sink.handshake(handshake))?;
        let Line::Handshake(mut read) = line else { panic!("no handshake: {text}") };
        read.diagnosis.remedy = advice(&handshake.diagnosis.remedy);
        self.handshakes.push(*read);
        self.lines.push(text);
        self.typed.push(typed::Report::Handshake(Box::new(handshake.to_static())));
        Ok(())
    }

    fn incident(&mut self, incident: &typed::Incident) -> io::Result<()> {
        let (text, line) = read_back(|sink| sink.incident(incident))?;
        let Line::Incident(mut read) = line else { panic!("no incident: {text}") };
        self.lines.push(text);
        read.remedy = advice(&incident.remedy);
        self.incidents.push(*read);
        self.typed.push(typed::Report::Incident(Box::new(incident.clone())));
        Ok(())
    }

    fn summary(&mut self, summary: &typed::Summary) -> io::Result<()> {
        let (text, line) = read_back(|sink| sink.summary(summary))?;
        let Line::Summary(read) = line else { panic!("no summary: {text}") };
        self.lines.push(text);
        self.summary = *read;
        self.typed.push(typed::Report::Summary(Box::new(summary.clone())));
        Ok(())
    }
}

fn read_back(write: impl FnOnce(&mut NdjsonSink<&mut Vec<u8>>) -> io::Result<()>) -> io::Result<(String, Line)> {
    let mut bytes = Vec::new();
    let mut sink = NdjsonSink::new(&mut bytes, true);
    write(&mut sink)?;
    let text = String::from_utf8(bytes).unwrap().trim_end().to_owned();
    let line = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    Ok((text, line))
}

/// Which lines are commands.
fn advice(remedy: &[handshark::diagnosis::remedy::Advice]) -> Vec<Advice> {
    let line = |line: &handshark::diagnosis::remedy::Advice| match line {
        handshark::diagnosis::remedy::Advice::Text(text) => Advice::Text(text.to_string()),
        handshark::diagnosis::remedy::Advice::Command(command) => Advice::Command(command.to_string()),
    };
    remedy.iter().map(line).collect()
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A capture with many failures of several kinds: an outage.
pub fn incident() -> PathBuf {
    fixtures().join("captures/incident/incident-small.pcapng.zst")
}

/// Opens files as one capture.
pub fn open(paths: &[impl AsRef<Path>]) -> Box<dyn FrameSource> {
    capture::open(&Inputs { paths: owned(paths), ..Inputs::default() }).unwrap()
}

fn owned(paths: &[impl AsRef<Path>]) -> Vec<PathBuf> {
    paths.iter().map(|path| path.as_ref().to_owned()).collect()
}

/// Analyses files as one capture, with Mozilla's roots so that the machine's own store does not matter.
pub fn analyse(paths: &[impl AsRef<Path>], threads: usize) -> Said {
    analyse_source(open(paths), threads, false)
}

/// The same with every handshake told packet by packet.
pub fn analyse_in_full(paths: &[impl AsRef<Path>]) -> Said {
    analyse_source(open(paths), 1, true)
}

/// The same with key logs.
pub fn analyse_with_keys(paths: &[impl AsRef<Path>], keys: &[impl AsRef<Path>], threads: usize) -> Said {
    analyse_source(capture::with_key_logs(open(paths), &owned(keys)).unwrap(), threads, false)
}

/// The same with every handshake told packet by packet.
pub fn analyse_in_full_with_keys(paths: &[impl AsRef<Path>], keys: &[impl AsRef<Path>]) -> Said {
    analyse_source(capture::with_key_logs(open(paths), &owned(keys)).unwrap(), 1, true)
}

/// Analyses a capture held in memory.
pub fn analyse_bytes(bytes: Vec<u8>) -> Said {
    let stream = Box::new(io::Cursor::new(bytes));
    match capture::open_stream(Path::new("memory"), stream, None) {
        Ok(source) => analyse_source(source, 1, false),
        Err(_) => Said::default(),
    }
}

/// How the tests analyse.
pub fn options(threads: usize, timeline: bool) -> Options {
    Options { threads, timeline, ..Options::of_captures(TrustStore::mozilla()) }
}

/// Analyses whatever a source gives.
pub fn analyse_source(source: Box<dyn FrameSource>, threads: usize, timeline: bool) -> Said {
    analyse_with(source, &options(threads, timeline))
}

/// The same with these options.
pub fn analyse_with(source: Box<dyn FrameSource>, options: &Options) -> Said {
    let mut said = Said::default();
    pipeline::run(source, options, &mut said, &mut |_| {}).unwrap();
    said
}

/// Every labelled capture: the sidecar's path and its content.
pub fn labelled() -> Vec<(PathBuf, toml::Table)> {
    let mut found = Vec::new();
    let root = fixtures().join("captures");
    for family in sorted(&root) {
        for path in sorted(&family) {
            if path.extension().is_some_and(|ext| ext == "toml") {
                let table = std::fs::read_to_string(&path).unwrap().parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                found.push((path, table));
            }
        }
    }
    found
}

fn sorted(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The capture beside a sidecar.
pub fn capture_of(sidecar: &Path, label: &toml::Table) -> PathBuf {
    sidecar.with_file_name(label["capture"].as_str().unwrap())
}

/// No frame is longer than Ethernet takes: what offload joined cannot be sent again.
fn fits_an_interface(path: &Path) -> bool {
    let (mut source, mut block, mut fits) = (open(&[path]), handshark::frame::Block::default(), true);
    while fits && source.fill(&mut block).unwrap() {
        fits = block.frames().all(|frame| frame.head.original_len <= 1514);
    }
    fits
}

/// Some labelled captures on Ethernet that end with their connections, so that time does not matter: they can be replayed.
pub fn replayable() -> Vec<PathBuf> {
    let mut captures: Vec<PathBuf> = labelled().iter().map(|(sidecar, label)| capture_of(sidecar, label)).collect();
    captures.sort();
    captures.dedup();
    let mut chosen = Vec::new();
    for path in captures {
        let plain = path.extension().is_some_and(|extension| extension == "pcap");
        let small = std::fs::metadata(&path).is_ok_and(|data| data.len() < 20_000) && fits_an_interface(&path);
        let said = if plain && small { analyse(&[&path], 1) } else { continue };
        let ends = said.handshakes.iter().all(|report| ["completed", "alerted", "reset"].contains(&report.handshake.outcome.as_str()));
        let brief = said.handshakes.iter().all(|report| report.handshake.timing.total_us.is_none_or(|total| total < 1_000_000));
        if ends && brief && said.handshakes.len() == 1 && chosen.len() < 12 {
            chosen.push(path);
        }
    }
    chosen
}
