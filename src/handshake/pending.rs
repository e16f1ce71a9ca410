//! Keys from outside, and what waits for them.
//!
//! Secrets may turn up after what they open: later in the capture, or in a key log that grows. Until then encrypted records and packets are kept,
//! within bounds, and read as without keys; when the secrets come, at the latest when the flow ends, what was kept is opened in its order. The
//! letters that it added to the history give way to those of what it says:
//!
//! ```text
//! history as it was read    C S e e D e
//! what was kept                 0 1   2      before: 2, 3, 5; added: 1 each
//! opened                    C S c v f D f    0 says "c v", 1 says "f", 2 says "f"
//! ```

use std::mem;

use crate::limits;
use crate::secrets::KeyRing;
use crate::secrets::connection::Unusable;

use super::facts::Observed;
use super::history::History;
use super::shared::Shared;

/// The keys of one connection, as far as they are known, and what awaits them.
#[derive(Debug)]
pub(super) struct Pending<K, P> {
    pub(super) keys: Keys<K>,
    held: Vec<Held<P>>,
    held_bytes: usize,
    /// The generation of the key ring at the last look.
    looked: Option<u64>,
}

/// Keys from outside.
#[derive(Debug, Default)]
pub(super) enum Keys<K> {
    /// Not known by now.
    #[default]
    Awaited,
    Known(Box<K>),
    /// They do not fit, or the suite cannot be opened.
    Useless,
}

/// Something that awaits its key.
#[derive(Debug)]
pub(super) struct Held<P> {
    pub(super) what: P,
    /// Letters of the history before it, and those that it added when it was read as without keys.
    before: usize,
    added: usize,
}

impl<K, P> Default for Pending<K, P> {
    fn default() -> Self {
        Self { keys: Keys::Awaited, held: Vec::new(), held_bytes: 0, looked: None }
    }
}

impl<K, P> Pending<K, P> {
    /// Nothing but a look at the sizes is possible so far.
    pub(super) const fn awaits_keys(&self) -> bool {
        matches!(self.keys, Keys::Awaited)
    }

    /// Nothing that comes will ever be opened.
    pub(super) const fn is_useless(&self) -> bool {
        matches!(self.keys, Keys::Useless)
    }

    /// Nothing is kept.
    pub(super) const fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// No more is kept.
    pub(super) const fn is_full(&self) -> bool {
        self.held.len() >= 2 * limits::SEALED_RECORDS || self.held_bytes >= limits::SEALED_BYTES
    }

    /// Bytes of what is kept, and of the keys.
    pub(super) fn held_bytes(&self) -> usize {
        let keys = if matches!(self.keys, Keys::Known(_)) { size_of::<K>() } else { 0 };
        self.held_bytes + self.held.capacity() * size_of::<Held<P>>() + keys
    }

    /// The key ring, where it may hold what was not there at the last look.
    pub(super) fn news<'r>(&mut self, shared: &'r Shared) -> Option<&'r KeyRing> {
        let ring = shared.keys.as_deref()?;
        let generation = ring.generation();
        (self.looked.replace(generation) != Some(generation)).then_some(ring)
    }

    /// What a look into the ring gave.
    pub(super) fn found(&mut self, ring: &KeyRing, keys: Option<Result<K, Unusable>>) {
        match keys {
            Some(Ok(keys)) => self.keys = Keys::Known(Box::new(keys)),
            Some(Err(Unusable::Suite)) => {
                ring.count_unsupported();
                self.keys = Keys::Useless;
            }
            // They, or the rest of them, may be on their way.
            None | Some(Err(Unusable::Secrets)) => {}
        }
    }

    /// The keys are another connection's.
    pub(super) fn misfit(&mut self, shared: &Shared) {
        if let Some(ring) = &shared.keys {
            ring.count_misfit();
        }
        self.keys = Keys::Useless;
    }

    /// Keeps something of so many bytes. False when there is no room.
    pub(super) fn hold(&mut self, h: &Observed, bytes: usize, what: P) -> bool {
        let room = !self.is_full();
        if room {
            self.held_bytes += bytes;
            self.held.push(Held { what, before: h.history.len(), added: 0 });
        }
        room
    }

    /// What was kept last was read as without keys.
    pub(super) fn was_read(&mut self, h: &Observed) {
        if let Some(held) = self.held.last_mut() {
            held.added = h.history.len().saturating_sub(held.before);
        }
    }

    /// What has been kept longest.
    pub(super) fn first(&self) -> Option<&P> {
        self.held.first().map(|held| &held.what)
    }

    /// Gives up what is kept, to be opened.
    pub(super) fn take(&mut self) -> Vec<Held<P>> {
        self.held_bytes = 0;
        mem::take(&mut self.held)
    }
}

/// Opens what was kept, in its order. `open` tells whether the letters that it had added stay.
pub(super) fn replay<P>(h: &mut Observed, held: Vec<Held<P>>, mut open: impl FnMut(&mut Observed, P) -> bool) {
    let old: History = mem::take(&mut h.history);
    let mut read = 0;
    for Held { what, before, added } in held {
        h.history.extend(&old, read..before);
        read = before + added;
        if open(h, what) {
            h.history.extend(&old, before..read);
        }
    }
    h.history.extend(&old, read..);
}

/// Something of the handshake was opened.
pub(super) fn note_decrypted(h: &mut Observed, shared: &Shared) {
    if !mem::replace(&mut h.decrypted, true)
        && let Some(ring) = &shared.keys
    {
        ring.count_decrypted();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(letters: &str) -> Observed {
        let mut observed = Observed::default();
        letters.chars().for_each(|letter| observed.history.push(letter));
        observed
    }

    /// Reads as without keys: "e" for whatever is kept, a letter of its own for what is not.
    fn kept(pending: &mut Pending<(), &'static str>, h: &mut Observed, says: &'static str) {
        assert!(pending.hold(h, says.len(), says));
        h.history.push('e');
        pending.was_read(h);
    }

    #[test]
    fn letters_are_told_anew_in_their_places() {
        let mut pending = Pending::default();
        let mut h = history("CS");
        kept(&mut pending, &mut h, "cv");
        kept(&mut pending, &mut h, "f");
        h.history.push('D');
        kept(&mut pending, &mut h, "sealed");
        kept(&mut pending, &mut h, "f");
        assert_eq!(h.history.as_str(), "CSeeDee");
        let held = pending.take();
        replay(&mut h, held, |h, says| {
            if says == "sealed" {
                return true;
            }
            says.chars().for_each(|letter| h.history.push(letter));
            false
        });
        assert_eq!(h.history.as_str(), "CScvfDef");
        assert!(pending.is_empty() && !pending.is_full());
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_in_bytes() {
        let h = Observed::default();
        let mut pending = Pending::<(), ()>::default();
        let kept = (0..2000).filter(|_| pending.hold(&h, 100, ())).count();
        assert_eq!(kept, 256);
        let mut pending = Pending::<(), ()>::default();
        let kept = (0..2000).filter(|_| pending.hold(&h, 64 << 10, ())).count();
        assert_eq!(kept, 3);
        assert!(pending.is_full());
    }

    #[test]
    fn the_ring_is_asked_once_a_generation() {
        let mut shared = Shared::new(std::time::Duration::from_secs(10), false);
        let mut pending = Pending::<(), ()>::default();
        assert!(pending.news(&shared).is_none());
        shared.set_keys(std::sync::Arc::default());
        assert!(pending.news(&shared).is_some());
        assert!(pending.news(&shared).is_none());
    }
}
