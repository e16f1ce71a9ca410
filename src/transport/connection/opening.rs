//! SYN, SYN-ACK, and whether a SYN begins another connection.

use std::time::Duration;

use super::{Connection, Room, Step};
use crate::count::low_bits;
use crate::flow::Side;
use crate::limits;
use crate::packet::{Segment, tcp_options, tcp_timestamps};
use crate::time::Mark;
use crate::transport::facts::{FlowEventKind, Roles, SynFacts};
use crate::transport::half_open::Bare;
use crate::transport::sink::FlowSink;
use crate::transport::stream::First;

/// What a segment says about who owns the addresses and ports from now on.
#[derive(Debug, Clone, Copy)]
pub(in crate::transport) enum Reuse {
    /// It belongs to the connection.
    No,
    /// It begins another one.
    Yes,
    /// It is the SYN-ACK to this SYN, which began another one (and was seen at that [`Mark`]'s time and frame, by which it is told).
    Since(Bare, Mark),
}

impl<S: FlowSink> Connection<S> {
    /// Whether a segment belongs to this connection. A SYN with another initial sequence number begins a new one when this one has ended or
    /// is quiet; when it is alive, only after the other side accepts the SYN (RFC 9293 section 3.10.7.4: it would send a challenge ACK). After
    /// a pause in which every repetition would have come, any SYN does, and any other segment that is far from where this one left off.
    pub(in crate::transport) fn reuse(&mut self, segment: &Segment<'_>) -> Reuse {
        if segment.mark.time.since(self.latest) >= limits::HALF_OPEN_IDLE && self.is_far_off(segment) {
            return Reuse::Yes;
        }
        if !segment.flags.syn() || segment.flags.rst() {
            return Reuse::No;
        }
        let low = segment.from_low;
        if self.knows(segment) {
            return Reuse::No;
        }
        if segment.flags.ack() {
            if let Some((bare, first)) = self.challenger
                && bare.is_from_low() != low
                && bare.seq().wrapping_add(1) == segment.ack
            {
                return Reuse::Since(bare, first);
            }
            // a SYN-ACK with another number to a SYN that is known
            if self.side_facts(!low).syn.is_some_and(|asked| asked.isn.wrapping_add(1) == segment.ack) {
                return Reuse::No;
            }
        }
        let quiet = segment.mark.time.since(self.latest) >= QUIET_ENOUGH_FOR_REUSE;
        let answered = self.facts.sides.client.syn.is_none() || self.facts.sides.server.packets > 0;
        let ended = self.was_reset() || Side::BOTH.iter().any(|side| self.facts.side(*side).fin.is_some());
        if quiet || ended || !answered {
            return Reuse::Yes;
        }
        if !segment.flags.ack() {
            self.challenger = Bare::new(segment, segment.mark).map(|bare| (bare, segment.mark));
        }
        Reuse::No
    }

    /// Nothing was seen of the sender of this segment, and its numbers go on where the other side says that it is.
    pub(in crate::transport) fn is_answered_by(&self, segment: &Segment<'_>) -> bool {
        let asker = self.side(!segment.from_low);
        let (stream, sent) = (self.streams.of(asker), self.facts.side(asker).highest);
        // a SYN or a FIN counts for one
        let own = segment.seq.wrapping_add(u32::from(segment.flags.syn()));
        let goes_on = match stream.last_ack {
            Some(awaited) => own.wrapping_sub(awaited).cast_signed().unsigned_abs() <= MISSED_AT_MOST,
            None => segment.flags.syn() || segment.flags.rst(),
        };
        let within = stream.offset(segment.ack, sent).is_some_and(|offset| (0..=sent.cast_signed().saturating_add(1)).contains(&offset));
        // A SYN may come into view when what follows it is acknowledged already: the other side's tap is ahead.
        let behind = |awaited: u32| awaited.wrapping_sub(own) <= MISSED_AT_MOST;
        let acknowledges = if segment.flags.ack() { within } else { stream.last_ack.is_some_and(behind) };
        goes_on && acknowledges && self.facts.side(asker.other()).packets == 0
    }

    /// By its numbers this segment goes on where both sides are.
    pub(in crate::transport) fn goes_on_with(&self, segment: &Segment<'_>) -> bool {
        let (own, other) = (self.side(segment.from_low), self.side(!segment.from_low));
        let (facts, others) = (self.facts.side(own), self.facts.side(other));
        let flags = segment.flags;
        if !flags.ack() || flags.syn() || facts.packets == 0 || others.packets == 0 {
            return false;
        }
        let within = |at: Option<i64>, from: u64, span: u64| {
            at.and_then(|at| u64::try_from(at).ok()).is_some_and(|at| (from..=from + span).contains(&at))
        };
        let next = facts.delivered.max(facts.acked);
        let unacked = others.highest.saturating_sub(others.acked);
        within(self.streams.of(own).offset(segment.seq, next), next, FLIGHT)
            && within(self.streams.of(other).offset(segment.ack, others.highest), others.acked, unacked)
    }

