//! Packets of flows that are not looked into any more: summed up where a capture is condensed, counted where the condensate is read.
//!
//! Whoever condenses a window does not know of every flow what it carried: its handshake may have been long before. So packets that are left out are
//! summed up by flow, once a second of packet time, and whoever reads all windows counts them as what the flow is known to be. A window that goes on
//! beyond its end, because a flow of its own is unsettled, keeps packets that the next window leaves out: it takes them off again.

use std::collections::BTreeMap;

use foldhash::quality::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::condensate::Late;
use crate::flow::FlowKey;
use crate::handshake::tally;
use crate::limits;
use crate::packet::Packet;
use crate::traffic::{Kind, Traffic, Volume};

/// A packet as it is summed up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) key: FlowKey,
    /// As what it passes by; `None` for TCP.
    kind: Option<Kind>,
    bytes: u32,
    /// What it is does not depend on what was before.
    known: bool,
}

impl Part {
    /// That of a packet; `followed`: it is one of a flow over UDP of which something is known.
    pub(super) fn of(packet: &Packet<'_>, followed: bool) -> Option<Self> {
        match packet {
            Packet::Tcp(segment) => Some(Self { key: segment.key, kind: None, bytes: segment.payload_len, known: false }),
            Packet::Udp(datagram) | Packet::Eapol(datagram) => {
                let kind = tally::passing(datagram);
                let known = !followed && !tally::may_go_on(kind);
                Some(Self { key: datagram.key, kind: Some(kind), bytes: datagram.payload_len, known })
            }
            Packet::IcmpError(_) | Packet::Skipped(_) => None,
        }
    }
}

/// What was left out, and since when.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    flows: HashMap<FlowKey, SmallVec<[Sum; 1]>, RandomState>,
    /// Of what does not depend on flows.
    pub(super) passed: Traffic,
}

#[derive(Debug, Clone, Copy)]
struct Sum {
    kind: Option<Kind>,
    packets: i64,
    bytes: i64,
}

impl LeftOut {
    /// A packet of the window is left out.
    pub(super) fn add(&mut self, part: &Part) {
        match part.kind.filter(|_| part.known) {
            Some(kind) => {
                let row = self.passed.row(kind);
                self.passed.packet(row, part.bytes);
            }
            None => self.sum(part, 1),
        }
    }

    /// A packet is kept that is not of the window.
    pub(super) fn take_off(&mut self, part: &Part) {
        if !part.known {
            self.sum(part, -1);
        }
    }

    fn sum(&mut self, part: &Part, sign: i64) {
        let sums = self.flows.entry(part.key).or_default();
        let bytes = i64::from(part.bytes).saturating_mul(sign);
        match sums.iter_mut().find(|sum| sum.kind == part.kind) {
            Some(sum) => {
                sum.packets = sum.packets.saturating_add(sign);
                sum.bytes = sum.bytes.saturating_add(bytes);
            }
            None => sums.push(Sum { kind: part.kind, packets: sign, bytes }),
        }
    }

    /// Everything since the last call, in an order that depends on nothing else.
    pub(super) fn turn(&mut self) -> Vec<Late> {
        let mut all: Vec<Late> = self.flows.drain().flat_map(|(key, sums)| told(key, sums, false)).collect();
        all.sort_unstable_by_key(|late| (late.key, late.kind));
        all
    }

    /// What there is of a flow in whose place another begins.
    pub(super) fn turn_one(&mut self, key: &FlowKey) -> Vec<Late> {
        self.flows.remove(key).into_iter().flat_map(|sums| told(*key, sums, true)).collect()
    }

    /// So much is held that it is to be told before the second is over.
    pub(super) fn brims(&self) -> bool {
        self.flows.len() >= limits::LATE_FLOWS
    }
}

fn told(key: FlowKey, sums: SmallVec<[Sum; 1]>, at_once: bool) -> impl Iterator<Item = Late> {
    sums.into_iter().map(move |Sum { kind, packets, bytes }| Late { key, kind, at_once, packets, bytes })
}

/// What condensates tell to be left out in the second of packet time at hand.
#[derive(Debug, Default)]
pub(super) struct Pending {
    sums: BTreeMap<(FlowKey, Option<Kind>), (i64, i64)>,
    /// The second in which it was.
    second: i64,
}

impl Pending {
    /// Adds what one of them tells.
    pub(super) fn add(&mut self, late: &Late, second: i64) {
        let (packets, bytes) = self.sums.entry((late.key, late.kind)).or_default();
        *packets = packets.saturating_add(late.packets);
        *bytes = bytes.saturating_add(late.bytes);
        self.second = second;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// No more should wait.
    pub(super) fn is_full(&self) -> bool {
        self.sums.len() >= limits::LATE_FLOWS / limits::PARTITIONS
    }

    /// What is left when everything is added up, of all flows or of one, and the second.
    pub(super) fn take(&mut self, of: Option<&FlowKey>) -> (Vec<(FlowKey, Option<Kind>, Volume)>, i64) {
        let taken = match of {
            None => std::mem::take(&mut self.sums),
            Some(key) => {
                let mut taken = BTreeMap::new();
                self.sums.retain(|sum, counts| {
                    let stays = sum.0 != *key;
                    if !stays {
                        taken.insert(*sum, *counts);
                    }
                    stays
                });
                taken
            }
        };
        let left = taken.into_iter().filter_map(|((key, kind), (packets, bytes))| {
            let volume = Volume { packets: u64::try_from(packets).ok()?, bytes: u64::try_from(bytes).unwrap_or_default(), connections: 0 };
            (volume.packets > 0).then_some((key, kind, volume))
        });
        (left.collect(), self.second)
    }
}
