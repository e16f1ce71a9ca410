//! EAP (RFC 3748 section 4) and the methods that are TLS: their flags and fragments (RFC 5216 section 3, RFC 9190, RFC 5281 section 9,
//! RFC 4851 section 4, RFC 7170 section 4).

pub use crate::flow::EapMethod as Method;

/// An EAP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eap<'a> {
    /// What it is.
    pub code: Code,
    /// Which request it is, or answers.
    pub identifier: u8,
    /// What it says.
    pub body: Body<'a>,
    /// Bytes at its end that were not captured.
    pub missing: usize,
}

/// What an EAP packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The authenticator asks.
    Request,
    /// The peer answers.
    Response,
    /// The peer is let in.
    Success,
    /// The peer is turned away.
    Failure,
}

/// What a request or a response says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// Success and Failure say nothing more.
    Nothing,
    /// Who the peer says it is: often not who it is.
    Identity(&'a [u8]),
    /// The peer does not want this method, and names others by type; zero is none.
    Nak(&'a [u8]),
    /// Part of a TLS handshake.
    Tls(Part<'a>),
    /// Another method, by type.
    Other(u8),
}

/// Part of a TLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// The method.
    pub method: Method,
    /// The server begins. What else such a packet holds is not TLS.
    pub start: bool,
    /// More of the same flight follows.
    pub more: bool,
    /// Bytes at the end of the flight that are not TLS (outer TLVs of TEAP).
    pub outer: usize,
    /// TLS records; none in an acknowledgment.
    pub data: &'a [u8],
}

impl Method {
    /// The name people use.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Tls => "EAP-TLS",
            Self::Ttls => "EAP-TTLS",
            Self::Peap => "PEAP",
            Self::Fast => "EAP-FAST",
            Self::Teap => "TEAP",
        }
    }

    /// Its number among EAP types.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tls => 13,
            Self::Ttls => 21,
            Self::Peap => 25,
            Self::Fast => 43,
            Self::Teap => 55,
        }
    }

    fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.number() == number)
    }
}

/// The name of an EAP type, for people.
pub const fn type_name(number: u8) -> Option<&'static str> {
    Some(match number {
        4 => "EAP-MD5",
        5 => "EAP-OTP",
        6 => "EAP-GTC",
        13 => "EAP-TLS",
        17 => "LEAP",
        18 => "EAP-SIM",
        21 => "EAP-TTLS",
        23 => "EAP-AKA",
        25 => "PEAP",
        26 => "EAP-MSCHAPv2",
        43 => "EAP-FAST",
        50 => "EAP-AKA'",
        52 => "EAP-PWD",
        55 => "TEAP",
        _ => return None,
    })
}

impl<'a> Eap<'a> {
    /// Reads a packet; what was cut off at its end is missing in its body.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&[code, identifier, high, low], rest) = bytes.split_first_chunk::<4>()?;
        let len = usize::from(u16::from_be_bytes([high, low])).checked_sub(4)?;
        let missing = len.saturating_sub(rest.len());
        let rest = rest.get(..len).unwrap_or(rest);
        let code = match code {
            1 => Code::Request,
            2 => Code::Response,
            3 => Code::Success,
            4 => Code::Failure,
            _ => return None,
        };
        let body = match code {
            Code::Success | Code::Failure => Body::Nothing,
            Code::Request | Code::Response => body(rest)?,
        };
        Some(Self { code, identifier, body, missing })
    }
}

fn body(rest: &[u8]) -> Option<Body<'_>> {
    let (&number, data) = rest.split_first()?;
    Some(match (number, Method::of(number)) {
        (IDENTITY, _) => Body::Identity(data),
        (NAK, _) => Body::Nak(data),
        (_, Some(method)) => Body::Tls(part(method, data)?),
        (_, None) => Body::Other(number),
    })
}

/// Flags: length included, more fragments, start, and in TEAP the length of outer TLVs; then what they announce.
fn part(method: Method, data: &[u8]) -> Option<Part<'_>> {
    let (&flags, mut data) = data.split_first()?;
    if flags & LENGTH != 0 {
        data = data.get(4..)?;
    }
    let mut outer = 0;
    if method == Method::Teap && flags & OUTER != 0 {
        let (len, behind) = data.split_first_chunk::<4>()?;
        outer = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
        data = behind;
    }
    let start = flags & START != 0;
    Some(Part { method, start, more: flags & MORE != 0, outer, data: if start { &[] } else { data } })
}

const IDENTITY: u8 = 1;
const NAK: u8 = 3;
const LENGTH: u8 = 0x80;
const MORE: u8 = 0x40;
const START: u8 = 0x20;
const OUTER: u8 = 0x10;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_identity_and_nak() {
        let identity = Eap::parse(b"\x02\x07\x00\x08\x01bob...").unwrap();
        assert_eq!((identity.code, identity.identifier, identity.body), (Code::Response, 7, Body::Identity(b"bob")));
        assert_eq!(Eap::parse(&[2, 8, 0, 7, 3, 25, 21]).unwrap().body, Body::Nak(&[25, 21]));
        assert_eq!(Eap::parse(&[4, 8, 0, 4]).unwrap().code, Code::Failure);
        assert_eq!(Eap::parse(&[2, 8, 0, 9, 1, b'b']).unwrap().missing, 3);
    }

    /// The forms of RFC 5216 section 3.1: with length and more fragments, without, and an acknowledgment.
    #[test]
    fn reads_parts_of_a_flight() {
        let part = |bytes: &'static [u8]| match Eap::parse(bytes).unwrap().body {
            Body::Tls(part) => part,
            other => panic!("{other:?}"),
        };
        let first = part(&[1, 2, 0, 12, 13, 0xc0, 0, 0, 0, 9, 22, 3]);
        assert_eq!((first.method, first.more, first.data), (Method::Tls, true, &[22, 3][..]));
        let last = part(&[1, 3, 0, 8, 25, 0x00, 1, 1]);
        assert_eq!((last.method, last.more, last.data), (Method::Peap, false, &[1, 1][..]));
        assert_eq!(part(&[2, 3, 0, 6, 21, 0x00]).data, &[] as &[u8]);
        let start = part(&[1, 4, 0, 10, 43, 0x21, 0, 4, 0, 0]);
        assert_eq!((start.method, start.start, start.data), (Method::Fast, true, &[] as &[u8]), "the authority is no TLS");
    }

    #[test]
    fn outer_values_of_teap_are_told_apart() {
        let bytes = [1, 4, 0, 15, 55, 0x11, 0, 0, 0, 3, 22, 3, 9, 9, 9];
        let Body::Tls(part) = Eap::parse(&bytes).unwrap().body else { panic!() };
        assert_eq!((part.outer, part.data.len()), (3, 5));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(Eap { body: Body::Tls(part), .. }) = Eap::parse(&bytes) {
                prop_assert!(part.data.len() < bytes.len());
            }
        }
    }
}
