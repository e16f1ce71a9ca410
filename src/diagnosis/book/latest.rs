//! A map that holds so many keys and no more.

use std::borrow::{Borrow, ToOwned};
use std::collections::VecDeque;
use std::hash::Hash;

use foldhash::quality::RandomState;
use hashbrown::HashMap;

/// A map in which the key that came first makes room for one that is too many. What it holds never depends on how keys are hashed.
#[derive(Debug)]
pub(super) struct Latest<K, V> {
    map: HashMap<K, V, RandomState>,
    order: VecDeque<K>,
}

impl<K, V> Default for Latest<K, V> {
    fn default() -> Self {
        Self { map: HashMap::default(), order: VecDeque::new() }
    }
}

impl<K: Eq + Hash + Clone, V: Default> Latest<K, V> {
    pub(super) fn get<Q: ?Sized + Eq + Hash>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.map.get(key)
    }

    pub(super) fn get_mut<Q: ?Sized + Eq + Hash>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.map.get_mut(key)
    }

    /// The value of a key, new if it was not there; of more than `most` keys the oldest goes.
    pub(super) fn get_or_default<Q>(&mut self, key: &Q, most: usize) -> &mut V
    where
        Q: ?Sized + Eq + Hash + ToOwned<Owned = K>,
        K: Borrow<Q>,
    {
        if !self.map.contains_key(key) {
            if self.map.len() >= most
                && let Some(oldest) = self.order.pop_front()
            {
                self.map.remove(oldest.borrow());
            }
            self.order.push_back(key.to_owned());
        }
        self.map.entry_ref(key).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let mut map: Latest<String, u32> = Latest::default();
        for key in ["c", "a", "b", "a", "d"] {
            *map.get_or_default(key, 3) += 1;
        }
        assert_eq!(["a", "b", "c", "d"].map(|key| map.get(key).copied()), [Some(2), Some(1), None, Some(1)]);
    }
}
