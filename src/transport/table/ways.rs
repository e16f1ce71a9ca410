//! Connections whose directions come by two ways: taps, mirror ports of routed interfaces and firewalls that let packets through may tag each
//! direction with a VLAN or a network number of its own.
//!
//! Addresses and ports in two tunnels are two networks until a packet shows that they are one connection: it answers, by its numbers, one of which
//! nothing else of its side was seen. Only then is its way joined to the other's. What is known of ways is of the last flows: it is for the
//! moments between a packet and its answer.

use hashbrown::HashMap;

use foldhash::quality::RandomState;

use crate::limits;

/// What is known of the ways of a table's flows, which are named by the hashes of their keys.
#[derive(Debug)]
pub(in crate::transport) struct Ways {
    /// Flows in tunnels, the newest first, by the hash that their key would have outside of them.
    lately: Lately<[u64; ALIKE]>,
    /// The flow that one direction of another belongs to, and whether the sender of that direction is [`crate::flow::FlowKey::low`].
    joined: Lately<(u64, bool)>,
}

impl Ways {
    /// Nothing is known.
    pub(in crate::transport) fn new() -> Self {
        Self { lately: Lately::new(limits::TUNNELLED_LATELY), joined: Lately::new(limits::WAYS_JOINED) }
    }

    /// No flow came in a tunnel.
    #[inline]
    pub(in crate::transport) fn is_empty(&self) -> bool {
        self.lately.new.is_empty()
    }

    /// Directions of flows were joined.
    #[inline]
    pub(in crate::transport) fn has_joined(&self) -> bool {
        !self.joined.new.is_empty()
    }

    /// A flow in a tunnel began; `bare` is the hash of its key outside.
    pub(in crate::transport) fn began(&mut self, bare: u64, hash: u64) {
        let mut alike = self.lately.get(bare).unwrap_or([hash; ALIKE]);
        if alike.first() != Some(&hash) {
            alike.rotate_right(1);
            if let Some(first) = alike.first_mut() {
                *first = hash;
            }
        }
        self.lately.insert(bare, alike);
    }

    /// The last flows in tunnels with the same ends, the newest first.
    pub(in crate::transport) fn alike(&self, bare: u64) -> [u64; ALIKE] {
        self.lately.get(bare).unwrap_or([bare; ALIKE])
    }

    /// What the sender of this end says in one flow belongs to another.
    pub(in crate::transport) fn join(&mut self, hash: u64, from_low: bool, other: u64) {
        self.joined.insert(hash, (other, from_low));
    }

    /// The flow that what this end says in another belongs to.
    #[inline]
    pub(in crate::transport) fn joined(&self, hash: u64, from_low: bool) -> Option<u64> {
        self.joined.get(hash).filter(|(_, low)| *low == from_low).map(|(other, _)| other)
    }

    /// The flow that either end of another belongs to.
    pub(in crate::transport) fn joined_either(&self, hash: u64) -> Option<u64> {
        self.joined.get(hash).map(|(other, _)| other)
    }

    /// A joined way is in use, and is kept like one that was just joined.
    pub(in crate::transport) fn keep(&mut self, hash: u64) {
        if !self.joined.new.contains_key(&hash)
            && let Some(kept) = self.joined.old.get(&hash).copied()
        {
            self.joined.insert(hash, kept);
        }
    }
}

/// The last entries of a map, at least so many of them: those of two generations, of which the older one goes when the newer one is full.
#[derive(Debug)]
struct Lately<V> {
    new: HashMap<u64, V, RandomState>,
    old: HashMap<u64, V, RandomState>,
    most: usize,
}

impl<V: Copy> Lately<V> {
    fn new(most: usize) -> Self {
        Self { new: HashMap::default(), old: HashMap::default(), most }
    }

    fn get(&self, key: u64) -> Option<V> {
        if self.new.is_empty() {
            return None;
        }
        self.new.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    fn insert(&mut self, key: u64, value: V) {
        if self.new.len() >= self.most && !self.new.contains_key(&key) {
            std::mem::swap(&mut self.new, &mut self.old);
            self.new.clear();
        }
        self.new.insert(key, value);
    }
}

/// Flows with the same ends that are remembered: before and behind a router.
const ALIKE: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_last_is_known() {
        let mut ways = Ways::new();
        assert!(ways.is_empty());
        for flow in 0..10 * limits::WAYS_JOINED as u64 {
            ways.join(flow, true, flow + 1);
            ways.keep(0);
            assert_eq!(ways.joined(flow, true), Some(flow + 1));
        }
        assert_eq!((ways.joined(0, true), ways.joined(1, true)), (Some(1), None), "one in use is kept");
        assert_eq!((ways.joined(0, false), ways.joined_either(0)), (None, Some(1)));
        assert!(ways.joined.new.len() + ways.joined.old.len() <= 2 * limits::WAYS_JOINED);
    }

    #[test]
    fn the_newest_flows_with_the_same_ends_are_known() {
        let mut ways = Ways::new();
        for flow in [7, 7, 8, 9, 9] {
            ways.began(1, flow);
        }
        assert_eq!((ways.alike(1), ways.alike(2), ways.is_empty()), ([9, 8], [2, 2], false));
    }
}
