//! IP packets being joined from their fragments (RFC 815, RFC 8200 section 4.5), within bounds.
//!
//! Where fragments overlap, the first that arrived wins. A packet that is not whole in time is given up, and if its first fragment named a
//! flow it is remembered: fragments that never arrive whole are a diagnosis.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::flow::FlowKey;
use crate::limits;
use crate::packet::Packet;
use crate::packet::cursor::Cursor;
use crate::packet::state::{Around, Ends, LinkHeader, Next, Piece, Unread, Walk};
use crate::site::Site;
use crate::time::{Mark, Timestamp};

/// What became of fragmented IP packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FragmentCounters {
    /// Joined and decoded.
    pub joined: u64,
    /// Given up because fragments were missing after [`limits::FRAGMENT_TIMEOUT`] or at the end of the capture.
    pub expired: u64,
    /// Given up because of a bound.
    pub overflowed: u64,
}

/// A fragmented IP packet of a flow that never arrived whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostFragments {
    /// The flow, innermost, as the first fragment names it.
    pub key: FlowKey,
    /// The sender is [`FlowKey::low`].
    pub from_low: bool,
    /// Where the first fragment to arrive stands.
    pub mark: Mark,
    /// Payload bytes of the IP packet that did arrive.
    pub bytes_have: u32,
    /// Length of the IP packet's payload, if its last fragment arrived.
    pub bytes_whole: Option<u32>,
    /// How long the rest was awaited, in packet time. Short only at the end of a capture.
    pub waited: Duration,
}

/// A whole IP payload.
#[derive(Debug)]
pub(super) struct Joined {
    /// What the outer headers said.
    pub(super) around: Around,
    /// IP protocol of the payload.
    pub(super) protocol: u8,
    /// The payload, up to the first byte that the snapshot length cut.
    pub(super) bytes: Vec<u8>,
    /// Its length on the wire.
    pub(super) wire: u32,
    /// The frames that carried its fragments.
    pub(super) frames: Vec<u64>,
}

/// The packets being joined, oldest first.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    by_age: BTreeMap<u64, Partial>,
    by_key: BTreeMap<PacketKey, u64>,
    next_age: u64,
    held: usize,
    lost: Vec<LostFragments>,
    lost_frames: Vec<(FlowKey, Vec<u64>)>,
    recently_joined: VecDeque<PacketKey>,
    pub(super) counters: FragmentCounters,
}

/// Fragments with the same key belong to one packet (RFC 791 section 3.2, RFC 8200 section 4.5). IPv6 has the protocol from the first fragment
/// alone, so there it is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct PacketKey {
    ends: Ends,
    id: u32,
    protocol: u8,
    site: Site,
    path: u32,
}

/// One packet being joined.
#[derive(Debug)]
struct Partial {
    key: PacketKey,
    first_seen: Mark,
    /// Of the fragment at offset zero.
    head: Option<Head>,
    bytes: Vec<u8>,
    /// What arrived, as ranges in order that neither overlap nor touch.
    ranges: Vec<(u32, u32)>,
    /// The first byte that the snapshot length cut.
    cut_at: u32,
    whole_len: Option<u32>,
    /// The frames that carried it, in order; bounded like the packet's holes.
    frames: Vec<u64>,
    /// A packet with this key was joined before: this may be what is left of a duplicate.
    after_join: bool,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    around: Around,
    protocol: u8,
    header_len: u32,
    flow: Option<(FlowKey, bool)>,
}

impl Fragments {
    /// Whether the oldest packet has waited too long.
    #[inline]
    pub(super) fn due(&self, now: Timestamp) -> bool {
        self.by_age.first_key_value().is_some_and(|(_, oldest)| now.since(oldest.first_seen.time) >= limits::FRAGMENT_TIMEOUT)
    }

    /// Gives up the packets that have waited too long.
    pub(super) fn expire(&mut self, now: Timestamp) {
        while self.due(now) {
            self.expire_oldest(now);
        }
    }

    /// Gives up all.
    pub(super) fn expire_all(&mut self, now: Timestamp) {
        while self.expire_oldest(now) {}
    }

    /// The packets that were given up since the last call and whose flow is known.
    pub(super) fn take_lost(&mut self) -> Vec<LostFragments> {
        std::mem::take(&mut self.lost)
    }

    /// There are such packets.
    #[inline]
    pub(super) const fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// The frames of packets that were given up since the last call and whose flow is known.
    pub(super) fn take_lost_frames(&mut self) -> Vec<(FlowKey, Vec<u64>)> {
        std::mem::take(&mut self.lost_frames)
    }

