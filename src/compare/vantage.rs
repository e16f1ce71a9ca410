//! One connection's packets as seen at two points, and what became of each on the way.
//!
//! Packets are recognised by what does not change on the way: place in the stream, length, flags that matter, content. Of several copies the
//! one with the likeliest delay is taken. Segments that an interface card or the kernel split or joined are recognised by their bytes.
//! Acknowledgements without data come and go as they please and are not followed.

use std::collections::{BTreeMap, VecDeque};

use crate::flow::{Endpoint, Side, Transport};
use crate::packet::{Datagram, IcmpError, IcmpKind, Segment, TcpFlags, tcp_options};
use crate::time::{Mark, Timestamp};

/// A connection at one point.
#[derive(Debug, Clone)]
pub struct Vantage {
    /// The client as it is called here.
    pub client: Endpoint,
    /// The server as it is called here.
    pub server: Endpoint,
    /// TCP or UDP.
    pub transport: Transport,
    /// Its packets in order, up to [`PACKETS`].
    pub packets: Vec<Passing>,
    /// ICMP errors that quote it.
    pub icmp: Vec<(Mark, IcmpKind, Side)>,
    /// When, on this point's clock, both points were watching: only then does a packet that one of them lacks mean anything.
    pub watched: (Timestamp, Timestamp),
    /// Where this point's capture ends: what was due later may have come.
    pub until: Timestamp,
    held: usize,
}

/// A packet.
#[derive(Debug, Clone)]
pub struct Passing {
    /// Frame and time.
    pub mark: Mark,
    /// Who sent it.
    pub from: Side,
    /// Sequence number, as on the wire; 0 for UDP.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// TCP flags.
    pub flags: TcpFlags,
    /// Length of the payload on the wire.
    pub len: u32,
    /// Length of the IP packet.
    pub ip_len: u32,
    /// TTL or hop limit.
    pub ttl: u8,
    /// IP identification, where it tells copies apart.
    pub ip_id: Option<u16>,
    /// Maximum segment size, in a SYN.
    pub mss: Option<u16>,
    /// As much of the payload as was captured and is kept.
    pub payload: Box<[u8]>,
}

impl Passing {
    /// It carries data, opens or closes.
    pub const fn matters(&self) -> bool {
        self.len > 0 || self.flags.syn() || self.flags.fin() || self.flags.rst()
    }
}

impl Vantage {
    /// An empty one.
    pub const fn new(client: Endpoint, server: Endpoint, transport: Transport) -> Self {
        let watched = (Timestamp::MIN, Timestamp::MAX);
        Self { client, server, transport, packets: Vec::new(), icmp: Vec::new(), watched, until: Timestamp::MAX, held: 0 }
    }

    /// Takes a TCP segment.
    pub fn segment(&mut self, segment: &Segment<'_>) {
        if self.packets.len() >= PACKETS {
            return;
        }
        let mss = if segment.flags.syn() { tcp_options(segment.options).mss } else { None };
        self.packets.push(Passing {
            mark: segment.mark,
            from: if segment.source() == self.client { Side::Client } else { Side::Server },
            seq: segment.seq,
            ack: segment.ack,
            flags: segment.flags,
            len: segment.payload_len,
            ip_len: segment.ip.total_len,
            ttl: segment.ip.ttl,
            ip_id: segment.ip.id.filter(|id| *id != 0),
            mss,
            payload: Box::default(),
        });
        self.keep(segment.payload);
    }

    /// Takes a UDP datagram.
    pub fn datagram(&mut self, datagram: &Datagram<'_>) {
        if self.packets.len() >= PACKETS {
            return;
        }
        let source = if datagram.from_low { datagram.key.low } else { datagram.key.high };
        self.packets.push(Passing {
            mark: datagram.mark,
            from: if source == self.client { Side::Client } else { Side::Server },
            seq: 0,
            ack: 0,
            flags: TcpFlags::default(),
            len: datagram.payload_len,
            ip_len: datagram.ip.total_len,
            ttl: datagram.ip.ttl,
            ip_id: datagram.ip.id.filter(|id| *id != 0),
            mss: None,
            payload: Box::default(),
        });
        self.keep(datagram.payload);
    }

