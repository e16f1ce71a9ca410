//! The packets of a datagram: headers as far as they are not protected (RFC 8999, RFC 9000 section 17, RFC 9369 section 3.2).

use super::cursor::Cursor;
use super::version::Version;

/// A client pads its datagrams with Initial packets to this many bytes at least (RFC 9000 section 14.1).
pub const INITIAL_DATAGRAM: usize = 1200;

/// One packet of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Initial, 0-RTT or Handshake: its packet number and payload are protected.
    Long(Long<'a>),
    /// Retry.
    Retry(Retry<'a>),
    /// Version Negotiation.
    VersionNegotiation(VersionNegotiation<'a>),
    /// A long header of a version that is not known.
    Unknown(Unknown<'a>),
    /// A short header: 1-RTT (or a stateless reset, which looks the same). It takes the rest of its datagram.
    Short {
        /// All its bytes.
        bytes: &'a [u8],
    },
}

/// Types of protected packets with a long header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongKind {
    /// Initial.
    Initial,
    /// 0-RTT.
    ZeroRtt,
    /// Handshake.
    Handshake,
}

/// A protected packet with a long header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Long<'a> {
    /// Its type.
    pub kind: LongKind,
    /// Version.
    pub version: Version,
    /// Destination connection identifier.
    pub dcid: &'a [u8],
    /// Source connection identifier.
    pub scid: &'a [u8],
    /// Token of an Initial packet; empty elsewhere.
    pub token: &'a [u8],
    /// The whole packet, from its first byte to its last.
    pub bytes: &'a [u8],
    /// Where the packet number begins in `bytes`.
    pub pn_offset: usize,
    /// Bytes that the length field promises beyond those that are there: the snapshot length cut them.
    pub missing: usize,
}

impl Long<'_> {
    /// Bytes of packet number and protected payload.
    pub const fn protected_len(&self) -> usize {
        self.bytes.len().saturating_sub(self.pn_offset)
    }
}

/// A Retry packet (RFC 9000 section 17.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry<'a> {
    /// Version.
    pub version: Version,
    /// Destination connection identifier: the client's.
    pub dcid: &'a [u8],
    /// Source connection identifier: what the client's next Initial is sent to, and its keys are made of.
    pub scid: &'a [u8],
    /// The token that the client has to return.
    pub token: &'a [u8],
}

/// A Version Negotiation packet (RFC 9000 section 17.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionNegotiation<'a> {
    /// Destination connection identifier: the client's source.
    pub dcid: &'a [u8],
    /// Source connection identifier: the client's destination.
    pub scid: &'a [u8],
    list: &'a [u8],
}

impl<'a> VersionNegotiation<'a> {
    /// The versions that the server supports, reserved ones included.
    pub fn versions(&self) -> impl Iterator<Item = Version> + 'a {
        self.list.as_chunks::<4>().0.iter().map(|bytes| Version(u32::from_be_bytes(*bytes)))
    }
}

/// A packet with a long header of an unknown version: only what RFC 8999 lays down can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown<'a> {
    /// Version.
    pub version: Version,
    /// Destination connection identifier.
    pub dcid: &'a [u8],
    /// Source connection identifier.
    pub scid: &'a [u8],
}

/// The packets of a datagram in order. Ends at the first that is none. The fixed bit is due: nothing else tells QUIC from other protocols.
pub fn packets(datagram: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    split(datagram, false)
}

/// The same in a flow that is `known` to be QUIC. Peers that agreed on it clear the fixed bit at random (RFC 9287), so that it says nothing there;
/// only a datagram that begins with a short header needs it all the same, for others may share the ports.
pub fn packets_of_flow(datagram: &[u8], known: bool) -> impl Iterator<Item = Packet<'_>> {
    split(datagram, known)
}

fn split(datagram: &[u8], greased: bool) -> impl Iterator<Item = Packet<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let (packet, behind) = packet(rest, greased, greased && rest.len() < datagram.len())?;
        rest = behind;
        Some(packet)
    })
}