    /// Adds the fragment at which a walk stopped. Gives the packet when it is whole.
    pub(super) fn add(&mut self, walk: &Walk<'_>, piece: Piece) -> Option<Joined> {
        let around = &walk.around;
        let key = PacketKey {
            ends: around.ends,
            id: piece.id,
            protocol: if around.ends.is_v6() { 0 } else { piece.protocol },
            site: around.site,
            path: around.path.identity(),
        };
        let age = self.age_of(key, around.mark);
        let partial = self.by_age.get_mut(&age)?;
        let before = partial.bytes.len();
        let took = partial.take(walk, piece);
        self.held = self.held.saturating_sub(before).saturating_add(partial.bytes.len());
        if !took {
            self.remove(age);
            self.counters.overflowed = self.counters.overflowed.saturating_add(1);
            return None;
        }
        if partial.is_whole() {
            let joined = self.remove(age).and_then(|partial| partial.join(around.mark));
            self.counters.joined = self.counters.joined.saturating_add(1);
            if self.recently_joined.len() >= RECENT {
                self.recently_joined.pop_front();
            }
            self.recently_joined.push_back(key);
            return joined;
        }
        while self.by_age.len() > limits::FRAGMENT_PACKETS || self.held > limits::FRAGMENT_BYTES {
            let Some(oldest) = self.by_age.first_key_value().map(|(age, _)| *age) else { break };
            self.remove(oldest);
            self.counters.overflowed = self.counters.overflowed.saturating_add(1);
        }
        None
    }

    fn age_of(&mut self, key: PacketKey, mark: Mark) -> u64 {
        if let Some(age) = self.by_key.get(&key) {
            return *age;
        }
        let age = self.next_age;
        self.next_age = self.next_age.wrapping_add(1);
        let after_join = self.recently_joined.contains(&key);
        let partial = Partial {
            key,
            first_seen: mark,
            head: None,
            bytes: Vec::new(),
            ranges: Vec::new(),
            cut_at: u32::MAX,
            whole_len: None,
            frames: Vec::new(),
            after_join,
        };
        self.by_key.insert(key, age);
        self.by_age.insert(age, partial);
        age
    }

    fn remove(&mut self, age: u64) -> Option<Partial> {
        let partial = self.by_age.remove(&age)?;
        self.by_key.remove(&partial.key);
        self.held = self.held.saturating_sub(partial.bytes.len());
        Some(partial)
    }

    fn expire_oldest(&mut self, now: Timestamp) -> bool {
        let Some(age) = self.by_age.first_key_value().map(|(age, _)| *age) else { return false };
        let Some(partial) = self.remove(age) else { return false };
        self.counters.expired = self.counters.expired.saturating_add(1);
        if let Some((key, from_low)) = partial.head.and_then(|head| head.flow)
            && !partial.after_join
            && self.lost.len() < limits::FRAGMENT_LOST
        {
            if self.lost_frames.len() < limits::FRAGMENT_LOST {
                self.lost_frames.push((key, partial.frames));
            }
            self.lost.push(LostFragments {
                key,
                from_low,
                mark: partial.first_seen,
                bytes_have: partial.ranges.iter().fold(0, |sum: u32, (start, end)| sum.saturating_add(end.saturating_sub(*start))),
                bytes_whole: partial.whole_len,
                waited: now.since(partial.first_seen.time),
            });
        }
        true
    }
}

impl Partial {
    /// Takes a fragment. False when there are too many holes.
    fn take(&mut self, walk: &Walk<'_>, piece: Piece) -> bool {
        let (start, end) = (piece.offset, piece.offset.saturating_add(walk.rest.wire()));
        if self.frames.len() < limits::FRAGMENT_FRAMES {
            self.frames.push(walk.around.mark.frame);
        }
        // the first word on the length stands
        if self.whole_len.is_some_and(|whole| end > whole) {
            return true;
        }
        if !piece.more && self.whole_len.is_none() {
            if self.ranges.last().is_some_and(|(_, last)| *last > end) {
                return true;
            }
            self.whole_len = Some(end);
        }
        if start == 0 && self.head.is_none() {
            let flow = flow_of(walk, piece.protocol);
            self.head = Some(Head { around: walk.around, protocol: piece.protocol, header_len: piece.header_len, flow });
        }
        let captured = walk.rest.bytes();
        if self.bytes.len() < end as usize {
            self.bytes.resize(end as usize, 0);
        }
        let mut at = start;
        for &(have_from, have_to) in self.ranges.iter().filter(|(from, to)| *from < end && *to > start) {
            copy(&mut self.bytes, captured, start, (at, have_from));
            at = at.max(have_to);
        }
        copy(&mut self.bytes, captured, start, (at, end));
        if captured.len() < end.saturating_sub(start) as usize {
            self.cut_at = self.cut_at.min(start.saturating_add(u32::try_from(captured.len()).unwrap_or(0)));
        }
        self.merge(start, end);
        self.ranges.len() <= limits::FRAGMENT_HOLES
    }

