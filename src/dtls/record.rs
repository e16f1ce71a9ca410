//! The records of a datagram (RFC 6347 section 4.1, RFC 9146 section 3, RFC 9147 section 4). Those of the version before the standard differ in
//! their version number (1.0 in place of its complement).

use crate::tls::registry::{ContentType, ProtocolVersion};

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// How it is written.
    pub form: Form,
    /// Content type; that of a record in the unified form is encrypted and called application data.
    pub content_type: ContentType,
    /// Epoch: 0 is in clear. Of a record in the unified form only the two lowest bits are known.
    pub epoch: u16,
    /// Sequence number within the epoch; in the unified form encrypted and zero here.
    pub sequence: u64,
    /// The header, all of it.
    pub header: &'a [u8],
    /// The body, as far as it was captured.
    pub body: &'a [u8],
    /// Length of the body on the wire.
    pub len: usize,
}

impl<'a> Record<'a> {
    /// The snapshot length cut it.
    pub const fn is_cut(&self) -> bool {
        self.body.len() < self.len
    }

    /// The connection identifier of a record whose content type says that it has one (RFC 9146).
    pub fn cid(&self) -> &'a [u8] {
        if self.content_type != TLS12_CID {
            return &[];
        }
        self.header.len().checked_sub(2).and_then(|end| self.header.get(CID..end)).unwrap_or_default()
    }

    /// Where a unified header has its sequence number, which is encrypted.
    pub fn sequence_place(&self) -> std::ops::Range<usize> {
        let first = self.header.first().copied().unwrap_or(0);
        let length = if first & UNIFIED_LENGTH == 0 { 0 } else { 2 };
        let end = self.header.len().saturating_sub(length);
        end.saturating_sub(if first & UNIFIED_SEQUENCE == 0 { 1 } else { 2 })..end
    }
}

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With the header of DTLS 1.0 to 1.2, which DTLS 1.3 keeps for records in clear: its version field.
    Plain(ProtocolVersion),
    /// The unified header of DTLS 1.3.
    Unified,
}

/// Content types beyond those of TLS.
pub const TLS12_CID: ContentType = ContentType(25);
/// ACK of DTLS 1.3.
pub const ACK: ContentType = ContentType(26);

/// The records of a datagram in order. `cid_len` is the length of connection identifiers in this direction, where they are in use. Ends at the
/// first that is none.
pub fn records(datagram: &[u8], cid_len: usize) -> impl Iterator<Item = Record<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let (record, behind) = record(rest, cid_len)?;
        rest = behind;
        Some(record)
    })
}

/// Whether a datagram begins with a record in clear that begins a handshake message, and that message's type: strict enough to tell DTLS from
/// whatever else UDP carries.
pub fn handshake_type(datagram: &[u8]) -> Option<u8> {
    let (&[22, major, minor, 0, 0, _, _, _, _, _, _, high, low], body) = datagram.split_first_chunk::<13>()? else { return None };
    if !matches!((major, minor), (0xfe, 0xfd..=0xff) | BEFORE_STANDARD) {
        return None;
    }
    let len = usize::from(u16::from_be_bytes([high, low]));
    let (&[kind, l0, l1, l2, _, _, o0, o1, o2, f0, f1, f2], _) = body.split_first_chunk::<12>()?;
    let [whole, offset, fragment] =
        [[l0, l1, l2], [o0, o1, o2], [f0, f1, f2]].map(|[a, b, c]| usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c));
    let fits = offset + fragment <= whole && fragment + 12 <= len && matches!(kind, 1..=3);
    (fits && len <= LONGEST).then_some(kind)
}

fn record(bytes: &[u8], cid_len: usize) -> Option<(Record<'_>, &[u8])> {
    match *bytes.first()? {
        first @ 20..=26 => plain(ContentType(first), bytes, cid_len),
        first @ 32..=63 => unified(first, bytes, cid_len),
        _ => None,
    }
}

fn plain(content_type: ContentType, bytes: &[u8], cid_len: usize) -> Option<(Record<'_>, &[u8])> {
    let (&[_, major, minor, e0, e1, s0, s1, s2, s3, s4, s5], mut rest) = bytes.split_first_chunk::<11>()?;
    if major != 0xfe && (major, minor) != BEFORE_STANDARD {
        return None;
    }
    let mut header = bytes.get(..PLAIN_HEADER)?;
    if content_type == TLS12_CID {
        rest = rest.get(cid_len..)?;
        header = bytes.get(..PLAIN_HEADER.checked_add(cid_len)?)?;
    }
    let (&[high, low], behind) = rest.split_first_chunk::<2>()?;
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len > LONGEST {
        return None;
    }
    let (body, behind) = behind.split_at_checked(len).unwrap_or((behind, &[]));
    let record = Record {
        form: Form::Plain(ProtocolVersion(u16::from_be_bytes([major, minor]))),
        content_type,
        epoch: u16::from_be_bytes([e0, e1]),
        sequence: u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]),
        header,
        body,
        len,
    };
    Some((record, behind))
}

