//! Segments that their receiver may drop: the decoys that tools against filters send before a client's real bytes, and what was damaged on its way.
//!
//! Such a segment waits until the receiver acknowledges it, or its sender sends other bytes in its place. What no decoy was is delivered a little
//! later and nothing else.

use std::mem;
use std::time::Duration;

use super::payload::Run;
use super::{Connection, Room, Step};
use crate::flow::Side;
use crate::limits;
use crate::packet::{Segment, tcp_timestamps};
use crate::time::Mark;
use crate::transport::facts::{Decoys, Doubt, FlowEventKind};
use crate::transport::sink::FlowSink;
use crate::transport::stream::{self, Aside, Doubted, is_far_below};

impl<S: FlowSink> Connection<S> {
    /// Why its receiver may drop this segment, if anything says so. Hop counters and timestamps count of a client, and timestamps until the server speaks: no
    /// decoy is sent later. A wrong checksum counts of either side as long as it has said little, as in a handshake: a copy that is sound follows one that
    /// was damaged.
    pub(super) fn doubt(&self, segment: &Segment<'_>) -> Option<Doubt> {
        let side = self.side(segment.from_low);
        if segment.payload.is_empty() || segment.payload.len() > limits::DOUBTED_LEN {
            return None;
        }
        if side == Side::Server {
            let soon = self.facts.sides.server.highest <= FLIGHTS && !segment.flags.syn();
            return (soon && segment.is_damaged()).then_some(Doubt::Checksum);
        }
        if self.is_spent(segment) {
            return Some(Doubt::HopCounter);
        }
        let (facts, server) = (self.facts.sides.of(side), self.facts.sides.of(side.other()));
        if facts.highest > FLIGHTS {
            return None;
        }
        if server.highest == 0 {
            return self.doubt_opening(segment);
        }
        segment.is_damaged().then_some(Doubt::Checksum)
    }

    /// Its hop counter is nearly used up, while those of the same side's other packets are not.
    pub(super) fn is_spent(&self, segment: &Segment<'_>) -> bool {
        let facts = self.facts.sides.of(self.side(segment.from_low));
        facts.ttl.or_else(|| facts.syn.map(|syn| syn.ttl)).is_some_and(|own| is_far_below(segment.ip.ttl, own))
    }

    #[inline(never)]
    fn doubt_opening(&self, segment: &Segment<'_>) -> Option<Doubt> {
        if segment.flags.syn() {
            // With Fast Open the same bytes come again if they were not taken.
            let unasked = self.facts.sides.client.syn.is_some_and(|syn| !syn.fast_open && syn.isn == segment.seq);
            return unasked.then_some(Doubt::InSyn);
        }
        let first = self.facts.sides.client.syn.and_then(|syn| syn.timestamp);
        let agreed = self.facts.sides.server.syn.is_none_or(|syn| syn.timestamp.is_some());
        let older = first.zip(tcp_timestamps(segment.options)).is_some_and(|(first, (own, _))| own.wrapping_sub(first).cast_signed() < 0);
        if older && agreed {
            return Some(Doubt::OldTimestamp);
        }
        segment.is_damaged().then_some(Doubt::Checksum)
    }

    /// Lets a doubted segment wait. False when it is to be taken in: as a copy of what is known and not acknowledged yet, or for want of room.
    pub(super) fn doubted(&mut self, why: Doubt, segment: &Segment<'_>, run: Run<'_>) -> bool {
        let low = segment.from_low;
        let answered = self.side_facts(!low).highest > 0;
        let (stream, facts) = self.both(low);
        if run.end <= facts.delivered {
            if why == Doubt::Checksum && answered {
                return false;
            }
            let digest = stream::digest(run.bytes);
            // Damage changes bytes, so that these copies need not be the same.
            let copy = stream.unacked.iter().any(|sent| match why {
                Doubt::Checksum => sent.segment.offset < run.end && sent.end() > run.start,
                _ => sent.segment.offset == run.start && sent.end() == run.end && sent.digest == Some(digest),
            });
            if !copy {
                self.decoy(low, why, segment.mark, run.start);
            }
            return !copy;
        }
        if stream.doubted.len() >= limits::DOUBTED {
            return stream.doubted.iter().any(|held| held.aside.start == run.start && held.end == run.end);
        }
        let head = Segment { payload: &[], options: &[], ..*segment };
        let aside = Aside { start: run.start, head, bytes: run.bytes.to_vec() };
        stream.doubted.push(Doubted { why, end: run.end, damaged: segment.is_damaged(), aside });
        self.grew = true;
        true
    }

