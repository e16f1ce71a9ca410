//! Splits a byte stream into records without copying (RFC 8446 section 5.1, RFC 5246 section 6.2; `SSLv2` hello: RFC 5246 appendix E.2).
//!
//! A [`RecordReader`] serves one direction. It is fed the stream in order, in whatever pieces it arrives; what it yields does not depend on
//! where the pieces are cut. A record that lies wholly within a piece is lent from it; one that spans pieces is gathered in one buffer, used
//! again and again and never longer than the longest record. Bodies of application data are not gathered unless asked for.

use crate::limits;

use super::registry::{ContentType, HandshakeType, ProtocolVersion};

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Content type; [`ContentType::HANDSHAKE`] for an `SSLv2` hello.
    pub content_type: ContentType,
    /// The header's version; [`ProtocolVersion::SSL2`] marks an `SSLv2` record.
    pub version: ProtocolVersion,
    /// The header's length field: bytes of the body.
    pub len: u16,
    /// The body: for `SSLv2` from the message type on, padding left out. `None` for application data (unless [`RecordReader::keep_encrypted`])
    /// and for damaged records.
    pub body: Option<&'a [u8]>,
    /// Stream offset of the header's first byte.
    pub start: u64,
    /// Stream offset behind the body's last byte.
    pub end: u64,
    /// Bytes of the body are missing from the stream.
    pub damaged: bool,
}

/// A place where no record stands though one was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordError {
    /// Stream offset of the header.
    pub offset: u64,
    /// What is wrong.
    pub kind: RecordErrorKind,
}

/// What is wrong with a record header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordErrorKind {
    /// Neither content type nor version are those of any TLS record: its first five bytes.
    NotARecord([u8; 5]),
    /// The version is right and the content type is none of TLS.
    UnknownType(ContentType),
    /// The content type is right and the version is none of TLS.
    BadVersion(ProtocolVersion),
    /// Longer than any version allows: the length field.
    TooLong(u16),
}

/// What the reader yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// A record, complete.
    Record(Record<'a>),
    /// Framing is lost here; the reader looks for a plausible header at the beginning of the pieces that follow.
    Error(RecordError),
}

/// A record whose header is known and whose end has not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingRecord<'a> {
    /// Content type.
    pub content_type: ContentType,
    /// The header's version.
    pub version: ProtocolVersion,
    /// The header's length field.
    pub len: u16,
    /// Bytes of the body that came or went missing.
    pub have: u16,
    /// What was gathered of the body; empty when bodies of this kind are not.
    pub body: &'a [u8],
    /// Stream offset of the header's first byte.
    pub start: u64,
}

/// Whether the beginning of a stream is TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A hello or an alert.
    Yes,
    /// Something else.
    No,
    /// Too few bytes to say.
    NeedMore,
}

/// Splits one direction of a stream into records.
#[derive(Debug, Clone)]
pub struct RecordReader {
    state: State,
    /// The header, as far as it came: five bytes, six for `SSLv2` with padding.
    header: [u8; HEADER_MOST],
    header_len: usize,
    gathered: Vec<u8>,
    /// Stream offset of the next byte.
    offset: u64,
    /// No record was read yet: an `SSLv2` hello may stand here.
    at_start: bool,
    keep_encrypted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A header is due.
    Header,
    /// A record's body, of which so many bytes are still to come.
    Body { head: Head, missing: usize, damaged: bool },
    /// Framing is lost.
    Lost,
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    content_type: ContentType,
    version: ProtocolVersion,
    len: u16,
    start: u64,
    /// `SSLv2`: bytes of padding at the end of the body.
    padding: u8,
}

impl RecordReader {
    /// A reader for a direction seen from its first byte, which is at this stream offset (behind a preamble, say).
    pub const fn new(offset: u64) -> Self {
        Self {
            state: State::Header,
            header: [0; HEADER_MOST],
            header_len: 0,
            gathered: Vec::new(),
            offset,
            at_start: true,
            keep_encrypted: false,
        }
    }

    /// A reader for a direction whose beginning was not seen: it starts at the first plausible header that begins a piece.
    pub fn midstream(offset: u64) -> Self {
        Self { state: State::Lost, at_start: false, ..Self::new(offset) }
    }

