//! Beside the floors: the flight recorder. Keeps the packets of handshakes that are under way and, when one fails, hands them over to be kept.
//!
//! Memory is bounded: for each flow, and in all. When it is full, flows that carried so much that they are no handshakes any more go first, then
//! the oldest. What is written is one pcapng file for each failure, see [`Archive`].
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

mod archive;
mod shelf;

use std::collections::VecDeque;

use foldhash::quality::RandomState;
use hashbrown::HashMap;

pub use archive::{Archive, ArchiveLimits, compose};
pub use shelf::Shelf;

use crate::flow::{FlowKey, Transport};
use crate::frame::{Block, FrameHead};
use crate::limits;
use crate::packet::{Decoder, Packet};
use crate::report::Handshake;
use crate::site::Site;

/// Keeps packets of handshakes that are under way.
#[derive(Debug)]
pub struct Recorder {
    decoder: Decoder,
    flows: HashMap<FlowKey, Flow, RandomState>,
    /// Flows in the order in which they began, and those that reached their bound; entries may be out of date.
    begun: VecDeque<(FlowKey, u64)>,
    full: VecDeque<(FlowKey, u64)>,
    bytes: usize,
    memory: usize,
    /// Flows given up for want of memory.
    evicted: u64,
}

#[derive(Debug, Default)]
struct Flow {
    /// The number of the frame with which it began.
    first: u64,
    packets: Vec<Kept>,
    bytes: usize,
    /// It has been reported; nothing more is kept.
    done: bool,
}

/// A packet that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What is known of it.
    pub head: FrameHead,
    /// The captured bytes.
    pub bytes: Box<[u8]>,
}

/// The packets of one handshake that failed.
#[derive(Debug, Clone)]
pub struct Recording {
    /// What is said of it.
    pub report: Box<Handshake<'static>>,
    /// Its packets, and ICMP errors about it, in order.
    pub packets: Vec<Kept>,
    /// Packets that its interface lost meanwhile.
    pub losses: u64,
}

impl Recorder {
    /// Keeps at most so many bytes.
    pub fn new(memory: usize) -> Self {
        Self {
            decoder: Decoder::new(),
            flows: HashMap::with_hasher(RandomState::default()),
            begun: VecDeque::new(),
            full: VecDeque::new(),
            bytes: 0,
            memory,
            evicted: 0,
        }
    }

    /// Looks through a block for packets to keep.
    pub fn take(&mut self, block: &Block) {
        for frame in block.frames() {
            let (key, begins) = match self.decoder.decode(&frame) {
                Packet::Tcp(segment) => (segment.key, segment.flags.syn()),
                Packet::Udp(datagram) | Packet::Eapol(datagram) => (datagram.key, true),
                Packet::IcmpError(error) => (error.key, false),
                Packet::Skipped(_) => continue,
            };
            // A report does not tell in which tunnel it was, and all that is live is of one site.
            let key = FlowKey { path: 0, site: Site::NONE, ..key };
            if !begins && !self.flows.contains_key(&key) {
                continue;
            }
            let number = frame.head.number;
            let flow = self.flows.entry(key).or_insert_with(|| {
                self.begun.push_back((key, number));
                Flow { first: number, ..Flow::default() }
            });
            let cost = frame.bytes.len().saturating_add(size_of::<Kept>());
            if flow.done || flow.bytes > limits::RECORD_FLOW_BYTES {
                continue;
            }
            flow.packets.push(Kept { head: frame.head, bytes: frame.bytes.into() });
            flow.bytes = flow.bytes.saturating_add(cost);
            self.bytes = self.bytes.saturating_add(cost);
            if flow.bytes > limits::RECORD_FLOW_BYTES {
                self.full.push_back((key, flow.first));
            }
            while self.bytes > self.memory || self.flows.len() > limits::RECORD_FLOWS {
                if !self.evict() {
                    break;
                }
            }
        }
        // Entries of flows that are gone.
        if self.begun.len() > self.flows.len().saturating_mul(2).saturating_add(1024) {
            let flows = &self.flows;
            self.begun.retain(|(key, first)| flows.get(key).is_some_and(|flow| flow.first == *first));
            self.full.retain(|(key, first)| flows.get(key).is_some_and(|flow| flow.first == *first));
        }
    }

