//! The CRYPTO stream of one direction in one packet number space: joined from frames in any order, overlapping or repeated, within bounds.

use crate::limits;

/// Joins the bytes of CRYPTO frames. `Origin` is whatever the owner takes for the place of a frame.
#[derive(Debug, Clone)]
pub struct CryptoStream<Origin> {
    bytes: Vec<u8>,
    /// What arrived, in order, without overlap: start, end, and where it came from.
    pieces: Vec<(usize, usize, Origin)>,
    /// Behind the last message that was taken.
    taken: usize,
    /// Bytes beyond the bound were dropped.
    overflowed: bool,
}

/// A message of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a, Origin> {
    /// Handshake type.
    pub kind: u8,
    /// The body behind the four-byte header.
    pub body: &'a [u8],
    /// Offset of its first byte, the header's.
    pub start: usize,
    /// Offset behind its last byte.
    pub end: usize,
    /// Where its first byte came from.
    pub first: Origin,
}

/// What is there of a message that is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending<Origin> {
    /// Handshake type, if its first byte is there.
    pub kind: Option<u8>,
    /// Bytes of it that arrived, wherever, the header excluded.
    pub have: usize,
    /// Bytes that its length field promises; zero while that is not there.
    pub want: usize,
    /// Where the first of them came from.
    pub first: Origin,
}

impl<Origin: Copy> CryptoStream<Origin> {
    /// An empty stream.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), pieces: Vec::new(), taken: 0, overflowed: false }
    }

    /// Adds a frame's bytes; those that are there already stay. Gives how many were new.
    pub fn add(&mut self, offset: u64, data: &[u8], origin: Origin) -> usize {
        let Some((start, end)) = usize::try_from(offset).ok().and_then(|start| Some((start, start.checked_add(data.len())?))) else {
            self.overflowed = true;
            return 0;
        };
        if end > limits::QUIC_CRYPTO || self.pieces.len() >= limits::QUIC_CRYPTO_PIECES {
            self.overflowed = true;
            return 0;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        let mut fresh = 0;
        let mut at = start;
        let mut index = self.pieces.partition_point(|(_, to, _)| *to <= start);
        while at < end {
            let next = self.pieces.get(index).map_or(end, |(from, _, _)| (*from).clamp(at, end));
            if next > at {
                let source = data.get(at - start..next - start);
                if let (Some(target), Some(source)) = (self.bytes.get_mut(at..next), source) {
                    target.copy_from_slice(source);
                }
                self.pieces.insert(index, (at, next, origin));
                index += 1;
                fresh += next - at;
            }
            at = self.pieces.get(index).map_or(end, |(_, to, _)| (*to).max(next));
            index += 1;
        }
        fresh
    }

    /// The next whole message, in order. `None` until its last byte is there.
    pub fn next_message(&mut self) -> Option<Message<'_, Origin>> {
        let start = self.taken;
        let whole = self.contiguous(start);
        let (&[kind, a, b, c], behind) = self.bytes.get(start..whole)?.split_first_chunk::<4>()?;
        let len = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let body = behind.get(..len)?;
        let first = self.origin_of(start)?;
        let end = start + 4 + len;
        self.taken = end;
        Some(Message { kind, body, start, end, first })
    }

    /// The message that has begun and is not whole.
    pub fn pending(&self) -> Option<Pending<Origin>> {
        let begun = self.pieces.iter().find(|(_, to, _)| *to > self.taken)?;
        let arrived: usize = self.pieces.iter().filter(|(_, to, _)| *to > self.taken).map(|(from, to, _)| to - from.max(&self.taken)).sum();
        let head = self.bytes.get(self.taken..self.contiguous(self.taken)).unwrap_or_default();
        let want = match head {
            [_, a, b, c, ..] => usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c),
            _ => 0,
        };
        let headers = head.len().min(4);
        Some(Pending { kind: head.first().copied(), have: arrived - headers, want, first: begun.2 })
    }

    /// Bytes that it holds.
    pub fn held_bytes(&self) -> usize {
        self.bytes.capacity() + self.pieces.capacity() * size_of::<(usize, usize, Origin)>()
    }

    /// Behind the highest byte that arrived.
    pub fn highest(&self) -> usize {
        self.pieces.last().map_or(0, |(_, to, _)| *to)
    }

    /// Bytes that arrived, each counted once.
    pub fn arrived(&self) -> usize {
        self.pieces.iter().map(|(from, to, _)| to - from).sum()
    }

    /// Bytes were dropped because of a bound.
    pub const fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// The end of what is there without a hole from this offset on.
    fn contiguous(&self, from: usize) -> usize {
        let mut end = from;
        for (start, to, _) in self.pieces.iter().skip(self.pieces.partition_point(|(_, to, _)| *to <= from)) {
            if *start > end {
                break;
            }
            end = *to;
        }
        end
    }

    fn origin_of(&self, offset: usize) -> Option<Origin> {
        self.pieces.iter().find(|(from, to, _)| *from <= offset && offset < *to).map(|(_, _, origin)| *origin)
    }
}

