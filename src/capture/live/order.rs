//! Puts the packets of several threads that capture into one order of time.

use std::collections::VecDeque;
use std::time::Duration;

use crate::frame::{Block, FrameHead};
use crate::limits;
use crate::time::Timestamp;

/// Holds packets back until no earlier one can come.
#[derive(Debug)]
pub(super) struct Order {
    feeds: Vec<Waiting>,
    bytes: usize,
    /// The number of the last frame given out.
    number: u64,
}

#[derive(Debug, Default)]
struct Waiting {
    blocks: VecDeque<Block>,
    /// The next frame of the first block.
    at: usize,
    /// The latest time seen.
    latest: Option<Timestamp>,
    /// Packets given out, and their bytes.
    given: (u64, u64),
}

impl Waiting {
    fn head(&self) -> Option<FrameHead> {
        self.blocks.front()?.frame(self.at).map(|frame| frame.head)
    }
}

impl Order {
    pub(super) fn new(feeds: usize) -> Self {
        Self { feeds: (0..feeds).map(|_| Waiting::default()).collect(), bytes: 0, number: 0 }
    }

    /// Takes a block of a feed.
    pub(super) fn take(&mut self, feed: usize, block: Block) {
        let Some(waiting) = self.feeds.get_mut(feed).filter(|_| !block.is_empty()) else { return };
        waiting.latest = block.frame(block.len().saturating_sub(1)).map(|frame| frame.head.time).max(waiting.latest);
        self.bytes = self.bytes.saturating_add(block.byte_len());
        waiting.blocks.push_back(block);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.feeds.iter().all(|waiting| waiting.blocks.is_empty())
    }

    /// Empties it, and tells of each feed how many packets waited.
    pub(super) fn give_up(&mut self) -> Vec<(usize, u64)> {
        let left = |waiting: &mut Waiting| {
            let packets = waiting.blocks.drain(..).fold(0_u64, |sum, block| sum.saturating_add(block.len() as u64));
            packets.saturating_sub(std::mem::take(&mut waiting.at) as u64)
        };
        self.bytes = 0;
        self.feeds.iter_mut().map(left).enumerate().collect()
    }

    /// Feed, packets and bytes given out since this was last asked.
    pub(super) fn given(&mut self) -> impl Iterator<Item = (usize, u64, u64)> {
        self.feeds
            .iter_mut()
            .map(|waiting| std::mem::take(&mut waiting.given))
            .enumerate()
            .map(|(feed, (packets, bytes))| (feed, packets, bytes))
    }

    /// Fills a block with what is due, in order of time, and calls `spare` with blocks that are used up. `now` is the present; `None` gives out
    /// everything.
    pub(super) fn fill(&mut self, out: &mut Block, now: Option<Timestamp>, mut spare: impl FnMut(Block)) {
        let heard = self.feeds.iter().map(|waiting| waiting.latest).min().flatten().unwrap_or(Timestamp::MIN);
        let limit = match now {
            Some(now) => heard.max(now.before(GRACE)),
            None => Timestamp::MAX,
        };
        while out.byte_len() < limits::READ_BYTES {
            let next = self.feeds.iter().enumerate().filter_map(|(feed, waiting)| Some((waiting.head()?.time, feed))).min();
            let Some((_, feed)) = next.filter(|(time, _)| *time <= limit || self.bytes > limits::LIVE_MERGE_BYTES) else { break };
            let Some(waiting) = self.feeds.get_mut(feed) else { break };
            if let Some(frame) = waiting.blocks.front().and_then(|block| block.frame(waiting.at)) {
                self.number = self.number.saturating_add(1);
                out.push(FrameHead { number: self.number, ..frame.head }, frame.bytes);
                waiting.at = waiting.at.saturating_add(1);
                let (packets, bytes) = waiting.given;
                waiting.given = (packets.saturating_add(1), bytes.saturating_add(frame.bytes.len() as u64));
            }
            if waiting.blocks.front().is_some_and(|block| waiting.at >= block.len()) {
                waiting.at = 0;
                if let Some(block) = waiting.blocks.pop_front() {
                    self.bytes = self.bytes.saturating_sub(block.byte_len());
                    spare(block);
                }
            }
        }
    }
}

/// The longest that a packet may be under way between the kernel and here: the ring's timeout, twice, and what a busy machine adds.
const GRACE: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::LinkType;

    fn block(times: &[i64]) -> Block {
        let mut block = Block::default();
        for time in times {
            let head = FrameHead {
                number: 0,
                time: Timestamp::from_nanos(time * 1_000_000),
                link: LinkType(1),
                interface: 0,
                site: crate::site::Site::NONE,
                original_len: 1,
            };
            block.push(head, &[0]);
        }
        block
    }

    fn filled(order: &mut Order, now: Option<i64>) -> Vec<(u64, i64)> {
        let mut out = Block::default();
        order.fill(&mut out, now.map(|now| Timestamp::from_nanos(now * 1_000_000)), drop);
        out.frames().map(|frame| (frame.head.number, frame.head.time.nanos() / 1_000_000)).collect()
    }

    #[test]
    fn packets_wait_for_earlier_ones_of_other_feeds() {
        let mut order = Order::new(2);
        order.take(0, block(&[1000, 1020, 1040]));
        // The other feed may still bring something from before.
        assert_eq!(filled(&mut order, Some(1050)), []);
        order.take(1, block(&[1010, 1030]));
        assert_eq!(filled(&mut order, Some(1050)), [(1, 1000), (2, 1010), (3, 1020), (4, 1030)]);
        // It stays silent: after the grace its silence counts.
        assert_eq!(filled(&mut order, Some(1400)), [(5, 1040)]);
        assert!(order.is_empty());
    }

    #[test]
    fn nothing_is_left_at_the_end() {
        let mut order = Order::new(3);
        order.take(2, block(&[7]));
        order.take(0, block(&[9]));
        assert_eq!(filled(&mut order, None), [(1, 7), (2, 9)]);
        assert!(order.is_empty());
    }
}