    /// Takes an ICMP error that quotes the connection.
    pub fn icmp(&mut self, error: &IcmpError) {
        let quoted = if error.quoted_from_low { error.key.low } else { error.key.high };
        if self.icmp.len() < ICMP {
            self.icmp.push((error.mark, error.kind, if quoted == self.client { Side::Client } else { Side::Server }));
        }
    }

    fn keep(&mut self, payload: &[u8]) {
        let held = self.held.saturating_add(payload.len());
        if held <= BYTES
            && let Some(last) = self.packets.last_mut()
        {
            self.held = held;
            last.payload = payload.into();
        }
    }

    fn saw_all(&self, time: Timestamp) -> bool {
        (self.watched.0..=self.watched.1).contains(&time)
    }

    /// A packet that was sent at this moment of the other point's clock was due before this point's capture ended.
    fn was_due(&self, sent: Timestamp, least_delay_ns: Option<i64>) -> bool {
        least_delay_ns.is_none_or(|delay| sent.nanos().saturating_add(delay) <= self.until.nanos())
    }

    /// Sequence number of the SYN of a side.
    pub fn isn(&self, side: Side) -> Option<u32> {
        self.packets.iter().find(|packet| packet.from == side && packet.flags.syn()).map(|packet| packet.seq)
    }

    /// A SYN of a side has this sequence number.
    fn began_with(&self, side: Side, isn: u32) -> bool {
        self.packets.iter().any(|packet| packet.from == side && packet.flags.syn() && packet.seq == isn)
    }

    /// Leaves the connection that begins with this sequence number of the client, where several share the addresses.
    pub fn narrow(&mut self, isn: u32) {
        let begins = |packet: &Passing| packet.from == Side::Client && packet.flags.syn() && !packet.flags.ack();
        let Some(first) = self.packets.iter().position(|packet| begins(packet) && packet.seq == isn) else { return };
        self.packets.drain(..first);
        if let Some(next) = self.packets.iter().position(|packet| begins(packet) && packet.seq != isn) {
            self.packets.truncate(next);
        }
    }
}

/// What became of one direction's packets between two points.
#[derive(Debug, Default)]
pub struct Transit {
    /// Packets that were sent and arrived: places in the sender's and the receiver's view.
    pub arrived: Vec<(usize, usize)>,
    /// Packets that were sent and of which nothing arrived, in no copy: places in the sender's view.
    pub lost: Vec<usize>,
    /// Copies that did not arrive while another did.
    pub lost_copies: Vec<usize>,
    /// Packets that did not arrive in the capture though the receiver acknowledged them.
    pub missed: Vec<usize>,
    /// Packets that arrived and were never sent: places in the receiver's view.
    pub injected: Vec<usize>,
    /// The first byte of the stream that arrived otherwise than it was sent, and how many there are.
    pub altered: Option<(usize, usize)>,
    /// Streams as far as they were kept: what was sent and what arrived.
    pub sent: Stream,
    /// The same at the receiver.
    pub received: Stream,
    /// The receiver's clock minus the sender's, plus the shortest way.
    pub least_delay_ns: Option<i64>,
}

/// Bytes of a direction, from its first.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Stream {
    bytes: Vec<u8>,
    there: Vec<bool>,
}