fn unified(first: u8, bytes: &[u8], cid_len: usize) -> Option<(Record<'_>, &[u8])> {
    let cid = if first & UNIFIED_CID == 0 { 0 } else { cid_len };
    let sequence = if first & UNIFIED_SEQUENCE == 0 { 1 } else { 2 };
    let rest = bytes.get(1 + cid + sequence..)?;
    let (body, behind, len) = if first & UNIFIED_LENGTH == 0 {
        (rest, &[][..], rest.len())
    } else {
        let (&[high, low], behind) = rest.split_first_chunk::<2>()?;
        let len = usize::from(u16::from_be_bytes([high, low]));
        let (body, behind) = behind.split_at_checked(len).unwrap_or((behind, &[]));
        (body, behind, len)
    };
    if !(LEAST_SEALED..=LONGEST).contains(&len) {
        return None;
    }
    let length = if first & UNIFIED_LENGTH == 0 { 0 } else { 2 };
    let record = Record {
        form: Form::Unified,
        content_type: ContentType::APPLICATION_DATA,
        epoch: u16::from(first & 0x03),
        sequence: 0,
        header: bytes.get(..1 + cid + sequence + length)?,
        body,
        len,
    };
    Some((record, behind))
}

/// The version before the standard.
const BEFORE_STANDARD: (u8, u8) = (1, 0);
/// Length of the header of DTLS 1.0 to 1.2 without a connection identifier, and where that stands.
const PLAIN_HEADER: usize = 13;
const CID: usize = 11;
/// A connection identifier is there.
const UNIFIED_CID: u8 = 0x10;
/// The sequence number has two bytes.
const UNIFIED_SEQUENCE: u8 = 0x08;
/// A length is there.
const UNIFIED_LENGTH: u8 = 0x04;
/// The least that is left of a record whose sequence number can be decrypted (RFC 9147 section 4.2.3).
const LEAST_SEALED: usize = 16;
/// Longest body (RFC 6347 section 4.1).
const LONGEST: usize = (1 << 14) + 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(content_type: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![content_type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 7];
        bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn a_datagram_holds_several_records() {
        let datagram = [plain(22, 0, &[1; 20]), plain(20, 0, &[1]), plain(22, 1, &[2; 40])].concat();
        let found: Vec<Record<'_>> = records(&datagram, 0).collect();
        assert_eq!(
            found.iter().map(|record| (record.content_type.0, record.epoch, record.body.len())).collect::<Vec<_>>(),
            [(22, 0, 20), (20, 0, 1), (22, 1, 40)]
        );
        assert_eq!(found[0].sequence, 7);
    }

    /// The forms of RFC 9147 figure 4: full, and minimal.
    #[test]
    fn reads_unified_headers() {
        let full = [&[0x3e, 9, 9, 0, 1, 0, 17][..], &[5; 17], &[0x2d, 0, 1, 0, 18], &[6; 18]].concat();
        let found: Vec<Record<'_>> = records(&full, 2).collect();
        assert_eq!(found.iter().map(|record| (record.epoch, record.len)).collect::<Vec<_>>(), [(2, 17), (1, 18)]);
        let minimal = [&[0x23, 1][..], &[6; 30]].concat();
        assert_eq!(records(&minimal, 0).map(|record| (record.epoch, record.len)).collect::<Vec<_>>(), [(3, 30)]);
    }

    #[test]
    fn reads_records_with_a_connection_identifier() {
        let mut bytes = vec![25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0xaa, 0xbb, 0, 3];
        bytes.extend([1, 2, 3]);
        let found: Vec<Record<'_>> = records(&bytes, 2).collect();
        assert_eq!((found[0].body, found[0].epoch), (&[1, 2, 3][..], 1));
        assert_eq!((found[0].cid(), found[0].header.len()), (&[0xaa, 0xbb][..], 15));
    }

    #[test]
    fn a_hello_is_told_from_anything_else() {
        let mut message = vec![1, 0, 0, 50, 0, 0, 0, 0, 0, 0, 0, 50];
        message.extend([0; 50]);
        let hello = plain(22, 0, &message);
        assert_eq!(handshake_type(&hello), Some(1));
        assert_eq!(handshake_type(&plain(23, 0, &message)), None);
        assert_eq!(handshake_type(&plain(22, 1, &message)), None);
        message[11] = 51;
        assert_eq!(handshake_type(&plain(22, 0, &message)), None, "the fragment exceeds its message");
    }

    /// As OpenConnect sends it: version 1.0, and a message whose header is that of DTLS.
    #[test]
    fn reads_the_version_before_the_standard() {
        let mut message = vec![1, 0, 0, 91, 0, 0, 0, 0, 0, 0, 0, 91, 1, 0];
        message.extend([0; 89]);
        let mut bytes = vec![22, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 103];
        bytes.extend(message);
        assert_eq!(handshake_type(&bytes), Some(1));
        assert_eq!(records(&bytes, 0).map(|record| record.form).collect::<Vec<_>>(), [Form::Plain(ProtocolVersion::DTLS09)]);
        bytes[2] = 1;
        assert_eq!((handshake_type(&bytes), records(&bytes, 0).count()), (None, 0), "1.1 is TLCP, over TCP");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200), cid_len in 0usize..300, first in 20u8..64) {
            prop_assert!(records(&bytes, cid_len).map(|record| record.body.len()).sum::<usize>() <= bytes.len());
            let bytes = [&[first, 0xfe, 0xfd][..], &bytes].concat();
            prop_assert!(records(&bytes, cid_len).map(|record| record.body.len()).sum::<usize>() <= bytes.len());
            let _ = handshake_type(&bytes);
        }
    }
}
