//! OpenVPN's control channel: the header of its packets, the wrapping around them, and the pieces of TLS inside
//! (`ssl_pkt.h` and `tls_crypt.h` of OpenVPN; `doc/doxygen/doc_protocol_overview.h`).

pub use crate::flow::OpenVpnWrapping as Wrapping;
use crate::flow::Side;

/// A packet's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is.
    pub kind: Kind,
    /// The keys that it is about: 0 for those with which a session begins, then 1 to 7 in turn.
    pub key: u8,
    /// The sender's session; none in packets of data.
    pub session: Option<&'a [u8; 8]>,
    /// What follows.
    rest: &'a [u8],
}

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A side begins (`P_CONTROL_HARD_RESET_…`).
    HardReset(Side),
    /// New keys for a session that is there.
    SoftReset,
    /// Part of TLS.
    Control,
    /// An acknowledgment alone.
    Ack,
    /// A packet of the tunnel: the keys are negotiated.
    Data,
}

impl Wrapping {
    /// Nobody without the key sees what is inside.
    pub const fn is_opaque(self) -> bool {
        matches!(self, Self::Crypt | Self::CryptV2)
    }
}

/// What a packet says inside its wrapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its number among the sender's packets; none in an acknowledgment.
    pub number: Option<u32>,
    /// How many packets of the other side it acknowledges.
    pub acks: u8,
    /// TLS records, or part of them.
    pub data: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads the header.
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let (&first, behind) = payload.split_first()?;
        let key = first & KEY;
        let kind = match first >> 3 {
            1 | 7 | 10 => Kind::HardReset(Side::Client),
            2 | 8 => Kind::HardReset(Side::Server),
            3 => Kind::SoftReset,
            4 | 11 => Kind::Control,
            5 => Kind::Ack,
            6 => return Some(Self { kind: Kind::Data, key, session: None, rest: behind }),
            9 => return Some(Self { kind: Kind::Data, key, session: None, rest: behind.get(PEER..).unwrap_or_default() }),
            _ => return None,
        };
        let (session, rest) = behind.split_first_chunk::<8>()?;
        Some(Self { kind, key, session: Some(session), rest })
    }

    /// A packet of the tunnel that is one of the first under its keys, as its number says where the cipher leaves that in clear (GCM, ChaCha20).
    pub fn opens_tunnel(&self) -> bool {
        self.kind == Kind::Data && self.rest.first_chunk::<4>().is_some_and(|number| (1..=2).contains(&u32::from_be_bytes(*number)))
    }

    /// What is not encrypted behind the header and what protects it.
    fn inside(&self, wrapping: Wrapping) -> Option<&'a [u8]> {
        match wrapping {
            Wrapping::None => Some(self.rest),
            Wrapping::Auth(hmac) => self.rest.get(usize::from(hmac).checked_add(REPLAY)?..),
            Wrapping::Crypt | Wrapping::CryptV2 => None,
        }
    }

    /// The session of the other side whose packets it acknowledges, if any.
    pub fn acknowledged(&self, wrapping: Wrapping) -> Option<&'a [u8; 8]> {
        let (&acks, behind) = self.inside(wrapping)?.split_first()?;
        let listed = usize::from(acks).saturating_mul(4);
        behind.get(listed..)?.first_chunk().filter(|_| acks > 0 && acks <= MOST_ACKS)
    }

    /// What it says. `None` where that is encrypted, or makes no sense.
    pub fn message(&self, wrapping: Wrapping) -> Option<Message<'a>> {
        let inside = self.inside(wrapping)?;
        let (&acks, behind) = inside.split_first()?;
        if acks > MOST_ACKS {
            return None;
        }
        let listed = usize::from(acks).saturating_mul(4).saturating_add(if acks > 0 { 8 } else { 0 });
        let behind = behind.get(listed..)?;
        if self.kind == Kind::Ack {
            return Some(Message { number: None, acks, data: &[] });
        }
        let (number, data) = behind.split_first_chunk::<4>()?;
        Some(Message { number: Some(u32::from_be_bytes(*number)), acks, data })
    }
}

