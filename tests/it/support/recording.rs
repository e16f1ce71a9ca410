//! A capture as a list of frames, to be cut, shifted and mixed, and written again.

use std::path::Path;

use handshark::frame::Block;

const SECOND: i64 = 1_000_000_000;

/// A frame, its time in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub time: i64,
    pub original_len: u32,
    pub bytes: Vec<u8>,
}

/// Frames of one link type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    pub link: u32,
    pub frames: Vec<Recorded>,
}

impl Recording {
    /// The frames of a capture.
    pub fn of(path: &Path) -> Self {
        let mut source = super::open(&[path]);
        let (mut block, mut link, mut frames) = (Block::default(), 1, Vec::new());
        while source.fill(&mut block).unwrap() {
            for frame in block.frames() {
                link = frame.head.link.0;
                frames.push(Recorded { time: frame.head.time.nanos(), original_len: frame.head.original_len, bytes: frame.bytes.to_vec() });
            }
        }
        Self { link, frames }
    }

    /// All frames so many seconds later, from this one on.
    pub fn later(mut self, from: usize, seconds: i64) -> Self {
        self.frames.iter_mut().skip(from).for_each(|frame| frame.time += seconds * SECOND);
        self
    }

    /// The frames before and from this one on.
    pub fn split(&self, at: usize) -> [Self; 2] {
        let (before, behind) = self.frames.split_at(at);
        [before, behind].map(|frames| Self { link: self.link, frames: frames.to_vec() })
    }

    /// As a pcap file with nanosecond stamps.
    pub fn pcap(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 262_144, self.link] {
            out.extend(word.to_le_bytes());
        }
        for frame in &self.frames {
            let (seconds, nanos) = (frame.time.div_euclid(SECOND), frame.time.rem_euclid(SECOND));
            for word in [seconds as u32, nanos as u32, frame.bytes.len() as u32, frame.original_len] {
                out.extend(word.to_le_bytes());
            }
            out.extend(&frame.bytes);
        }
        out
    }
}
