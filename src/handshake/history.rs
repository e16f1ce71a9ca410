//! The letters of a handshake's messages, as in Zeek's `ssl_history`.

use std::slice::SliceIndex;

use smallvec::SmallVec;

/// The letters of a handshake's messages. Room for as many as most have lies with the rest of the facts.
#[derive(Debug, Clone, Default)]
pub struct History(SmallVec<[u8; 24]>);

impl History {
    /// The letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a letter.
    #[inline]
    pub(super) fn push(&mut self, letter: char) {
        self.0.push(u8::try_from(letter).unwrap_or(b'?'));
    }

    /// Takes the last one back; false if there is none.
    pub(super) fn pop(&mut self) -> bool {
        self.0.pop().is_some()
    }

    /// Adds some of another history's, as far as it has them.
    pub(super) fn extend(&mut self, other: &Self, which: impl SliceIndex<[u8], Output = [u8]>) {
        self.0.extend_from_slice(other.0.get(which).unwrap_or_default());
    }

    /// Says in front that the roles were turned round.
    pub(super) fn mark_swapped(&mut self) {
        self.0.insert(0, b'^');
    }
}
