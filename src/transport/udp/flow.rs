//! One UDP flow that is followed.

use std::time::Duration;

use super::sink::DatagramSink;
use crate::flow::{PerSide, Side};
use crate::limits;
use crate::packet::Datagram;
use crate::time::Timestamp;
use crate::transport::facts::{FlowEvent, FlowFacts};

#[derive(Debug)]
pub(super) struct Flow<S> {
    pub(super) facts: FlowFacts,
    pub(super) sink: S,
    /// The second of packet time of the last datagram.
    pub(super) touched: i64,
    /// The last datagrams of each side, to know those that were captured twice.
    pub(super) recent: PerSide<[(u64, Timestamp); RECENT]>,
    /// The first datagram of each.
    pub(super) first_print: PerSide<Option<u64>>,
    /// When the latest datagram was captured.
    pub(super) latest: Timestamp,
    /// Bytes that the table knows it to take.
    pub(super) noted: usize,
}

impl<S: DatagramSink> Flow<S> {
    /// One that begins now.
    pub(super) fn new(facts: FlowFacts, sink: S, now: Timestamp) -> Self {
        let never = (0, Timestamp::MIN);
        Self {
            facts,
            sink,
            touched: now.seconds(),
            recent: PerSide { client: [never; RECENT], server: [never; RECENT] },
            first_print: PerSide::default(),
            latest: now,
            noted: 0,
        }
    }

    /// Bytes that it takes with all that it holds.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + self.facts.events.capacity() * size_of::<FlowEvent>() + self.sink.weight() + limits::FLOW_OVERHEAD
    }

    /// The same datagram captured twice: a stack that sends again gives another packet or record number, and takes longer.
    pub(super) fn is_duplicate(&mut self, side: Side, datagram: &Datagram<'_>) -> bool {
        let print = fingerprint(datagram);
        let recent = self.recent.of_mut(side);
        let now = datagram.mark.time;
        if recent.iter().any(|(known, at)| *known == print && now.since(*at).max(at.since(now)) <= DUPLICATE) {
            return true;
        }
        recent.rotate_right(1);
        if let Some(slot) = recent.first_mut() {
            *slot = (print, now);
        }
        self.first_print.of_mut(side).get_or_insert(print);
        false
    }

    pub(super) fn count(&mut self, side: Side, datagram: &Datagram<'_>, new: bool) {
        let time = datagram.mark.time;
        if self.latest.since(time) > STEP_BACK {
            self.facts.clock_steps_back = self.facts.clock_steps_back.saturating_add(1);
        }
        self.latest = self.latest.max(time);
        self.facts.count_datagram(side, datagram, new);
    }
}

/// A number that equal datagrams share, the hop counter left out.
pub(super) fn fingerprint(datagram: &Datagram<'_>) -> u64 {
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let start = u64::from(datagram.payload_len) << 16 | u64::from(datagram.ip.id.unwrap_or(0));
    let (words, rest) = datagram.payload.as_chunks::<8>();
    let start = datagram.stations.map_or(start, |(from, to)| from.into_iter().chain(to).fold(start, |hash, byte| mix(hash, byte.into())));
    let hash = words.iter().fold(mix(0x243f_6a88_85a3_08d3, start), |hash, word| mix(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)))
}

impl FlowFacts {
    /// One more datagram of a side. `new`: it brought something new.
    pub fn count_datagram(&mut self, side: Side, datagram: &Datagram<'_>, new: bool) {
        let mark = datagram.mark;
        self.last = mark;
        self.fragmented_packets = self.fragmented_packets.saturating_add(u32::from(datagram.ip.was_fragmented));
        let own = self.sides.of_mut(side);
        own.packets = own.packets.saturating_add(1);
        own.last_packet = Some(mark);
        own.ttl = datagram.stations.is_none().then_some(datagram.ip.ttl);
        own.data_packets = own.data_packets.saturating_add(1);
        own.bytes_seen = own.bytes_seen.saturating_add(u64::from(datagram.payload_len));
        own.highest = own.bytes_seen;
        own.delivered = own.bytes_seen;
        own.largest_segment = own.largest_segment.max(datagram.payload_len);
        own.first_data.get_or_insert(mark);
        if new {
            own.last_data = Some(mark);
        }
        if (datagram.payload.len() as u64) < u64::from(datagram.payload_len) {
            own.snaplen_cut = own.snaplen_cut.saturating_add(1);
            own.cut_before = own.cut_before.saturating_add(u32::from(datagram.ip.was_cut));
        }
    }
}

/// Datagrams of a side remembered: those of a flight, which may all come before the first copy does.
const RECENT: usize = 16;
/// Two captures of one datagram lie no further apart.
const DUPLICATE: Duration = Duration::from_millis(5);
/// A clock that steps back by less is the shuffling of several queues.
const STEP_BACK: Duration = Duration::from_millis(1);
