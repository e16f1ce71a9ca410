//! One connection's packets as seen at one point.

use std::borrow::Cow;
use std::time::Duration;

use crate::flow::{Endpoint, Side, Transport};
use crate::packet::{Datagram, IcmpError, IcmpKind, Packet, Segment, TcpFlags, tcp_options, tcp_timestamps};
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
    /// The client as it is called at the other point: what a translator of addresses does not know passes it as it is.
    pub alias: Option<Endpoint>,
    /// Another port of the client, from which its packets came here from some moment on.
    pub moved: Option<Endpoint>,
    /// This point's capture holds other handshakes of the same server.
    pub listening: bool,
    /// Bytes of payload that are kept.
    pub(super) held: usize,
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
    /// Window, as sent.
    pub window: u16,
    /// TCP timestamp of its sender.
    pub tsval: Option<u32>,
    /// It belongs to the client's other port.
    pub moved: bool,
    /// Its checksum is wrong here.
    pub damaged: bool,
    /// As much of the payload as was captured and is kept.
    pub payload: Box<[u8]>,
}

/// By what a packet is known under another address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Telling {
    server: Endpoint,
    /// The client sent it.
    client: bool,
    seq: u32,
    len: u32,
    digest: u64,
}

impl Telling {
    /// What would tell of a packet, by whom it may have been sent, with what it is to be signed with: that takes longest.
    pub fn of<'a>(packet: &Packet<'a>) -> impl Iterator<Item = (Self, Cow<'a, [u8]>, Endpoint)> + use<'a> {
        let (source, destination, seq, payload, len, syn) = match packet {
            Packet::Tcp(segment) => {
                let syn = segment.flags.syn().then_some(segment.ip.id.filter(|id| *id != 0 && !segment.flags.ack()));
                (segment.source(), segment.destination(), segment.seq, segment.payload, segment.payload_len, syn)
            }
            Packet::Udp(datagram) => {
                let (low, high) = (datagram.key.low, datagram.key.high);
                let (source, destination) = if datagram.from_low { (low, high) } else { (high, low) };
                (source, destination, 0, datagram.payload, datagram.payload_len, None)
            }
            Packet::IcmpError(_) | Packet::Eapol(_) | Packet::Skipped(_) => return None.into_iter().chain(None),
        };
        let of = |server, client| Self { server, client, seq, len, digest: 0 };
        let whole = payload.len() == len as usize && payload.len() >= FEWEST && syn.is_none();
        let signature = syn.flatten().map(|id| Cow::Owned(id.to_be_bytes().to_vec())).or_else(|| whole.then_some(Cow::Borrowed(payload)));
        let down = signature.clone().filter(|_| whole).map(|signature| (of(source, false), signature, destination));
        signature.map(|signature| (of(destination, true), signature, source)).into_iter().chain(down)
    }

    /// This without the digest.
    #[must_use]
    pub const fn unsigned(self) -> Self {
        Self { digest: 0, ..self }
    }

    /// This signed.
    #[must_use]
    pub fn signed(self, signature: &[u8]) -> Self {
        Self { digest: digest(signature), ..self }
    }
}

impl Passing {
    /// The other is the same packet, a moment later; its hop counter may be lower.
    fn is_copied_by(&self, other: &Self) -> bool {
        let head = |packet: &Self| (packet.from, packet.seq, packet.ack, packet.flags.0, packet.len, packet.ip_len, packet.ip_id);
        let apart = other.mark.time.since(self.mark.time);
        head(self) == head(other) && self.payload == other.payload && apart < COPIED_WITHIN
    }

    /// All of its payload is here.
    pub(super) const fn is_whole(&self) -> bool {
        self.payload.len() == self.len as usize
    }

    /// It carries data, opens or closes.
    pub const fn matters(&self) -> bool {
        self.len > 0 || self.flags.syn() || self.flags.fin() || self.flags.rst()
    }
}

