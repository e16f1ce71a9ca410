//! What a rule is given: one handshake, and what is known beside it.

use crate::flow::Side;
use crate::handshake::Handshake;

use super::cause::Cause;
use super::chain::ChainFacts;
use super::knowledge::Knowledge;
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

impl Case<'_> {
    /// Packets of the server are lost before they reach the capture, in this handshake or in others with the same server: a late message may have
    /// been sent in time.
    pub fn loses_server_packets_unseen(&self) -> bool {
        let elsewhere = self.knowledge.causes.iter().any(|(cause, count)| *cause == Cause::PacketLoss && *count >= 2);
        elsewhere || View::new(self.handshake).loses_unseen(Side::Server)
    }
}
