//! OpenVPN over TCP: packets behind a length of two bytes. Both sides begin with a hard reset; from then on their packets of control carry TLS,
//! which [`Unwrap`] takes out. Over UDP the same packets are followed by `handshake::datagrams`.

use super::dialogue::{Dialogue, Extent, Next, Said, be16};
use super::{PreambleFacts, Upgrade};
use crate::carriers::openvpn::{Kind, Packet, RESET_V2, Wrapping, opening};
use crate::flow::{PerSide, Side};
use crate::limits;

/// How a session begins.
#[derive(Debug, Default)]
pub(super) struct OpenVpn {
    wrapping: Wrapping,
    /// Bytes of packets since the server answered, where all of TLS is encrypted.
    hidden: usize,
    /// Which sides have taken part in that.
    took_part: PerSide<bool>,
}

/// What protects the control channel of a connection whose client begins so; `None` where that is no OpenVPN.
pub(super) fn wrapping(first: &[u8]) -> Option<Wrapping> {
    let len = usize::from(be16(first, 0)?);
    opening(first.get(2..)?.get(..len)?)
}

/// A first packet of version 2 is no longer than with the longest HMAC.
pub(super) const fn may_begin(len: u8, first: u8) -> bool {
    len >= LEAST && len <= MOST && first == RESET_V2
}

impl Dialogue for OpenVpn {
    fn extent(&self, _: Side, have: &[u8]) -> Extent {
        match be16(have, 0) {
            None => Extent::AtLeast(2),
            Some(0) => Extent::Lost,
            Some(len) => Extent::Exactly(usize::from(len) + 2),
        }
    }

    fn most(&self) -> usize {
        2 * HIDDEN_BYTES
    }

    fn message(&mut self, said: &Said<'_>, facts: &mut PreambleFacts) -> Next {
        let kind = Packet::parse(said.bytes.get(2..).unwrap_or_default()).map(|packet| packet.kind);
        match (said.side, kind) {
            (Side::Client, Some(Kind::HardReset(Side::Client))) => {
                self.wrapping = wrapping(said.bytes).unwrap_or_default();
                facts.describe(said, format!("hard reset, control channel protected by {}", self.wrapping.name()));
                facts.detail = Some(self.wrapping.name().to_owned());
                if facts.asked.is_none() {
                    facts.ask(said.mark);
                }
                Next::More
            }
            // What tls-crypt encrypts is never seen, but for that both sides use the tunnel in the end, or that one of them leaves before.
            (Side::Server, Some(Kind::HardReset(Side::Server))) if self.wrapping.is_opaque() => {
                facts.describe(said, "hard reset in answer".to_owned());
                (facts.upgrade, facts.asked) = (Upgrade::NotAsked, None);
                self.hidden = 1;
                Next::More
            }
            (_, Some(kind)) if self.hidden > 0 => {
                self.hidden = self.hidden.saturating_add(said.bytes.len());
                if kind == Kind::Data || self.hidden > HIDDEN_BYTES {
                    facts.upgrade = Upgrade::NotAsked;
                    facts.went_on.get_or_insert(said.mark);
                    return Next::Never;
                }
                *self.took_part.of_mut(said.side) |= kind == Kind::Control;
                if self.took_part.client && self.took_part.server {
                    facts.upgrade = Upgrade::Hidden;
                }
                facts.describe(said, if kind == Kind::Control { "control packet".to_owned() } else { "acknowledgment".to_owned() });
                Next::More
            }
            (Side::Server, Some(Kind::HardReset(Side::Server))) if facts.upgrade == Upgrade::Asked => {
                facts.describe(said, "hard reset in answer".to_owned());
                facts.decide(Upgrade::Granted, "hard reset in answer".to_owned(), None, said.mark);
                Next::Tls
            }
            _ => {
                facts.describe(said, "OpenVPN packet".to_owned());
                Next::More
            }
        }
    }
}

/// Takes one side's TLS bytes out of packets. Feed it everything from where TLS begins.
#[derive(Debug, Default, Clone)]
pub(super) struct Unwrap {
    wrapping: Wrapping,
    /// The packet under way, with its length before it.
    pending: Vec<u8>,
    /// Bytes still to be passed over, of a packet that carries no TLS or is too long.
    skip: usize,
}

impl Unwrap {
    pub(super) fn new(wrapping: Wrapping) -> Self {
        Self { wrapping, ..Self::default() }
    }

    /// Bytes that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        self.pending.capacity()
    }

    /// Hands the TLS bytes of each packet that is whole to `out`, in order.
    pub(super) fn feed(&mut self, bytes: &[u8], mut out: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let passed = self.skip.min(rest.len());
            self.skip -= passed;
            rest = rest.get(passed..).unwrap_or_default();
            let want = match self.pending.get(..3) {
                None => 3,
                Some(head) => usize::from(be16(head, 0).unwrap_or(0)) + 2,
            };
            let (now, behind) = rest.split_at_checked(want.saturating_sub(self.pending.len())).unwrap_or((rest, &[]));
            self.pending.extend_from_slice(now);
            rest = behind;
            let &[high, low, first, ..] = self.pending.as_slice() else { continue };
            let len = usize::from(u16::from_be_bytes([high, low]));
            let control = matches!(Packet::parse(&[first, 0, 0, 0, 0, 0, 0, 0, 0]).map(|packet| packet.kind), Some(Kind::Control));
            if len == 0 || !control || len > limits::OPENVPN_EARLY {
                self.skip = (len + 2).saturating_sub(self.pending.len());
                self.pending.clear();
            } else if self.pending.len() >= len + 2 {
                let packet = Packet::parse(self.pending.get(2..).unwrap_or_default());
                if let Some(message) = packet.and_then(|packet| packet.message(self.wrapping)) {
                    out(message.data);
                }
                self.pending.clear();
            }
        }
    }
}

