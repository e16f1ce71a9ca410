//! Handshakes made up for tests of rules: what was said, frame by frame.

use std::net::{IpAddr, Ipv4Addr};

use crate::diagnosis::cause::Cause;
use crate::diagnosis::knowledge::Knowledge;
use crate::diagnosis::rule::{Case, Confidence, Finding, Policy, Rule, Weight};
use crate::diagnosis::rules::{names, parameters, protocol, psk, version};
use crate::flow::{Endpoint, FlowKey, Path, Side, Transport};
use crate::handshake::Handshake;
use crate::handshake::facts::{AlertSeen, Outcome, Protocol, Seen, Stage, StoppedBy};
use crate::time::{Mark, Timestamp};
use crate::tls::client_hello::ClientHello;
use crate::tls::client_hello::tests::build;
use crate::tls::message::{Alert, ServerKeyExchange};
use crate::tls::registry::{AlertDescription, SignatureScheme};
use crate::tls::server_hello::ServerHello;
use crate::transport::{Close, FlowFacts, Roles};

/// Suites of a client of today.
pub(in crate::diagnosis::rules) const BROAD: &[u16] =
    &[0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0x009e, 0x009c, 0x002f, 0x0035, 0x00ff];

/// Extensions of a client of today, as type and body.
pub(in crate::diagnosis::rules) fn extensions(tls13: bool) -> Vec<(u16, Vec<u8>)> {
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
pub(in crate::diagnosis::rules) struct Scene {
    pub handshake: Handshake,
    pub knowledge: Knowledge,
    frame: u64,
}

impl Scene {
    /// A connection with nothing said.
    pub(in crate::diagnosis::rules) fn new() -> Self {
        Self { handshake: empty(), knowledge: Knowledge::default(), frame: 3 }
    }

    /// A connection with this `ClientHello`.
    pub(in crate::diagnosis::rules) fn hello(version: u16, suites: &[u16], list: &[(u16, Vec<u8>)]) -> Self {
        let list: Vec<(u16, &[u8])> = list.iter().map(|(kind, body)| (*kind, &body[..])).collect();
        let mut scene = Self::new();
        let hello = ClientHello::parse(&build(version, suites, &list)).unwrap();
        let seen = scene.seen(hello);
        scene.handshake.client_hellos.push(seen);
        scene.handshake.stage = Stage::ClientHello;
        scene
    }

    /// A connection with the hello of a client of today.
    pub(in crate::diagnosis::rules) fn broad() -> Self {
        Self::hello(0x0303, BROAD, &extensions(true))
    }

    fn seen<T>(&mut self, what: T) -> Seen<T> {
        let mark = self.next();
        Seen { what, mark, first: mark, span: (0, 0) }
    }

    /// The mark of the next frame.
    pub(in crate::diagnosis::rules) fn next(&mut self) -> Mark {
        self.frame += 1;
        Mark { frame: self.frame, time: Timestamp::from_parts(1_795_251_860, 0) }
    }

    /// The server answers with this version, suite and extensions.
    pub(in crate::diagnosis::rules) fn answered(mut self, version: u16, suite: u16, list: &[(u16, &[u8])]) -> Self {
        let mut bytes = version.to_be_bytes().to_vec();
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
    pub(in crate::diagnosis::rules) fn key_exchange(mut self, dh_bits: Option<u32>, scheme: u16) -> Self {
        let what = ServerKeyExchange { dh_bits, signature_scheme: Some(SignatureScheme(scheme)), ..ServerKeyExchange::default() };
        let seen = self.seen(what);
        self.handshake.server_key_exchange = Some(seen);
        self
    }

    /// A side sends an alert in clear; a fatal one ends the handshake.
    pub(in crate::diagnosis::rules) fn alert(mut self, from: Side, level: u8, code: u8) -> Self {
        let mark = self.next();
        let alert = Alert { fatal: level == 2, level, description: AlertDescription(code) };
        self.handshake.alerts.push(AlertSeen {
            from,
            alert: Some(alert),
            encrypted: false,
            mark,
            after_handshake: false,
            consequence: false,
        });
        if level == 2 {
            self.handshake.outcome = Outcome::Alerted;
            self.handshake.stopped_by = from.into();
            self.handshake.end = Some(mark);
        }
        self
    }

    /// The handshake ends otherwise.
    pub(in crate::diagnosis::rules) fn ended(mut self, outcome: Outcome, by: StoppedBy) -> Self {
        self.handshake.outcome = outcome;
        self.handshake.stopped_by = by;
        self.handshake.end = Some(self.next());
        self
    }

    fn case<'a>(&'a self, policy: &'a Policy) -> Case<'a> {
        Case { handshake: &self.handshake, chain: None, client_chain: None, knowledge: &self.knowledge, policy }
    }

    /// What these families' rules find, the judge's choice first.
    pub(in crate::diagnosis::rules) fn findings(&self) -> Vec<Finding> {
        let policy = Policy::default();
        let case = self.case(&policy);
        let families: [&[&Rule]; 5] = [version::RULES, names::RULES, psk::RULES, parameters::RULES, protocol::RULES];
        let mut found: Vec<Finding> = families.iter().flat_map(|family| family.iter()).filter_map(|rule| (rule.check)(&case)).collect();
        found.sort_by_key(|finding| std::cmp::Reverse((finding.weight, finding.confidence)));
        found
    }

    /// The cause among these families, and how sure.
    pub(in crate::diagnosis::rules) fn cause(&self) -> Option<(Cause, Confidence)> {
        self.findings().into_iter().find(|finding| finding.weight >= Weight::Fallback).map(|finding| (finding.cause, finding.confidence))
    }
}

fn empty() -> Handshake {
    let client = Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 40112);
    let server = Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 443);
    let (key, client_is_low) = FlowKey::new(Transport::Tcp, client, server, 0);
    let flow = FlowFacts::new(key, client_is_low, Roles::Handshake, Path::default(), Mark::default(), 0);
    let mut handshake = Handshake::new(flow);
    handshake.close = Close::Ended;
    handshake.protocol = Protocol::Tls;
    (handshake.outcome, handshake.stopped_by) = (Outcome::Completed, StoppedBy::Nobody);
    handshake
}
