//! The latest of many things in one row, found by a hash. Each knows the one before it of the same bucket, so that to enter one and to ask for those of a
//! hash costs the same however many there are, and looks at no other thing on the way: these have long left the core's cache.

use std::{iter, mem};

use crate::count::low_bits;

/// The latest `MOST` things.
#[derive(Debug)]
pub(crate) struct Row<T, const MOST: usize> {
    /// The thing with the number `n`, counted from 1 and round and round, has the place `(n - 1) % MOST`: once the row is full it lies over the oldest.
    things: Vec<T>,
    /// By place.
    links: Vec<Link>,
    /// By bucket, the number of its latest thing.
    latest: Vec<u32>,
    /// How many were entered; wraps.
    entered: u32,
}

/// What is known of a thing besides.
#[derive(Debug)]
struct Link {
    /// The number of the one before it in the same bucket, or of any that was written over since.
    before: u32,
    /// The lower half of its hash.
    hash: u32,
}

impl<T, const MOST: usize> Default for Row<T, MOST> {
    fn default() -> Self {
        Self { things: Vec::new(), links: Vec::new(), latest: Vec::new(), entered: 0 }
    }
}

impl<T, const MOST: usize> Row<T, MOST> {
    /// Numbers go round, and the places with them.
    const WHOLE: () = assert!(MOST.is_power_of_two() && MOST < 1 << 31);

    /// Enters a thing, and forgets the oldest where there are too many.
    pub(crate) fn enter(&mut self, hash: u64, thing: T) {
        let () = Self::WHOLE;
        self.latest.resize(MOST, 0);
        self.entered = self.entered.wrapping_add(1);
        let before = self.latest.get_mut(bucket::<MOST>(hash)).map(|latest| mem::replace(latest, self.entered)).unwrap_or_default();
        let link = Link { before, hash: low_bits(hash) };
        let place = place::<MOST>(self.entered);
        if let (Some(oldest), Some(known)) = (self.things.get_mut(place), self.links.get_mut(place)) {
            (*oldest, *known) = (thing, link);
        } else {
            self.things.push(thing);
            self.links.push(link);
        }
    }

    /// The things of this hash, the latest first; others with the same half of it may be among them.
    pub(crate) fn of(&self, hash: u64) -> impl Iterator<Item = &T> {
        self.places(hash).filter_map(|place| self.things.get(place))
    }

    /// The latest thing of this hash that is wanted.
    pub(crate) fn find(&mut self, hash: u64, is_wanted: impl FnMut(&T) -> bool) -> Option<&mut T> {
        self.find_among(hash, MOST, is_wanted)
    }

    /// The same, among so many of the latest things of this hash.
    pub(crate) fn find_among(&mut self, hash: u64, most: usize, mut is_wanted: impl FnMut(&T) -> bool) -> Option<&mut T> {
        let found = self.places(hash).take(most).find(|place| self.things.get(*place).is_some_and(&mut is_wanted))?;
        self.things.get_mut(found)
    }

    fn places(&self, hash: u64) -> impl Iterator<Item = usize> {
        let latest = self.latest.get(bucket::<MOST>(hash)).copied();
        let link = |number: u32| self.links.get(place::<MOST>(number));
        let age = |number: u32| self.entered.wrapping_sub(number);
        // What was before is older, unless its number was given anew since.
        let before = move |number: &u32| link(*number).map(|link| link.before).filter(|before| age(*before) > age(*number));
        let there = iter::successors(latest, before).take_while(move |number| (age(*number) as usize) < MOST);
        let hash = low_bits(hash);
        there.filter(move |number| link(*number).is_some_and(|link| link.hash == hash)).map(place::<MOST>)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.things.len()
    }
}

/// The place of a number among as many as are remembered.
const fn place<const MOST: usize>(number: u32) -> usize {
    number.wrapping_sub(1) as usize % MOST
}

/// The bucket of a hash: by its upper half, for of the lower one things are told apart.
const fn bucket<const MOST: usize>(hash: u64) -> usize {
    (hash >> 32) as usize % MOST
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_knows_the_latest_and_no_others(
            hashes in proptest::collection::vec((0_u64..20).prop_map(|hash| hash << 32 | hash), 0..100),
            rounds_left in 0_u32..4,
        ) {
            // Shortly before the numbers begin anew, too.
            let mut row: Row<(u64, usize), 16> = Row { entered: 0_u32.wrapping_sub(16 * rounds_left), ..Row::default() };
            let mut all = Vec::new();
            for (number, hash) in hashes.into_iter().enumerate() {
                row.enter(hash, (hash, number));
                all.push((hash, number));
                for asked in (0..20).map(|hash| hash << 32 | hash) {
                    let expected: Vec<_> = all.iter().rev().take(16).filter(|(hash, _)| *hash == asked).collect();
                    prop_assert_eq!(row.of(asked).collect::<Vec<_>>(), expected.clone());
                    prop_assert_eq!(row.find(asked, |_| true).copied(), expected.first().map(|first| **first));
                    let first_two = expected.iter().take(2).find(|(_, at)| at % 2 == 0);
                    prop_assert_eq!(row.find_among(asked, 2, |(_, at)| at % 2 == 0).copied(), first_two.map(|first| **first));
                    prop_assert_eq!(row.find(asked, |(_, at)| at % 2 == 0).copied(), expected.iter().find(|(_, at)| at % 2 == 0).map(|first| **first));
                }
                prop_assert!(row.len() <= 16);
            }
        }
    }
}
