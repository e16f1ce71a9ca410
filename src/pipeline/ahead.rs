//! Segments of the usual kind, decoded some frames ahead of the one at hand.
//!
//! Between two packets of a connection come a thousand of others, so what is kept of it has left the core's nearer caches each time. Who takes
//! packets in is told of a few that come in a moment, and asks for their memory at once instead of waiting for one after the other.

use std::cell::Cell;

use crate::frame::Block;
use crate::packet::{self, Packet, Segment};
use crate::transport::Expected;

/// Frames that are looked at together: enough that memory has answered when it is needed, few enough that what it answered is still near.
const GROUP: usize = 8;

/// The packets of the next frames, as far as they are of the usual kind.
pub(super) struct Ahead<'b> {
    packets: [Option<Packet<'b>>; GROUP],
    /// What is known of their flows.
    flows: [Cell<Expected>; GROUP],
    /// Those of the same flow as the segment before.
    again: [bool; GROUP],
    /// Who takes them in was told of them.
    foretold: bool,
    at: usize,
    len: usize,
}

impl<'b> Ahead<'b> {
    /// Nothing was looked at.
    pub(super) fn new() -> Self {
        let flows = std::array::from_fn(|_| Cell::default());
        Self { packets: [const { None }; GROUP], flows, again: [false; GROUP], foretold: false, at: 0, len: 0 }
    }

    /// All that was looked at was taken.
    #[inline]
    pub(super) const fn is_spent(&self) -> bool {
        self.at == self.len
    }

    /// Looks at the first of the frames at these places of a block.
    #[inline]
    pub(super) fn look(&mut self, block: &'b Block, places: impl Iterator<Item = usize>) {
        (self.at, self.len, self.foretold) = (0, 0, false);
        let mut before = None;
        for ((slot, again), place) in self.packets.iter_mut().zip(&mut self.again).zip(places) {
            self.len = self.len.saturating_add(1);
            let packet = slot.insert(Packet::nothing());
            if block.frame(place).and_then(|frame| packet::read_plain(&frame, packet)).is_none() {
                *slot = None;
            }
            let key = match slot {
                Some(Packet::Tcp(segment)) => Some(&segment.key),
                _ => None,
            };
            *again = key.is_some() && key == before;
            before = key;
        }
    }

    /// The first segment in them of each run of one flow, with a place for what is known of the flow.
    #[inline]
    pub(super) fn coming(&self) -> impl Iterator<Item = (&Segment<'b>, &Cell<Expected>)> {
        let all = self.packets.iter().zip(&self.flows).zip(&self.again).take(self.len);
        all.filter_map(|((packet, flow), again)| match packet {
            Some(Packet::Tcp(segment)) if !again => Some((segment, flow)),
            _ => None,
        })
    }

    /// What is known of their flows now holds until they are taken.
    #[inline]
    pub(super) fn foretold(&mut self) {
        self.foretold = true;
        let mut before = Expected::default();
        for (flow, again) in self.flows.iter().zip(&self.again).take(self.len) {
            if *again {
                flow.set(before);
            }
            before = flow.get();
        }
    }

    /// The packet of the next frame, and what is known of its flow where that was asked for; `None` where it is not of the usual kind.
    #[inline]
    pub(super) fn take(&mut self) -> Option<(&Packet<'b>, Option<Expected>)> {
        let (packet, flow) = (self.packets.get(self.at)?, self.flows.get(self.at)?);
        self.at = self.at.saturating_add(1);
        Some((packet.as_ref()?, self.foretold.then(|| flow.get())))
    }
}
