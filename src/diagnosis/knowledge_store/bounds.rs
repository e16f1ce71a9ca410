//! Keeps maps and sets within their bounds: the first key goes, which an attacker cannot turn into more than forgetting.

use std::collections::{BTreeMap, BTreeSet};

pub(super) fn bound<K: Ord + Clone, V>(map: &mut BTreeMap<K, V>, most: usize) {
    while map.len() > most {
        map.pop_first();
    }
}

pub(super) fn bound_set<T: Ord>(set: &mut BTreeSet<T>, most: usize) {
    while set.len() > most {
        set.pop_first();
    }
}
