//! Whether a datagram that came by another way is the server's answer: its first packet is sealed with keys that follow from what the client sent, or names
//! the client. What goes on from another port may be answered with a short header.

use crate::flow::Side;
use crate::handshake::facts::{Observed, Protocol};
use crate::quic::header::{Long, LongKind, Packet, Unknown, packets_of_flow};
use crate::quic::protection::InitialKeys;
use crate::transport::udp::Answers;

use super::Quic;

impl Quic {
    /// Whether this datagram answers the client's hello.
    pub(in crate::handshake::datagrams) fn is_answered_by(&self, h: &Observed, datagram: &[u8]) -> Answers {
        match packets_of_flow(datagram, true).next() {
            Some(Packet::Long(long)) if long.kind == LongKind::Initial => self.opens(&long).into(),
            Some(Packet::Long(Long { dcid, .. }) | Packet::Unknown(Unknown { dcid, .. })) => self.is_named(dcid),
            Some(Packet::Retry(retry)) => self.is_named(retry.dcid),
            Some(Packet::VersionNegotiation(negotiation)) => {
                (negotiation.scid == self.original && self.is_named(negotiation.dcid) != Answers::No).into()
            }
            Some(Packet::Short { bytes }) if h.protocol == Protocol::Other => {
                let named = bytes.get(1..).and_then(|rest| rest.get(..self.client_cid.len())).unwrap_or_default();
                self.is_named(named)
            }
            Some(Packet::Short { .. }) | None => Answers::No,
        }
    }

    /// This side calls itself so in a packet.
    pub(super) fn named_itself(&mut self, side: Side, scid: &[u8]) {
        if side == Side::Client && self.client_cid != scid {
            self.client_cid = scid.to_vec();
        }
    }

    /// The server's keys for what the client sent open it.
    fn opens(&self, long: &Long<'_>) -> bool {
        let of = |dcid: &[u8]| InitialKeys::new(long.version, dcid);
        let mut known = self.keys.iter().rev().map(|keys| keys.dcid.as_slice()).chain([self.original.as_slice()]);
        known.any(|dcid| of(dcid).is_some_and(|keys| keys.of(Side::Server).open(long, 0, &mut Vec::new()).is_some()))
    }

    /// It is for the client, as that named itself. Many clients give themselves no name.
    fn is_named(&self, dcid: &[u8]) -> Answers {
        match (self.client_cid.as_slice(), dcid) {
            ([], []) => Answers::Perhaps,
            (own, dcid) => (own == dcid).into(),
        }
    }
}
