//! What a connection keeps of one side besides its facts: where its sequence numbers stand, what waits, what is unacknowledged.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::mem::offset_of;
use std::time::Duration;

use super::assembler::{Assembler, slice};
use super::facts::{Doubt, Outstanding};
use crate::count::low_bits;
use crate::limits;
use crate::packet::{Segment, TcpFlags, TcpOptions, tcp_options, tcp_timestamps};
use crate::time::{Mark, Timestamp};

/// One side's state. What each packet touches comes first.
#[derive(Debug, Default)]
#[repr(C)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own; no two make a state")]
pub(super) struct Stream {
    /// The last packets, to know those that were captured twice: what tells nearly all of them apart, and the rest far behind.
    recent: [u32; limits::RECENT_PACKETS],
    /// The sequence number of offset 0.
    pub(super) origin: Option<u32>,
    /// The acknowledgment number this side sent last.
    pub(super) last_ack: Option<u32>,
    /// The window this side announced last, as sent.
    pub(super) window: u16,
    /// The largest payload it asked for, in its SYN.
    pub(super) mss: Option<u16>,
    newest: u8,
    /// `origin` is what the other side acknowledged first: nothing of this side was seen yet.
    pub(super) provisional: bool,
    /// The window in its last packet is zero.
    pub(super) window_closed: bool,
    /// Its FIN was acknowledged.
    pub(super) fin_acked: bool,
    /// Something was sent again since `acked` last rose.
    pub(super) resent: bool,
    /// The TTL in the facts is that of a packet with payload.
    pub(super) ttl_of_data: bool,
    /// Its first byte is that of a TLS handshake record.
    pub(super) begins_tls: bool,
    /// It sent a SYN without ACK.
    pub(super) opened: bool,
    /// Segments that were sent and not acknowledged, by offset.
    pub(super) unacked: VecDeque<Unacked>,
    /// Its origin by an earlier SYN-ACK that had another number.
    pub(super) other_origin: Option<u32>,
    /// What the other side acknowledged beyond belief, if that was the last it did.
    pub(super) far_ack: Option<u32>,
    /// Bytes beyond a hole.
    pub(super) assembler: Assembler,
    /// Holes given up, as offsets, in order: bytes of theirs that come late are no retransmissions.
    pub(super) given_up: Vec<(u64, u64)>,
    /// Offset behind bytes that were cut off and left open, for a copy of the segment may bring them; 0 where there are none.
    pub(super) cut_until: u64,
    /// Since when the first hole is known to be acknowledged, and how many packets the connection had then.
    pub(super) hole_acked: Option<(Timestamp, u32)>,
    /// A small segment that is not yet acknowledged, the first or an alert: whoever is on the path may have sent it in this side's name.
    pub(super) aside: Option<Box<Aside>>,
    /// Segments that the other side may drop.
    pub(super) doubted: Vec<Doubted>,
    /// An alert in its name that was taken.
    pub(super) alert: Option<Box<Aside>>,
    /// The first bytes that were seen of it.
    pub(super) first: Option<First>,
    prints: [Print; limits::RECENT_PACKETS],
}

/// The bytes with which a side begins, and where they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct First {
    seq: u32,
    /// Of as many as hold the random of a hello, and how many there are.
    digest: u64,
}

impl First {
    /// Those of a segment.
    pub(super) fn of(segment: &Segment<'_>) -> Self {
        Self::with(segment, digest(segment.payload))
    }

    /// Those of a segment whose payload has this digest.
    pub(super) const fn with(segment: &Segment<'_>, digest: u64) -> Self {
        Self { seq: segment.seq, digest }
    }
}

/// A segment that waits to be believed.
#[derive(Debug)]
pub(super) struct Aside {
    /// Offset of its first byte.
    pub(super) start: u64,
    /// All of it but payload and options.
    pub(super) head: Segment<'static>,
    /// Its payload.
    pub(super) bytes: Vec<u8>,
}

impl Aside {
    /// Where these bytes, from this offset on, lie over its own, they are the same.
    pub(super) fn agrees_with(&self, start: u64, bytes: &[u8]) -> bool {
        let (own, other) = (start.saturating_sub(self.start), self.start.saturating_sub(start));
        let from = |bytes, at| slice(bytes, at, u64::MAX);
        from(&self.bytes, own).iter().zip(from(bytes, other)).all(|(own, other)| own == other)
    }

