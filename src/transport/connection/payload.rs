//! Payload: where it belongs, what of it is new, and when a hole before it is given up.

use std::time::Duration;

use super::plain::{ALERT, HANDSHAKE};
use super::{Connection, Room, Step};
use crate::flow::Side;
use crate::limits;
use crate::packet::Segment;
use crate::time::{Mark, Timestamp};
use crate::transport::assembler::{Chunk, slice};
use crate::transport::facts::{Contradicted, FlowEventKind, GapCause};
use crate::transport::sink::{Data, FlowSink, Gap};
use crate::transport::stream::{self, Aside, First};

/// A run of payload bytes that has its place: `bytes`, then more up to `end` that the snapshot length cut off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) bytes: &'a [u8],
    pub(super) mark: Mark,
}

impl<S: FlowSink> Connection<S> {
    /// Takes in what a segment carries.
    pub(super) fn payload(&mut self, shared: &mut S::Shared, room: &mut Room, segment: &Segment<'_>) -> Step {
        let low = segment.from_low;
        let len = u64::from(segment.payload_len);
        let captured = slice(segment.payload, 0, len);
        let peer_is_closed = self.stream(!low).window_closed;
        let (stream, facts) = self.both(low);
        let seq = segment.seq.wrapping_add(u32::from(segment.flags.syn()));
        let Some(start) = stream.offset(seq, facts.delivered) else {
            note_ttl(facts.resets.is_empty() && !stream.ttl_of_data && !segment.flags.syn(), &mut facts.ttl, segment);
            return Step::Continue(());
        };
        let sent = facts.highest.max(facts.acked).cast_signed();
        let bare = len <= 1 && !segment.flags.syn() && !segment.flags.fin();
        let keep_alive = start == sent.saturating_sub(1) && facts.acked.cast_signed() >= sent;
        let window_probe = len == 1 && peer_is_closed && start == facts.acked.cast_signed() && start < facts.highest.cast_signed();
        if bare && (keep_alive || window_probe) {
            facts.keepalives = facts.keepalives.saturating_add(1);
            return self.event(shared, segment.mark, low, FlowEventKind::KeepAlive);
        }
        if len == 0 {
            note_ttl(facts.resets.is_empty() && !stream.ttl_of_data && !segment.flags.syn(), &mut facts.ttl, segment);
            return Step::Continue(());
        }
        // what lies before the first byte of the stream is none of it
        let end = start.saturating_add(len.cast_signed());
        let before = u64::try_from(start.saturating_neg()).unwrap_or(0);
        let (Ok(end), start) = (u64::try_from(end), u64::try_from(start).unwrap_or(0)) else { return Step::Continue(()) };
        if end <= start {
            return Step::Continue(());
        }
        let run = Run { start, end, bytes: slice(captured, before, u64::MAX), mark: segment.mark };
        match self.doubt(segment) {
            Some(why) if self.doubted(why, segment, run) => return Step::Continue(()),
            None if !self.stream(low).doubted.is_empty() => self.dispel(shared, low, run)?,
            _ => {}
        }
        if self.is_to_wait(segment, run) {
            let head = Segment { payload: &[], options: &[], ..*segment };
            self.stream(low).aside = Some(Box::new(Aside { start: run.start, head, bytes: run.bytes.to_vec() }));
            return Step::Continue(());
        }
        if let Some(aside) = self.stream(low).aside.take() {
            self.confront(shared, room, aside, run)?;
        }
        self.compare(shared, segment, run, None)?;
        let run = self.leave_cut_open(low, run);
        self.place(shared, room, low, run)
    }

