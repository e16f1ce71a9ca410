//! A directory of numbered files of lines, bounded in bytes, that another program ships on.
//!
//! The file being written is `NAME-000000000007.ndjson.part`; when it is whole it loses its `.part` and is not touched again. So who reads
//! takes what has none. When all take more than they may, the oldest whole file goes first, and that is counted. After a restart numbering goes on,
//! and what a run left unfinished becomes a whole file, without its last line where that was cut off.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::rotate::{Whole, length};
use super::say::say;
use crate::time::{Clock, Timestamp};

/// How much is kept, and when a file is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Bytes of all files.
    pub bytes: u64,
    /// A file is whole at this many bytes,
    pub file_bytes: u64,
    /// or at this age, if anything is in it.
    pub age: Duration,
}

/// What had to make room.
#[derive(Debug, Default)]
pub struct SpoolCounters {
    /// Whole files that were deleted though perhaps nobody had taken them.
    pub files: AtomicU64,
    /// Bytes of those.
    pub bytes: AtomicU64,
}

/// The spool.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    /// What files are called, before their number.
    stem: String,
    limits: SpoolLimits,
    clock: Clock,
    counters: Arc<SpoolCounters>,
    /// Whole files: number and bytes, the oldest first. Those that were taken away by who ships them are found out when room is needed.
    whole: VecDeque<(u64, u64)>,
    /// The number of the file being written.
    number: u64,
    file: Whole,
    /// What waits for the next flush.
    pending: Vec<u8>,
    begun: Timestamp,
    /// A new file could not be begun, which was said.
    failing: bool,
}

impl Spool {
    /// Opens a directory, which is made if it is not there. `stem` is what its files are called; files of other names are left alone.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn open(directory: &Path, stem: &str, limits: SpoolLimits, clock: Clock) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let mut whole = Vec::new();
        let mut parts = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let Some((number, part)) = entry.file_name().to_str().and_then(|name| number_of(name, stem)) else { continue };
            let metadata = entry.metadata()?;
            if metadata.is_file() {
                if part { parts.push(number) } else { whole.push((number, metadata.len())) }
            }
        }
        let next = whole.iter().map(|(number, _)| *number).chain(parts.iter().copied()).max().map_or(1, |last| last.saturating_add(1));
        for number in parts {
            if let Some(bytes) = mend(&place(directory, stem, number, true), &place(directory, stem, number, false))? {
                whole.push((number, bytes));
            }
        }
        whole.sort_unstable();
        let file = begin(&place(directory, stem, next, true))?;
        let begun = clock.now();
        let mut spool = Self {
            directory: directory.to_owned(),
            stem: stem.to_owned(),
            limits,
            clock,
            counters: Arc::default(),
            whole: whole.into(),
            number: next,
            file,
            pending: Vec::new(),
            begun,
            failing: false,
        };
        spool.make_room();
        Ok(spool)
    }

    /// Where files are made.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What had to make room, for those who show it.
    pub fn counters(&self) -> Arc<SpoolCounters> {
        Arc::clone(&self.counters)
    }

    /// Gives the directory, and the file being written, to a user.
    ///
    /// # Errors
    /// When that is not allowed.
    pub fn give(&self, user: u32, group: u32) -> io::Result<()> {
        fchown(File::open(&self.directory)?, Some(user), Some(group))?;
        fchown(&self.file.file, Some(user), Some(group))
    }

    fn is_due(&self) -> bool {
        self.file.written > 0 && (self.file.written >= self.limits.file_bytes || self.clock.now().since(self.begun) >= self.limits.age)
    }

    /// The file is whole: it gets its name, and the next is begun.
    fn renew(&mut self) -> io::Result<()> {
        let next = begin(&place(&self.directory, &self.stem, self.number.saturating_add(1), true))?;
        // What is in it is on the disk before its name says that it is whole.
        self.file.file.sync_data()?;
        fs::rename(place(&self.directory, &self.stem, self.number, true), place(&self.directory, &self.stem, self.number, false))?;
        self.whole.push_back((self.number, self.file.written));
        self.number = self.number.saturating_add(1);
        self.file = next;
        self.begun = self.clock.now();
        Ok(())
    }

    /// Deletes the oldest whole files until all take no more than they may.
    fn make_room(&mut self) {
        let all = |whole: &VecDeque<(u64, u64)>| whole.iter().fold(self.file.written, |sum, (_, bytes)| sum.saturating_add(*bytes));
        if all(&self.whole) <= self.limits.bytes {
            return;
        }
        let (directory, stem) = (&self.directory, &self.stem);
        // Those that were shipped and taken away need no room.
        self.whole.retain(|(number, _)| place(directory, stem, *number, false).exists());
        while all(&self.whole) > self.limits.bytes
            && let Some((number, bytes)) = self.whole.pop_front()
        {
            match fs::remove_file(place(directory, stem, number, false)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    say(format!("cannot delete the oldest file of the spool {}: {error}", directory.display()));
                    self.whole.push_front((number, bytes));
                    return;
                }
                Err(_) => {}
                Ok(()) => {
                    if self.counters.files.fetch_add(1, Ordering::Relaxed) == 0 {
                        say(format!("the spool {} is full: its oldest files are deleted", directory.display()));
                    }
                    self.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
                }
            }
        }
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// What is flushed is in the file as a whole or not at all. An error says that it is not.
    fn flush(&mut self) -> io::Result<()> {
        let written = self.file.put(&self.pending);
        self.pending.clear();
        if self.is_due() {
            match self.renew() {
                Ok(()) => self.failing = false,
                // It is written on in the old one.
                Err(error) if !self.failing => {
                    self.failing = true;
                    say(format!("cannot begin a new file in the spool {}: {error}", self.directory.display()));
                }
                Err(_) => {}
            }
        }
        self.make_room();
        written
    }
}

