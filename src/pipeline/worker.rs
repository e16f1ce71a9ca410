//! A worker: the partitions it owns, each with its connection table and what its handshakes share.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::count::Count;
use crate::diagnosis::policy::Policy;
use crate::flow::{FlowKey, Transport};
use crate::handshake::Handshake;
use crate::handshake::datagrams::DatagramMachine;
use crate::handshake::lookups::Heard;
use crate::handshake::machine::Machine;
use crate::handshake::shared::{HalfOpen, Shared};
use crate::limits;
use crate::packet::Packet;
use crate::preamble::GOOGLE_QUIC;
use crate::secrets::{KeyLog, KeyRing, Tally};
use crate::shard::Shard;
use crate::time::Mark;
use crate::traffic::Volumes;
use crate::transport::udp::UdpTable;
use crate::transport::{Table, TableCounters, TableLimits};

use super::ahead::{Ahead, Plain};
use super::batch::{Entry, Routed, Taker};
use super::late::Pending;
use super::partition::partition;

/// One worker's partitions: those whose number divided by the number of workers leaves the worker's own.
#[derive(Debug)]
pub(super) struct Worker {
    partitions: Vec<Partition>,
    /// Where the partition of each number lies among them.
    places: [u8; limits::PARTITIONS],
    /// Secrets, once there are any.
    keys: Option<Arc<KeyRing>>,
    /// What the capture's end has left, the first behind: the first frame, the place of its partition, its number there.
    left: Vec<(u64, usize, u32)>,
    /// How many of these are ended at a time.
    portion: usize,
    /// What was told of other shards since it was last asked.
    told: Vec<Entry>,
    /// The shard that is read, if it is one by itself, and its flows that another one counts.
    shard: Option<Shard>,
    counted_elsewhere: u64,
}

/// How far everything is concluded. What is concluded at the same frame is told in the order of the first frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Upto {
    /// The frame at which it was concluded.
    pub(super) concluded_at: u64,
    /// Its first frame.
    first: u64,
}

impl Upto {
    /// Nothing is concluded.
    pub(super) const NOTHING: Self = Self { concluded_at: 0, first: 0 };
    /// Everything is.
    pub(super) const ALL: Self = Self { concluded_at: u64::MAX, first: u64::MAX };

    /// Everything that is concluded at this frame or before it.
    pub(super) const fn frame(frame: u64) -> Self {
        Self { concluded_at: frame, first: u64::MAX }
    }

    /// Everything up to this handshake.
    pub(super) fn of(handshake: &Handshake) -> Self {
        Self { concluded_at: handshake.concluded_at, first: handshake.flow.first.frame }
    }
}

#[derive(Debug)]
struct Partition {
    table: Table<Machine>,
    flows: UdpTable<DatagramMachine>,
    shared: Shared,
    /// Packets that were left out in the step of packet time at hand.
    late: Pending,
}

impl Partition {
    /// How many flows its tables have counted.
    fn flows_counted(&self) -> u64 {
        (Count::from(self.table.counters().flows) + self.flows.counters().flows).get()
    }

    /// Counts the packets that were left out, of all flows or of one.
    #[cold]
    fn settle_late(&mut self, of: Option<&FlowKey>) {
        let Self { table, flows, shared, late } = self;
        let (left, second) = late.take(of);
        for (key, kind, volume) in left {
            match (key.transport, kind) {
                (Transport::Tcp, _) => table.left_out(shared, &key, volume, second),
                (Transport::Udp | Transport::Eapol, kind) => {
                    if !flows.left_out(shared, &key, volume, second)
                        && let Some(kind) = kind
                    {
                        let row = shared.traffic.row(kind);
                        shared.traffic.add(row, volume);
                    }
                }
            }
        }
    }
}

impl Worker {
    pub(super) fn new(index: usize, workers: usize, policy: &Policy, live: bool, shard: Option<Shard>) -> Self {
        let bounds = if live { TableLimits::live_partition(policy.stall_after) } else { TableLimits::partition() };
        let share = (index..limits::PARTITIONS).step_by(workers);
        let partitions = share
            .map(|_| Partition {
                table: Table::new(bounds),
                flows: UdpTable::new(limits::UDP_FLOWS / limits::PARTITIONS),
                shared: Shared::new(policy.stall_after, live).of_shard(shard),
                late: Pending::default(),
            })
            .collect();
        let place = |number: usize| u8::try_from(number.checked_div(workers).unwrap_or(number)).unwrap_or(u8::MAX);
        Self {
            partitions,
            places: std::array::from_fn(place),
            keys: None,
            left: Vec::new(),
            portion: 0,
            told: Vec::new(),
            shard,
            counted_elsewhere: 0,
        }
    }

    /// Makes secrets known.
    pub(super) fn add_secrets(&mut self, log: &KeyLog) {
        let ring = self.keys.get_or_insert_with(|| {
            let ring = Arc::new(KeyRing::default());
            self.partitions.iter_mut().for_each(|partition| partition.shared.set_keys(Arc::clone(&ring)));
            ring
        });
        ring.extend(log);
    }

