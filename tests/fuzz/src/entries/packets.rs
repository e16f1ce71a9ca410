//! Packets and TCP.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use handshark::flow::{Endpoint, FlowKey, Path, PerSide, Side, Transport};
use handshark::frame::{Frame, FrameHead, LinkType};
use handshark::packet::{Decoder, HeaderRest, IpFacts, Packet, Segment, TcpFlags, tcp_options};
use handshark::time::{Mark, Timestamp};
use handshark::transport::{Close, Data, FlowEvent, FlowFacts, FlowSink, Gap, Interest, Table, TableLimits};

/// The first byte chooses the link type. Then frames: two bytes of length, and the frame.
pub fn frame(bytes: &[u8]) {
    let Some((link, mut rest)) = bytes.split_first() else { return };
    let link = LinkType(LINKS[usize::from(*link) % LINKS.len()]);
    let mut decoder = Decoder::new();
    let mut mark = Mark::default();
    while let [high, low, behind @ ..] = rest {
        let (bytes, after) = behind.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(behind.len()));
        rest = after;
        mark = Mark { frame: mark.frame + 1, time: mark.time.after(std::time::Duration::from_millis(700)) };
        let head = FrameHead {
            number: mark.frame,
            time: mark.time,
            link,
            interface: 0,
            site: handshark::site::Site::NONE,
            original_len: bytes.len() as u32,
        };
        match decoder.decode(&Frame { head, bytes }) {
            Packet::Tcp(segment) => {
                assert!(segment.payload.len() as u64 <= u64::from(segment.payload_len), "no more was captured than sent");
                let _ = (tcp_options(segment.options), segment.path.identity(), segment.source());
            }
            Packet::Udp(datagram) | Packet::Eapol(datagram) => assert!(datagram.payload.len() as u64 <= u64::from(datagram.payload_len)),
            Packet::IcmpError(_) | Packet::Skipped(_) => {}
        }
        let _ = decoder.take_lost();
    }
    decoder.finish(mark.time);
}

/// Ethernet, both loopbacks, raw IP, Linux cooked v1 and v2, PPP, 802.11 with radiotap and without, and one that does not exist.
pub const LINKS: [u32; 12] = [1, 0, 108, 101, 113, 276, 9, 127, 105, 12, 228, 9999];

/// Segments of eight bytes each: connection and side, flags, how far its sequence number lies from where the side is (two bytes, signed), what
/// is acknowledged of the other side (one, signed), length captured, length cut off, time passed. A byte of a stream is its sequence number's
/// lowest, so that whatever is delivered can be checked without a second reassembler.
pub fn segments(bytes: &[u8]) {
    let mut table: Table<Checker> = Table::new(NARROW);
    let mut book = Book::default();
    let mut at: BTreeMap<(u8, bool), u32> = BTreeMap::new();
    let mut now = Mark { frame: 0, time: Timestamp::from_parts(1_700_000_000, 0) };
    for [who, flags, far_high, far_low, acked, len, cut, passed] in bytes.as_chunks::<8>().0 {
        let (connection, from_client) = (who >> 1 & 7, who & 1 == 0);
        let client = Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 40_000 + u16::from(connection));
        let server = Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 443);
        let (from, to) = if from_client { (client, server) } else { (server, client) };
        let (key, from_low) = FlowKey::new(Transport::Tcp, from, to, 0);
        let other = at.get(&(connection, !from_client)).copied().unwrap_or(START);
        let own = at.entry((connection, from_client)).or_insert(START);
        let seq = own.wrapping_add_signed(i32::from(i16::from_be_bytes([*far_high, *far_low])));
        let payload: Vec<u8> =
            (0..u32::from(*len)).map(|index| seq.wrapping_add(u32::from(flags >> 1 & 1)).wrapping_add(index) as u8).collect();
        *own = seq.wrapping_add(u32::from(*len) + u32::from(flags & (TcpFlags::SYN | TcpFlags::FIN) != 0));
        let before = now.time.seconds();
        now =
            Mark { frame: now.frame + 1, time: now.time.after(std::time::Duration::from_millis(u64::from(*passed) * u64::from(*passed))) };
        if now.time.seconds() > before {
            table.tick(&mut book, now);
        }
        let segment = Segment {
            mark: now,
            key,
            from_low,
            path: Path::default(),
            ip: IpFacts {
                ttl: 64,
                id: Some(now.frame as u16),
                dont_fragment: true,
                total_len: 40 + u32::from(*len) + u32::from(*cut),
                was_fragmented: false,
                was_cut: false,
            },
            seq,
            ack: other.wrapping_add_signed(i32::from(*acked as i8)),
            flags: TcpFlags(*flags),
            window: u16::from(*acked) << 4,
            options: &[],
            payload: &payload,
            payload_len: u32::from(*len) + u32::from(*cut),
            rest: HeaderRest::default(),
        };
        table.segment(&mut book, 0, &segment);
        assert!(table.held() <= NARROW.flows && table.buffered() <= NARROW.buffered_total, "bounds are kept");
    }
    table.end(&mut book, now);
    let counters = table.counters();
    assert_eq!(book.begun, book.ended, "what begins ends");
    assert_eq!(counters.flows, book.ended + counters.evicted_half_open, "every connection is reported once");
}

