//! Handshake messages of one direction, joined from fragments and put in order (RFC 6347 section 4.2.3, RFC 9147 section 5.5).
//!
//! Fragments come in any order, overlap and are sent again, cut at other places: of bytes that are there already the first copy stays. A message
//! is given once, when it is whole and all before it were given.

use std::collections::BTreeMap;

use crate::limits;
use crate::tls::registry::HandshakeType;

/// A fragment, borrowed from its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Message type.
    pub kind: HandshakeType,
    /// Length of the whole message's body.
    pub len: usize,
    /// Message number.
    pub seq: u16,
    /// Offset of the first byte.
    pub offset: usize,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Reads the first fragment in a record's body: the fragment and what stands behind it. `None` when it contradicts itself or is cut.
    pub fn parse(body: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&[kind, l0, l1, l2, s0, s1, o0, o1, o2, f0, f1, f2], behind) = body.split_first_chunk::<HEADER>()?;
        let [len, offset, fragment] =
            [[l0, l1, l2], [o0, o1, o2], [f0, f1, f2]].map(|[a, b, c]| usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c));
        let (bytes, behind) = behind.split_at_checked(fragment)?;
        let whole = offset + fragment <= len;
        whole.then_some((Self { kind: HandshakeType(kind), len, seq: u16::from_be_bytes([s0, s1]), offset, bytes }, behind))
    }

    /// It holds the whole message.
    pub const fn is_whole(&self) -> bool {
        self.offset == 0 && self.bytes.len() == self.len
    }
}

/// What became of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It brought something new.
    New,
    /// All of it was there before: it was sent again.
    Repeated,
    /// It was dropped because of a bound, or does not fit what is known of its message.
    Refused,
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<Origin> {
    /// Its type.
    pub kind: HandshakeType,
    /// Its number.
    pub seq: u16,
    /// The body, joined.
    pub body: Vec<u8>,
    /// Where its first fragment to arrive came from.
    pub first: Origin,
    /// Where its last fragment to arrive came from.
    pub last: Origin,
    /// In how many pieces it came.
    pub pieces: usize,
}

/// A message that is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending<Origin> {
    /// Its type.
    pub kind: HandshakeType,
    /// Its number.
    pub seq: u16,
    /// Bytes of the body that arrived.
    pub have: usize,
    /// Length of the body.
    pub want: usize,
    /// The first hole: where it begins, and how many bytes are missing there.
    pub hole: (usize, usize),
    /// Where its first fragment to arrive came from.
    pub first: Origin,
}

/// Joins the messages of one direction. `Origin` is whatever the owner takes for the place of a fragment.
#[derive(Debug, Clone)]
pub struct Reassembly<Origin> {
    /// The number of the next message to give; `None` before the first is known.
    next: Option<u16>,
    pending: BTreeMap<u16, Partial<Origin>>,
    held: usize,
}

#[derive(Debug, Clone)]
struct Partial<Origin> {
    kind: HandshakeType,
    bytes: Vec<u8>,
    /// What arrived, as ranges in order that neither overlap nor touch.
    ranges: Vec<(usize, usize)>,
    first: Origin,
    last: Origin,
    pieces: usize,
}

impl<Origin: Copy> Reassembly<Origin> {
    /// Bytes held for messages that are not whole.
    pub fn held_bytes(&self) -> usize {
        let ranges: usize = self.pending.values().map(|partial| partial.ranges.capacity() * size_of::<(usize, usize)>()).sum();
        self.held + ranges + self.pending.len() * size_of::<Partial<Origin>>()
    }

    /// Nothing pending. The first message given will be the one with this number, or the first of its kind that opens a handshake.
    pub const fn new() -> Self {
        Self { next: None, pending: BTreeMap::new(), held: 0 }
    }

    /// Adds a fragment.
    pub fn add(&mut self, fragment: &Fragment<'_>, origin: Origin) -> Added {
        let opens = matches!(fragment.kind, HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO | HandshakeType(3));
        if self.next.is_none() && opens {
            self.next = Some(fragment.seq);
        }
        if self.next.is_some_and(|next| fragment.seq < next) {
            return Added::Repeated;
        }
        if fragment.len > limits::MESSAGE_LEN {
            return Added::Refused;
        }
        if !self.pending.contains_key(&fragment.seq) {
            if self.pending.len() >= limits::DTLS_PENDING || self.held + fragment.len > limits::DTLS_PENDING_BYTES {
                return Added::Refused;
            }
            self.held += fragment.len;
        }
        let partial = self.pending.entry(fragment.seq).or_insert_with(|| Partial {
            kind: fragment.kind,
            bytes: vec![0; fragment.len],
            ranges: Vec::new(),
            first: origin,
            last: origin,
            pieces: 0,
        });
        if partial.kind != fragment.kind || partial.bytes.len() != fragment.len {
            return Added::Refused;
        }
        partial.add(fragment, origin)
    }

