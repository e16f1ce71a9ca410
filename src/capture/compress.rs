//! Decompression: which format by magic, and a thread of its own, so that it runs beside the analysis. Pipes that somebody may want to leave are
//! read in such a thread, too.
//!
//! The thread fills a fixed number of recycled chunks and waits when all are full, so that however much a file expands to, little of it exists
//! at a time.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use lz4_flex::frame::FrameDecoder;

use crate::limits;

/// How an input is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Lz4,
    Xz,
}

impl Compression {
    /// By the first bytes.
    pub(super) fn detect(bytes: &[u8]) -> Option<Self> {
        MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|&(_, compression)| compression)
    }

    /// As reports name it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
        }
    }

    /// A decoder that goes on through concatenated members.
    pub(super) fn decoder(self, packed: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
        let packed = BufReader::with_capacity(PACKED_BUFFER, packed);
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
            Self::Lz4 => Box::new(Lz4(FrameDecoder::new(Probe { packed, behind: &[] }))),
            Self::Xz => {
                let stream = liblzma::stream::Stream::new_stream_decoder(limits::XZ_MEMORY, liblzma::stream::CONCATENATED)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(packed, stream))
            }
        })
    }
}

/// Makes up for two habits of the decoder: it stops at the end of a member though more follow, and it takes a missing end for an end.
struct Lz4<R: Read>(FrameDecoder<Probe<R>>);

/// What the decoder reads, with bytes put behind the end.
struct Probe<R> {
    packed: R,
    behind: &'static [u8],
}

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.0.read(into)?;
            if count > 0 || into.is_empty() {
                return Ok(count);
            }
            if self.0.get_mut().packed.fill_buf()?.is_empty() {
                break;
            }
        }
        // zeros are an end mark and a checksum within a member; where a member should begin they are no magic number
        self.0.get_mut().behind = &[0; 8];
        match self.0.read(into) {
            Err(error)
                if error
                    .get_ref()
                    .and_then(|why| why.downcast_ref())
                    .is_some_and(|why| matches!(why, lz4_flex::frame::Error::WrongMagicNumber)) =>
            {
                Ok(0)
            }
            Err(error) => Err(error),
            Ok(_) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "unexpected end of file")),
        }
    }
}

impl<R: Read> Read for Probe<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.packed.read(into)? {
            0 => self.behind.read(into),
            count => Ok(count),
        }
    }
}

/// The receiving end of a decompressing thread.
pub(super) struct Unpacked {
    full: Receiver<io::Result<Vec<u8>>>,
    empty: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
    stop: Option<Arc<AtomicBool>>,
}

impl Unpacked {
    /// Starts the thread. `greedy`: fills each chunk before passing it on, instead of handing over what there is. Once `stop` is set,
    /// the bytes end where there are none for the moment, and the thread is left waiting.
    pub(super) fn start(mut decoder: Box<dyn Read + Send>, greedy: bool, stop: Option<Arc<AtomicBool>>) -> io::Result<Self> {
        let (full_sender, full) = bounded(CHUNKS);
        let (empty, empty_receiver) = bounded::<Vec<u8>>(CHUNKS + 1);
        for _ in 0..CHUNKS {
            // there is room for all of them
            let _ = empty.send(Vec::new());
        }
        thread::Builder::new().name("unpack".to_owned()).spawn(move || {
            // either channel is gone when the reader is
            while let Ok(mut chunk) = empty_receiver.recv() {
                chunk.resize(CHUNK, 0);
                let (filled, outcome) = fill(&mut decoder, &mut chunk, greedy);
                chunk.truncate(filled);
                if filled > 0 && full_sender.send(Ok(chunk)).is_err() {
                    return;
                }
                match outcome {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        let _ = full_sender.send(Err(error));
                        return;
                    }
                }
            }
        })?;
        Ok(Self { full, empty, chunk: Vec::new(), at: 0, stop })
    }
}

impl Unpacked {
    /// The next chunk; none at the end.
    fn next(&self) -> Option<io::Result<Vec<u8>>> {
        let Some(stop) = &self.stop else { return self.full.recv().ok() };
        loop {
            match self.full.recv_timeout(PATIENCE) {
                Ok(next) => return Some(next),
                Err(RecvTimeoutError::Timeout) if !stop.load(Ordering::Relaxed) => {}
                Err(_) => return None,
            }
        }
    }
}

impl Read for Unpacked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.chunk.len() {
            let Some(next) = self.next() else { return Ok(0) };
            let spent = std::mem::replace(&mut self.chunk, next?);
            self.at = 0;
            // the thread may have ended
            let _ = self.empty.try_send(spent);
        }
        let rest = self.chunk.get(self.at..).unwrap_or_default();
        let count = rest.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at = self.at.saturating_add(count);
        Ok(count)
    }
}

/// Bytes got, and whether more may follow.
fn fill(decoder: &mut dyn Read, chunk: &mut [u8], greedy: bool) -> (usize, io::Result<bool>) {
    let mut filled = 0;
    while let Some(rest @ [_, ..]) = chunk.get_mut(filled..) {
        match decoder.read(rest) {
            Ok(0) => return (filled, Ok(false)),
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Err(error)),
        }
        if !greedy {
            break;
        }
    }
    (filled, Ok(true))
}

/// Magic numbers: RFC 1952 section 2.3.1 with the only method there is, RFC 8878 section 3.1.1, LZ4 frame format, .xz file format 2.1.1.1.
const MAGIC: [(&[u8], Compression); 4] = [
    (&[0x1f, 0x8b, 0x08], Compression::Gzip),
    (&[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd),
    (&[0x04, 0x22, 0x4d, 0x18], Compression::Lz4),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0x00], Compression::Xz),
];

/// Compressed bytes read at a time.
const PACKED_BUFFER: usize = 64 << 10;

/// How long after it was asked to a reader notices that it should stop.
const PATIENCE: Duration = Duration::from_millis(100);

/// Bytes of a chunk handed from the thread to the reader.
const CHUNK: usize = 256 << 10;

/// Chunks that exist between the two.
const CHUNKS: usize = 4;
