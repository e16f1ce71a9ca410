//! Key log files given beside a capture, read as far as they are written.
//!
//! A program that is still running appends to its log: whatever has come since the last look is read before each block of frames, so that in
//! live capture a connection's secrets are there when its records are, or soon after.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{FrameSource, Inventory, Losses};
use crate::error::{Error, Result};
use crate::frame::Block;
use crate::limits;
use crate::origins::Origins;
use crate::time::Timestamp;

/// The lines of key logs, as far as they are known.
#[derive(Debug, Default)]
pub struct KeyLogLines {
    /// Lines without their ends, in the order met: those that have turned up since the block before the last.
    pub lines: Vec<Vec<u8>>,
    /// Lines that were here before these.
    pub before: usize,
    /// Bytes held.
    bytes: usize,
    /// Lines left out beyond [`limits::SECRET_BYTES`], or longer than [`limits::KEY_LOG_LINE`].
    pub left_out: u64,
}

/// A capture with key logs beside it.
struct WithKeyLogs {
    inner: Box<dyn FrameSource>,
    files: Vec<Tail>,
    known: KeyLogLines,
    /// The lines known were there for whoever looked after the last block.
    shown: bool,
}

/// Key logs that are open, to be put beside a capture.
#[derive(Debug)]
pub struct KeyLogs {
    files: Vec<Tail>,
    known: KeyLogLines,
}

/// A file that may be growing.
#[derive(Debug)]
struct Tail {
    path: PathBuf,
    file: File,
    /// The beginning of a line whose end has not been written.
    partial: Vec<u8>,
    /// How its characters are stored, known from its first line on.
    form: Option<Form>,
    /// The file could not be read on.
    broken: bool,
}

/// How the characters of a key log are stored, all of which are ASCII's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In a byte each.
    Bytes,
    /// In two bytes each, of which one is zero: UTF-16, which PowerShell's `>` writes.
    Wide,
}

/// Puts key logs beside a capture. They are read as far as they go, now and before each block.
///
/// # Errors
/// When one cannot be opened or read.
pub fn with_key_logs(inner: Box<dyn FrameSource>, paths: &[PathBuf]) -> Result<Box<dyn FrameSource>> {
    Ok(KeyLogs::open(paths)?.beside(inner))
}

impl KeyLogs {
    /// Opens key logs and reads them as far as they go.
    ///
    /// # Errors
    /// When one cannot be opened or read.
    pub fn open(paths: &[PathBuf]) -> Result<Self> {
        let mut logs = Self { files: Vec::new(), known: KeyLogLines::default() };
        for path in paths {
            let mut tail = Tail::open(path)?;
            tail.read_on(&mut logs.known)?;
            // The last line of a finished file may lack its end. If it is the beginning of a line that grows, it comes again, whole.
            logs.known.add(tail.line().trim_ascii());
            logs.files.push(tail);
        }
        Ok(logs)
    }

    /// The capture with these beside it.
    pub fn beside(self, inner: Box<dyn FrameSource>) -> Box<dyn FrameSource> {
        if self.files.is_empty() {
            return inner;
        }
        Box::new(WithKeyLogs { inner, files: self.files, known: self.known, shown: false })
    }
}

impl KeyLogLines {
    fn add(&mut self, line: &[u8]) {
        if line.is_empty() {
            return;
        }
        if line.len() > limits::KEY_LOG_LINE || self.bytes.saturating_add(line.len()) > limits::SECRET_BYTES {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        self.bytes = self.bytes.saturating_add(line.len());
        self.lines.push(line.to_vec());
    }

    /// Forgets the lines that were looked at: a long run must not hold them all.
    fn forget(&mut self) {
        self.before = self.before.saturating_add(self.lines.len());
        self.lines.clear();
        self.bytes = 0;
    }
}

impl Tail {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| Error::Open { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file, partial: Vec::new(), form: None, broken: false })
    }

    /// The line at hand in bytes, without the mark of its encoding (`Out-File` of Windows sets one for UTF-8, too).
    fn line(&mut self) -> Cow<'_, [u8]> {
        let line = self.partial.as_slice();
        let wide = matches!(line, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..]);
        if self.form.is_none() && line.len() > 1 {
            self.form = Some(if wide { Form::Wide } else { Form::Bytes });
        }
        let line = MARKS.iter().find_map(|mark| line.strip_prefix(*mark)).unwrap_or(line);
        match self.form {
            Some(Form::Wide) => line.iter().copied().filter(|byte| *byte != 0).collect(),
            _ => Cow::Borrowed(line),
        }
    }

    /// Reads what has been appended.
    fn read_on(&mut self, known: &mut KeyLogLines) -> Result<()> {
        let mut buffer = [0; READ];
        loop {
            let count = self.file.read(&mut buffer).map_err(|source| Error::Read { path: self.path.clone(), source })?;
            let Some(read @ [_, ..]) = buffer.get(..count) else { return Ok(()) };
            for piece in read.split_inclusive(|byte| *byte == b'\n') {
                // What is longer than any line is not kept, and counted at its end.
                if self.partial.len() <= limits::KEY_LOG_LINE {
                    self.partial.extend_from_slice(piece);
                }
                if piece.ends_with(b"\n") {
                    known.add(self.line().trim_ascii());
                    self.partial.clear();
                }
            }
        }
    }
}