impl Vantage {
    /// An empty one.
    pub const fn new(client: Endpoint, server: Endpoint, transport: Transport) -> Self {
        let watched = (Timestamp::MIN, Timestamp::MAX);
        Self {
            client,
            server,
            transport,
            packets: Vec::new(),
            icmp: Vec::new(),
            watched,
            until: Timestamp::MAX,
            alias: None,
            moved: None,
            listening: false,
            held: 0,
        }
    }

    /// Takes a TCP segment.
    pub fn segment(&mut self, segment: &Segment<'_>) {
        if self.is_full() {
            return;
        }
        let mss = if segment.flags.syn() { tcp_options(segment.options).mss } else { None };
        self.packets.push(Passing {
            mark: segment.mark,
            from: self.side(segment.source()),
            seq: segment.seq,
            ack: segment.ack,
            flags: segment.flags,
            len: segment.payload_len,
            ip_len: segment.ip.total_len,
            ttl: segment.ip.ttl,
            ip_id: segment.ip.id.filter(|id| *id != 0),
            mss,
            window: segment.window,
            tsval: tcp_timestamps(segment.options).map(|(own, _)| own),
            moved: self.moved.is_some_and(|moved| moved == segment.source() || moved == segment.destination()),
            damaged: segment.is_damaged(),
            payload: Box::default(),
        });
        self.keep(segment.payload);
    }

    /// Takes a UDP datagram.
    pub fn datagram(&mut self, datagram: &Datagram<'_>) {
        if self.is_full() {
            return;
        }
        let source = if datagram.from_low { datagram.key.low } else { datagram.key.high };
        self.packets.push(Passing {
            mark: datagram.mark,
            from: self.side(source),
            seq: 0,
            ack: 0,
            flags: TcpFlags::default(),
            len: datagram.payload_len,
            ip_len: datagram.ip.total_len,
            ttl: datagram.ip.ttl,
            ip_id: datagram.ip.id.filter(|id| *id != 0),
            mss: None,
            window: 0,
            tsval: None,
            moved: self.moved.is_some_and(|moved| moved == datagram.key.low || moved == datagram.key.high),
            damaged: false,
            payload: Box::default(),
        });
        self.keep(datagram.payload);
    }

    /// Takes an ICMP error that quotes the connection.
    pub fn icmp(&mut self, error: &IcmpError) {
        let quoted = if error.quoted_from_low { error.key.low } else { error.key.high };
        if self.icmp.len() < ICMP {
            self.icmp.push((error.mark, error.kind, self.side(quoted)));
        }
    }

    fn side(&self, source: Endpoint) -> Side {
        if source == self.server { Side::Server } else { Side::Client }
    }

    fn keep(&mut self, payload: &[u8]) {
        if let Some(last) = self.packets.last_mut() {
            self.held = self.held.saturating_add(payload.len());
            last.payload = payload.into();
        }
    }

    /// It takes no more: what comes later is not known.
    const fn is_full(&self) -> bool {
        self.packets.len() >= PACKETS || self.held >= BYTES
    }

    /// When it took its last packet, if it takes no more.
    pub(super) fn full_since(&self) -> Option<Timestamp> {
        self.packets.last().filter(|_| self.is_full()).map(|last| last.mark.time)
    }

    /// Whether this point's capture holds nothing of a side although the other side's packets show that it spoke.
    pub(super) fn lacks(&self, side: Side) -> bool {
        let answers = |packet: &&Passing| packet.from != side && packet.flags.ack() && !packet.flags.rst();
        !self.packets.iter().any(|packet| packet.from == side) && self.packets.iter().filter(answers).count() >= 2
    }

    /// The hop counter of a side's packets.
    pub(super) fn usual_ttl(&self, side: Side) -> Option<u8> {
        self.packets.iter().find(|packet| packet.from == side).map(|packet| packet.ttl)
    }

    pub(super) fn saw_all(&self, time: Timestamp) -> bool {
        (self.watched.0..=self.watched.1).contains(&time)
    }

