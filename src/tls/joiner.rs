//! Joins handshake messages over the records of one direction (RFC 8446 section 5.1: a message may span records, a record may hold several).
//!
//! A message wholly inside a record is lent from it; one that spans is gathered in one buffer, bounded by [`limits::MESSAGE_LEN`]. The origin
//! of a message's first byte, whatever the owner takes for that, is remembered until its last.

use crate::limits;

use super::registry::HandshakeType;

/// A handshake message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined<'a, Origin> {
    /// Its type.
    pub kind: HandshakeType,
    /// Its length field: bytes of the body.
    pub len: usize,
    /// The body behind the four-byte header; `None` for a message longer than the bound, which is reported once, at its beginning, and skipped.
    pub body: Option<&'a [u8]>,
    /// Where its first byte was.
    pub first: Origin,
}

/// A message that has begun and not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending<Origin> {
    /// Its type, once its first byte was there.
    pub kind: Option<HandshakeType>,
    /// Bytes of the body so far.
    pub have: usize,
    /// Its length field; zero while that is not there.
    pub want: usize,
    /// Where its first byte was.
    pub first: Origin,
}

/// Joins the messages of one direction. As long as none spans records it holds nothing.
#[derive(Debug, Clone)]
pub struct Joiner<Origin> {
    spanning: Option<Box<Spanning<Origin>>>,
}

/// A message that spans records.
#[derive(Debug, Clone)]
struct Spanning<Origin> {
    header: [u8; 4],
    header_len: usize,
    gathered: Vec<u8>,
    /// Bytes of an overlong message still to skip.
    skip: usize,
    first: Origin,
    /// Bytes went missing: where the next message begins is not known.
    lost: bool,
}

impl<Origin: Copy> Joiner<Origin> {
    /// A joiner with nothing pending.
    pub const fn new() -> Self {
        Self { spanning: None }
    }

    /// Reads from the body of a handshake record: how many of its bytes were used, and the message they completed. Call again with the rest
    /// until it is empty. `origin` is where these bytes are.
    #[inline]
    pub fn read<'r>(&'r mut self, bytes: &'r [u8], origin: Origin) -> (usize, Option<Joined<'r, Origin>>) {
        // The common case: the whole message lies in this record.
        if self.spanning.as_ref().is_none_or(|spanning| spanning.is_over())
            && let Some((header, behind)) = bytes.split_first_chunk::<4>()
            && let (kind, len) = decode(*header)
            && let Some(body) = behind.get(..len)
            && len <= limits::MESSAGE_LEN
        {
            return (4 + len, Some(Joined { kind, len, body: Some(body), first: origin }));
        }
        self.spanning.get_or_insert_with(|| Box::new(Spanning::new(origin))).read(bytes, origin)
    }

    /// The message that has begun and not ended. One that is being skipped is not pending: it was reported.
    pub fn pending(&self) -> Option<Pending<Origin>> {
        let Spanning { header, gathered, first, .. } = self.spanning.as_deref().filter(|spanning| spanning.header_len > 0)?;
        let [kind, ..] = *header;
        let want = self.pending_header().map_or(0, |header| decode(header).1);
        let have = self.pending_header().map_or(0, |_| gathered.len());
        Some(Pending { kind: Some(HandshakeType(kind)), have, want, first: *first })
    }

    /// What was gathered of the pending message's body.
    pub fn pending_body(&self) -> &[u8] {
        self.spanning.as_ref().filter(|spanning| spanning.header_len == spanning.header.len()).map_or(&[], |spanning| &spanning.gathered)
    }

    /// The pending message's header, if that is whole.
    fn pending_header(&self) -> Option<[u8; 4]> {
        self.spanning.as_ref().filter(|spanning| spanning.header_len == spanning.header.len()).map(|spanning| spanning.header)
    }

    /// Bytes held for a message that spans records.
    pub fn held_bytes(&self) -> usize {
        self.spanning.as_ref().map_or(0, |spanning| size_of::<Spanning<Origin>>() + spanning.gathered.capacity())
    }

    /// Forgets what is pending: encryption begins.
    pub fn reset(&mut self) {
        self.spanning = None;
    }

    /// Bytes went missing before the record that comes next, which may begin in the middle of a message: it is read only if it holds whole messages that
    /// handshakes are made of, and skipped otherwise.
    pub fn lose(&mut self, next: Origin) {
        self.spanning = Some(Box::new(Spanning { lost: true, ..Spanning::new(next) }));
    }
}

