//! The bytes of one input: a file or a stream, decompressed where it is compressed.

use std::io::{self, Cursor, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::beneath;
use super::compress::{Compression, Unpacked};
use crate::error::{Error, Result};
use crate::site::Observer;

/// Uncompressed bytes of an input.
pub(super) struct Source {
    bytes: Box<dyn Read + Send>,
    /// How it is compressed.
    pub(super) compression: Option<Compression>,
    /// Whether a read that gives little is worth repeating at once: so with files, not with pipes.
    pub(super) greedy: bool,
}

/// What ties all inputs of a capture together.
#[derive(Debug, Clone, Default)]
pub(super) struct Ties {
    /// Bytes consumed of all of them.
    pub(super) consumed: Arc<AtomicU64>,
    /// Who captured them, as far as it was said for all.
    pub(super) observer: Observer,
    /// Set from outside: pipes that have nothing to read end here.
    pub(super) stop: Option<Arc<AtomicBool>>,
}

/// Where decompression is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unpack {
    /// In the thread that reads.
    Here,
    /// In a thread of its own.
    Beside,
}

impl Source {
    /// A file, or a FIFO or device by its path.
    pub(super) fn open(path: &Path, unpack: Unpack, ties: &Ties) -> Result<Self> {
        let cannot = |source| Error::Open { path: path.to_owned(), source };
        let file = beneath::open(path).map_err(cannot)?;
        let greedy = file.metadata().map_err(cannot)?.is_file();
        Self::new(path, Box::new(file), greedy, unpack, ties)
    }

    /// Any stream of bytes. Waits for the first ones, to see whether they are compressed.
    pub(super) fn new(path: &Path, bytes: Box<dyn Read + Send>, greedy: bool, unpack: Unpack, ties: &Ties) -> Result<Self> {
        let cannot = |source| Error::Read { path: path.to_owned(), source };
        // a read that waits cannot be called off, so somebody else waits where that may be wanted
        let bytes = match &ties.stop {
            Some(stop) if !greedy => Box::new(Unpacked::start(bytes, false, Some(Arc::clone(stop))).map_err(cannot)?),
            _ => bytes,
        };
        let mut plain = Self { bytes: Box::new(Counted { bytes, consumed: Arc::clone(&ties.consumed) }), compression: None, greedy };
        let mut head = Vec::new();
        plain.read_at_least(MAGIC_LEN, &mut head).map_err(cannot)?;
        let compression = Compression::detect(&head);
        let whole = Box::new(Cursor::new(head).chain(plain.bytes));
        let bytes: Box<dyn Read + Send> = match compression {
            None => whole,
            Some(compression) => {
                let decoder = compression.decoder(whole).map_err(cannot)?;
                match unpack {
                    Unpack::Here => decoder,
                    Unpack::Beside => Box::new(Unpacked::start(decoder, greedy, None).map_err(cannot)?),
                }
            }
        };
        Ok(Self { bytes, compression, greedy })
    }

    /// The compression's name, or nothing.
    pub(super) fn name(&self) -> &'static str {
        self.compression.map_or("", Compression::name)
    }

    /// Appends bytes until there are `want`, or fewer at the end. What was read before an error is kept.
    pub(super) fn read_at_least(&mut self, want: usize, into: &mut Vec<u8>) -> io::Result<()> {
        let mut filled = into.len();
        into.resize(want.max(filled), 0);
        let outcome = loop {
            let Some(rest @ [_, ..]) = into.get_mut(filled..) else { break Ok(()) };
            match self.bytes.read(rest) {
                Ok(0) => break Ok(()),
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        into.truncate(filled);
        outcome
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(into)
    }
}

/// Counts what is read, for progress.
struct Counted {
    bytes: Box<dyn Read + Send>,
    consumed: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(into)?;
        self.consumed.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Bytes of the longest magic number.
const MAGIC_LEN: usize = 6;
