//! Entries with stable numbers, each a member of one list that is kept in the order of last use.

use super::prefetch::prefetch;

/// Entries of one kind. A number stays valid until its entry is removed, and is then used again.
#[derive(Debug)]
pub(super) struct Slab<T> {
    /// In pieces of one size: none is ever moved to a larger place, and a table that grows needs no more than it holds.
    chunks: Vec<Vec<Node<T>>>,
    free: u32,
    len: usize,
}

/// The ends of one list through a slab's entries, the least recently used first.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    head: u32,
    tail: u32,
}

#[derive(Debug)]
struct Node<T> {
    prev: u32,
    next: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    /// No entries.
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), free: NONE, len: 0 }
    }

    /// How many entries there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The entry of this number.
    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.node_mut(id)?.value.as_mut()
    }

    /// The entry of this number.
    pub(super) fn get(&self, id: u32) -> Option<&T> {
        self.node(id)?.value.as_ref()
    }

    /// The entry of this number is needed in a moment: asks for its memory.
    #[inline]
    pub(super) fn prefetch(&self, id: u32) {
        if let Some(node) = self.node(id) {
            prefetch(node);
        }
    }

    /// Adds an entry at the end of a list. `None` when there are a thousand million already.
    pub(super) fn insert(&mut self, list: &mut List, value: T) -> Option<u32> {
        let free = self.free;
        let id = if let Some(node) = self.node_mut(free) {
            node.value = Some(value);
            self.free = node.next;
            free
        } else {
            if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
                self.chunks.push(Vec::with_capacity(CHUNK));
            }
            let whole = (self.chunks.len() - 1) * CHUNK;
            let chunk = self.chunks.last_mut()?;
            let id = u32::try_from(whole + chunk.len()).ok().filter(|id| *id < MOST)?;
            chunk.push(Node { prev: NONE, next: NONE, value: Some(value) });
            id
        };
        self.len += 1;
        self.append(list, id);
        Some(id)
    }

    /// Removes an entry from the list it is in.
    pub(super) fn remove(&mut self, list: &mut List, id: u32) -> Option<T> {
        let value = self.node_mut(id)?.value.take()?;
        self.release(list, id);
        Some(value)
    }

    /// Removes an entry without handing it out: nothing of it is copied.
    pub(super) fn discard(&mut self, list: &mut List, id: u32) {
        let Some(node) = self.node_mut(id).filter(|node| node.value.is_some()) else { return };
        node.value = None;
        self.release(list, id);
    }

    /// Moves an entry from one list to the end of another.
    pub(super) fn transfer(&mut self, from: &mut List, to: &mut List, id: u32) {
        self.detach(from, id);
        self.append(to, id);
    }

    /// Moves an entry to the end of its list.
    pub(super) fn touch(&mut self, list: &mut List, id: u32) {
        if list.tail != id {
            self.detach(list, id);
            self.append(list, id);
        }
    }

    /// The numbers of all entries, in no order that means anything.
    pub(super) fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        (0..NONE).zip(self.chunks.iter().flatten()).filter(|(_, node)| node.value.is_some()).map(|(id, _)| id)
    }

    /// The entry after this one in its list.
    pub(super) fn after(&self, id: u32) -> Option<u32> {
        self.node(id).map(|node| node.next).filter(|next| *next != NONE)
    }

    fn node(&self, id: u32) -> Option<&Node<T>> {
        self.chunks.get(id as usize / CHUNK)?.get(id as usize % CHUNK)
    }

    fn node_mut(&mut self, id: u32) -> Option<&mut Node<T>> {
        self.chunks.get_mut(id as usize / CHUNK)?.get_mut(id as usize % CHUNK)
    }

    fn release(&mut self, list: &mut List, id: u32) {
        self.detach(list, id);
        let free = self.free;
        if let Some(node) = self.node_mut(id) {
            node.next = free;
            self.free = id;
        }
        self.len -= 1;
    }

    fn detach(&mut self, list: &mut List, id: u32) {
        let Some((prev, next)) = self.node(id).map(|node| (node.prev, node.next)) else { return };
        match self.node_mut(prev) {
            Some(node) => node.next = next,
            None => list.head = next,
        }
        match self.node_mut(next) {
            Some(node) => node.prev = prev,
            None => list.tail = prev,
        }
    }

    fn append(&mut self, list: &mut List, id: u32) {
        if let Some(node) = self.node_mut(id) {
            node.prev = list.tail;
            node.next = NONE;
        }
        match self.node_mut(list.tail) {
            Some(tail) => tail.next = id,
            None => list.head = id,
        }
        list.tail = id;
    }
}

impl List {
    /// An empty list.
    pub(super) const fn new() -> Self {
        Self { head: NONE, tail: NONE }
    }

    /// The least recently used entry.
    pub(super) const fn oldest(self) -> Option<u32> {
        if self.head == NONE { None } else { Some(self.head) }
    }
}

const NONE: u32 = u32::MAX;

/// Entries of a piece.
const CHUNK: usize = 256;

/// Numbers stay below this, so that who keeps them has two bits to spare.
const MOST: u32 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn order(slab: &Slab<char>, list: List) -> String {
        let mut at = list.oldest();
        let mut order = String::new();
        while let Some(id) = at {
            order.push(*slab.get(id).unwrap());
            at = slab.after(id);
        }
        order
    }

    #[test]
    fn entries_are_found_beyond_the_first_piece() {
        let (mut slab, mut list) = (Slab::new(), List::new());
        let ids: Vec<u32> = (0..3 * CHUNK).map(|value| slab.insert(&mut list, value).unwrap()).collect();
        slab.discard(&mut list, ids[CHUNK]);
        slab.discard(&mut list, ids[CHUNK]);
        assert_eq!((slab.len(), slab.get(ids[CHUNK])), (3 * CHUNK - 1, None));
        assert!(ids.iter().enumerate().all(|(value, id)| value == CHUNK || slab.get(*id) == Some(&value)));
        assert_eq!(slab.ids().count(), slab.len());
        assert_eq!(slab.insert(&mut list, 7), Some(ids[CHUNK]), "a free number is used again");
    }

    #[test]
    fn lists_keep_the_order_of_use() {
        let (mut slab, mut one, mut two) = (Slab::new(), List::new(), List::new());
        let ids: Vec<u32> = "abcd".chars().map(|c| slab.insert(&mut one, c).unwrap()).collect();
        slab.touch(&mut one, ids[0]);
        slab.touch(&mut one, ids[0]);
        assert_eq!(order(&slab, one), "bcda");
        slab.transfer(&mut one, &mut two, ids[2]);
        assert_eq!((order(&slab, one).as_str(), order(&slab, two).as_str()), ("bda", "c"));
        assert_eq!(slab.remove(&mut one, ids[3]), Some('d'));
        assert_eq!(slab.remove(&mut one, ids[3]), None);
        assert_eq!((order(&slab, one).as_str(), slab.len()), ("ba", 3));
        assert_eq!(slab.insert(&mut two, 'e'), Some(ids[3]), "a free number is used again");
        assert_eq!(order(&slab, two), "ce");
        assert_eq!(slab.remove(&mut two, ids[2]), Some('c'));
        assert_eq!(slab.remove(&mut two, ids[3]), Some('e'));
        assert_eq!(two.oldest(), None);
    }
}
