//! A file that is begun anew at some size or age, or when the log rotation of the system asks for it.
//!
//! `FILE` is always the one being written; older ones are `FILE.1`, `FILE.2`, …. A new file is begun only between two flushes, and what is
//! flushed is in the file as a whole or not at all: a line is never divided, not even by a full disk. What is no regular file (a FIFO, a device)
//! is written into and does not rotate.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::delivery::{self, Draft, Target, directory, failed, refusal, with_suffix};
use super::say::say;
use crate::error::Result;
use crate::time::{Clock, Timestamp};

/// When a new file is begun.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// At this many bytes.
    pub size: Option<u64>,
    /// At this age.
    pub age: Option<Duration>,
    /// Old files kept.
    pub keep: u32,
    /// Tells the present.
    pub clock: Clock,
    /// Set from outside: the file was moved away, a new one is to be opened under its name.
    pub reopen: Arc<AtomicBool>,
}

/// A file that rotates.
#[derive(Debug)]
pub struct RotatingFile {
    /// As given.
    name: PathBuf,
    /// What the name stands for; none where that is no regular file.
    path: Option<PathBuf>,
    rotation: Rotation,
    file: Whole,
    /// Waits for the next flush.
    pending: Vec<u8>,
    begun: Timestamp,
    /// A new file could not be begun; not to be tried before.
    again: Option<Timestamp>,
}

impl RotatingFile {
    /// Opens it, to append. Refuses to rotate what is no regular file. Waits for the reader of a FIFO.
    pub fn open(name: &Path, rotation: Rotation) -> Result<Self> {
        let cannot = |source| failed(name, source);
        let (path, file) = open(name).map_err(cannot)?;
        if path.is_none() && (rotation.size.is_some() || rotation.age.is_some()) {
            return Err(cannot(refusal("it is no regular file and cannot be rotated")));
        }
        let file = Whole::of(file, path.is_some()).map_err(cannot)?;
        let begun = rotation.clock.now();
        Ok(Self { name: name.to_owned(), path, rotation, file, pending: Vec::new(), begun, again: None })
    }

    /// The directory in which files are made, where any are.
    pub fn directory(&self) -> Option<&Path> {
        self.path.as_deref().map(directory)
    }

    /// Gives the file to a user; what is no regular file stays whose it is.
    pub fn give(&self, user: u32, group: u32) -> io::Result<()> {
        if self.path.is_some() { fchown(&self.file.file, Some(user), Some(group)) } else { Ok(()) }
    }

    /// Tries whether this process will be able to rotate it, where that is asked for: whether it may make and rename files there. To be called
    /// as the user that will do it.
    pub fn check(&self) -> Result<()> {
        if self.rotation.size.is_none() && self.rotation.age.is_none() {
            return Ok(());
        }
        self.path.as_deref().map_or(Ok(()), |path| self.try_out(path)).map_err(|source| {
            let why = format!("it could not be rotated later on: {source}");
            failed(&self.name, io::Error::new(source.kind(), why))
        })
    }

    fn try_out(&self, path: &Path) -> io::Result<()> {
        let (trial, renamed) = (with_suffix(path, ".trial"), with_suffix(path, ".trial2"));
        let (mut draft, _) = Draft::create(&trial, MODE)?;
        draft.put(&renamed, false)?;
        fs::remove_file(renamed)?;
        // Where everybody may make files, only the owner may rename one.
        let own = rustix::process::geteuid().as_raw();
        let place = fs::metadata(directory(path))?;
        let sticky = place.mode() & STICKY != 0 && place.uid() != own && own != 0;
        for number in 0..=self.rotation.keep {
            match fs::symlink_metadata(numbered(path, number)) {
                Ok(there) if !there.is_file() => return Err(refusal("one of the older files is no regular file")),
                Ok(there) if sticky && there.uid() != own => return Err(refusal("a file there is another user's")),
                _ => {}
            }
        }
        Ok(())
    }

