//! Segments of the usual kind, decoded some frames ahead of the one at hand.
//!
//! Between two packets of a connection come a thousand of others, so what is kept of it has left the core's nearer caches each time. Who takes
//! packets in is told of a few that come in a moment, and asks for their memory at once instead of waiting for one after the other.

use std::cell::Cell;

use crate::flow::FlowKey;
use crate::frame::{Block, Frame};
use crate::packet::{self, Packet, Segment};
use crate::transport::{Ask, Expected};

use super::partition::partition;

/// Frames that are looked at together: enough that memory has answered when it is needed, few enough that what it answered is still near.
const GROUP: usize = 8;

/// The packets of the next frames, as far as they are of the usual kind.
#[derive(Debug)]
pub(super) struct Ahead<'b> {
    frames: [Next<'b>; GROUP],
    /// The number of the first of them.
    pub(super) first: u64,
    at: usize,
    len: usize,
}

/// One of the next frames.
#[derive(Debug)]
pub(super) struct Next<'b> {
    /// What it holds; anything where it is not of the usual kind.
    packet: Packet<'b>,
    is_plain: bool,
    /// It is of the same flow as the frame before.
    again: bool,
    partition: u16,
    interface: u32,
    /// Its bytes that were captured.
    captured: u32,
    /// What is known of its flow, where that was asked for.
    flow: Cell<Expected>,
}

/// A frame of the usual kind that is at hand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain<'a> {
    /// The packet in it, and its segment.
    pub(super) packet: &'a Packet<'a>,
    pub(super) segment: &'a Segment<'a>,
    next: &'a Next<'a>,
}

impl Plain<'_> {
    #[inline]
    pub(super) const fn partition(&self) -> u16 {
        self.next.partition
    }

    #[inline]
    pub(super) const fn interface(&self) -> u32 {
        self.next.interface
    }

    /// Its bytes that were captured.
    #[inline]
    pub(super) const fn captured(&self) -> u32 {
        self.next.captured
    }

    /// What is known of its flow, once it was asked for.
    #[inline]
    pub(super) const fn flow(&self) -> &Cell<Expected> {
        &self.next.flow
    }
}

impl<'b> Next<'b> {
    /// Looks at the frame, behind one of this partition and flow. Gives its own, if it is of the usual kind.
    #[inline]
    fn look(&mut self, frame: Option<Frame<'b>>, before: Option<(u16, &FlowKey)>) -> Option<(u16, &FlowKey)> {
        (self.is_plain, self.again) = (false, false);
        let frame = frame?;
        packet::read_plain(&frame, &mut self.packet)?;
        let Packet::Tcp(Segment { key, .. }) = &self.packet else { return None };
        self.is_plain = true;
        self.partition = partition(key);
        self.interface = frame.head.interface;
        self.captured = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
        // What is known of a flow is handed on from frame to frame.
        self.again = before == Some((self.partition, key));
        Some((self.partition, key))
    }
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
        Self { frames: std::array::from_fn(nothing), first: 0, at: 0, len: 0 }
    }

    /// All that was looked at was taken.
    #[inline]
    pub(super) const fn is_spent(&self) -> bool {
        self.at == self.len
    }

    /// Looks at the first of the frames at these places of a block.
    #[inline]
    pub(super) fn look(&mut self, block: &'b Block, mut places: impl Iterator<Item = usize>) {
        self.at = 0;
        let (mut before, mut len) = (None, 0_usize);
        for next in &mut self.frames {
            let Some(place) = places.next() else { break };
            let frame = block.frame(place);
            if len == 0 {
                self.first = frame.map_or(0, |frame| frame.head.number);
            }
            len = len.saturating_add(1);
            before = next.look(frame, before);
        }
        self.len = len;
    }

    /// Tells `ask` three times of the first segment in them of each run of one flow, with its partition and what is known of the flow: all go a step
    /// before any of them goes another. What is known then holds until they are taken.
    #[inline]
    pub(super) fn approach(&self, mut ask: impl FnMut(Ask, u16, &Segment<'b>, &mut Expected)) {
        let frames = self.frames.get(..self.len).unwrap_or_default();
        for step in Ask::ALL {
            for next in frames {
                let Packet::Tcp(segment) = &next.packet else { continue };
                if next.is_plain && !next.again {
                    let mut known = next.flow.get();
                    ask(step, next.partition, segment, &mut known);
                    next.flow.set(known);
                }
            }
        }
        let mut before = Expected::default();
        for next in frames {
            if next.again {
                next.flow.set(before);
            }
            before = next.flow.get();
        }
    }

    /// The next frame; `None` where it is not of the usual kind.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Plain<'_>> {
        let next = self.frames.get(self.at)?;
        self.at = self.at.saturating_add(1);
        let Packet::Tcp(segment) = &next.packet else { return None };
        next.is_plain.then_some(Plain { packet: &next.packet, segment, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameHead, LinkType};

    /// A segment from this port, or something else.
    fn frame(port: Option<u8>) -> Vec<u8> {
        let mut bytes = vec![0; 54];
        for (at, value) in [(12, 8), (14, 0x45), (17, 40), (20, 0x40), (23, 6), (46, 0x50), (35, port.unwrap_or(0))] {
            bytes[at] = value;
        }
        if port.is_none() {
            bytes[12] = 0x86;
        }
        bytes
    }

    #[test]
    fn what_is_known_of_a_flow_is_handed_on_within_a_run_only() {
        let ports = [Some(1), Some(1), None, Some(1), Some(2), Some(2), Some(1), None, None, Some(3)];
        let mut block = Block::default();
        for (number, port) in (1..).zip(ports) {
            let head = FrameHead {
                number,
                link: LinkType(1),
                original_len: 54,
                time: crate::time::Timestamp::default(),
                interface: 0,
                site: crate::site::Site::NONE,
            };
            assert!(block.push(head, &frame(port)));
        }
        let mut ahead = Ahead::new();
        // What a group leaves behind stands in the way of the next.
        ahead.look(&block, 4..12);
        ahead.look(&block, 0..8);
        let mut asked = Vec::new();
        ahead.approach(|_, _, segment, _| asked.push(segment.mark.frame));
        assert_eq!(asked, [1, 4, 5, 7].repeat(Ask::ALL.len()), "the first of each run");
        let taken: Vec<Option<u64>> = (0..8).map(|_| ahead.take().map(|plain| plain.segment.mark.frame)).collect();
        assert_eq!(taken, [Some(1), Some(2), None, Some(4), Some(5), Some(6), Some(7), None]);
        assert!(ahead.is_spent());
    }
}
