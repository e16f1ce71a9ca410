//! RADIUS (RFC 2865 section 3) as far as it carries EAP (RFC 3579 section 3).

/// A RADIUS packet of an authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is.
    pub code: Code,
    /// Which request it is, or answers.
    pub identifier: u8,
    /// The request's random number; the answer's proof.
    pub authenticator: &'a [u8; 16],
    /// The attributes, as far as they were captured.
    attributes: &'a [u8],
    /// The snapshot length cut some off.
    cut: bool,
}

/// What a packet of an authentication is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Access-Request.
    Request,
    /// Access-Accept.
    Accept,
    /// Access-Reject.
    Reject,
    /// Access-Challenge.
    Challenge,
}

/// Attributes (RFC 2865 section 5, RFC 3579 section 3.1).
pub mod attribute {
    /// NAS-IP-Address.
    pub const NAS_ADDRESS: u8 = 4;
    /// State.
    pub const STATE: u8 = 24;
    /// Called-Station-Id: access point and network.
    pub const CALLED_STATION: u8 = 30;
    /// Calling-Station-Id: the supplicant's address.
    pub const CALLING_STATION: u8 = 31;
    /// NAS-Identifier.
    pub const NAS_IDENTIFIER: u8 = 32;
    /// EAP-Message: up to 253 bytes, and as many of them as it takes.
    pub const EAP_MESSAGE: u8 = 79;
}

impl<'a> Packet<'a> {
    /// Reads a packet that carries EAP; strict enough to tell it from whatever else UDP carries. `wire_len` is the datagram's length on the wire,
    /// of which the snapshot length may have cut some.
    pub fn parse(payload: &'a [u8], wire_len: u32) -> Option<Self> {
        let (&[code, identifier, high, low], rest) = payload.split_first_chunk::<4>()?;
        let code = match code {
            1 => Code::Request,
            2 => Code::Accept,
            3 => Code::Reject,
            11 => Code::Challenge,
            _ => return None,
        };
        let len = u16::from_be_bytes([high, low]);
        if u32::from(len) != wire_len || len > LONGEST {
            return None;
        }
        let (authenticator, attributes) = rest.split_first_chunk::<16>()?;
        let cut = payload.len() < usize::from(len);
        let packet = Self { code, identifier, authenticator, attributes, cut };
        let mut left = attributes;
        let mut carries = false;
        while let [kind, len, behind @ ..] = left {
            let len = usize::from(*len).checked_sub(2)?;
            carries |= *kind == attribute::EAP_MESSAGE;
            match behind.get(len..) {
                Some(behind) => left = behind,
                None if cut => break,
                None => return None,
            }
        }
        (carries && (cut || left.is_empty())).then_some(packet)
    }

    /// The values of an attribute, in order.
    fn values(&self, wanted: u8) -> impl Iterator<Item = &'a [u8]> {
        let mut left = self.attributes;
        std::iter::from_fn(move || {
            let &[kind, len, ref behind @ ..] = left else { return None };
            let (value, behind) = behind.split_at_checked(usize::from(len).saturating_sub(2)).unwrap_or((behind, &[]));
            left = behind;
            Some((kind, value))
        })
        .filter_map(move |(kind, value)| (kind == wanted).then_some(value))
    }

    /// The first value of an attribute.
    pub fn value(&self, wanted: u8) -> Option<&'a [u8]> {
        self.values(wanted).next()
    }

    /// The State, where it was captured whole.
    pub fn state(&self) -> Option<&'a [u8]> {
        let mut left = self.attributes;
        loop {
            let &[kind, len, ref behind @ ..] = left else { return None };
            let (value, behind) = behind.split_at_checked(usize::from(len).checked_sub(2)?)?;
            if kind == attribute::STATE {
                return Some(value);
            }
            left = behind;
        }
    }

    /// The snapshot length cut attributes off: one that was not seen may be there.
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// Joins its EAP packet into this buffer, which it empties first.
    pub fn eap(&self, into: &mut Vec<u8>) {
        into.clear();
        for part in self.values(attribute::EAP_MESSAGE) {
            into.extend_from_slice(part);
        }
    }
}

/// Longest packet (RFC 2865 section 3).
const LONGEST: u16 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(code: u8, attributes: &[u8]) -> Vec<u8> {
        let len = u16::try_from(20 + attributes.len()).unwrap().to_be_bytes();
        [&[code, 5, len[0], len[1]][..], &[7; 16], attributes].concat()
    }

    fn parse(bytes: &[u8]) -> Option<Packet<'_>> {
        Packet::parse(bytes, u32::try_from(bytes.len()).unwrap())
    }

    #[test]
    fn joins_the_eap_packet() {
        let bytes = packet(11, &[79, 5, 1, 2, 3, 24, 4, 9, 9, 79, 3, 4]);
        let read = parse(&bytes).unwrap();
        let mut eap = vec![0];
        read.eap(&mut eap);
        assert_eq!((read.code, read.identifier, eap), (Code::Challenge, 5, vec![1, 2, 3, 4]));
        assert_eq!(read.value(attribute::STATE), Some(&[9, 9][..]));
    }

    #[test]
    fn what_is_none_is_refused() {
        assert_eq!(parse(&packet(1, &[1, 5, b'b', b'o', b'b'])), None, "no EAP");
        assert_eq!(parse(&packet(1, &[79, 5, 1, 2, 3, 24, 9, 9])), None, "an attribute beyond the end");
        assert_eq!(parse(&packet(1, &[79, 1, 1, 2, 3])), None, "an attribute of no length");
        assert_eq!(parse(&packet(4, &[79, 5, 1, 2, 3])), None, "accounting");
        let bytes = packet(1, &[79, 5, 1, 2, 3]);
        assert_eq!(Packet::parse(&bytes, 26), None, "another length");
        assert!(Packet::parse(&bytes[..23], 25).is_some_and(|packet| packet.is_cut()), "cut by the snapshot length");
    }

    #[test]
    fn a_state_that_is_cut_is_none() {
        let bytes = packet(11, &[79, 5, 1, 2, 3, 24, 4, 9, 9]);
        assert_eq!(parse(&bytes).unwrap().state(), Some(&[9, 9][..]));
        let cut = Packet::parse(&bytes[..28], 29).unwrap();
        assert_eq!((cut.state(), cut.is_cut()), (None, true));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(attributes in proptest::collection::vec(any::<u8>(), 0..64), cut in 0usize..64) {
            let bytes = packet(1, &attributes);
            let len = u32::try_from(bytes.len()).unwrap();
            let bytes = &bytes[..bytes.len().saturating_sub(cut)];
            if let Some(packet) = Packet::parse(bytes, len) {
                let mut eap = Vec::new();
                packet.eap(&mut eap);
                prop_assert!(eap.len() < bytes.len());
                let _ = packet.state();
            }
        }
    }
}
