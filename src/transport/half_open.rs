//! Connections that are no more than a SYN and its answer, held as small as a flood of them demands.
//!
//! A record keeps the bare packets themselves. Whatever needs more than a record can hold turns it into a whole connection, into which the
//! packets are fed again; so there is one place that knows what packets mean.

use std::iter;

use crate::flow::{FlowKey, Path};
use crate::limits;
use crate::packet::{HeaderRest, IpFacts, Segment, TcpFlags, tcp_options};
use crate::time::{Mark, Timestamp};
use crate::transport::sink::HalfOpenEnd;
use crate::transport::stream::Stream;
use crate::transport::ways::Lot;

/// A connection of which at most two bare packets were seen: SYN or SYN-ACK, and one more of those or RST.
#[derive(Debug)]
pub(super) struct HalfOpen {
    /// The flow.
    pub(super) key: FlowKey,
    /// By which it is found.
    pub(super) hash: u64,
    /// The first packet.
    pub(super) first: Mark,
    /// The interface of the first packet.
    pub(super) interface: u32,
    /// Which of the table's known paths it came by.
    pub(super) path: u16,
    /// [`FlowKey::path`] of the other side's packets, where they came by another way.
    pub(super) other_path: Option<u32>,
    /// It began with the number of another with the same ends: unless more comes of it, it is a copy.
    pub(super) suspect: bool,
    /// It answers one of several with the same ends.
    pub(super) answers: bool,
    /// That may be so, or others may answer it or another.
    pub(super) unclear: bool,
    /// Repeats that were only counted, of [`FlowKey::low`] and of [`FlowKey::high`].
    pub(super) repeats: [u8; 2],
    opening: Bare,
    answer: Option<Bare>,
}

/// A segment without payload, as small as can be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bare {
    /// Time since the first packet in nanoseconds (upper 38 bits) and frames since (lower 26): in bytes, which need no alignment.
    since: [u8; 8],
    seq: u32,
    ack: u32,
    window: u16,
    ip_id: u16,
    flags: u8,
    ttl: u8,
    ip_len: u8,
    bits: u8,
    options_len: u8,
    /// Undecoded: of a flood's nobody asks.
    options: [u8; OPTIONS],
}

impl HalfOpen {
    /// A record that begins with this SYN or SYN-ACK; `None` when it is no bare one.
    pub(super) fn new(segment: &Segment<'_>, hash: u64, interface: u32, path: u16) -> Option<Self> {
        let first = segment.mark;
        let bare = Bare::new(segment, first).filter(|_| segment.flags.syn() && !segment.flags.rst())?;
        Some(Self {
            key: segment.key,
            hash,
            first,
            interface,
            path,
            other_path: None,
            suspect: false,
            answers: false,
            unclear: false,
            repeats: [0; 2],
            opening: bare,
            answer: None,
        })
    }

    /// The same with what is known of those with the same ends.
    pub(super) fn with_lot(self, lot: Lot) -> Self {
        let (suspect, answers) = (lot == Lot::Suspect, lot == Lot::Unclear);
        Self { suspect, answers, unclear: answers, ..self }
    }

    /// Keeps one more packet; false when there is no room or it is none of SYN, SYN-ACK and RST.
    pub(super) fn push(&mut self, segment: &Segment<'_>) -> bool {
        if !(segment.flags.syn() || segment.flags.rst()) {
            return false;
        }
        if self.answer.is_some() {
            return false;
        }
        self.answer = Bare::new(segment, self.first);
        self.answer.is_some()
    }

    /// Counts a SYN or SYN-ACK that was already there instead of keeping it; false when it is something else.
    pub(super) fn count(&mut self, segment: &Segment<'_>) -> bool {
        let bare = segment.payload_len == 0 && !segment.flags.rst();
        let known = self.packets().any(|old| {
            old.is_from_low() == segment.from_low && old.seq == segment.seq && old.flags == segment.flags.0 && old.ack == segment.ack
        });
        let [low, high] = &mut self.repeats;
        let count = if segment.from_low { low } else { high };
        let Some(more) = count.checked_add(1).filter(|_| bare && known) else { return false };
        *count = more;
        true
    }

