//! The machine that follows one connection: its payload ([`Following`]), a handshake inside it ([`Tunnelled`]), and when it is over.

use std::mem::offset_of;
use std::time::Duration;

use crate::flow::{FlowKey, Side};
use crate::limits;
use crate::time::Mark;
use crate::traffic::{Row, Volume};
use crate::transport::prefetch_front;
use crate::transport::{Close, Data, FlowEvent, FlowFacts, FlowSink, Gap, HalfOpenEnd, Interest};

use super::concluding::{conclude, concluded_at};
use super::ending::over::progress;
use super::facts::{Handshake, Observed, Outcome};
use super::following::Following;
use super::outcome::{self, Closing};
use super::overhear;
use super::relayed::Relayed;
use super::relevance::{Relevance, relevance};
use super::shared::Shared;
use super::tally;
use super::tunnelled::Tunnelled;

/// Bytes of what is observed that most records touch.
const BUSY: usize = offset_of!(Observed, encrypted) + 64;

/// Follows one connection.
#[derive(Debug, Default)]
pub struct Machine {
    /// From the first payload on.
    observed: Option<Box<Observed>>,
    following: Following,
    /// What is spoken inside records that were opened, where that is a tunnel.
    tunnelled: Option<Box<Tunnelled>>,
    /// What goes through it in datagrams.
    relayed: Option<Box<Relayed>>,
    /// It is reported in any case: its stall was told while it lasted, or others that were as unanswered were few.
    flagged: bool,
}

impl FlowSink for Machine {
    type Shared = Shared;

    fn new(_: &mut Shared, _: &FlowKey) -> Self {
        Self::default()
    }

    fn weight(&self) -> usize {
        self.observed.as_ref().map_or(0, |observed| observed.weight())
            + self.following.held_bytes()
            + self.tunnelled.as_ref().map_or(0, |tunnelled| tunnelled.held_bytes())
            + self.relayed.as_ref().map_or(0, |relayed| relayed.held_bytes())
    }

    #[inline]
    fn prefetch(&self) {
        if let Some(observed) = &self.observed {
            prefetch_front(observed.as_ref(), BUSY);
        }
    }

    fn data(&mut self, shared: &mut Shared, flow: &FlowFacts, data: Data<'_>) -> Interest {
        let (observed, following) = self.begun(shared);
        let interest = following.data(observed, shared, flow, &data);
        if following.is_listened_to() {
            self.listen(shared, flow);
        } else if following.relays() && interest == Interest::More {
            return self.relayed.get_or_insert_default().hear(shared, &mut self.following, flow, flow.path);
        }
        interest
    }

    fn gap(&mut self, shared: &mut Shared, _: &FlowFacts, gap: Gap) -> Interest {
        let (observed, following) = self.begun(shared);
        following.gap(observed, shared, gap);
        Interest::More
    }

    fn control(&mut self, _: &mut Shared, _: &FlowFacts, _: &FlowEvent) -> Interest {
        Interest::More
    }

    fn tick(&mut self, shared: &mut Shared, flow: &FlowFacts, now: Mark) -> Interest {
        if !shared.is_live() || !flow.saw_start() {
            return Interest::More;
        }
        // A side that closed in the middle of a handshake has given it up, whether or not the other side ever answers.
        let closed = Side::BOTH.iter().any(|side| flow.side(*side).fin.is_some()) && now.time.since(flow.last.time) >= limits::LIVE_LINGER;
        if self.flagged && !closed {
            return Interest::More;
        }
        let quiet = now.time.since(progress(flow).time);
        if !closed && quiet < shared.stall_after().min(COMPLETED_QUIET) {
            return Interest::More;
        }
        let mut snapshot = self.snapshot(flow, now, shared.stall_after());
        match snapshot.outcome {
            Outcome::Completed if quiet >= COMPLETED_QUIET && self.is_heard_out() => return Interest::Settled,
            outcome if closed && outcome.failed() => return Interest::Settled,
            outcome
                if !self.flagged
                    && quiet >= shared.stall_after()
                    && relevance(&snapshot) == Relevance::Report
                    && (outcome == Outcome::Stalled
                        || outcome == Outcome::Refused
                            && is_unanswered(flow)
                            && shared.flags_unanswered((flow.key.site, snapshot.server), now.time)) =>
            {
                self.flagged = true;
                snapshot.provisional = true;
                shared.concluded.push(Box::new(snapshot));
            }
            _ => {}
        }
        Interest::More
    }

