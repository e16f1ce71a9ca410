//! Puts what the workers concluded into one order, judges it, and emits reports.
//!
//! A verdict that other handshakes of the capture could improve waits for them, within bounds; everything else is emitted at once.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::capture::Losses;
use crate::condensate::Told;
use crate::count::Count;
use crate::diagnosis::case::Case;
use crate::diagnosis::chain::{ChainCache, ChainFacts, Occasion, Purpose, TrustStore};
use crate::diagnosis::clock;
use crate::diagnosis::ftp::refusals;
use crate::diagnosis::judge::{Verdict, judge};
use crate::diagnosis::knowledge::Knowledge;
use crate::diagnosis::knowledge_store::{KnowledgeStore, asked_again};
use crate::diagnosis::policy::Policy;
use crate::diagnosis::visits::is_used;
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{Chain, Located, Outcome};
use crate::handshake::lookups::Heard;
use crate::handshake::relevance::{LATE_COPY, MULTIPATH, Relevance, relevance};
use crate::handshake::shared::HalfOpen;
use crate::incident::{Observation, Tracker};
use crate::limits;
use crate::logs::Logs;
use crate::origins::Origins;
use crate::owners::Desk;
use crate::report::{self, Sink};
use crate::shard::Shard;
use crate::site::Observer;
use crate::time::{Clock, Timestamp};

use super::batch::Entry;
use super::elsewhere::{Others, sight};
use super::held::{Held, Unnamed, report};
use super::listening::Listening;
use super::options::Options;
use super::point::CapturePoint;
use super::summary::{Totals, count};
use super::twins::{Likeness, Sight, Twins};
use super::worker::{Drained, Upto};

mod telling;

/// Verdicts that wait for more knowledge, at most.
const HELD: usize = 4096;
/// Bytes that the facts of a connection's packets take.
const PACKET_FACTS: usize = 2048;
/// Of those, handshakes that completed, only not with the ticket that was offered: failures are not to leave early for their sake.
const TICKETS_HELD: usize = 256;

/// How often incidents are shown to who follows them.
const FOLLOW: Duration = Duration::from_secs(1);

/// A time without any handshake, longer than between two runs of an hourly job, one of them missed.
const APART: Duration = Duration::from_secs(3 * 3600);

/// What a capture of one handshake knows of others.
static NOTHING: LazyLock<Knowledge> = LazyLock::new(Knowledge::default);

