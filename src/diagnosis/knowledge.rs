//! What the capture knows from other handshakes, of this server (address, port) and name, and of this client.
//!
//! [`super::knowledge_store::KnowledgeStore`] gathers it; a rule reads the view for one handshake in [`super::case::Case::knowledge`].

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::flow::{Endpoint, PerSide, Transport};
use crate::handshake::facts::Outcome;
use crate::time::{Mark, Timestamp};
use crate::tls::client_hello::ClientHello;
use crate::tls::registry::{CipherSuite, ExtensionType, NamedGroup, ProtocolVersion};

use super::cause::Cause;
use super::chain::ChainFacts;
use super::contrast::Contrast;
pub use super::portals::Led;
pub use super::tickets::TicketFate;
pub use super::visits::{Rhythm, Scan};

/// The view for one handshake, itself left out. Empty when nothing else was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations")]
pub struct Knowledge {
    /// Other handshakes begun with this server endpoint.
    pub attempts: u32,
    /// Of those, how many completed.
    pub completed: u32,
    /// Other handshakes begun with it under the same server name.
    pub attempts_same_name: u32,
    /// Of those, how many completed.
    pub completed_same_name: u32,
    /// Of those, how many the client went on to use: it sent application data.
    pub used_same_name: u32,
    /// Handshakes with it that completed under other names.
    pub completed_other_names: u32,
    /// This server endpoint has been seen to speak TLS.
    pub speaks_tls: bool,
    /// The client went on with this handshake from elsewhere, or the server answers from another address.
    pub moved: Option<Moved>,
    /// The client of this handshake came back to the server within seconds and went on in clear, without TLS: when.
    pub fell_back: Option<Mark>,
    /// This server endpoint answered the dialogue that leads up to TLS, in clear, in other connections.
    pub answers_in_clear: bool,
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
    /// Curves of those that are EC, as far as they are in common use.
    pub curves: Vec<NamedGroup>,
    /// What parts the offers that it refused from those that it served.
    pub contrast: Contrast,
    /// Chains it served for the same name (or where no name is known), most recent first, judged at their time.
    pub chains: Vec<KnownChain>,
    /// The leaf's issuer, when it is trusted by no store and signed for unrelated names on several addresses in this capture. A company's own
    /// authority does so too.
    pub resigning_issuer: Option<String>,
    /// Certificates of the leaf's very key, trusted by no store, were served for unrelated names on several addresses.
    pub one_key_for_many: bool,
    /// Another issuer of a leaf certificate seen for the same server name in this capture.
    pub other_issuer_for_name: Option<String>,
    /// ... and that one is a public authority, or trusted by the store.
    pub other_issuer_trusted: bool,
    /// The same client took a certificate of this leaf's issuer in another handshake, and went on to use the connection.
    pub client_took_issuer: bool,
    /// Attempts of the same client at the same endpoint, or at the same address under the same name, within ten seconds before or after,
    /// or while it lasted.
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
    /// Completed handshakes with it whose connection began with a PROXY protocol header.
    pub completed_with_proxy_header: u32,
    /// Tickets or PSKs offered to it, by this handshake too.
    pub resumptions_offered: u32,
    /// Of those, how many it accepted.
    pub resumptions_accepted: u32,
    /// Largest payload of one packet that was acknowledged in other connections between the same two addresses, by who sent it, within ten
    /// seconds before or after.
    pub passed: PerSide<u32>,
    /// The shortest round trip from here to this server that other handshakes with it showed.
    pub least_leg: Option<Duration>,
    /// What else was seen of the ticket that this handshake offered in vain.
    pub ticket: TicketFate,
    /// The interface that saw it loses packets: other connections lack some that arrived.
    pub lossy: bool,
    /// The interface that saw it hears no server: connections that were answered, as what their clients sent shows, without any packet of their
    /// servers.
    pub unheard: Option<u32>,
    /// The scan that this handshake is part of.
    pub scan: Option<Scan>,
    /// It is one of as many as a scan has, none of them put to use, whose hellos the capture does not show: they may have been unlike each other.
    pub may_be_scanned: bool,
    /// The interface that saw it saw both sides of some other connection: where it saw nothing of a side, that side said nothing.
    pub hears_both_sides: bool,
    /// The snapshot length cut ICMP errors so short that nothing tells which flow they are about: it may be this one.
    pub icmp_unread: bool,
    /// The leaf was served for names that it does not cover, at so many addresses, as far as counted.
    pub uninvited_at: usize,
    /// Where answers in clear led this client lately, for the time being.
    pub led: Vec<Led>,
    /// The capture ends so soon behind it that a client which comes right back may not be in it.
    pub ends_soon: bool,
    /// Another point of capture saw its SYN, between these two ends, and no ClientHello.
    pub mute_at: Option<(Endpoint, Endpoint)>,
    /// Of a handshake whose SYN was sent again: the client's other connections to this server endpoint that began at about the same time.
    pub crowd: Crowd,
    /// How often this client sent this very hello to this server, random and all, and left as soon as it was answered.
    pub recorded: Option<Rhythm>,
    /// How often this client looked in at this server without a word.
    pub rhythm: Option<Rhythm>,
    /// Its SYN was answered from another address than it went to; or it is that answer.
    pub stray_answer: Option<StrayAnswer>,
    /// Of a connection that did not come up: one to the same port by the other version of IP, begun at about the same time, completed. A client that has
    /// both takes what is ready first.
    pub other_family: bool,
    /// Of an FTP control connection: connections to other ports of the server since, of which [`Related::unserved`] is true, the earliest first.
    pub unserved: Vec<Unserved>,
}

impl Knowledge {
    /// The server is under a SYN flood.
    pub const fn is_flooded(&self) -> bool {
        self.flood_half_open >= FLOOD
    }
}