impl<Origin: Copy> Default for CryptoStream<Origin> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_whole_when_its_last_hole_is_filled() {
        let mut stream = CryptoStream::new();
        let bytes = [1, 0, 0, 6, b'a', b'b', b'c', b'd', b'e', b'f', 2, 0, 0, 0];
        assert_eq!(stream.add(8, &bytes[8..14], 'b'), 6);
        assert_eq!(stream.next_message(), None);
        assert_eq!(stream.pending(), Some(Pending { kind: None, have: 6, want: 0, first: 'b' }));
        assert_eq!(stream.add(0, &bytes[..5], 'a'), 5);
        assert_eq!(stream.pending().map(|pending| (pending.kind, pending.have, pending.want)), Some((Some(1), 7, 6)));
        assert_eq!(stream.add(0, &bytes[..5], 'c'), 0, "a repetition brings nothing");
        assert_eq!(stream.add(3, &bytes[3..10], 'd'), 3);
        assert_eq!(stream.next_message(), Some(Message { kind: 1, body: b"abcdef", start: 0, end: 10, first: 'a' }));
        assert_eq!(stream.next_message(), Some(Message { kind: 2, body: b"", start: 10, end: 14, first: 'b' }));
        assert_eq!(stream.next_message(), None);
        assert_eq!(stream.pending(), None);
    }

    #[test]
    fn what_lies_beyond_the_bound_is_dropped() {
        let mut stream = CryptoStream::new();
        assert_eq!(stream.add(u64::MAX, &[1], ()), 0);
        assert_eq!(stream.add(limits::QUIC_CRYPTO as u64, &[1], ()), 0);
        assert!(stream.overflowed());
        for hole in 0..limits::QUIC_CRYPTO_PIECES + 10 {
            stream.add(hole as u64 * 2, &[1], ());
        }
        assert!(stream.pieces.len() <= limits::QUIC_CRYPTO_PIECES);
    }

    proptest! {
        /// Frames cut anywhere, in any order, repeated and overlapping, make the same message.
        #[test]
        fn any_order_makes_the_whole(
            body in proptest::collection::vec(any::<u8>(), 1..300),
            cuts in proptest::collection::vec((any::<prop::sample::Index>(), 1usize..60), 0..40),
        ) {
            let mut bytes = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
            bytes[0] = 1;
            bytes.extend(&body);
            let mut stream = CryptoStream::new();
            for (at, len) in cuts {
                let start = at.index(bytes.len());
                stream.add(start as u64, &bytes[start..(start + len).min(bytes.len())], 0);
            }
            for (number, piece) in bytes.chunks(50).enumerate().collect::<Vec<_>>().into_iter().rev() {
                stream.add(number as u64 * 50, piece, 0);
            }
            prop_assert_eq!(stream.arrived(), bytes.len());
            let message = stream.next_message().unwrap();
            prop_assert_eq!((message.kind, message.body), (1, &body[..]));
        }
    }
}