    /// What came of the secrets.
    pub(super) fn tally(&self) -> Tally {
        self.keys.as_ref().map(|ring| ring.tally()).unwrap_or_default()
    }

    /// Whether the flow of a packet is counted here, if the packet begins one.
    #[inline]
    fn counts(&self, packet: &Packet<'_>) -> bool {
        self.shard.zip(packet.key()).is_none_or(|(shard, key)| shard.counts(key))
    }

    /// Takes a packet, and gives the first packets of the flows that it means something to: of the one that was there, and of the one that it began.
    pub(super) fn take_for(&mut self, routed: Routed<'_>) -> [Option<Mark>; 2] {
        let Routed::Packet { partition, packet, .. } = routed else {
            self.take(routed);
            return [None; 2];
        };
        let begun = |worker: &mut Self| {
            let Partition { table, flows, .. } = worker.partition(partition)?;
            let key = packet.key()?;
            let first = if key.transport == Transport::Tcp { table.begun(key) } else { flows.begun(key) };
            Some((first, Count::from(table.counters().flows) + flows.counters().flows))
        };
        let before = begun(self);
        self.take(routed);
        let after = begun(self);
        let ((was, known), (is, all)) = (before.unwrap_or_default(), after.unwrap_or_default());
        // One that is settled by its first packet is not there any more.
        let own = match packet {
            Packet::Tcp(segment) => Some(segment.mark),
            Packet::Udp(datagram) | Packet::Eapol(datagram) => Some(datagram.mark),
            Packet::IcmpError(_) | Packet::Skipped(_) => None,
        };
        [was, is.or_else(|| own.filter(|_| all != known))]
    }

    /// Whether anything is kept of the flow over UDP that a packet belongs to.
    pub(super) fn knows(&mut self, routed: Routed<'_>) -> bool {
        let Routed::Packet { partition, packet: Packet::Udp(datagram) | Packet::Eapol(datagram), .. } = routed else { return false };
        self.partition(partition).is_some_and(|partition| partition.flows.knows(&datagram.key))
    }

    /// Whether a packet ends a connection that is not looked into any more: what comes later on its ports may then be another.
    pub(super) fn ends_settled(&mut self, routed: Routed<'_>) -> bool {
        let Routed::Packet { partition, packet: Packet::Tcp(segment), .. } = routed else { return false };
        let ends = segment.flags.fin() || segment.flags.rst();
        ends && self.partition(partition).is_some_and(|partition| partition.table.is_settled(&segment.key))
    }

    /// Whether any flow is followed whose first packet is one of these.
    pub(super) fn follows(&self, wanted: impl Fn(Mark) -> bool) -> bool {
        self.partitions.iter().any(|partition| partition.table.follows(&wanted) || partition.flows.follows(&wanted))
    }

    /// The capture is over. What is left is ended in [portions](Worker::end_more).
    pub(super) fn end(&mut self, now: Mark) {
        for (place, own) in self.partitions.iter_mut().enumerate() {
            own.settle_late(None);
            let Partition { table, flows, shared, .. } = own;
            self.left.extend(table.end_but_syns(shared, now).into_iter().map(|(first, id)| (first, place, id)));
            flows.end(shared, now);
        }
        self.left.sort_unstable_by_key(|left| Reverse(*left));
        self.portion = (self.left.len() / PORTIONS).max(LEAST_PORTION);
    }

    /// Ends a portion of what the capture's end has left. Tells how far everything is concluded then.
    pub(super) fn end_more(&mut self, now: Mark) -> Upto {
        for _ in 0..self.portion {
            let Some((_, place, id)) = self.left.pop() else { break };
            if let Some(Partition { table, shared, .. }) = self.partitions.get_mut(place) {
                table.end_syn(shared, id, now);
            }
        }
        self.left.last().map_or(Upto::ALL, |(first, ..)| Upto { concluded_at: u64::MAX, first: first.saturating_sub(1) })
    }

    /// So many handshakes are concluded that they are best judged while what was gathered of them is still in the cache.
    pub(super) fn brims(&self) -> bool {
        let concluded = self.partitions.iter().map(|partition| partition.shared.concluded.len()).sum::<Count>();
        concluded >= Count::new(BRIM)
    }

    /// Moves out what has been concluded since the last call.
    pub(super) fn drain(&mut self) -> Drained {
        let mut drained = Drained { told: std::mem::take(&mut self.told), ..Drained::default() };
        for Partition { shared, .. } in &mut self.partitions {
            drained.handshakes.append(&mut shared.concluded);
            drained.half_open.append(&mut shared.half_open);
            drained.heard.append(&mut shared.heard);
        }
        if let Some(shard) = self.shard {
            drained.handshakes.retain(|handshake| shard.judges(&handshake.flow.packets_key(), handshake.server.address));
        }
        drained
    }

