//! How many bytes the flows of a table take with all that they hold, and which of them hold most.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::limits;

/// The bytes of a table's flows. Nothing is held for a flow that is no larger than others.
#[derive(Debug)]
pub(super) struct Ledger {
    most: usize,
    total: usize,
    /// The large ones by bytes, first frame and number: the last is the one to go first, of equals the older one.
    large: BTreeSet<(usize, Reverse<u64>, u32)>,
}

impl Ledger {
    /// Of flows that may take so many bytes in all.
    pub(super) const fn new(most: usize) -> Self {
        Self { most, total: 0, large: BTreeSet::new() }
    }

    /// A flow takes so many bytes now; zero when it is gone. `noted` is what was noted of it before.
    #[inline]
    pub(super) fn note(&mut self, noted: &mut usize, bytes: usize, first_frame: u64, id: u32) {
        if *noted == bytes {
            return;
        }
        self.total = self.total.saturating_sub(*noted).saturating_add(bytes);
        if *noted > limits::LARGE_FLOW {
            self.large.remove(&(*noted, Reverse(first_frame), id));
        }
        if bytes > limits::LARGE_FLOW {
            self.large.insert((bytes, Reverse(first_frame), id));
        }
        *noted = bytes;
    }

    /// They take more than they may.
    pub(super) const fn is_over(&self) -> bool {
        self.total > self.most
    }

    /// The one that takes most, if it takes more than others do.
    pub(super) fn largest(&self) -> Option<u32> {
        self.large.last().map(|(_, _, id)| *id)
    }

    /// Bytes taken in all.
    pub(super) const fn total(&self) -> usize {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_goes_first_and_of_equals_the_older() {
        const LARGE: usize = limits::LARGE_FLOW;
        let mut ledger = Ledger::new(5 * LARGE);
        let mut noted = [0; 5];
        for (id, bytes) in [(0, 10), (1, LARGE + 1), (2, 2 * LARGE), (3, 2 * LARGE), (4, LARGE)] {
            ledger.note(&mut noted[id as usize], bytes, 100 - u64::from(id), id);
        }
        assert_eq!((ledger.total(), ledger.is_over(), ledger.largest()), (6 * LARGE + 11, true, Some(3)));
        ledger.note(&mut noted[3], 0, 97, 3);
        assert_eq!((ledger.largest(), ledger.is_over()), (Some(2), false));
        ledger.note(&mut noted[2], 5, 98, 2);
        assert_eq!(ledger.largest(), Some(1));
        ledger.note(&mut noted[1], 0, 99, 1);
        assert_eq!((ledger.largest(), ledger.total()), (None, LARGE + 15), "those that are as large as others are not singled out");
    }
}