    fn is_due(&self) -> bool {
        self.rotation.size.is_some_and(|size| self.file.written >= size)
            || (self.file.written > 0 && self.rotation.age.is_some_and(|age| self.rotation.clock.now().since(self.begun) >= age))
    }

    fn shift(&self, path: &Path) -> io::Result<()> {
        for number in (0..self.rotation.keep).rev() {
            let (from, to) = (numbered(path, number), numbered(path, number.saturating_add(1)));
            // Devices and the like are not renamed, nor renamed over.
            for place in [&from, &to] {
                if fs::symlink_metadata(place).is_ok_and(|there| !there.is_file()) {
                    return Err(refusal("one of the older files is no regular file"));
                }
            }
            match fs::rename(from, to) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> io::Result<()> {
        let (path, file) = open(&self.name)?;
        self.file = Whole::of(file, path.is_some())?;
        self.begun = self.rotation.clock.now();
        self.path = path;
        Ok(())
    }

    /// Begins a new file when it is time. Where that cannot be done the old one is written on: nothing is lost.
    fn renew(&mut self) {
        let Some(path) = self.path.clone() else { return };
        let reopen = self.rotation.reopen.load(Ordering::Relaxed);
        if !(reopen || self.is_due()) {
            return;
        }
        let now = self.rotation.clock.now();
        if self.again.is_some_and(|again| now < again) {
            return;
        }
        let done = if reopen { self.begin() } else { self.shift(&path).and_then(|()| self.begin()) };
        match done {
            Ok(()) => {
                self.again = None;
                self.rotation.reopen.store(false, Ordering::Relaxed);
            }
            Err(error) => {
                if self.again.is_none() {
                    say(format!("cannot begin {} anew, and write on in the old file: {error}", self.name.display()));
                }
                self.again = Some(now.after(AGAIN));
            }
        }
    }

    /// Writes what is pending: all of it, or an error and nothing.
    fn put(&mut self) -> io::Result<()> {
        let done = self.file.put(&self.pending);
        self.pending.clear();
        self.pending.shrink_to(PENDING);
        done
    }
}

/// A file that takes what is put into it as a whole or not at all.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) file: File,
    /// Its length in bytes.
    pub(super) written: u64,
    /// It is a file, and no FIFO or device.
    pub(super) regular: bool,
}

impl Whole {
    fn of(file: File, regular: bool) -> io::Result<Self> {
        Ok(Self { written: length(&file)?, file, regular })
    }

    /// Writes all of it, or gives an error and writes nothing.
    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        let mut done = Ok(());
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => done = Err(ErrorKind::WriteZero.into()),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => done = Err(error),
            }
            if done.is_err() {
                break;
            }
        }
        let part = bytes.len().saturating_sub(rest.len()) as u64;
        if done.is_err() && part > 0 && self.regular && length(&self.file).is_ok_and(|len| len == self.written.saturating_add(part)) {
            // Half a line is none.
            self.file.set_len(self.written)?;
        } else {
            self.written = self.written.saturating_add(part);
        }
        done
    }
}

impl Write for RotatingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.put()?;
        self.renew();
        Ok(())
    }
}

