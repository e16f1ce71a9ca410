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
pub enum Recognition {
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
    /// No record was read yet: an `SSLv2` hello may stand here.
    at_start: bool,
    keep_encrypted: bool,
    /// Bytes of the record's body are missing from the stream.
    damaged: bool,
    /// The header, as far as it came: five bytes, six for `SSLv2` with padding.
    header_len: u8,
    header: [u8; HEADER_MOST],
    /// Bytes of the record's body that are still to come.
    missing: u16,
    /// The record whose body is being read.
    head: Head,
    /// Stream offset of the next byte.
    offset: u64,
    gathered: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A header is due.
    Header,
    /// A record's body.
    Body,
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
    /// Bytes held for a record that is not whole.
    pub const fn held_bytes(&self) -> usize {
        self.gathered.capacity()
    }

    /// A reader for a direction seen from its first byte, which is at this stream offset (behind a preamble, say).
    pub const fn new(offset: u64) -> Self {
        Self {
            state: State::Header,
            at_start: true,
            keep_encrypted: false,
            damaged: false,
            header_len: 0,
            header: [0; HEADER_MOST],
            missing: 0,
            head: Head { content_type: ContentType(0), version: ProtocolVersion(0), len: 0, start: offset, padding: 0 },
            offset,
            gathered: Vec::new(),
        }
    }

    /// A reader for a direction whose beginning was not seen: it starts at the first plausible header that begins a piece.
    pub const fn midstream(offset: u64) -> Self {
        let mut reader = Self::new(offset);
        reader.state = State::Lost;
        reader.at_start = false;
        reader
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
        let Head { content_type, version, len, start, .. } = self.head;
        let pending = PendingRecord { content_type, version, len, have: len.saturating_sub(self.missing), body: &self.gathered, start };
        (self.state == State::Body).then_some(pending)
    }

    /// Bytes of a header that has not come whole.
    pub const fn pending_header(&self) -> usize {
        self.header_len as usize
    }