    /// Where packets come twice, one copy may be cut and the other whole: what is cut off is left open until the other side goes on.
    fn leave_cut_open<'a>(&mut self, low: bool, run: Run<'a>) -> Run<'a> {
        let end = run.start.saturating_add(run.bytes.len() as u64);
        if end >= run.end || self.facts.duplicates == 0 {
            return run;
        }
        let stream = self.stream(low);
        stream.cut_until = stream.cut_until.max(run.end);
        Run { end, ..run }
    }

    /// A copy of a segment that was cut: it may bring what was cut off.
    #[cold]
    pub(super) fn make_whole(&mut self, shared: &mut S::Shared, room: &mut Room, segment: &Segment<'_>) -> Step {
        let low = segment.from_low;
        let (stream, facts) = self.both(low);
        let start = stream.offset(segment.seq, facts.delivered).and_then(|start| u64::try_from(start).ok());
        let whole = segment.payload_len > 0 && segment.payload.len() as u64 >= u64::from(segment.payload_len);
        let Some(start) = start.filter(|_| whole && !segment.flags.syn()) else { return Step::Continue(()) };
        let end = start.saturating_add(u64::from(segment.payload_len));
        if end > stream.cut_until || end <= facts.delivered {
            return Step::Continue(());
        }
        let seen = facts.bytes_seen;
        let step = self.place(shared, room, low, Run { start, end, bytes: segment.payload, mark: segment.mark });
        let facts = self.side_facts(low);
        if facts.bytes_seen > seen {
            facts.snaplen_cut = facts.snaplen_cut.saturating_sub(1);
            facts.cut_before = facts.cut_before.min(facts.snaplen_cut);
        }
        step
    }

    /// No copy brought what was cut off: it is a gap.
    pub(super) fn close_cut(&mut self, shared: &mut S::Shared, room: &mut Room, low: bool, mark: Mark) -> Step {
        loop {
            let (stream, facts) = self.both(low);
            if facts.delivered >= stream.cut_until {
                return Step::Continue(());
            }
            let end = stream.assembler.first().map_or(stream.cut_until, |first| first.min(stream.cut_until));
            self.give_up(shared, low, end, mark)?;
            self.drain(shared, room, low)?;
        }
    }

    /// A server's stream that begins with a few bytes may begin with those of a device on the path, and so may an alert be: they wait until the
    /// client takes them, more follows, or others come in their place.
    fn is_to_wait(&mut self, segment: &Segment<'_>, run: Run<'_>) -> bool {
        let low = segment.from_low;
        let whole = run.bytes.len() as u64 == run.end.saturating_sub(run.start);
        if self.side(low) != Side::Server || run.bytes.len() > limits::ASIDE || !whole || segment.flags.fin() || segment.flags.syn() {
            return false;
        }
        let asked = self.side_facts(!low).highest > 0;
        let speaks_tls = self.stream(!low).begins_tls;
        let (stream, facts) = self.both(low);
        let next = run.start == facts.highest && facts.delivered == facts.highest && facts.acked <= facts.highest;
        asked && next && (run.start == 0 && speaks_tls || run.bytes.first() == Some(&ALERT)) && stream.aside.is_none()
    }

    /// More came of a side whose first bytes wait: it agrees with them, or has others in their place.
    fn confront(&mut self, shared: &mut S::Shared, room: &mut Room, aside: Box<Aside>, run: Run<'_>) -> Step {
        let low = aside.head.from_low;
        if aside.agrees_with(run.start, run.bytes) {
            return self.believe(shared, room, aside);
        }
        let mark = aside.head.mark;
        let first = aside.bytes.first().copied().unwrap_or_default();
        self.side_facts(low).contradicted = Some(Contradicted { mark, len: aside.head.payload_len, ttl: aside.head.ip.ttl, first });
        self.record(run.mark, low, FlowEventKind::DifferingOverlap { offset: run.start });
        Step::Continue(())
    }

    /// Takes in what waited.
    fn believe(&mut self, shared: &mut S::Shared, room: &mut Room, aside: Box<Aside>) -> Step {
        let segment = aside.segment();
        let low = segment.from_low;
        let end = aside.start.saturating_add(aside.bytes.len() as u64);
        let run = Run { start: aside.start, end, bytes: &aside.bytes, mark: segment.mark };
        self.compare(shared, &segment, run, None)?;
        let is_alert = aside.bytes.first() == Some(&ALERT);
        if is_alert {
            self.side_facts(low).alert_ttl = Some((segment.mark, segment.ip.ttl));
        }
        let step = self.place(shared, room, low, run);
        self.stream(low).alert = is_alert.then_some(aside);
        step
    }

    /// Takes in what a side's stream begins with, where it waits: nothing can be learnt about it any more.
    pub(super) fn believe_waiting(&mut self, shared: &mut S::Shared, room: &mut Room, low: bool) -> Step {
        self.believe_doubted(shared, room, low)?;
        match self.stream(low).aside.take() {
            Some(aside) => self.believe(shared, room, aside),
            None => Step::Continue(()),
        }
    }

    /// The other side reacts to what waits: it acknowledges it, or breaks off.
    pub(super) fn settle_waiting(&mut self, shared: &mut S::Shared, room: &mut Room, segment: &Segment<'_>) -> Step {
        let low = !segment.from_low;
        let stream = self.stream(low);
        let Some(aside) = &stream.aside else { return Step::Continue(()) };
        let end = aside.start.saturating_add(aside.bytes.len() as u64);
        let acked = segment.flags.ack() && stream.offset(segment.ack, end).is_some_and(|offset| offset >= end.cast_signed());
        if acked || segment.flags.rst() || segment.flags.fin() { self.believe_waiting(shared, room, low) } else { Step::Continue(()) }
    }

    /// Counts a run as new, sent again, or both. Whether it is damaged is asked of the segment where it is not told.
    pub(super) fn compare(&mut self, shared: &mut S::Shared, segment: &Segment<'_>, run: Run<'_>, damaged: Option<bool>) -> Step {
        let Run { start, end, bytes, mark } = run;
        let low = segment.from_low;
        let (stream, facts) = self.both(low);
        let known = facts.delivered;
        let delivered_before = start < known && stream.has_any_outside_gaps(start, end.min(known));
        let overlaps = delivered_before || stream.assembler.overlaps(start, end);
        let whole = bytes.len() as u64 == end - start;
        let digest = whole.then(|| stream::digest(bytes));
        let mut differs = None;
        if overlaps {
            differs = stream.assembler.difference(start, bytes);
            if stream.sent_again(start, end, segment, digest) {
                differs = differs.or(Some(start));
            }
            // Whoever takes an alert closes, and what follows finds it acknowledged: the sender's own answer, if it sent none.
            let denied = stream.alert.take_if(|alert| !alert.agrees_with(start, bytes));
            differs = differs.or_else(|| denied.map(|alert| alert.start));
            let damaged = damaged.unwrap_or_else(|| segment.is_damaged());
            // Its receiver drops it: nobody means what it says.
            differs = differs.filter(|_| !damaged);
            facts.retransmits = facts.retransmits.saturating_add(1);
            facts.damaged = facts.damaged.saturating_add(u32::from(damaged));
        }
        // of new bytes, those beyond the highest are what is outstanding now; a late one that fills a hole is, too
        let new_from = if overlaps { start.max(facts.highest) } else { start };
        let brings_new = end > known && new_from < end;
        let mut late = false;
        if brings_new {
            if end > facts.acked {
                stream.sent(new_from, end, segment, digest.filter(|_| new_from == start));
            } else if !overlaps {
                // its acknowledgment was captured before it
                facts.largest_acked_segment = facts.largest_acked_segment.max(segment.payload_len);
                late = true;
            }
            note_ttl(facts.resets.is_empty() || facts.ttl.is_none(), &mut facts.ttl, segment);
            stream.ttl_of_data |= facts.resets.is_empty();
            for reset in &mut facts.resets {
                reset.data_after = reset.data_after.saturating_add(1);
            }
            facts.last_data = Some(mark);
        }
        if facts.first_data.is_none() {
            facts.first_data = Some(mark);
            stream.first = Some(First::with(segment, digest.unwrap_or_else(|| stream::digest(bytes))));
        }
        stream.begins_tls |= start == 0 && bytes.first() == Some(&HANDSHAKE);
        facts.highest = facts.highest.max(end);
        self.facts.out_of_step = self.facts.out_of_step.saturating_add(u32::from(late));
        if overlaps {
            let len = u32::try_from(end - start).unwrap_or(u32::MAX);
            self.event(shared, mark, low, FlowEventKind::Retransmission { offset: start, len })?;
        }
        if let Some(offset) = differs {
            let facts = self.side_facts(low);
            facts.differing_overlaps = facts.differing_overlaps.saturating_add(1);
            self.event(shared, mark, low, FlowEventKind::DifferingOverlap { offset })?;
        }
        Step::Continue(())
    }

    /// Delivers a run, or keeps it until what lies before it has come.
    pub(super) fn place(&mut self, shared: &mut S::Shared, room: &mut Room, low: bool, run: Run<'_>) -> Step {
        loop {
            let (stream, facts) = self.both(low);
            let next = facts.delivered;
            if run.end <= next || run.end <= run.start {
                return Step::Continue(());
            }
            if run.start <= next {
                let waiting = stream.assembler.first();
                let end = waiting.map_or(run.end, |first| first.min(run.end));
                let bytes = slice(run.bytes, next - run.start, end - run.start);
                facts.bytes_seen = facts.bytes_seen.saturating_add(bytes.len() as u64);
                self.deliver(shared, low, bytes, end, run.mark)?;
                self.drain(shared, room, low)?;
                if waiting.is_some() {
                    self.was_overtaken(low, end, run.mark.time);
                }
                continue;
            }
            let cost = Chunk::cost_of(run.bytes.len());
            if stream.assembler.cost() + cost > room.limits.buffered_per_side {
                let hole_end = stream.assembler.first().map_or(run.start, |first| first.min(run.start));
                room.counters.buffer_overflows += 1;
                self.give_up(shared, low, hole_end, run.mark)?;
                self.drain(shared, room, low)?;
                continue;
            }
            let before = stream.assembler.cost();
            let cut = (run.end - run.start).saturating_sub(run.bytes.len() as u64);
            let kept = stream.assembler.insert(run.start, run.bytes, cut, run.mark);
            let added = stream.assembler.cost() - before;
            facts.bytes_seen = facts.bytes_seen.saturating_add(kept);
            room.buffered += added;
            self.watch_hole(low, run.mark.time);
            // What lies behind a cut has overtaken nothing.
            if added == 0 || next < self.stream(low).cut_until {
                return Step::Continue(());
            }
            let len = u32::try_from(run.end - run.start).unwrap_or(u32::MAX);
            return self.event(shared, run.mark, low, FlowEventKind::OutOfOrder { offset: run.start, len });
        }
    }

    /// A hole that ended at `end` was filled. What came beyond it less than half a round trip ago was only faster than what fills it: to be sent again
    /// because of it takes a whole one.
    #[cold]
    fn was_overtaken(&mut self, low: bool, end: u64, time: Timestamp) {
        let side = self.side(low);
        let filled = end..self.side_facts(low).delivered;
        let Some(rtt) = self.facts.least_rtt() else { return };
        let recent = self.facts.events.iter_mut().rev().take_while(|event| time.since(event.mark.time) < rtt / 2);
        for event in recent.filter(|event| event.side == side) {
            if let FlowEventKind::OutOfOrder { offset, len } = event.kind
                && filled.contains(&offset)
            {
                event.kind = FlowEventKind::Overtook { offset, len };
            }
        }
    }

    /// Hands on everything up to `end`: `bytes`, then a gap for what the snapshot length cut.
    fn deliver(&mut self, shared: &mut S::Shared, low: bool, bytes: &[u8], end: u64, mark: Mark) -> Step {
        let side = self.side(low);
        let facts = self.side_facts(low);
        let offset = facts.delivered;
        let cut_from = offset.saturating_add(bytes.len() as u64);
        if !bytes.is_empty() {
            facts.delivered = cut_from;
            let interest = self.sink.data(shared, &self.facts, Data { side, offset, bytes, mark: &mark });
            self.heed(interest)?;
        }
        if cut_from < end { self.gap(shared, low, end, GapCause::Snaplen, mark) } else { Step::Continue(()) }
    }

    /// Delivers what waited for the bytes just delivered.
    pub(super) fn drain(&mut self, shared: &mut S::Shared, room: &mut Room, low: bool) -> Step {
        loop {
            let (stream, facts) = self.both(low);
            let Some((start, chunk)) = stream.assembler.take(facts.delivered) else {
                if stream.hole_acked.is_some() && stream.assembler.first().is_none_or(|first| facts.acked < first) {
                    stream.hole_acked = None;
                }
                return Step::Continue(());
            };
            room.buffered = room.buffered.saturating_sub(chunk.cost());
            let end = start.saturating_add(chunk.bytes.len() as u64).saturating_add(chunk.cut);
            self.deliver(shared, low, &chunk.bytes, end, chunk.mark)?;
        }
    }

    /// Gives up a side's bytes up to `end`, as lost by the capture when the other side has them all.
    pub(super) fn give_up(&mut self, shared: &mut S::Shared, low: bool, end: u64, mark: Mark) -> Step {
        let (stream, facts) = self.both(low);
        stream.hole_acked = None;
        stream.give_up(facts.delivered, end);
        let why = if end <= stream.cut_until {
            GapCause::Snaplen
        } else if facts.acked >= end {
            GapCause::CaptureLost
        } else {
            GapCause::Unacknowledged
        };
        self.gap(shared, low, end, why, mark)
    }

    fn gap(&mut self, shared: &mut S::Shared, low: bool, end: u64, why: GapCause, mark: Mark) -> Step {
        let side = self.side(low);
        let facts = self.side_facts(low);
        let offset = facts.delivered;
        let Some(len) = end.checked_sub(offset).filter(|len| *len > 0) else { return Step::Continue(()) };
        facts.delivered = end;
        facts.gap_bytes = facts.gap_bytes.saturating_add(len);
        if why == GapCause::CaptureLost {
            facts.gap_bytes_acked = facts.gap_bytes_acked.saturating_add(len);
        }
        self.record(mark, low, FlowEventKind::Gap { offset, len, why });
        let interest = self.sink.gap(shared, &self.facts, Gap { side, offset, len, why, mark });
        self.heed(interest)
    }

    /// Remembers when the first hole of a side was first seen to be acknowledged.
    pub(super) fn watch_hole(&mut self, low: bool, now: Timestamp) {
        let packets = self.packets;
        let (stream, facts) = self.both(low);
        if stream.hole_acked.is_none() && stream.assembler.first().is_some_and(|first| facts.acked >= first) {
            // acknowledged before anything behind the hole was seen: it has been certain since then
            let since = facts.acked_at.map_or(now, |mark| mark.time.min(now));
            stream.hole_acked = Some((since, packets));
        }
    }

    /// Gives up holes that the other side has acknowledged, once they have had time to come late: captures from several queues show
    /// an acknowledgment before the bytes it is for.
    pub(super) fn holes(&mut self, shared: &mut S::Shared, room: &mut Room, mark: Mark) -> Step {
        for low in [true, false] {
            while let Some((since, packets)) = self.stream(low).hole_acked {
                if mark.time.since(since) < LATE && self.packets.wrapping_sub(packets) < LATE_PACKETS {
                    break;
                }
                self.give_up_acknowledged(shared, room, low, mark)?;
            }
        }
        Step::Continue(())
    }

    /// Gives up the first hole of a side if it is acknowledged, and delivers what waited behind it.
    pub(super) fn give_up_acknowledged(&mut self, shared: &mut S::Shared, room: &mut Room, low: bool, mark: Mark) -> Step {
        let (stream, facts) = self.both(low);
        stream.hole_acked = None;
        let Some(end) = stream.assembler.first().filter(|first| facts.acked >= *first) else { return Step::Continue(()) };
        self.give_up(shared, low, end, mark)?;
        self.drain(shared, room, low)?;
        self.watch_hole(low, mark.time);
        Step::Continue(())
    }
}

fn note_ttl(wanted: bool, ttl: &mut Option<u8>, segment: &Segment<'_>) {
    if wanted {
        *ttl = Some(segment.ip.ttl);
    }
}

/// Packet time that bytes may come after their acknowledgment.
const LATE: Duration = Duration::from_millis(10);

/// Packets of the connection that may come between.
const LATE_PACKETS: u32 = 3;