    /// The tables' counters, added up.
    pub(super) fn counters(&self) -> TableCounters {
        let google = |partition: &Partition| partition.shared.traffic.packets_of(GOOGLE_QUIC);
        let sum = self.partitions.iter().fold(TableCounters::default(), |sum, partition| {
            let sum = sum.plus(&partition.table.counters()).plus(&partition.flows.counters());
            TableCounters {
                google_quic: sum.google_quic.saturating_add(google(partition)),
                tunnels_dropped: sum.tunnels_dropped.saturating_add(partition.shared.tunnels_dropped),
                ..sum
            }
        });
        TableCounters { flows: sum.flows.saturating_sub(self.counted_elsewhere), ..sum }
    }

    /// Adds what the packets were to the sums of other workers.
    pub(super) fn add_traffic(&self, volumes: &mut Volumes) {
        self.partitions.iter().for_each(|partition| partition.shared.traffic.add_to(volumes));
    }

    /// Connections held, settled ones included.
    pub(super) fn held(&self) -> u64 {
        self.partitions.iter().map(|partition| Count::from(partition.table.held()) + partition.flows.held()).sum::<Count>().get()
    }

    fn partition(&mut self, number: u16) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::from(*self.places.get(usize::from(number))?))
    }
}

impl Taker for Worker {
    fn take(&mut self, routed: Routed<'_>) {
        match routed {
            Routed::Packet { partition, interface, packet, .. } => {
                let counts = self.counts(packet);
                let Some(own) = self.partition(partition) else { return };
                let known = (!counts).then(|| own.flows_counted());
                let Partition { table, flows, shared, .. } = own;
                match packet {
                    Packet::Tcp(segment) => table.segment(shared, interface, segment),
                    Packet::Udp(datagram) | Packet::Eapol(datagram) => flows.datagram(shared, interface, datagram),
                    Packet::IcmpError(error) if error.transport() == Transport::Tcp => table.icmp(shared, error),
                    Packet::IcmpError(error) => flows.icmp(error),
                    Packet::Skipped(_) => {}
                }
                if let Some(known) = known {
                    let more = own.flows_counted().saturating_sub(known);
                    self.counted_elsewhere = self.counted_elsewhere.saturating_add(more);
                }
            }
            Routed::Unfinished(lost) => {
                let Some(Partition { table, flows, .. }) = self.partition(partition(&lost.key)) else { return };
                match lost.key.transport {
                    Transport::Tcp => table.unfinished(lost),
                    Transport::Udp | Transport::Eapol => flows.unfinished(lost),
                }
            }
            Routed::Late { late, second } => {
                let Some(own) = self.partition(partition(&late.key)) else { return };
                own.late.add(late, second);
                if late.at_once {
                    own.settle_late(Some(&late.key));
                } else if own.late.is_full() {
                    own.settle_late(None);
                }
            }
            Routed::Told(entry) => self.told.push(entry.clone()),
            Routed::Watch(watch) => {
                for Partition { table, flows, .. } in &mut self.partitions {
                    table.set_watch(watch);
                    flows.set_watch(watch);
                }
            }
            Routed::Tick(now) => {
                for own in &mut self.partitions {
                    if !own.late.is_empty() {
                        own.settle_late(None);
                    }
                    let Partition { table, flows, shared, .. } = own;
                    table.tick(shared, now);
                    flows.tick(shared, now);
                }
            }
        }
    }

    /// Asks for the memory that the next segments need.
    fn coming(&mut self, ahead: &Ahead<'_>) {
        ahead.approach(|ask, partition, segment, expected| {
            if let Some(own) = self.partition(partition) {
                own.table.approach(ask, segment, expected);
            }
        });
    }

    #[inline]
    fn plain(&mut self, plain: Plain<'_>, _: u32) {
        let (partition, interface) = (plain.partition(), plain.interface());
        if !self.counts(plain.packet) {
            return self.take(Routed::Packet { partition, interface, packet: plain.packet, place: None });
        }
        if let Some(Partition { table, shared, .. }) = self.partition(partition) {
            table.expected(shared, interface, plain.segment, plain.flow().get());
        }
    }
}

/// Portions in which the capture's end is dealt with, unless these are small. Each goes through all that others have concluded beyond it.
const PORTIONS: usize = 32;
const LEAST_PORTION: usize = 256;

/// Handshakes whose facts fit a core's cache together with all that judging them takes.
const BRIM: u64 = 16;

/// What a worker's partitions have concluded.
#[derive(Debug, Default)]
pub(super) struct Drained {
    /// Handshakes.
    #[expect(clippy::vec_box, reason = "handshakes are large and pass through many hands")]
    pub(super) handshakes: Vec<Box<Handshake>>,
    /// Connections that never got beyond their SYN and were given up to stay within bounds.
    pub(super) half_open: Vec<HalfOpen>,
    /// What answers of the DNS said.
    pub(super) heard: Vec<Heard>,
    /// Handshakes of other shards.
    pub(super) told: Vec<Entry>,
}

impl Drained {
    /// Nothing was concluded.
    pub(super) const fn is_empty(&self) -> bool {
        self.handshakes.is_empty() && self.half_open.is_empty() && self.heard.is_empty() && self.told.is_empty()
    }
}