    /// When the last packet that is kept was seen.
    pub(super) fn last(&self) -> Mark {
        self.answer.as_ref().unwrap_or(&self.opening).mark(self.first)
    }

    /// Whether the client is [`FlowKey::low`]: it sent the SYN, or was sent the SYN-ACK.
    pub(super) fn client_is_low(&self) -> bool {
        self.opening.is_from_low() != TcpFlags(self.opening.flags).ack()
    }

    /// What is told of its end at this frame.
    pub(super) fn ended(&self, at: u64) -> HalfOpenEnd<'_> {
        HalfOpenEnd { key: &self.key, client_is_low: self.client_is_low(), first: self.first, at }
    }

    /// It is one side's SYN, which nothing answered, however often.
    pub(super) fn is_unanswered_syn(&self) -> bool {
        let opening = &self.opening;
        let syn = |bare: &Bare| !TcpFlags(bare.flags).ack() && !TcpFlags(bare.flags).rst();
        self.packets().all(|bare| syn(bare) && bare.is_from_low() == opening.is_from_low() && bare.seq == opening.seq)
    }

    /// The second packet is the first, captured twice.
    pub(super) fn is_copied(&self, path: Path) -> bool {
        let mut stream = Stream::default();
        let mut copied = |bare: &Bare| stream.is_duplicate(&bare.retell(self.key, path, self.first), 0);
        self.answer.as_ref().is_some_and(|answer| !copied(&self.opening) && copied(answer))
    }

    /// There were more packets than are kept.
    pub(super) fn is_counted(&self) -> bool {
        self.repeats != [0, 0]
    }

    /// There is no second packet.
    pub(super) const fn is_lone(&self) -> bool {
        self.answer.is_none()
    }

    /// This SYN comes from the sender of the first one, and opens another connection than that did; by another number, or after a time in which
    /// no repetition comes any more.
    pub(super) fn is_replaced_by(&self, segment: &Segment<'_>) -> bool {
        let fresh = segment.flags.syn() && !segment.flags.ack() && !segment.flags.rst();
        if fresh && segment.mark.time.since(self.last().time) >= limits::HALF_OPEN_IDLE {
            return true;
        }
        fresh && self.packets().any(|old| TcpFlags(old.flags).syn() && old.is_from_low() == segment.from_low && old.seq != segment.seq)
    }

    /// Nothing was seen of the sender of this segment, and its numbers are those of an answer to the first packet, or of what that answers.
    pub(super) fn is_answered_by(&self, segment: &Segment<'_>) -> bool {
        let opening = &self.opening;
        let next = opening.seq.wrapping_add(1);
        let acknowledges = segment.flags.ack() && segment.ack == next;
        let fits = if TcpFlags(opening.flags).ack() {
            segment.seq.wrapping_add(u32::from(segment.flags.syn())) == opening.ack && (acknowledges || !segment.flags.ack())
        } else {
            acknowledges
        };
        fits && self.packets().all(|bare| bare.is_from_low() != segment.from_low)
    }

    /// This segment echoes a timestamp of the other side's packets.
    pub(super) fn is_echoed_by(&self, segment: &Segment<'_>) -> bool {
        let echoed = tcp_options(segment.options).timestamps.map(|(_, echoed)| echoed);
        let set = |bare: &Bare| tcp_options(bare.kept_options()).timestamps.map(|(own, _)| own);
        let mut asking = self.packets().filter(|bare| bare.is_from_low() != segment.from_low);
        echoed.is_some() && asking.any(|bare| set(bare) == echoed)
    }

    /// It has a SYN or SYN-ACK with the numbers of this segment; and whether that is the same packet for certain, by what changes from one to the next.
    pub(super) fn twin_of(&self, segment: &Segment<'_>) -> Option<bool> {
        let set = |options: &[u8]| tcp_options(options).timestamps.map(|(own, _)| own);
        let same = |bare: &&Bare| {
            let flags = TcpFlags(bare.flags);
            let numbers = (bare.seq, bare.ack, bare.is_from_low()) == (segment.seq, segment.ack, segment.from_low);
            numbers && flags.syn() && flags.ack() == segment.flags.ack()
        };
        let bare = self.packets().find(same)?;
        let id = bare.has(HAS_ID).then_some(bare.ip_id).filter(|id| *id != 0);
        let set = set(bare.kept_options()).filter(|known| set(segment.options) == Some(*known));
        Some(id.is_some() && id == segment.ip.id || set.is_some())
    }

    /// The first packet is this end's, and opens with this number.
    pub(super) fn begins_with(&self, low: bool, isn: Option<u32>) -> bool {
        isn.is_some() && self.opening.is_from_low() == low && Some(self.opening.seq) == isn
    }

    /// This end's initial sequence number.
    pub(super) fn isn(&self, low: bool) -> Option<u32> {
        self.packets().find(|bare| bare.is_from_low() == low && TcpFlags(bare.flags).syn()).map(|bare| bare.seq)
    }

    /// Nothing was seen of the other end.
    pub(super) fn is_all_from(&self, low: bool) -> bool {
        self.packets().all(|bare| bare.is_from_low() == low)
    }

    /// It began with the number of another, and nothing was seen of the other end.
    pub(super) fn is_copy(&self) -> bool {
        self.suspect && self.is_all_from(self.opening.is_from_low())
    }

    /// A RST was seen.
    pub(super) fn was_refused(&self) -> bool {
        self.answer.is_some_and(|bare| TcpFlags(bare.flags).rst())
    }

    /// The first packet.
    pub(super) const fn opening(&self) -> &Bare {
        &self.opening
    }

    /// The packets in order.
    pub(super) fn packets(&self) -> impl Iterator<Item = &Bare> {
        iter::once(&self.opening).chain(&self.answer)
    }
}