    /// The segment as it came.
    pub(super) fn segment(&self) -> Segment<'_> {
        Segment { payload: &self.bytes, ..self.head }
    }
}

/// A segment that its receiver may drop.
#[derive(Debug)]
pub(super) struct Doubted {
    /// What is doubted of it.
    pub(super) why: Doubt,
    /// Offset behind its last byte.
    pub(super) end: u64,
    /// Its checksum is wrong.
    pub(super) damaged: bool,
    /// The rest of it.
    pub(super) aside: Aside,
}

impl Doubted {
    /// Bytes that it takes.
    pub(super) const fn cost(&self) -> usize {
        size_of::<Self>() + self.aside.bytes.capacity()
    }
}

/// A segment that waits for its acknowledgment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unacked {
    /// As it is reported.
    pub(super) segment: Outstanding,
    /// The smallest segment that brought any of these bytes: no larger one is proved to have arrived when they are acknowledged.
    pub(super) smallest: u32,
    /// Digest of its payload; `None` when it was cut or its parts were already known.
    pub(super) digest: Option<u64>,
    /// The timestamp of its second copy (RFC 7323).
    again: Option<u32>,
}

/// What an acknowledgment was for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Acknowledged {
    /// The largest segment that must have arrived.
    pub(super) largest: u32,
    /// How long the oldest had waited since it was last sent.
    pub(super) waited: Duration,
    /// When the newest was sent, if it was sent once.
    pub(super) newest: Option<Timestamp>,
    /// Bytes that were sent again though the first copy had arrived.
    pub(super) needless: Option<(u64, u64)>,
}

/// What tells a packet that was captured twice.
#[derive(Debug, Clone, Copy)]
struct Print {
    time: Timestamp,
    seq: u32,
    ack: u32,
    len: u32,
    options: u32,
    peer_packets: u32,
    window: u16,
    id: u16,
    flags: TcpFlags,
    ttl: u8,
    /// The sender's clock, of a SYN or SYN-ACK (RFC 7323); 0 where it shows none.
    clock: u32,
}

impl Stream {
    /// Bytes of it that each packet may touch.
    pub(super) const BUSY: usize = offset_of!(Self, other_origin);

    /// A sequence number as an offset, read as the one nearest to `near`; negative before the first payload byte. `None` when nothing is known
    /// of this side's numbers.
    pub(super) fn offset(&self, seq: u32, near: u64) -> Option<i64> {
        let distance = seq.wrapping_sub(self.origin?.wrapping_add(low_bits(near))).cast_signed();
        Some(near.cast_signed().saturating_add(i64::from(distance)))
    }

    /// Settles where offset 0 is, now that a first packet of this side shows that it may be `seq`. What the other side acknowledged before
    /// stands where the packet fits it; otherwise `acked` is counted anew.
    pub(super) fn anchor(&mut self, seq: u32, acked: &mut u64) {
        match self.origin {
            Some(_) if !self.provisional => return,
            Some(origin) if u64::from(seq.wrapping_sub(origin)) <= acked.saturating_add(MISSED_AT_START) => {}
            Some(origin) => {
                let beyond = origin.wrapping_add(low_bits(*acked)).wrapping_sub(seq).cast_signed();
                *acked = u64::try_from(beyond).unwrap_or(0);
                self.origin = Some(seq);
            }
            None => self.origin = Some(seq),
        }
        self.provisional = false;
    }

    /// Whether this packet was captured before, within the time in which a mirror port or a second interface shows it again. Remembers it.
    ///
    /// Without an IP identification (Linux sends SYN-ACKs and RSTs with 0) it is no copy if the other side sent something in between, which it
    /// may answer: `peer_packets` is how many packets the other side has sent.
    pub(super) fn is_duplicate(&mut self, segment: &Segment<'_>, peer_packets: u32) -> bool {
        let print = Print::of(segment, peer_packets);
        // An acknowledgment and the payload after it have the same numbers and another length.
        let numbers = segment.seq ^ segment.ack.rotate_left(16) ^ segment.payload_len.rotate_left(8);
        if self.recent.contains(&numbers) && self.prints.iter().any(|known| known.is_twin(&print)) {
            return true;
        }
        let newest = usize::from(self.newest);
        if let (Some(slot), Some(known)) = (self.recent.get_mut(newest), self.prints.get_mut(newest)) {
            (*slot, *known) = (numbers, print);
        }
        self.newest = u8::try_from((newest + 1) % limits::RECENT_PACKETS).unwrap_or(0);
        false
    }