/// The collector.
pub(super) struct Collector<'a> {
    policy: &'a Policy,
    trust: &'a TrustStore,
    hold: Duration,
    clock: Option<&'a Clock>,
    /// What is not judged by now is not judged any more.
    hurry: &'a AtomicBool,
    timeline: bool,
    /// When incidents were last shown to who follows them.
    followed: Timestamp,
    emit: &'a mut dyn Sink,
    #[expect(clippy::vec_box, reason = "handshakes are large and sorted by their boxes")]
    pending: Vec<Box<Handshake>>,
    half_open: Vec<HalfOpen>,
    heard: Vec<Heard>,
    held: VecDeque<Held>,
    /// Those that are judged and wait to be told whose their ends are.
    unnamed: VecDeque<Unnamed>,
    owners: Option<&'a Desk>,
    /// Bytes of all of those.
    held_bytes: Count,
    tickets_held: usize,
    knowledge: KnowledgeStore,
    /// The latest packet of the handshakes in it.
    learnt_until: Timestamp,
    chains: ChainCache,
    incidents: Tracker,
    reports: report::Builder,
    /// When the capture lost packets, where it is known.
    pub(super) losses: Option<Losses>,
    observer: &'a Observer,
    /// Names of the capture's interfaces, by index.
    pub(super) sources: Vec<CapturePoint>,
    /// Which file each frame comes from, if there are several.
    pub(super) origins: Option<Origins>,
    pub(super) totals: Totals,
    /// The shard that is read, if it is one by itself, and what is told of the others.
    pub(super) shard: Option<Shard>,
    others: Others,
    twins: Twins,
    logs: Option<&'a Logs>,
    listening: Option<Listening<'a>>,
    /// More for the summary.
    pub(super) notes: Vec<String>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(options: &'a Options, emit: &'a mut dyn Sink) -> Self {
        let Options { timeline, clock, .. } = options;
        let (timeline, clock) = (*timeline, clock.as_ref());
        Self {
            policy: &options.policy,
            trust: &options.trust,
            hold: options.hold,
            clock,
            hurry: &options.hurry,
            timeline,
            followed: Timestamp::MIN,
            emit,
            pending: Vec::new(),
            half_open: Vec::new(),
            heard: Vec::new(),
            held: VecDeque::new(),
            unnamed: VecDeque::new(),
            owners: options.owners.as_ref(),
            held_bytes: Count::ZERO,
            tickets_held: 0,
            knowledge: KnowledgeStore::default(),
            learnt_until: Timestamp::MIN,
            chains: ChainCache::default(),
            incidents: Tracker::new(options.observer.clone(), clock.is_some()),
            reports: report::Builder::default(),
            losses: None,
            observer: &options.observer,
            sources: Vec::new(),
            origins: None,
            totals: Totals::default(),
            shard: None,
            others: Others::default(),
            twins: Twins::default(),
            logs: options.logs.as_deref(),
            listening: options.logs.as_deref().and_then(Listening::to),
            notes: Vec::new(),
        }
    }

    /// Takes what a worker concluded.
    pub(super) fn add(&mut self, mut drained: Drained) {
        self.pending.append(&mut drained.handshakes);
        self.half_open.append(&mut drained.half_open);
        self.heard.append(&mut drained.heard);
        if let Some(own) = self.shard {
            self.others.add(own, drained.told);
        }
    }

    /// Every worker has concluded everything up to here: that is complete and can be put in order.
    pub(super) fn release(&mut self, upto: Upto) -> std::io::Result<()> {
        if let Some(clock) = self.clock {
            // Live, what waits is not kept from its reader until the next handshake comes.
            let now = clock.now();
            self.let_go(now)?;
            self.tell_named(now)?;
            for incident in self.incidents.news(now) {
                self.totals.answer.incident(&incident);
                self.emit.incident(&incident)?;
            }
            self.emit.idle()?;
            if self.emit.follows() && now.since(self.followed) >= FOLLOW {
                self.followed = now;
                for incident in self.incidents.ongoing() {
                    self.emit.ongoing(&incident)?;
                }
            }
        }
        if self.pending.is_empty() && self.half_open.is_empty() && self.heard.is_empty() && self.others.is_empty() {
            return Ok(());
        }
        self.heard.sort_by_key(|heard| Reverse((heard.known_at, heard.mark.frame, heard.site)));
        let mut ready: Vec<Box<Handshake>> = Vec::new();
        let mut later: Vec<Box<Handshake>> = Vec::new();
        for handshake in self.pending.drain(..) {
            if Upto::of(&handshake) <= upto { ready.push(handshake) } else { later.push(handshake) }
        }
        self.pending = later;
        if ready.is_empty() && self.others.is_empty() {
            // Nothing is judged in between, so the order in which half-open connections are learnt of is no matter.
            let Self { half_open, knowledge, totals, .. } = self;
            half_open.retain(|half_open| {
                let waits = half_open.known_at > upto.concluded_at;
                if !waits {
                    learn(knowledge, totals, half_open);
                }
                waits
            });
            self.listen(upto.concluded_at);
            return Ok(());
        }
        let later_first = |half_open: &HalfOpen| Reverse((half_open.known_at, half_open.first.frame, half_open.site, half_open.server));
        self.half_open.sort_unstable_by_key(later_first);
        ready.sort_by_key(|handshake| Upto::of(handshake));
        for handshake in ready {
            while let Some(entry) = self.others.before(&handshake) {
                self.be_told(entry)?;
            }
            self.learn_half_open(handshake.concluded_at);
            self.listen(handshake.concluded_at);
            self.take(handshake)?;
        }
        while let Some(entry) = self.others.upto(upto) {
            self.be_told(entry)?;
        }
        self.learn_half_open(upto.concluded_at);
        self.listen(upto.concluded_at);
        Ok(())
    }

    /// Learns of the answers that are known when something is concluded at this frame. They are sorted, the first at the end.
    fn listen(&mut self, at: u64) {
        while let Some(heard) = self.heard.pop_if(|heard| heard.known_at <= at) {
            self.knowledge.hear(heard);
        }
    }

    /// Learns of the half-open connections that are known when something is concluded at this frame. They are sorted, the first at the end.
    fn learn_half_open(&mut self, at: u64) {
        while let Some(half_open) = self.half_open.pop_if(|half_open| half_open.known_at <= at) {
            learn(&mut self.knowledge, &mut self.totals, &half_open);
        }
    }

    fn take(&mut self, mut handshake: Box<Handshake>) -> std::io::Result<()> {
        handshake.looked_up = self.knowledge.looked_up(&handshake);
        let doubtful = match relevance(&handshake) {
            Relevance::Other(word) => {
                self.knowledge.overhear(&handshake);
                count(&mut self.totals.other_flows, word, 1);
                return Ok(());
            }
            Relevance::Report => handshake.preamble.as_ref().is_some_and(|facts| facts.asks_for_login()),
            Relevance::IfServerSpeaksTls => true,
        };
        if self.hurry.load(Ordering::Relaxed) {
            self.leave(doubtful || handshake.provisional);
            return Ok(());
        }
        let likeness = self.twins.likeness(&Sight::of(&handshake));
        if self.is_counted(likeness) {
            return Ok(());
        }
        if !handshake.provisional {
            self.turn_page(handshake.flow.first.time, handshake.flow.last.time)?;
        }
        // The name in clear is not the one that was asked for where another was encrypted, and the server took that.
        let name = handshake.name().filter(|_| !handshake.ech_accepted);
        let at = handshake.server_chain.as_ref().map_or(handshake.flow.first.time, |seen| seen.mark.time);
        let occasion = Occasion { now: handshake.closed_at.time, server: handshake.server.address };
        let (served, shown) = (handshake.server_chain.as_ref(), handshake.client_chain.as_ref());
        let when = |seen: Option<&Located<Chain>>| seen.map_or(at, |seen| clock::judging_time(&handshake, &seen.what, at));
        let (served_at, shown_at) = (when(served), when(shown));
        let server = self.chain(served, name.as_deref(), served_at, Purpose::Server, occasion);
        let client = self.chain(shown, None, shown_at, Purpose::Client, occasion);
        if !handshake.provisional {
            let unverified = [&server, &client].into_iter().flatten().filter(|chain| chain.unverified().is_some()).count();
            self.totals.unverified = self.totals.unverified.saturating_add(unverified as u64);
        }
        let now = handshake.closed_at.time;
        let mut learnt = None;
        if !handshake.provisional {
            if self.held.front().is_some_and(|oldest| self.forgets(oldest)) {
                self.let_go(now)?;
            }
            learnt = Some(self.knowledge.learn(&handshake, name.as_deref(), server.as_ref()));
            if !doubtful {
                self.incidents.attempt(&Observation::of(&handshake, name.as_deref(), None));
            }
        }
        drop(name);
        let bytes = handshake.weight().saturating_add(PACKET_FACTS);
        let ticket_refused = learnt.is_some_and(|learnt| learnt.ticket_refused);
        let entered = learnt.map(|learnt| learnt.entered);
        let mut held = Held { handshake, server, client, doubtful, ticket_refused, entered, bytes };
        self.note_losses(&mut held);
        // What others show may tell whether that was a handshake at all, and why it failed: it is judged then, and not twice.
        // It may go on elsewhere, be answered from elsewhere, or be one of a flood.
        let facts = &held.handshake;
        let one_sided = || Side::BOTH.into_iter().any(|side| facts.flow.side(side).packets == 0);
        let open = facts.outcome == Outcome::Incomplete && (facts.quic.is_some() || one_sided());
        if self.hold > Duration::ZERO && !facts.provisional && (doubtful || open || facts.outcome.failed()) {
            return self.hold(held, now);
        }
        let verdict = self.judge(&held);
        if held.handshake.provisional {
            let mut report =
                report(&mut self.reports, (&self.sources, self.origins.as_ref()), self.observer, self.timeline, &held, &verdict);
            if let Some(owners) = self.owners {
                owners.name(&mut report);
            }
            return self.emit.handshake(&report);
        }
        let by_ticket = ticket_refused && verdict.cause.is_none() && self.tickets_held < TICKETS_HELD;
        // A scan shows in what comes after its first handshakes.
        let may_be_scan = verdict.cause.is_some() && !is_used(&held.handshake);
        // What it refuses is a connection that may end later.
        let refuses = held.handshake.ftp.is_some() && refusals(&held.handshake).next().is_some();
        // So does a queue that was full for more than one.
        let queued = verdict.cause.is_some() && asked_again(&held.handshake);
        if self.hold > Duration::ZERO && (by_ticket || may_be_scan || refuses || queued) {
            return self.hold(held, now);
        }
        self.conclude(held, verdict)
    }

    /// Learns from a handshake of another shard, as from one of this one that is not reported.
    fn be_told(&mut self, entry: Entry) -> std::io::Result<()> {
        let Entry { interface, site, told, .. } = entry;
        let told = match told {
            Told::Certificate(der) => {
                self.others.keep(&der);
                return Ok(());
            }
            Told::Elsewhere(told) => told,
        };
        if !told.overheard {
            if self.twins.likeness(&sight(site, &told)) != Likeness::Other {
                return Ok(());
            }
            self.turn_page(Timestamp::from_nanos(told.first), Timestamp::from_nanos(told.last))?;
        }
        let shown = told.chain.as_ref().filter(|_| !told.overheard);
        let judged = shown.and_then(|shown| {
            let certificates = self.others.chain(&shown.certificates)?;
            let occasion = Occasion { now: Timestamp::from_nanos(shown.closed), server: told.server.address };
            let (name, at) = (shown.name.as_deref(), Timestamp::from_nanos(shown.at));
            Some((name, self.chains.judge(&certificates, name, at, Purpose::Server, self.trust, occasion)))
        });
        let judged = judged.as_ref().map(|(name, chain)| (*name, chain.as_ref()));
        self.knowledge.learn_elsewhere(site, interface, &told, judged);
        Ok(())
    }

    /// Lets a handshake wait for what others show.
    fn hold(&mut self, held: Held, now: Timestamp) -> std::io::Result<()> {
        self.tickets_held = self.tickets_held.saturating_add(usize::from(held.ticket_refused));
        self.held_bytes += held.bytes;
        self.held.push_back(held);
        self.let_go(now)
    }

    /// After so long without a handshake the capture may be another one, taken elsewhere: an address is another server's then, and what one
    /// served and accepted says nothing of the other. What waits is judged by what was known in its time, and the rest is forgotten.
    fn turn_page(&mut self, first: Timestamp, last: Timestamp) -> std::io::Result<()> {
        let before = self.learnt_until;
        let begins_anew = before > Timestamp::MIN && first.since(before) > APART;
        self.learnt_until = before.max(last);
        if begins_anew {
            self.knowledge.ends(before);
            while !self.held.is_empty() {
                self.let_one_go()?;
            }
            self.knowledge.turn_page();
        }
        Ok(())
    }

    /// What the capture lost meanwhile is known a moment after the packets that it did not lose.
    fn note_losses(&self, held: &mut Held) {
        let handshake = &mut held.handshake;
        if let Some(losses) = &self.losses {
            handshake.capture_losses = losses.between(handshake.flow.interface, handshake.flow.first.time, handshake.closed_at.time);
        }
    }

    fn chain(
        &mut self,
        seen: Option<&Located<Chain>>,
        name: Option<&str>,
        at: Timestamp,
        purpose: Purpose,
        occasion: Occasion,
    ) -> Option<Arc<ChainFacts>> {
        let chain = seen.map(|seen| &seen.what).filter(|chain| !chain.certificates.is_empty())?;
        Some(self.chains.judge(&chain.certificates, name, at, purpose, self.trust, occasion))
    }

    /// There is no time for a handshake; `doubtful` ones may be none.
    fn leave(&mut self, doubtful: bool) {
        self.totals.unjudged = self.totals.unjudged.saturating_add(u64::from(!doubtful));
    }

    /// What others showed around it would be forgotten soon.
    fn forgets(&self, held: &Held) -> bool {
        held.entered.is_some_and(|entered| self.knowledge.forgets(entered))
    }

    /// Lets those go that have waited long enough.
    fn let_go(&mut self, now: Timestamp) -> std::io::Result<()> {
        while let Some(oldest) = self.held.front() {
            let crowded = self.held.len() > HELD || self.held_bytes > Count::from(limits::HELD_BYTES);
            if !crowded && !self.forgets(oldest) && now.since(oldest.handshake.closed_at.time) < self.hold {
                break;
            }
            self.let_one_go()?;
        }
        Ok(())
    }

    fn let_one_go(&mut self) -> std::io::Result<()> {
        if let Some(listening) = self.listening.as_mut().filter(|listening| listening.is_new()) {
            listening.tune(self.held.iter().map(|held| held.handshake.as_ref()));
        }
        let Some(mut held) = self.held.pop_front() else { return Ok(()) };
        self.held_bytes -= held.bytes;
        if self.hurry.load(Ordering::Relaxed) {
            self.leave(held.doubtful);
            return Ok(());
        }
        self.tickets_held = self.tickets_held.saturating_sub(usize::from(held.ticket_refused));
        self.note_losses(&mut held);
        if let Some(word) = held.dismissed(&self.knowledge) {
            self.totals.pass_over(word, held.handshake.server.port);
            return Ok(());
        }
        if held.handshake.outcome.failed() || held.handshake.outcome == Outcome::Incomplete {
            let likeness = self.twins.outdone(&Sight::of(&held.handshake));
            if self.is_counted(likeness) {
                return Ok(());
            }
        }
        let verdict = self.judge(&held);
        self.conclude(held, verdict)
    }

    /// It is another handshake once more, and counts as that only.
    fn is_counted(&mut self, likeness: Likeness) -> bool {
        match likeness {
            Likeness::Other => return false,
            Likeness::Copy => self.totals.copies = self.totals.copies.saturating_add(1),
            Likeness::Subflow => count(&mut self.totals.other_flows, MULTIPATH, 1),
            Likeness::Late => count(&mut self.totals.other_flows, LATE_COPY, 1),
        }
        true
    }

    fn judge(&mut self, held: &Held) -> Verdict {
        let lasted = held.handshake.end.unwrap_or(held.handshake.flow.last).time.since(held.handshake.flow.first.time);
        // A quick success that was used and whose certificate is not visible has nothing to learn from others, but for its ticket and a late answer.
        let quick = is_used(&held.handshake) && lasted < self.policy.slow_after;
        let alone = quick && held.server.is_none() && held.handshake.ftp.is_none();
        let alone = alone && !held.ticket_refused && !asked_again(&held.handshake) && !self.knowledge.is_scanned(&held.handshake);
        let mut known = (!alone).then(|| self.knowledge.view(&held.handshake, held.entered));
        if let Some(known) = known.as_mut().filter(|_| held.handshake.outcome.failed()) {
            known.mute_at = self.twins.mute(&Sight::of(&held.handshake));
        }
        self.totals.went_on(known.as_ref());
        let mut verdict = judge(&Case {
            handshake: &held.handshake,
            chain: held.server.as_deref(),
            client_chain: held.client.as_deref(),
            knowledge: known.as_ref().unwrap_or(&NOTHING),
            policy: self.policy,
        });
        if let Some(listening) = &mut self.listening {
            listening.hear(&held.handshake, &mut verdict);
        }
        verdict
    }
}

/// Learns of half-open connections.
fn learn(knowledge: &mut KnowledgeStore, totals: &mut Totals, half_open: &HalfOpen) {
    knowledge.learn_half_open((half_open.site, half_open.server), half_open.first.time, half_open.count);
    count(&mut totals.other_flows, "half-open", u64::from(half_open.count));
}
