//! What goes on from another port: a NAT may forget a client in the middle of the handshake and give it another one (RFC 9000 section 9.3). Such a flow
//! begins with a Handshake packet, sent to the identifier that the server gave itself, and never shows a hello.

use crate::handshake::facts::{Observed, Protocol};
use crate::quic::header::{Long, LongKind, Packet};
use crate::transport::udp::Opening;

use super::super::number_of;
use super::Quic;

/// Whether a flow that begins with this packet may go on with a handshake of another.
pub(super) fn opens(packet: &Packet<'_>) -> Option<Opening> {
    let goes_on = matches!(packet, Packet::Long(Long { kind: LongKind::Handshake, dcid, .. }) if dcid.len() >= LEAST_CID);
    goes_on.then_some(Opening { sender: None, identity: None })
}

impl Quic {
    /// The flow began in the middle of a handshake.
    pub(in crate::handshake::datagrams) fn goes_on(h: &Observed) -> bool {
        h.protocol == Protocol::Other && h.quic.as_ref().is_some_and(|quic| quic.initials.client.count + quic.handshakes.client.count > 0)
    }

    /// Both sides went on to use it: nothing more is to be learnt of it.
    pub(super) fn is_used(h: &Observed) -> bool {
        h.protocol == Protocol::Other && h.quic.as_ref().is_some_and(|quic| quic.shorts.client.count.min(quic.shorts.server.count) >= USED)
    }

    /// Enters by which identifiers this flow can be told to belong to another.
    pub(super) fn name_ends(&self, h: &mut Observed) {
        let other = h.protocol == Protocol::Other;
        let Some(quic) = &mut h.quic else { return };
        quic.went_on_to = other.then(|| number_of(&self.original));
        quic.client_named = (self.client_cid.len() >= LEAST_CID).then(|| number_of(&self.client_cid));
        quic.server_named = self.server_cids.last().map(|cid| number_of(cid));
    }
}

/// Shorter identifiers are not told from chance.
const LEAST_CID: usize = 4;
/// Packets of each side behind the handshake.
const USED: u32 = 1;
