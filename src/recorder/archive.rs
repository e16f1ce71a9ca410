//! Recordings on disk: one pcapng file for each failure, with the findings as comments on the packets that show them.
//!
//! A file is written under a name that ends in `.part` and renamed when it is whole, so that a crash leaves no half file under a proper name; and
//! even half of one is readable. Nobody but the owner may read it. Before each new file the oldest are deleted until it fits.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Kept, Recording};
use crate::count::Count;
use crate::frame::LinkType;
use crate::output::escape::escape;
use crate::output::pcapng::{InterfaceDescription, PacketRecord, PcapngWriter};
use crate::output::view;
use crate::report::HandshakeReport;
use crate::time::{Clock, Timestamp};

/// What may be kept on disk.
#[derive(Debug, Clone)]
pub struct ArchiveLimits {
    /// Bytes of all recordings.
    pub bytes: u64,
    /// Files.
    pub files: usize,
    /// Age at which a recording is deleted.
    pub age: Option<Duration>,
}

/// A directory of recordings.
#[derive(Debug)]
pub struct Archive {
    directory: PathBuf,
    limits: ArchiveLimits,
    /// Names of the interfaces, by index.
    interfaces: Vec<String>,
    clock: Clock,
    /// Recordings there are, oldest first, with size and time.
    kept: VecDeque<(PathBuf, u64, Timestamp)>,
    bytes: u64,
}

impl Archive {
    /// Opens a directory, which is created when it is not there, and counts what earlier runs left in it.
    pub fn open(directory: &Path, limits: ArchiveLimits, interfaces: Vec<String>, clock: Clock) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(directory)?;
        let mut kept: Vec<(PathBuf, u64, Timestamp)> = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with(PREFIX) {
                continue;
            }
            if name.ends_with(PART) {
                let _ = fs::remove_file(entry.path());
            } else if name.ends_with(SUFFIX) {
                let data = entry.metadata()?;
                let modified = data.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
                let time = Timestamp::from_parts(i64::try_from(modified.as_secs()).unwrap_or_default(), modified.subsec_nanos());
                kept.push((entry.path(), data.len(), time));
            }
        }
        // The names begin with the time.
        kept.sort();
        let bytes = kept.iter().map(|(_, size, _)| *size).sum::<Count>().get();
        Ok(Self { directory: directory.to_owned(), limits, interfaces, clock, kept: kept.into(), bytes })
    }

    /// Writes a recording and gives its path; `None` when it alone is larger than all that may be kept.
    pub fn write(&mut self, recording: &Recording) -> io::Result<Option<PathBuf>> {
        let mut bytes = Vec::new();
        self.compose(recording, &mut bytes)?;
        let size = bytes.len() as u64;
        if size > self.limits.bytes {
            return Ok(None);
        }
        self.prune(size);
        let path = self.directory.join(name(&recording.report));
        let mut part = path.clone().into_os_string();
        part.push(PART);
        let result = create(Path::new(&part)).and_then(|file| {
            let mut out = BufWriter::new(file);
            out.write_all(&bytes)?;
            out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
            fs::rename(&part, &path)
        });
        if let Err(error) = result {
            let _ = fs::remove_file(&part);
            return Err(error);
        }
        self.bytes = self.bytes.saturating_add(size);
        self.kept.push_back((path.clone(), size, self.clock.now()));
        Ok(Some(path))
    }

    /// Deletes the oldest until `more` bytes and one more file fit, and what is too old.
    pub fn prune(&mut self, more: u64) {
        let now = self.clock.now();
        while let Some((path, size, time)) = self.kept.front() {
            let full = more > 0 && (self.kept.len() >= self.limits.files || self.bytes.saturating_add(more) > self.limits.bytes);
            if !full && self.limits.age.is_none_or(|age| now.since(*time) < age) {
                break;
            }
            let _ = fs::remove_file(path);
            self.bytes = self.bytes.saturating_sub(*size);
            self.kept.pop_front();
        }
    }

    fn compose(&self, recording: &Recording, out: &mut Vec<u8>) -> io::Result<()> {
        let report = &recording.report;
        let mut writer = PcapngWriter::new(out, APPLICATION, Some(&about(report)))?;
        let mut described: BTreeMap<(u32, LinkType), u32> = BTreeMap::new();
        let comments = comments(report, &recording.packets);
        for packet in &recording.packets {
            let key = (packet.head.interface, packet.head.link);
            let interface = if let Some(number) = described.get(&key) {
                *number
            } else {
                let name = self.interfaces.get(packet.head.interface as usize).map_or("unknown", String::as_str);
                let description = InterfaceDescription { link: packet.head.link, snaplen: 0, name, description: None, filter: None };
                let number = writer.interface(&description)?;
                described.insert(key, number);
                number
            };
            writer.packet(&PacketRecord {
                interface,
                time: packet.head.time,
                original_len: packet.head.original_len,
                bytes: &packet.bytes,
                comments: comments.get(&packet.head.number).map_or(&[], Vec::as_slice),
            })?;
        }
        writer.finish().map(drop)
    }
}