    /// Whether bodies of application data records are gathered and lent, as decryption needs. Takes effect with the next record.
    pub const fn keep_encrypted(&mut self, keep: bool) {
        self.keep_encrypted = keep;
    }

    /// The stream offset of the next byte.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Record boundaries are known.
    pub const fn in_sync(&self) -> bool {
        !matches!(self.state, State::Lost)
    }

    /// The record that has begun and not ended.
    pub fn pending(&self) -> Option<PendingRecord<'_>> {
        let State::Body { head, missing, .. } = self.state else { return None };
        let have = usize::from(head.len).saturating_sub(missing);
        Some(PendingRecord {
            content_type: head.content_type,
            version: head.version,
            len: head.len,
            have: u16::try_from(have).unwrap_or(u16::MAX),
            body: &self.gathered,
            start: head.start,
        })
    }

    /// Bytes of a header that has not come whole.
    pub const fn pending_header(&self) -> usize {
        self.header_len
    }

    /// Reads from a piece of the stream: how many of its bytes were used, and what they completed. Call again with the rest until it is empty.
    pub fn read<'r>(&'r mut self, bytes: &'r [u8]) -> (usize, Option<Item<'r>>) {
        match self.state {
            State::Header => self.read_header(bytes),
            State::Body { head, missing, damaged } => self.read_body(head, missing, damaged, bytes),
            State::Lost if looks_like_record(bytes) => {
                self.state = State::Header;
                self.header_len = 0;
                self.read_header(bytes)
            }
            State::Lost => {
                self.offset = self.offset.saturating_add(bytes.len() as u64);
                (bytes.len(), None)
            }
        }
    }

    /// Tells that `len` bytes of the stream are missing. Within a body the record counts as damaged and framing goes on behind it; anywhere
    /// else framing is lost.
    pub fn gap(&mut self, len: u64) -> Option<Item<'_>> {
        let at = self.offset;
        self.offset = at.saturating_add(len);
        let State::Body { head, missing, .. } = self.state else {
            if len > 0 {
                self.lose();
            }
            return None;
        };
        self.gathered.clear();
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len < missing {
            self.state = State::Body { head, missing: missing - len, damaged: len > 0 };
            return None;
        }
        if len > missing {
            self.lose();
        } else {
            self.state = State::Header;
        }
        Some(Item::Record(Record {
            content_type: head.content_type,
            version: head.version,
            len: head.len,
            body: None,
            start: head.start,
            end: at.saturating_add(missing as u64),
            damaged: true,
        }))
    }

    fn lose(&mut self) {
        self.state = State::Lost;
        self.header_len = 0;
        self.at_start = false;
        self.gathered.clear();
    }

    fn read_header<'r>(&'r mut self, bytes: &'r [u8]) -> (usize, Option<Item<'r>>) {
        let mut used = 0;
        // The common case: header and body lie in this piece.
        if self.header_len == 0
            && let Some((header, behind)) = bytes.split_first_chunk::<HEADER_LEN>()
            && let Ok(head) = Head::read(*header, self.offset)
        {
            self.at_start = false;
            let len = usize::from(head.len);
            if let Some(body) = behind.get(..len) {
                let total = HEADER_LEN + len;
                self.offset = self.offset.saturating_add(total as u64);
                let body = (self.keep_encrypted || head.content_type != ContentType::APPLICATION_DATA).then_some(body);
                return (total, Some(Item::Record(head.record(body, false))));
            }
            self.offset = self.offset.saturating_add(HEADER_LEN as u64);
            self.begin_body(head);
            return (HEADER_LEN, None);
        }
        for byte in bytes {
            let Some(slot) = self.header.get_mut(self.header_len) else { break };
            *slot = *byte;
            self.header_len += 1;
            used += 1;
            self.offset = self.offset.saturating_add(1);
            if self.header_len == self.header_needed() {
                return self.end_header(used, bytes.len());
            }
        }
        (used, None)
    }

    /// How long the header is, by its first byte.
    const fn header_needed(&self) -> usize {
        let [first, ..] = self.header;
        if self.at_start && first < 0x40 && !matches!(first, 20..=24) { HEADER_MOST } else { HEADER_LEN }
    }

    fn end_header(&mut self, used: usize, available: usize) -> (usize, Option<Item<'_>>) {
        let start = self.offset.saturating_sub(self.header_len as u64);
        let header_len = std::mem::take(&mut self.header_len);
        if std::mem::take(&mut self.at_start)
            && let Some((head, body)) = self.header.get(..header_len).and_then(|header| Head::read_sslv2(header, start))
        {
            self.gathered.clear();
            self.gathered.extend_from_slice(body);
            let missing = usize::from(head.len).saturating_sub(body.len());
            self.state = State::Body { head, missing, damaged: false };
            return (used, None);
        }
        let header = self.header.first_chunk::<HEADER_LEN>().copied().unwrap_or_default();
        match Head::read(header, start) {
            Ok(head) if head.len == 0 => (used, Some(Item::Record(head.record(self.keeps(head).then_some(&[]), false)))),
            Ok(head) => {
                self.begin_body(head);
                (used, None)
            }
            Err(kind) => {
                self.offset = self.offset.saturating_add(available.saturating_sub(used) as u64);
                self.lose();
                (available, Some(Item::Error(RecordError { offset: start, kind })))
            }
        }
    }

    fn begin_body(&mut self, head: Head) {
        self.gathered.clear();
        self.state = State::Body { head, missing: usize::from(head.len), damaged: false };
    }

    fn keeps(&self, head: Head) -> bool {
        self.keep_encrypted || head.content_type != ContentType::APPLICATION_DATA
    }

    fn read_body<'r>(&'r mut self, head: Head, missing: usize, damaged: bool, bytes: &'r [u8]) -> (usize, Option<Item<'r>>) {
        let keep = !damaged && self.keeps(head);
        let Some(tail) = bytes.get(..missing) else {
            self.offset = self.offset.saturating_add(bytes.len() as u64);
            if keep {
                self.gathered.extend_from_slice(bytes);
            }
            self.state = State::Body { head, missing: missing - bytes.len(), damaged };
            return (bytes.len(), None);
        };
        self.offset = self.offset.saturating_add(missing as u64);
        self.state = State::Header;
        if !keep {
            return (missing, Some(Item::Record(head.record(None, damaged))));
        }
        let whole = if self.gathered.is_empty() {
            tail
        } else {
            self.gathered.extend_from_slice(tail);
            &self.gathered
        };
        // A record fed in parts whose body was not wanted at first is not whole.
        let body = (whole.len() == usize::from(head.len)).then_some(whole);
        let body = body.map(|body| body.get(..body.len().saturating_sub(usize::from(head.padding))).unwrap_or(body));
        (missing, Some(Item::Record(head.record(body, damaged))))
    }
}

