//! Where a flow's state is.

use std::hash::{BuildHasher, Hash, Hasher};
use std::mem;
use std::net::IpAddr;

use foldhash::quality::RandomState;
use hashbrown::HashMap;

use super::prefetch::prefetch;
use crate::count::low_bits;
use crate::flow::{FlowKey, Path};
use crate::limits;

/// Where the state of each flow is, found by a hash of its key. The keys themselves lie with the state, so that the whole index of a flood
/// stays in a core's cache. Never walked through: its order is another in every run.
///
/// Open addressing with linear probing in entries of eight bytes: a look-up touches one line of memory.
#[derive(Debug)]
pub(super) struct Index {
    /// A power of two of them, or none.
    entries: Vec<Entry>,
    len: usize,
    hasher: RandomState,
}

/// Which kind of state a flow has, and its number among those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    HalfOpen(u32),
    Followed(u32),
    Marker(u32),
}

/// A place with its kind in the lowest two bits, and the hash by which it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    hash: u32,
    place: u32,
}

impl Index {
    /// No flows.
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), len: 0, hasher: RandomState::default() }
    }

    /// The hash by which a flow is found: another in every run, so that nobody can aim at it.
    #[inline]
    pub(super) fn hash(&self, key: &FlowKey) -> u64 {
        hash(&self.hasher, key)
    }

    /// A flow of this hash is looked for in a moment: asks for the memory in which its entry lies.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        if let Some(home) = self.entries.get(self.home(low_bits(hash))) {
            prefetch(home);
        }
    }

    /// Where a flow's state is; `is_there` tells whether the state at a place is this flow's.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_there: impl Fn(Place) -> bool) -> Option<Place> {
        let hash = low_bits(hash);
        let found = self.probe(hash, |entry| entry.hash == hash && is_there(entry.place()))?;
        self.entries.get(found).map(|entry| entry.place())
    }

    /// Where flows are that have this hash, or one that cannot be told from it.
    pub(super) fn all(&self, hash: u64) -> impl Iterator<Item = Place> {
        let hash = low_bits(hash);
        let mut at = self.home(hash);
        let entries = std::iter::from_fn(move || {
            let entry = self.entries.get(at).filter(|entry| **entry != Entry::FREE)?;
            at = self.next(at);
            Some(entry)
        });
        entries.filter(move |entry| entry.hash == hash).map(|entry| entry.place())
    }

    /// Where a flow's state seems to be, without a look at what is there.
    #[inline]
    pub(super) fn guess(&self, hash: u64) -> Option<Place> {
        self.find(hash, |_| true)
    }

    /// Enters a flow that is not in the index.
    pub(super) fn insert(&mut self, hash: u64, place: Place) {
        // Fuller than by half, and a search passes more than one entry of others.
        if (self.len + 1) * 2 > self.entries.len() {
            self.grow();
        }
        self.len += 1;
        self.put(Entry::new(hash, place));
    }

    /// Says that the state of a flow has moved.
    pub(super) fn replace(&mut self, hash: u64, old: Place, new: Place) {
        let wanted = Entry::new(hash, old);
        if let Some(entry) = self.probe(wanted.hash, |entry| entry == wanted).and_then(|found| self.entries.get_mut(found)) {
            *entry = Entry::new(hash, new);
        }
    }

    /// Forgets a flow, whose state is or was there.
    pub(super) fn remove(&mut self, hash: u64, place: Place) {
        let wanted = Entry::new(hash, place);
        let Some(mut free) = self.probe(wanted.hash, |entry| entry == wanted) else { return };
        self.len -= 1;
        // Entries behind that may stand nearer to their home move up, so that no search ends at the gap.
        let mut at = free;
        loop {
            at = self.next(at);
            let Some(entry) = self.entries.get(at).copied().filter(|entry| *entry != Entry::FREE) else { break };
            let distance = |from: usize| at.wrapping_sub(from) & self.mask();
            if distance(self.home(entry.hash)) >= distance(free) {
                self.set(free, entry);
                free = at;
            }
        }
        self.set(free, Entry::FREE);
    }

    /// Forgets all flows.
    pub(super) fn clear(&mut self) {
        self.entries.fill(Entry::FREE);
        self.len = 0;
    }

    /// Where the first entry of this hash is for which `is_wanted` says so.
    #[inline]
    fn probe(&self, hash: u32, is_wanted: impl Fn(Entry) -> bool) -> Option<usize> {
        let mut at = self.home(hash);
        loop {
            let entry = *self.entries.get(at)?;
            if entry == Entry::FREE {
                return None;
            }
            if is_wanted(entry) {
                return Some(at);
            }
            at = self.next(at);
        }
    }

    fn grow(&mut self) {
        let larger = vec![Entry::FREE; (self.entries.len() * 2).max(SMALLEST)];
        for entry in mem::replace(&mut self.entries, larger) {
            if entry != Entry::FREE {
                self.put(entry);
            }
        }
    }

    /// Puts an entry in the first free place from its home on; there is always one.
    fn put(&mut self, new: Entry) {
        let mut at = self.home(new.hash);
        while self.entries.get(at).is_some_and(|entry| *entry != Entry::FREE) {
            at = self.next(at);
        }
        self.set(at, new);
    }

    fn set(&mut self, at: usize, new: Entry) {
        if let Some(entry) = self.entries.get_mut(at) {
            *entry = new;
        }
    }

    const fn home(&self, hash: u32) -> usize {
        hash as usize & self.mask()
    }

    const fn next(&self, at: usize) -> usize {
        (at + 1) & self.mask()
    }

    const fn mask(&self) -> usize {
        self.entries.len().wrapping_sub(1)
    }
}