    /// This segment echoes the timestamp of the other side's SYN.
    pub(in crate::transport) fn is_echoed_by(&self, segment: &Segment<'_>) -> bool {
        let set = self.facts.side(self.side(!segment.from_low)).syn.and_then(|syn| syn.timestamp);
        set.is_some() && set == tcp_options(segment.options).timestamps.map(|(_, echoed)| echoed)
    }

    /// This segment acknowledges all that the other side has sent, and no more.
    pub(in crate::transport) fn is_acknowledged_by(&self, segment: &Segment<'_>) -> bool {
        let asker = self.side(!segment.from_low);
        let sent = self.facts.side(asker).highest;
        sent > 0 && segment.flags.ack() && self.streams.of(asker).offset(segment.ack, sent) == Some(sent.cast_signed())
    }

    /// The first bytes of this side.
    pub(in crate::transport) const fn first(&self, low: bool) -> Option<First> {
        self.streams.of(self.side(low)).first
    }

    /// This very packet was captured just now, by its identification.
    pub(in crate::transport) fn was_shown(&self, segment: &Segment<'_>) -> bool {
        self.streams.of(self.side(segment.from_low)).was_shown(segment)
    }

    /// What this side acknowledged last.
    pub(in crate::transport) const fn last_ack(&self, low: bool) -> Option<u32> {
        self.streams.of(self.side(low)).last_ack
    }

    /// Packets of this side are captured twice that were taken for another connection's.
    pub(in crate::transport) fn add_copies(&mut self, low: bool, packets: u32) {
        self.facts.duplicates = self.facts.duplicates.saturating_add(packets);
        let facts = self.side_facts(low);
        facts.copies = facts.copies.saturating_add(packets);
    }

    /// It is given up without a word. Gives how many packets it had.
    pub(in crate::transport) fn give_back(&self, room: &mut Room) -> u32 {
        let waiting: usize = Side::BOTH.iter().map(|side| self.streams.of(*side).assembler.cost()).sum();
        room.buffered = room.buffered.saturating_sub(waiting);
        Side::BOTH.iter().map(|side| self.facts.side(*side).packets).fold(self.facts.duplicates, u32::saturating_add)
    }

    /// After a long pause this segment does not go on where its side left off.
    fn is_far_off(&mut self, segment: &Segment<'_>) -> bool {
        if segment.flags.syn() || segment.flags.rst() {
            return segment.flags.syn() && !segment.flags.ack() && !segment.flags.rst();
        }
        let (stream, facts) = self.both(segment.from_low);
        let next = stream.origin.map(|origin| origin.wrapping_add(low_bits(facts.highest.max(facts.acked))));
        next.is_some_and(|next| segment.seq.wrapping_sub(next).cast_signed().unsigned_abs() > FARTHEST)
    }

    /// This SYN or SYN-ACK has the initial sequence number that its side is known to have, or nothing is known of that.
    fn knows(&mut self, segment: &Segment<'_>) -> bool {
        let (stream, facts) = self.both(segment.from_low);
        match facts.syn {
            Some(syn) => syn.isn == segment.seq,
            None => stream.provisional || stream.origin.is_none_or(|origin| origin == segment.seq.wrapping_add(1)),
        }
    }

    /// A SYN or SYN-ACK of another connection, while this one is alive. Not so when a server without memory (SYN cookies), or another behind a
    /// balancer, answers a repeated SYN with another number before anything was sent.
    pub(super) fn is_foreign(&mut self, segment: &Segment<'_>) -> bool {
        if !segment.flags.syn() || segment.flags.rst() || self.knows(segment) {
            return false;
        }
        let early = self.facts.established().is_none() && self.side_facts(segment.from_low).data_packets == 0;
        let asked = self.side_facts(!segment.from_low).syn;
        !(early && segment.flags.ack() && asked.is_some_and(|asked| asked.isn.wrapping_add(1) == segment.ack))
    }

    /// Adds repeats of a side's SYN that were counted while the connection was half open.
    pub(in crate::transport) fn add_syn_repeats(&mut self, low: bool, repeats: u8) {
        if let Some(syn) = &mut self.side_facts(low).syn {
            syn.count = syn.count.saturating_add(u32::from(repeats));
        }
    }