impl Head {
    fn read(header: [u8; HEADER_LEN], start: u64) -> Result<Self, RecordErrorKind> {
        let [kind, major, minor, high, low] = header;
        let len = u16::from_be_bytes([high, low]);
        let version = ProtocolVersion(u16::from_be_bytes([major, minor]));
        let content_type = ContentType(kind);
        match (matches!(kind, 20..=24), major == 3 && minor <= 4) {
            (true, true) if usize::from(len) > limits::RECORD_LEN => Err(RecordErrorKind::TooLong(len)),
            (true, true) => Ok(Self { content_type, version, len, start, padding: 0 }),
            (false, true) => Err(RecordErrorKind::UnknownType(content_type)),
            (true, false) if major < 8 || major == 0xfe => Err(RecordErrorKind::BadVersion(version)),
            _ => Err(RecordErrorKind::NotARecord(header)),
        }
    }

    /// Reads an `SSLv2` header with the beginning of the hello behind it, which is part of the body.
    fn read_sslv2(header: &[u8], start: u64) -> Option<(Self, &[u8])> {
        let (len, padding, body) = match header {
            [high, low, body @ ..] if high & 0x80 != 0 => (u16::from_be_bytes([high & 0x7f, *low]), 0, body),
            [high, low, padding, body @ ..] if header.len() == HEADER_MOST => (u16::from_be_bytes([high & 0x3f, *low]), *padding, body),
            _ => return None,
        };
        let hello = match body {
            [1, major, minor, ..] => len >= 9 && is_sslv2_version([*major, *minor]),
            // A SERVER-HELLO: session_id_hit and certificate type before the version.
            [4, hit, certificate, ..] => len >= 11 && *hit <= 1 && *certificate <= 1,
            _ => false,
        };
        if !hello || usize::from(len) > SSLV2_HELLO_MOST || usize::from(padding) >= usize::from(len) {
            return None;
        }
        Some((Self { content_type: ContentType::HANDSHAKE, version: ProtocolVersion::SSL2, len, start, padding }, body))
    }