impl Bare {
    /// `None` when the segment has payload or something unusual.
    pub(super) fn new(segment: &Segment<'_>, first: Mark) -> Option<Self> {
        let unusual = segment.payload_len > 0 || segment.flags.fin() || segment.ip.was_fragmented;
        let nanos = segment.mark.time.nanos().checked_sub(first.time.nanos()).and_then(|nanos| u64::try_from(nanos).ok())?;
        let frames = segment.mark.frame.checked_sub(first.frame)?;
        if unusual || frames >> FRAME_BITS != 0 || nanos >> (64 - FRAME_BITS) != 0 {
            return None;
        }
        let mut bits = 0;
        for (bit, set) in [(FROM_LOW, segment.from_low), (DONT_FRAGMENT, segment.ip.dont_fragment), (HAS_ID, segment.ip.id.is_some())] {
            bits |= if set { bit } else { 0 };
        }
        let (options, options_len) = keep_options(segment.options);
        Some(Self {
            since: (nanos << FRAME_BITS | frames).to_ne_bytes(),
            seq: segment.seq,
            ack: segment.ack,
            window: segment.window,
            ip_id: segment.ip.id.unwrap_or_default(),
            flags: segment.flags.0,
            ttl: segment.ip.ttl,
            ip_len: u8::try_from(segment.ip.total_len).ok()?,
            bits,
            options_len,
            options,
        })
    }

    /// The segment again, as far as anything here looks at it.
    pub(super) fn retell(&self, key: FlowKey, path: Path, first: Mark) -> Segment<'_> {
        Segment {
            mark: self.mark(first),
            key,
            from_low: self.is_from_low(),
            path,
            ip: IpFacts {
                ttl: self.ttl,
                id: self.has(HAS_ID).then_some(self.ip_id),
                dont_fragment: self.has(DONT_FRAGMENT),
                total_len: u32::from(self.ip_len),
                was_fragmented: false,
                was_cut: false,
            },
            seq: self.seq,
            ack: self.ack,
            flags: TcpFlags(self.flags),
            window: self.window,
            options: self.kept_options(),
            payload: &[],
            payload_len: 0,
            rest: HeaderRest::default(),
        }
    }

    fn kept_options(&self) -> &[u8] {
        self.options.get(..self.options_len.into()).unwrap_or_default()
    }

    /// Where it was seen, given the first packet.
    pub(super) const fn mark(&self, first: Mark) -> Mark {
        let since = u64::from_ne_bytes(self.since);
        let nanos = first.time.nanos().saturating_add((since >> FRAME_BITS).cast_signed());
        Mark { frame: first.frame.saturating_add(since & ((1 << FRAME_BITS) - 1)), time: Timestamp::from_nanos(nanos) }
    }

    /// Its sequence number.
    pub(super) const fn seq(&self) -> u32 {
        self.seq
    }

    /// Its sender is [`FlowKey::low`].
    pub(super) const fn is_from_low(&self) -> bool {
        self.has(FROM_LOW)
    }

    const fn has(&self, bit: u8) -> bool {
        self.bits & bit != 0
    }
}

