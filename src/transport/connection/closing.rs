//! RSTs, quiet, and the end.

use std::time::Duration;

use super::{Connection, Room, Step};
use crate::count::low_bits;
use crate::flow::Side;
use crate::limits;
use crate::packet::Segment;
use crate::time::{Mark, Timestamp};
use crate::traffic::Row;
use crate::transport::facts::{FlowEventKind, Reset};
use crate::transport::sink::{Close, FlowSink, QUIET_TICKS};

impl<S: FlowSink> Connection<S> {
    /// RST. Judges nothing: neither its payload nor its acknowledgment is believed, for it may be forged.
    pub(super) fn reset(&mut self, shared: &mut S::Shared, segment: &Segment<'_>) -> Step {
        let low = segment.from_low;
        let peer = self.stream(!low);
        let (peer_ack, peer_window, peer_origin) = (peer.last_ack, peer.window, peer.origin);
        let shift = self.window_shift(!low);
        let peer_syn = self.side_facts(!low).syn;
        let (peer_acked, peer_heard) = (self.side_facts(!low).acked, self.side_facts(!low).packets > 0);
        let peer = self.stream(!low);
        let answered = peer.offset(segment.ack, peer_acked).and_then(|offset| u64::try_from(offset).ok());
        let answers = answered.filter(|_| segment.flags.ack()).and_then(|offset| peer.sent_up_to(offset));
        let established = self.facts.established().is_some();
        let (stream, facts) = self.both(low);
        let to_syn = peer_syn.is_some() && facts.syn.is_none() && facts.data_packets == 0 && !established;
        let sent = facts.highest.max(facts.acked).saturating_add(u64::from(facts.fin.is_some()));
        let own_next = stream.origin.map(|origin| origin.wrapping_add(low_bits(sent))).or(peer_ack);
        let seq_distance = own_next.map_or(0, |next| i64::from(segment.seq.wrapping_sub(next).cast_signed()));
        let ack_before = stream.last_ack.or(peer_origin).filter(|_| segment.flags.ack());
        let ack_distance = ack_before.map(|before| i64::from(segment.ack.wrapping_sub(before).cast_signed()));
        let in_window = if to_syn {
            // RFC 9293 section 3.10.7.3: in SYN-SENT a RST counts when it acknowledges the SYN
            segment.flags.ack() && ack_distance == Some(0)
        } else {
            let edge = peer_ack.or_else(|| stream.origin.map(|origin| origin.wrapping_add(low_bits(facts.acked))));
            // Where the peer was never heard its window may be any.
            let size = if peer_heard { (u64::from(peer_window) << shift).max(1) } else { LARGEST_WINDOW };
            edge.is_some_and(|edge| u64::from(segment.seq.wrapping_sub(edge)) < size)
        };
        // It takes its number from what it answers: what the other side acknowledged last or, where that was on its way, before.
        let answers_ack = peer_ack.is_some_and(|acked| {
            let before = acked.wrapping_sub(segment.seq);
            let known = stream.origin.map_or(0, |origin| acked.wrapping_sub(origin));
            before <= known
        });
        let index = facts.resets.len();
        let Some(kind) = u8::try_from(index).ok().filter(|_| index < limits::RESETS).map(|index| FlowEventKind::Rst { index }) else {
            facts.resets_dropped = facts.resets_dropped.saturating_add(1);
            return Step::Continue(());
        };
        facts.resets.push(Reset {
            mark: segment.mark,
            seq_distance,
            ack_distance,
            in_window,
            ttl: segment.ip.ttl,
            ip_id: segment.ip.id,
            packets_after: 0,
            data_after: 0,
            to_syn,
            unknowing: !segment.flags.ack() && !to_syn && answers_ack,
            answers,
        });
        self.event(shared, segment.mark, low, kind)
    }

    /// The shift of a side's announced windows. Where the SYNs were not seen it is not known, and the largest is taken: rather too few RSTs
    /// are called out of window than too many.
    pub(super) fn window_shift(&mut self, low: bool) -> u8 {
        let (own, other) = (self.side_facts(low).syn, self.side_facts(!low).syn);
        match (own, other) {
            (Some(own), Some(other)) => {
                own.window_scale.filter(|_| other.window_scale.is_some()).map_or(0, |shift| shift.min(LARGEST_SHIFT))
            }
            _ => LARGEST_SHIFT,
        }
    }

    /// Time has passed, and no packet of this connection may have come: holes that are certain, then quiet for the sink to judge. `Some` when
    /// it is to be closed.
    pub(in crate::transport) fn tick(&mut self, shared: &mut S::Shared, room: &mut Room, now: Mark) -> Option<Close> {
        if self.holes(shared, room, now).is_break() {
            return Some(Close::Settled);
        }
        let quiet = now.time.since(self.heard_last(room, now.time));
        if quiet >= Duration::from_secs(1) && [true, false].into_iter().any(|low| self.believe_waiting(shared, room, low).is_break()) {
            return Some(Close::Settled);
        }
        let (limit, close) = self.patience(room);
        if quiet >= limit {
            return Some(close);
        }
        // One that sends the same again and again is not quiet, and makes no progress either.
        if quiet >= Duration::from_secs(1) || room.limits.is_watched() {
            let interest = self.sink.tick(shared, &self.facts, now);
            if self.heed(interest).is_break() {
                return Some(Close::Settled);
            }
        }
        None
    }