    fn record(self, body: Option<&[u8]>, damaged: bool) -> Record<'_> {
        let header_len = match self.version {
            ProtocolVersion::SSL2 if self.padding > 0 => 3,
            ProtocolVersion::SSL2 => 2,
            _ => HEADER_LEN as u64,
        };
        Record {
            content_type: self.content_type,
            version: self.version,
            len: self.len,
            body,
            start: self.start,
            end: self.start.saturating_add(header_len).saturating_add(u64::from(self.len)),
            damaged,
        }
    }
}

/// Whether a stream that begins so is TLS: a hello, an alert first (a side can refuse before it says anything), or an `SSLv2` hello.
pub fn looks_like_tls(first_bytes: &[u8]) -> Verdict {
    let known = |test: fn(u8) -> bool, at: usize| first_bytes.get(at).is_none_or(|byte| test(*byte));
    let version = known(|major| major == 3, 1) && known(|minor| minor <= 4, 2);
    match first_bytes {
        [] => Verdict::NeedMore,
        [22, rest @ ..] if version => match rest {
            [_, _, high, low, ..] if !(1..=limits::RECORD_LEN).contains(&usize::from(u16::from_be_bytes([*high, *low]))) => Verdict::No,
            [_, _, _, _, kind, ..] if matches!(HandshakeType(*kind), HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO) => {
                Verdict::Yes
            }
            [_, _, _, _, _, ..] => Verdict::No,
            _ => Verdict::NeedMore,
        },
        [21, rest @ ..] if version => match rest {
            [_, _, 0, 2, 1 | 2, ..] => Verdict::Yes,
            [_, _, 0, 2] | [_, _, 0] | [_, _] | [_] | [] => Verdict::NeedMore,
            _ => Verdict::No,
        },
        [high, ..] if high & 0x80 != 0 || (*high < 0x40 && !matches!(high, 20..=24)) => {
            let need = if high & 0x80 != 0 { HEADER_LEN } else { HEADER_MOST };
            match first_bytes.get(..need) {
                Some(header) if Head::read_sslv2(header, 0).is_some() => Verdict::Yes,
                Some(_) => Verdict::No,
                None => sslv2_prefix(first_bytes),
            }
        }
        _ => Verdict::No,
    }
}

/// Whether a piece from the middle of a stream begins with a record: a strict test of its header, and of the next one where that is visible.
pub fn looks_like_record(bytes: &[u8]) -> bool {
    let Some((header, behind)) = bytes.split_first_chunk::<HEADER_LEN>() else { return false };
    let Ok(head) = Head::read(*header, 0) else { return false };
    let fits = match head.content_type {
        ContentType::CHANGE_CIPHER_SPEC => head.len == 1,
        ContentType::ALERT => (2..=512).contains(&head.len),
        _ => head.len > 0,
    };
    let next = match behind.get(usize::from(head.len)..) {
        Some([kind, 3, minor, ..]) => matches!(kind, 20..=24) && *minor <= 4,
        Some([kind, 3] | [kind]) => matches!(kind, 20..=24),
        Some([]) | None => true,
        Some(_) => false,
    };
    fits && next
}

/// The verdict on fewer bytes than an `SSLv2` header and type and version take.
fn sslv2_prefix(bytes: &[u8]) -> Verdict {
    let kind_at = if bytes.first().is_some_and(|first| first & 0x80 != 0) { 2 } else { 3 };
    match bytes.get(kind_at) {
        None | Some(1 | 4) => Verdict::NeedMore,
        Some(_) => Verdict::No,
    }
}

const fn is_sslv2_version(version: [u8; 2]) -> bool {
    matches!(version, [0, 2] | [3, 0..=4])
}

/// Content type, version, length.
const HEADER_LEN: usize = 5;

/// The longest header looked at: three bytes of `SSLv2` header, type and version of the hello.
const HEADER_MOST: usize = 6;

