//! What the capture knows from other handshakes, of this server (address, port) and name, and of this client.
//!
//! Filled by the collector in the order handshakes close; bounded. A rule reads it through `Case::knowledge`, which is the view for one handshake.

use crate::diagnosis::cause::Cause;
use crate::time::Mark;
use crate::tls::registry::{CipherSuite, NamedGroup, ProtocolVersion};

/// The view for one handshake. Empty when nothing else was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Knowledge {
    /// Other handshakes of this server endpoint: begun, completed.
    pub attempts: u32, pub completed: u32,
    /// Those of them with the same server name: begun, completed; and with other names completed.
    pub attempts_same_name: u32, pub completed_same_name: u32, pub completed_other_names: u32,
    /// This server endpoint has been seen to speak TLS.
    pub speaks_tls: bool,
    /// What it chose for others, sorted.
    pub versions: Vec<ProtocolVersion>, pub ciphers: Vec<CipherSuite>, pub groups: Vec<NamedGroup>, pub alpn: Vec<String>,
    /// Kinds of key of its certificates: `RSA`, `EC`, `Ed25519`.
    pub key_kinds: Vec<String>,
    /// Certificates it served to others for the same name (or no name known), most recent first: facts at their time.
    pub chains: Vec<std::sync::Arc<super::chain::ChainFacts>>,
    /// Issuers (of leaf certificates) that signed for three or more unrelated server names on different addresses in this capture and are not in the trust store.
    pub resigning_issuer: Option<String>,
    /// Another leaf issuer was seen for the same server name in this capture: its name.
    pub other_issuer_for_name: Option<String>,
    /// The same client address reached the same server endpoint (or name) shortly before or after (within 10 s): how that attempt differed and ended.
    pub related: Vec<Related>,
    /// SYNs to this server endpoint from sources that never complete, within the surrounding seconds.
    pub flood_half_open: u32,
    /// Causes already found for other handshakes of the same server endpoint and name: (cause, count).
    pub causes: Vec<(Cause, u32)>,
    /// TTLs of genuine packets from this server address seen in completed handshakes.
    pub server_ttls: Vec<u8>,
    /// Completed handshakes with this server that offered TLS 1.3 / a post-quantum key share / a ClientHello over one segment.
    pub completed_with_tls13: u32, pub completed_with_large_hello: u32,
    /// Tickets or PSKs offered to this server endpoint, and how many were accepted.
    pub resumptions_offered: u32, pub resumptions_accepted: u32,
}

/// Another attempt of the same client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    pub start: Mark,
    /// Same server address and port.
    pub same_endpoint: bool,
    pub server_name: Option<String>,
    pub outcome: crate::handshake::facts::Outcome,
    pub cause: Option<Cause>,
    pub highest_version: Option<ProtocolVersion>,
    pub post_quantum: bool,
    pub hello_len: usize,
    /// `tcp` or `udp`.
    pub transport: crate::flow::Transport,
}