/// Whether a datagram is a client's first packet, and what protects it: by its exact form, since nothing else names the protocol.
pub fn opening(payload: &[u8]) -> Option<Wrapping> {
    let (&first, behind) = payload.split_first()?;
    let (session, rest) = behind.split_first_chunk::<8>()?;
    if *session == [0; 8] {
        return None;
    }
    match first {
        RESET_V2 => first_of_v2(rest),
        RESET_V3 => {
            let &[high, low] = rest.last_chunk::<2>()?;
            // The client's wrapped key follows, its length last.
            let key = usize::from(u16::from_be_bytes([high, low]));
            let fits = rest.len().checked_sub(key).is_some_and(|before| before == CRYPT + FIRST.len()) && key > LEAST_KEY;
            (fits && is_numbered(rest)).then_some(Wrapping::CryptV2)
        }
        _ => None,
    }
}

/// Whether a datagram is the first packet of a handshake for new keys in a session that is there (`P_CONTROL_SOFT_RESET_V1`), and what protects
/// it: from OpenVPN 2.6 on mostly tls-crypt, under a key that the session agreed on. Either side may begin.
pub fn renewal(payload: &[u8]) -> Option<Wrapping> {
    let (&first, behind) = payload.split_first()?;
    let (session, rest) = behind.split_first_chunk::<8>()?;
    (SOFT_RESET.contains(&first) && *session != [0; 8]).then(|| first_of_v2(rest)).flatten()
}

fn first_of_v2(rest: &[u8]) -> Option<Wrapping> {
    if *rest == FIRST {
        return Some(Wrapping::None);
    }
    let hmac = rest.len().checked_sub(REPLAY + FIRST.len())?;
    let named = HMACS.contains(&hmac) && rest.ends_with(&FIRST) && is_numbered(rest.get(hmac..)?);
    if named {
        return u8::try_from(hmac).ok().map(Wrapping::Auth);
    }
    (rest.len() == CRYPT + FIRST.len() && is_numbered(rest)).then_some(Wrapping::Crypt)
}

/// A replay number of one of the first packets, and a time of day.
fn is_numbered(rest: &[u8]) -> bool {
    let Some((&[a, b, c, d, t0, t1, t2, t3], _)) = rest.split_first_chunk::<REPLAY>() else { return false };
    let number = u32::from_be_bytes([a, b, c, d]);
    let early = (1..=FEW).contains(&number) || (EARLY..=EARLY + FEW).contains(&number);
    early && u32::from_be_bytes([t0, t1, t2, t3]) >= YEAR_2004
}

