//! Made-up handshakes for the tests of rules: facts as a transport and a machine would have gathered them, and what the rules say of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};

use super::case::Case;
use super::cause::{Cause, Family};
use super::finding::{Confidence, Finding, Weight};
use super::judge::{Verdict, judge};
use super::knowledge::{Knowledge, Related, hello_shape};
use super::policy::Policy;
use super::rule::{Rule, RuleFamily, Rules};
use super::rules;
use crate::flow::{Endpoint, FlowKey, Path, PerSide, Side, Transport};
use crate::handshake::Handshake;
use crate::handshake::facts::{AlertSeen, Chain, Located, Outcome, PartialMessage, Protocol, Stage, StoppedBy};
use crate::preamble::{Dialect, Preamble, PreambleFacts, Step, Upgrade, identify};
use crate::time::{Mark, Timestamp};
use crate::tls::certificate::Certificate;
use crate::tls::client_hello::ClientHello;
use crate::tls::client_hello::tests::build;
use crate::tls::message::{Alert, ServerKeyExchange};
use crate::tls::registry::{AlertDescription, ProtocolVersion, SignatureScheme};
use crate::tls::server_hello::ServerHello;
use crate::transport::{Close, FlowEvent, FlowEventKind, FlowFacts, Outstanding, Reset, Roles, SideFacts, SynFacts, TcpFacts};

/// A frame and its time in milliseconds.
pub fn at(frame: u64, millis: i64) -> Mark {
    Mark { frame, time: Timestamp::from_nanos(millis * 1_000_000) }
}

/// A SYN or SYN-ACK of an ordinary host.
pub fn syn(first: Mark, last: Mark, count: u32, ttl: u8) -> SynFacts {
    SynFacts { last, count, mss: Some(1460), window_scale: Some(7), sack: true, window: 64_240, ..SynFacts::once(first, ttl) }
}

/// A segment that was sent `copies` times and never acknowledged.
pub fn outstanding(offset: u64, len: u32, first: Mark, last: Mark, copies: u32) -> Outstanding {
    Outstanding { offset, len, ip_len: len + 52, first, last, copies, sacked: false }
}

/// A RST that fits exactly.
pub fn reset(mark: Mark, ttl: u8) -> Reset {
    Reset { ack_distance: Some(0), ..Reset::fitting(mark, ttl) }
}

/// An event.
pub fn event(mark: Mark, side: Side, kind: FlowEventKind) -> FlowEvent {
    FlowEvent { mark, side, kind }
}

/// A TCP flow from this client to this server whose first packet this is.
fn flow(client: &str, server: &str, first: Mark) -> FlowFacts {
    let endpoint = |text: &str| text.parse().map(|address: SocketAddr| Endpoint::new(address.ip(), address.port())).unwrap();
    let (key, client_is_low) = FlowKey::new(Transport::Tcp, endpoint(client), endpoint(server), 0);
    FlowFacts::new(key, client_is_low, Roles::Handshake, Path::default(), first, 0)
}

/// A connection that came up within 20 ms, seen near the client, over which nothing was said, given up as stalled after a minute.
pub fn connected() -> Handshake {
    let mut flow = flow("192.0.2.1:40000", "198.51.100.1:443", at(1, 0));
    let side = |syn, ttl, last| SideFacts { syn: Some(syn), packets: 2, ttl: Some(ttl), last_packet: Some(last), ..SideFacts::default() };
    flow.sides.client = side(syn(at(1, 0), at(1, 0), 1, 64), 64, at(3, 20));
    flow.sides.server = side(syn(at(2, 20), at(2, 20), 1, 55), 55, at(2, 20));
    flow.last = at(3, 20);
    flow.tcp = Some(TcpFacts {
        established: Some(at(3, 20)),
        syn_rtt: Some(Duration::from_millis(20)),
        ack_rtt: Some(Duration::from_micros(50)),
        ..TcpFacts::default()
    });
    let mut handshake = Handshake::new(flow);
    handshake.closed_at = at(99, 60_000);
    handshake.protocol = Protocol::Tls;
    (handshake.outcome, handshake.stopped_by) = (Outcome::Stalled, StoppedBy::Client);
    handshake
}