    /// Reads from a piece of the stream: how many of its bytes were used, and what they completed. Call again with the rest until it is empty.
    pub fn read<'r>(&'r mut self, bytes: &'r [u8]) -> (usize, Option<Item<'r>>) {
        match self.whole(bytes) {
            Some(record) => (HEADER_LEN + usize::from(record.len), Some(Item::Record(record))),
            None => self.part(bytes, &mut Vec::new()),
        }
    }

    /// The common case: a record is due, and these bytes begin with the whole of it. Nothing is read otherwise.
    #[inline]
    pub(crate) fn whole<'a>(&mut self, bytes: &'a [u8]) -> Option<Record<'a>> {
        if self.state != State::Header || self.header_len > 0 {
            return None;
        }
        let (header, behind) = bytes.split_first_chunk::<HEADER_LEN>()?;
        let head = Head::read(*header, self.offset).ok()?;
        let body = behind.get(..usize::from(head.len))?;
        self.at_start = false;
        let record = head.record(self.keeps(head).then_some(body), false);
        self.offset = record.end;
        Some(record)
    }

    /// Any other case. Where a body is to be gathered, one of the spare buffers is used.
    pub(crate) fn part<'r>(&'r mut self, bytes: &'r [u8], spare: &mut Vec<Vec<u8>>) -> (usize, Option<Item<'r>>) {
        match self.state {
            State::Header => self.read_header(bytes, spare),
            State::Body => self.read_body(bytes, spare),
            State::Lost if looks_like_record(bytes) => {
                self.state = State::Header;
                self.header_len = 0;
                self.read_header(bytes, spare)
            }
            State::Lost => {
                self.offset = self.offset.saturating_add(bytes.len() as u64);
                (bytes.len(), None)
            }
        }
    }

    /// Gives the buffer away if it is not in use: most of the time it is not, and another direction's reader needs it.
    #[inline]
    pub(crate) fn release_buffer(&mut self, spare: &mut Vec<Vec<u8>>) {
        if self.state != State::Body && self.gathered.capacity() > 0 && spare.len() < limits::SPARE_BUFFERS {
            spare.push(std::mem::take(&mut self.gathered));
        }
    }

    /// Tells that `len` bytes of the stream are missing. Within a body the record counts as damaged and framing goes on behind it; anywhere
    /// else framing is lost.
    pub fn gap(&mut self, len: u64) -> Option<Item<'_>> {
        let at = self.offset;
        self.offset = at.saturating_add(len);
        if self.state != State::Body {
            if len > 0 {
                self.lose();
            }
            return None;
        }
        self.gathered.clear();
        let missing = self.missing;
        if len < u64::from(missing) {
            self.missing = missing.saturating_sub(u16::try_from(len).unwrap_or(u16::MAX));
            self.damaged = len > 0;
            return None;
        }
        if len > u64::from(missing) {
            self.lose();
        } else {
            self.state = State::Header;
        }
        let Head { content_type, version, len, start, .. } = self.head;
        let end = at.saturating_add(u64::from(missing));
        Some(Item::Record(Record { content_type, version, len, body: None, start, end, damaged: true }))
    }

    fn lose(&mut self) {
        self.state = State::Lost;
        self.header_len = 0;
        self.at_start = false;
        self.gathered.clear();
    }

    fn read_header<'r>(&'r mut self, bytes: &'r [u8], spare: &mut Vec<Vec<u8>>) -> (usize, Option<Item<'r>>) {
        let mut used = 0;
        // The header is whole, and the body begins in this piece.
        if self.header_len == 0
            && let Some((header, behind)) = bytes.split_first_chunk::<HEADER_LEN>()
            && let Ok(head) = Head::read(*header, self.offset)
        {
            self.at_start = false;
            self.offset = self.offset.saturating_add(HEADER_LEN as u64);
            self.begin_body(head);
            let (used, item) = self.read_body(behind, spare);
            return (HEADER_LEN + used, item);
        }
        for byte in bytes {
            let Some(slot) = self.header.get_mut(usize::from(self.header_len)) else { break };
            *slot = *byte;
            self.header_len += 1;
            used += 1;
            self.offset = self.offset.saturating_add(1);
            if usize::from(self.header_len) == self.header_needed() {
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
        let start = self.offset.saturating_sub(u64::from(self.header_len));
        let header_len = usize::from(std::mem::take(&mut self.header_len));
        let header = self.header;
        if std::mem::take(&mut self.at_start)
            && let Some((head, body)) = header.get(..header_len).and_then(|header| Head::read_sslv2(header, start))
        {
            self.begin_body(head);
            self.gathered.extend_from_slice(body);
            self.missing = head.len.saturating_sub(u16::try_from(body.len()).unwrap_or(u16::MAX));
            return (used, None);
        }
        let header = header.first_chunk::<HEADER_LEN>().copied().unwrap_or_default();
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
        self.state = State::Body;
        self.damaged = false;
        self.head = head;
        self.missing = head.len;
    }

    fn keeps(&self, head: Head) -> bool {
        self.keep_encrypted || head.content_type != ContentType::APPLICATION_DATA
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what it gives is written where it is wanted, not copied there")]
    fn read_body<'r>(&'r mut self, bytes: &'r [u8], spare: &mut Vec<Vec<u8>>) -> (usize, Option<Item<'r>>) {
        let keep = !self.damaged && self.keeps(self.head);
        let Some((tail, _)) = bytes.split_at_checked(usize::from(self.missing)) else {
            self.offset = self.offset.saturating_add(bytes.len() as u64);
            self.missing = self.missing.saturating_sub(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
            if keep {
                self.gather(bytes, spare);
            }
            return (bytes.len(), None);
        };
        self.offset = self.offset.saturating_add(tail.len() as u64);
        self.state = State::Header;
        if !keep {
            return (tail.len(), Some(Item::Record(self.head.record(None, self.damaged))));
        }
        let whole = if self.gathered.is_empty() {
            tail
        } else {
            self.gathered.extend_from_slice(tail);
            &self.gathered
        };
        // A record fed in parts whose body was not wanted at first is not whole.
        let body = (whole.len() == usize::from(self.head.len)).then_some(whole);
        let body = body.map(|body| body.get(..body.len().saturating_sub(usize::from(self.head.padding))).unwrap_or(body));
        (tail.len(), Some(Item::Record(self.head.record(body, self.damaged))))
    }

    fn gather(&mut self, bytes: &[u8], spare: &mut Vec<Vec<u8>>) {
        if self.gathered.is_empty() {
            if self.gathered.capacity() == 0
                && let Some(buffer) = spare.pop()
            {
                self.gathered = buffer;
                self.gathered.clear();
            }
            self.gathered.reserve((bytes.len() + usize::from(self.missing)).min(AT_ONCE));
        }
        self.gathered.extend_from_slice(bytes);
    }
}

impl Head {
    fn read(header: [u8; HEADER_LEN], start: u64) -> Result<Self, RecordErrorKind> {
        let [kind, major, minor, high, low] = header;
        let len = u16::from_be_bytes([high, low]);
        let version = ProtocolVersion(u16::from_be_bytes([major, minor]));
        let content_type = ContentType(kind);
        match (matches!(kind, 20..=24), is_version(major, minor)) {
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
pub fn looks_like_tls(first_bytes: &[u8]) -> Recognition {
    let version = match first_bytes {
        [_, major, minor, ..] => is_version(*major, *minor),
        [_, major] => matches!(major, 1 | 3),
        _ => true,
    };
    match first_bytes {
        [] => Recognition::NeedMore,
        [22, rest @ ..] if version => match rest {
            [_, _, high, low, ..] if !(1..=limits::RECORD_LEN).contains(&usize::from(u16::from_be_bytes([*high, *low]))) => Recognition::No,
            [_, _, _, _, kind, ..] if matches!(HandshakeType(*kind), HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO) => {
                Recognition::Yes
            }
            [_, _, _, _, _, ..] => Recognition::No,
            _ => Recognition::NeedMore,
        },
        [21, rest @ ..] if version => match rest {
            [_, _, 0, 2, 1 | 2, ..] => Recognition::Yes,
            [_, _, 0, 2] | [_, _, 0] | [_, _] | [_] | [] => Recognition::NeedMore,
            _ => Recognition::No,
        },
        [high, ..] if high & 0x80 != 0 || (*high < 0x40 && !matches!(high, 20..=24)) => {
            let need = if high & 0x80 != 0 { HEADER_LEN } else { HEADER_MOST };
            match first_bytes.get(..need) {
                Some(header) if Head::read_sslv2(header, 0).is_some() => Recognition::Yes,
                Some(_) => Recognition::No,
                None => sslv2_prefix(first_bytes),
            }
        }
        _ => Recognition::No,
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
        Some([kind, major, minor, ..]) => matches!(kind, 20..=24) && is_version(*major, *minor),
        Some([kind, 1 | 3] | [kind]) => matches!(kind, 20..=24),
        Some([]) | None => true,
        Some(_) => false,
    };
    fits && next
}

/// The verdict on fewer bytes than an `SSLv2` header and type and version take.
fn sslv2_prefix(bytes: &[u8]) -> Recognition {
    let kind_at = if bytes.first().is_some_and(|first| first & 0x80 != 0) { 2 } else { 3 };
    match bytes.get(kind_at) {
        None | Some(1 | 4) => Recognition::NeedMore,
        Some(_) => Recognition::No,
    }
}

/// SSL 3.0 to TLS 1.3, and TLCP, which begins to count anew.
const fn is_version(major: u8, minor: u8) -> bool {
    major == 3 && minor <= 4 || major == 1 && minor == 1
}

const fn is_sslv2_version(version: [u8; 2]) -> bool {
    matches!(version, [0, 2] | [3, 0..=4])
}

/// Content type, version, length.
pub(crate) const HEADER_LEN: usize = 5;

/// Room made at once for a record that comes in pieces: a hello with a post-quantum share or a short chain, and no more than a header may ask for
/// without sending it.
const AT_ONCE: usize = 4096;

/// The longest header looked at: three bytes of `SSLv2` header, type and version of the hello.
const HEADER_MOST: usize = 6;

/// Longest `SSLv2` hello: some hundred suites of three bytes, or a certificate in a SERVER-HELLO.
const SSLV2_HELLO_MOST: usize = 8 << 10;

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "test data is short")]
mod tests;