    /// When to look at the connection next, not before `now`: at the next step of quiet, or when patience ends.
    pub(in crate::transport) fn next_look(&self, room: &Room, now: Timestamp) -> Timestamp {
        let latest = self.heard_last(room, now);
        let quiet = now.since(latest).as_secs();
        if room.limits.is_watched() && quiet < QUIET_TICKS {
            return now.after(WATCHED).min(latest.after(self.patience(room).0));
        }
        let step = if quiet < QUIET_TICKS { quiet + 1 } else { QUIET_TICKS << (quiet / QUIET_TICKS).ilog2().saturating_add(1).min(32) };
        latest.after(Duration::from_secs(step).min(self.patience(room).0))
    }

    /// Its latest packet, moved by the time since in which its source was not heard.
    fn heard_last(&self, room: &Room, now: Timestamp) -> Timestamp {
        self.latest.after(room.watch.unheard(self.facts.interface, self.facts.last.frame, now))
    }

    /// How long it may be quiet, and what its end is called then.
    fn patience(&self, room: &Room) -> (Duration, Close) {
        let (client, server) = (&self.facts.sides.client, &self.facts.sides.server);
        let fins = u8::from(client.fin.is_some()) + u8::from(server.fin.is_some());
        if self.was_reset() || fins == 2 {
            (room.limits.linger, Close::Ended)
        } else if fins == 1 {
            (ONE_FIN_QUIET.min(room.limits.idle), Close::Ended)
        } else if !self.got_beyond_syn() {
            (room.limits.half_open_idle, Close::Idle)
        } else {
            (room.limits.idle, Close::Idle)
        }
    }

    /// More was seen than SYN, SYN-ACK and RST.
    pub(in crate::transport) fn got_beyond_syn(&self) -> bool {
        self.facts.established().is_some() || self.facts.sides.client.data_packets > 0 || self.facts.sides.server.data_packets > 0
    }

    /// It has ended, as far as its packets say.
    pub(in crate::transport) fn has_ended(&self) -> bool {
        self.was_reset() || Side::BOTH.iter().all(|side| self.facts.side(*side).fin.is_some())
    }

    /// A RST was seen, and its side sent no new data after it, which would show that it did not send the RST.
    pub(super) fn was_reset(&self) -> bool {
        Side::BOTH.iter().any(|side| self.facts.side(*side).resets.last().is_some_and(|reset| reset.data_after == 0))
    }

    /// The bound of all buffered bytes is hit: gives up every hole.
    pub(in crate::transport) fn give_up_all(&mut self, shared: &mut S::Shared, room: &mut Room, mark: Mark) -> Step {
        for low in [true, false] {
            while let Some(end) = self.stream(low).assembler.first() {
                room.counters.buffer_overflows += 1;
                self.give_up(shared, low, end, mark)?;
                self.drain(shared, room, low)?;
            }
        }
        Step::Continue(())
    }

    /// Ends it: delivers what is certain, completes the facts, and gives the sink its last call. The facts' outstanding segments and stranded
    /// bytes are filled in here.
    #[allow(clippy::boxed_local, reason = "a connection is large and is not to be moved")]
    pub(in crate::transport) fn finish(mut self: Box<Self>, shared: &mut S::Shared, room: &mut Room, close: Close, now: Mark) -> Row {
        if !matches!(close, Close::Settled | Close::Ended) {
            self.facts.unheard_from = room.watch.lapse(self.facts.interface, self.facts.last.frame);
        }
        if close != Close::Settled {
            // a sink that settles here is closed the way it would have been anyway
            let _ = self.deliver_certain(shared, room, now);
        }
        for side in Side::BOTH {
            let (stream, facts) = (self.streams.of_mut(side), self.facts.sides.of_mut(side));
            room.buffered = room.buffered.saturating_sub(stream.assembler.cost());
            facts.stranded_bytes = stream.assembler.bytes();
            if stream.fin_acked {
                facts.fins_in_vain = 0;
            }
            let first = facts.syn.and_then(|syn| syn.timestamp);
            facts.clock_behind = first.and_then(|first| stream.repeats_behind(first));
            facts.outstanding = stream.unacked.iter().map(|unacked| unacked.segment).collect();
        }
        if !self.got_beyond_syn() {
            room.counters.half_open += 1;
        }
        if close == Close::Evicted {
            room.counters.evicted += 1;
        }
        let Self { ref mut sink, facts, .. } = *self;
        let row = sink.count(shared, &facts);
        sink.finish(shared, facts, close, now);
        row
    }

    /// Holes whose end is acknowledged, and bytes that were acknowledged and of which nothing was seen at all.
    fn deliver_certain(&mut self, shared: &mut S::Shared, room: &mut Room, now: Mark) -> Step {
        for low in [true, false] {
            self.believe_waiting(shared, room, low)?;
            self.close_cut(shared, room, low, now)?;
            while self.stream(low).hole_acked.is_some() {
                self.give_up_acknowledged(shared, room, low, now)?;
            }
            let (stream, facts) = self.both(low);
            // a single byte may be a FIN that the capture lost
            let least = if facts.fin.is_some() { 1 } else { 2 };
            let end = facts.acked;
            if stream.assembler.is_empty() && end.saturating_sub(facts.delivered) >= least {
                self.give_up(shared, low, end, now)?;
            }
        }
        Step::Continue(())
    }
}

/// Quiet time after which a connection with a FIN from one side only is given up: such a side often waits for the other, rarely this long.
const ONE_FIN_QUIET: Duration = Duration::from_secs(60);

/// RFC 7323 section 2.3.
const LARGEST_SHIFT: u8 = 14;

/// The largest window that can be announced.
const LARGEST_WINDOW: u64 = (u16::MAX as u64) << LARGEST_SHIFT;

/// How often a connection is looked at where someone watches.
const WATCHED: Duration = Duration::from_millis(500);
