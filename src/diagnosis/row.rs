//! The latest of many things in one row, found by a hash. Each knows the ones before and behind it of the same bucket, so that to enter one and to ask for
//! those of a hash costs the same however many there are, and looks at no other thing on the way: these have long left the core's cache.

use std::{iter, mem};

use crate::time::Timestamp;

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
    /// The number of the one behind it; its own where there is none.
    behind: u32,
    /// Its hash.
    hash: u64,
    /// When it began.
    began: Timestamp,
}

impl<T, const MOST: usize> Default for Row<T, MOST> {
    fn default() -> Self {
        Self { things: Vec::new(), links: Vec::new(), latest: Vec::new(), entered: 0 }
    }
}

impl<T, const MOST: usize> Row<T, MOST> {
    /// Numbers go round, and the places with them.
    const WHOLE: () = assert!(MOST.is_power_of_two() && MOST < 1 << 31);

    /// Enters a thing that began at this moment, and forgets the oldest where there are too many. Gives its number.
    pub(crate) fn enter(&mut self, hash: u64, began: Timestamp, thing: T) -> u32 {
        let () = Self::WHOLE;
        self.latest.resize(MOST, 0);
        self.entered = self.entered.wrapping_add(1);
        let before = self.latest.get_mut(bucket::<MOST>(hash)).map(|latest| mem::replace(latest, self.entered)).unwrap_or_default();
        if let Some(link) = self
            .links
            .get_mut(place::<MOST>(before))
            .filter(|link| link.behind == before && bucket::<MOST>(link.hash) == bucket::<MOST>(hash))
        {
            link.behind = self.entered;
        }
        let link = Link { before, behind: self.entered, hash, began };
        let place = place::<MOST>(self.entered);
        if let (Some(oldest), Some(known)) = (self.things.get_mut(place), self.links.get_mut(place)) {
            (*oldest, *known) = (thing, link);
        } else {
            self.things.push(thing);
            self.links.push(link);
        }
        self.entered
    }

    /// How many were entered since the one with this number.
    pub(crate) const fn age(&self, number: u32) -> usize {
        self.entered.wrapping_sub(number) as usize
    }

    /// The thing with this number, and of those of this hash so many that began at about the same time, the latest first. None where it was forgotten.
    /// So many on either side are asked for their time.
    pub(crate) fn around(&self, number: u32, hash: u64, (most, reach): (usize, usize)) -> impl Iterator<Item = &T> {
        let alike = move |number: &u32| self.link(*number).is_some_and(|link| link.hash == hash);
        let own = Some(number).filter(|number| self.age(*number) < MOST);
        let began = |number: u32| self.link(number).map(|link| link.began).unwrap_or_default();
        let mut near: Vec<u32> = iter::successors(own, |number| self.behind(*number)).skip(1).filter(alike).take(reach).collect();
        near.extend(iter::successors(own, |number| self.before(*number)).filter(alike).take(reach + 1));
        if near.len() > most + 1 {
            near.select_nth_unstable_by_key(most, |other| began(*other).apart(began(number)));
            near.truncate(most + 1);
        }
        near.sort_unstable_by_key(|number| self.age(*number));
        near.into_iter().filter_map(|number| self.things.get(place::<MOST>(number)))
    }

    /// The things of this hash, the latest first.
    pub(crate) fn of(&self, hash: u64) -> impl Iterator<Item = &T> {
        self.places(hash).filter_map(|place| self.things.get(place))
    }

    /// The latest thing of this hash that is wanted.
    pub(crate) fn find(&mut self, hash: u64, mut is_wanted: impl FnMut(&T) -> bool) -> Option<&mut T> {
        let found = self.places(hash).find(|place| self.things.get(*place).is_some_and(&mut is_wanted))?;
        self.things.get_mut(found)
    }

    /// The thing with this number, while it is remembered.
    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let remembered = self.age(number) < MOST;
        self.things.get_mut(place::<MOST>(number)).filter(|_| remembered)
    }

    fn places(&self, hash: u64) -> impl Iterator<Item = usize> {
        let latest = self.latest.get(bucket::<MOST>(hash)).copied().filter(|number| self.age(*number) < MOST);
        let there = iter::successors(latest, |number| self.before(*number));
        there.filter(move |number| self.link(*number).is_some_and(|link| link.hash == hash)).map(place::<MOST>)
    }

    fn link(&self, number: u32) -> Option<&Link> {
        self.links.get(place::<MOST>(number))
    }

    /// The one before this one in its bucket, unless it was forgotten: what was before is older, or its number was given anew since.
    fn before(&self, number: u32) -> Option<u32> {
        let before = self.link(number)?.before;
        Some(before).filter(|before| self.age(*before) > self.age(number) && self.age(*before) < MOST)
    }

    /// The one behind this one in its bucket.
    fn behind(&self, number: u32) -> Option<u32> {
        self.link(number).map(|link| link.behind).filter(|behind| *behind != number)
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
            let (mut all, mut numbers) = (Vec::new(), Vec::new());
            for (number, hash) in hashes.into_iter().enumerate() {
                all.push((hash, number));
                let began = Timestamp::from_nanos(i64::try_from(number * 7 % 10).unwrap());
                numbers.push(row.enter(hash, began, (hash, number)));
                for (at, own) in numbers.iter().enumerate() {
                    let hash = all[at].0;
                    let known = all.len() - at <= 16;
                    let alike = |one: &usize| all.len() - one <= 16 && all[*one].0 == hash;
                    let mut reached: Vec<_> = (at + 1..all.len()).filter(alike).take(3).collect();
                    reached.extend((0..=at).rev().filter(alike).take(4));
                    let expected = if known { reached.len().min(5) } else { 0 };
                    let around: Vec<usize> = row.around(*own, hash, (4, 3)).map(|(_, number)| *number).collect();
                    prop_assert_eq!(around.len(), expected);
                    prop_assert!(around.is_sorted_by(|one, next| one > next));
                    prop_assert!(!known || around.contains(&at));
                    let apart = |one: &usize| (one * 7 % 10).abs_diff(at * 7 % 10);
                    let (farthest, left_out) = (around.iter().map(apart).max(), reached.iter().filter(|one| !around.contains(one)).map(apart).min());
                    prop_assert!(!known || left_out.is_none_or(|left_out| Some(left_out) >= farthest));
                    prop_assert_eq!(row.get_mut(*own).copied(), Some(all[at]).filter(|_| known));
                    prop_assert_eq!(row.age(*own), all.len() - at - 1);
                }
                for asked in (0..20).map(|hash| hash << 32 | hash) {
                    let expected: Vec<_> = all.iter().rev().take(16).filter(|(hash, _)| *hash == asked).collect();
                    prop_assert_eq!(row.of(asked).collect::<Vec<_>>(), expected.clone());
                    prop_assert_eq!(row.find(asked, |_| true).copied(), expected.first().map(|first| **first));
                    prop_assert_eq!(row.find(asked, |(_, at)| at % 2 == 0).copied(), expected.iter().find(|(_, at)| at % 2 == 0).map(|first| **first));
                }
                prop_assert!(row.len() <= 16);
            }
        }
    }
}
