//! A map that forgets what was not touched for longest, without keeping an order: two generations, of which the older one goes as a whole.

use std::borrow::{Borrow, ToOwned};
use std::hash::Hash;

use foldhash::quality::RandomState;
use hashbrown::HashMap;

/// Holds at least the `most` entries that were touched last, and at most twice as many. What it holds never depends on how keys are hashed.
#[derive(Debug)]
pub(super) struct Aged<K, V> {
    young: HashMap<K, V, RandomState>,
    old: HashMap<K, V, RandomState>,
    most: usize,
}

impl<K: Eq + Hash, V: Default> Aged<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { young: HashMap::default(), old: HashMap::default(), most }
    }

    /// Nothing was entered yet.
    pub(super) fn is_empty(&self) -> bool {
        self.young.is_empty()
    }

    /// An entry, without touching it.
    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// The same, to be changed.
    pub(super) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.young.get_mut(key).or_else(|| self.old.get_mut(key))
    }

    /// Touches an entry; it is made when it is not there.
    pub(super) fn touch<Q>(&mut self, key: &Q) -> &mut V
    where
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
        K: Borrow<Q>,
    {
        if self.young.len() >= self.most && !self.young.contains_key(key) {
            let known = self.old.remove(key);
            std::mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
            self.young.extend(known.map(|value| (key.to_owned(), value)));
        }
        let old = &mut self.old;
        self.young.entry_ref(key).or_insert_with(|| old.remove(key).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_touched_stays_and_what_is_not_goes() {
        let mut map: Aged<u32, u32> = Aged::new(10);
        *map.touch(&0) = 7;
        *map.touch(&1) = 8;
        for key in 100..1000 {
            *map.touch(&key) += 1;
            *map.touch(&0) += 1;
            assert!(map.young.len() <= 10 && map.old.len() <= 10);
        }
        assert_eq!((map.get(&0), map.get(&1)), (Some(&907), None));
        assert!((990..1000).all(|key| map.get(&key) == Some(&1)));
    }
}
