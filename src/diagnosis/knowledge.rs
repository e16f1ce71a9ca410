//! What the capture knows from other handshakes, of this server (address, port) and name, and of this client.
//!
//! [`super::book::Book`] gathers it; a rule reads the view for one handshake in [`super::rule::Case::knowledge`].

use std::sync::Arc;
use std::time::Duration;

use crate::flow::Transport;
use crate::handshake::facts::Outcome;
use crate::time::Mark;
use crate::tls::registry::{CipherSuite, NamedGroup, ProtocolVersion};

use super::cause::Cause;
use super::chain::ChainFacts;
pub use super::tickets::TicketFate;
pub use super::visits::{Rhythm, Scan};

/// The view for one handshake, itself left out. Empty when nothing else was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Knowledge {
    /// Other handshakes begun with this server endpoint.
    pub attempts: u32,
    /// Of those, how many completed.
    pub completed: u32,
    /// Other handshakes begun with it under the same server name.
    pub attempts_same_name: u32,
    /// Of those, how many completed.
    pub completed_same_name: u32,
    /// Handshakes with it that completed under other names.
    pub completed_other_names: u32,
    /// This server endpoint has been seen to speak TLS.
    pub speaks_tls: bool,
    /// Versions it chose for others, sorted.
    pub versions: Vec<ProtocolVersion>,
    /// Suites it chose for others, sorted.
    pub ciphers: Vec<CipherSuite>,
    /// Groups it chose for others, sorted.
    pub groups: Vec<NamedGroup>,
    /// Application protocols it chose for others, as far as visible, sorted.
    pub alpn: Vec<String>,
    /// Kinds of key of its certificates: `RSA`, `EC`, `Ed25519`.
    pub key_kinds: Vec<String>,
    /// Chains it served for the same name (or where no name is known), most recent first, judged at their time.
    pub chains: Vec<Arc<ChainFacts>>,
    /// The leaf's issuer, when it is trusted by no store and signed for unrelated names on several addresses in this capture.
    pub resigning_issuer: Option<String>,
    /// Another issuer of a leaf certificate seen for the same server name in this capture.
    pub other_issuer_for_name: Option<String>,
    /// Attempts of the same client at the same endpoint or name within ten seconds before or after.
    pub related: Vec<Related>,
    /// Connections to this server endpoint that never got beyond their SYN, within the surrounding seconds.
    pub flood_half_open: u32,
    /// Causes found for other handshakes of the same server endpoint and name, and how often.
    pub causes: Vec<(Cause, u32)>,
    /// TTLs of packets from this server address in completed handshakes, whatever the port.
    pub server_ttls: Vec<u8>,
    /// The shortest time from a SYN to the SYN-ACK of this server address in those.
    pub quickest_answer: Option<Duration>,
    /// Completed handshakes with this server that offered TLS 1.3.
    pub completed_with_tls13: u32,
    /// Completed handshakes with it whose ClientHello was longer than one segment.
    pub completed_with_large_hello: u32,
    /// Tickets or PSKs offered to it, by this handshake too.
    pub resumptions_offered: u32,
    /// Of those, how many it accepted.
    pub resumptions_accepted: u32,
    /// What else was seen of the ticket that this handshake offered in vain.
    pub ticket: TicketFate,
    /// The interface that saw it loses packets: other connections lack some that arrived.
    pub lossy: bool,
    /// The scan that this handshake is part of.
    pub scan: Option<Scan>,
    /// How often this client looked in at this server without a word.
    pub rhythm: Option<Rhythm>,
}

/// Another attempt of the same client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Its first packet.
    pub start: Mark,
    /// It went to the same server address and port.
    pub same_endpoint: bool,
    /// It asked for the same name, or like this one for none.
    pub same_name: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where that was found already.
    pub cause: Option<Cause>,
    /// The highest version it offered.
    pub highest_version: Option<ProtocolVersion>,
    /// It offered a post-quantum key share.
    pub post_quantum: bool,
    /// Length of its ClientHello in bytes.
    pub hello_len: usize,
    /// It sent SYNs, and nothing came back.
    pub went_unanswered: bool,
    /// TCP or UDP.
    pub transport: Transport,
    /// How soon its ClientHello was answered.
    pub answered_in: Option<Duration>,
}
