//! One connection: what a segment means to it.
//!
//! A segment is taken apart in a fixed order: duplicate, counts and window, SYN, RST, acknowledgment, payload, FIN, holes that became
//! certain. After each call into the sink the roles may have been swapped; so everything here is told the sender as "is
//! [`FlowKey::low`](crate::flow::FlowKey::low)", and asks for its [`Side`] anew.

mod ack;
mod closing;
mod doubt;
mod opening;
mod payload;
mod plain;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::bounds::{TableCounters, TableLimits};
use super::facts::{FlowEvent, FlowEventKind, FlowFacts, Roles, SideFacts, ZeroWindow, note_unfinished};
use super::half_open::Bare;
use super::prefetch::{prefetch, prefetch_front};
use super::roles;
use super::sink::{FlowSink, Interest};
use super::stream::{Doubted, Stream, Unacked};
use crate::count::low_bits;
use crate::flow::{PerSide, Side};
use crate::limits;
use crate::packet::{IcmpError, IcmpKind, LostFragments, Segment, tcp_timestamps};
use crate::time::{Mark, Timestamp};
use crate::transport::facts::IcmpNote;
use crate::watch::Watch;

#[cfg(test)]
mod tests;

pub(super) use opening::Reuse;

/// One connection and the sink that follows it. What each packet touches comes first, here as in its parts: it lies in as few lines of memory as
/// can be, for these have left the cache when the next packet comes.
#[derive(Debug)]
#[repr(C)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own; no two make a state")]
pub(super) struct Connection<S> {
    /// The hash of its key by which the table finds it: no two connections share one.
    pub(super) hash: u64,
    /// What its packets showed.
    pub(super) facts: Box<FlowFacts>,
    /// The second of its last move in the order of use.
    pub(super) touched: i64,
    /// The second at which the table looks at it next.
    pub(super) armed: i64,
    /// The latest packet time so far.
    latest: Timestamp,
    /// Packets of both sides; wraps.
    packets: u32,
    /// It is in the table's queue of connections with buffered bytes.
    pub(super) queued: bool,
    /// It was promoted from half open, and nothing but SYN, SYN-ACK and RST was seen since.
    pub(super) bare: bool,
    /// Its list of events has grown since it was weighed.
    pub(super) grew: bool,
    /// Nothing is amiss: segments may take the [short way](plain).
    calm: bool,
    /// Only one side was seen so far, which may be a copy of another's.
    pub(super) lonely: bool,
    /// A long pause ended, and whether it was one is for the timestamps to say.
    paused: bool,
    streams: PerSide<Stream>,
    /// What follows it.
    pub(super) sink: S,
    /// A SYN that may open another connection with the same addresses and ports, and the time its [`Bare`] counts from.
    challenger: Option<(Bare, Mark)>,
    pause: Option<Pause>,
    /// Bytes that the table knows it to take.
    pub(super) noted: usize,
}

/// A pause in which no packet was captured.
#[derive(Debug, Clone, Copy)]
struct Pause {
    /// When the packet before it came, and where the one behind it did.
    from: Timestamp,
    to: Mark,
    /// Who sent that one.
    by_low: bool,
    /// The other side's timestamp that it echoes, which that side set before the pause.
    echoed: u32,
}

/// What the connections of a table share besides the sinks' own.
#[derive(Debug)]
pub(super) struct Room {
    /// The bounds.
    pub(super) limits: TableLimits,
    /// The counts.
    pub(super) counters: TableCounters,
    /// Out-of-order bytes that wait, with what holding them costs.
    pub(super) buffered: usize,
    /// When the sources were heard.
    pub(super) watch: Arc<Watch>,
}

/// Whether the sink wants more; `Break` when it is settled.
pub(super) type Step = ControlFlow<()>;