    fn finish(&mut self, shared: &mut Shared, flow: Box<FlowFacts>, close: Close, now: Mark) {
        let Some(mut observed) = self.observed.take() else {
            let server = (flow.key.site, flow.ends().1);
            let repeated = flow.side(Side::Client).syn.is_some_and(|syn| syn.count > 1);
            if (is_unanswered(&flow) || is_unacknowledged(&flow)) && !self.flagged && !shared.reports_unanswered(server, repeated) {
                shared.sum_up(&flow.key, server.1, flow.first, concluded_at(close, now));
                return;
            }
            conclude(Box::default(), flow, shared, close, now);
            return;
        };
        self.following.finish(&mut observed, shared, &flow);
        if let Some(answer) = self.following.take_answer() {
            overhear::hear_stream(shared, answer, &flow, concluded_at(close, now));
        }
        // Keys that came last may have opened it only now.
        self.listen(shared, &flow);
        if let Some(relayed) = self.relayed.take() {
            relayed.finish(shared, &flow, (close, now), false);
        }
        let lost = self.following.lost_contents();
        let within = self.tunnelled.take().map_or_else(Vec::new, |tunnelled| tunnelled.finish(shared, &flow, (close, now), lost));
        conclude(observed, flow, shared, close, now);
        for (observed, flow) in within {
            conclude(observed, flow, shared, close, now);
        }
    }

    fn count(&self, shared: &mut Shared, flow: &FlowFacts) -> Row {
        let Self { observed: Some(observed), following, tunnelled, .. } = self else { return Row::NONE };
        if tunnelled.as_ref().is_some_and(|tunnelled| tunnelled.carries_datagrams()) {
            return tally::add(shared, tally::MASQUE, flow);
        }
        tally::flow(shared, observed, following.preamble(), flow)
    }

    #[inline]
    fn count_late(shared: &mut Shared, row: Row, late: Volume) {
        shared.traffic.add(row, late);
    }

    fn unanswered(shared: &mut Shared, half_open: HalfOpenEnd<'_>, repeated: bool) -> bool {
        let server = half_open.server();
        // In a flood, one look is enough.
        let summed_up = !repeated && shared.has_enough_unanswered(server) || !shared.reports_unanswered(server, repeated);
        if summed_up {
            shared.sum_up(half_open.key, server.1, half_open.first, half_open.at);
        }
        summed_up
    }

    fn is_told(&mut self) {
        self.flagged = true;
    }

    fn evicted_half_open(shared: &mut Shared, half_open: HalfOpenEnd<'_>) {
        let server = half_open.server();
        shared.count_evicted(server);
        shared.sum_up(half_open.key, server.1, half_open.first, half_open.at);
    }
}

/// Nobody said anything to the client's SYNs.
fn is_unanswered(flow: &FlowFacts) -> bool {
    flow.side(Side::Server).packets == 0 && flow.icmp.is_empty()
}

/// The client sent one SYN and did nothing about its answer, as the sources of a flood do that are not there.
fn is_unacknowledged(flow: &FlowFacts) -> bool {
    let (client, server) = (flow.side(Side::Client), flow.side(Side::Server));
    let bare = client.packets == 1 && client.syn.is_some() && server.syn.is_some() && server.data_packets == 0;
    bare && server.fin.is_none() && server.resets.is_empty() && flow.icmp.is_empty()
}

impl Machine {
    /// What follows the connection's payload, made for the first of it.
    #[inline]
    fn begun(&mut self, shared: &Shared) -> (&mut Observed, &mut Following) {
        let Self { observed, following, .. } = self;
        let observed = observed.get_or_insert_with(|| {
            following.decrypt(shared);
            Box::default()
        });
        (observed, following)
    }

    /// No tunnel inside it is followed that is not over.
    fn is_heard_out(&self) -> bool {
        !self.following.is_listened_to() || self.tunnelled.as_ref().is_some_and(|tunnelled| tunnelled.rests())
    }

    /// Reads what was opened inside the connection's records.
    #[cold]
    fn listen(&mut self, shared: &mut Shared, flow: &FlowFacts) {
        for content in self.following.contents() {
            let tunnelled = self.tunnelled.get_or_insert_with(|| Box::new(Tunnelled::new(shared, &content)));
            tunnelled.read(shared, flow, &content);
            if !tunnelled.is_under_way() {
                self.following.contents_are_left();
            }
        }
    }

    /// The handshake as if it ended now.
    fn snapshot(&self, flow: &FlowFacts, now: Mark, stall_after: Duration) -> Handshake {
        let mut observed = Box::<Observed>::default();
        if let Self { observed: Some(so_far), following, .. } = self {
            observed.clone_from(so_far);
            following.so_far(&mut observed);
        }
        let closing = Closing { close: Close::Idle, at: now, concluded_at: now.frame };
        outcome::conclude(observed, Box::new(flow.clone()), closing, stall_after)
    }
}

/// Live, a handshake that has completed is reported after so much quiet, and not only when its connection ends.
const COMPLETED_QUIET: Duration = Duration::from_secs(5);