    /// Adds a range to those that arrived.
    fn merge(&mut self, mut start: u32, mut end: u32) {
        let first = self.ranges.partition_point(|(_, to)| *to < start);
        let last = self.ranges.partition_point(|(from, _)| *from <= end);
        for (from, to) in self.ranges.iter().take(last).skip(first) {
            (start, end) = (start.min(*from), end.max(*to));
        }
        self.ranges.splice(first..last.max(first), [(start, end)]);
    }

    fn is_whole(&self) -> bool {
        matches!((self.ranges.as_slice(), self.whole_len), ([(0, end)], Some(whole)) if *end == whole)
    }

    /// The packet, as if it had arrived whole in the frame that completed it.
    fn join(self, mark: Mark) -> Option<Joined> {
        let (head, wire) = (self.head?, self.whole_len?);
        let mut around = head.around;
        around.mark = mark;
        around.joined = true;
        around.depth = around.depth.saturating_add(1);
        around.ip.was_fragmented = true;
        around.ip.total_len = head.header_len.saturating_add(wire);
        let mut bytes = self.bytes;
        bytes.truncate(self.cut_at.min(wire) as usize);
        Some(Joined { around, protocol: head.protocol, bytes, wire, frames: self.frames })
    }
}

/// Copies a range of the whole that nothing covered yet, as far as the fragment (at `offset`) was captured.
fn copy(whole: &mut [u8], captured: &[u8], offset: u32, (from, to): (u32, u32)) {
    let reach = (to.saturating_sub(offset) as usize).min(captured.len());
    let skip = from.saturating_sub(offset) as usize;
    let (Some(source), Some(target)) = (captured.get(skip..reach), whole.get_mut(from as usize..)) else { return };
    for (to, from) in target.iter_mut().zip(source) {
        *to = *from;
    }
}

/// The innermost flow that a first fragment names, through tunnels. What lies beyond it counts as cut off.
fn flow_of(walk: &Walk<'_>, protocol: u8) -> Option<(FlowKey, bool)> {
    let rest = Cursor::new(walk.rest.bytes(), u32::from(u16::MAX));
    match (Walk { rest, around: walk.around, piece: None, unread: Unread::Nothing, link: LinkHeader::Nothing }).run(Next::Payload(protocol))
    {
        Packet::Tcp(segment) => Some((segment.key, segment.from_low)),
        Packet::Udp(datagram) => Some((datagram.key, datagram.from_low)),
        Packet::Eapol(_) | Packet::IcmpError(_) | Packet::Skipped(_) => None,
    }
}

