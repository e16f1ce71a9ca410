//! For tests: segments told in the words of a trace, and a sink that writes down what it is given.

#![allow(clippy::cast_possible_truncation, reason = "the numbers of tests are small")]

use std::net::{IpAddr, Ipv4Addr};

use super::{Close, Data, FlowEvent, FlowFacts, FlowSink, Gap, HalfOpenEnd, Interest, Table, TableLimits};
use crate::flow::{Endpoint, FlowKey, Layer, Path, Side, Transport};
use crate::packet::{HeaderRest, IpFacts, Segment, TcpFlags};
use crate::time::{Mark, Timestamp};

/// A moment, in milliseconds since a round second; the frame number is of no use.
pub(super) fn ms(at: i64) -> Mark {
    Mark { frame: u64::MAX, time: Timestamp::from_nanos(at.saturating_mul(1_000_000)) }
}

/// Two endpoints. The client is the lower one unless told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire {
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
}

impl Default for Wire {
    fn default() -> Self {
        let at = |last, port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), port);
        Self { client: at(1, 40000), server: at(2, 443) }
    }
}

impl Wire {
    /// A segment from the client, with ACK.
    pub(super) fn client(self, seq: u32) -> Told {
        Told::new(self.client, self.server, seq)
    }

    /// A segment from the server, with ACK.
    pub(super) fn server(self, seq: u32) -> Told {
        Told::new(self.server, self.client, seq)
    }

    /// The flow.
    pub(super) fn key(self) -> FlowKey {
        FlowKey::new(Transport::Tcp, self.client, self.server, 0).0
    }
}

/// The IP identification of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Id {
    Fresh,
    None,
    Of(u16),
}

/// A segment in the making. IP identifications are all different unless given.
#[derive(Debug, Clone)]
pub(super) struct Told {
    key: FlowKey,
    from_low: bool,
    at: Option<i64>,
    seq: u32,
    ack: u32,
    flags: u8,
    window: u16,
    options: Vec<u8>,
    payload: Vec<u8>,
    len: Option<u32>,
    ttl: u8,
    id: Id,
    mark: Mark,
    path: Path,
    rest: HeaderRest,
}

impl Told {
    fn new(from: Endpoint, to: Endpoint, seq: u32) -> Self {
        let (key, from_low) = FlowKey::new(Transport::Tcp, from, to, 0);
        Self {
            key,
            from_low,
            at: None,
            seq,
            ack: 0,
            flags: TcpFlags::ACK,
            window: 0xffff,
            options: Vec::new(),
            payload: Vec::new(),
            len: None,
            ttl: 64,
            id: Id::Fresh,
            mark: Mark::default(),
            path: Path::NONE,
            rest: HeaderRest::default(),
        }
    }

    /// In a VLAN.
    pub(super) fn vlan(mut self, id: u16) -> Self {
        self.path.push(Layer::Vlan(id));
        self.key.path = self.path.identity();
        self
    }

    pub(super) fn syn(mut self) -> Self {
        self.flags = TcpFlags::SYN;
        self
    }

    pub(super) fn ack(mut self, ack: u32) -> Self {
        self.flags |= TcpFlags::ACK;
        self.ack = ack;
        self
    }

    pub(super) fn fin(mut self) -> Self {
        self.flags |= TcpFlags::FIN;
        self
    }

    /// RST alone, without ACK.
    pub(super) fn rst(mut self) -> Self {
        self.flags = TcpFlags::RST;
        self
    }

    pub(super) fn flags(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    pub(super) fn data(mut self, bytes: &[u8]) -> Self {
        self.payload = bytes.to_vec();
        self
    }

    /// The length on the wire, of which `data` is what was captured.
    pub(super) fn len(mut self, len: u32) -> Self {
        self.len = Some(len);
        self
    }

    /// Milliseconds. Without it, one more than the last segment's.
    pub(super) fn at(mut self, at: i64) -> Self {
        self.at = Some(at);
        self
    }

    pub(super) fn window(mut self, window: u16) -> Self {
        self.window = window;
        self
    }

    pub(super) fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// A checksum that is none; without options.
    pub(super) fn wrong_checksum(mut self) -> Self {
        self.rest = HeaderRest { offset: 0x50, checksum: 1, urgent: 0 };
        self
    }

    pub(super) fn id(mut self, id: Option<u16>) -> Self {
        self.id = id.map_or(Id::None, Id::Of);
        self
    }

    pub(super) fn options(mut self, options: Vec<u8>) -> Self {
        self.options = options;
        self
    }

    pub(super) fn mss(mut self, mss: u16) -> Self {
        self.options.extend([2, 4]);
        self.options.extend(mss.to_be_bytes());
        self
    }

    pub(super) fn scale(mut self, shift: u8) -> Self {
        self.options.extend([3, 3, shift]);
        self
    }

    pub(super) fn sack_permitted(mut self) -> Self {
        self.options.extend([4, 2]);
        self
    }

    pub(super) fn fast_open(mut self) -> Self {
        self.options.extend([34, 2]);
        self
    }

    pub(super) fn sack(mut self, left: u32, right: u32) -> Self {
        self.options.extend([5, 10]);
        self.options.extend(left.to_be_bytes());
        self.options.extend(right.to_be_bytes());
        self
    }

    pub(super) fn get(&self) -> Segment<'_> {
        let len = self.len.unwrap_or(self.payload.len() as u32);
        Segment {
            mark: self.mark,
            key: self.key,
            from_low: self.from_low,
            path: self.path,
            ip: IpFacts {
                ttl: self.ttl,
                id: if let Id::Of(id) = self.id { Some(id) } else { None },
                dont_fragment: true,
                total_len: 40 + self.options.len() as u32 + len,
                was_fragmented: false,
                was_cut: false,
            },
            seq: self.seq,
            ack: self.ack,
            flags: TcpFlags(self.flags),
            window: self.window,
            options: &self.options,
            payload: &self.payload,
            payload_len: len,
            rest: self.rest,
        }
    }
}