impl Drop for Spool {
    /// The run is over: what was written is whole. Where that fails, the next run sees to it.
    fn drop(&mut self) {
        let part = place(&self.directory, &self.stem, self.number, true);
        let _ = if self.file.written > 0 {
            fs::rename(part, place(&self.directory, &self.stem, self.number, false))
        } else {
            fs::remove_file(part)
        };
    }
}

/// Begins a file that others may not read, and that is not there yet.
fn begin(path: &Path) -> io::Result<Whole> {
    let file = File::options().create_new(true).append(true).mode(0o640).custom_flags(libc::O_NOFOLLOW).open(path)?;
    Ok(Whole { file, written: 0, regular: true })
}

/// Makes a whole file of one that a run left: without its last line, if that was cut off. Gives its bytes; `None` where nothing is in it.
fn mend(part: &Path, whole: &Path) -> io::Result<Option<u64>> {
    let file = File::options().read(true).write(true).custom_flags(libc::O_NOFOLLOW).open(part)?;
    let mut reader = BufReader::new(&file);
    let (mut upto, mut line) = (0_u64, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            break;
        }
        upto = upto.saturating_add(read as u64);
    }
    if upto == 0 {
        fs::remove_file(part)?;
        return Ok(None);
    }
    if length(&file)? > upto {
        file.set_len(upto)?;
    }
    fs::rename(part, whole)?;
    Ok(Some(upto))
}

fn place(directory: &Path, stem: &str, number: u64, part: bool) -> PathBuf {
    directory.join(format!("{stem}-{number:012}.ndjson{}", if part { ".part" } else { "" }))
}

/// The number in a file's name, and whether it is still being written.
fn number_of(name: &str, stem: &str) -> Option<(u64, bool)> {
    let rest = name.strip_prefix(stem)?.strip_prefix('-')?;
    let (digits, part) = match rest.strip_suffix(".ndjson.part") {
        Some(digits) => (digits, true),
        None => (rest.strip_suffix(".ndjson")?, false),
    };
    let fits = digits.len() >= 12 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| fits).map(|number| (number, part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicI64;

    fn clock(now: &Arc<AtomicI64>) -> Clock {
        let now = Arc::clone(now);
        Clock::new(move || Timestamp::from_parts(now.load(Ordering::Relaxed), 0))
    }

    fn open(directory: &Path, bytes: u64) -> Spool {
        let limits = SpoolLimits { bytes, file_bytes: 10, age: Duration::from_secs(60) };
        Spool::open(directory, "edge", limits, clock(&Arc::default())).unwrap()
    }

    fn put(spool: &mut Spool, line: &str) {
        writeln!(spool, "{line}").unwrap();
        spool.flush().unwrap();
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_whole_file_makes_room_and_that_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = open(directory.path(), 30);
        let counters = spool.counters();
        for line in ["000000001", "000000002", "000000003", "4"] {
            put(&mut spool, line);
        }
        assert_eq!(
            names(directory.path()),
            ["edge-000000000002.ndjson", "edge-000000000003.ndjson", "edge-000000000004.ndjson.part"],
            "32 bytes are more than 30"
        );
        assert_eq!((counters.files.load(Ordering::Relaxed), counters.bytes.load(Ordering::Relaxed)), (1, 10));
        // What was shipped and taken away was no loss.
        fs::remove_file(directory.path().join("edge-000000000002.ndjson")).unwrap();
        put(&mut spool, "000000005");
        put(&mut spool, "6");
        assert_eq!(counters.files.load(Ordering::Relaxed), 1);
        drop(spool);
        assert_eq!(names(directory.path()), ["edge-000000000003.ndjson", "edge-000000000004.ndjson", "edge-000000000005.ndjson"]);
    }

    #[test]
    fn a_new_run_goes_on_and_never_writes_over_anything() {
        let directory = tempfile::tempdir().unwrap();
        put(&mut open(directory.path(), 1000), "one");
        // A run that was killed in the middle of a line, one that had written nothing, and somebody else's file.
        fs::write(directory.path().join("edge-000000000002.ndjson.part"), "two\nhal").unwrap();
        fs::write(directory.path().join("edge-000000000003.ndjson.part"), "").unwrap();
        fs::write(directory.path().join("other-000000000009.ndjson"), "x").unwrap();
        let mut spool = open(directory.path(), 1000);
        put(&mut spool, "four");
        assert_eq!(
            names(directory.path()),
            ["edge-000000000001.ndjson", "edge-000000000002.ndjson", "edge-000000000004.ndjson.part", "other-000000000009.ndjson"]
        );
        assert_eq!(fs::read_to_string(directory.path().join("edge-000000000002.ndjson")).unwrap(), "two\n");
        drop(spool);
        assert_eq!(fs::read_to_string(directory.path().join("edge-000000000004.ndjson")).unwrap(), "four\n");
    }

    #[test]
    fn an_old_file_is_whole_though_little_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicI64::new(0));
        let limits = SpoolLimits { bytes: 1000, file_bytes: 500, age: Duration::from_secs(60) };
        let mut spool = Spool::open(directory.path(), "edge", limits, clock(&now)).unwrap();
        put(&mut spool, "1");
        now.store(59, Ordering::Relaxed);
        spool.flush().unwrap();
        assert_eq!(names(directory.path()), ["edge-000000000001.ndjson.part"]);
        now.store(60, Ordering::Relaxed);
        spool.flush().unwrap();
        assert_eq!(names(directory.path()), ["edge-000000000001.ndjson", "edge-000000000002.ndjson.part"]);
        now.store(600, Ordering::Relaxed);
        spool.flush().unwrap();
        assert_eq!(names(directory.path()).len(), 2, "an empty one waits");
    }
}