    /// SYN or SYN-ACK.
    pub(super) fn syn(&mut self, shared: &mut S::Shared, segment: &Segment<'_>) -> Step {
        let low = segment.from_low;
        let mark = segment.mark;
        let is_answer = segment.flags.ack();
        let (stream, facts) = self.both(low);
        let origin = segment.seq.wrapping_add(1);
        if let Some(syn) = &mut facts.syn {
            if syn.isn != segment.seq {
                syn.isn = segment.seq;
                syn.renumbered = syn.renumbered.or(Some(segment.ip.ttl));
                stream.other_origin = stream.origin.replace(origin);
            }
            stream.window = segment.window;
            syn.count = syn.count.saturating_add(1);
            syn.last = mark;
            syn.resent_without_data |= syn.data_len > 0 && segment.payload_len == 0;
            return self.event(shared, mark, low, FlowEventKind::SynRepeat);
        }
        let options = tcp_options(segment.options);
        let timestamps = options.timestamps;
        facts.syn = Some(SynFacts {
            first: mark,
            last: mark,
            count: 1,
            isn: segment.seq,
            answers: is_answer.then(|| segment.ack.wrapping_sub(1)),
            ttl: segment.ip.ttl,
            mss: options.mss,
            window_scale: options.window_scale,
            sack: options.sack_permitted,
            window: segment.window,
            ip_id: segment.ip.id,
            joins: options.joins,
            data_len: segment.payload_len,
            fast_open: options.fast_open,
            resent_without_data: false,
            acked: None,
            timestamp: timestamps.map(|(own, _)| own),
            first_arrived: false,
            renumbered: None,
            disputed: false,
        });
        stream.opened = !is_answer;
        stream.mss = options.mss;
        stream.window = segment.window;
        stream.anchor(origin, &mut facts.acked);
        if (self.side(low) == Side::Server) == is_answer {
            self.facts.roles = Roles::Handshake;
        }
        let answered_before = !is_answer && self.side_facts(!low).syn.is_some_and(|answer| answer.answers == Some(segment.seq));
        self.facts.out_of_step = self.facts.out_of_step.saturating_add(u32::from(answered_before));
        self.note_echo(!low, timestamps);
        let asked = self.side_facts(!low).syn.filter(|asked| is_answer && asked.count == 1 && asked.first.time <= mark.time);
        if let Some(tcp) = &mut self.facts.tcp {
            tcp.simultaneous_open |= self.streams.client.opened && self.streams.server.opened;
            tcp.syn_rtt = asked.map_or(tcp.syn_rtt, |asked| Some(mark.time.since(asked.first.time)));
        }
        self.event(shared, mark, low, FlowEventKind::Syn)
    }

    /// The first answer to a side's SYN echoes a timestamp: that of the first copy, if that one arrived.
    fn note_echo(&mut self, low: bool, timestamps: Option<(u32, u32)>) {
        if let (Some(syn), Some((_, echoed))) = (&mut self.side_facts(low).syn, timestamps) {
            syn.first_arrived = syn.timestamp == Some(echoed);
        }
    }

    /// Whether this acknowledgment completes the TCP handshake, and how long after the SYN-ACK.
    pub(super) fn establish(&mut self, shared: &mut S::Shared, segment: &Segment<'_>) -> Step {
        let low = segment.from_low;
        if self.facts.established().is_some() || self.side(low) != Side::Client || segment.flags.syn() {
            return Step::Continue(());
        }
        let mark = segment.mark;
        let answer = self.facts.sides.server.syn;
        if answer.map_or_else(|| self.facts.sides.client.syn.is_none(), |answer| answer.acked.is_none()) {
            return Step::Continue(());
        }
        // What ends the connection is not the first acknowledgment: that came right behind the SYN-ACK, and is not in the capture.
        let unseen = answer.filter(|answer| segment.flags.fin() && segment.payload.is_empty() && answer.first < mark);
        if let Some(tcp) = &mut self.facts.tcp {
            tcp.established = Some(unseen.map_or(mark, |answer| answer.first));
            let once = answer.filter(|answer| unseen.is_none() && answer.count == 1 && answer.first.time <= mark.time);
            tcp.ack_rtt = once.map(|answer| mark.time.since(answer.first.time));
        }
        self.note_echo(!low, tcp_timestamps(segment.options));
        self.event(shared, mark, low, FlowEventKind::Established)
    }
}

/// Quiet time after which a SYN with another initial sequence number is taken for a new connection without waiting for its answer: longer
/// than a retransmission of the old one would take.
const QUIET_ENOUGH_FOR_REUSE: Duration = Duration::from_secs(5);

/// How far the first packet that is seen of a side may be from what the other one acknowledges: a window.
const MISSED_AT_MOST: u32 = 1 << 20;

/// Bytes under way at the beginning of a connection, at most.
const FLIGHT: u64 = 1 << 16;

/// Sequence numbers further than this from the expected one are those of another connection: larger than any window in use.
const FARTHEST: u32 = 64 << 20;