    /// In place of this segment another one is doubted, which a tool made out of it: in all but its bytes it looks the same.
    pub(super) fn doubts_in_place_of(&self, segment: &Segment<'_>) -> bool {
        self.doubted.iter().any(|held| held.aside.head.seq == segment.seq && held.aside.bytes != segment.payload)
    }

    /// This packet was captured before, as its identification says.
    pub(super) fn was_shown(&self, segment: &Segment<'_>) -> bool {
        let print = Print::of(segment, 0);
        print.id != 0 && self.prints.iter().any(|known| known.is_twin(&print))
    }

    /// Notes the acknowledgment and window that a segment of this side announces. True when both are those of the one before.
    pub(super) fn note_ack(&mut self, segment: &Segment<'_>) -> bool {
        let repeated = self.last_ack == Some(segment.ack) && self.window == segment.window;
        self.last_ack = Some(segment.ack);
        self.window = segment.window;
        repeated
    }

    /// Notes a segment that brought new bytes from `start` to `end`.
    pub(super) fn sent(&mut self, start: u64, end: u64, segment: &Segment<'_>, digest: Option<u64>) {
        if self.unacked.len() >= limits::OUTSTANDING {
            return;
        }
        let len = u32::try_from(end.saturating_sub(start)).unwrap_or(u32::MAX);
        let mark = segment.mark;
        let new = Unacked {
            segment: Outstanding { offset: start, len, ip_len: segment.ip.total_len, first: mark, last: mark, copies: 1, sacked: false },
            smallest: segment.payload_len,
            digest,
            again: None,
        };
        if self.unacked.is_empty() {
            // Where it begins anew its first place is used again, which is near, and not the next one.
            self.unacked.clear();
        }
        if self.unacked.back().is_none_or(|last| last.segment.offset <= start) {
            self.unacked.push_back(new);
        } else {
            let at = self.unacked.partition_point(|old| old.segment.offset <= start);
            self.unacked.insert(at, new);
        }
    }

    /// Notes that a segment repeated bytes from `start` to `end`. True when it is a segment sent before, with other bytes.
    pub(super) fn sent_again(&mut self, start: u64, end: u64, segment: &Segment<'_>, digest: Option<u64>) -> bool {
        self.resent = true;
        let mut differs = false;
        for old in self.unacked.iter_mut().filter(|old| old.segment.offset < end && old.end() > start) {
            if old.segment.copies == 1 {
                old.again = tcp_timestamps(segment.options).map(|(own, _)| own);
            }
            old.segment.copies = old.segment.copies.saturating_add(1);
            old.segment.last = segment.mark;
            old.smallest = old.smallest.min(segment.payload_len);
            let same_bounds = (old.segment.offset, old.end()) == (start, end);
            differs |= same_bounds && old.digest.zip(digest).is_some_and(|(old, new)| old != new);
        }
        differs
    }

    /// How far the timestamps of what was sent again lie behind this one, by more than the clocks of a host's processors differ.
    pub(super) fn repeats_behind(&self, first: u32) -> Option<u32> {
        let behind = self.unacked.iter().filter_map(|sent| Some(first.wrapping_sub(sent.again?)));
        behind.filter(|behind| (CLOCK_SLACK..1 << 31).contains(behind)).max()
    }

    /// Forgets what this segment of the other side acknowledges, up to `acked`.
    pub(super) fn acknowledged(&mut self, acked: u64, by: &Segment<'_>) -> Acknowledged {
        let now = by.mark;
        let mut what = Acknowledged { largest: 0, waited: Duration::ZERO, newest: None, needless: None };
        while let Some(front) = self.unacked.front().filter(|front| front.end() <= acked) {
            what.largest = what.largest.max(front.smallest);
            what.waited = what.waited.max(now.time.since(front.segment.last.time));
            // Of a segment that was sent again nobody knows which copy is acknowledged (RFC 6298 section 3).
            what.newest = (front.segment.copies == 1).then_some(front.segment.first.time);
            if let Some(again) = front.again
                && let Some((_, echo)) = tcp_timestamps(by.options)
                && echo.wrapping_sub(again).cast_signed() < 0
            {
                let start = what.needless.map_or(front.segment.offset, |(start, _)| start);
                what.needless = Some((start, front.end()));
            }
            self.unacked.pop_front();
        }
        what
    }