/// Near the wrap of sequence numbers.
pub const START: u32 = 0xffff_ff00;

/// Bounds that some dozens of segments hit.
const NARROW: TableLimits =
    TableLimits { flows: 4, half_open: 2, buffered_per_side: 1200, buffered_total: 2000, ..TableLimits::partition() };

#[derive(Debug, Default)]
struct Book {
    begun: u64,
    ended: u64,
}

/// Follows a connection and checks that what it is given is in order and lies where it says.
#[derive(Debug)]
struct Checker {
    /// The next offset of each side; `None` before its first byte.
    next: PerSide<Option<u64>>,
    /// The byte that would stand at offset zero.
    base: PerSide<Option<u8>>,
}

impl Checker {
    fn goes_on(&mut self, side: Side, offset: u64, len: u64) {
        let next = self.next.of_mut(side);
        assert!(next.is_none_or(|next| next == offset), "offsets go on without a break");
        *next = Some(offset + len);
    }
}

impl FlowSink for Checker {
    type Shared = Book;

    fn new(book: &mut Book, _: &FlowKey) -> Self {
        book.begun += 1;
        Self { next: PerSide::default(), base: PerSide::default() }
    }

    fn data(&mut self, _: &mut Book, _: &FlowFacts, data: Data<'_>) -> Interest {
        assert!(!data.bytes.is_empty());
        self.goes_on(data.side, data.offset, data.bytes.len() as u64);
        let base = self.base.of_mut(data.side);
        for (byte, offset) in data.bytes.iter().zip(data.offset..) {
            assert_eq!(
                *base.get_or_insert(byte.wrapping_sub(offset as u8)),
                byte.wrapping_sub(offset as u8),
                "the byte is the one sent there"
            );
        }
        if data.offset > 3000 { Interest::Settled } else { Interest::More }
    }

    fn gap(&mut self, _: &mut Book, _: &FlowFacts, gap: Gap) -> Interest {
        assert!(gap.len > 0);
        self.goes_on(gap.side, gap.offset, gap.len);
        Interest::More
    }

    fn control(&mut self, _: &mut Book, _: &FlowFacts, _: &FlowEvent) -> Interest {
        Interest::More
    }

    fn tick(&mut self, _: &mut Book, _: &FlowFacts, _: Mark) -> Interest {
        Interest::More
    }

    fn finish(&mut self, book: &mut Book, flow: Box<FlowFacts>, _: Close, _: Mark) {
        book.ended += 1;
        for side in Side::BOTH {
            let facts = flow.side(side);
            assert!(facts.bytes_seen + facts.gap_bytes >= facts.delivered, "no byte comes out that did not go in");
        }
    }
}