impl FrameSource for WithKeyLogs {
    fn fill(&mut self, block: &mut Block) -> Result<bool> {
        let more = self.inner.fill(block)?;
        if std::mem::replace(&mut self.shown, true) {
            self.known.forget();
        }
        for tail in self.files.iter_mut().filter(|tail| !tail.broken) {
            // The capture goes on without it.
            tail.broken = tail.read_on(&mut self.known).is_err();
        }
        Ok(more)
    }

    fn files(&self) -> Vec<(&Path, Option<Timestamp>)> {
        self.inner.files()
    }

    fn origins(&self) -> Option<&Origins> {
        self.inner.origins()
    }

    fn inventory(&self) -> &Inventory {
        self.inner.inventory()
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.inner.progress()
    }

    fn losses(&self) -> Option<&Losses> {
        self.inner.losses()
    }

    fn key_log(&self) -> Option<&KeyLogLines> {
        Some(&self.known)
    }
}

/// Byte order marks: of UTF-16 and of UTF-8.
const MARKS: [&[u8]; 3] = [&[0xff, 0xfe], &[0xfe, 0xff], &[0xef, 0xbb, 0xbf]];

/// Bytes read at a time: some dozen lines.
const READ: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    struct Nothing(Inventory);

    impl FrameSource for Nothing {
        fn fill(&mut self, _: &mut Block) -> Result<bool> {
            Ok(true)
        }
        fn inventory(&self) -> &Inventory {
            &self.0
        }
        fn progress(&self) -> (u64, Option<u64>) {
            (0, None)
        }
    }

    fn lines(source: &dyn FrameSource) -> Vec<String> {
        source.key_log().unwrap().lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    #[test]
    fn what_is_appended_is_read_before_the_next_block() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "one\r\ntwo\n").unwrap();
        let inner = Box::new(Nothing(Inventory::default()));
        let mut source = with_key_logs(inner, &[file.path().to_owned()]).unwrap();
        assert_eq!(lines(source.as_ref()), ["one", "two"]);
        write!(file, "thr").unwrap();
        source.fill(&mut Block::default()).unwrap();
        assert_eq!(lines(source.as_ref()), ["one", "two"], "half a line is none");
        write!(file, "ee\nfour\n").unwrap();
        source.fill(&mut Block::default()).unwrap();
        assert_eq!(lines(source.as_ref()), ["three", "four"], "those that were looked at are gone");
        assert_eq!(source.key_log().unwrap().before, 2);
    }

    #[test]
    fn a_last_line_without_its_end_counts_and_a_long_one_is_left_out() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "{}\nlast", "x".repeat(100_000)).unwrap();
        let source = with_key_logs(Box::new(Nothing(Inventory::default())), &[file.path().to_owned()]).unwrap();
        assert_eq!(lines(source.as_ref()), ["last"]);
        assert_eq!(source.key_log().unwrap().left_out, 1);
    }

    #[test]
    fn what_windows_writes_is_read() {
        let text = "one 0a0A\r\n\u{d}\ntwo\r\nthree";
        let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
        let marked = format!("\u{feff}{text}");
        for bytes in [little(&marked), big(&marked), little(text), big(text), marked.clone().into_bytes(), text.as_bytes().to_vec()] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            let (half, rest) = bytes.split_at(5);
            file.write_all(half).unwrap();
            let mut source = with_key_logs(Box::new(Nothing(Inventory::default())), &[file.path().to_owned()]).unwrap();
            source.fill(&mut Block::default()).unwrap();
            file.write_all(rest).unwrap();
            source.fill(&mut Block::default()).unwrap();
            assert_eq!(lines(source.as_ref()), ["one 0a0A", "two"], "{bytes:02x?}");
            let whole = with_key_logs(Box::new(Nothing(Inventory::default())), &[file.path().to_owned()]).unwrap();
            assert_eq!(lines(whole.as_ref()), ["one 0a0A", "two", "three"], "{bytes:02x?}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error() {
        let missing = PathBuf::from("/nonexistent/keys.log");
        assert!(with_key_logs(Box::new(Nothing(Inventory::default())), &[missing]).is_err());
    }
}