    /// The next message in order, when it is whole.
    pub fn next_message(&mut self) -> Option<Message<Origin>> {
        let next = self.next?;
        self.pending.get(&next).filter(|partial| partial.is_whole())?;
        self.next = Some(next.wrapping_add(1));
        self.take(next)
    }

    /// The next whole message, whether or not one before it is missing: for when no more will come.
    pub fn next_message_anyhow(&mut self) -> Option<Message<Origin>> {
        let seq = *self.pending.iter().find(|(_, partial)| partial.is_whole())?.0;
        self.next = self.next.max(Some(seq.wrapping_add(1)));
        self.take(seq)
    }

    /// Messages that have begun and are not whole, in order.
    pub fn pending(&self) -> impl Iterator<Item = Pending<Origin>> + '_ {
        self.pending.iter().filter(|(_, partial)| !partial.is_whole()).map(|(seq, partial)| Pending {
            kind: partial.kind,
            seq: *seq,
            have: partial.ranges.iter().map(|(from, to)| to - from).sum(),
            want: partial.bytes.len(),
            hole: partial.hole(),
            first: partial.first,
        })
    }

    /// Forgets everything, for a handshake that begins anew.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    fn take(&mut self, seq: u16) -> Option<Message<Origin>> {
        let partial = self.pending.remove(&seq)?;
        self.held = self.held.saturating_sub(partial.bytes.len());
        let Partial { kind, bytes, first, last, pieces, .. } = partial;
        Some(Message { kind, seq, body: bytes, first, last, pieces })
    }
}

impl<Origin: Copy> Default for Reassembly<Origin> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Origin: Copy> Partial<Origin> {
    fn add(&mut self, fragment: &Fragment<'_>, origin: Origin) -> Added {
        let (start, end) = (fragment.offset, fragment.offset + fragment.bytes.len());
        let covered = self.ranges.iter().any(|(from, to)| *from <= start && end <= *to);
        if covered && !(self.bytes.is_empty() && self.pieces == 0) {
            return Added::Repeated;
        }
        if self.pieces >= limits::DTLS_PIECES {
            return Added::Refused;
        }
        let mut at = start;
        for &(from, to) in self.ranges.iter().filter(|(from, to)| *from < end && *to > start) {
            copy(&mut self.bytes, fragment, at, from);
            at = at.max(to);
        }
        copy(&mut self.bytes, fragment, at, end);
        let (mut low, mut high) = (start, end);
        let first = self.ranges.partition_point(|(_, to)| *to < start);
        let last = self.ranges.partition_point(|(from, _)| *from <= end);
        for (from, to) in self.ranges.iter().take(last).skip(first) {
            (low, high) = (low.min(*from), high.max(*to));
        }
        self.ranges.splice(first..last.max(first), [(low, high)]);
        self.last = origin;
        self.pieces += 1;
        Added::New
    }

    fn is_whole(&self) -> bool {
        matches!(self.ranges.as_slice(), [(0, end)] if *end == self.bytes.len())
    }

    fn hole(&self) -> (usize, usize) {
        match self.ranges.as_slice() {
            [(0, end), (next, _), ..] => (*end, next - end),
            [(0, end)] => (*end, self.bytes.len() - end),
            [(from, _), ..] => (0, *from),
            [] => (0, self.bytes.len()),
        }
    }
}

/// Copies what a fragment has of a range of the whole.
fn copy(whole: &mut [u8], fragment: &Fragment<'_>, from: usize, to: usize) {
    let source = from.checked_sub(fragment.offset).and_then(|skip| fragment.bytes.get(skip..to.checked_sub(fragment.offset)?));
    if let (Some(target), Some(source)) = (whole.get_mut(from..to.max(from)), source)
        && target.len() == source.len()
    {
        target.copy_from_slice(source);
    }
}