    /// A packet that was sent at this moment of the other point's clock was due before this point's capture ended.
    pub(super) fn was_due(&self, sent: Timestamp, least_delay_ns: Option<i64>) -> bool {
        least_delay_ns.is_none_or(|delay| sent.nanos().saturating_add(delay) <= self.until.nanos())
    }

    /// Sequence number of the SYN of a side.
    pub fn isn(&self, side: Side) -> Option<u32> {
        self.packets.iter().find(|packet| packet.from == side && packet.flags.syn()).map(|packet| packet.seq)
    }

    /// A SYN of a side has this sequence number.
    pub(super) fn began_with(&self, side: Side, isn: u32) -> bool {
        self.packets.iter().any(|packet| packet.from == side && packet.flags.syn() && packet.seq == isn)
    }

    /// Leaves out the copies that a mirror port makes of every packet in both directions: only the capture holds them.
    pub fn without_mirrored(&mut self) {
        let mut copies = [(0_usize, 0_usize); 2];
        let mut again = Vec::with_capacity(self.packets.len());
        for (place, packet) in self.packets.iter().enumerate() {
            let recent = self.packets.get(..place).unwrap_or_default().iter().rev().take(NEAR);
            let copied = recent.clone().any(|other| other.is_copied_by(packet));
            let [client, server] = &mut copies;
            let (all, copies) = if packet.from == Side::Client { client } else { server };
            (*all, *copies) = (all.saturating_add(1), copies.saturating_add(usize::from(copied)));
            again.push(copied);
        }
        if copies.iter().all(|(all, copies)| *all >= 2 && copies.saturating_mul(3) >= *all) {
            let mut again = again.into_iter();
            self.packets.retain(|_| !again.next().unwrap_or(false));
        }
    }

    /// Forgets the packets.
    pub fn clear(&mut self) {
        self.packets.clear();
        self.icmp.clear();
        self.held = 0;
    }

    /// Here, the client goes by this name, too: from the beginning, or from some moment on.
    pub fn meet(&mut self, client: Endpoint) {
        if self.packets.is_empty() && client != self.client {
            // What the translator did not touch may follow under the name by which it was looked for.
            self.alias = self.alias.or(Some(self.client));
            self.client = client;
        } else if client != self.client && Some(client) != self.alias {
            self.moved = self.moved.or(Some(client));
        }
    }

    /// What of this connection no packet of another carries.
    pub fn telling(&self) -> impl Iterator<Item = Telling> + '_ {
        let telling = |packet: &Passing| {
            let (client, seq, len) = (packet.from == Side::Client, packet.seq, packet.len);
            let of = |digest| Telling { server: self.server, client, seq, len, digest };
            if packet.flags.syn() {
                return packet.ip_id.filter(|_| !packet.flags.ack()).map(|id| of(digest(&id.to_be_bytes())));
            }
            let whole = packet.payload.len() == len as usize && packet.payload.len() >= FEWEST;
            whole.then(|| of(digest(&packet.payload)))
        };
        self.packets.iter().filter_map(telling)
    }

    /// Leaves the connection that begins with this sequence number of the client, where several share the addresses.
    pub fn narrow(&mut self, isn: u32) {
        let begins = |packet: &Passing| packet.from == Side::Client && packet.flags.syn() && !packet.flags.ack();
        let Some(first) = self.packets.iter().position(|packet| begins(packet) && packet.seq == isn) else {
            // Others are other connections.
            if let Some(other) = self.packets.iter().position(begins) {
                self.packets.truncate(other);
            }
            return;
        };
        // Where stamps jitter, an answer may stand in front of what it answers.
        let own = |packet: &Passing| {
            let number = if packet.from == Side::Client { packet.seq } else { packet.ack };
            number.wrapping_sub(isn) < OWN
        };
        let mut place = 0_usize;
        self.packets.retain(|packet| {
            place = place.saturating_add(1);
            place > first || own(packet)
        });
        if let Some(next) = self.packets.iter().position(|packet| begins(packet) && packet.seq != isn) {
            self.packets.truncate(next);
        }
    }
}