impl Entry {
    /// No flow: of the four kinds that two bits can tell, there are three.
    const FREE: Self = Self { hash: u32::MAX, place: u32::MAX };

    const fn new(hash: u64, place: Place) -> Self {
        let (id, kind) = match place {
            Place::HalfOpen(id) => (id, 0),
            Place::Followed(id) => (id, 1),
            Place::Marker(id) => (id, 2),
        };
        Self { hash: low_bits(hash), place: id << 2 | kind }
    }

    const fn place(self) -> Place {
        let id = self.place >> 2;
        match self.place & 3 {
            0 => Place::HalfOpen(id),
            1 => Place::Followed(id),
            _ => Place::Marker(id),
        }
    }
}

/// The transport is the same for all of a table's flows and is left out. Flows outside of tunnels differ by site for certain.
fn hash(hasher: &RandomState, key: &FlowKey) -> u64 {
    let ports = u64::from(key.low.port) << 48
        | u64::from(key.high.port) << 32
        | u64::from(key.path ^ u32::from(key.site.number()).wrapping_mul(0x9e37_79b1));
    match (key.low.address, key.high.address) {
        (IpAddr::V4(low), IpAddr::V4(high)) => hasher.hash_one((u64::from(low.to_bits()) << 32 | u64::from(high.to_bits()), ports)),
        (low, high) => hasher.hash_one((low, high, ports)),
    }
}

/// Entries of the smallest index that holds anything.
const SMALLEST: usize = 64;

/// The tunnels that half-open connections came by, each kept once.
#[derive(Debug)]
pub(super) struct Paths {
    known: Vec<Path>,
    numbers: HashMap<Tunnels, u16, RandomState>,
}

/// A path as the key of a map.
#[derive(Debug, PartialEq, Eq)]
struct Tunnels(Path);

impl Hash for Tunnels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.layers().for_each(|layer| layer.hash(state));
    }
}

impl Paths {
    /// Only the way without tunnels, which has the number 0.
    pub(super) fn new() -> Self {
        Self { known: vec![Path::default()], numbers: HashMap::default() }
    }

    /// The number of a path. `None` when there are too many: half-open connections that come by it are held whole.
    pub(super) fn number(&mut self, path: Path) -> Option<u16> {
        if path.is_empty() {
            return Some(0);
        }
        if let Some(number) = self.numbers.get(&Tunnels(path)) {
            return Some(*number);
        }
        let number = u16::try_from(self.known.len()).ok().filter(|number| *number < limits::HALF_OPEN_PATHS)?;
        self.known.push(path);
        self.numbers.insert(Tunnels(path), number);
        Some(number)
    }

    /// The path of a number.
    pub(super) fn path(&self, number: u16) -> Path {
        self.known.get(usize::from(number)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn flows_of_one_hash_are_told_apart() {
        let mut index = Index::new();
        let places = [Place::HalfOpen(7), Place::Followed(7), Place::Marker(7), Place::Marker((1 << 30) - 1)];
        for place in places {
            index.insert(5, place);
        }
        for place in places {
            assert_eq!(index.find(5, |there| there == place), Some(place));
            assert_eq!(index.find(6, |there| there == place), None);
        }
        index.remove(5, Place::Followed(7));
        assert_eq!(index.find(5, |there| there == Place::Followed(7)), None);
        assert_eq!(index.find(5, |there| there == Place::HalfOpen(7)), Some(Place::HalfOpen(7)));
    }

    proptest! {
        #[test]
        fn it_says_what_a_map_says(steps in proptest::collection::vec((0_u64..40, 0_u32..4, any::<bool>()), 0..400)) {
            let mut index = Index::new();
            let mut map = BTreeMap::new();
            for (hash, move_to, enters) in steps {
                // many share a home, some at the end of the index
                let hash = hash * 8 + 60 * (hash % 2);
                match (map.get(&hash).copied(), enters) {
                    (None, true) => index.insert(hash, Place::Followed(move_to)),
                    (None, false) => continue,
                    (Some(old), true) => index.replace(hash, Place::Followed(old), Place::Followed(move_to)),
                    (Some(old), false) => index.remove(hash, Place::Followed(old)),
                }
                if enters {
                    map.insert(hash, move_to);
                } else {
                    map.remove(&hash);
                }
                for hash in 0..400 {
                    prop_assert_eq!(index.find(hash, |_| true), map.get(&hash).copied().map(Place::Followed));
                }
                prop_assert_eq!(index.len, map.len());
            }
            index.clear();
            prop_assert!((0..400).all(|hash| index.find(hash, |_| true).is_none()));
        }
    }
}