/// Type, length, message number, fragment offset, fragment length.
const HEADER: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fragment(seq: u16, len: usize, offset: usize, bytes: &[u8]) -> Fragment<'_> {
        let kind = if seq == 0 { HandshakeType::SERVER_HELLO } else { HandshakeType::CERTIFICATE };
        Fragment { kind, len, seq, offset, bytes }
    }

    #[test]
    fn messages_are_given_in_order_and_once() {
        let mut side = Reassembly::new();
        assert_eq!(side.add(&fragment(1, 4, 2, b"cd"), 'a'), Added::New);
        assert_eq!(side.next_message(), None, "what opens the handshake is not known yet");
        assert_eq!(side.add(&fragment(0, 2, 0, b"xy"), 'b'), Added::New);
        assert_eq!(side.next_message().map(|message| message.body), Some(b"xy".to_vec()));
        assert_eq!(side.next_message(), None);
        assert_eq!(
            side.pending().next(),
            Some(Pending { kind: HandshakeType::CERTIFICATE, seq: 1, have: 2, want: 4, hole: (0, 2), first: 'a' })
        );
        assert_eq!(side.add(&fragment(0, 2, 0, b"xy"), 'c'), Added::Repeated);
        assert_eq!(side.add(&fragment(1, 4, 2, b"zz"), 'c'), Added::Repeated);
        assert_eq!(side.add(&fragment(1, 4, 0, b"abz"), 'd'), Added::New);
        let message = side.next_message().unwrap();
        assert_eq!((message.body.as_slice(), message.first, message.last, message.pieces), (&b"abcd"[..], 'a', 'd', 2));
    }

    #[test]
    fn an_empty_message_is_a_message() {
        let mut side = Reassembly::new();
        side.add(&fragment(0, 0, 0, b""), ());
        assert_eq!(side.next_message().map(|message| message.body), Some(Vec::new()));
    }

    #[test]
    fn what_contradicts_or_exceeds_is_refused() {
        let mut side = Reassembly::new();
        assert_eq!(side.add(&fragment(1, 4, 0, b"a"), ()), Added::New);
        assert_eq!(side.add(&fragment(1, 5, 1, b"b"), ()), Added::Refused);
        assert_eq!(side.add(&fragment(2, limits::MESSAGE_LEN + 1, 0, b"b"), ()), Added::Refused);
        for seq in 2..100 {
            side.add(&fragment(seq, limits::MESSAGE_LEN, 0, b"b"), ());
        }
        assert!(side.held <= limits::DTLS_PENDING_BYTES && side.pending.len() <= limits::DTLS_PENDING);
    }

    #[test]
    fn reads_a_fragment_header() {
        let body = [11, 0, 1, 0, 0, 3, 0, 0, 16, 0, 0, 2, 7, 8, 9];
        let (fragment, behind) = Fragment::parse(&body).unwrap();
        assert_eq!(fragment, Fragment { kind: HandshakeType::CERTIFICATE, len: 256, seq: 3, offset: 16, bytes: &[7, 8] });
        assert_eq!(behind, [9]);
        assert_eq!(Fragment::parse(&[11, 0, 0, 1, 0, 3, 0, 0, 16, 0, 0, 1, 7]), None, "the fragment ends behind its message");
    }

    proptest! {
        /// Any cutting, in any order, overlapping and with repetitions, joins to the same messages.
        #[test]
        fn fragments_make_the_whole(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..120), 1..6),
            extra in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1usize..50), 0..30),
            rotate in any::<prop::sample::Index>(),
        ) {
            let mut pieces = Vec::new();
            for (message, at, len) in extra {
                let seq = message.index(bodies.len());
                let start = at.index(bodies[seq].len() + 1);
                pieces.push((seq, start, (start + len).min(bodies[seq].len())));
            }
            for (seq, body) in bodies.iter().enumerate() {
                pieces.extend((0..=body.len() / 40).map(|part| (seq, part * 40, (part * 40 + 40).min(body.len()))));
            }
            let middle = rotate.index(pieces.len());
            pieces.rotate_left(middle);
            let mut side = Reassembly::new();
            let mut got = Vec::new();
            for (seq, start, end) in pieces {
                let number = u16::try_from(seq).unwrap();
                side.add(&fragment(number, bodies[seq].len(), start, &bodies[seq][start..end]), ());
                while let Some(message) = side.next_message() {
                    prop_assert_eq!(usize::from(message.seq), got.len());
                    got.push(message.body);
                }
            }
            prop_assert_eq!(got, bodies);
            prop_assert_eq!(side.held, 0);
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..20)) {
            let mut side = Reassembly::new();
            for body in &bodies {
                let mut rest = &body[..];
                while let Some((fragment, behind)) = Fragment::parse(rest) {
                    side.add(&fragment, ());
                    rest = behind;
                }
                while side.next_message_anyhow().is_some() {}
            }
            prop_assert!(side.held <= limits::DTLS_PENDING_BYTES);
        }
    }
}
