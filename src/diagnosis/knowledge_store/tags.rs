//! Numbers that stand for names and answers.

use std::hash::{BuildHasher, Hash};

use foldhash::quality::FixedState;

/// The tag of no name.
pub(super) const UNNAMED: u64 = 0;

/// Stands for a name where two hundred thousand are counted, the same in every run. Two names that share one share their counts.
pub(super) fn tag(name: Option<&str>) -> u64 {
    name.map_or(UNNAMED, |name| FixedState::default().hash_one(name) | 1)
}

/// Stands for the way in which a server answers; never 0.
pub(super) fn answer_tag(answer: impl Hash) -> u32 {
    u32::try_from(FixedState::default().hash_one(answer) >> 32).unwrap_or(0) | 1
}

/// Where a tag lies in a table: its lowest bit says nothing.
pub(super) const fn spread(tag: u64) -> u64 {
    tag.rotate_right(1)
}
