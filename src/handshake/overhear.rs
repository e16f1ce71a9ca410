//! Listens to answers of the DNS that pass by.

use std::net::IpAddr;

use crate::flow::{FlowKey, Side};
use crate::packet::{Datagram, Packet};
use crate::preamble::dns::{self, Answer};
use crate::preamble::services::DNS_PORT;
use crate::transport::FlowFacts;

use super::lookups::Heard;
use super::shared::Shared;

/// Listens to a datagram that belongs to no handshake.
#[inline]
pub(super) fn hear(shared: &mut Shared, datagram: &Datagram<'_>) {
    if let Some((asker, answer)) = answer(datagram) {
        let Datagram { mark, key: FlowKey { site, .. }, .. } = *datagram;
        shared.heard.push(Heard { site, asker, mark, known_at: mark.frame, answer });
    }
}

/// Whether a packet holds an answer of which something is remembered.
pub fn is_heard(packet: &Packet<'_>) -> bool {
    matches!(packet, Packet::Udp(datagram) if answer(datagram).is_some())
}

#[inline]
fn answer(datagram: &Datagram<'_>) -> Option<(IpAddr, Answer)> {
    let (source, asker) = if datagram.from_low { (datagram.key.low, datagram.key.high) } else { (datagram.key.high, datagram.key.low) };
    if source.port == DNS_PORT { Some((asker.address, dns::read(datagram.payload)?)) } else { None }
}

/// Takes what a server answered in a connection that is over, and known from this frame on.
pub(super) fn hear_stream(shared: &mut Shared, answer: Answer, flow: &FlowFacts, known_at: u64) {
    let (client, server) = flow.ends();
    if let Some(mark) = flow.side(Side::Server).last_data.filter(|_| server.port == DNS_PORT) {
        shared.heard.push(Heard { site: flow.key.site, asker: client.address, mark, known_at, answer });
    }
}