    /// A handshake was reported: its packets are forgotten, or handed over when `wanted`.
    pub fn conclude(&mut self, report: &Handshake<'_>, wanted: bool) -> Option<Recording> {
        let transport = report.network.transport;
        let own = || FlowKey::new(transport, report.client, report.server, 0).0;
        let key = report.facts.map_or_else(own, |facts| facts.flow.packets_key());
        let key = FlowKey { path: 0, site: Site::NONE, ..key };
        let flow = self.flows.get_mut(&key)?;
        let mut packets = std::mem::take(&mut flow.packets);
        self.bytes = self.bytes.saturating_sub(std::mem::take(&mut flow.bytes));
        if transport == Transport::Udp {
            // A datagram does not say that it is not the first.
            flow.done = true;
        } else {
            self.flows.remove(&key);
        }
        packets.retain(|packet| packet.head.number >= report.capture.first_frame);
        let losses = report.facts.map_or(0, |facts| facts.capture_losses);
        (wanted && !packets.is_empty()).then(|| Recording { report: Box::new(report.to_static()), packets, losses })
    }

    /// Bytes kept, flows kept, and flows given up for want of memory.
    pub fn load(&self) -> (u64, u64, u64) {
        (self.bytes as u64, self.flows.len() as u64, self.evicted)
    }

    /// Forgets the flow that matters least. False when there is none.
    fn evict(&mut self) -> bool {
        while let Some((key, first)) = self.full.pop_front().or_else(|| self.begun.pop_front()) {
            if self.flows.get(&key).is_some_and(|flow| flow.first == first)
                && let Some(flow) = self.flows.remove(&key)
            {
                self.bytes = self.bytes.saturating_sub(flow.bytes);
                self.evicted = self.evicted.saturating_add(1);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::LinkType;
    use crate::report::samples;
    use crate::time::Timestamp;

    /// Raw IPv4, TCP, from 10.0.0.1:`port` to 10.0.0.2:443.
    fn segment(port: u16, flags: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        let len = u16::try_from(40 + payload).unwrap().to_be_bytes();
        bytes[2..4].copy_from_slice(&len);
        bytes.extend(port.to_be_bytes());
        bytes.extend(443_u16.to_be_bytes());
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        bytes.extend(vec![7; payload]);
        bytes
    }

    fn block(first: u64, packets: &[Vec<u8>]) -> Block {
        let mut block = Block::default();
        for (number, bytes) in (first..).zip(packets) {
            let original_len = u32::try_from(bytes.len()).unwrap();
            let time = Timestamp::from_nanos(i64::try_from(number).unwrap());
            block.push(FrameHead { number, time, link: LinkType(101), interface: 0, site: Site::NONE, original_len }, bytes);
        }
        block
    }

    fn report(port: u16, first_frame: u64) -> Handshake<'static> {
        let mut report = samples::completed();
        report.client.port = port;
        report.capture.first_frame = first_frame;
        report
    }

    #[test]
    fn a_failure_gets_its_own_packets_from_its_first_on() {
        let mut recorder = Recorder::new(1 << 20);
        // An old connection of the same ports, one in between, one whose beginning was not seen.
        recorder.take(&block(1, &[segment(5, 2, 0), segment(6, 2, 0), segment(5, 2, 0), segment(7, 0x10, 9), segment(5, 0x18, 9)]));
        let recording = recorder.conclude(&report(5, 3), true).unwrap();
        assert_eq!(recording.packets.iter().map(|packet| packet.head.number).collect::<Vec<_>>(), [3, 5]);
        assert!(recorder.conclude(&report(5, 3), true).is_none(), "handed over once");
        assert!(recorder.conclude(&report(7, 4), true).is_none());
        assert!(recorder.conclude(&report(6, 2), false).is_none());
        assert_eq!(recorder.load(), (0, 0, 0));
    }

    #[test]
    fn memory_is_bounded_and_bulk_goes_first() {
        let mut recorder = Recorder::new(200_000);
        recorder.take(&block(1, &[segment(1, 2, 0)]));
        let bulk: Vec<_> = std::iter::once(segment(2, 2, 0)).chain((0..400).map(|_| segment(2, 0x18, 1400))).collect();
        recorder.take(&block(2, &bulk));
        let others: Vec<_> = (10..120).flat_map(|port| [segment(port, 2, 0), segment(port, 0x18, 1400)]).collect();
        recorder.take(&block(1000, &others));
        assert!(recorder.load().0 <= 200_000);
        assert!(recorder.load().2 >= 1);
        assert!(recorder.conclude(&report(2, 2), true).is_none(), "the bulk transfer made room");
        assert!(
            recorder.conclude(&report(1, 1), true).is_some() || recorder.load().2 > 1,
            "a handshake goes only when nothing else is left"
        );
    }
}