/// The first packet, and what stands behind it. Greased: the fixed bit may be clear.
fn packet(bytes: &[u8], long_greased: bool, short_greased: bool) -> Option<(Packet<'_>, &[u8])> {
    let first = *bytes.first()?;
    if first & LONG == 0 {
        // Some stacks fill the rest of a datagram with zeros, outside of any packet.
        let filler = || bytes.iter().take(SHORT_LEAST).all(|byte| *byte == 0);
        let fits = (first & FIXED != 0 || short_greased && !filler()) && bytes.len() >= SHORT_LEAST;
        return fits.then_some((Packet::Short { bytes }, &[]));
    }
    let mut cursor = Cursor::new(bytes);
    cursor.u8()?;
    let version = Version(cursor.u32()?);
    let (dcid, scid) = (cursor.cid()?, cursor.cid()?);
    if version == Version::NEGOTIATION {
        let list = cursor.rest();
        let whole = !list.is_empty() && list.len().is_multiple_of(4);
        return whole.then_some((Packet::VersionNegotiation(VersionNegotiation { dcid, scid, list }), &[]));
    }
    if !version.is_known() {
        return Some((Packet::Unknown(Unknown { version, dcid, scid }), &[]));
    }
    if first & FIXED == 0 && !long_greased {
        return None;
    }
    let bits = first >> 4 & 0x03;
    let kind = match if version.has_v2_types() { bits.wrapping_sub(1) & 0x03 } else { bits } {
        0 => LongKind::Initial,
        1 => LongKind::ZeroRtt,
        2 => LongKind::Handshake,
        _ => {
            let (token, _tag) = cursor.rest().split_last_chunk::<RETRY_TAG>()?;
            return (!token.is_empty()).then_some((Packet::Retry(Retry { version, dcid, scid, token }), &[]));
        }
    };
    let token = if kind == LongKind::Initial { cursor.vec()? } else { &[] };
    let len = usize::try_from(cursor.varint()?).ok().filter(|len| *len >= LEAST_PROTECTED)?;
    let pn_offset = bytes.len() - cursor.len();
    let here = len.min(cursor.len());
    let (bytes, behind) = bytes.split_at_checked(pn_offset + here)?;
    Some((Packet::Long(Long { kind, version, dcid, scid, token, bytes, pn_offset, missing: len - here }), behind))
}