/// FNV-1a: tells different payloads of one place apart.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Packets followed of one connection.
pub const PACKETS: usize = 2048;
/// Payload kept of one connection at one point.
const BYTES: usize = 256 << 10;
/// Numbers that a handshake reaches.
const OWN: u32 = 1 << 20;
/// A mirror port copies a packet at once; what comes later was sent again.
const COPIED_WITHIN: Duration = Duration::from_millis(5);
/// So many packets stand between a packet and its copy at most.
const NEAR: usize = 16;
/// Payloads of so many bytes are alike in copies only.
const FEWEST: usize = 16;
/// ICMP errors kept.
const ICMP: usize = 16;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::net::IpAddr;

    fn end(port: u16) -> Endpoint {
        Endpoint::new(IpAddr::from([192, 0, 2, 1]), port)
    }

    pub(in crate::compare) fn packet(us: i64, from: Side, seq: u32, ack: u32, flags: u8) -> Passing {
        Passing {
            mark: Mark { frame: 1, time: Timestamp::from_nanos(us * 1_000) },
            from,
            seq,
            ack,
            flags: TcpFlags(flags),
            len: 0,
            ip_len: 40,
            ttl: 64,
            ip_id: None,
            mss: None,
            window: 0,
            tsval: None,
            moved: false,
            damaged: false,
            payload: Box::default(),
        }
    }

    pub(in crate::compare) fn view(packets: Vec<Passing>) -> Vantage {
        Vantage { packets, ..Vantage::new(end(1), end(2), Transport::Tcp) }
    }

    const SYN: u8 = TcpFlags::SYN;
    const ACK: u8 = TcpFlags::ACK;

    #[test]
    fn an_answer_that_stands_in_front_of_its_syn_is_kept() {
        let mut view = view(vec![
            packet(0, Side::Client, 70, 0, SYN),
            packet(1, Side::Server, 9_000, 71, SYN | ACK),
            packet(2, Side::Server, 500, 101, SYN | ACK),
            packet(3, Side::Client, 100, 0, SYN),
            packet(4, Side::Client, 101, 501, ACK),
            packet(5, Side::Client, 900, 0, SYN),
        ]);
        view.narrow(100);
        assert_eq!(view.packets.iter().map(|packet| packet.mark.time.nanos()).collect::<Vec<_>>(), [2_000, 3_000, 4_000]);
        // What begins otherwise is another connection.
        view.narrow(7);
        assert_eq!(view.packets.len(), 1);
    }

    #[test]
    fn copies_of_a_mirror_port_are_left_out_and_those_of_a_path_are_not() {
        let both = |apart: i64| {
            [(0, 1, Side::Client), (100, 2, Side::Server), (20_000, 3, Side::Client), (20_100, 4, Side::Server)]
                .into_iter()
                .flat_map(|(at, ack, side)| [packet(at, side, 7, ack, ACK), packet(at + apart, side, 7, ack, ACK)])
                .collect::<Vec<_>>()
        };
        let left = |packets: Vec<Passing>| {
            let mut view = view(packets);
            view.without_mirrored();
            view.packets.len()
        };
        assert_eq!((left(both(40)), left(both(200_000))), (4, 8));
        // A path doubles what arrives, not what is sent.
        let mut one_way = both(40);
        one_way.dedup_by(|next, packet| next.from == Side::Client && next.ack == packet.ack);
        assert_eq!(left(one_way), 6);
    }

    #[test]
    fn a_client_has_another_name_from_the_start_or_from_some_moment_on() {
        let mut from_the_start = view(Vec::new());
        from_the_start.meet(end(7));
        assert_eq!((from_the_start.client, from_the_start.alias, from_the_start.moved), (end(7), Some(end(1)), None));
        let mut later = view(vec![packet(0, Side::Client, 1, 0, SYN)]);
        later.alias = Some(end(5));
        later.meet(end(5));
        assert_eq!(later.moved, None);
        later.meet(end(7));
        assert_eq!((later.client, later.moved), (end(1), Some(end(7))));
    }
}
