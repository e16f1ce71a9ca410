//! The bytes of one direction of a connection, from the first.

/// Bytes of a direction, from its first.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Stream {
    bytes: Vec<u8>,
    known: Vec<Known>,
}

/// What is known of a byte.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nothing came for its place.
    #[default]
    Nothing,
    /// It came, but the capture does not hold it: it was cut.
    Place,
    /// It came.
    Value,
    /// Something else came first in its place.
    Disputed,
}

impl Stream {
    /// Puts what a packet of `len` bytes carries, of which these were captured.
    pub(super) fn put(&mut self, at: usize, bytes: &[u8], len: usize) {
        let end = at.saturating_add(len).min(STREAM);
        if at >= end {
            return;
        }
        if end > self.bytes.len() {
            self.bytes.resize(end, 0);
            self.known.resize(end, Known::Nothing);
        }
        let values = bytes.iter().copied().map(Some).chain(std::iter::repeat(None));
        let places = self.bytes.iter_mut().zip(&mut self.known).take(end).skip(at);
        for ((place, known), value) in places.zip(values) {
            // The first that came counts.
            *known = match (*known, value) {
                (Known::Nothing | Known::Place, Some(value)) => {
                    *place = value;
                    Known::Value
                }
                (Known::Nothing, None) => Known::Place,
                (Known::Value, Some(value)) if *place != value => Known::Disputed,
                (known, _) => known,
            };
        }
    }

    /// Whether all of a range came.
    pub(super) fn covers(&self, at: usize, len: usize) -> bool {
        let range = at.checked_add(len).and_then(|end| self.known.get(at..end));
        range.is_some_and(|known| known.iter().all(|known| *known != Known::Nothing))
    }

    /// How many of these bytes came otherwise.
    pub(super) fn unlike(&self, at: usize, bytes: &[u8]) -> usize {
        let own = self.bytes.iter().zip(&self.known).skip(at);
        own.zip(bytes).filter(|((own, known), byte)| **known == Known::Value && own != byte).count()
    }

    /// The bytes from the beginning up to the first that is missing.
    pub fn head(&self) -> &[u8] {
        self.from(0)
    }

    /// The bytes from a place on, up to the first that is missing.
    pub fn from(&self, at: usize) -> &[u8] {
        let held = |known: &&Known| matches!(known, Known::Value | Known::Disputed);
        let len = self.known.iter().skip(at).take_while(held).count();
        self.bytes.get(at..at.saturating_add(len)).unwrap_or_default()
    }

    /// The first byte that is another in the other, and how many there are.
    pub(super) fn differs(&self, other: &Self) -> Option<(usize, usize)> {
        let both = || self.bytes.iter().zip(&self.known).zip(other.bytes.iter().zip(&other.known)).enumerate();
        let held = |known: Known| known == Known::Value;
        let mut different = both().filter(|(_, ((a, in_a), (b, in_b)))| held(**in_a) && held(**in_b) && a != b).map(|(at, _)| at);
        let first = different.next()?;
        Some((first, different.count().saturating_add(1)))
    }
}

/// Bytes of a direction compared.
const STREAM: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_came_and_is_not_held() {
        let mut stream = Stream::default();
        stream.put(0, b"abc", 6);
        assert!(stream.covers(0, 6) && !stream.covers(0, 7));
        assert_eq!((stream.head(), stream.unlike(0, b"abcxyz")), (&b"abc"[..], 0));
        stream.put(3, b"def", 3);
        assert_eq!((stream.head(), stream.from(4), stream.unlike(0, b"abcxyf")), (&b"abcdef"[..], &b"ef"[..], 2));
        stream.put(STREAM, b"far", 3);
        assert_eq!(stream.head().len(), 6);
    }

    #[test]
    fn what_came_twice_otherwise_differs_from_nothing() {
        let [mut sent, mut got] = [Stream::default(), Stream::default()];
        sent.put(0, b"decoy", 5);
        got.put(0, b"hello", 5);
        assert_eq!(sent.differs(&got), Some((0, 4)));
        sent.put(0, b"hello", 5);
        assert_eq!(sent.differs(&got), None);
    }
}
