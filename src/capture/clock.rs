//! Frames with an impossible time: far from the frames before and behind them, which agree with each other. A sniffer's clock that read wrongly
//! once, a bit that fell over. Such a frame is given a time half-way between its neighbours', lest the whole analysis leap with it.

use crate::frame::Block;
use crate::time::Timestamp;
use crate::watch::GAP;

/// The clock of one input.
#[derive(Debug, Default)]
pub(super) struct InputClock {
    /// The last frame's time, of the fill before.
    last: Option<Timestamp>,
}

/// A frame whose time was impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OddTime {
    /// Its number.
    pub frame: u64,
    /// The time that it was captured with.
    pub time: Timestamp,
}

impl InputClock {
    /// Mends the times of a block's frames, which lie between `earliest` and `latest`; `told` is called for each frame that was mended.
    pub(super) fn mend(&mut self, block: &mut Block, [earliest, latest]: [Timestamp; 2], mut told: impl FnMut(OddTime)) {
        let Some(ends) = block.frame(0).zip(block.len().checked_sub(1).and_then(|last| block.frame(last))) else { return };
        let [first, last] = [ends.0.head.time, ends.1.head.time];
        let mut before = self.last.unwrap_or(first);
        // Nearly always all of them are near each other.
        if !is_far(earliest.min(before), latest.max(before)) {
            self.last = Some(last);
            return;
        }
        for place in 0..block.len() {
            let Some(head) = block.frame(place).map(|frame| frame.head) else { break };
            if is_far(before, head.time) {
                // Whether it or what came before it is wrong is for the next frames to say.
                let behind = (place.saturating_add(1)..=place.saturating_add(ODD_IN_A_ROW)).filter_map(|next| block.frame(next));
                let next = behind.into_iter().map(|next| next.head.time).find(|next| !is_far(before, *next));
                if let Some(next) = next {
                    told(OddTime { frame: head.number, time: head.time });
                    before = before.after(next.since(before).checked_div(2).unwrap_or_default());
                    block.set_time(place, before);
                    continue;
                }
            }
            before = head.time;
        }
        self.last = Some(before);
    }
}

fn is_far(one: Timestamp, other: Timestamp) -> bool {
    one.apart(other) > GAP
}

/// Frames in a row that may be wrong.
const ODD_IN_A_ROW: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameHead, LinkType};

    fn mended(clock: &mut InputClock, seconds: &[i64]) -> (Vec<i64>, usize) {
        let mut block = Block::default();
        for (number, second) in (1..).zip(seconds) {
            let time = Timestamp::from_parts(*second, 0);
            block.push(FrameHead { number, time, link: LinkType(1), interface: 0, site: crate::site::Site::NONE, original_len: 1 }, &[0]);
        }
        let mut odd = 0;
        let times = || seconds.iter().map(|second| Timestamp::from_parts(*second, 0));
        clock.mend(&mut block, [times().min().unwrap(), times().max().unwrap()], |_| odd += 1);
        (block.frames().map(|frame| frame.head.time.seconds()).collect(), odd)
    }

    #[test]
    fn what_the_next_frame_takes_back_was_never_so() {
        let mut clock = InputClock::default();
        assert_eq!(mended(&mut clock, &[10, 12, 90_000, 16, 17]), (vec![10, 12, 14, 16, 17], 1));
        assert_eq!(
            mended(&mut clock, &[90_000, 19, -5_000, -5_000, 27]),
            (vec![18, 19, 23, 25, 27], 3),
            "in both directions, over the edge of a fill"
        );
    }

    #[test]
    fn a_clock_that_was_set_stays_set() {
        assert_eq!(mended(&mut InputClock::default(), &[10, 11, 3_611, 3_612]), (vec![10, 11, 3_611, 3_612], 0));
        assert_eq!(mended(&mut InputClock::default(), &[3_611, 3_612, 10, 11]), (vec![3_611, 3_612, 10, 11], 0));
        assert_eq!(mended(&mut InputClock::default(), &[10, 11, 3_611]), (vec![10, 11, 3_611], 0), "nothing takes it back");
    }
}
