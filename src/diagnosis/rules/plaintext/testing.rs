//! Handshakes to try rules on.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::judge::{Verdict, judge};
use crate::diagnosis::knowledge::Knowledge;
use crate::diagnosis::rule::{Case, Policy};
use crate::flow::{Endpoint, FlowKey, Path, Side, Transport};
use crate::handshake::Handshake;
use crate::handshake::facts::{Outcome, PartialMessage, Protocol, Seen, StoppedBy};
use crate::preamble::{Dialect, Plaintext, Preamble, Step, Upgrade, identify};
use crate::time::{Mark, Timestamp};
use crate::transport::{FlowFacts, Roles, SynFacts, TcpFacts};

/// A frame and its time in milliseconds.
pub(crate) fn mark(frame: u64, millis: i64) -> Mark {
    Mark { frame, time: Timestamp::from_nanos(millis * 1_000_000) }
}

/// A TCP connection to this server that came up in frame 3, 10 ms after the SYN.
pub(crate) fn connection(server: &str) -> Handshake {
    let server: std::net::SocketAddr = server.parse().unwrap();
    let client = if server.is_ipv4() { "198.51.100.7" } else { "2001:db8:9::7" }.parse().unwrap();
    let (client, server) = (Endpoint::new(client, 40_000), Endpoint::new(server.ip(), server.port()));
    let (key, client_is_low) = FlowKey::new(Transport::Tcp, client, server, 0);
    let mut flow = FlowFacts::new(key, client_is_low, Roles::Handshake, Path::default(), mark(1, 0), 0);
    flow.tcp =
        Some(TcpFacts { established: Some(mark(3, 10)), syn_rtt: Some(std::time::Duration::from_millis(10)), ..TcpFacts::default() });
    let syn = |frame, millis| SynFacts {
        first: mark(frame, millis),
        last: mark(frame, millis),
        count: 1,
        isn: 0,
        ttl: 64,
        mss: Some(1460),
        window_scale: None,
        sack: true,
        data_len: 0,
        fast_open: false,
        resent_without_data: false,
        acked: None,
        timestamp: None,
        first_arrived: false,
        renumbered: None,
        disputed: false,
    };
    flow.sides.client.syn = Some(syn(1, 0));
    flow.sides.server.syn = Some(syn(2, 10));
    (flow.sides.client.packets, flow.sides.server.packets) = (2, 1);
    Handshake::new(flow)
}

/// The same with a dialogue that got so far.
pub(crate) fn with_preamble(mut handshake: Handshake, dialect: Dialect, upgrade: Upgrade) -> Handshake {
    let mut facts = crate::preamble::PreambleFacts::new(dialect);
    facts.upgrade = upgrade;
    facts.asked = Some(mark(6, 20));
    handshake.preamble = Some(Box::new(facts));
    handshake
}

/// Plays a dialogue in clear into a handshake that then ends as told.
pub(crate) fn dialogue(server: &str, turns: &[(Side, &[u8])], outcome: Outcome, stopped_by: StoppedBy) -> Handshake {
    let mut handshake = connection(server);
    let mut preamble = Preamble::new(handshake.server.port);
    for (number, (side, bytes)) in turns.iter().enumerate() {
        let at = mark(4 + number as u64, 20 + 10 * i64::try_from(number).unwrap());
        let facts = handshake.flow.sides.of_mut(*side);
        facts.first_data.get_or_insert(at);
        facts.last_data = Some(at);
        facts.data_packets += 1;
        facts.bytes_seen += bytes.len() as u64;
        match preamble.feed(*side, bytes, at) {
            Step::Tls { .. } if *side == Side::Client => hello(&mut handshake, at),
            Step::More | Step::Tls { .. } => {}
            Step::NotTls(what) => *handshake.plaintext.of_mut(*side) = Some(Box::new(seen(what, at))),
        }
    }
    handshake.preamble = preamble.into_facts().map(Box::new);
    (handshake.outcome, handshake.stopped_by) = (outcome, stopped_by);
    handshake
}

/// A `ClientHello` was sent.
pub(crate) fn hello(handshake: &mut Handshake, at: Mark) {
    handshake.protocol = Protocol::Tls;
    handshake.partial_client_hello = Some(PartialMessage { message: Some(1), have: 300, want: 508, mark: at });
    let client = &mut handshake.flow.sides.client;
    client.first_data.get_or_insert(at);
    client.last_data = Some(at);
    client.data_packets += 1;
    client.bytes_seen += 517;
    client.highest += 517;
}

/// A side said this in clear where TLS was due.
pub(crate) fn says(handshake: &mut Handshake, side: Side, bytes: &[u8], at: Mark) {
    *handshake.plaintext.of_mut(side) = Some(Box::new(seen(identify(bytes, side), at)));
    let facts = handshake.flow.sides.of_mut(side);
    facts.first_data.get_or_insert(at);
    facts.last_data = Some(at);
    facts.data_packets += 1;
    facts.bytes_seen += bytes.len() as u64;
    handshake.outcome = Outcome::Plaintext;
    handshake.stopped_by = side.into();
}

fn seen(what: Plaintext, at: Mark) -> Seen<Plaintext> {
    Seen { what, mark: at, first: at, span: (0, 0) }
}

/// The verdict with nothing else known.
pub(crate) fn verdict(handshake: &Handshake) -> Verdict {
    verdict_knowing(handshake, &Knowledge::default())
}

/// The verdict with this knowledge of other handshakes.
pub(crate) fn verdict_knowing(handshake: &Handshake, knowledge: &Knowledge) -> Verdict {
    let policy = Policy::default();
    judge(&Case { handshake, chain: None, client_chain: None, knowledge, policy: &policy })
}

/// The cause with nothing else known.
pub(crate) fn cause(handshake: &Handshake) -> Option<Cause> {
    verdict(handshake).cause()
}