/// The same with a segment of `have` bytes at 25 ms (frame 4), the beginning of a ClientHello that promises `want`; not acknowledged yet.
pub fn partial_hello(have: u32, want: usize) -> Handshake {
    let mut facts = connected();
    facts.stage = Stage::ClientHello;
    facts.partial_client_hello = Some(PartialMessage { message: Some(1), have: have.saturating_sub(9) as usize, want, mark: at(4, 25) });
    let client = &mut facts.flow.sides.client;
    client.data_packets = 1;
    client.bytes_seen = u64::from(have);
    client.highest = u64::from(have);
    client.largest_segment = have;
    client.first_data = Some(at(4, 25));
    client.last_data = Some(at(4, 25));
    client.last_packet = Some(at(4, 25));
    facts
}

/// The client said a whole hello of 300 bytes there, the first of its stream.
pub fn said_hello(facts: &mut Handshake, mark: Mark) {
    facts.partial_client_hello = None;
    facts.client_hellos = Scene::broad().handshake.observed.client_hellos;
    for hello in &mut facts.client_hellos {
        (hello.mark, hello.first, hello.span) = (mark, mark, (0, 300));
    }
}

/// A hello that is sent so often, this long after the connection came up, and never acknowledged; and what is known of one like it that began then,
/// after as long a pause as is said.
pub fn hello_lost_like(pause: i64, copies: u32, other: (Mark, i64)) -> (Handshake, Related) {
    let mut facts = partial_hello(300, 291);
    let sent = at(4, 20 + pause);
    said_hello(&mut facts, sent);
    let client = &mut facts.flow.sides.client;
    client.outstanding.push(outstanding(0, 300, sent, at(9, 6_000 + pause), copies));
    (client.first_data, client.last_data, client.last_packet) = (Some(sent), Some(sent), Some(at(9, 6_000 + pause)));
    let hello = &facts.client_hellos[0].what;
    let (hello_len, hello_shape) = (hello.bytes().len(), hello_shape(hello));
    let hello_after = Duration::from_millis(other.1.unsigned_abs());
    let like = Related { same_endpoint: true, same_name: true, hello_len, hello_shape, hello_after, ..related(other.0) };
    (facts, like)
}

/// A client's hello over UDP (frame 1) that came to nothing, given up as stalled after a minute; what is the protocol's own is left out.
pub fn over_udp(protocol: Protocol) -> Handshake {
    let mut facts = partial_hello(200, 200);
    facts.protocol = protocol;
    facts.flow.key.transport = Transport::Udp;
    facts.flow.tcp = None;
    facts.flow.events.clear();
    facts.flow.last = at(3, 3000);
    let client = &mut facts.flow.sides.client;
    client.syn = None;
    client.packets = 3;
    client.data_packets = 3;
    client.last_packet = Some(at(3, 3000));
    for mark in [&mut client.first_data, &mut client.last_data] {
        *mark = Some(at(1, 0));
    }
    facts.flow.sides.server = SideFacts::default();
    let hello = ClientHello::parse(&[3; 40]).map(|what| Located { what, mark: at(1, 0), first: at(1, 0), span: (0, 200) });
    facts.partial_client_hello = None;
    facts.client_hellos.extend(hello);
    facts
}

/// A TCP connection to this server that came up in frame 3, 10 ms after the SYN.
pub fn connection(server: &str) -> Handshake {
    let client = if server.starts_with('[') { "[2001:db8:9::7]:40000" } else { "198.51.100.7:40000" };
    let mut flow = flow(client, server, at(1, 0));
    flow.tcp = Some(TcpFacts { established: Some(at(3, 10)), syn_rtt: Some(Duration::from_millis(10)), ..TcpFacts::default() });
    flow.sides.client.syn = Some(syn(at(1, 0), at(1, 0), 1, 64));
    flow.sides.server.syn = Some(syn(at(2, 10), at(2, 10), 1, 64));
    (flow.sides.client.packets, flow.sides.server.packets) = (2, 1);
    Handshake::new(flow)
}

/// The same with a dialogue that got so far.
pub fn with_preamble(mut handshake: Handshake, dialect: Dialect, upgrade: Upgrade) -> Handshake {
    let mut facts = PreambleFacts::new(dialect);
    facts.upgrade = upgrade;
    facts.asked = Some(at(6, 20));
    handshake.preamble = Some(Box::new(facts));
    handshake
}

