//! Where a flow's state is.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;

use foldhash::quality::RandomState;
use hashbrown::{HashMap, HashTable};

use crate::flow::{FlowKey, Path};
use crate::limits;
use crate::transport::stream::low_bits;

/// Where the state of each flow is, found by a hash of its key. The keys themselves lie with the state, so that the whole index of a flood
/// stays in a core's cache. Never walked through: its order is another in every run.
#[derive(Debug)]
pub(in crate::transport) struct Index {
    entries: HashTable<Entry>,
    hasher: RandomState,
}

/// Which kind of state a flow has, and its number among those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::transport) enum Place {
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
    pub(in crate::transport) fn new() -> Self {
        Self { entries: HashTable::new(), hasher: RandomState::default() }
    }

    /// The hash by which a flow is found: another in every run, so that nobody can aim at it.
    #[inline]
    pub(in crate::transport) fn hash(&self, key: &FlowKey) -> u64 {
        hash(&self.hasher, key)
    }

    /// Where a flow's state is; `is_there` tells whether the state at a place is this flow's.
    pub(in crate::transport) fn find(&self, hash: u64, is_there: impl Fn(Place) -> bool) -> Option<Place> {
        let hash = low_bits(hash);
        self.entries.find(spread(hash), |entry| entry.hash == hash && is_there(entry.place())).map(|entry| entry.place())
    }

    /// Enters a flow that is not in the index.
    pub(in crate::transport) fn insert(&mut self, hash: u64, place: Place) {
        let entry = Entry::new(hash, place);
        self.entries.insert_unique(spread(entry.hash), entry, |entry| spread(entry.hash));
    }

    /// Forgets a flow, whose state is or was there.
    pub(in crate::transport) fn remove(&mut self, hash: u64, place: Place) {
        let wanted = Entry::new(hash, place);
        if let Ok(entry) = self.entries.find_entry(spread(wanted.hash), |entry| *entry == wanted) {
            entry.remove();
        }
    }

    /// Forgets all flows.
    pub(in crate::transport) fn clear(&mut self) {
        self.entries.clear();
    }
}

impl Entry {
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

/// The table takes its bits from both ends of a hash.
const fn spread(hash: u32) -> u64 {
    (hash as u64) << 32 | hash as u64
}

/// The transport is the same for all of a table's flows and is left out.
fn hash(hasher: &RandomState, key: &FlowKey) -> u64 {
    let ports = u64::from(key.low.port) << 48 | u64::from(key.high.port) << 32 | u64::from(key.path);
    match (key.low.address, key.high.address) {
        (IpAddr::V4(low), IpAddr::V4(high)) => hasher.hash_one((u64::from(low.to_bits()) << 32 | u64::from(high.to_bits()), ports)),
        (low, high) => hasher.hash_one((low, high, ports)),
    }
}

/// The tunnels that half-open connections came by, each kept once.
#[derive(Debug)]
pub(in crate::transport) struct Paths {
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
    pub(in crate::transport) fn new() -> Self {
        Self { known: vec![Path::default()], numbers: HashMap::default() }
    }

    /// The number of a path. `None` when there are too many: half-open connections that come by it are held whole.
    pub(in crate::transport) fn number(&mut self, path: Path) -> Option<u16> {
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
    pub(in crate::transport) fn path(&self, number: u16) -> Path {
        self.known.get(usize::from(number)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
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
}