    /// When the last of the segments up to `acked` that wait for their acknowledgment was first sent.
    pub(super) fn sent_up_to(&self, acked: u64) -> Option<Mark> {
        self.unacked.iter().take_while(|waiting| waiting.end() <= acked).last().map(|waiting| waiting.segment.first)
    }

    /// Notes that `start` to `end` is selectively acknowledged: the largest segment that must have arrived. What the network card sent in pieces was
    /// captured in one, and need not have arrived in all of them.
    pub(super) fn selectively_acknowledged(&mut self, start: u64, end: u64) -> u32 {
        let mut largest = 0;
        self.split_at(start);
        self.split_at(end);
        for held in self.unacked.iter_mut().filter(|held| held.segment.offset >= start && held.end() <= end) {
            held.segment.sacked = true;
            largest = largest.max(held.smallest);
        }
        largest
    }

    /// Makes two of the segment that this offset lies within.
    fn split_at(&mut self, at: u64) {
        let within = |held: &Unacked| held.segment.offset < at && at < held.end();
        let Some(index) = self.unacked.iter().position(within).filter(|_| self.unacked.len() < limits::OUTSTANDING) else { return };
        let Some(front) = self.unacked.get_mut(index) else { return };
        let len = u32::try_from(at.saturating_sub(front.segment.offset)).unwrap_or(u32::MAX);
        let mut back = *front;
        (front.digest, back.digest) = (None, None);
        (back.segment.offset, back.segment.len) = (at, front.segment.len.saturating_sub(len));
        back.segment.ip_len = front.segment.ip_len.saturating_sub(len);
        front.segment.ip_len = front.segment.ip_len.saturating_sub(back.segment.len);
        front.segment.len = len;
        front.smallest = front.smallest.min(len);
        back.smallest = back.smallest.min(back.segment.len);
        self.unacked.insert(index.saturating_add(1), back);
    }

    /// Bytes of `start..end` lie in no hole that was given up.
    pub(super) fn has_any_outside_gaps(&self, start: u64, end: u64) -> bool {
        let mut at = start;
        for (from, to) in &self.given_up {
            if at < *from {
                break;
            }
            at = at.max(*to);
        }
        at < end
    }

    /// Remembers a hole that was given up.
    pub(super) fn give_up(&mut self, start: u64, end: u64) {
        if let Some(last) = self.given_up.last_mut().filter(|last| last.1 == start) {
            last.1 = end;
        } else if self.given_up.len() < limits::GIVEN_UP_HOLES {
            self.given_up.push((start, end));
        }
    }
}

impl Unacked {
    pub(super) const fn end(&self) -> u64 {
        self.segment.offset.saturating_add(self.segment.len as u64)
    }
}

impl Default for Print {
    /// That of no packet: nothing lies near its time.
    fn default() -> Self {
        let time = Timestamp::MIN;
        Self { time, seq: 0, ack: 0, len: 0, options: 0, peer_packets: 0, window: 0, id: 0, flags: TcpFlags::default(), ttl: 0, clock: 0 }
    }
}

impl Print {
    #[inline]
    fn of(segment: &Segment<'_>, peer_packets: u32) -> Self {
        let id = segment.ip.id.unwrap_or(0);
        let opening = segment.flags.syn().then(|| tcp_options(segment.options));
        Self {
            time: segment.mark.time,
            seq: segment.seq,
            ack: segment.ack,
            len: segment.payload_len,
            options: if id == 0 { options_digest(segment, opening.as_ref()) } else { 0 },
            peer_packets: if id == 0 { peer_packets } else { 0 },
            window: segment.window,
            id,
            flags: segment.flags,
            ttl: segment.ip.ttl,
            clock: opening.and_then(|options| options.timestamps).map_or(0, |(own, _)| own),
        }
    }

    /// No system sends a SYN or SYN-ACK again so soon (RFC 6298 section 2), and one that answers another SYN has another timestamp: whatever the other
    /// side sent in between, it was captured twice.
    fn opens_again_at_once(&self, new: &Self) -> bool {
        new.clock != 0 && self.clock == new.clock && new.time.since(self.time) < SOONEST_REPEAT
    }