/// The comment on the whole file.
fn about(report: &HandshakeReport) -> String {
    let mut lines = vec![
        format!("{APPLICATION}: {} → {}", view::endpoint(&report.client), view::server(report)),
        format!("{}, {}: {}", view::cause(report), view::ending(report), report.diagnosis.summary),
        format!("handshake {} of {}, {}", report.handshake.id, report.capture.source, view::frames(report)),
    ];
    lines.extend(report.diagnosis.remedy.iter().map(|advice| format!("- {}", advice.line())));
    lines.iter().map(|line| escape(line).into_owned()).collect::<Vec<_>>().join("\n")
}

/// Comments by frame: each piece of evidence on its packet, and the verdict on the last packet that proves it.
fn comments(report: &HandshakeReport, packets: &[Kept]) -> BTreeMap<u64, Vec<String>> {
    let mut out: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut add = |frame: u64, text: String| {
        let comments = out.entry(frame).or_default();
        let text = escape(&text).into_owned();
        if !comments.contains(&text) {
            comments.push(text);
        }
    };
    for evidence in &report.diagnosis.evidence {
        if let Some(frame) = evidence.frame {
            add(frame, format!("handshark: {}", evidence.text));
        }
    }
    for finding in &report.diagnosis.findings {
        for frame in &finding.frames {
            add(*frame, format!("handshark: {} ({}): {}", finding.id, finding.severity, finding.text));
        }
    }
    let has = |frame: u64| packets.iter().any(|packet| packet.head.number == frame);
    let key = report.diagnosis.evidence.iter().filter_map(|evidence| evidence.frame).rev().find(|frame| has(*frame));
    let last = packets.iter().map(|packet| packet.head.number).take_while(|frame| *frame <= report.capture.last_frame).last();
    if let Some(frame) = key.or(last) {
        add(frame, format!("handshark: {}: {}", view::cause(report), report.diagnosis.summary));
    }
    out
}

/// `handshark-20261121T090012.031Z-certificate-expired-0123456789abcdef.pcapng`.
fn name(report: &HandshakeReport) -> String {
    let time: String = report.handshake.start.chars().take(23).filter(|c| !matches!(c, '-' | ':')).collect();
    let word = |text: &str| -> String { text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect() };
    format!("{PREFIX}{time}Z-{}-{}{SUFFIX}", word(view::cause(report)), word(&report.handshake.id))
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

const APPLICATION: &str = concat!("handshark ", env!("CARGO_PKG_VERSION"));
const PREFIX: &str = "handshark-";
const SUFFIX: &str = ".pcapng";
const PART: &str = ".part";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FrameHead;
    use crate::output::samples;

    fn recording(id: usize, len: usize) -> Recording {
        let mut report = samples::expired(0);
        report.handshake.id = format!("{id:016x}");
        let packet = |number| Kept {
            head: FrameHead { number, time: Timestamp::from_nanos(5), link: LinkType(1), interface: 0, original_len: 60 },
            bytes: vec![0; len].into(),
        };
        Recording { report: Box::new(report), packets: (1..=20).map(packet).collect() }
    }

    fn archive(directory: &Path, bytes: u64, files: usize) -> Archive {
        let limits = ArchiveLimits { bytes, files, age: None };
        Archive::open(directory, limits, vec!["eth0".into()], Clock::new(|| Timestamp::from_parts(1, 0))).unwrap()
    }

    fn there(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_make_room_and_earlier_runs_count() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("made");
        let mut first = archive(&directory, 1 << 20, 3);
        for id in 0..2 {
            first.write(&recording(id, 60)).unwrap().unwrap();
        }
        fs::write(directory.join("handshark-x.pcapng.part"), "cut").unwrap();
        fs::write(directory.join("mine.pcapng"), "not ours").unwrap();
        let mut second = archive(&directory, 1 << 20, 3);
        for id in 2..5 {
            second.write(&recording(id, 60)).unwrap().unwrap();
        }
        let names = there(&directory);
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(names.iter().any(|name| name.contains("0000000000000004")) && names.contains(&"mine.pcapng".to_owned()), "{names:?}");
        let mut small = archive(&directory, 1000, 3);
        assert_eq!(small.write(&recording(9, 600)).unwrap(), None);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = archive(directory.path(), 1 << 20, 3).write(&recording(1, 60)).unwrap().unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_evidence_is_on_its_packet_and_the_verdict_too() {
        let recording = recording(1, 60);
        let comments = comments(&recording.report, &recording.packets);
        for evidence in &recording.report.diagnosis.evidence {
            if let Some(frame) = evidence.frame {
                assert!(comments[&frame].iter().any(|comment| comment.contains(&evidence.text)), "{comments:?}");
            }
        }
        assert!(comments.values().flatten().any(|comment| comment.contains(&recording.report.diagnosis.summary)));
    }

    #[test]
    fn a_hostile_cause_stays_in_the_directory() {
        let mut report = samples::expired(0);
        report.diagnosis.cause = Some("../../etc/passwd".into());
        assert!(!name(&report).contains('/'));
    }
}