/// First bytes of a client's first packet: hard reset of version 2 and, with tls-crypt-v2, 3; the key's number is 0.
pub const RESET_V2: u8 = 7 << 3;
/// The same with tls-crypt-v2.
pub const RESET_V3: u8 = 10 << 3;
/// First bytes of a packet that begins a handshake for new keys: those have the numbers 1 to 7.
pub const SOFT_RESET: std::ops::RangeInclusive<u8> = 0x19..=0x1f;
/// The bits of the first byte that number the keys.
const KEY: u8 = 0x07;
/// Bytes of the client's number in packets of data of version 2.
const PEER: usize = 3;
/// No acknowledgments, packet number 0.
const FIRST: [u8; 5] = [0; 5];
/// Replay number and time.
const REPLAY: usize = 8;
/// The same and the HMAC of tls-crypt.
const CRYPT: usize = REPLAY + 32;
/// Bytes of an HMAC by MD5, SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512.
const HMACS: &[usize] = &[16, 20, 28, 32, 48, 64];
/// A wrapped key is longer than this.
const LEAST_KEY: usize = 256;
/// Acknowledgments in one packet.
const MOST_ACKS: u8 = 8;
/// A client that begins has not sent more packets than this before.
const FEW: u32 = 4096;
/// Replay numbers of OpenVPN 2.6 begin here, to say that it can do without the server's state.
const EARLY: u32 = 0x0f00_0000;
/// Before any version of OpenVPN with these packets, in seconds since 1970.
const YEAR_2004: u32 = 1_072_915_200;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SESSION: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
    /// Replay number 1, 2026.
    const NUMBERED: [u8; 8] = [0, 0, 0, 1, 0x69, 0, 0, 0];

    #[test]
    fn a_first_packet_tells_its_wrapping_by_form() {
        let plain = [&[0x38][..], &SESSION, &FIRST].concat();
        assert_eq!(opening(&plain), Some(Wrapping::None));
        let auth = |hmac: usize| [&[0x38][..], &SESSION, &vec![0xaa; hmac], &NUMBERED, &FIRST].concat();
        assert_eq!(opening(&auth(20)), Some(Wrapping::Auth(20)));
        assert_eq!(opening(&auth(32)), Some(Wrapping::Auth(32)), "as long as tls-crypt");
        assert_eq!(opening(&auth(21)), None, "no hash has that length");
        let crypt = [&[0x38][..], &SESSION, &NUMBERED, &[0xbb; 32], &[7; 5]].concat();
        assert_eq!(opening(&crypt), Some(Wrapping::Crypt));
        let key = [&[0xcc; 300][..], &302u16.to_be_bytes()].concat();
        let v2 = [&[0x50][..], &SESSION, &[0x0f, 0, 0, 1], &[0x69, 0, 0, 0], &[0xbb; 32], &[7; 5], &key].concat();
        assert_eq!(opening(&v2), Some(Wrapping::CryptV2));
        assert_eq!(opening(&plain[..13]), None);
    }

    #[test]
    fn new_keys_are_asked_for_in_the_same_form() {
        let soft = |first: u8| [&[first][..], &SESSION, &FIRST].concat();
        assert_eq!((renewal(&soft(0x19)), renewal(&soft(0x1f))), (Some(Wrapping::None), Some(Wrapping::None)));
        assert_eq!((renewal(&soft(0x18)), opening(&soft(0x19))), (None, None), "keys 0 are those of a session that begins");
        assert_eq!(Packet::parse(&soft(0x1a)).map(|packet| (packet.kind, packet.key)), Some((Kind::SoftReset, 2)));
        let crypt = [&[0x19][..], &SESSION, &NUMBERED, &[0xbb; 32], &[7; 5]].concat();
        assert_eq!(renewal(&crypt), Some(Wrapping::Crypt));
        // An answer acknowledges what it answers.
        let answer = [&[0x19][..], &SESSION, &[1, 0, 0, 0, 0], &[9; 8], &[0; 4]].concat();
        assert_eq!(renewal(&answer), None);
    }

    #[test]
    fn the_first_packets_of_a_tunnel_are_told_by_their_number() {
        let data = |first: u8, head: &[u8], number: u32| [&[first][..], head, &number.to_be_bytes(), &[0xaa; 20]].concat();
        let opens = |bytes: &[u8]| Packet::parse(bytes).unwrap().opens_tunnel();
        assert!(opens(&data(0x48, &[0, 0, 1], 1)) && opens(&data(0x31, &[], 2)));
        assert!(!opens(&data(0x48, &[0, 0, 1], 17)) && !opens(&data(0x30, &[], 0x7c9c_b336)));
        assert!(!opens(&[0x48, 0, 0]));
    }

    #[test]
    fn reads_acknowledgments_and_data() {
        let answer = [&[0x20][..], &SESSION, &[2, 0, 0, 0, 0, 0, 0, 0, 1], &[9; 8], &[0, 0, 0, 3], b"TLS"].concat();
        let packet = Packet::parse(&answer).unwrap();
        assert_eq!((packet.kind, packet.session), (Kind::Control, Some(&SESSION)));
        assert_eq!(packet.message(Wrapping::None), Some(Message { number: Some(3), acks: 2, data: b"TLS" }));
        assert_eq!((packet.acknowledged(Wrapping::None), packet.acknowledged(Wrapping::Crypt)), (Some(&[9; 8]), None));
        let ack = [&[0x28][..], &SESSION, &[1, 0, 0, 0, 5], &[9; 8]].concat();
        let message = Packet::parse(&ack).unwrap().message(Wrapping::None).unwrap();
        assert_eq!((message.number, message.acks), (None, 1));
        assert_eq!(Packet::parse(&[0x48, 1, 2]).unwrap().kind, Kind::Data);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..100), hmac: u8) {
            let _ = (opening(&bytes), renewal(&bytes));
            if let Some(packet) = Packet::parse(&bytes) {
                for wrapping in [Wrapping::None, Wrapping::Auth(hmac), Wrapping::Crypt] {
                    let _ = packet.acknowledged(wrapping);
                    prop_assert!(packet.message(wrapping).is_none_or(|message| message.data.len() < bytes.len()));
                }
            }
        }
    }
}