impl Stream {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        let end = at.saturating_add(bytes.len()).min(STREAM);
        if end > self.bytes.len() {
            self.bytes.resize(end, 0);
            self.there.resize(end, false);
        }
        let places = self.bytes.iter_mut().zip(&mut self.there).skip(at);
        for ((place, there), byte) in places.zip(bytes) {
            // The first that came counts.
            if !*there {
                (*place, *there) = (*byte, true);
            }
        }
    }

    /// Whether all of a range is there.
    fn covers(&self, at: usize, len: usize) -> bool {
        at.checked_add(len).and_then(|end| self.there.get(at..end)).is_some_and(|there| there.iter().all(|there| *there))
    }

    /// The bytes from the beginning up to the first that is missing.
    pub fn head(&self) -> &[u8] {
        let len = self.there.iter().position(|there| !there).unwrap_or(self.there.len());
        self.bytes.get(..len).unwrap_or_default()
    }

    /// The bytes from a place on, up to the first that is missing.
    pub fn from(&self, at: usize) -> &[u8] {
        let len = self.there.iter().skip(at).take_while(|there| **there).count();
        self.bytes.get(at..at.saturating_add(len)).unwrap_or_default()
    }

    fn differs(&self, other: &Self) -> Option<(usize, usize)> {
        let both = || self.bytes.iter().zip(&self.there).zip(other.bytes.iter().zip(&other.there));
        let different = || both().enumerate().filter(|(_, ((a, in_a), (b, in_b)))| **in_a && **in_b && a != b).map(|(at, _)| at);
        different().next().map(|first| (first, different().count()))
    }
}

/// Follows the packets of `side` from `sender` to `receiver`.
pub fn follow(side: Side, sender: &Vantage, receiver: &Vantage) -> Transit {
    let tcp = sender.transport == Transport::Tcp;
    let first =
        |view: &Vantage| view.packets.iter().find(|packet| packet.from == side && packet.len > 0).map(|packet| packet.seq.wrapping_sub(1));
    let known = sender.isn(side).or_else(|| receiver.isn(side)).or_else(|| first(sender)).unwrap_or_default();
    // Of two SYN-ACKs that arrived, the one that was sent counts.
    let arrived = sender.isn(side).filter(|isn| receiver.began_with(side, *isn)).or_else(|| receiver.isn(side));
    let arrived = arrived.unwrap_or(known);
    let sent: Vec<Sent> = places(side, sender, sender.isn(side).unwrap_or(known));
    let got: Vec<Sent> = places(side, receiver, arrived);
    let mut transit = Transit::default();
    for (view, list, stream) in [(sender, &sent, &mut transit.sent), (receiver, &got, &mut transit.received)] {
        for item in list.iter().filter(|_| tcp) {
            if let Some(packet) = view.packets.get(item.index).filter(|packet| !packet.flags.syn()) {
                stream.put(item.at, &packet.payload);
            }
        }
    }
    transit.altered = transit.sent.differs(&transit.received);
    let mut waiting: BTreeMap<&Kind, VecDeque<&Sent>> = BTreeMap::new();
    for item in &sent {
        waiting.entry(&item.kind).or_default().push_back(item);
    }
    // Packets of which there is one copy at each point tell how long the way is.
    let mut single: BTreeMap<&Kind, Vec<&Sent>> = BTreeMap::new();
    for item in &got {
        single.entry(&item.kind).or_default().push(item);
    }
    let between = |from: &Sent, to: &Sent| to.time.nanos().saturating_sub(from.time.nanos());
    let pairs = single.iter().filter_map(|(kind, got)| match (got.as_slice(), waiting.get(*kind)) {
        ([to], Some(from)) if from.len() == 1 => from.front().map(|from| between(from, to)),
        _ => None,
    });
    let least = pairs.min();
    let mut unknown = Vec::new();
    for item in &got {
        let copies = waiting.get_mut(&item.kind);
        let place = copies.as_ref().and_then(|copies| {
            let same_id = |from: &&Sent| item.ip_id.is_some() && from.ip_id == item.ip_id;
            copies.iter().position(same_id).or_else(|| {
                let odd = |from: &&Sent| between(from, item).saturating_sub(least.unwrap_or_default()).saturating_add(SLACK_NS);
                let fits = copies.iter().enumerate().filter(|(_, from)| odd(from) >= 0);
                fits.min_by_key(|(_, from)| odd(from)).map_or_else(|| (!copies.is_empty()).then_some(0), |(place, _)| Some(place))
            })
        });
        match copies.zip(place).and_then(|(copies, place)| copies.remove(place)) {
            Some(from) => transit.arrived.push((from.index, item.index)),
            None => unknown.push(item),
        }
    }
    transit.least_delay_ns = least;
    // What arrived in other packets than it was sent in was split or joined on the way.
    for item in unknown {
        let same_bytes = item.len > 0
            && tcp
            && transit.sent.covers(item.at, item.len)
            && transit.altered.is_none_or(|(first, _)| first < item.at || first >= item.at.saturating_add(item.len));
        let changed = item.len > 0 && tcp && transit.altered.is_some() && transit.sent.covers(item.at, item.len);
        // A FIN may come with the data before it or alone.
        let same_end = item.closes() && sent.iter().any(|from| from.closes() && from.end() == item.end());
        if !same_bytes && !changed && !same_end && receiver.saw_all(item.time) {
            transit.injected.push(item.index);
        }
    }
    let acked = receiver.packets.iter().filter(|packet| packet.from != side && packet.flags.ack() && tcp);
    let acked = acked.map(|packet| packet.ack.wrapping_sub(arrived).wrapping_sub(1) as usize).filter(|at| *at < WRAPPED).max().unwrap_or(0);
    let arrived_kinds: Vec<&Kind> =
        transit.arrived.iter().filter_map(|(from, _)| sent.iter().find(|item| item.index == *from)).map(|item| &item.kind).collect();
    for item in waiting.into_values().flatten() {
        let same_end = item.len == 0 && item.closes() && got.iter().any(|to| to.closes() && to.end() == item.end());
        let whole = arrived_kinds.contains(&&item.kind) || same_end || item.len > 0 && tcp && transit.received.covers(item.at, item.len);
        if whole {
            let same_segments = arrived_kinds.contains(&&item.kind);
            if same_segments {
                transit.lost_copies.push(item.index);
            }
        } else if item.len > 0 && tcp && acked >= item.at.saturating_add(item.len) {
            transit.missed.push(item.index);
        } else if !changed_on_the_way(&transit, item) && sender.saw_all(item.time) && receiver.was_due(item.time, least) {
            transit.lost.push(item.index);
        }
    }
    transit.lost.sort_unstable();
    transit.lost_copies.sort_unstable();
    transit
}

