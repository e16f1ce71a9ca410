//! Recordings on disk: one pcapng file for each failure, with the findings as comments on the packets that show them.
//!
//! A file is written under a name that ends in `.part` and renamed when it is whole, so that a crash leaves no half file under a proper name; and
//! even half of one is readable. Nobody but the owner may read it. Before each new file the oldest are deleted until it fits, and when the disk is
//! full. Deleted is only what bears a name that this module gives, and is a regular file.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Kept, Recording};
use crate::count::Count;
use crate::frame::LinkType;
use crate::output::delivery::Draft;
use crate::output::escape::escape;
use crate::output::pcapng::{InterfaceDescription, PacketRecord, PcapngWriter};
use crate::output::view;
use crate::report::{Handshake, Severity};
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
            let name = entry.file_name();
            // Neither a link nor a directory, whatever its name.
            let data = match entry.metadata() {
                Ok(data) if data.is_file() => data,
                _ => continue,
            };
            let Some(name) = name.to_str() else { continue };
            if name.strip_suffix(PART).is_some_and(is_own) {
                let _ = fs::remove_file(entry.path());
            } else if is_own(name) {
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
        compose(&[recording], &self.interfaces, &mut bytes)?;
        let size = bytes.len() as u64;
        if size > self.limits.bytes {
            return Ok(None);
        }
        self.prune(size);
        let path = self.directory.join(name(&recording.report));
        // What else fills the disk may take the room that is made here, too: not all recordings are given for one.
        let mut made = 0_u64;
        while let Err(error) = keep(&path, &bytes) {
            let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            if !full || made > size.saturating_mul(2).saturating_add(BLOCK) {
                return Err(error);
            }
            let Some(freed) = self.forget_oldest() else { return Err(error) };
            made = made.saturating_add(freed);
        }
        self.bytes = self.bytes.saturating_add(size);
        self.kept.push_back((path.clone(), size, self.clock.now()));
        Ok(Some(path))
    }

    /// Deletes the oldest until `more` bytes and one more file fit, and what is too old.
    pub fn prune(&mut self, more: u64) {
        let now = self.clock.now();
        while let Some((_, _, time)) = self.kept.front() {
            let full = more > 0 && (self.kept.len() >= self.limits.files || self.bytes.saturating_add(more) > self.limits.bytes);
            if !full && self.limits.age.is_none_or(|age| now.since(*time) < age) {
                break;
            }
            self.forget_oldest();
        }
    }

    /// Deletes the oldest and gives its size.
    fn forget_oldest(&mut self) -> Option<u64> {
        let (path, size, _) = self.kept.pop_front()?;
        let _ = fs::remove_file(path);
        self.bytes = self.bytes.saturating_sub(size);
        Some(size)
    }

    /// Gives the directory to a user. It is not given by its name, which may have become another's meanwhile.
    pub fn give(&self, user: u32, group: u32) -> io::Result<()> {
        let mut options = fs::File::options();
        options.read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW);
        fchown(options.open(&self.directory)?, Some(user), Some(group))
    }

    /// Bytes that the bounds allow and the disk does not hold, recordings there included; none where that is not known.
    pub fn lacking(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.directory).ok()?;
        let room = disk.f_bavail.saturating_mul(disk.f_frsize).saturating_add(self.bytes);
        Some(self.limits.bytes.saturating_sub(room)).filter(|lacking| *lacking > 0)
    }
}