    /// Bytes came of which nothing is to be doubted: what was held in their place and is other than they are was no part of the stream.
    pub(super) fn dispel(&mut self, shared: &mut S::Shared, low: bool, run: Run<'_>) -> Step {
        let answered = self.side_facts(!low).highest > 0;
        let held = mem::take(&mut self.stream(low).doubted);
        let (kept, denied): (Vec<_>, Vec<_>) = held.into_iter().partition(|held| held.aside.agrees_with(run.start, run.bytes));
        self.stream(low).doubted = kept;
        for held in denied {
            let mark = held.aside.head.mark;
            let soon = !answered && run.mark.time.since(mark.time) < SOONER_THAN_A_REPEAT;
            if held.why != Doubt::Checksum || soon {
                self.decoy(low, held.why, mark, held.aside.start);
                continue;
            }
            // It was damaged on its way, and this is the copy that was not.
            let facts = self.side_facts(low);
            facts.retransmits = facts.retransmits.saturating_add(1);
            let len = u32::try_from(run.end.saturating_sub(run.start)).unwrap_or(u32::MAX);
            self.event(shared, run.mark, low, FlowEventKind::Retransmission { offset: run.start, len })?;
        }
        Step::Continue(())
    }

    /// The server reacts: what it acknowledges it has taken, and of a SYN that it answers it takes then or never.
    pub(super) fn settle_doubted(&mut self, shared: &mut S::Shared, room: &mut Room, segment: &Segment<'_>) -> Step {
        let low = !segment.from_low;
        let stream = self.stream(low);
        let last = stream.doubted.iter().map(|held| held.end).max().unwrap_or(0);
        let acked = stream.offset(segment.ack, last).and_then(|offset| u64::try_from(offset).ok()).filter(|_| segment.flags.ack());
        if segment.flags.syn() {
            self.take_doubted(shared, room, low, |held| held.end <= acked.unwrap_or(0))?;
            let held = mem::take(&mut self.stream(low).doubted);
            let (denied, kept): (Vec<_>, Vec<_>) = held.into_iter().partition(|held| held.why == Doubt::InSyn);
            self.stream(low).doubted = kept;
            for held in denied {
                self.decoy(low, held.why, held.aside.head.mark, held.aside.start);
            }
            return Step::Continue(());
        }
        if segment.flags.rst() || segment.flags.fin() {
            return self.believe_doubted(shared, room, low);
        }
        let sacked = self.sacked(segment);
        self.take_doubted(shared, room, low, |held| {
            let within = |block: &(u64, u64)| block.0 <= held.aside.start && held.end <= block.1;
            held.end <= acked.unwrap_or(0) || sacked.iter().any(within)
        })
    }

    /// Takes in what is doubted: nothing can be learnt about it any more. Only what a SYN carries without a word of Fast Open needs its
    /// acknowledgment.
    pub(super) fn believe_doubted(&mut self, shared: &mut S::Shared, room: &mut Room, low: bool) -> Step {
        self.stream(low).doubted.retain(|held| held.why != Doubt::InSyn);
        self.take_doubted(shared, room, low, |_| true)
    }

    /// Takes in what is doubted and `taken`, in the order in which it came.
    fn take_doubted(&mut self, shared: &mut S::Shared, room: &mut Room, low: bool, taken: impl Fn(&Doubted) -> bool) -> Step {
        if !self.stream(low).doubted.iter().any(&taken) {
            return Step::Continue(());
        }
        let held = mem::take(&mut self.stream(low).doubted);
        let (taken, kept): (Vec<_>, Vec<_>) = held.into_iter().partition(taken);
        self.stream(low).doubted = kept;
        for held in taken {
            let segment = held.aside.segment();
            let run = Run { start: held.aside.start, end: held.end, bytes: &held.aside.bytes, mark: segment.mark };
            self.compare(shared, &segment, run, Some(held.damaged))?;
            self.place(shared, room, low, run)?;
        }
        Step::Continue(())
    }

    fn decoy(&mut self, low: bool, why: Doubt, first: Mark, offset: u64) {
        let facts = self.side_facts(low);
        let decoys = facts.decoys.get_or_insert(Decoys { first, count: 0, why });
        decoys.count = decoys.count.saturating_add(1);
        self.record(first, low, FlowEventKind::Decoy { offset, why });
    }
}

/// What a side says in a handshake is hardly longer.
const FLIGHTS: u64 = 16 << 10;

/// No timer sends anything again within this time (RFC 6298 section 2.4; Linux waits for 200 ms).
const SOONER_THAN_A_REPEAT: Duration = Duration::from_millis(150);