fn changed_on_the_way(transit: &Transit, item: &Sent) -> bool {
    item.len > 0 && transit.altered.is_some() && transit.received.covers(item.at, item.len)
}

/// What a packet is recognised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// Its first byte in the stream.
    at: usize,
    len: usize,
    /// SYN, FIN and RST.
    flags: u8,
    digest: u64,
}

#[derive(Debug)]
struct Sent {
    /// Its place in the view.
    index: usize,
    /// Its first byte in the stream.
    at: usize,
    len: usize,
    kind: Kind,
    time: Timestamp,
    ip_id: Option<u16>,
}

impl Sent {
    /// It carries a FIN.
    const fn closes(&self) -> bool {
        self.kind.flags & TcpFlags::FIN != 0
    }

    /// The place behind its last byte.
    const fn end(&self) -> usize {
        self.at.wrapping_add(self.len)
    }
}

fn places(side: Side, view: &Vantage, base: u32) -> Vec<Sent> {
    let of_side = view.packets.iter().enumerate().filter(|(_, packet)| packet.from == side && packet.matters());
    of_side
        .map(|(index, packet)| {
            let flags = packet.flags.0 & (TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST);
            let at = packet.seq.wrapping_sub(base).wrapping_sub(1) as usize;
            // A RST is one whatever its number, which some devices rewrite.
            let kind = if packet.flags.rst() {
                Kind { at: 0, len: 0, flags: TcpFlags::RST, digest: 0 }
            } else {
                Kind { at, len: packet.len as usize, flags, digest: digest(&packet.payload) }
            };
            Sent { index, at, len: packet.len as usize, kind, time: packet.mark.time, ip_id: packet.ip_id }
        })
        .collect()
}

