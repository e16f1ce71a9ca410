//! What a rule is given: one handshake, and what is known beside it.

use std::time::Duration;

use crate::flow::{Side, Transport};
use crate::handshake::Handshake;

use super::cause::Cause;
use super::chain::ChainFacts;
use super::knowledge::{Knowledge, Related};
use super::policy::Policy;
use super::view::View;

/// What a rule is given.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The handshake.
    pub handshake: &'a Handshake,
    /// What the served chain is worth at the handshake's time; present when certificates are known.
    pub chain: Option<&'a ChainFacts>,
    /// The same for the client's chain.
    pub client_chain: Option<&'a ChainFacts>,
    /// What the capture knows of this server and client from other handshakes.
    pub knowledge: &'a Knowledge,
    /// Thresholds.
    pub policy: &'a Policy,
}

impl<'a> Case<'a> {
    /// After a Version Negotiation the same client began another QUIC handshake with this server, from another port: it knew a version by then.
    pub fn went_on_after_the_list(&self) -> Option<&'a Related> {
        let quic = self.handshake.quic.as_ref().filter(|quic| quic.no_common_version())?;
        let (list, _) = quic.negotiation.as_ref()?;
        let next = |other: &&Related| {
            other.same_endpoint
                && other.transport == Transport::Udp
                && other.hello_len > 0
                && other.start > *list
                && other.start.time.since(list.time) <= AT_ONCE
        };
        self.knowledge.related.iter().filter(next).min_by_key(|other| other.start)
    }

    /// Packets of the server are lost before they reach the capture, in this handshake or in others with the same server: a late message may have
    /// been sent in time.
    pub fn loses_server_packets_unseen(&self) -> bool {
        let elsewhere = self.knowledge.causes.iter().any(|(cause, count)| *cause == Cause::PacketLoss && *count >= 2);
        elsewhere || View::new(self.handshake).loses_unseen(Side::Server)
    }
}

/// A library that opens another socket for another version does so right away.
const AT_ONCE: Duration = Duration::from_secs(3);
