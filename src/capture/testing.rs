//! Capture files built byte by byte, and everything that comes out of one.

use std::io::{self, Read};
use std::path::Path;

use super::{FrameSource, Inventory, open_stream};
use crate::error::Error;
use crate::frame::{Block, FrameHead};

/// A pcap file in the making.
pub(super) struct PcapFile {
    pub(super) bytes: Vec<u8>,
    big: bool,
    modified: bool,
}

impl PcapFile {
    pub(super) fn new(big: bool, magic: u32, link: u32) -> Self {
        let mut file = Self { bytes: Vec::new(), big, modified: magic == 0xa1b2_cd34 };
        file.u32(magic);
        file.bytes.extend(if big { [0, 2, 0, 4] } else { [2, 0, 4, 0] });
        for value in [0, 0, 65_535, link] {
            file.u32(value);
        }
        file
    }

    pub(super) fn record(&mut self, seconds: u32, fraction: u32, data: &[u8], original_len: u32) {
        for value in [seconds, fraction, u32::try_from(data.len()).unwrap(), original_len] {
            self.u32(value);
        }
        if self.modified {
            self.bytes.extend([9; 8]);
        }
        self.bytes.extend(data);
    }

    fn u32(&mut self, value: u32) {
        self.bytes.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }
}

/// What a capture gave.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) frames: Vec<(FrameHead, Vec<u8>)>,
    pub(super) inventory: Inventory,
}

/// Reads a capture out of memory.
pub(super) fn read_all(bytes: &[u8]) -> Outcome {
    try_read(Chunked { bytes: bytes.to_vec(), at: 0, size: usize::MAX }).unwrap()
}

/// The same from a pipe that gives `size` bytes at a time.
pub(super) fn read_in_pieces(bytes: &[u8], size: usize) -> Result<Outcome, Error> {
    try_read(Chunked { bytes: bytes.to_vec(), at: 0, size })
}

fn try_read(stream: Chunked) -> Result<Outcome, Error> {
    let source = open_stream(Path::new("test"), Box::new(stream), None)?;
    Ok(drain(source))
}

/// All frames of a source, copied.
pub(super) fn drain(mut source: Box<dyn FrameSource>) -> Outcome {
    let mut frames = Vec::new();
    let mut block = Block::default();
    while source.fill(&mut block).unwrap() {
        frames.extend(block.frames().map(|frame| (frame.head, frame.bytes.to_vec())));
    }
    assert!(block.is_empty());
    assert!(!source.fill(&mut block).unwrap(), "an end is an end");
    Outcome { frames, inventory: source.inventory().clone() }
}

struct Chunked {
    bytes: Vec<u8>,
    at: usize,
    size: usize,
}

impl Read for Chunked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = into.len().min(self.size).min(self.bytes.len() - self.at);
        into[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
