//! The machine that follows one connection: finds TLS in its bytes, reads records and messages, and enters what it sees into the facts.
//!
//! A connection begins undecided. Bytes that look like TLS start the record readers; other bytes go to a preamble, which says when TLS begins
//! or that it never will. Where the connection's beginning was not captured, the readers look for a record header at the start of segments.

use std::time::Duration;

use crate::flow::{FlowKey, PerSide, Side};
use crate::limits;
use crate::preamble::{self, Dialect, Plaintext, Preamble, Step, Unwrap};
use crate::time::Mark;
use crate::tls::record::{Recognition, looks_like_tls};
use crate::traffic::{Row, Volume};
use crate::transport::prefetch;
use crate::transport::{Close, Data, FlowEvent, FlowFacts, FlowSink, Gap, HalfOpenEnd, Interest};

use super::decrypt::{self, Decryption};
use super::facts::{Handshake, Located, Observed, Outcome, Protocol};
use super::outcome::{self, Closing};
use super::records::{Head, Stream};
use super::relevance::{Relevance, keep_turned_away, relevance};
use super::shared::Shared;
use super::tally;

/// Follows one connection.
#[derive(Debug, Default)]
pub struct Machine {
    /// From the first payload on.
    observed: Option<Box<Observed>>,
    following: Following,
    /// It is reported in any case: its stall was told while it lasted, or others that were as unanswered were few.
    flagged: bool,
}

/// Where the reading of a connection's payload stands.
#[derive(Debug, Default)]
pub(super) struct Following {
    streams: PerSide<Stream>,
    mode: Mode,
    /// What leads up to TLS or stands in its place, until TLS has begun on both sides.
    preamble: Option<Box<Preamble>>,
    /// TLS inside packets of what led up to it.
    wrapped: Option<Box<PerSide<Unwrap>>>,
    /// Where secrets are given.
    decryption: Option<Box<Decryption>>,
    /// Payload bytes looked at while nothing was recognised.
    fruitless: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    /// Too few bytes to say.
    #[default]
    Undecided,
    /// TLS, or something that may lead up to it.
    Known,
    /// The beginning was not captured: records are looked for.
    Midstream,
}

impl FlowSink for Machine {
    type Shared = Shared;

    fn new(_: &mut Shared, _: &FlowKey) -> Self {
        Self::default()
    }

    fn weight(&self) -> usize {
        self.observed.as_ref().map_or(0, |observed| observed.weight()) + self.following.held_bytes()
    }

    #[inline]
    fn prefetch(&self) {
        if let Some(observed) = &self.observed {
            prefetch(observed.as_ref());
        }
    }

    fn data(&mut self, shared: &mut Shared, flow: &FlowFacts, data: Data<'_>) -> Interest {
        let (observed, following) = self.begun(shared);
        following.data(observed, shared, flow, &data)
    }

