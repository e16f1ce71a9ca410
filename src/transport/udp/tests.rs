use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::flow::{Endpoint, Layer, Path, Transport};
use crate::packet::{IcmpKind, IpFacts};
use crate::time::Timestamp;

/// Datagrams of one letter: `c` and `s` open a flow (from the client, from the server), `n` begins another, `x` settles, `w` turns round.
#[derive(Debug)]
struct Scribe;

#[derive(Debug, Default)]
struct Book {
    heard: String,
    ended: Vec<(FlowFacts, Close, u64)>,
}

impl DatagramSink for Scribe {
    type Shared = Book;

    fn opens(datagram: &Datagram<'_>) -> Option<Opening> {
        match datagram.payload.first()? {
            b'c' => Some(Opening { sender: Some(Side::Client), identity: Some(1) }),
            b'n' => Some(Opening { sender: Some(Side::Client), identity: Some(2) }),
            b's' => Some(Opening { sender: Some(Side::Server), identity: None }),
            b'?' => Some(Opening { sender: None, identity: None }),
            _ => None,
        }
    }

    fn new(book: &mut Book, _: &Datagram<'_>) -> Self {
        book.heard.push('(');
        Self
    }

    fn datagram(&mut self, book: &mut Book, facts: &mut FlowFacts, side: Side, datagram: &Datagram<'_>) -> Hearing {
        let letter = char::from(datagram.payload[0]);
        if letter == 'n' && facts.sides.client.packets > 0 {
            return Hearing::Anew;
        }
        book.heard.push(if side == Side::Client { letter.to_ascii_uppercase() } else { letter });
        match letter {
            'x' => Hearing::Settled(Some(1)),
            'w' => Hearing::Swap,
            'r' => Hearing::Nothing,
            _ => Hearing::New,
        }
    }

    fn finish(self, book: &mut Book, facts: FlowFacts, close: Close, now: Mark) {
        book.heard.push(')');
        book.ended.push((facts, close, now.frame));
    }
}

struct Trace {
    table: UdpTable<Scribe>,
    book: Book,
    frame: u64,
}

fn at(frame: u64, millis: i64) -> Mark {
    Mark { frame, time: Timestamp::from_nanos(millis * 1_000_000) }
}

fn ends(port: u16) -> (Endpoint, Endpoint) {
    let host = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
    (Endpoint::new(host(1), port), Endpoint::new(host(2), 443))
}

impl Trace {
    fn new(most: usize) -> Self {
        Self { table: UdpTable::new(most), book: Book::default(), frame: 0 }
    }

    fn see(&mut self, port: u16, from_client: bool, payload: &[u8], millis: i64) -> &mut Self {
        self.see_in(0, port, from_client, payload, millis)
    }

    /// The same in a VLAN; 0 is none.
    fn see_in(&mut self, vlan: u16, port: u16, from_client: bool, payload: &[u8], millis: i64) -> &mut Self {
        self.frame += 1;
        let mut path = Path::NONE;
        if vlan != 0 {
            path.push(Layer::Vlan(vlan));
        }
        let (client, server) = ends(port);
        let (source, destination) = if from_client { (client, server) } else { (server, client) };
        let (key, from_low) = FlowKey::new(Transport::Udp, source, destination, path.identity());
        let payload_len = u32::try_from(payload.len()).unwrap();
        let ip = IpFacts { ttl: 64, id: Some(7), dont_fragment: true, total_len: 28 + payload_len, was_fragmented: false, was_cut: false };
        let datagram = Datagram { mark: at(self.frame, millis), key, from_low, path, ip, payload, payload_len, stations: None };
        self.table.datagram(&mut self.book, 0, &datagram);
        self
    }

    fn end(&mut self) -> &mut Self {
        self.table.end(&mut self.book, at(self.frame, 0));
        assert_eq!(self.table.held(), 0);
        self
    }
}

#[test]
fn nothing_is_kept_of_what_opens_no_handshake() {
    let mut trace = Trace::new(10);
    trace.see(1, true, b"voice", 0).see(1, false, b"video", 1);
    assert_eq!((trace.table.held(), trace.table.counters().flows), (0, 0));
    assert_eq!(trace.end().book.heard, "");
}