impl<S: FlowSink> Connection<S> {
    /// A connection that begins with this segment, which has not been looked at yet. It is large, and made where it is to stay.
    pub(super) fn begun(shared: &mut S::Shared, segment: &Segment<'_>, interface: u32, hash: u64) -> Box<Self> {
        Box::write(Box::new_uninit(), Self::new(shared, segment, interface, hash))
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "in one place, to be made there")]
    fn new(shared: &mut S::Shared, segment: &Segment<'_>, interface: u32, hash: u64) -> Self {
        let handshake = segment.flags.syn();
        let sender_is_client =
            if handshake { !segment.flags.ack() } else { roles::sender_is_client(segment.source(), segment.destination()) };
        let roles = if handshake { Roles::Handshake } else { Roles::Guessed };
        let client_is_low = sender_is_client == segment.from_low;
        let mut facts =
            Box::write(Box::new_uninit(), FlowFacts::new(segment.key, client_is_low, roles, segment.path, segment.mark, interface));
        facts.events.reserve(USUAL_EVENTS);
        Self {
            sink: S::new(shared, &segment.key),
            facts,
            hash,
            armed: i64::MIN,
            touched: i64::MIN,
            queued: false,
            bare: false,
            grew: false,
            calm: false,
            lonely: false,
            streams: PerSide::default(),
            latest: segment.mark.time,
            packets: 0,
            challenger: None,
            noted: 0,
            paused: false,
            pause: None,
        }
    }

    /// A segment comes in a moment, which may have payload: asks for the memory that it touches.
    #[inline]
    pub(super) fn prefetch(&self, payload: bool) {
        prefetch(&self.hash);
        for side in Side::BOTH {
            prefetch_front(self.streams.of(side), Stream::BUSY);
        }
        if payload {
            prefetch(&self.sink);
        }
    }

    /// The same, a moment later, for what that points at.
    #[inline]
    pub(super) fn prefetch_more(&self, payload: bool) {
        prefetch_front(self.facts.as_ref(), FlowFacts::BUSY);
        for side in Side::BOTH {
            prefetch_front(self.facts.sides.of(side), SideFacts::BUSY);
            if let (front @ [_, ..], _) = self.streams.of(side).unacked.as_slices() {
                prefetch_front(front, size_of_val(front).min(ACKED_AT_ONCE * size_of::<Unacked>()));
            }
        }
        if payload {
            self.sink.prefetch();
        }
    }

    /// Takes in one segment.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once a packet of a connection that is followed")]
    pub(super) fn segment(&mut self, shared: &mut S::Shared, room: &mut Room, segment: &Segment<'_>) -> Step {
        let low = segment.from_low;
        let peer_packets = self.side_facts(!low).packets;
        if self.stream(low).is_duplicate(segment, peer_packets) && !self.stream(low).doubts_in_place_of(segment) {
            self.facts.duplicates = self.facts.duplicates.saturating_add(1);
            let facts = self.side_facts(low);
            facts.copies = facts.copies.saturating_add(1);
            room.counters.duplicates += 1;
            return if self.stream(low).cut_until == 0 { Step::Continue(()) } else { self.make_whole(shared, room, segment) };
        }
        if let Some(step) = self.go_on(shared, segment) {
            return step;
        }
        let step = self.take_apart(shared, room, segment);
        self.calm = self.is_calm();
        step
    }

    /// The long way, which any segment can take.
    #[inline(never)]
    fn take_apart(&mut self, shared: &mut S::Shared, room: &mut Room, segment: &Segment<'_>) -> Step {
        let low = segment.from_low;
        self.count(segment);
        if self.is_foreign(segment) {
            return self.holes(shared, room, segment.mark);
        }
        self.window(shared, segment)?;
        if self.stream(!low).aside.is_some() {
            self.settle_waiting(shared, room, segment)?;
        }
        if !self.stream(!low).doubted.is_empty() {
            self.settle_doubted(shared, room, segment)?;
        }
        if segment.payload_len > 0 || segment.flags.rst() || segment.flags.fin() {
            self.close_cut(shared, room, !low, segment.mark)?;
        }
        let decoy = self.side(low) == Side::Client && self.is_spent(segment);
        if (segment.flags.rst() || segment.flags.fin()) && segment.payload_len == 0 && !decoy {
            self.believe_waiting(shared, room, low)?;
        }
        if segment.flags.rst() {
            self.reset(shared, segment)?;
            return self.holes(shared, room, segment.mark);
        }
        if segment.flags.syn() {
            self.syn(shared, segment)?;
        }
        if segment.flags.ack() {
            self.acknowledgment(shared, segment)?;
        }
        if segment.payload_len > 0 || segment.flags.fin() {
            let (stream, facts) = self.both(low);
            stream.anchor(segment.seq.wrapping_add(u32::from(segment.flags.syn())), &mut facts.acked);
        }
        let fin = segment.flags.fin() && self.note_fin(segment);
        let step = self.payload(shared, room, segment);
        if fin {
            if step.is_break() {
                self.record(segment.mark, low, FlowEventKind::Fin);
            } else {
                self.event(shared, segment.mark, low, FlowEventKind::Fin)?;
            }
        }
        step?;
        self.holes(shared, room, segment.mark)
    }

    /// Takes in an ICMP error that quotes it.
    pub(super) fn icmp(&mut self, shared: &mut S::Shared, error: &IcmpError) -> Step {
        let index = self.facts.icmp.len();
        let Some(kind) = u8::try_from(index).ok().filter(|_| index < limits::ICMP_NOTES).map(|index| FlowEventKind::Icmp { index }) else {
            return Step::Continue(());
        };
        let note = IcmpNote::of(error, self.side(error.quoted_from_low));
        if self.facts.icmp.last().is_some_and(|last| last.is_copied_by(&note)) {
            return Step::Continue(());
        }
        self.calm = false;
        self.facts.icmp.push(note);
        self.event(shared, error.mark, error.quoted_from_low, kind)
    }

    /// Bytes that it takes with all that it holds. What waits out of order has a bound of its own.
    pub(super) fn weight(&self) -> usize {
        let facts = &self.facts;
        let events = facts.events.capacity() * size_of::<FlowEvent>();
        let unacked = self.streams.client.unacked.capacity() + self.streams.server.unacked.capacity();
        let doubted: usize = self.streams.client.doubted.iter().map(Doubted::cost).sum();
        let lists = events + unacked * size_of::<Unacked>() + doubted;
        size_of::<Self>() + size_of::<FlowFacts>() + lists + self.sink.weight() + limits::FLOW_OVERHEAD
    }

    /// A packet of it came in fragments and never became whole.
    pub(super) fn unfinished(&mut self, lost: &LostFragments) {
        self.calm = false;
        note_unfinished(self.side_facts(lost.from_low), lost);
    }

    /// Out-of-order bytes wait.
    pub(super) fn has_waiting(&self) -> bool {
        !(self.streams.client.assembler.is_empty() && self.streams.server.assembler.is_empty())
    }

    /// The role of the sender of a packet.
    pub(super) const fn side(&self, low: bool) -> Side {
        if low == self.facts.client_is_low { Side::Client } else { Side::Server }
    }

    const fn stream(&mut self, low: bool) -> &mut Stream {
        let side = self.side(low);
        self.streams.of_mut(side)
    }

    const fn side_facts(&mut self, low: bool) -> &mut SideFacts {
        let side = self.side(low);
        self.facts.sides.of_mut(side)
    }

    /// Both the state and the facts of a sender.
    const fn both(&mut self, low: bool) -> (&mut Stream, &mut SideFacts) {
        let side = self.side(low);
        (self.streams.of_mut(side), self.facts.sides.of_mut(side))
    }

    /// Counts a segment that takes the long way.
    fn count(&mut self, segment: &Segment<'_>) {
        let mark = segment.mark;
        if self.latest > mark.time && self.latest.since(mark.time) > CLOCK_TOLERANCE {
            self.facts.clock_steps_back = self.facts.clock_steps_back.saturating_add(1);
        }
        self.facts.fragmented_packets = self.facts.fragmented_packets.saturating_add(u32::from(segment.ip.was_fragmented));
        let about = self.side(segment.from_low);
        for note in self.facts.icmp.iter_mut().filter(|note| note.about == about) {
            if matches!(note.kind, IcmpKind::TooBig(mtu) if mtu > 0 && segment.ip.total_len > mtu) {
                note.ignored = note.ignored.saturating_add(1);
            }
        }
        let facts = self.side_facts(segment.from_low);
        if !segment.flags.rst() {
            for reset in &mut facts.resets {
                reset.packets_after = reset.packets_after.saturating_add(1);
            }
        }
        let cut = segment.payload.len() < segment.payload_len as usize;
        facts.snaplen_cut = facts.snaplen_cut.saturating_add(u32::from(cut));
        facts.cut_before = facts.cut_before.saturating_add(u32::from(cut && segment.ip.was_cut));
        self.count_any(segment);
    }

    /// Counts what every segment counts for.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once a packet of a connection that is followed")]
    fn count_any(&mut self, segment: &Segment<'_>) {
        let mark = segment.mark;
        if self.paused || mark.time >= self.latest.after(STEP) {
            self.note_pace(segment);
            self.look_at_pause(segment);
        }
        self.packets = self.packets.wrapping_add(1);
        self.facts.last = mark;
        self.latest = self.latest.max(mark.time);
        let side = self.side(segment.from_low);
        let facts = self.facts.sides.of_mut(side);
        facts.packets = facts.packets.saturating_add(1);
        facts.last_packet = Some(mark);
        facts.ids.note(segment.ip.id, mark);
        let len = segment.payload_len;
        if len > 0 {
            facts.data_packets = facts.data_packets.saturating_add(1);
            facts.largest_segment = facts.largest_segment.max(len);
            if self.streams.of(side.other()).mss.is_some_and(|mss| len > u32::from(mss)) {
                facts.above_mss = facts.above_mss.saturating_add(1);
            }
        }
    }

    /// Counts a segment that goes on where its side left off, after a pause in which that side had nothing under way and nothing to wait for.
    #[cold]
    fn note_pace(&mut self, segment: &Segment<'_>) {
        if segment.payload_len == 0 || segment.mark.time < self.latest.after(STEP) {
            return;
        }
        let heard = self.side_facts(!segment.from_low).last_data;
        let (stream, facts) = self.both(segment.from_low);
        let spoke_last = facts.last_data.is_some_and(|last| heard.is_none_or(|heard| heard.frame < last.frame));
        let all_arrived = facts.highest > 0 && facts.acked == facts.highest && facts.delivered == facts.highest;
        if spoke_last && all_arrived && stream.origin.map(|origin| origin.wrapping_add(low_bits(facts.highest))) == Some(segment.seq) {
            facts.paced = facts.paced.saturating_add(1);
        }
    }

    /// A packet that follows a long pause echoes what the other side's clock showed before it, and the next packet of that side tells what it shows
    /// now. If that is next to nothing later, there was no pause: the capturing host's clock was set.
    #[cold]
    fn look_at_pause(&mut self, segment: &Segment<'_>) {
        let (mark, timestamps) = (segment.mark, tcp_timestamps(segment.options));
        if let Some(pause) = self.pause.filter(|pause| pause.by_low != segment.from_low) {
            (self.pause, self.paused) = (None, false);
            let elapsed = mark.time.since(pause.from);
            // RFC 7323 section 5.4 allows a tick a second; no system in use has less than ten.
            let denied = |own: u32| u128::from(own.wrapping_sub(pause.echoed)) < elapsed.as_millis() / 200;
            let step = pause.to.time.since(pause.from);
            if timestamps.is_some_and(|(own, _)| denied(own))
                && let Some(tcp) = &mut self.facts.tcp
                && tcp.clock_step.is_none_or(|(_, known)| known < step)
            {
                tcp.clock_step = Some((pause.to, step));
            }
        }
        if mark.time >= self.latest.after(PAUSE)
            && let Some((_, echoed)) = timestamps.filter(|(_, echoed)| *echoed != 0)
        {
            self.pause = Some(Pause { from: self.latest, to: mark, by_low: segment.from_low, echoed });
            self.paused = true;
        }
    }

    /// Follows the announced window.
    fn window(&mut self, shared: &mut S::Shared, segment: &Segment<'_>) -> Step {
        if segment.flags.rst() {
            return Step::Continue(());
        }
        let (stream, facts) = self.both(segment.from_low);
        let mark = segment.mark;
        let was_closed = stream.window_closed;
        stream.window_closed = segment.window == 0 && (!segment.flags.syn() || segment.flags.ack());
        if stream.window_closed {
            let first = facts.zero_window.map_or(mark, |zero| zero.first);
            facts.zero_window = Some(ZeroWindow { first, last: mark, reopened: None });
        } else if was_closed && let Some(zero) = &mut facts.zero_window {
            zero.reopened = Some(mark);
        }
        match (was_closed, stream.window_closed) {
            (false, true) => self.event(shared, mark, segment.from_low, FlowEventKind::ZeroWindow),
            (true, false) => self.event(shared, mark, segment.from_low, FlowEventKind::WindowOpen),
            _ => Step::Continue(()),
        }
    }

    /// Notes the first FIN of a side; false for its repeats.
    fn note_fin(&mut self, segment: &Segment<'_>) -> bool {
        let len = u64::from(segment.payload_len);
        let (stream, facts) = self.both(segment.from_low);
        facts.fins_in_vain = facts.fins_in_vain.saturating_add(1);
        if facts.fin.is_some() {
            return false;
        }
        let start = stream.offset(segment.seq.wrapping_add(u32::from(segment.flags.syn())), facts.delivered);
        // a FIN that comes before everything else of its side stands at the beginning
        let at = start.map_or(0, |start| u64::try_from(start).unwrap_or(0)).saturating_add(len);
        (facts.fin, facts.fin_ttl) = (Some((segment.mark, at)), segment.ip.ttl);
        // It counts for one, and came into view behind its acknowledgment.
        if facts.acked == at.saturating_add(1) {
            (facts.acked, stream.fin_acked) = (at, true);
        }
        let heard = self.side_facts(!segment.from_low).last_data;
        self.side_facts(segment.from_low).heard_before_fin = heard;
        true
    }

    /// Records an event and tells the sink.
    fn event(&mut self, shared: &mut S::Shared, mark: Mark, low: bool, kind: FlowEventKind) -> Step {
        let event = self.record(mark, low, kind);
        let interest = self.sink.control(shared, &self.facts, &event);
        self.heed(interest)
    }

    /// Records an event. The last entries of the list are kept for what happens rarely and matters most.
    fn record(&mut self, mark: Mark, low: bool, kind: FlowEventKind) -> FlowEvent {
        let event = FlowEvent { mark, side: self.side(low), kind };
        let rare = matches!(
            kind,
            FlowEventKind::Syn | FlowEventKind::Established | FlowEventKind::Fin | FlowEventKind::Rst { .. } | FlowEventKind::Icmp { .. }
        );
        let bound = if rare { limits::FLOW_EVENTS } else { limits::FLOW_EVENTS - RESERVED_EVENTS };
        self.facts.eventful |= !kind.is_plain();
        if self.facts.events.len() < bound {
            self.grew |= self.facts.events.len() == self.facts.events.capacity();
            self.facts.events.push(event);
        } else {
            self.facts.events_dropped = self.facts.events_dropped.saturating_add(1);
        }
        event
    }

    fn heed(&mut self, interest: Interest) -> Step {
        match interest {
            Interest::More => Step::Continue(()),
            Interest::Settled => Step::Break(()),
            Interest::Swap => {
                self.facts.swap_sides();
                self.streams.swap();
                Step::Continue(())
            }
        }
    }
}

/// Events of a connection that opens, carries a handshake and ends well: one allocation is enough for them.
const USUAL_EVENTS: usize = 8;

/// Segments that one acknowledgment usually is for, at most.
const ACKED_AT_ONCE: usize = 4;

/// How far a frame's time may lie before an earlier frame's without being called a step back: queues of one interface are merged with less
/// precision than their clocks have.
const CLOCK_TOLERANCE: Duration = Duration::from_millis(1);

/// Entries of the event list kept for SYN, FIN, RST, ICMP and the end of the TCP handshake.
const RESERVED_EVENTS: usize = 2 * limits::RESETS + limits::ICMP_NOTES + 4;

/// A pause longer than the round trip of nearly all paths, and than a delayed acknowledgment: a sender that has something to send makes none.
const STEP: Duration = Duration::from_millis(200);

/// A pause from which on it is asked whether it was one: longer than what a host takes that is merely busy.
const PAUSE: Duration = Duration::from_secs(5);
