//! A TCP connection taken out of a capture and put together again, cut, ordered and framed in other ways.

use std::path::Path;

use etherparse::PacketBuilder;
use handshark::flow::{FlowKey, Side};
use handshark::frame::Block;
use handshark::packet::{Decoder, Packet};
use handshark::time::Mark;
use handshark::transport::{Close, Data, FlowEvent, FlowFacts, FlowSink, Gap, Interest, Table, TableLimits};

/// What both sides said, in turns, and who closed first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    pub turns: Vec<(Side, Vec<u8>)>,
    pub closed_by: Side,
    pub start: i64,
}

#[derive(Default)]
struct Collected {
    turns: Vec<(Side, Vec<u8>)>,
    closed_by: Option<Side>,
    start: i64,
}

struct Collector;

impl FlowSink for Collector {
    type Shared = Collected;

    fn new(_: &mut Collected, _: &FlowKey) -> Self {
        Self
    }

    fn data(&mut self, shared: &mut Collected, _: &FlowFacts, data: Data<'_>) -> Interest {
        match shared.turns.last_mut() {
            Some((side, bytes)) if *side == data.side => bytes.extend_from_slice(data.bytes),
            _ => shared.turns.push((data.side, data.bytes.to_vec())),
        }
        Interest::More
    }

    fn gap(&mut self, _: &mut Collected, _: &FlowFacts, _: Gap) -> Interest {
        Interest::More
    }

    fn control(&mut self, _: &mut Collected, _: &FlowFacts, _: &FlowEvent) -> Interest {
        Interest::More
    }

    fn tick(&mut self, _: &mut Collected, _: &FlowFacts, _: Mark) -> Interest {
        Interest::More
    }

    fn finish(&mut self, shared: &mut Collected, flow: Box<FlowFacts>, _: Close, _: Mark) {
        let fins = Side::BOTH.into_iter().filter_map(|side| flow.side(side).fin.map(|(mark, _)| (mark, side)));
        shared.closed_by = fins.min().map(|(_, side)| side);
        shared.start = flow.first.time.nanos();
    }
}

impl Conversation {
    /// The first connection of a capture.
    pub fn of(path: &Path) -> Self {
        let mut source = super::open(&[path]);
        let mut decoder = Decoder::default();
        let mut table: Table<Collector> = Table::new(TableLimits::partition());
        let (mut shared, mut block, mut last) = (Collected::default(), Block::default(), Mark::default());
        let mut first = None;
        while source.fill(&mut block).unwrap() {
            for frame in block.frames() {
                last = frame.mark();
                if let Packet::Tcp(segment) = decoder.decode(&frame)
                    && *first.get_or_insert(segment.key) == segment.key
                {
                    table.segment(&mut shared, 0, &segment);
                }
            }
        }
        table.end(&mut shared, last);
        Self { turns: shared.turns, closed_by: shared.closed_by.unwrap_or(Side::Client), start: shared.start }
    }

    /// The packets of the connection when each turn is cut at these lengths, round and round.
    pub fn packets(&self, cuts: &[usize]) -> Packets {
        let mut packets = Packets { now: self.start, next: [1_000, 4_294_967_000], list: Vec::new() };
        packets.push(Side::Client, SYN, &[]);
        packets.push(Side::Server, SYN | ACK, &[]);
        packets.push(Side::Client, ACK, &[]);
        let mut cut = cuts.iter().cycle();
        for (side, bytes) in &self.turns {
            packets.turn();
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let len = (*cut.next().unwrap()).clamp(1, 1460).min(rest.len());
                packets.push(*side, ACK, &rest[..len]);
                rest = &rest[len..];
            }
            packets.turn();
            packets.push(side.other(), ACK, &[]);
        }
        packets.turn();
        packets.push(self.closed_by, FIN | ACK, &[]);
        packets.turn();
        packets.push(self.closed_by.other(), FIN | ACK, &[]);
        packets.push(self.closed_by, ACK, &[]);
        packets
    }

    /// The same conversation with the handshake records in clear framed anew: each message in records of at most this many bytes.
    pub fn reframed(&self, most: usize) -> Self {
        let turns = self.turns.iter().map(|(side, bytes)| (*side, reframe(bytes, most))).collect();
        Self { turns, ..self.clone() }
    }
}

/// Cuts handshake records (type 22, before any ChangeCipherSpec in this turn) into smaller ones.
fn reframe(bytes: &[u8], most: usize) -> Vec<u8> {
    let (mut out, mut rest, mut clear) = (Vec::new(), bytes, true);
    while let [kind, major, minor, high, low, behind @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        let (body, after) = behind.split_at(len);
        clear &= *kind == 22;
        if clear {
            for part in body.chunks(most) {
                out.extend([*kind, *major, *minor]);
                out.extend((part.len() as u16).to_be_bytes());
                out.extend(part);
            }
        } else {
            out.extend(&rest[..5 + len]);
        }
        rest = after;
    }
    out.extend(rest);
    out
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// Packets ready to be written, by turn: what lies in one turn was under way at the same time and may arrive in any order.
#[derive(Debug, Clone)]
pub struct Packets {
    now: i64,
    next: [u32; 2],
    pub list: Vec<Vec<(i64, Vec<u8>)>>,
}

impl Packets {
    fn turn(&mut self) {
        self.now += 1_000_000;
        self.list.push(Vec::new());
    }

    fn push(&mut self, side: Side, flags: u8, payload: &[u8]) {
        let (own, other) = if side == Side::Client { (0, 1) } else { (1, 0) };
        let (from, to, ports) =
            if own == 0 { ([10, 9, 0, 1], [10, 9, 0, 2], (40_000, 443)) } else { ([10, 9, 0, 2], [10, 9, 0, 1], (443, 40_000)) };
        let mut builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(from, to, 64).tcp(ports.0, ports.1, self.next[own], 64_000);
        if flags & ACK != 0 {
            builder = builder.ack(self.next[other]);
        }
        if flags & SYN != 0 {
            builder = builder.syn();
        }
        if flags & FIN != 0 {
            builder = builder.fin();
        }
        let mut bytes = Vec::new();
        builder.write(&mut bytes, payload).unwrap();
        self.next[own] = self.next[own].wrapping_add(payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0));
        self.now += 1_000;
        let at = self.now;
        match self.list.last_mut() {
            Some(turn) => turn.push((at, bytes)),
            None => self.list.push(vec![(at, bytes)]),
        }
    }

    /// A pcap file with nanosecond stamps, in the order given.
    pub fn pcap(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 262_144, 1] {
            out.extend(word.to_le_bytes());
        }
        // Whatever order the packets are in, the capture's clock goes forward.
        let mut now = i64::MIN;
        for (at, bytes) in self.list.iter().flatten() {
            now = now.max(*at);
            for word in [(now / 1_000_000_000) as u32, (now % 1_000_000_000) as u32, bytes.len() as u32, bytes.len() as u32] {
                out.extend(word.to_le_bytes());
            }
            out.extend(bytes);
        }
        out
    }
}