/// The body of a record is a row of whole messages of known types.
fn holds_whole_messages(mut body: &[u8]) -> bool {
    while let Some((header, behind)) = body.split_first_chunk::<4>() {
        let (kind, len) = decode(*header);
        let Some(rest) = behind.get(len..).filter(|_| kind.name().is_some()) else { return false };
        body = rest;
    }
    body.is_empty()
}

impl<Origin: Copy> Spanning<Origin> {
    const fn new(first: Origin) -> Self {
        Self { header: [0; 4], header_len: 0, gathered: Vec::new(), skip: 0, first, lost: false }
    }

    /// Nothing of it is still to come.
    const fn is_over(&self) -> bool {
        self.header_len == 0 && self.skip == 0 && !self.lost
    }

    #[inline(never)]
    fn read<'r>(&'r mut self, bytes: &'r [u8], origin: Origin) -> (usize, Option<Joined<'r, Origin>>) {
        if self.lost {
            if !holds_whole_messages(bytes) {
                return (bytes.len(), None);
            }
            self.lost = false;
        }
        if self.skip > 0 {
            let used = self.skip.min(bytes.len());
            self.skip -= used;
            return (used, None);
        }
        let mut used = 0;
        while self.header_len < self.header.len() {
            let (Some(byte), Some(slot)) = (bytes.get(used), self.header.get_mut(self.header_len)) else { return (used, None) };
            *slot = *byte;
            if self.header_len == 0 {
                self.first = origin;
                self.gathered.clear();
            }
            self.header_len += 1;
            used += 1;
        }
        let (kind, len) = decode(self.header);
        let first = self.first;
        if len > limits::MESSAGE_LEN {
            self.header_len = 0;
            self.skip = len;
            return (used, Some(Joined { kind, len, body: None, first }));
        }
        let missing = len.saturating_sub(self.gathered.len());
        let behind = bytes.get(used..).unwrap_or(&[]);
        let part = behind.get(..missing).unwrap_or(behind);
        self.gathered.extend_from_slice(part);
        used += part.len();
        if self.gathered.len() < len {
            return (used, None);
        }
        self.header_len = 0;
        (used, Some(Joined { kind, len, body: Some(&self.gathered), first }))
    }
}

impl<Origin: Copy> Default for Joiner<Origin> {
    fn default() -> Self {
        Self::new()
    }
}

