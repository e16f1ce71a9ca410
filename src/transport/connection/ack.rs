//! Acknowledgments: cumulative, duplicate and selective.

use std::time::Duration;

use smallvec::SmallVec;

use super::{Connection, Step};
use crate::packet::{Segment, tcp_options, tcp_options_are_plain};
use crate::transport::facts::FlowEventKind;
use crate::transport::sink::FlowSink;

impl<S: FlowSink> Connection<S> {
    /// The ACK flag is set: what it says of the other side's bytes.
    pub(super) fn acknowledgment(&mut self, shared: &mut S::Shared, segment: &Segment<'_>) -> Step {
        let low = segment.from_low;
        let mark = segment.mark;
        let repeated = self.stream(low).note_ack(segment);
        let reach = self.reach(low);
        let pure = segment.payload_len == 0 && !segment.flags.syn() && !segment.flags.fin();

        if pure {
            self.note_reach(segment, reach);
        }
        let undecided = self.facts.established().is_none() && !segment.flags.syn();
        let (stream, facts) = self.both(!low);
        if undecided
            && stream.other_origin == Some(segment.ack)
            && let Some(syn) = &mut facts.syn
        {
            // of SYN-ACKs with two numbers, the receiver took the earlier
            stream.other_origin = stream.origin.replace(segment.ack);
            syn.isn = segment.ack.wrapping_sub(1);
        }
        if stream.origin.is_none() {
            stream.origin = Some(segment.ack);
            stream.provisional = true;
        }
        let offset = stream.offset(segment.ack, facts.acked.max(facts.delivered)).and_then(|offset| u64::try_from(offset).ok());
        let Some(offset) = offset else { return Step::Continue(()) };
        // An acknowledgment of more than can have been sent belongs to another connection (a challenge ACK, two paths with the same addresses),
        // unless the next one goes on from there: then the capture lost all that lies between.
        if offset > facts.highest.max(facts.acked).saturating_add(reach) {
            let confirmed = stream.far_ack.is_some_and(|before| (1..=reach).contains(&u64::from(segment.ack.wrapping_sub(before))));
            stream.far_ack = Some(segment.ack);
            if let Some(syn) = facts.syn.as_mut().filter(|_| undecided) {
                syn.disputed = true;
            }
            if !confirmed {
                return Step::Continue(());
            }
        }
        stream.far_ack = None;
        if let Some(syn) = &mut facts.syn
            && syn.acked.is_none()
        {
            syn.acked = Some(mark);
        }
        let mut end = offset;
        if let Some((_, fin)) = facts.fin
            && offset > fin
        {
            stream.fin_acked = true;
            end = fin;
        }
        let worth_telling = self.acknowledge(segment, end, pure && repeated);
        self.selective(segment);
        self.watch_hole(!low, mark.time);
        self.establish(shared, segment)?;
        if worth_telling { self.event(shared, mark, !low, FlowEventKind::Acknowledged { offset: end }) } else { Step::Continue(()) }
    }

    /// The other side's bytes up to `end` are acknowledged; a second time when `again` says that the segment has nothing else to say. True when
    /// that is worth an event.
    pub(super) fn acknowledge(&mut self, segment: &Segment<'_>, end: u64, again: bool) -> bool {
        let (stream, facts) = self.both(!segment.from_low);
        if end > facts.acked {
            let what = stream.acknowledged(end, segment);
            let worth_telling = facts.acked == 0 || stream.resent || what.waited >= PAUSE;
            stream.resent = false;
            facts.largest_acked_segment = facts.largest_acked_segment.max(what.largest);
            facts.acked = end;
            facts.acked_at = Some(segment.mark);
            if let Some(sent) = what.newest.filter(|_| segment.payload_len == 0) {
                let took = segment.mark.time.since(sent);
                let own = self.side_facts(segment.from_low);
                own.quickest_ack = Some(own.quickest_ack.map_or(took, |known| known.min(took)));
            }
            if let Some(needless) = what.needless {
                self.note_spurious(!segment.from_low, needless);
            }
            return worth_telling;
        }
        if again && end == facts.acked && facts.highest > end {
            let own = self.side_facts(segment.from_low);
            own.duplicate_acks = own.duplicate_acks.saturating_add(1);
        }
        false
    }

    /// What was sent again between these offsets need not have been.
    #[cold]
    fn note_spurious(&mut self, low: bool, (from, to): (u64, u64)) {
        let sender = self.side(low);
        for event in self.facts.events.iter_mut().filter(|event| event.side == sender) {
            if let FlowEventKind::Retransmission { offset, len } = event.kind
                && (from..to).contains(&offset)
            {
                event.kind = FlowEventKind::SpuriousRetransmission { offset, len };
            }
        }
    }

    /// SACK blocks (RFC 2018). A block at or below the cumulative acknowledgment reports a duplicate (RFC 2883) and says nothing here.
    fn selective(&mut self, segment: &Segment<'_>) {
        if segment.flags.syn() || tcp_options_are_plain(segment.options) {
            return;
        }
        let low = segment.from_low;
        let (reach, blocks) = (self.reach(low), self.sacked(segment));
        let (stream, facts) = self.both(!low);
        let mut beyond = false;
        for (left, right) in blocks {
            if left > facts.acked && right > left && right <= facts.highest.max(facts.acked).saturating_add(reach) {
                beyond = true;
                facts.largest_acked_segment = facts.largest_acked_segment.max(stream.selectively_acknowledged(left, right));
            }
        }
        self.side_facts(low).sent_sack |= beyond;
    }

    /// The places in the other side's stream that SACK blocks name, from and to.
    pub(super) fn sacked(&mut self, segment: &Segment<'_>) -> SmallVec<[(u64, u64); 4]> {
        if segment.flags.syn() || tcp_options_are_plain(segment.options) {
            return SmallVec::new();
        }
        let (stream, facts) = self.both(!segment.from_low);
        let place = |number: u32| stream.offset(number, facts.acked).and_then(|offset| u64::try_from(offset).ok());
        let blocks = tcp_options(segment.options).sack.into_iter().flatten();
        blocks.filter_map(|(left, right)| place(left).zip(place(right))).collect()
    }

    /// A packet without payload may tell by its number that its sender sent more than was seen, one byte of which may be a FIN.
    fn note_reach(&mut self, segment: &Segment<'_>, reach: u64) {
        let (stream, facts) = self.both(segment.from_low);
        let offset = stream.offset(segment.seq, facts.delivered).and_then(|offset| u64::try_from(offset).ok());
        facts.denies |= facts.acked > facts.highest && offset == Some(facts.highest);
        let ahead = offset.filter(|offset| (facts.highest.saturating_add(2)..=facts.highest.saturating_add(reach)).contains(offset));
        if let Some(ahead) = ahead {
            (facts.reached, facts.reached_at) = (ahead, Some(segment.mark));
        }
    }

    /// How many bytes the other side can have sent beyond what was seen of it or acknowledged: the largest window of this one.
    fn reach(&mut self, low: bool) -> u64 {
        let shift = if self.stream(low).origin.is_some() && self.stream(!low).origin.is_some() {
            self.window_shift(low).min(REACH_SHIFT)
        } else {
            0
        };
        0xffff << shift
    }
}

/// The largest window scale that is reckoned with where acknowledgments are judged: 16 MiB, more than systems grow their windows to by default.
const REACH_SHIFT: u8 = 8;

/// An acknowledgment that took at least this long is worth an event.
const PAUSE: Duration = Duration::from_secs(1);