/// Opens a file that others may not read: names and addresses are nobody's business. Gives its path where it is a regular file.
fn open(name: &Path) -> io::Result<(Option<PathBuf>, File)> {
    match delivery::target(name)? {
        Target::Stream => Ok((None, delivery::open_stream(name)?)),
        Target::File { path, .. } => {
            let mut options = File::options();
            options.create(true).append(true).mode(MODE).custom_flags(libc::O_NOFOLLOW);
            let file = options.open(&path)?;
            Ok((Some(path), file))
        }
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 { path.to_owned() } else { with_suffix(path, &format!(".{number}")) }
}

pub(super) fn length(file: &File) -> io::Result<u64> {
    file.metadata().map(|metadata| metadata.len())
}

const MODE: u32 = 0o640;
const STICKY: u32 = 0o1000;
/// How long to wait before a new file is tried again.
const AGAIN: Duration = Duration::from_secs(60);
/// Memory kept between two flushes.
const PENDING: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    #[test]
    fn size_age_and_request_begin_a_new_file_between_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let now = Arc::new(AtomicI64::new(0));
        let clock = Clock::new({
            let now = Arc::clone(&now);
            move || Timestamp::from_parts(now.load(Ordering::Relaxed), 0)
        });
        let reopen = Arc::new(AtomicBool::new(false));
        let rotation = Rotation { size: Some(10), age: Some(Duration::from_secs(60)), keep: 2, clock, reopen: Arc::clone(&reopen) };
        let mut file = RotatingFile::open(&path, rotation).unwrap();
        let mut line = |text: &str| {
            writeln!(file, "{text}").unwrap();
            file.flush().unwrap();
        };
        line("one 45678901");
        line("two");
        assert_eq!((lines(&path), lines(&directory.path().join("out.1"))), (vec!["two".to_owned()], vec!["one 45678901".to_owned()]));
        now.store(60, Ordering::Relaxed);
        line("3");
        assert_eq!((lines(&path), lines(&directory.path().join("out.1"))), (vec![], vec!["two".to_owned(), "3".to_owned()]));
        fs::rename(&path, directory.path().join("moved")).unwrap();
        reopen.store(true, Ordering::Relaxed);
        line("4");
        line("5");
        assert_eq!((lines(&directory.path().join("moved")), lines(&path)), (vec!["4".to_owned()], vec!["5".to_owned()]));
        for _ in 0..4 {
            line("0123456789");
        }
        assert!(directory.path().join("out.2").exists() && !directory.path().join("out.3").exists());
    }

    fn by_size(reopen: &Arc<AtomicBool>) -> Rotation {
        let clock = Clock::new(|| Timestamp::from_parts(1, 0));
        Rotation { size: Some(10), age: None, keep: 2, clock, reopen: Arc::clone(reopen) }
    }

    #[test]
    fn what_is_no_regular_file_does_not_rotate() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let held = File::options().read(true).write(true).open(&fifo).unwrap();
        let reopen = Arc::new(AtomicBool::new(true));
        assert!(RotatingFile::open(&fifo, by_size(&reopen)).unwrap_err().to_string().contains("cannot be rotated"));
        let mut file = RotatingFile::open(&fifo, Rotation { size: None, ..by_size(&reopen) }).unwrap();
        file.write_all(b"through\n").unwrap();
        file.flush().unwrap();
        let mut heard = [0; 8];
        io::Read::read_exact(&mut &held, &mut heard).unwrap();
        assert_eq!(&heard, b"through\n");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_older_file_that_is_none_stops_rotation_and_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let reopen = Arc::default();
        fs::create_dir(directory.path().join("out.1")).unwrap();
        let mut file = RotatingFile::open(&path, by_size(&reopen)).unwrap();
        assert!(file.check().unwrap_err().to_string().contains("could not be rotated"));
        for _ in 0..3 {
            writeln!(file, "0123456789").unwrap();
            file.flush().unwrap();
        }
        assert_eq!(lines(&path).len(), 3);
        fs::remove_dir(directory.path().join("out.1")).unwrap();
        file.check().unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "the trial left nothing");
    }

    #[test]
    fn a_link_is_followed_and_its_target_rotates() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("log")).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("log/out", &link).unwrap();
        let mut file = RotatingFile::open(&link, by_size(&Arc::default())).unwrap();
        for text in ["0123456789", "next"] {
            writeln!(file, "{text}").unwrap();
            file.flush().unwrap();
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(lines(&directory.path().join("log/out.1")), ["0123456789"]);
        assert_eq!(lines(&link), ["next"]);
    }
}
