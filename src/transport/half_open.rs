//! Connections that are no more than a SYN and its answer, held as small as a flood of them demands.
//!
//! A record keeps the bare packets themselves. Whatever needs more than a record can hold turns it into a whole connection, into which the
//! packets are fed again; so there is one place that knows what packets mean.

use std::iter;

use super::options;
use crate::flow::{FlowKey, Path};
use crate::packet::{IpFacts, Segment, TcpFlags};
use crate::time::{Mark, Timestamp};

/// A connection of which at most two bare packets were seen: SYN or SYN-ACK, and one more of those or RST.
#[derive(Debug)]
pub(super) struct HalfOpen {
    /// The flow.
    pub(super) key: FlowKey,
    /// The first packet.
    pub(super) first: Mark,
    /// The interface of the first packet.
    pub(super) interface: u32,
    /// Which of the table's known paths it came by.
    pub(super) path: u16,
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
    mss: u16,
    ip_id: u16,
    flags: u8,
    ttl: u8,
    window_scale: u8,
    ip_len: u8,
    bits: u8,
}

/// A segment told again, with room for its options.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retold {
    options: [u8; 16],
}

impl HalfOpen {
    /// A record that begins with this SYN or SYN-ACK; `None` when it is no bare one.
    pub(super) fn new(segment: &Segment<'_>, interface: u32, path: u16) -> Option<Self> {
        let first = segment.mark;
        let bare = Bare::new(segment, first).filter(|_| segment.flags.syn() && !segment.flags.rst())?;
        Some(Self { key: segment.key, first, interface, path, repeats: [0; 2], opening: bare, answer: None })
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
    pub(super) fn last(&self) -> Timestamp {
        self.answer.as_ref().unwrap_or(&self.opening).mark(self.first).time
    }

    /// Whether the client is [`FlowKey::low`]: it sent the SYN, or was sent the SYN-ACK.
    pub(super) fn client_is_low(&self) -> bool {
        self.opening.is_from_low() != TcpFlags(self.opening.flags).ack()
    }

    /// This SYN comes from the sender of the first one, and opens another connection than that did.
    pub(super) fn is_replaced_by(&self, segment: &Segment<'_>) -> bool {
        let fresh = segment.flags.syn() && !segment.flags.ack() && !segment.flags.rst();
        fresh && self.packets().any(|old| TcpFlags(old.flags).syn() && old.is_from_low() == segment.from_low && old.seq != segment.seq)
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
        let options = options::decode(segment.options);
        let mut bits = 0;
        for (bit, set) in [
            (FROM_LOW, segment.from_low),
            (DONT_FRAGMENT, segment.ip.dont_fragment),
            (HAS_ID, segment.ip.id.is_some()),
            (HAS_MSS, options.mss.is_some()),
            (HAS_SCALE, options.window_scale.is_some()),
            (SACK, options.sack_permitted),
            (FAST_OPEN, options.fast_open),
        ] {
            bits |= if set { bit } else { 0 };
        }
        Some(Self {
            since: (nanos << FRAME_BITS | frames).to_ne_bytes(),
            seq: segment.seq,
            ack: segment.ack,
            window: segment.window,
            mss: options.mss.unwrap_or_default(),
            ip_id: segment.ip.id.unwrap_or_default(),
            flags: segment.flags.0,
            ttl: segment.ip.ttl,
            window_scale: options.window_scale.unwrap_or_default(),
            ip_len: u8::try_from(segment.ip.total_len).ok()?,
            bits,
        })
    }

    /// The segment again, as far as anything here looks at it. `retold` lends the room for its options.
    pub(super) fn retell<'a>(&self, key: FlowKey, path: Path, first: Mark, retold: &'a mut Retold) -> Segment<'a> {
        retold.fill(self);
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
            },
            seq: self.seq,
            ack: self.ack,
            flags: TcpFlags(self.flags),
            window: self.window,
            options: &retold.options,
            payload: &[],
            payload_len: 0,
        }
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

impl Retold {
    /// Room for the options of one segment.
    pub(super) const fn new() -> Self {
        Self { options: [0; 16] }
    }

    /// Writes the options that [`options::decode`] reads, then zeros: the end of the list.
    fn fill(&mut self, bare: &Bare) {
        let [high, low] = bare.mss.to_be_bytes();
        self.options = [0; 16];
        let mss: &[u8] = &[2, 4, high, low];
        let scale: &[u8] = &[3, 3, bare.window_scale];
        let parts =
            [(HAS_MSS, mss), (HAS_SCALE, scale), (SACK, &[4, 2]), (FAST_OPEN, &[34, 2])].into_iter().filter(|(bit, _)| bare.has(*bit));
        for (to, from) in self.options.iter_mut().zip(parts.flat_map(|(_, part)| part)) {
            *to = *from;
        }
    }
}

/// Bits that count frames: the others count nanoseconds, up to 274 s.
const FRAME_BITS: u32 = 26;

const FROM_LOW: u8 = 0x01;
const DONT_FRAGMENT: u8 = 0x02;
const HAS_ID: u8 = 0x04;
const HAS_MSS: u8 = 0x08;
const HAS_SCALE: u8 = 0x10;
const SACK: u8 = 0x20;
const FAST_OPEN: u8 = 0x40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::support::{Wire, ms};

    #[test]
    fn a_record_is_small() {
        assert!(size_of::<HalfOpen>() <= 136, "{}", size_of::<HalfOpen>());
    }

    #[test]
    fn a_packet_is_told_again_as_it_was() {
        let first = Mark { frame: 7, time: Timestamp::from_parts(1_700_000_000, 999_999_999) };
        let wire = Wire::default();
        let syn = wire.client(0xffff_fff0).syn().mss(1400).scale(7).sack_permitted();
        let segment =
            Segment { mark: Mark { frame: 9, time: ms(5).time.max(first.time.after(std::time::Duration::from_nanos(123))) }, ..syn.get() };
        let mut retold = Retold::new();
        let again = Bare::new(&segment, first).unwrap().retell(segment.key, segment.path, first, &mut retold);
        assert_eq!((again.mark, again.seq, again.flags, again.from_low), (segment.mark, segment.seq, segment.flags, segment.from_low));
        assert_eq!((again.ip, again.window), (segment.ip, segment.window));
        assert_eq!(options::decode(again.options), options::decode(segment.options));
        let early = Segment { mark: Mark { frame: 9, time: first.time.before(std::time::Duration::from_nanos(1)) }, ..segment };
        assert!(Bare::new(&early, first).is_none(), "a clock that stepped back does not fit");
    }
}