/// Plays a dialogue in clear into a handshake that then ends as told.
pub fn dialogue(server: &str, turns: &[(Side, &[u8])], outcome: Outcome, stopped_by: StoppedBy) -> Handshake {
    let mut handshake = connection(server);
    let mut preamble = Preamble::new(handshake.server.port);
    for (number, (side, bytes)) in turns.iter().enumerate() {
        let mark = at(4 + number as u64, 20 + 10 * i64::try_from(number).unwrap());
        let facts = handshake.flow.sides.of_mut(*side);
        facts.first_data.get_or_insert(mark);
        facts.last_data = Some(mark);
        facts.data_packets += 1;
        facts.bytes_seen += bytes.len() as u64;
        match preamble.feed(*side, bytes, mark) {
            Step::Tls { .. } if *side == Side::Client => hello(&mut handshake, mark),
            Step::More | Step::Tls { .. } => {}
            Step::NotTls(what) => *handshake.plaintext.of_mut(*side) = Some(Box::new(seen(what, mark))),
        }
    }
    handshake.preamble = preamble.into_facts().map(Box::new);
    (handshake.outcome, handshake.stopped_by) = (outcome, stopped_by);
    handshake
}

/// A `ClientHello` was sent.
pub fn hello(handshake: &mut Handshake, at: Mark) {
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
pub fn says(handshake: &mut Handshake, side: Side, bytes: &[u8], at: Mark) {
    *handshake.plaintext.of_mut(side) = Some(Box::new(seen(identify(bytes, side), at)));
    let facts = handshake.flow.sides.of_mut(side);
    facts.first_data.get_or_insert(at);
    facts.last_data = Some(at);
    facts.data_packets += 1;
    facts.bytes_seen += bytes.len() as u64;
    handshake.outcome = Outcome::Plaintext;
    handshake.stopped_by = side.into();
}

/// Another attempt over TCP, which completed.
pub fn related(start: Mark) -> Related {
    Related {
        start,
        same_endpoint: false,
        same_name: false,
        outcome: Outcome::Completed,
        used: false,
        cause: None,
        highest_version: None,
        post_quantum: false,
        hello_len: 0,
        hello_shape: 0,
        ech: false,
        hello_after: Duration::ZERO,
        passed: PerSide::default(),
        went_unanswered: false,
        left_waiting: false,
        server_unseen: false,
        transport: Transport::Tcp,
        answered_in: None,
        unserved: None,
        gave_up_after: None,
        left: None,
        owed: false,
        too_late: false,
        mute: false,
        asked_again: false,
        asked_twice: false,
        resent: false,
        let_in: None,
    }
}

/// Suites of a client of today.
pub const BROAD: &[u16] = &[0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0x009e, 0x009c, 0x002f, 0x0035, 0x00ff];

/// Extensions of a client of today, as type and body.
pub fn extensions(tls13: bool) -> Vec<(u16, Vec<u8>)> {
    let mut list = vec![
        (0x0000, [&[0, 15, 0, 0, 12][..], b"www.lab.test"].concat()),
        (0x000a, vec![0, 6, 0, 0x1d, 0, 0x17, 0, 0x18]),
        (0x000d, vec![0, 16, 4, 3, 5, 3, 6, 3, 8, 7, 8, 4, 8, 5, 8, 6, 4, 1]),
        (0x0017, vec![]),
    ];
    if tls13 {
        list.push((0x002b, vec![4, 3, 4, 3, 3]));
        list.push((0x0033, [&[0, 36, 0, 0x1d, 0, 32][..], &[7; 32]].concat()));
    }
    list
}

/// A handshake in the making.
#[derive(Debug)]
pub struct Scene {
    /// What happened so far.
    pub handshake: Handshake,
    /// What other handshakes showed.
    pub knowledge: Knowledge,
    frame: u64,
}

impl Scene {
    /// A connection with nothing said.
    pub fn blank() -> Self {
        let mut handshake = Handshake::new(flow("192.0.2.1:40112", "192.0.2.2:443", Mark::default()));
        (handshake.close, handshake.protocol) = (Close::Ended, Protocol::Tls);
        (handshake.outcome, handshake.stopped_by) = (Outcome::Completed, StoppedBy::Nobody);
        Self { handshake, knowledge: Knowledge::default(), frame: 3 }
    }

    /// A connection with this `ClientHello`.
    pub fn hello(version: ProtocolVersion, suites: &[u16], list: &[(u16, Vec<u8>)]) -> Self {
        let list: Vec<(u16, &[u8])> = list.iter().map(|(kind, body)| (*kind, &body[..])).collect();
        let mut scene = Self::blank();
        let hello = ClientHello::parse(&build(version.0, suites, &list)).unwrap();
        let seen = scene.seen(hello);
        scene.handshake.client_hellos.push(seen);
        scene.handshake.stage = Stage::ClientHello;
        scene
    }

    /// A connection with the hello of a client of today.
    pub fn broad() -> Self {
        Self::hello(ProtocolVersion::TLS12, BROAD, &extensions(true))
    }

    fn seen<T>(&mut self, what: T) -> Located<T> {
        seen(what, self.next_mark())
    }

    /// The mark of the next frame.
    pub fn next_mark(&mut self) -> Mark {
        self.frame += 1;
        Mark { frame: self.frame, time: Timestamp::from_parts(1_795_251_860, 0) }
    }

    /// The server answers with this version, suite and extensions.
    #[must_use]
    pub fn answered(mut self, version: ProtocolVersion, suite: u16, list: &[(u16, &[u8])]) -> Self {
        let mut bytes = version.0.to_be_bytes().to_vec();
        bytes.extend([0x22; 32]);
        bytes.push(0);
        bytes.extend(suite.to_be_bytes());
        bytes.push(0);
        let body: Vec<u8> = list
            .iter()
            .flat_map(|(kind, body)| [&kind.to_be_bytes()[..], &u16::try_from(body.len()).unwrap().to_be_bytes(), body].concat())
            .collect();
        bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend(body);
        let seen = self.seen(ServerHello::parse(&bytes).unwrap());
        self.handshake.server_hello = Some(seen);
        self.handshake.stage = Stage::ServerHello;
        self
    }

    /// The server sends its key exchange.
    #[must_use]
    pub fn key_exchange(mut self, dh_bits: Option<u32>, scheme: u16) -> Self {
        let what = ServerKeyExchange { dh_bits, signature_scheme: Some(SignatureScheme(scheme)), ..ServerKeyExchange::default() };
        let seen = self.seen(what);
        self.handshake.server_key_exchange = Some(seen);
        self
    }

    /// The server sends this chain of certificates.
    #[must_use]
    pub fn served(mut self, certificates: &[Arc<Certificate>]) -> Self {
        self.handshake.server_chain = Some(self.chain(certificates));
        self
    }

    /// The client sends this chain of certificates.
    #[must_use]
    pub fn client_served(mut self, certificates: &[Arc<Certificate>]) -> Self {
        self.handshake.client_chain = Some(self.chain(certificates));
        self
    }

    fn chain(&mut self, certificates: &[Arc<Certificate>]) -> Located<Chain> {
        self.seen(Chain { certificates: certificates.to_vec(), message_len: 600, ..Chain::default() })
    }

    /// A side sends a fatal alert in clear, which ends the handshake.
    #[must_use]
    pub fn alert(self, from: Side, alert: AlertDescription) -> Self {
        let mut scene = self.said(from, true, alert);
        scene.handshake.outcome = Outcome::Alerted;
        scene.handshake.stopped_by = from.into();
        scene.handshake.end = scene.handshake.alerts.last().map(|seen| seen.mark);
        scene
    }

    /// A side sends a warning in clear.
    #[must_use]
    pub fn warning(self, from: Side, alert: AlertDescription) -> Self {
        self.said(from, false, alert)
    }

    fn said(mut self, from: Side, fatal: bool, description: AlertDescription) -> Self {
        let mark = self.next_mark();
        let alert = Alert { fatal, level: if fatal { 2 } else { 1 }, description };
        self.handshake.alerts.push(AlertSeen {
            from,
            alert: Some(alert),
            encrypted: false,
            mark,
            after_handshake: false,
            consequence: false,
        });
        self
    }

    /// The handshake ends otherwise.
    #[must_use]
    pub fn ended(mut self, outcome: Outcome, by: StoppedBy) -> Self {
        self.handshake.outcome = outcome;
        self.handshake.stopped_by = by;
        self.handshake.end = Some(self.next_mark());
        self
    }

    /// What the families find that judge what was said, the judge's choice first.
    pub fn findings(&self) -> Vec<Finding> {
        let spoken = |family: &&RuleFamily| {
            matches!(family.family, Family::Version | Family::Names | Family::Psk | Family::Parameters | Family::Protocol)
        };
        let mut found = Vec::new();
        in_case(&self.handshake, &self.knowledge, |case| {
            rules::FAMILIES.iter().filter(spoken).for_each(|family| family.judge(case, &mut found));
        });
        found.sort_by_key(|finding: &Finding| std::cmp::Reverse((finding.weight, finding.confidence)));
        found
    }

    /// The cause among these families, and how sure.
    pub fn cause(&self) -> Option<(Cause, Confidence)> {
        self.findings().into_iter().find(|finding| finding.weight >= Weight::Fallback).map(|finding| (finding.cause, finding.confidence))
    }
}

fn seen<T>(what: T, mark: Mark) -> Located<T> {
    Located { what, mark, first: mark, span: (0, 0) }
}

/// A certificate for this name, signed by itself, made as told.
pub fn certificate(name: &str, make: impl FnOnce(&mut CertificateParams)) -> Vec<Arc<Certificate>> {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    make(&mut params);
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    vec![Arc::new(Certificate::parse(made.der()))]
}

/// Suites of TLS 1.2 and below, of a client of today.
pub fn legacy() -> Vec<u16> {
    BROAD.iter().copied().filter(|suite| suite >> 8 != 0x13).collect()
}

/// Extensions of a client of today without these.
pub fn without(kinds: &[u16], tls13: bool) -> Vec<(u16, Vec<u8>)> {
    let mut list = extensions(tls13);
    list.retain(|(kind, _)| !kinds.contains(kind));
    list
}

/// Extensions of a client of today with this one.
pub fn with(kind: u16, body: &[u8], tls13: bool) -> Vec<(u16, Vec<u8>)> {
    let mut list = without(&[kind], tls13);
    list.push((kind, body.to_vec()));
    list
}

fn in_case<T>(handshake: &Handshake, knowledge: &Knowledge, look: impl FnOnce(&Case<'_>) -> T) -> T {
    look(&Case { handshake, chain: None, client_chain: None, knowledge, policy: &Policy::default() })
}

/// The rules of a family that judge each for itself.
pub fn rules_of(family: &RuleFamily) -> &'static [&'static Rule] {
    match family.rules {
        Rules::Each(rules) => rules,
        Rules::Together { .. } => &[],
    }
}

/// What one rule finds with nothing else known.
pub fn found(rule: &Rule, handshake: &Handshake) -> Option<Finding> {
    found_knowing(rule, handshake, &Knowledge::default())
}

/// What one rule finds with this knowledge of other handshakes.
pub fn found_knowing(rule: &Rule, handshake: &Handshake, knowledge: &Knowledge) -> Option<Finding> {
    in_case(handshake, knowledge, rule.check)
}

/// What the family of a cause finds of it in one case.
pub fn found_of(cause: Cause, case: &Case<'_>) -> Option<Finding> {
    let mut found = Vec::new();
    let family = rules::FAMILIES.iter().find(|family| family.family == cause.family()).unwrap();
    family.judge(case, &mut found);
    found.into_iter().find(|finding| finding.cause == cause)
}

/// The same with this knowledge of other handshakes.
pub fn found_of_knowing(cause: Cause, handshake: &Handshake, knowledge: &Knowledge) -> Option<Finding> {
    in_case(handshake, knowledge, |case| found_of(cause, case))
}

/// The verdict with nothing else known.
pub fn verdict(handshake: &Handshake) -> Verdict {
    verdict_knowing(handshake, &Knowledge::default())
}

/// The verdict with this knowledge of other handshakes.
pub fn verdict_knowing(handshake: &Handshake, knowledge: &Knowledge) -> Verdict {
    in_case(handshake, knowledge, judge)
}

/// The cause with nothing else known.
pub fn cause(handshake: &Handshake) -> Option<Cause> {
    verdict(handshake).cause()
}
