//! What shares a port with DTLS: told by the first byte (RFC 7983, RFC 9443), and DTLS inside TURN (RFC 8656) and CAPWAP (RFC 5415).

use std::net::IpAddr;

use crate::flow::{Endpoint, Side};

/// What a datagram is by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// STUN, or TURN in STUN's form.
    Stun,
    /// ZRTP.
    Zrtp,
    /// A DTLS record.
    Dtls,
    /// TURN ChannelData (or a QUIC short header).
    Channel,
    /// RTP or RTCP (or a QUIC long header of an early version).
    Rtp,
    /// None of these.
    Other,
}

/// The kind of a datagram by its first byte.
pub const fn kind(first: u8) -> Kind {
    match first {
        0..=3 => Kind::Stun,
        16..=19 => Kind::Zrtp,
        20..=63 => Kind::Dtls,
        64..=79 => Kind::Channel,
        128..=191 => Kind::Rtp,
        _ => Kind::Other,
    }
}

/// The datagram that stands behind CAPWAP's DTLS header; any other datagram itself.
pub fn unwrap(datagram: &[u8]) -> &[u8] {
    datagram.strip_prefix(&CAPWAP).filter(|inner| matches!(inner, [20..=26, 0xfe, 0xfd..=0xff, ..])).unwrap_or(datagram)
}

/// Whether a datagram has CAPWAP's DTLS header.
pub fn is_wrapped(datagram: &[u8]) -> bool {
    unwrap(datagram).len() < datagram.len()
}

/// What a message between a TURN client and its relay says of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relayed<'a> {
    /// The client binds a channel to a peer (RFC 8656 section 12.1).
    Bind {
        /// The channel's number.
        channel: u16,
        /// The peer.
        peer: Endpoint,
    },
    /// A datagram to or from a peer, of which DTLS is of interest.
    Data {
        /// The channel that it went through.
        channel: Option<u16>,
        /// The peer, where the message names it.
        peer: Option<Endpoint>,
        /// Who sent the message, where it tells: the TURN client stands for the client.
        sent: Option<Side>,
        /// What is carried.
        data: &'a [u8],
    },
}

/// Reads such a message; `None` where it is none, or carries no DTLS.
pub fn relayed(datagram: &[u8]) -> Option<Relayed<'_>> {
    let carried = match datagram {
        [0x00, 0x09, ..] => {
            let (id, attributes) = stun(datagram)?;
            let channel = value(attributes, CHANNEL_NUMBER)?.first_chunk::<2>()?;
            let peer = peer(value(attributes, XOR_PEER_ADDRESS)?, id)?;
            return Some(Relayed::Bind { channel: u16::from_be_bytes(*channel), peer });
        }
        [0x00, kind @ (0x16 | 0x17), ..] => {
            let (id, attributes) = stun(datagram)?;
            let peer = value(attributes, XOR_PEER_ADDRESS).and_then(|value| peer(value, id));
            let sent = Some(if *kind == 0x16 { Side::Client } else { Side::Server });
            (None, peer, sent, value(attributes, DATA)?)
        }
        [0x40..=0x4f, ..] => {
            let channel = u16::from_be_bytes(*datagram.first_chunk::<2>()?);
            (Some(channel), None, None, channel_data(datagram)?)
        }
        _ => return None,
    };
    let (channel, peer, sent, data) = carried;
    let is_dtls = data.first().is_some_and(|first| kind(*first) == Kind::Dtls);
    is_dtls.then_some(Relayed::Data { channel, peer, sent, data })
}

/// A STUN message's cookie with its transaction, and its attributes (RFC 8489 section 5).
fn stun(datagram: &[u8]) -> Option<(&[u8; 16], &[u8])> {
    let (&[_, _, _, _, 0x21, 0x12, 0xa4, 0x42], rest) = datagram.split_first_chunk::<8>()? else { return None };
    let attributes = rest.get(12..)?;
    Some((datagram.get(4..)?.first_chunk()?, attributes))
}

/// The first attribute of a kind.
fn value(mut attributes: &[u8], wanted: [u8; 2]) -> Option<&[u8]> {
    while let Some((&[a, b, high, low], behind)) = attributes.split_first_chunk::<4>() {
        let len = usize::from(u16::from_be_bytes([high, low]));
        if [a, b] == wanted {
            return behind.get(..len);
        }
        attributes = behind.get(len.next_multiple_of(4)..)?;
    }
    None
}