    fn is_twin(&self, new: &Self) -> bool {
        let same = (self.seq, self.ack, self.len) == (new.seq, new.ack, new.len)
            && self.window == new.window
            && self.flags == new.flags
            && self.id == new.id
            && self.options == new.options
            && (self.peer_packets == new.peer_packets || self.opens_again_at_once(new))
            && !is_far_below(self.ttl, new.ttl)
            && !is_far_below(new.ttl, self.ttl);
        // Routers in between took from its hop counter. A RST may be forged after a genuine one.
        let elsewhere = self.ttl != new.ttl && !new.flags.rst();
        let within = match (new.id, elsewhere) {
            (0, false) => TWICE_WITHOUT_ID,
            (0, true) => ELSEWHERE_WITHOUT_ID,
            (_, false) => TWICE,
            (_, true) => ELSEWHERE,
        };
        same && new.time.apart(self.time) <= within
    }
}

/// A digest to tell a segment sent again with other bytes by its beginning: sums, and sums of the sums, by which the order counts, of every fourth
/// word. Not secret: nothing depends on its collisions but one anomaly.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    let (mut sums, mut sums_of_sums) = ([bytes.len() as u64; 4], [0_u64; 4]);
    let bytes = bytes.get(..COMPARED).unwrap_or(bytes);
    let (blocks, rest) = bytes.as_chunks::<32>();
    let mut add = |block: &[u8; 32]| {
        for ((word, sum), sum_of_sums) in block.as_chunks::<8>().0.iter().zip(&mut sums).zip(&mut sums_of_sums) {
            *sum = sum.wrapping_add(u64::from_le_bytes(*word));
            *sum_of_sums = sum_of_sums.wrapping_add(*sum);
        }
    };
    blocks.iter().for_each(&mut add);
    let mut last = [0; 32];
    if let Some(front) = last.get_mut(..rest.len()) {
        front.copy_from_slice(rest);
    }
    add(&last);
    let fold = |all: u64, part: &u64| (all ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    sums.iter().chain(&sums_of_sums).fold(0, fold)
}

/// A hop counter that is as good as used up, while that of the same side's other packets is not: no change of routes does so.
pub(super) const fn is_far_below(ttl: u8, own: u8) -> bool {
    ttl <= USED_UP && own.saturating_sub(ttl) >= FAR
}

fn options_digest(segment: &Segment<'_>, of_syn: Option<&TcpOptions>) -> u32 {
    let hash = if let Some(options) = of_syn {
        let scale = options.window_scale.map_or(0, |shift| u64::from(shift) + 1);
        digest_words(&[u64::from(options.mss.unwrap_or(0)), scale, u64::from(options.sack_permitted), u64::from(options.fast_open)])
    } else {
        digest(segment.options)
    };
    low_bits(hash ^ hash >> 32)
}

fn digest_words(words: &[u64]) -> u64 {
    foldhash::fast::FixedState::with_seed(0).hash_one(words)
}

/// Hosts begin with 64 and more, and no way has more than some thirty hops.
const USED_UP: u8 = 32;

/// Timestamps of one connection do not run back by more, whatever their unit.
const CLOCK_SLACK: u32 = 10_000;

/// More hops than routes differ by.
const FAR: u8 = 16;

/// Bytes of a segment by which it is told from another in its place: who forges one does not begin it with the same 64 bytes.
const COMPARED: usize = 64;

/// Systems wait a second before they send a SYN again, and none less than this.
const SOONEST_REPEAT: Duration = Duration::from_millis(200);

/// Two captures of one packet with an IP identification lie no further apart: the way through a busy switch or a tunnel.
const TWICE: Duration = Duration::from_millis(50);

/// The same where no identification tells it from a packet that was sent twice.
const TWICE_WITHOUT_ID: Duration = Duration::from_millis(5);

/// The same where the hop counter tells that it was captured at another point of its way: as long as a way may be.
const ELSEWHERE: Duration = Duration::from_secs(3);

/// The same without an identification: nothing is sent again as quickly by the timer, and what is has another timestamp.
const ELSEWHERE_WITHOUT_ID: Duration = Duration::from_millis(500);

/// Bytes that the beginning of a capture may have missed of a side of which an acknowledgment was seen first: a window without scaling.
const MISSED_AT_START: u64 = 0xffff;
