//! One conversation of EAP: the handshake in it, and what is said around it.

use crate::carriers::eap::{Body, Code, Eap, Part};
use crate::flow::{Layer, PerSide, Side};
use crate::handshake::concluding::conclude;
use crate::handshake::facts::{CarriedFacts, Carrier, EapFacts, EapResult, Handshake, Observed, Outcome, Protocol};
use crate::handshake::following::Following;
use crate::handshake::outcome::{self, Closing};
use crate::handshake::relevance::{Relevance, relevance};
use crate::handshake::shared::Shared;
use crate::limits;
use crate::packet::Datagram;
use crate::time::Mark;
use crate::transport::{Close, Data, FlowFacts, Interest};

/// A conversation between a supplicant and a server.
#[derive(Debug)]
pub(super) struct Conversation {
    /// What its datagrams showed, apart from all others of the same ports.
    pub(super) flow: FlowFacts,
    facts: CarriedFacts,
    eap: EapFacts,
    observed: Box<Observed>,
    following: Following,
    /// Bytes of TLS read of each side.
    read: PerSide<u64>,
    /// The number of the last request, and whether it was answered.
    request: Option<(u8, bool)>,
    /// Bytes at the end of the flight at hand that are not TLS.
    outer: usize,
    /// Nothing more is wanted of its TLS.
    settled: bool,
    /// A stall was told while it lasted.
    flagged: bool,
}

impl Conversation {
    /// One that begins with this flow's first datagram.
    pub(super) fn new(shared: &Shared, flow: FlowFacts) -> Self {
        Self {
            flow,
            facts: CarriedFacts::new(Carrier::Eap(EapFacts::default())),
            eap: EapFacts::default(),
            observed: Box::default(),
            following: Following::of_tls(shared),
            read: PerSide::default(),
            request: None,
            outer: 0,
            settled: false,
            flagged: false,
        }
    }

    /// The server has proposed a method, and so takes the supplicant for one.
    pub(super) const fn has_begun(&self) -> bool {
        self.eap.proposed.is_some()
    }

    /// What EAP says around it.
    pub(super) const fn eap(&self) -> &EapFacts {
        &self.eap
    }

    /// The same, to change.
    pub(super) const fn eap_mut(&mut self) -> &mut EapFacts {
        &mut self.eap
    }

    /// The number of the last request.
    pub(super) fn asked(&self) -> Option<u8> {
        self.request.map(|(number, _)| number)
    }

    /// The server has begun with a method that is TLS.
    pub(super) const fn has_method(&self) -> bool {
        self.eap.method.is_some()
    }

