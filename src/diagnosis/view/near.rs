//! Where a capture was taken, and who speaks from next to it, as hop counters tell.

use std::net::IpAddr;

use super::{Ending, View};
use crate::flow::Side;

impl View<'_> {
    /// The side at which the capture was taken, where hop counters tell: its packets still have the full initial value and the other's do not.
    pub fn near_side(&self) -> Option<Side> {
        let fresh = |side| self.ttl(side).map(|ttl| self.is_fresh(ttl));
        match (fresh(Side::Client)?, fresh(Side::Server)?) {
            (true, false) => Some(Side::Client),
            (false, true) => Some(Side::Server),
            _ => None,
        }
    }

    /// A hop counter still has its full initial value: the packet comes from this link.
    pub fn is_fresh(&self, ttl: u8) -> bool {
        INITIAL_TTLS.contains(&ttl)
    }

    /// Both sides' packets still have their full initial hop counter: captured on one host, or on one link.
    pub fn same_link(&self) -> bool {
        Side::BOTH.into_iter().all(|side| self.ttl(side).is_some_and(|ttl| self.is_fresh(ttl)))
    }

    /// It comes from nearer or further than all else of its side, by more than a route that changed: another host sent it.
    pub fn is_foreign(&self, ending: &Ending<'_>) -> bool {
        let side = self.side(ending.side);
        let ttl = ending.reset.map_or(side.fin_ttl, |reset| reset.ttl);
        let own = side.syn.map(|syn| syn.ttl).filter(|own| side.ttl.is_none_or(|later| later == *own || later == ttl));
        // Who counts the hops to the server gives its SYN few.
        ttl > 0 && own.is_some_and(|own| own >= FEWEST_HOPS && own.abs_diff(ttl) >= 2)
    }

    /// The client's SYN is that of a system, which gives all of a connection's packets one hop counter; tools that make their SYNs themselves draw it by lot.
    pub fn made_by_a_system(&self) -> bool {
        self.client().syn.is_some_and(|syn| syn.window_scale.is_some())
    }

    /// A RST that says that its sender does not know the connection, though the other side has sent nothing since that was up.
    pub fn answers_nothing(&self, ending: &Ending<'_>) -> bool {
        let up = self.handshake.flow.established();
        let quiet = up.zip(self.side(ending.side.other()).last_packet).is_some_and(|(up, last)| last.frame < up.frame);
        ending.reset.is_some_and(|reset| reset.unknowing && reset.seq_distance == 0) && quiet && self.side(ending.side).data_packets == 0
    }

    /// A packet in the server's name with this hop counter passed no router, though the client has an address of a network of its own and the server has
    /// a public one: seen beside that client.
    pub fn is_next_door(&self, ttl: u8) -> bool {
        let beside_client = self.client().syn.is_some_and(|syn| self.is_fresh(syn.ttl));
        let facts = self.handshake;
        beside_client && self.is_fresh(ttl) && is_private(facts.client.address) && !is_private(facts.server.address)
    }

    /// The SYN-ACK and all else in the server's name came so: what to say of it.
    pub fn answered_next_door(&self) -> Option<String> {
        let answer = self.server().syn.filter(|syn| self.is_next_door(syn.ttl))?;
        let all = self.ttl_distance(Side::Server, self.ttl(Side::Server)?) == 0 && self.is_next_door(self.ttl(Side::Server)?);
        all.then(|| {
            format!(
                "the SYN-ACK has TTL {}, which no router has lowered, though {} is not an address of the client's network: a device or a program of that network may answer in the server's place (a transparent proxy, a gateway, a container's or a virtual machine's own NAT)",
                answer.ttl, self.handshake.server.address
            )
        })
    }
}

/// Addresses of networks of one's own (RFC 1918, RFC 4193, RFC 6598), of the link, and of the host itself.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let shared = matches!(address.octets(), [100, 64..=127, ..]);
            address.is_private() || address.is_loopback() || address.is_link_local() || shared
        }
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local(),
    }
}

/// Hops of which a packet that began with 64 has left more wherever it is captured.
const FEWEST_HOPS: u8 = 30;
/// Initial hop counters in use: Linux and BSD 64, Windows 128, network gear 255.
const INITIAL_TTLS: [u8; 3] = [64, 128, 255];