/// Writes recordings as one pcapng file, packets in order, with what is said of each handshake. `interfaces` are their names, by index.
pub fn compose(recordings: &[&Recording], interfaces: &[String], out: &mut dyn Write) -> io::Result<()> {
    let told: Vec<String> = recordings.iter().take(TOLD).map(|recording| about(&recording.report)).collect();
    let mut writer = PcapngWriter::new(out, APPLICATION, Some(&told.join("\n\n")))?;
    let mut described: BTreeMap<(u32, LinkType), u32> = BTreeMap::new();
    let mut packets: BTreeMap<u64, (&Kept, Vec<String>)> = BTreeMap::new();
    for recording in recordings {
        let mut comments = comments(&recording.report, &recording.packets);
        for packet in &recording.packets {
            // An ICMP error may speak of several connections in turn.
            let (_, told) = packets.entry(packet.head.number).or_insert_with(|| (packet, Vec::new()));
            told.extend(comments.remove(&packet.head.number).unwrap_or_default());
        }
    }
    for (packet, comments) in packets.values() {
        let key = (packet.head.interface, packet.head.link);
        let interface = if let Some(number) = described.get(&key) {
            *number
        } else {
            let name = interfaces.get(packet.head.interface as usize).map_or("unknown", String::as_str);
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
            comments,
        })?;
    }
    for ((interface, _), number) in &described {
        let own = recordings.iter().filter(|recording| recording.packets.iter().any(|packet| packet.head.interface == *interface));
        let losses = own.clone().map(|recording| recording.losses).max().unwrap_or_default();
        let until = own.filter_map(|recording| recording.packets.last()).map(|packet| packet.head.time).max();
        if let Some(until) = until.filter(|_| losses > 0) {
            writer.statistics(*number, until, None, Some(losses))?;
        }
    }
    writer.finish().map(drop)
}

/// The comment on the whole file.
fn about(report: &Handshake<'_>) -> String {
    let mut lines = vec![
        format!("{APPLICATION}: {} → {}", report.client, view::server(report)),
        format!("{}, {}: {}", view::cause(report), view::ending(report), report.summary()),
        format!("handshake {} of {}, {}", report.handshake.id, report.capture.source, view::frames(report)),
    ];
    lines.extend(view::owners(report).map(|(label, owner)| format!("{label} {owner}")));
    lines.extend(report.diagnosis.remedy.iter().map(|advice| format!("- {}", advice.line())));
    lines.iter().map(|line| escape(line).into_owned()).collect::<Vec<_>>().join("\n")
}

/// Comments by frame: each piece of evidence on its packet, and the verdict on the last packet that proves it.
fn comments(report: &Handshake<'_>, packets: &[Kept]) -> BTreeMap<u64, Vec<String>> {
    let mut out: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut add = |frame: u64, text: String| {
        let comments = out.entry(frame).or_default();
        let text = escape(&text).into_owned();
        if !comments.contains(&text) {
            comments.push(text);
        }
    };
    for evidence in report.diagnosis.evidence.iter() {
        if let Some(mark) = evidence.mark {
            add(mark.frame, format!("handshark: {}", evidence.text));
        }
    }
    for finding in report.diagnosis.findings.iter() {
        let severity = Severity::of(finding, report.handshake.outcome).name();
        for mark in finding.evidence.iter().filter_map(|piece| piece.mark) {
            add(mark.frame, format!("handshark: {} ({severity}): {}", finding.cause, finding.summary));
        }
    }
    let has = |frame: u64| packets.iter().any(|packet| packet.head.number == frame);
    let key = report.diagnosis.evidence.iter().filter_map(|evidence| evidence.mark).map(|mark| mark.frame).rev().find(|frame| has(*frame));
    let last = packets.iter().map(|packet| packet.head.number).take_while(|frame| *frame <= report.capture.last_frame).last();
    if let Some(frame) = key.or(last) {
        add(frame, format!("handshark: {}: {}", view::cause(report), report.summary()));
    }
    out
}

/// `handshark-20261121T090012.031Z-certificate-expired-0123456789abcdef.pcapng`.
fn name(report: &Handshake<'_>) -> String {
    let time: String = report.handshake.start.to_string().chars().take(23).filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{PREFIX}{time}Z-{}-{}{SUFFIX}", view::cause(report), report.handshake.id)
}