#[test]
fn a_flow_is_followed_from_its_opening_to_the_end() {
    let mut trace = Trace::new(10);
    trace.see(1, true, b"c1", 0).see(1, false, b"a22", 10).see(1, true, b"r1", 20).end();
    assert_eq!(trace.book.heard, "(CaR)");
    let (facts, close, _) = &trace.book.ended[0];
    assert_eq!((*close, facts.roles, facts.saw_start()), (Close::EndOfCapture, Roles::Handshake, true));
    let client = facts.side(Side::Client);
    assert_eq!((client.packets, client.bytes_seen, client.last_data.map(|mark| mark.frame)), (2, 4, Some(1)));
    assert_eq!((facts.side(Side::Server).largest_segment, facts.last.frame), (3, 3));
}

#[test]
fn the_opening_says_who_is_the_client() {
    let mut trace = Trace::new(10);
    trace.see(1, false, b"c", 0).see(1, true, b"a", 0).end();
    assert_eq!(trace.book.heard, "(Ca)", "the side at port 443 asks");
    let mut trace = Trace::new(10);
    trace.see(40000, false, b"?", 0).see(40000, true, b"w", 0).see(40000, true, b"a", 0).end();
    assert_eq!(trace.book.heard, "(?Wa)", "guessed from the port, then turned round");
    assert_eq!(trace.book.ended[0].0.side(Side::Client).packets, 1);
}

#[test]
fn a_settled_flow_is_a_marker_until_another_handshake_begins() {
    let mut trace = Trace::new(10);
    trace.see(1, true, b"c", 0).see(1, false, b"x", 1).see(1, true, b"a", 2).see(1, true, b"c", 3).see(1, true, b"n", 4).end();
    assert_eq!(trace.book.heard, "(Cx)(N)");
    assert_eq!(trace.table.counters().settled_packets, 3);
    let mut trace = Trace::new(10);
    trace.see(1, true, b"c", 0).see(1, true, b"n", 4).end();
    assert_eq!(trace.book.heard, "(C)(N)");
    assert_eq!(trace.book.ended[0].1, Close::Reused);
}

#[test]
fn quiet_flows_end_at_a_tick_in_the_order_of_their_first_frames() {
    let mut trace = Trace::new(10);
    trace.see(1, true, b"c", 0).see(2, true, b"c", 0).see(1, true, b"a", 1500).see(3, true, b"c", 119_000);
    trace.table.tick(&mut trace.book, at(9, 119_999));
    assert!(trace.book.ended.is_empty());
    trace.table.tick(&mut trace.book, at(9, 122_000));
    let ports: Vec<u16> = trace.book.ended.iter().map(|(facts, _, _)| facts.key.low.port).collect();
    assert_eq!(ports, [1, 2]);
    assert!(trace.book.ended.iter().all(|(_, close, frame)| *close == Close::Idle && *frame == 9));
    assert_eq!(trace.table.held(), 1);
}

#[test]
fn a_full_table_gives_up_what_is_of_least_use() {
    let mut trace = Trace::new(2);
    trace.see(1, true, b"c", 0).see(2, true, b"c", 1).see(2, false, b"x", 2).see(3, true, b"c", 3);
    assert_eq!(trace.table.counters().evicted, 0, "the marker went");
    trace.see(4, true, b"c", 5000);
    assert_eq!((trace.table.counters().evicted, trace.table.held()), (1, 2));
    assert_eq!(trace.book.ended.last().map(|(facts, close, _)| (facts.key.low.port, *close)), Some((1, Close::Evicted)));
}

#[test]
fn the_same_datagram_captured_twice_counts_once() {
    let mut trace = Trace::new(2);
    trace.see(1, true, b"cc", 0).see(1, true, b"cc", 1).see(1, true, b"cc", 900).end();
    assert_eq!(trace.book.heard, "(CC)");
    assert_eq!((trace.book.ended[0].0.duplicates, trace.table.counters().duplicates), (1, 1));
}