    /// Bytes that it holds, its own included.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + self.observed.weight() + self.following.held_bytes() + size_of::<CarriedFacts>() + 6 * limits::EAP_NAME
    }

    /// Counts a datagram of a side. `new`: it brings something new.
    pub(super) fn count(&mut self, side: Side, datagram: &Datagram<'_>, asks: bool, new: bool) {
        self.flow.count_datagram(side, datagram, new);
        if !new {
            let own = self.flow.sides.of_mut(side);
            own.retransmits = own.retransmits.saturating_add(1);
        }
        self.facts.heard(side, datagram.mark, datagram.payload_len, asks, new);
    }

    /// Takes an EAP packet that is new.
    pub(super) fn take(&mut self, shared: &mut Shared, eap: &Eap<'_>, mark: Mark) {
        let side = match eap.code {
            Code::Response => Side::Client,
            Code::Request | Code::Success | Code::Failure => Side::Server,
        };
        self.follow_numbers(eap);
        match (eap.code, eap.body) {
            (Code::Success, _) => self.decide(EapResult::Accepted, mark),
            (Code::Failure, _) => self.decide(EapResult::Rejected, mark),
            (Code::Response, Body::Identity(name)) => {
                self.eap_mut().identity.get_or_insert_with(|| text(name));
            }
            (Code::Response, Body::Nak(wanted)) => {
                let wanted = wanted.iter().copied().filter(|kind| *kind != 0).take(MOST_WANTED).collect();
                self.eap_mut().refused = Some((wanted, mark));
            }
            (Code::Request, Body::Other(kind)) => self.eap_mut().proposed = Some(kind),
            (_, Body::Tls(part)) => self.part(shared, side, &part, eap.missing, mark),
            _ => {}
        }
    }

    /// How the server decided.
    pub(super) fn decide(&mut self, result: EapResult, mark: Mark) {
        self.eap_mut().result.get_or_insert((result, mark));
    }

    /// Responses carry the number of the request that they answer: one that answers another request than the last shows that this was not captured,
    /// and so does a request whose predecessor got no answer.
    fn follow_numbers(&mut self, eap: &Eap<'_>) {
        let missing = match (eap.code, self.request) {
            (Code::Response, Some((number, _))) => (number != eap.identifier).then_some(Side::Server),
            (Code::Request, Some((_, false))) => Some(Side::Client),
            _ => None,
        };
        match eap.code {
            Code::Request => self.request = Some((eap.identifier, false)),
            Code::Response if self.request.is_some() => self.request = Some((eap.identifier, true)),
            _ => {}
        }
        if let Some(side) = missing {
            self.facts.gaps = true;
            let own = self.flow.sides.of_mut(side);
            own.gap_bytes = own.gap_bytes.saturating_add(1);
            own.gap_bytes_acked = own.gap_bytes_acked.saturating_add(1);
            self.following.lose(side, *self.read.of(side));
        }
    }

    fn part(&mut self, shared: &mut Shared, side: Side, part: &Part<'_>, missing: usize, mark: Mark) {
        if side == Side::Server {
            let eap = self.eap_mut();
            eap.proposed = Some(part.method.number());
            if eap.method.is_none_or(|(method, _)| method != part.method) {
                eap.method = Some((part.method, mark));
            }
        }
        self.eap.took |= side == Side::Client;
        self.outer = self.outer.max(part.outer);
        let mut bytes = part.data;
        if !part.more {
            let outer = std::mem::take(&mut self.outer);
            bytes = bytes.get(..bytes.len().saturating_sub(outer)).unwrap_or_default();
        }
        if bytes.is_empty() || self.settled {
            return;
        }
        let offset = *self.read.of(side);
        *self.read.of_mut(side) = offset.saturating_add(bytes.len() as u64);
        let interest = self.following.data(&mut self.observed, shared, &self.flow, &Data { side, offset, bytes, mark: &mark });
        // Who is who is certain in EAP: a side that takes the other's part makes no sense.
        self.settled = interest != Interest::More;
        if missing > 0 {
            self.following.lose(side, *self.read.of(side));
        }
    }

    /// How long it has been quiet.
    pub(super) fn quiet(&self, now: Mark) -> std::time::Duration {
        now.time.since(self.flow.last.time)
    }

    /// Someone watches: it is told of while it stalls.
    pub(super) fn watch(&mut self, shared: &mut Shared, now: Mark) {
        if self.flagged || self.quiet(now) < shared.stall_after() {
            return;
        }
        self.flagged = true;
        let mut observed = self.observed.clone();
        self.following.so_far(&mut observed);
        observed.carried = Some(Box::new(CarriedFacts { carrier: Carrier::Eap(self.eap.clone()), ..self.facts.clone() }));
        let closing = Closing { close: Close::Idle, at: now, concluded_at: now.frame };
        let mut snapshot: Handshake = outcome::conclude(observed, Box::new(self.named()), closing, shared.stall_after());
        if snapshot.outcome == Outcome::Stalled && relevance(&snapshot) == Relevance::Report {
            snapshot.provisional = true;
            shared.concluded.push(Box::new(snapshot));
        }
    }

    /// The flow's facts with the road that it took.
    fn named(&self) -> FlowFacts {
        let mut flow = self.flow.clone();
        if let Some((method, _)) = self.eap.method {
            flow.path.push(Layer::Eap(method));
        }
        flow
    }

    /// It is over. `whole` is the flow that carried it, with what cannot be told by conversation.
    pub(super) fn finish(mut self, shared: &mut Shared, whole: &FlowFacts, close: Close, now: Mark) {
        let since = self.flow.first;
        self.flow.icmp = whole.icmp.iter().filter(|note| note.mark >= since).copied().collect();
        for side in Side::BOTH {
            self.flow.sides.of_mut(side).unfinished = whole.side(side).unfinished.filter(|(_, first)| *first >= since);
        }
        if close != Close::Ended {
            self.flow.unheard_from = whole.unheard_from;
        }
        let flow = self.named();
        let Self { facts, eap, mut observed, mut following, .. } = self;
        following.finish(&mut observed, shared, &flow);
        // What does not begin with a record was no TLS.
        if observed.protocol == Protocol::Other {
            observed.plaintext = PerSide::default();
        }
        observed.carried = Some(Box::new(CarriedFacts { carrier: Carrier::Eap(eap), ..facts }));
        conclude(observed, Box::new(flow), shared, close, now);
    }
}

/// A name as sent, made readable, of bounded length.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..limits::EAP_NAME).unwrap_or(bytes)).into_owned()
}

/// Methods of a Nak that are kept: there are a dozen in use.
const MOST_WANTED: usize = 8;
