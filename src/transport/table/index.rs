//! Where a flow's state is.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;

use foldhash::quality::RandomState;
use hashbrown::{HashMap, HashTable};

use crate::flow::{FlowKey, Path};
use crate::limits;

/// Flows and where their state is. Never walked through: its order is another in every run.
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

#[derive(Debug)]
struct Entry {
    key: FlowKey,
    place: Place,
}

impl Index {
    /// No flows.
    pub(in crate::transport) fn new() -> Self {
        Self { entries: HashTable::new(), hasher: RandomState::default() }
    }

    /// Where a flow's state is.
    pub(in crate::transport) fn find(&self, key: &FlowKey) -> Option<Place> {
        self.entries.find(hash(&self.hasher, key), |entry| entry.key == *key).map(|entry| entry.place)
    }

    /// Puts a flow there, in place of where it was.
    pub(in crate::transport) fn insert(&mut self, key: FlowKey, place: Place) {
        let hasher = &self.hasher;
        self.entries
            .entry(hash(hasher, &key), |entry| entry.key == key, |entry| hash(hasher, &entry.key))
            .and_modify(|entry| entry.place = place)
            .or_insert(Entry { key, place });
    }

    /// Forgets a flow.
    pub(in crate::transport) fn remove(&mut self, key: &FlowKey) {
        if let Ok(entry) = self.entries.find_entry(hash(&self.hasher, key), |entry| entry.key == *key) {
            entry.remove();
        }
    }

    /// Forgets all flows.
    pub(in crate::transport) fn clear(&mut self) {
        self.entries.clear();
    }
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
        if path == Path::default() {
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