/// An address that is masked with the cookie and the transaction (RFC 8489 section 14.2).
fn peer(value: &[u8], mask: &[u8; 16]) -> Option<Endpoint> {
    let (&[_, family, p0, p1], address) = value.split_first_chunk::<4>()?;
    let &[m0, m1, m2, m3, ..] = mask;
    let port = u16::from_be_bytes([p0 ^ m0, p1 ^ m1]);
    let address = match family {
        1 => IpAddr::from((u32::from_be_bytes(*address.first_chunk()?) ^ u32::from_be_bytes([m0, m1, m2, m3])).to_be_bytes()),
        2 => IpAddr::from((u128::from_be_bytes(*address.first_chunk()?) ^ u128::from_be_bytes(*mask)).to_be_bytes()),
        _ => return None,
    };
    Some(Endpoint::new(address, port))
}

/// ChannelData: channel number 0x4000 to 0x4fff, length, data, padding (RFC 8656 section 12.4).
fn channel_data(datagram: &[u8]) -> Option<&[u8]> {
    let (&[_, _, high, low], data) = datagram.split_first_chunk::<4>()?;
    let len = usize::from(u16::from_be_bytes([high, low]));
    data.get(..len).filter(|_| data.len() - len < 4)
}

/// CAPWAP's preamble: version 0, type DTLS; then three bytes that are reserved (RFC 5415 section 4.1 and 4.2).
const CAPWAP: [u8; 4] = [1, 0, 0, 0];
/// Types of attributes (RFC 8656 section 18).
const CHANNEL_NUMBER: [u8; 2] = [0x00, 0x0c];
const XOR_PEER_ADDRESS: [u8; 2] = [0x00, 0x12];
const DATA: [u8; 2] = [0x00, 0x13];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RECORD: [u8; 5] = [22, 0xfe, 0xfd, 9, 9];
    const TRANSACTION: [u8; 12] = [7; 12];

    fn message(kind: u8, attributes: &[&[u8]]) -> Vec<u8> {
        [&[0x00, kind, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &TRANSACTION, &attributes.concat()].concat()
    }

    /// 192.0.2.1 port 32853, as in RFC 5769 section 2.2.
    const PEER: &[u8] = &[0x00, 0x12, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];

    #[test]
    fn dtls_is_taken_out_of_turn() {
        let channel = [&[0x40, 0x01, 0, 5][..], &RECORD, &[0, 0, 0]].concat();
        let data = Relayed::Data { channel: Some(0x4001), peer: None, sent: None, data: &RECORD };
        assert_eq!(relayed(&channel), Some(data));
        let endpoint = Endpoint::new([192, 0, 2, 1].into(), 32853);
        let sent = message(0x16, &[PEER, &[0x00, 0x13, 0, 5], &RECORD, &[0, 0, 0]]);
        let data = Relayed::Data { channel: None, peer: Some(endpoint), sent: Some(Side::Client), data: &RECORD };
        assert_eq!(relayed(&sent), Some(data));
        let bind = message(0x09, &[&[0x00, 0x0c, 0, 4, 0x40, 0x01, 0, 0], PEER]);
        assert_eq!(relayed(&bind), Some(Relayed::Bind { channel: 0x4001, peer: endpoint }));
    }

    /// 2001:db8:1234:5678:11:2233:4455:6677 port 32853, as in RFC 5769 section 2.3.
    #[test]
    fn a_peer_may_have_an_ipv6_address() {
        let masked = [0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9];
        let id = [0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        let value = [&[0, 2, 0xa1, 0x47][..], &masked].concat();
        let wanted = Endpoint::new("2001:db8:1234:5678:11:2233:4455:6677".parse().unwrap(), 32853);
        assert_eq!(peer(&value, &id), Some(wanted));
    }

    #[test]
    fn dtls_is_taken_out_of_capwap() {
        assert_eq!(unwrap(&RECORD), RECORD);
        assert_eq!(unwrap(&[&[1, 0, 0, 0][..], &RECORD].concat()), RECORD, "CAPWAP");
        let clear = [0, 16, 2, 0, 22, 0xfe, 0xfd];
        assert_eq!(unwrap(&clear), clear, "CAPWAP in clear");
    }

    #[test]
    fn what_is_not_dtls_is_of_no_interest() {
        assert_eq!(relayed(&[0x40, 0x01, 0, 2, 0x80, 0x60]), None);
        assert_eq!(relayed(&[0x40, 0x01, 0, 2, 22, 0xfe, 1, 1, 1, 1, 1, 1]), None, "QUIC: the length does not fit");
        assert_eq!(relayed(&message(0x01, &[PEER])), None, "another message");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(kind in prop::sample::select(vec![0x09u8, 0x16, 0x17]), bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(unwrap(&bytes).len() <= bytes.len());
            for datagram in [bytes.clone(), message(kind, &[&bytes])] {
                if let Some(Relayed::Data { data, .. }) = relayed(&datagram) {
                    prop_assert!(data.len() < datagram.len());
                }
            }
        }
    }
}