/// The header form bit.
const LONG: u8 = 0x80;
/// The fixed bit.
const FIXED: u8 = 0x40;
/// Packet number, header protection's sample and tag leave no shorter packet.
pub const SHORT_LEAST: usize = 1 + 4 + 16;
/// Four bytes that the packet number can take and the sixteen that are sampled.
const LEAST_PROTECTED: usize = 20;
/// The integrity tag of a Retry packet.
const RETRY_TAG: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn long(first: u8, version: u32, token: Option<&[u8]>, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        bytes.extend(version.to_be_bytes());
        bytes.extend([4, 1, 2, 3, 4, 2, 9, 9]);
        if let Some(token) = token {
            bytes.push(u8::try_from(token.len()).unwrap());
            bytes.extend(token);
        }
        bytes.extend((0x4000 | u16::try_from(payload).unwrap()).to_be_bytes());
        bytes.extend(vec![0; payload]);
        bytes
    }

    #[test]
    fn splits_coalesced_packets() {
        let datagram = [long(0xc0, 1, Some(&[7, 7]), 40), long(0xe0, 1, None, 30), vec![0x40; 50]].concat();
        let found: Vec<Packet<'_>> = packets(&datagram).collect();
        let Packet::Long(initial) = found[0] else { panic!("{found:?}") };
        assert_eq!(
            (initial.kind, initial.token, initial.dcid, initial.scid),
            (LongKind::Initial, &[7, 7][..], &[1, 2, 3, 4][..], &[9, 9][..])
        );
        assert_eq!((initial.protected_len(), initial.missing), (40, 0));
        let Packet::Long(handshake) = found[1] else { panic!("{found:?}") };
        assert_eq!((handshake.kind, handshake.protected_len()), (LongKind::Handshake, 30));
        assert!(matches!(found[2], Packet::Short { bytes } if bytes.len() == 50));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_greased_fixed_bit_is_read_where_the_flow_is_known() {
        let datagram = [long(0x80, 1, Some(&[]), 40), long(0xa0, 1, None, 30), vec![0x05; 50]].concat();
        assert_eq!(packets(&datagram).count(), 0);
        let found: Vec<Packet<'_>> = packets_of_flow(&datagram, true).collect();
        assert!(
            matches!(found[..], [Packet::Long(_), Packet::Long(Long { kind: LongKind::Handshake, .. }), Packet::Short { .. }]),
            "{found:?}"
        );
        assert_eq!(packets_of_flow(&[0x05; 50], true).count(), 0, "alone it may be anything");
        let filled = [long(0x80, 1, Some(&[]), 40), vec![0; 50]].concat();
        assert_eq!(packets_of_flow(&filled, true).count(), 1, "zeros behind a packet fill the datagram");
    }

    #[test]
    fn version_two_has_types_of_its_own() {
        for (first, kind) in [(0xd0, LongKind::Initial), (0xe0, LongKind::ZeroRtt), (0xf0, LongKind::Handshake)] {
            let token: Option<&[u8]> = if kind == LongKind::Initial { Some(&[]) } else { None };
            let bytes = long(first, 0x6b33_43cf, token, 25);
            assert!(matches!(packets(&bytes).next(), Some(Packet::Long(long)) if long.kind == kind), "{first:x}");
        }
        let bytes = long(0xc0, 0x6b33_43cf, None, 25);
        assert!(matches!(packets(&bytes).next(), Some(Packet::Retry(_))));
    }

    #[test]
    fn a_packet_that_is_cut_says_how_much_is_missing() {
        let whole = long(0xc0, 1, Some(&[]), 100);
        let Some(Packet::Long(cut)) = packets(&whole[..whole.len() - 30]).next() else { panic!() };
        assert_eq!((cut.missing, cut.protected_len()), (30, 70));
    }

    #[test]
    fn reads_version_negotiation() {
        let bytes = [&[0x80, 0, 0, 0, 0, 2, 5, 5, 1, 6][..], &[0, 0, 0, 1, 0x1a, 0x2a, 0x3a, 0x4a]].concat();
        let Some(Packet::VersionNegotiation(negotiation)) = packets(&bytes).next() else { panic!() };
        assert_eq!((negotiation.dcid, negotiation.scid), (&[5, 5][..], &[6][..]));
        assert_eq!(negotiation.versions().collect::<Vec<_>>(), [Version::V1, Version(0x1a2a_3a4a)]);
        assert_eq!(packets(&bytes[..bytes.len() - 1]).count(), 0, "half a version is none");
    }

    /// RFC 9001 appendix A.4.
    #[test]
    fn reads_the_retry_of_the_rfc() {
        let bytes = data_encoding::HEXLOWER.decode(b"ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba").unwrap();
        let Some(Packet::Retry(retry)) = packets(&bytes).next() else { panic!() };
        assert_eq!((retry.dcid, retry.token), (&[][..], &b"token"[..]));
        assert_eq!(retry.scid, [0xf0, 0x67, 0xa5, 0x50, 0x2a, 0x42, 0x62, 0xb5]);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let total: usize = packets(&bytes).map(|packet| match packet {
                Packet::Long(long) => long.bytes.len(),
                _ => 1,
            }).sum();
            prop_assert!(total <= bytes.len());
        }

        #[test]
        fn what_looks_like_quic_does_no_harm(tail in proptest::collection::vec(any::<u8>(), 0..200), first in 0xc0u8..) {
            let bytes = [&[first, 0, 0, 0, 1][..], &tail].concat();
            prop_assert!(packets(&bytes).count() <= bytes.len());
        }
    }
}
