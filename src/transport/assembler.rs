//! Bytes of one side that lie beyond a hole, kept until the hole is filled or given up. Where segments overlap the first byte stays.
//!
//! Invariant: the chunks do not overlap, and none is empty.

use std::collections::BTreeMap;

use crate::time::Mark;

/// The chunks beyond the first hole of one side.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    chunks: BTreeMap<u64, Chunk>,
    cost: usize,
}

/// A piece of a segment that waits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// What was captured of it.
    pub(super) bytes: Vec<u8>,
    /// How much of it the snapshot length cut off its end.
    pub(super) cut: u64,
    /// The frame that brought it.
    pub(super) mark: Mark,
}

impl Chunk {
    const fn len(&self) -> u64 {
        self.bytes.len() as u64 + self.cut
    }

    /// What it counts against the bounds: its bytes, and about what holding them costs.
    pub(super) const fn cost(&self) -> usize {
        Self::cost_of(self.bytes.len())
    }

    /// What a chunk of that many captured bytes counts.
    pub(super) const fn cost_of(bytes: usize) -> usize {
        bytes + OVERHEAD
    }
}

impl Assembler {
    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// What the waiting chunks count against the bounds.
    pub(super) const fn cost(&self) -> usize {
        self.cost
    }

    /// Captured bytes that wait.
    pub(super) fn bytes(&self) -> u64 {
        self.chunks.values().map(|chunk| chunk.bytes.len() as u64).sum()
    }

    /// Where the first chunk begins: the end of the first hole.
    pub(super) fn first(&self) -> Option<u64> {
        self.chunks.first_key_value().map(|(offset, _)| *offset)
    }

    /// Some chunk has bytes within `start..end`.
    pub(super) fn overlaps(&self, start: u64, end: u64) -> bool {
        self.chunks.range(..end).next_back().is_some_and(|(offset, chunk)| offset.saturating_add(chunk.len()) > start)
    }

    /// The first offset at which `bytes`, which begin at `start`, differ from a waiting byte.
    pub(super) fn difference(&self, start: u64, bytes: &[u8]) -> Option<u64> {
        let end = start.saturating_add(bytes.len() as u64);
        let before = self.chunks.range(..=start).next_back();
        let within = self.chunks.range(start.saturating_add(1)..end.max(start.saturating_add(1)));
        before.into_iter().chain(within).find_map(|(offset, chunk)| {
            let from = start.max(*offset);
            let old = chunk.bytes.get(usize::try_from(from - offset).ok()?..)?;
            let new = bytes.get(usize::try_from(from - start).ok()?..)?;
            old.iter().zip(new).position(|(a, b)| a != b).map(|at| from + at as u64)
        })
    }

    /// Keeps those parts of a segment that no chunk covers yet, and says how many captured bytes that were. The segment has `bytes`, then
    /// `cut` more that were not captured.
    pub(super) fn insert(&mut self, start: u64, bytes: &[u8], cut: u64, mark: Mark) -> u64 {
        let end = start.saturating_add(bytes.len() as u64).saturating_add(cut);
        let mut at = start;
        let mut kept = 0;
        if let Some((offset, chunk)) = self.chunks.range(..=start).next_back() {
            at = at.max(offset.saturating_add(chunk.len()));
        }
        while at < end {
            let (stop, resume) =
                self.chunks.range(at..end).next().map_or((end, end), |(offset, chunk)| (*offset, offset.saturating_add(chunk.len())));
            if at < stop {
                let captured = slice(bytes, at - start, stop - start);
                let chunk = Chunk { bytes: captured.to_vec(), cut: stop - at - captured.len() as u64, mark };
                kept += captured.len() as u64;
                self.cost += chunk.cost();
                self.chunks.insert(at, chunk);
            }
            at = resume;
        }
        kept
    }

    /// Takes the first chunk when it begins at `offset` or before.
    pub(super) fn take(&mut self, offset: u64) -> Option<(u64, Chunk)> {
        let entry = self.chunks.first_entry().filter(|entry| *entry.key() <= offset)?;
        let (start, chunk) = entry.remove_entry();
        self.cost -= chunk.cost();
        Some((start, chunk))
    }
}

/// `bytes[from..to]`, as far as there are that many.
pub(super) fn slice(bytes: &[u8], from: u64, to: u64) -> &[u8] {
    let at = |offset: u64| usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
    bytes.get(at(from)..at(to)).unwrap_or(&[])
}

/// What a chunk costs besides its bytes: its place in the tree, and the allocator's.
const OVERHEAD: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The assembler holds what a map from offset to first byte holds, and finds the differences such a map finds.
        #[test]
        fn equals_a_map_of_bytes(segments in prop::collection::vec((0u64..60, prop::collection::vec(0u8..3, 1..12), 0u64..4), 1..24)) {
            let mut assembler = Assembler::default();
            let mut model: BTreeMap<u64, Option<u8>> = BTreeMap::new();
            for (start, bytes, cut) in &segments {
                let at = |i: usize| start + i as u64;
                let end = at(bytes.len()) + cut;
                let differs = bytes.iter().enumerate().find(|(i, b)| model.get(&at(*i)).is_some_and(|old| old.is_some_and(|old| old != **b)));
                prop_assert_eq!(assembler.difference(*start, bytes), differs.map(|(i, _)| at(i)));
                prop_assert_eq!(assembler.overlaps(*start, end), model.range(*start..end).next().is_some());
                let mut new = 0;
                for offset in *start..end {
                    let byte = bytes.get(usize::try_from(offset - start).unwrap()).copied();
                    model.entry(offset).or_insert_with(|| { new += u64::from(byte.is_some()); byte });
                }
                prop_assert_eq!(assembler.insert(*start, bytes, *cut, Mark::default()), new);
            }
            prop_assert_eq!(assembler.bytes(), model.values().flatten().count() as u64);
            let mut held: BTreeMap<u64, Option<u8>> = BTreeMap::new();
            while let Some(first) = assembler.first() {
                let (start, chunk) = assembler.take(first).unwrap();
                let bytes = chunk.bytes.iter().copied().map(Some).chain((0..chunk.cut).map(|_| None));
                for (i, byte) in bytes.enumerate() {
                    prop_assert!(held.insert(start + i as u64, byte).is_none());
                }
            }
            prop_assert_eq!(assembler.cost(), 0);
            prop_assert_eq!(held, model);
        }
    }

    #[test]
    fn nothing_is_taken_from_behind_a_hole() {
        let mut assembler = Assembler::default();
        assembler.insert(5, b"abc", 0, Mark::default());
        assert!(assembler.take(4).is_none());
        assert_eq!(assembler.take(5).map(|(start, chunk)| (start, chunk.bytes)), Some((5, b"abc".to_vec())));
    }
}