#[test]
fn icmp_errors_are_noted_at_their_flow() {
    let mut trace = Trace::new(2);
    trace.see(1, true, b"c", 0);
    let (client, server) = ends(1);
    let (key, from_low) = FlowKey::new(Transport::Udp, client, server, 0);
    let error = IcmpError {
        mark: at(2, 1),
        reporter: server.address,
        kind: IcmpKind::PortUnreachable,
        icmp_type: 3,
        code: 3,
        key,
        quoted_from_low: from_low,
        quoted_seq: None,
        quoted_len: 1228,
        ttl: 64,
    };
    trace.table.icmp(&error);
    trace.end();
    let facts = &trace.book.ended[0].0;
    assert_eq!((facts.icmp.len(), facts.icmp[0].about, facts.last.frame), (1, Side::Client, 2));
}

#[test]
fn directions_in_two_tunnels_are_one_flow() {
    for (there, back) in [(7, 8), (0, 8), (7, 0)] {
        let mut trace = Trace::new(10);
        trace.see_in(there, 40_000, true, b"c1", 0).see_in(back, 40_000, false, b"s22", 10).see_in(there, 40_000, true, b"a", 20);
        trace.see_in(back, 40_000, false, b"a", 30).see_in(back, 40_000, false, b"x", 40).see_in(back, 40_000, false, b"late", 50).end();
        assert_eq!((trace.book.heard.as_str(), trace.table.counters().flows), ("(CsAax)", 1), "{there} {back}");
        assert_eq!(trace.table.counters().settled_packets, 1);
    }
}

#[test]
fn networks_with_the_same_addresses_stay_apart() {
    // each whole
    let mut trace = Trace::new(10);
    trace.see_in(7, 40_000, true, b"c1", 0).see_in(8, 40_000, true, b"c2", 1);
    trace.see_in(8, 40_000, false, b"s1", 2).see_in(7, 40_000, false, b"s2", 3).end();
    let packets: Vec<_> = trace.book.ended.iter().map(|(flow, ..)| (flow.sides.client.packets, flow.sides.server.packets)).collect();
    assert_eq!(packets, [(1, 1), (1, 1)]);
    // what comes long after is no answer
    let mut trace = Trace::new(10);
    trace.see_in(7, 40_000, true, b"c1", 0).see_in(8, 40_000, false, b"s", 9_000).end();
    assert_eq!(trace.table.counters().flows, 2);
    // of two clients alike nobody knows whom an answer is for, nor where both ends have the ports that everybody has there
    let mut trace = Trace::new(10);
    trace.see_in(7, 40_000, true, b"c1", 0).see_in(8, 40_000, true, b"c2", 1).see_in(9, 40_000, false, b"s", 2).end();
    assert!(trace.book.ended.len() == 3 && trace.book.ended.iter().all(|(flow, ..)| flow.unclear));
    let mut trace = Trace::new(10);
    trace.see_in(7, 443, true, b"c1", 0).see_in(8, 443, false, b"s", 1).end();
    assert!(trace.book.ended.len() == 2 && trace.book.ended.iter().all(|(flow, ..)| flow.unclear));
}

#[test]
fn a_way_that_is_shown_twice_is_no_flow_of_its_own() {
    let mut trace = Trace::new(10);
    trace.see_in(7, 40_000, true, b"c1", 0).see_in(8, 40_000, true, b"c1", 1).see_in(9, 40_000, false, b"s1", 2);
    for more in 0..8 {
        trace.see_in(9, 40_000, false, &[b'a', more], 3);
    }
    trace.see_in(10, 40_000, false, b"s1", 4);
    for more in 0..8 {
        trace.see_in(10, 40_000, false, &[b'a', more], 5);
    }
    trace.see_in(8, 40_000, true, b"r", 6).end();
    let (flow, ..) = &trace.book.ended[0];
    assert_eq!((trace.book.ended.len(), trace.table.counters().flows, flow.sides.client.packets, flow.unclear), (1, 1, 2, false));
    assert_eq!(flow.duplicates, 10, "each of them once");
}