/// Longest `SSLv2` hello: some hundred suites of three bytes, or a certificate in a SERVER-HELLO.
const SSLV2_HELLO_MOST: usize = 8 << 10;

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "test data is short")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A record, with its body copied, as tests compare them.
    type Owned = (u8, u16, u16, Option<Vec<u8>>, u64, u64, bool);

    fn own(item: &Item<'_>) -> Result<Owned, RecordError> {
        match item {
            Item::Record(r) => Ok((r.content_type.0, r.version.0, r.len, r.body.map(<[u8]>::to_vec), r.start, r.end, r.damaged)),
            Item::Error(error) => Err(*error),
        }
    }

    fn feed(reader: &mut RecordReader, mut bytes: &[u8]) -> Vec<Result<Owned, RecordError>> {
        let mut items = Vec::new();
        while !bytes.is_empty() {
            let (used, item) = reader.read(bytes);
            assert!(used > 0, "every step uses bytes");
            items.extend(item.as_ref().map(own));
            bytes = &bytes[used..];
        }
        items
    }

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind, 3, 3];
        bytes.extend((body.len() as u16).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn lends_whole_records() {
        let stream = [record(22, b"hello"), record(20, &[1]), record(23, b"secret")].concat();
        let items = feed(&mut RecordReader::new(100), &stream);
        assert_eq!(
            items,
            [
                Ok((22, 0x0303, 5, Some(b"hello".to_vec()), 100, 110, false)),
                Ok((20, 0x0303, 1, Some(vec![1]), 110, 116, false)),
                Ok((23, 0x0303, 6, None, 116, 127, false)),
            ]
        );
    }

    #[test]
    fn keeps_encrypted_bodies_when_told() {
        let stream = record(23, b"secret");
        let mut reader = RecordReader::new(0);
        reader.keep_encrypted(true);
        assert_eq!(feed(&mut reader, &stream), [Ok((23, 0x0303, 6, Some(b"secret".to_vec()), 0, 11, false))]);
    }

    #[test]
    fn a_gap_within_a_body_costs_one_record() {
        let stream = [record(22, &[7; 100]), record(21, &[2, 40])].concat();
        let mut reader = RecordReader::new(0);
        assert!(feed(&mut reader, &stream[..20]).is_empty());
        assert_eq!(reader.gap(30), None);
        let items = feed(&mut reader, &stream[50..]);
        assert_eq!(items, [Ok((22, 0x0303, 100, None, 0, 105, true)), Ok((21, 0x0303, 2, Some(vec![2, 40]), 105, 112, false))]);
        // to the very end of the body
        let mut reader = RecordReader::new(0);
        feed(&mut reader, &stream[..20]);
        assert_eq!(reader.gap(85).as_ref().map(own), Some(Ok((22, 0x0303, 100, None, 0, 105, true))));
        assert_eq!(feed(&mut reader, &stream[105..]).len(), 1);
    }

    #[test]
    fn a_gap_over_a_header_loses_framing_until_a_plausible_one() {
        let stream = [record(22, &[7; 100]), record(21, &[2, 40])].concat();
        let mut reader = RecordReader::new(0);
        feed(&mut reader, &stream[..20]);
        assert_eq!(reader.gap(87).as_ref().map(own), Some(Ok((22, 0x0303, 100, None, 0, 105, true))));
        assert!(!reader.in_sync());
        assert!(feed(&mut reader, &stream[107..]).is_empty());
        assert_eq!(feed(&mut reader, &record(21, &[2, 40])), [Ok((21, 0x0303, 2, Some(vec![2, 40]), 112, 119, false))]);
    }

    #[test]
    fn says_what_is_wrong_with_a_header() {
        let error = |bytes: &[u8]| feed(&mut RecordReader::new(0), bytes).into_iter().find_map(Result::err).map(|error| error.kind);
        assert_eq!(error(b"HTTP/1.1 400"), Some(RecordErrorKind::NotARecord(*b"HTTP/")));
        assert_eq!(error(&[22, 3, 3, 0x48, 1, 0]), Some(RecordErrorKind::TooLong(0x4801)));
        assert_eq!(error(&[99, 3, 3, 0, 1, 0]), Some(RecordErrorKind::UnknownType(ContentType(99))));
        assert_eq!(error(&[22, 3, 9, 0, 1, 0]), Some(RecordErrorKind::BadVersion(ProtocolVersion(0x0309))));
        assert_eq!(error(&[22, 3, 3, 0x48, 0, 0]), None);
    }

    #[test]
    fn reads_sslv2_hellos() {
        let body = [1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 5, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9];
        let mut two = vec![0x80, body.len() as u8];
        two.extend(body);
        let mut three = vec![0x00, body.len() as u8 + 4, 4];
        three.extend(body);
        three.extend([0; 4]);
        for stream in [&two, &three] {
            let items = feed(&mut RecordReader::new(0), stream);
            let (kind, version, _, read, start, end, _) = items[0].clone().unwrap();
            assert_eq!((kind, version, read, start, end), (22, 2, Some(body.to_vec()), 0, stream.len() as u64));
            assert_eq!(looks_like_tls(stream), Verdict::Yes);
            assert!((0..5).all(|len| looks_like_tls(&stream[..len]) == Verdict::NeedMore));
        }
    }

    #[test]
    fn tells_tls_from_other_beginnings() {
        assert_eq!(looks_like_tls(&[22, 3, 1, 2, 0, 1, 0]), Verdict::Yes);
        assert_eq!(looks_like_tls(&[22, 3, 1, 2, 0, 2, 0]), Verdict::Yes);
        assert_eq!(looks_like_tls(&[22, 3, 1, 0, 1, 1]), Verdict::Yes);
        assert_eq!(looks_like_tls(&[22, 3, 1, 2, 0, 11]), Verdict::No);
        assert_eq!(looks_like_tls(&[22, 3, 1, 0, 0]), Verdict::No);
        assert_eq!(looks_like_tls(&[21, 3, 3, 0, 2, 2, 70]), Verdict::Yes);
        assert_eq!(looks_like_tls(&[21, 3, 3, 0, 26]), Verdict::No);
        assert_eq!(looks_like_tls(&[23, 3, 3, 0, 26, 0]), Verdict::No);
        for (len, verdict) in [(0, Verdict::NeedMore), (1, Verdict::NeedMore), (5, Verdict::NeedMore)] {
            assert_eq!(looks_like_tls(&[22, 3, 1, 2, 0, 1][..len]), verdict);
        }
        for other in [&b"GET / HTTP/1.1\r\n"[..], b"SSH-2.0-x", b"220 mail", b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"PROXY TCP4", b"* OK"] {
            assert_eq!(looks_like_tls(other), Verdict::No, "{other:?}");
        }
    }

    #[test]
    fn a_record_from_the_middle_must_fit_the_next() {
        let pair = [record(23, &[0; 40]), record(23, &[0; 9])].concat();
        assert!(looks_like_record(&pair));
        assert!(looks_like_record(&pair[..30]));
        assert!(!looks_like_record(&[&pair[..45], b"xyz"].concat()));
        assert!(!looks_like_record(&record(20, &[1, 1])));
    }

    fn streams() -> impl Strategy<Value = Vec<u8>> {
        let records = proptest::collection::vec((20u8..=24, proptest::collection::vec(any::<u8>(), 0..60)), 0..6);
        records.prop_map(|records| records.iter().flat_map(|(kind, body)| record(*kind, body)).collect())
    }

    proptest! {
        #[test]
        fn the_cutting_does_not_matter(stream in streams(), cuts in proptest::collection::vec(1usize..40, 0..40), keep: bool) {
            let mut whole = RecordReader::new(0);
            whole.keep_encrypted(keep);
            let expected = feed(&mut whole, &stream);
            let mut bytewise = RecordReader::new(0);
            bytewise.keep_encrypted(keep);
            let single: Vec<_> = stream.iter().flat_map(|byte| feed(&mut bytewise, std::slice::from_ref(byte))).collect();
            prop_assert_eq!(&single, &expected);
            let mut pieces = RecordReader::new(0);
            pieces.keep_encrypted(keep);
            let (mut rest, mut got) = (&stream[..], Vec::new());
            for cut in cuts.into_iter().chain([usize::MAX]) {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                got.extend(feed(&mut pieces, piece));
                rest = behind;
            }
            prop_assert_eq!(got, expected);
        }

        #[test]
        fn arbitrary_bytes_and_gaps_do_no_harm(pieces in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..80), 0u64..200), 0..12)) {
            let mut reader = RecordReader::new(0);
            for (bytes, gap) in pieces {
                feed(&mut reader, &bytes);
                let _ = reader.gap(gap);
                let _ = reader.pending();
                let _ = looks_like_tls(&bytes);
            }
        }
    }
}
