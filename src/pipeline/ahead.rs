//! Segments of the usual kind, decoded some frames ahead of the one at hand.
//!
//! Between two packets of a connection come a thousand of others, so what is kept of it has left the core's nearer caches each time. Who takes
//! packets in is told of a few that come in a moment, and asks for their memory at once instead of waiting for one after the other.

use crate::frame::Block;
use crate::packet::{self, Packet, Segment};

/// Frames that are looked at together: enough that memory has answered when it is needed, few enough that what it answered is still near.
const GROUP: usize = 8;

/// The packets of the next frames, as far as they are of the usual kind.
pub(super) struct Ahead<'b> {
    packets: [Option<Packet<'b>>; GROUP],
    at: usize,
    len: usize,
}

impl<'b> Ahead<'b> {
    /// Nothing was looked at.
    pub(super) const fn new() -> Self {
        Self { packets: [const { None }; GROUP], at: 0, len: 0 }
    }

    /// All that was looked at was taken.
    #[inline]
    pub(super) const fn is_spent(&self) -> bool {
        self.at == self.len
    }

    /// Looks at the first of the frames at these places of a block.
    #[inline]
    pub(super) fn look(&mut self, block: &'b Block, places: impl Iterator<Item = usize>) {
        (self.at, self.len) = (0, 0);
        for (slot, place) in self.packets.iter_mut().zip(places) {
            self.len = self.len.saturating_add(1);
            let packet = slot.insert(Packet::nothing());
            if block.frame(place).and_then(|frame| packet::read_plain(&frame, packet)).is_none() {
                *slot = None;
            }
        }
    }

    /// The first segment in them of each run of one flow.
    #[inline]
    pub(super) fn coming(&self) -> impl Iterator<Item = &Segment<'b>> {
        let segments = self.packets.iter().take(self.len).filter_map(|packet| match packet {
            Some(Packet::Tcp(segment)) => Some(segment),
            _ => None,
        });
        let mut before = None;
        segments.filter(move |segment| {
            let key = &segment.key;
            before.replace(key) != Some(key)
        })
    }

    /// The packet of the next frame; `None` where it is not of the usual kind.
    #[inline]
    pub(super) fn take(&mut self) -> Option<&Packet<'b>> {
        let packet = self.packets.get(self.at)?;
        self.at = self.at.saturating_add(1);
        packet.as_ref()
    }
}