/// FNV-1a: tells different payloads of one place apart.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Packets followed of one connection.
pub const PACKETS: usize = 2048;
/// Payload kept of one connection at one point.
const BYTES: usize = 256 << 10;
/// Bytes of a direction compared.
const STREAM: usize = 128 << 10;
/// ICMP errors kept.
const ICMP: usize = 16;
/// How far a packet may be ahead of the fastest without being another copy: clocks and capture stamps jitter.
const SLACK_NS: i64 = 2_000_000;
/// Numbers that belong to no place in a stream.
const WRAPPED: usize = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn view(packets: &[(i64, u32, u8, &[u8])]) -> Vantage {
        let end = |port| Endpoint::new(IpAddr::from([192, 0, 2, 1]), port);
        let mut view = Vantage::new(end(1), end(2), Transport::Tcp);
        view.packets = packets
            .iter()
            .enumerate()
            .map(|(at, (ms, seq, flags, payload))| Passing {
                mark: Mark { frame: at as u64 + 1, time: Timestamp::from_nanos(ms * 1_000_000) },
                from: Side::Client,
                seq: *seq,
                ack: 0,
                flags: TcpFlags(*flags),
                len: u32::try_from(payload.len()).unwrap(),
                ip_len: 40 + u32::try_from(payload.len()).unwrap(),
                ttl: 64,
                ip_id: None,
                mss: None,
                payload: (*payload).into(),
            })
            .collect();
        view
    }

    const SYN: u8 = TcpFlags::SYN;
    const RST: u8 = TcpFlags::RST;

    #[test]
    fn the_same_at_both_points_arrived() {
        let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"hello"), (20, 106, 0x10, b"world")]);
        // Another clock, another first sequence number.
        let got = view(&[(5_000, 900, SYN, b""), (5_011, 901, 0x10, b"hello"), (5_020, 906, 0x10, b"world")]);
        let transit = follow(Side::Client, &sent, &got);
        assert_eq!(transit.arrived, [(0, 0), (1, 1), (2, 2)]);
        assert!(transit.lost.is_empty() && transit.injected.is_empty() && transit.altered.is_none());
        assert_eq!(transit.least_delay_ns, Some(5_000_000_000));
        assert_eq!(transit.received.head(), b"helloworld");
    }

    #[test]
    fn of_two_copies_the_one_that_fits_arrived() {
        let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"hello"), (210, 101, 0x10, b"hello")]);
        let got = view(&[(1, 100, SYN, b""), (211, 101, 0x10, b"hello")]);
        let transit = follow(Side::Client, &sent, &got);
        assert_eq!(transit.arrived, [(0, 0), (2, 1)]);
        assert_eq!((transit.lost, transit.lost_copies), (vec![], vec![1]));
    }

    #[test]
    fn what_no_copy_of_arrived_is_lost_and_what_nobody_sent_is_injected() {
        let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"hello"), (210, 101, 0x10, b"hello")]);
        let got = view(&[(1, 100, SYN, b""), (12, 101, RST, b"")]);
        let transit = follow(Side::Client, &sent, &got);
        assert_eq!((transit.lost, transit.injected), (vec![1, 2], vec![1]));
    }

    #[test]
    fn split_and_joined_segments_are_neither_lost_nor_injected() {
        let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"helloworld")]);
        let got = view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"hello"), (11, 106, 0x10, b"world")]);
        for (sent, got) in [(&sent, &got), (&got, &sent)] {
            let transit = follow(Side::Client, sent, got);
            assert!(transit.lost.is_empty() && transit.injected.is_empty() && transit.altered.is_none(), "{transit:?}");
        }
    }

    #[test]
    fn altered_bytes_are_found() {
        let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"250-STARTTLS\r\n")]);
        let got = view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"250-XXXXXXXX\r\n")]);
        let transit = follow(Side::Client, &sent, &got);
        assert_eq!(transit.altered, Some((4, 8)));
        assert!(transit.lost.is_empty() && transit.injected.is_empty(), "{transit:?}");
    }
}