/// A segment's options as they are or, where they are too long, those that [`tcp_options`] reads, without timestamps.
fn keep_options(all: &[u8]) -> ([u8; OPTIONS], u8) {
    let mut kept = [0; OPTIONS];
    if let Some(room) = kept.get_mut(..all.len()) {
        room.copy_from_slice(all);
        return (kept, u8::try_from(all.len()).unwrap_or_default());
    }
    let options = tcp_options(all);
    let [high, low] = options.mss.unwrap_or_default().to_be_bytes();
    let parts: [(bool, &[u8]); 5] = [
        (options.mss.is_some(), &[2, 4, high, low]),
        (options.window_scale.is_some(), &[3, 3, options.window_scale.unwrap_or_default()]),
        (options.sack_permitted, &[4, 2]),
        (options.fast_open, &[34, 2]),
        (options.joins, &[30, 3, 0x10]),
    ];
    let mut len = 0;
    let bytes = parts.into_iter().filter(|(is_there, _)| *is_there).flat_map(|(_, part)| part);
    for (to, from) in kept.iter_mut().zip(bytes) {
        *to = *from;
        len += 1;
    }
    (kept, len)
}

/// Bytes of options kept as they are: those of a SYN of any system in common use.
const OPTIONS: usize = 20;

/// Bits that count frames: the others count nanoseconds, up to 274 s.
const FRAME_BITS: u32 = 26;

const FROM_LOW: u8 = 0x01;
const DONT_FRAGMENT: u8 = 0x02;
const HAS_ID: u8 = 0x04;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::support::{Wire, ms};

    #[test]
    fn a_record_is_small() {
        assert!(size_of::<HalfOpen>() <= 192, "{}", size_of::<HalfOpen>());
    }

    #[test]
    fn a_packet_is_told_again_as_it_was() {
        let first = Mark { frame: 7, time: Timestamp::from_parts(1_700_000_000, 999_999_999) };
        let wire = Wire::default();
        let syn = wire.client(0xffff_fff0).syn().mss(1400).scale(7).sack_permitted();
        let segment =
            Segment { mark: Mark { frame: 9, time: ms(5).time.max(first.time.after(std::time::Duration::from_nanos(123))) }, ..syn.get() };
        let bare = Bare::new(&segment, first).unwrap();
        let again = bare.retell(segment.key, segment.path, first);
        assert_eq!((again.mark, again.seq, again.flags, again.from_low), (segment.mark, segment.seq, segment.flags, segment.from_low));
        assert_eq!((again.ip, again.window), (segment.ip, segment.window));
        assert_eq!(again.options, segment.options);
        let long = [&[1; 12], segment.options, &[34, 10, 1, 2, 3, 4, 5, 6, 7, 8], &[30, 12, 0x10, 2, 1, 2, 3, 4, 5, 6, 7, 8]].concat();
        let segment = Segment { options: &long, ..segment };
        let bare = Bare::new(&segment, first).unwrap();
        let again = bare.retell(segment.key, segment.path, first);
        assert_eq!(tcp_options(again.options), tcp_options(segment.options));
        assert!(tcp_options(again.options).fast_open && tcp_options(again.options).joins);
        let early = Segment { mark: Mark { frame: 9, time: first.time.before(std::time::Duration::from_nanos(1)) }, ..segment };
        assert!(Bare::new(&early, first).is_none(), "a clock that stepped back does not fit");
    }
}