/// Whether [`name`] gives such names: all else in the directory belongs to others.
fn is_own(name: &str) -> bool {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((time, rest)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once("Z-")) else { return false };
    let Some((day, clock)) = time.split_once('T') else { return false };
    let Some((seconds, fraction)) = clock.split_once('.') else { return false };
    let Some((cause, id)) = rest.strip_suffix(SUFFIX).and_then(|rest| rest.rsplit_once('-')) else { return false };
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    digits(day, 8)
        && digits(seconds, 6)
        && digits(fraction, 3)
        && cause.bytes().all(word)
        && id.len() == 16
        && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Writes a file of which nothing is left when that fails.
fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut part = path.to_owned().into_os_string();
    part.push(PART);
    let (mut draft, mut file) = Draft::create(Path::new(&part), 0o600)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    draft.put(path, true)
}

const APPLICATION: &str = concat!("handshark ", env!("CARGO_PKG_VERSION"));
/// Handshakes that the comment on a file tells of.
const TOLD: usize = 20;
const PREFIX: &str = "handshark-";
const SUFFIX: &str = ".pcapng";
const PART: &str = ".part";
/// What a file system takes for a small file at the most.
const BLOCK: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FrameHead;
    use crate::report::samples;

    fn recording(id: usize, len: usize) -> Recording {
        let mut report = samples::expired(0);
        report.handshake.id = samples::id(id as u64);
        let packet = |number| Kept {
            head: FrameHead {
                number,
                time: Timestamp::from_nanos(5),
                link: LinkType(1),
                interface: 0,
                site: crate::site::Site::NONE,
                original_len: 60,
            },
            bytes: vec![0; len].into(),
        };
        Recording { report: Box::new(report), packets: (1..=20).map(packet).collect(), losses: 0 }
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
        let kept = there(&directory).pop().unwrap();
        fs::write(directory.join(format!("{}.part", kept.replace("0001", "000f"))), "cut").unwrap();
        // Alike, but not made here; nor is a link.
        let others = ["mine.pcapng", "handshark-foo.pcapng", "handshark-foo.pcapng.part", "handshark-20261121T090012.031Z-x-0.pcapng"];
        for other in others {
            fs::write(directory.join(other), "not ours").unwrap();
        }
        let link = kept.replace("0001", "000e");
        std::os::unix::fs::symlink("mine.pcapng", directory.join(&link)).unwrap();
        let mut second = archive(&directory, 1 << 20, 3);
        for id in 2..5 {
            second.write(&recording(id, 60)).unwrap().unwrap();
        }
        let names = there(&directory);
        assert_eq!(names.len(), 3 + others.len() + 1, "{names:?}");
        assert!(names.iter().any(|name| name.contains("0000000000000004")) && names.contains(&link), "{names:?}");
        assert!(others.iter().all(|other| names.contains(&(*other).to_owned())), "{names:?}");
        let mut small = archive(&directory, 1000, 3);
        assert_eq!(small.write(&recording(9, 600)).unwrap(), None);
    }

    #[test]
    fn what_was_lost_meanwhile_goes_along() {
        let directory = tempfile::tempdir().unwrap();
        let dropped = |losses| {
            let recording = Recording { losses, ..recording(1, 60) };
            let path = archive(directory.path(), 1 << 20, 3).write(&recording).unwrap().unwrap();
            let bytes = fs::read(path).unwrap();
            // isb_ifdrop: eight bytes behind its code and length (draft-ietf-opsawg-pcapng, section 4.6).
            let at = bytes.windows(4).position(|option| option == [5, 0, 8, 0])?;
            Some(u64::from_le_bytes(bytes[at + 4..at + 12].try_into().unwrap()))
        };
        assert_eq!((dropped(0), dropped(7)), (None, Some(7)));
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
        for evidence in recording.report.diagnosis.evidence.iter() {
            if let Some(mark) = evidence.mark {
                assert!(comments[&mark.frame].iter().any(|comment| comment.contains(&evidence.text)), "{comments:?}");
            }
        }
        assert!(comments.values().flatten().any(|comment| comment.contains(&*recording.report.summary())));
    }
}