/// Connections that one client began at about the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Crowd {
    /// They completed, and their first SYN was answered.
    pub up: u32,
    /// Their SYN was sent again.
    pub asked_again: u32,
    /// Of these, those whose second SYN went unanswered as well.
    pub asked_twice: u32,
    /// How long those that came up at once waited for the answer to their ClientHello, at most.
    pub slowest: Duration,
    /// Something else of them was sent again.
    pub resent: u32,
}

/// A connection whose full handshake led to nothing from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unserved {
    /// The server's port.
    pub port: u16,
    /// Its first packet.
    pub start: Mark,
    /// Where the client had finished its part, or else began.
    pub finished: Mark,
}

/// A SYN and its answer, which comes from somebody else than the SYN was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrayAnswer {
    /// Where the SYN went.
    pub asked: Endpoint,
    /// The first SYN.
    pub syn: Mark,
    /// Where the SYN-ACK came from.
    pub answered: Endpoint,
    /// The first SYN-ACK.
    pub answer: Mark,
}

/// A chain that was seen in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownChain {
    /// What it is worth, judged when it was first seen.
    pub facts: Arc<ChainFacts>,
    /// When the first handshake that showed it began.
    pub first: Timestamp,
    /// The same of the last one.
    pub last: Timestamp,
}

impl Deref for KnownChain {
    type Target = ChainFacts;

    fn deref(&self) -> &ChainFacts {
        &self.facts
    }
}

/// Another attempt of the same client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Related {
    /// Its first packet.
    pub start: Mark,
    /// It went to the same server address and port.
    pub same_endpoint: bool,
    /// It asked for the same name, or like this one for none.
    pub same_name: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// Its client sent application data.
    pub used: bool,
    /// Why, where that was found already.
    pub cause: Option<Cause>,
    /// The highest version it offered.
    pub highest_version: Option<ProtocolVersion>,
    /// It offered a post-quantum key share.
    pub post_quantum: bool,
    /// Length of its ClientHello in bytes; 0 where none was seen.
    pub hello_len: usize,
    /// What kind of ClientHello it was (see [`hello_shape`]).
    pub hello_shape: u64,
    /// It offered Encrypted ClientHello, genuine or GREASE.
    pub ech: bool,
    /// How long after TCP was up its ClientHello began.
    pub hello_after: Duration,
    /// Largest payload of one packet that was acknowledged, by who sent it.
    pub passed: PerSide<u32>,
    /// It sent SYNs, and nothing came back.
    pub went_unanswered: bool,
    /// The server took the connection, and for seconds said nothing to what the client sent, whatever that was.
    pub left_waiting: bool,
    /// Its client spoke on a connection of which no packet of the server was seen.
    pub server_unseen: bool,
    /// TCP or UDP.
    pub transport: Transport,
    /// How soon its ClientHello was answered.
    pub answered_in: Option<Duration>,
    /// Its handshake was a full one, and the server said nothing in it, or broke it off: where the client had finished, or else began.
    pub unserved: Option<Mark>,
    /// How long its client had waited for the server when it left (see [`View::gave_up_after`](super::view::View::gave_up_after)).
    pub gave_up_after: Option<Duration>,
    /// When its client ended it, in the middle.
    pub left: Option<Timestamp>,
    /// The server owed it an answer then.
    pub owed: bool,
    /// Its client had given up when the SYN-ACK came (see [`View::gave_up_connecting`](super::view::View::gave_up_connecting)).
    pub too_late: bool,
    /// It came up, and nobody said anything on it or ended it.
    pub mute: bool,
    /// Its SYN was sent again.
    pub asked_again: bool,
    /// It was sent a third time.
    pub asked_twice: bool,
    /// Payload of either side was sent again.
    pub resent: bool,
    /// A proxy let it through: the tag of where to.
    pub let_in: Option<u64>,
}

/// Where a QUIC handshake went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// The client's new address and port.
    pub client: Endpoint,
    /// The server's, which stays.
    pub server: Endpoint,
    /// The first packet from there.
    pub since: Mark,
    /// Both sides sent packets of a connection that is up.
    pub is_used: bool,
}

impl Moved {
    /// Of a handshake with this server: the answers come from another address or port than the client sent to.
    pub fn is_answered_elsewhere(&self, asked: Endpoint) -> bool {
        self.server != asked
    }
}

impl Related {
    /// It completed, and began only after the server was asked for what it left unanswered: whoever answers there is alive, and answers others.
    pub fn served_after(&self, asked: Mark) -> bool {
        self.outcome == Outcome::Completed && self.start > asked
    }
}

/// Stands for what a ClientHello offers, whatever its values: suites in their order, extensions in any order. GREASE and what differs from one
/// connection to the next count for nothing.
pub fn hello_shape(hello: &ClientHello) -> u64 {
    const OFTEN_OTHERWISE: [ExtensionType; 4] =
        [ExtensionType::PADDING, ExtensionType::PRE_SHARED_KEY, ExtensionType::EARLY_DATA, ExtensionType::SESSION_TICKET];
    let spread = |value: u16| (u64::from(value) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let suites = hello.cipher_suites().filter(|suite| !suite.is_grease());
    let suites = suites.fold(1, |sum: u64, suite| sum.rotate_left(7) ^ spread(suite.0));
    let kinds = hello.extensions().filter(|(kind, _)| !kind.is_grease() && !OFTEN_OTHERWISE.contains(kind));
    kinds.fold(suites, |sum, (kind, _)| sum.wrapping_add(spread(kind.0).rotate_left(29)))
}

/// Half-open connections in the surrounding seconds from which on it is a flood: more than a busy server has at a time from clients that vanish.
const FLOOD: u32 = 50;