    fn gap(&mut self, shared: &mut Shared, _: &FlowFacts, gap: Gap) -> Interest {
        let (observed, following) = self.begun(shared);
        let Following { streams, decryption, .. } = following;
        let stream = streams.of_mut(gap.side);
        if stream.started() {
            stream.gap(observed, shared, decryption.as_deref_mut(), gap);
        } else {
            stream.missed_beginning(gap.offset.saturating_add(gap.len), decryption.is_some());
            if following.mode == Mode::Undecided {
                following.mode = Mode::Midstream;
            }
            if let Some(preamble) = &mut following.preamble {
                preamble.gap(gap.side);
            }
        }
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
        let quiet = now.time.since(outcome::progress(flow).time);
        if !closed && quiet < shared.stall_after().min(COMPLETED_QUIET) {
            return Interest::More;
        }
        let mut snapshot = self.snapshot(flow, now, shared.stall_after());
        match snapshot.outcome {
            Outcome::Completed if quiet >= COMPLETED_QUIET => return Interest::Settled,
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
        let Self { observed, following, .. } = self;
        let Some(mut observed) = observed.take() else {
            let server = (flow.key.site, flow.ends().1);
            let repeated = flow.side(Side::Client).syn.is_some_and(|syn| syn.count > 1);
            if (is_unanswered(&flow) || is_unacknowledged(&flow)) && !self.flagged && !shared.reports_unanswered(server, repeated) {
                shared.sum_up(&flow.key, server.1, flow.first, concluded_at(close, now));
                return;
            }
            conclude(Box::default(), flow, shared, close, now);
            return;
        };
        following.finish(&mut observed, shared, &flow);
        conclude(observed, flow, shared, close, now);
    }

    fn count(&self, shared: &mut Shared, flow: &FlowFacts) -> Row {
        let Self { observed: Some(observed), following, .. } = self else { return Row::NONE };
        tally::flow(shared, observed, following.preamble.as_deref(), flow)
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

/// The place of an end among others. What the end of the capture closed comes after everything that its last frame closed.
const fn concluded_at(close: Close, now: Mark) -> u64 {
    if matches!(close, Close::EndOfCapture) { u64::MAX } else { now.frame }
}

/// The end of a handshake: what follows from its facts, and its place among those that are concluded.
pub(super) fn conclude(observed: Box<Observed>, flow: Box<FlowFacts>, shared: &mut Shared, close: Close, now: Mark) {
    let concluded_at = concluded_at(close, now);
    let closing = match flow.unheard_from {
        Some(lapse) => Closing { close: Close::EndOfCapture, at: lapse, concluded_at },
        None => Closing { close, at: now, concluded_at },
    };
    shared.concluded.push(Box::new(outcome::conclude(observed, flow, closing, shared.stall_after())));
}

/// What is done with a side's bytes once it is known what they are.
type GoOn = fn(&mut Following, &mut Observed, &mut Shared, &Data<'_>) -> Interest;

impl Following {
    /// Of what is known to be TLS from its first byte on.
    pub(super) fn of_tls(shared: &Shared) -> Self {
        Self { mode: Mode::Known, decryption: decrypt::wanted(shared.keys.as_ref()), ..Self::default() }
    }

    /// Bytes of a side were not seen, and nobody knows how many: what follows them begins somewhere in a record.
    pub(super) fn lose(&mut self, side: Side, offset: u64) {
        self.streams.of_mut(side).missed_beginning(offset, self.decryption.is_some());
    }

    /// Bytes that it holds besides its own.
    pub(super) fn held_bytes(&self) -> usize {
        Side::BOTH.iter().map(|side| self.streams.of(*side).held_bytes()).sum::<usize>()
            + self.preamble.as_ref().map_or(0, |preamble| preamble.held_bytes())
            + self.wrapped.as_ref().map_or(0, |wrapped| wrapped.client.held_bytes() + wrapped.server.held_bytes())
            + self.decryption.as_ref().map_or(0, |decryption| decryption.held_bytes())
    }

    /// Enters what is known only at the end.
    pub(super) fn finish(&mut self, observed: &mut Observed, shared: &mut Shared, flow: &FlowFacts) {
        self.judge_heads(observed, shared, flow);
        if let Some(decryption) = &mut self.decryption {
            decryption.finish(observed, shared);
        }
        if let Some(preamble) = self.preamble.take() {
            keep_turned_away(observed, flow, &preamble);
            observed.preamble = preamble.into_facts().map(Box::new);
        }
        self.keep_partial(observed);
    }

    /// Enters what would be known if this were the end.
    pub(super) fn so_far(&self, observed: &mut Observed) {
        if let Some(preamble) = &self.preamble {
            observed.preamble = preamble.facts().map(Box::new);
        }
        self.keep_partial(observed);
    }

    fn keep_partial(&self, observed: &mut Observed) {
        self.streams.client.keep_partial(observed, Side::Client);
        self.streams.server.keep_partial(observed, Side::Server);
    }

    #[inline]
    pub(super) fn data(&mut self, h: &mut Observed, shared: &mut Shared, flow: &FlowFacts, data: &Data<'_>) -> Interest {
        match self.mode {
            Mode::Known if self.preamble.is_some() && !self.streams.of(data.side).started() => self.feed_preamble(h, shared, data),
            Mode::Known => self.records(h, shared, data),
            Mode::Undecided => self.undecided(h, shared, flow, data),
            Mode::Midstream => {
                let interest = self.records(h, shared, data);
                if h.protocol != Protocol::Other {
                    return interest;
                }
                self.fruitless = self.fruitless.saturating_add(data.bytes.len());
                if self.fruitless > limits::PREAMBLE_BYTES { Interest::Settled } else { interest }
            }
        }
    }

    /// The first bytes of a connection.
    #[inline(never)]
    fn undecided(&mut self, h: &mut Observed, shared: &mut Shared, flow: &FlowFacts, data: &Data<'_>) -> Interest {
        let head = self.streams.of_mut(data.side).head(data);
        match verdict(head, false) {
            Recognition::NeedMore => Interest::More,
            Recognition::Yes => {
                self.mode = Mode::Known;
                if flow.ends().1.port == FTPS {
                    h.ftp = Some(Box::default());
                }
                self.with_head(h, shared, data, Self::first_records)
            }
            Recognition::No if !flow.saw_start() => {
                self.mode = Mode::Midstream;
                self.with_head(h, shared, data, Self::records)
            }
            Recognition::No => {
                self.mode = Mode::Known;
                self.preamble = Some(Box::new(Preamble::new(flow.ends().1.port)));
                // What the other side said before was too short to tell and comes first.
                if let Some(earlier) = self.streams.of_mut(data.side.other()).take_head() {
                    let interest = self.feed_preamble(h, shared, &earlier.data(data.side.other()));
                    if interest != Interest::More {
                        return interest;
                    }
                }
                self.with_head(h, shared, data, Self::feed_preamble)
            }
        }
    }

    /// The connection is over and its first bytes were too few to tell TLS from another protocol: unless a record begins there, they are a
    /// dialogue in clear.
    fn judge_heads(&mut self, h: &mut Observed, shared: &mut Shared, flow: &FlowFacts) {
        if self.mode != Mode::Undecided || !flow.saw_start() {
            return;
        }
        let mut heads: Vec<_> = Side::BOTH.into_iter().filter_map(|side| Some((side, self.streams.of_mut(side).take_head()?))).collect();
        let record = |(side, head): &(Side, Head)| matches!(head.data(*side).bytes, [20..=24, ..]);
        if heads.is_empty() || heads.iter().any(record) {
            return;
        }
        heads.sort_by_key(|(side, head)| *head.data(*side).mark);
        self.mode = Mode::Known;
        self.preamble = Some(Box::new(Preamble::new(flow.ends().1.port)));
        for (side, head) in heads {
            self.feed_preamble(h, shared, &head.data(side));
        }
    }

    /// Goes on with all that was gathered of a side.
    fn with_head(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>, go_on: GoOn) -> Interest {
        match self.streams.of_mut(data.side).take_head() {
            Some(head) => go_on(self, h, shared, &head.data(data.side)),
            None => go_on(self, h, shared, data),
        }
    }

    #[inline(never)]
    fn feed_preamble(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>) -> Interest {
        // The answer to a side that speaks plaintext is TLS or it is not; the preamble has said its word.
        if h.plaintext.of(data.side.other()).is_some() || self.streams.of(data.side).ignored() {
            return self.records(h, shared, data);
        }
        let Some(preamble) = &mut self.preamble else { return self.records(h, shared, data) };
        match preamble.feed(data.side, data.bytes, *data.mark) {
            Step::More => Interest::More,
            Step::Tls { before, consumed } => {
                let unwrap = preamble.unwrap();
                let wrapped = unwrap.is_some();
                if let Some(unwrap) = unwrap.filter(|_| self.wrapped.is_none()) {
                    self.wrapped = Some(Box::new(PerSide { client: unwrap.clone(), server: unwrap }));
                }
                let offset = data.offset.saturating_add(consumed as u64).saturating_sub(before.len() as u64);
                let rest = data.bytes.get(consumed..).unwrap_or_default();
                let first = if before.is_empty() { rest } else { before.as_slice() };
                if preamble.is_granted() && !wrapped && looks_like_tls(first) == Recognition::No {
                    let what = preamble::identify(first, data.side);
                    return self.speaks_plaintext(h, what, data);
                }
                // An alert is a TLS server's answer to what it could not read.
                if data.side == Side::Server && first.first() == Some(&0x15) && !self.streams.client.started() {
                    let said = preamble.unfollowed();
                    h.plaintext.client = said.map(|what| Box::new(Located { what, mark: *data.mark, first: *data.mark, span: (0, 0) }));
                }
                self.begin(data.side, offset, false);
                if self.streams.client.started() && self.streams.server.started() {
                    h.preamble = self.preamble.take().and_then(|preamble| preamble.into_facts()).map(Box::new);
                    if h.preamble.as_ref().is_some_and(|facts| facts.dialect == Dialect::Ftp) {
                        h.ftp = Some(Box::default());
                    }
                }
                let mut interest = Interest::More;
                for bytes in [before.as_slice(), rest].into_iter().filter(|bytes| !bytes.is_empty()) {
                    interest = self.read(h, shared, &Data { offset, bytes, ..*data });
                }
                interest
            }
            Step::NotTls(plaintext) => self.speaks_plaintext(h, plaintext, data),
        }
    }

    /// A side spoke another protocol where TLS was due.
    fn speaks_plaintext(&mut self, h: &mut Observed, what: Plaintext, data: &Data<'_>) -> Interest {
        let span = (data.offset, data.offset.saturating_add(data.bytes.len() as u64));
        *h.plaintext.of_mut(data.side) = Some(Box::new(Located { what, mark: *data.mark, first: *data.mark, span }));
        self.streams.of_mut(data.side).ignore();
        Interest::More
    }

    /// Bytes of a side that speaks records, or is about to.
    #[inline]
    fn records(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>) -> Interest {
        let stream = self.streams.of(data.side);
        if stream.started() && !stream.ignored() { self.read(h, shared, data) } else { self.begin_records(h, shared, data) }
    }

    #[inline(never)]
    fn begin_records(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>) -> Interest {
        let other_began = self.streams.of(data.side.other()).started();
        let stream = self.streams.of_mut(data.side);
        if stream.ignored() {
            // An upgrade in a dialect we do not know: plaintext first, then TLS, begun by the client.
            let turn = other_began || data.side == Side::Client;
            if !turn || looks_like_tls(data.bytes) != Recognition::Yes {
                return Interest::More;
            }
            *stream = Stream::default();
            *h.plaintext.of_mut(data.side) = None;
        }
        if self.mode == Mode::Midstream {
            self.begin(data.side, data.offset, true);
            return self.read(h, shared, data);
        }
        let head = self.streams.of_mut(data.side).head(data);
        match verdict(head, other_began) {
            Recognition::NeedMore => Interest::More,
            Recognition::Yes => self.with_head(h, shared, data, Self::first_records),
            Recognition::No => {
                let what = preamble::identify(head, data.side);
                self.speaks_plaintext(h, what, data);
                // Both sides in clear: nothing about TLS will follow.
                if self.streams.client.ignored() && self.streams.server.ignored() { Interest::Settled } else { Interest::More }
            }
        }
    }

    /// The first bytes of a side, which are TLS.
    fn first_records(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>) -> Interest {
        self.begin(data.side, data.offset, false);
        self.read(h, shared, data)
    }

    /// Goes on with the records of a side.
    #[inline]
    fn read(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>) -> Interest {
        if self.wrapped.is_some() {
            return self.read_wrapped(h, shared, data);
        }
        let stream = self.streams.of_mut(data.side);
        let interest = stream.read(h, shared, self.decryption.as_deref_mut(), data);
        if interest == Interest::Swap {
            // The facts have been turned round already.
            self.streams.swap();
        }
        interest
    }

    /// The same where the records lie inside packets.
    #[cold]
    fn read_wrapped(&mut self, h: &mut Observed, shared: &mut Shared, data: &Data<'_>) -> Interest {
        let Self { streams, wrapped: Some(wrapped), decryption, .. } = self else { return Interest::More };
        let stream = streams.of_mut(data.side);
        let mut interest = Interest::More;
        wrapped.of_mut(data.side).feed(data.bytes, |bytes| {
            if interest == Interest::More {
                interest = stream.read(h, shared, decryption.as_deref_mut(), &Data { bytes, ..*data });
            }
        });
        if interest == Interest::Swap {
            self.streams.swap();
        }
        interest
    }

    /// The records of a side begin at this offset; in mid-stream a header is looked for.
    fn begin(&mut self, side: Side, offset: u64, midstream: bool) {
        let keep_encrypted = self.decryption.is_some();
        self.streams.of_mut(side).begin(offset, midstream, keep_encrypted);
    }
}

impl Machine {
    /// What follows the connection's payload, made for the first of it.
    #[inline]
    fn begun(&mut self, shared: &Shared) -> (&mut Observed, &mut Following) {
        let Self { observed, following, .. } = self;
        let observed = observed.get_or_insert_with(|| {
            following.decryption = decrypt::wanted(shared.keys.as_ref());
            Box::default()
        });
        (observed, following)
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

/// The port of FTP control connections that begin with TLS.
const FTPS: u16 = 990;
/// Live, a handshake that has completed is reported after so much quiet, and not only when its connection ends.
const COMPLETED_QUIET: Duration = Duration::from_secs(5);

/// Whether a side's first bytes are TLS. Where its partner speaks TLS it may begin with any record; and a ClientHello in a record of impossible
/// length is a broken client, not another protocol.
fn verdict(head: &[u8], partner_speaks_tls: bool) -> Recognition {
    match (looks_like_tls(head), head) {
        (Recognition::No, [20..=24, 3, 0..=4, ..]) if partner_speaks_tls => Recognition::Yes,
        (Recognition::No, [22, 3, 0..=4, _, _, 1, ..]) => Recognition::Yes,
        (verdict, _) => verdict,
    }
}
