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
        self.len = self.len.saturating_add(1);
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::capture::{self, Inputs};
    use crate::diagnosis::rule::Policy;
    use crate::frame::Block;
    use crate::pipeline::router::Router;

    /// What a worker concludes of a capture's blocks, taking segments in by the group or one by one.
    fn concluded(blocks: &[Block], grouped: bool) -> String {
        let mut router = Router::new(false);
        let mut worker = Worker::new(0, 1, &Policy::default(), false);
        for block in blocks {
            let mut ahead = Ahead::new(&mut worker);
            router.route(block, |routed| {
                let taken = ahead.take(routed, |_, _| {});
                if !grouped {
                    ahead.flush(|_, _| {});
                }
                taken
            });
            ahead.flush(|_, _| {});
        }
        worker.end(router.counts().last);
        format!("{:?} {:?}", worker.drain().handshakes, worker.counters())
    }

    #[test]
    fn groups_change_nothing() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures");
        let families = std::fs::read_dir(root).unwrap().map(|family| family.unwrap().path());
        let (mut captures, mut handshakes) = (0, 0);
        for path in families.flat_map(|family| std::fs::read_dir(family).unwrap()).map(|entry| entry.unwrap().path()) {
            let Ok(mut source) = capture::open(&Inputs { paths: vec![path.clone()], filter: None }) else { continue };
            let (mut blocks, mut block) = (Vec::new(), Block::default());
            while source.fill(&mut block).unwrap_or(false) {
                blocks.push(std::mem::take(&mut block));
            }
            let one_by_one = concluded(&blocks, false);
            assert!(concluded(&blocks, true) == one_by_one, "{}", path.display());
            captures += 1;
            handshakes += one_by_one.matches("closed_at:").count();
        }
        assert!(captures > 100 && handshakes > captures, "{captures} {handshakes}");
    }
}
