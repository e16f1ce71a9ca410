//! Frames as a capture holds them, and the blocks that carry them between threads.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

use crate::site::Site;
use crate::time::{Mark, Timestamp};

/// What the writer of a slice calls itself in the file: such a file holds every packet of the flows it holds any of.
pub const SLICER: &str = "handshark slice ";

/// A link-layer header type, as in pcap and pcapng files (<https://www.tcpdump.org/linktypes.html>). Unknown values are kept.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u32);

/// What is known of a frame besides its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// Counted from 1 over all inputs in the order read.
    pub number: u64,
    /// When it was captured.
    pub time: Timestamp,
    /// How its first bytes are to be read.
    pub link: LinkType,
    /// Which of the capture's interfaces saw it: an index into [`crate::capture::Inventory::interfaces`].
    pub interface: u32,
    /// The site of that interface.
    pub site: Site,
    /// Length on the wire in bytes; more than was captured when the snapshot length cut it.
    pub original_len: u32,
}

/// One captured frame, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// What is known of it.
    pub head: FrameHead,
    /// The captured bytes.
    pub bytes: &'a [u8],
}

impl Frame<'_> {
    /// Where on the capture it stands.
    pub const fn mark(&self) -> Mark {
        Mark { frame: self.head.number, time: self.head.time }
    }
}

/// A run of frames in one recycled buffer: what the reader hands to the pipeline.
#[derive(Debug, Default)]
pub struct Block {
    bytes: Vec<u8>,
    frames: Vec<(FrameHead, u32, u32)>,
}

impl Block {
    /// Forgets the frames and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
    }

    /// Forgets the frames and leaves the buffer's old bytes in place, for a reader that overwrites them: spares setting to zero what has been
    /// initialised before.
    pub fn forget_frames(&mut self) {
        self.frames.clear();
    }

    /// Keeps the frames for which `keep` says so, in their order; the bytes stay.
    pub fn retain(&mut self, mut keep: impl FnMut(Frame<'_>) -> bool) {
        let bytes = &self.bytes;
        self.frames.retain(|&(head, start, len)| keep(Frame { head, bytes: range(bytes, start, len) }));
    }

    /// Appends a frame, copying its bytes. False when the block cannot hold more than 4 GiB and took nothing.
    pub fn push(&mut self, head: FrameHead, bytes: &[u8]) -> bool {
        let (Ok(start), Ok(len)) = (u32::try_from(self.bytes.len()), u32::try_from(bytes.len())) else { return false };
        self.bytes.extend_from_slice(bytes);
        self.frames.push((head, start, len));
        true
    }

    /// The raw buffer, for a reader that fills it with a file's bytes and then points into it with [`Block::point`].
    pub const fn buffer_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Adds a frame whose bytes already lie in the buffer at `start`.
    pub fn point(&mut self, head: FrameHead, start: u32, len: u32) {
        self.frames.push((head, start, len));
    }

    /// Gives the frame at this place another time.
    pub fn set_time(&mut self, place: usize, time: Timestamp) {
        if let Some((head, ..)) = self.frames.get_mut(place) {
            head.time = time;
        }
    }

    /// How many frames it holds.
    pub const fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether it holds none.
    pub const fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes held.
    pub const fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The raw buffer.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where a slice of this block's buffer begins; `None` for a slice of anything else.
    pub fn position_of(&self, slice: &[u8]) -> Option<usize> {
        let start = (slice.as_ptr() as usize).checked_sub(self.bytes.as_ptr() as usize)?;
        (start.checked_add(slice.len())? <= self.bytes.len()).then_some(start)
    }

    /// One frame by its place in the block. A range outside the buffer gives an empty frame.
    pub fn frame(&self, index: usize) -> Option<Frame<'_>> {
        let (head, start, len) = *self.frames.get(index)?;
        Some(Frame { head, bytes: range(&self.bytes, start, len) })
    }

    /// The frames in order.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        (0..self.frames.len()).filter_map(|index| self.frame(index))
    }
}

/// The bytes at `start`, none when they lie outside.
fn range(bytes: &[u8], start: u32, len: u32) -> &[u8] {
    bytes.get(start as usize..).and_then(|rest| rest.get(..len as usize)).unwrap_or_default()
}