/// Joined packets remembered, so that what a second copy of their fragments leaves is not taken for a loss.
const RECENT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::frame::{Frame, FrameHead, LinkType};

    fn walk(bytes: &[u8], id: u8, time: i64) -> Walk<'_> {
        let head = FrameHead {
            number: 1,
            time: Timestamp::from_parts(time, 0),
            link: LinkType(1),
            interface: 0,
            site: Site::NONE,
            original_len: u32::try_from(bytes.len()).unwrap(),
        };
        let mut walk = Walk::new(&Frame { head, bytes });
        walk.around.ends = Ends::V4 { source: u32::from(id), destination: 0 };
        walk
    }

    fn piece(offset: u32, more: bool) -> Piece {
        Piece { id: 1, protocol: 17, offset, more, header_len: 20 }
    }

    #[test]
    fn the_first_of_overlapping_fragments_wins() {
        let mut fragments = Fragments::default();
        assert!(fragments.add(&walk(&[1; 16], 1, 0), piece(8, true)).is_none());
        assert!(fragments.add(&walk(&[2; 24], 1, 0), piece(0, true)).is_none());
        let joined = fragments.add(&walk(&[3; 20], 1, 0), piece(16, false)).unwrap();
        let expected: Vec<u8> = [vec![2; 8], vec![1; 16], vec![3; 12]].concat();
        assert_eq!(joined.bytes, expected);
        assert_eq!((joined.wire, joined.around.ip.total_len), (36, 56));
        assert_eq!(fragments.counters.joined, 1);
        assert_eq!(fragments.held, 0);
    }

    #[test]
    fn a_cut_fragment_cuts_the_whole() {
        let mut fragments = Fragments::default();
        let mut first = walk(&[1; 8], 1, 0);
        first.rest = Cursor::new(first.rest.bytes(), 16);
        assert!(fragments.add(&first, piece(0, true)).is_none());
        let joined = fragments.add(&walk(&[2; 8], 1, 0), piece(16, false)).unwrap();
        assert_eq!((joined.bytes.as_slice(), joined.wire), ([1; 8].as_slice(), 24));
    }

    #[test]
    fn many_packets_push_out_the_oldest() {
        let mut fragments = Fragments::default();
        for id in 0..=u32::try_from(limits::FRAGMENT_PACKETS).unwrap() {
            assert!(fragments.add(&walk(&[0; 8], 1, 0), Piece { id, ..piece(0, true) }).is_none());
        }
        assert_eq!(fragments.by_age.len(), limits::FRAGMENT_PACKETS);
        assert_eq!(fragments.counters.overflowed, 1);
        for id in 0..600 {
            assert!(fragments.add(&walk(&[0; 8], 2, 0), Piece { id, ..piece(65520, true) }).is_none());
        }
        assert!(fragments.held <= limits::FRAGMENT_BYTES);
        assert_eq!(fragments.held, fragments.by_age.values().map(|partial| partial.bytes.len()).sum::<usize>());
    }

    #[test]
    fn many_holes_are_refused() {
        let mut fragments = Fragments::default();
        for hole in 0..200 {
            assert!(fragments.add(&walk(&[0; 8], 1, 0), piece(hole * 16, true)).is_none());
        }
        assert_eq!(fragments.counters.overflowed, 3);
    }

    #[test]
    fn the_leavings_of_a_duplicate_are_no_loss() {
        let mut fragments = Fragments::default();
        let udp = [0x30, 0x39, 0x01, 0xbb, 0, 16, 0, 0];
        assert!(fragments.add(&walk(&[2; 8], 1, 0), piece(8, false)).is_none());
        assert!(fragments.add(&walk(&udp, 1, 0), piece(0, true)).is_some());
        assert!(fragments.add(&walk(&udp, 1, 0), piece(0, true)).is_none());
        fragments.expire(Timestamp::from_parts(31, 0));
        assert_eq!(fragments.counters.expired, 1);
        assert!(fragments.take_lost().is_empty());
    }

    #[test]
    fn a_packet_that_never_arrives_whole_is_reported_once_with_its_flow() {
        let mut fragments = Fragments::default();
        let udp = [0x30, 0x39, 0x01, 0xbb, 0x05, 0xdc, 0, 0];
        assert!(fragments.add(&walk(&udp, 1, 10), piece(0, true)).is_none());
        fragments.expire(Timestamp::from_parts(39, 0));
        assert!(fragments.take_lost().is_empty());
        fragments.expire(Timestamp::from_parts(40, 0));
        let lost = fragments.take_lost();
        assert_eq!(lost.len(), 1);
        assert_eq!((lost[0].key.low.port, lost[0].key.high.port, lost[0].from_low), (443, 12345, false));
        assert_eq!((lost[0].bytes_have, lost[0].bytes_whole, lost[0].waited), (8, None, Duration::from_secs(30)));
        assert!(fragments.take_lost().is_empty());
    }

    proptest! {
        /// Any cutting, in any order and with repetitions, joins to the same bytes.
        #[test]
        fn joins_in_any_order(
            payload in proptest::collection::vec(any::<u8>(), 17..400),
            cuts in proptest::collection::btree_set(1_usize..50, 1..8),
            order in any::<prop::sample::Index>(),
            repeated in any::<prop::sample::Index>(),
        ) {
            let mut bounds: Vec<usize> = cuts.into_iter().map(|cut| cut * 8).filter(|cut| *cut < payload.len()).collect();
            bounds.insert(0, 0);
            bounds.push(payload.len());
            let mut pieces: Vec<(usize, usize)> = bounds.windows(2).map(|pair| (pair[0], pair[1])).collect();
            let middle = order.index(pieces.len());
            pieces.rotate_left(middle);
            pieces.insert(0, pieces[repeated.index(pieces.len())]);
            let mut fragments = Fragments::default();
            let joined: Vec<Joined> = pieces
                .iter()
                .filter(|(from, to)| *from != 0 || *to != payload.len())
                .filter_map(|&(from, to)| {
                    let offset = u32::try_from(from).unwrap();
                    fragments.add(&walk(&payload[from..to], 1, 0), piece(offset, to != payload.len()))
                })
                .collect();
            if pieces.len() > 2 {
                prop_assert_eq!(joined.len(), 1);
                prop_assert_eq!(&joined[0].bytes, &payload);
            }
        }
    }
}
