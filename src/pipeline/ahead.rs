//! The last step to a worker, which takes segments in by the group: first the memory that each of them needs is asked for, so that it comes while
//! others are dealt with and not one after another.

use crate::packet::{self, Segment};
use crate::transport::Place;

use super::batch::{Routed, partition};
use super::worker::Worker;

/// Hands packets to a worker in their order. Segments wait until there is a group of them, something else comes, or it is
/// [flushed](Self::flush).
pub(super) struct Ahead<'w, 'b> {
    worker: &'w mut Worker,
    waiting: [Segment<'b>; GROUP],
    flows: [Flow; GROUP],
    len: usize,
}

/// What is known of the flow of a segment that waits.
#[derive(Debug, Clone, Copy, Default)]
struct Flow {
    partition: u16,
    interface: u32,
    /// As the worker's tables know it.
    hash: u64,
    place: Option<Place>,
}

/// Segments in a group: enough that memory has answered when it is needed, few enough that what it answered is still in the nearest cache.
const GROUP: usize = 8;

impl<'w, 'b> Ahead<'w, 'b> {
    /// Nothing waits.
    pub(super) fn new(worker: &'w mut Worker) -> Self {
        Self { worker, waiting: [packet::NOTHING; GROUP], flows: [Flow::default(); GROUP], len: 0 }
    }

    /// Takes a packet or tick; false for a frame that holds no segment of the usual kind. `before` is called before the worker takes anything in,
    /// with the number of the frame that comes next.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once a packet")]
    pub(super) fn take(&mut self, routed: Routed<'_, 'b>, mut before: impl FnMut(&mut Worker, u64)) -> bool {
        let Routed::Frame { frame, .. } = routed else {
            self.flush(&mut before);
            if let Routed::Segment { segment, .. } = routed {
                before(self.worker, segment.mark.frame);
            }
            self.worker.take(routed);
            return true;
        };
        let (Some(slot), Some(flow)) = (self.waiting.get_mut(self.len), self.flows.get_mut(self.len)) else { return false };
        if packet::read_plain(frame, slot).is_none() {
            return false;
        }
        let partition = partition(&slot.key);
        *flow = Flow { partition, interface: frame.head.interface, hash: self.worker.expect(partition, &slot.key), place: None };
        self.len += 1;
        if self.len == GROUP {
            self.flush(before);
        }
        true
    }

    /// Takes in what waits.
    #[inline(never)]
    pub(super) fn flush(&mut self, mut before: impl FnMut(&mut Worker, u64)) {
        let (Some(flows), Some(waiting)) = (self.flows.get_mut(..self.len), self.waiting.get(..self.len)) else { return };
        self.len = 0;
        let Some(first) = waiting.first() else { return };
        for (flow, segment) in flows.iter_mut().zip(waiting) {
            flow.place = self.worker.approach(flow.partition, flow.hash, !segment.payload.is_empty());
        }
        for (flow, segment) in flows.iter().zip(waiting) {
            if let Some(place) = flow.place {
                self.worker.approach_more(flow.partition, place, !segment.payload.is_empty());
            }
        }
        before(self.worker, first.mark.frame);
        for (flow, segment) in flows.iter().zip(waiting) {
            self.worker.segment(flow.partition, flow.interface, segment, (flow.hash, flow.place));
        }
    }
}
