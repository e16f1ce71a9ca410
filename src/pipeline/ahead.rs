//! Segments of the usual kind, decoded some frames ahead of the one at hand.
//!
//! Between two packets of a connection come a thousand of others, so what is kept of it has left the core's nearer caches each time. Who takes
//! packets in is told of a few that come in a moment, and asks for their memory at once instead of waiting for one after the other.

use std::cell::Cell;

use crate::frame::Block;
use crate::packet::{self, Packet, Segment};
use crate::transport::Expected;

use super::batch::partition;

/// Frames that are looked at together: enough that memory has answered when it is needed, few enough that what it answered is still near.
const GROUP: usize = 8;

/// The packets of the next frames, as far as they are of the usual kind.
#[derive(Debug)]
pub(super) struct Ahead<'b> {
    frames: [Next<'b>; GROUP],
    /// Who takes them in was told of them.
    foretold: bool,
    at: usize,
    len: usize,
}

/// One of the next frames.
#[derive(Debug)]
struct Next<'b> {
    /// What it holds; anything where it is not of the usual kind.
    packet: Packet<'b>,
    is_plain: bool,
    /// It is of the same flow as the frame before.
    again: bool,
    partition: u16,
    interface: u32,
    /// Its bytes that were captured.
    captured: u32,
    /// What is known of its flow.
    flow: Cell<Expected>,
}

/// A frame of the usual kind that is at hand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain<'a, 'b> {
    /// The packet in it, and its segment.
    pub(super) packet: &'a Packet<'b>,
    pub(super) segment: &'a Segment<'b>,
    pub(super) partition: u16,
    pub(super) interface: u32,
    /// Its bytes that were captured.
    pub(super) captured: u32,
    /// What is known of its flow, where that was asked for.
    pub(super) expected: Option<Expected>,
}

impl<'b> Ahead<'b> {
    /// Nothing was looked at.
    pub(super) fn new() -> Self {
        let nothing = |_| Next {
            packet: Packet::nothing(),
            is_plain: false,
            again: false,
            partition: 0,
            interface: 0,
            captured: 0,
            flow: Cell::default(),
        };
        Self { frames: std::array::from_fn(nothing), foretold: false, at: 0, len: 0 }
    }

    /// All that was looked at was taken.
    #[inline]
    pub(super) const fn is_spent(&self) -> bool {
        self.at == self.len
    }

    /// Looks at the first of the frames at these places of a block.
    #[inline]
    pub(super) fn look(&mut self, block: &'b Block, mut places: impl Iterator<Item = usize>) {
        (self.at, self.len, self.foretold) = (0, 0, false);
        let mut before = None;
        for next in &mut self.frames {
            let Some(place) = places.next() else { break };
            self.len = self.len.saturating_add(1);
            next.is_plain = false;
            // What is known of a flow before a frame that is not plain need not be so behind it.
            let last = before.take();
            let Some(frame) = block.frame(place) else { continue };
            if packet::read_plain(&frame, &mut next.packet).is_none() {
                continue;
            }
            let Packet::Tcp(Segment { key, .. }) = &next.packet else { continue };
            next.is_plain = true;
            next.partition = partition(key);
            next.interface = frame.head.interface;
            next.captured = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
            next.again = last == Some((next.partition, key));
            before = Some((next.partition, key));
        }
    }

    /// The first segment in them of each run of one flow, with its partition and a place for what is known of the flow.
    #[inline]
    pub(super) fn coming(&self) -> impl Iterator<Item = (u16, &Segment<'b>, &Cell<Expected>)> {
        self.frames.get(..self.len).unwrap_or_default().iter().filter_map(|next| match &next.packet {
            Packet::Tcp(segment) if next.is_plain && !next.again => Some((next.partition, segment, &next.flow)),
            _ => None,
        })
    }

    /// What is known of their flows now holds until they are taken.
    #[inline]
    pub(super) fn foretold(&mut self) {
        self.foretold = true;
        let mut before = Expected::default();
        for next in self.frames.iter().take(self.len) {
            if next.again {
                next.flow.set(before);
            }
            before = next.flow.get();
        }
    }

    /// The next frame; `None` where it is not of the usual kind.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Plain<'_, 'b>> {
        let next = self.frames.get(self.at)?;
        self.at = self.at.saturating_add(1);
        let Packet::Tcp(segment) = &next.packet else { return None };
        next.is_plain.then(|| Plain {
            packet: &next.packet,
            segment,
            partition: next.partition,
            interface: next.interface,
            captured: next.captured,
            expected: self.foretold.then(|| next.flow.get()),
        })
    }
}