/// What a sink was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Heard {
    Data(Side, u64, Vec<u8>, u64),
    Gap(Gap),
    Control(FlowEvent),
    Tick(i64),
    Evicted(FlowKey, bool),
}

/// What all sinks share: what they were given, and what ended.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) heard: Vec<Heard>,
    pub(super) ended: Vec<(FlowFacts, Close, Mark)>,
    /// Settle at these bytes.
    pub(super) settle_at: Option<Vec<u8>>,
    /// Swap once at these bytes.
    pub(super) swap_at: Option<Vec<u8>>,
    pub(super) begun: usize,
}

/// Writes down what it is given.
#[derive(Debug)]
pub(super) struct Scribe;

impl FlowSink for Scribe {
    type Shared = Book;

    fn new(book: &mut Book, _: &FlowKey) -> Self {
        book.begun += 1;
        Self
    }

    fn data(&mut self, book: &mut Book, _: &FlowFacts, data: Data<'_>) -> Interest {
        assert!(!data.bytes.is_empty());
        book.heard.push(Heard::Data(data.side, data.offset, data.bytes.to_vec(), data.mark.frame));
        if book.settle_at.as_deref() == Some(data.bytes) {
            Interest::Settled
        } else if book.swap_at.as_deref() == Some(data.bytes) {
            book.swap_at = None;
            Interest::Swap
        } else {
            Interest::More
        }
    }

    fn gap(&mut self, book: &mut Book, _: &FlowFacts, gap: Gap) -> Interest {
        assert!(gap.len > 0);
        book.heard.push(Heard::Gap(gap));
        Interest::More
    }

    fn control(&mut self, book: &mut Book, _: &FlowFacts, event: &FlowEvent) -> Interest {
        book.heard.push(Heard::Control(*event));
        Interest::More
    }

    fn tick(&mut self, book: &mut Book, _: &FlowFacts, now: Mark) -> Interest {
        book.heard.push(Heard::Tick(now.time.seconds()));
        Interest::More
    }

    fn finish(&mut self, book: &mut Book, flow: Box<FlowFacts>, close: Close, now: Mark) {
        book.ended.push((*flow, close, now));
    }

    fn evicted_half_open(book: &mut Book, half_open: HalfOpenEnd<'_>) {
        book.heard.push(Heard::Evicted(*half_open.key, half_open.client_is_low));
    }
}

/// A table, and a capture that is told frame by frame.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) table: Table<Scribe>,
    pub(super) book: Book,
    pub(super) frame: u64,
    pub(super) at: i64,
}

impl Trace {
    pub(super) fn new() -> Self {
        Self::within(TableLimits::partition())
    }

    pub(super) fn within(limits: TableLimits) -> Self {
        Self { table: Table::new(limits), book: Book::default(), frame: 0, at: 0 }
    }

    /// One frame. Does not tick.
    pub(super) fn see(&mut self, told: Told) -> &mut Self {
        self.frame += 1;
        self.at = told.at.unwrap_or(self.at + 1);
        let mark = Mark { frame: self.frame, time: ms(self.at).time };
        let id = if told.id == Id::Fresh { Id::Of(u16::try_from(self.frame % 60000 + 1).unwrap()) } else { told.id };
        let told = Told { id, mark, ..told };
        self.table.segment(&mut self.book, 0, &told.get());
        self
    }

    /// SYN 1000, SYN-ACK 5000, ACK: the client's first byte has 1001, the server's 5001.
    pub(super) fn open(&mut self, wire: Wire) -> &mut Self {
        self.see(wire.client(1000).syn().mss(1460).scale(7).sack_permitted());
        self.see(wire.server(5000).syn().ack(1001).mss(1400).scale(7).sack_permitted());
        self.see(wire.client(1001).ack(5001))
    }

    /// Every whole second up to this one.
    pub(super) fn ticks_until(&mut self, second: i64) -> &mut Self {
        for second in self.at.div_euclid(1000) + 1..=second {
            self.at = second * 1000;
            self.table.tick(&mut self.book, Mark { frame: self.frame, time: ms(self.at).time });
        }
        self
    }

    pub(super) fn end(&mut self) -> &mut Self {
        self.table.end(&mut self.book, Mark { frame: self.frame, time: ms(self.at).time });
        assert_eq!((self.table.buffered(), self.table.held()), (0, 0));
        self
    }

    /// The facts of the only connection that ended, and how it ended.
    pub(super) fn only(&self) -> (&FlowFacts, Close) {
        assert_eq!(self.book.ended.len(), 1, "{:?}", self.book.ended);
        (&self.book.ended[0].0, self.book.ended[0].1)
    }

    /// What was delivered of a side, gaps as `_`.
    pub(super) fn stream(&self, side: Side) -> String {
        let mut text = String::new();
        for heard in &self.book.heard {
            match heard {
                Heard::Data(of, offset, bytes, _) if *of == side => {
                    assert_eq!(*offset, text.len() as u64);
                    text.push_str(&String::from_utf8_lossy(bytes));
                }
                Heard::Gap(gap) if gap.side == side => {
                    assert_eq!(gap.offset, text.len() as u64);
                    text.push_str(&"_".repeat(gap.len as usize));
                }
                _ => {}
            }
        }
        text
    }

    pub(super) fn gaps(&self) -> Vec<Gap> {
        self.book.heard.iter().filter_map(|heard| if let Heard::Gap(gap) = heard { Some(*gap) } else { None }).collect()
    }
}