/// A handshake that is hidden takes no more, with the settings that the server pushes.
const HIDDEN_BYTES: usize = 64 << 10;

/// Bytes of a first packet without HMAC, and with that of SHA-512.
const LEAST: u8 = 14;
const MOST: u8 = 14 + 8 + 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preamble::Preamble;
    use crate::time::{Mark, Timestamp};
    use proptest::prelude::*;

    /// Two packets of control with an acknowledgment and a packet of data between them.
    fn stream() -> Vec<u8> {
        let control = |number: u8, data: &[u8]| {
            let packet = [&[0x20][..], &[7; 8], &[0, 0, 0, 0, number], data].concat();
            [&u16::try_from(packet.len()).unwrap().to_be_bytes()[..], &packet].concat()
        };
        let ack = [&[0, 22, 0x28][..], &[7; 8], &[1, 0, 0, 0, 0], &[9; 8]].concat();
        let data = [&[0, 5, 0x48][..], &[1; 4]].concat();
        [control(1, b"first "), ack, data, control(2, b"second")].concat()
    }

    /// A packet behind its length.
    fn framed(packet: &[u8]) -> Vec<u8> {
        [&u16::try_from(packet.len()).unwrap().to_be_bytes()[..], packet].concat()
    }

    /// How far a session got behind tls-crypt, of version 2 or not, whose sides say this once both have begun.
    fn hidden(version_2: bool, packets: &[(Side, u8)]) -> (String, Upgrade) {
        let (key, first) = if version_2 { ([&[0xcc; 300][..], &302u16.to_be_bytes()].concat(), 0x50) } else { (Vec::new(), 0x38) };
        let begins = [&[first][..], &[7; 8], &[0, 0, 0, 1, 0x69, 0, 0, 0], &[0xbb; 32], &[7; 5], &key].concat();
        let mut preamble = Preamble::new(1194);
        let mut feed = |side, packet: &[u8]| {
            let mark = Mark { frame: 1, time: Timestamp::MIN };
            let _ = preamble.feed(side, &framed(packet), mark);
        };
        feed(Side::Client, &begins);
        feed(Side::Server, &[&[0x40][..], &[8; 8], &[0xbb; 53]].concat());
        for (side, kind) in packets {
            feed(*side, &[&[*kind][..], &[9; 8], &[0xbb; 200]].concat());
        }
        let facts = preamble.facts().unwrap();
        (facts.detail.unwrap(), facts.upgrade)
    }

    #[test]
    fn what_is_hidden_is_over_with_the_first_packet_of_the_tunnel() {
        use Side::{Client, Server};
        const CONTROL: u8 = 0x20;
        const DATA: u8 = 0x48;
        for (version_2, name) in [(false, "tls-crypt"), (true, "tls-crypt-v2")] {
            let upgrade = |packets: &[(Side, u8)]| {
                let (detail, upgrade) = hidden(version_2, packets);
                assert_eq!(detail, name);
                upgrade
            };
            assert_eq!(upgrade(&[]), Upgrade::NotAsked);
            assert_eq!(upgrade(&[(Client, CONTROL), (Client, CONTROL)]), Upgrade::NotAsked, "one side alone");
            assert_eq!(upgrade(&[(Client, CONTROL), (Server, CONTROL)]), Upgrade::Hidden);
            assert_eq!(upgrade(&[(Client, CONTROL), (Server, CONTROL), (Client, DATA)]), Upgrade::NotAsked, "it is up");
            assert_eq!(upgrade(&[(Client, CONTROL), (Server, CONTROL), (Client, DATA), (Client, CONTROL)]), Upgrade::NotAsked);
        }
        let long: Vec<(Side, u8)> = [(Client, CONTROL), (Server, CONTROL)].repeat(HIDDEN_BYTES / 400);
        assert_eq!(hidden(false, &long).1, Upgrade::NotAsked, "no handshake is so long");
    }

    proptest! {
        #[test]
        fn tls_comes_out_however_the_bytes_are_cut(cuts in proptest::collection::vec(1usize..40, 1..40)) {
            let stream = stream();
            let (mut unwrap, mut said, mut rest) = (Unwrap::new(Wrapping::None), Vec::new(), &stream[..]);
            for cut in cuts.iter().cycle() {
                let (now, behind) = rest.split_at((*cut).min(rest.len()));
                unwrap.feed(now, |bytes| said.extend_from_slice(bytes));
                rest = behind;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(said, b"first second");
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut unwrap = Unwrap::new(Wrapping::Auth(20));
            unwrap.feed(&bytes, |_| {});
            prop_assert!(unwrap.pending.len() <= bytes.len());
        }
    }
}