fn decode(header: [u8; 4]) -> (HandshakeType, usize) {
    let [kind, a, b, c] = header;
    (HandshakeType(kind), usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "test data is short")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Owned = (u8, usize, Option<Vec<u8>>, usize);

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = (body.len() as u32).to_be_bytes().to_vec();
        bytes[0] = kind;
        bytes.extend(body);
        bytes
    }

    /// Feeds records; the origin is the record's number.
    fn feed<'a>(joiner: &mut Joiner<usize>, records: impl IntoIterator<Item = &'a [u8]>) -> Vec<Owned> {
        let mut messages = Vec::new();
        for (number, mut bytes) in records.into_iter().enumerate() {
            while !bytes.is_empty() {
                let (used, joined) = joiner.read(bytes, number);
                assert!(used > 0, "every step uses bytes");
                messages.extend(joined.map(|m| (m.kind.0, m.len, m.body.map(<[u8]>::to_vec), m.first)));
                bytes = &bytes[used..];
            }
        }
        messages
    }

    #[test]
    fn several_messages_in_a_record_and_one_over_three() {
        let stream = [message(2, &[1; 10]), message(14, &[]), message(11, &[2; 50])].concat();
        let mut joiner = Joiner::new();
        let got = feed(&mut joiner, [&stream[..20], &stream[20..21], &stream[21..]]);
        assert_eq!(got, [(2, 10, Some(vec![1; 10]), 0), (14, 0, Some(vec![]), 0), (11, 50, Some(vec![2; 50]), 0)]);
        assert_eq!(joiner.pending(), None);
    }

    #[test]
    fn shows_what_is_pending() {
        let stream = message(1, &[9; 300]);
        let mut joiner = Joiner::new();
        feed(&mut joiner, [&stream[..2]]);
        assert_eq!(joiner.pending(), Some(Pending { kind: Some(HandshakeType::CLIENT_HELLO), have: 0, want: 0, first: 0 }));
        feed(&mut joiner, [&stream[2..104]]);
        assert_eq!(joiner.pending().map(|pending| (pending.have, pending.want)), Some((100, 300)));
        assert_eq!(joiner.pending_body(), [9; 100]);
        joiner.reset();
        assert_eq!(joiner.pending(), None);
    }

    #[test]
    fn behind_missing_bytes_only_whole_messages_of_known_types_are_read() {
        let mut joiner = Joiner::new();
        feed(&mut joiner, [&message(11, &[2; 50])[..20]]);
        joiner.lose(7);
        assert_eq!(joiner.pending(), None);
        // What goes on in the middle of a certificate may begin like a message.
        let middle = [&[0x65, 0x2e, 0x6c, 0x61, 0x62][..], &message(14, &[])].concat();
        let torn = [&message(14, &[])[..], &[11, 0, 3, 0]].concat();
        let whole = [message(12, &[4; 9]), message(14, &[])].concat();
        let got = feed(&mut joiner, [&middle[..], &torn[..], &whole[..], &message(20, &[5; 12])[..5]]);
        assert_eq!(got, [(12, 9, Some(vec![4; 9]), 2), (14, 0, Some(vec![]), 2)]);
        assert_eq!(joiner.pending().map(|pending| (pending.have, pending.want)), Some((1, 12)), "messages may span records again");
    }

    #[test]
    fn an_overlong_message_is_reported_once_and_skipped() {
        let len = limits::MESSAGE_LEN + 1;
        let stream = [message(11, &vec![0; len]), message(14, &[])].concat();
        let got = feed(&mut Joiner::new(), stream.chunks(16_000));
        assert_eq!(got.len(), 2);
        assert_eq!((got[0].0, got[0].1, &got[0].2), (11, len, &None));
        assert_eq!(got[1].0, 14);
    }

    proptest! {
        #[test]
        fn the_framing_into_records_does_not_matter(
            messages in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..50)), 0..8),
            cuts in proptest::collection::vec(1usize..60, 1..30),
        ) {
            let stream: Vec<u8> = messages.iter().flat_map(|(kind, body)| message(*kind, body)).collect();
            let strip = |got: Vec<Owned>| got.into_iter().map(|(kind, _, body, _)| (kind, body.unwrap())).collect::<Vec<_>>();
            prop_assert_eq!(&strip(feed(&mut Joiner::new(), [&stream[..]])), &messages);
            prop_assert_eq!(&strip(feed(&mut Joiner::new(), stream.chunks(1))), &messages);
            let mut pieces = Vec::new();
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, behind) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = behind;
            }
            prop_assert_eq!(&strip(feed(&mut Joiner::new(), pieces)), &messages);
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..90), 0..10)) {
            let mut joiner = Joiner::new();
            feed(&mut joiner, records.iter().map(Vec::as_slice));
            let _ = joiner.pending();
        }
    }
}
