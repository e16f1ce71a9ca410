//! A file that is begun anew at some size or age, or when the log rotation of the system asks for it.
//!
//! `FILE` is always the one being written; older ones are `FILE.1`, `FILE.2`, …. A new file is begun only between two flushes, so a line is never
//! divided.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
    path: PathBuf,
    rotation: Rotation,
    file: BufWriter<File>,
    written: u64,
    begun: Timestamp,
}

impl RotatingFile {
    /// Opens it, to append.
    pub fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let file = open(path)?;
        let written = file.metadata()?.len();
        let begun = rotation.clock.now();
        Ok(Self { path: path.to_owned(), rotation, file: BufWriter::new(file), written, begun })
    }

    fn is_due(&self) -> bool {
        self.rotation.size.is_some_and(|size| self.written >= size)
            || (self.written > 0 && self.rotation.age.is_some_and(|age| self.rotation.clock.now().since(self.begun) >= age))
    }

    fn shift(&self) -> io::Result<()> {
        let name = |number: u32| {
            let mut name = self.path.clone().into_os_string();
            if number > 0 {
                name.push(format!(".{number}"));
            }
            name
        };
        for number in (0..self.rotation.keep).rev() {
            match fs::rename(name(number), name(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> io::Result<()> {
        let file = open(&self.path)?;
        self.written = file.metadata()?.len();
        self.begun = self.rotation.clock.now();
        self.file = BufWriter::new(file);
        Ok(())
    }
}

impl Write for RotatingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.written = self.written.saturating_add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()?;
        if self.rotation.reopen.swap(false, Ordering::Relaxed) {
            return self.begin();
        }
        if self.is_due() {
            self.shift()?;
            return self.begin();
        }
        Ok(())
    }
}

/// Opens a file that others may not read: names and addresses are nobody's business.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)
}

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
}
