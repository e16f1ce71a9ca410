//! When somebody listened: the times in which each source of frames was heard, and the gaps between them.
//!
//! A source is one interface of one input, or several that hold parts of the same connections and follow each other closely, as rotated files
//! do. Where none of its frames comes for long, nothing tells a quiet network from a capture that stood still: a silence that reaches into such a
//! gap ends, as far as anybody can say, where the gap begins.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::{Mark, Timestamp};

/// A time in which a source was not heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The source, by its number in [`Watch`].
    pub source: u32,
    /// Its last frame before the gap; at the end of an input later, when its other interfaces went on.
    pub since: Mark,
    /// Its first frame behind the gap, if there is one yet.
    pub until: Option<Mark>,
}

/// What is known of all sources up to now. Empty for a live capture, which is heard while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watch {
    /// The source of each interface.
    sources: Vec<u32>,
    /// In the order in which they began, the latest only.
    gaps: VecDeque<Gap>,
}

impl Watch {
    /// The source that an interface belongs to.
    #[inline]
    pub fn source(&self, interface: u32) -> u32 {
        self.sources.get(interface as usize).copied().unwrap_or(interface)
    }

    /// Every gap still known.
    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.gaps.iter()
    }

    /// Where the source of this interface fell silent first, not before this frame. `None`: it has been heard all the time since.
    pub fn lapse(&self, interface: u32, frame: u64) -> Option<Mark> {
        let source = self.source(interface);
        self.gaps.iter().find(|gap| gap.source == source && gap.since.frame >= frame).map(|gap| gap.since)
    }

    /// How much of the time from this frame to `now` lies in gaps of the source of this interface.
    pub fn unheard(&self, interface: u32, frame: u64, now: Timestamp) -> Duration {
        let source = self.source(interface);
        let since = self.gaps.iter().filter(|gap| gap.source == source && gap.since.frame >= frame);
        since.map(|gap| gap.until.map_or(now, |until| until.time).since(gap.since.time)).sum()
    }

    /// Takes note of an interface, which is a source of its own until it is joined with another. False when it was known.
    pub fn meet(&mut self, interface: u32) -> bool {
        let known = self.sources.len();
        self.sources.extend((known..=interface as usize).map(|number| u32::try_from(number).unwrap_or(u32::MAX)));
        self.sources.len() > known
    }

    /// Makes two sources one, under the lower number, which is given.
    pub fn join(&mut self, one: u32, other: u32) -> u32 {
        let (low, high) = (one.min(other), one.max(other));
        for source in self.sources.iter_mut().filter(|source| **source == high) {
            *source = low;
        }
        low
    }

    /// A source fell silent.
    pub fn lapsed(&mut self, source: u32, since: Mark) {
        if self.gaps.len() >= GAPS {
            self.gaps.pop_front();
        }
        self.gaps.push_back(Gap { source, since, until: None });
    }

    /// A source that had fallen silent is heard again.
    pub fn resumed(&mut self, source: u32, until: Mark) {
        if let Some(gap) = self.gaps.iter_mut().rev().find(|gap| gap.source == source && gap.until.is_none()) {
            gap.until = Some(until);
        }
    }
}

/// Quiet of a source from which on it is a gap. Clients and servers that wait repeat themselves sooner, and so does nearly everything else on a
/// network that carries them.
pub const GAP: Duration = Duration::from_secs(60);

/// Gaps remembered: of a connection that is older than so many of them nothing can be said anyway.
const GAPS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(frame: u64, seconds: i64) -> Mark {
        Mark { frame, time: Timestamp::from_parts(seconds, 0) }
    }

    #[test]
    fn a_silence_ends_where_its_source_falls_silent() {
        let mut watch = Watch::default();
        assert!(watch.meet(0) && watch.meet(1) && !watch.meet(0));
        watch.lapsed(0, mark(5, 10));
        assert_eq!((watch.lapse(0, 4), watch.lapse(0, 6), watch.lapse(1, 4)), (Some(mark(5, 10)), None, None));
        assert_eq!(watch.unheard(0, 4, Timestamp::from_parts(100, 0)), Duration::from_secs(90));
        watch.resumed(0, mark(6, 70));
        assert_eq!(watch.unheard(0, 4, Timestamp::from_parts(100, 0)), Duration::from_secs(60));
        assert_eq!(watch.lapse(0, 4), Some(mark(5, 10)), "the gap stays one");
    }

    #[test]
    fn sources_that_are_joined_are_one() {
        let mut watch = Watch::default();
        watch.meet(2);
        assert_eq!(watch.join(2, 1), 1);
        watch.lapsed(1, mark(5, 10));
        assert_eq!((watch.lapse(2, 1), watch.lapse(0, 1)), (Some(mark(5, 10)), None));
    }
}
