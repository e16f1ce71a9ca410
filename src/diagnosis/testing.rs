//! Hand-built handshakes for the tests of rules: facts as a transport and a machine would have gathered them.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::flow::{Endpoint, FlowKey, Path, PerSide, Side, Transport};
use crate::handshake::Handshake;
use crate::handshake::facts::{Outcome, PartialMessage, Protocol, Seen, Stage, StoppedBy};
use crate::time::{Mark, Timestamp};
use crate::transport::{FlowEvent, FlowEventKind, FlowFacts, Outstanding, Reset, Roles, SideFacts, SynFacts, TcpFacts};

/// A frame and its time in milliseconds.
pub fn at(frame: u64, millis: i64) -> Mark {
    Mark { frame, time: Timestamp::from_nanos(millis * 1_000_000) }
}

/// A SYN or SYN-ACK of an ordinary host.
pub fn syn(first: Mark, last: Mark, count: u32, ttl: u8) -> SynFacts {
    SynFacts {
        first,
        last,
        count,
        isn: 1,
        ttl,
        mss: Some(1460),
        window_scale: Some(7),
        sack: true,
        data_len: 0,
        fast_open: false,
        resent_without_data: false,
        acked: None,
        timestamp: None,
        first_arrived: false,
        renumbered: None,
        disputed: false,
    }
}

/// A segment that was sent `copies` times and never acknowledged.
pub fn outstanding(offset: u64, len: u32, first: Mark, last: Mark, copies: u32) -> Outstanding {
    Outstanding { offset, len, ip_len: len + 52, first, last, copies, sacked: false }
}

/// A RST that fits exactly.
pub fn reset(mark: Mark, ttl: u8) -> Reset {
    Reset {
        mark,
        seq_distance: 0,
        ack_distance: Some(0),
        in_window: true,
        ttl,
        ip_id: None,
        packets_after: 0,
        data_after: 0,
        to_syn: false,
        answers: None,
    }
}

/// An event.
pub fn event(mark: Mark, side: Side, kind: FlowEventKind) -> FlowEvent {
    FlowEvent { mark, side, kind }
}

/// A connection that came up within 20 ms, seen near the client, over which nothing was said, given up as stalled after a minute.
pub fn connected() -> Handshake {
    let client = Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 40_000);
    let server = Endpoint::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 443);
    let (key, client_is_low) = FlowKey::new(Transport::Tcp, client, server, 0);
    let side = |syn, ttl, last| SideFacts { syn: Some(syn), packets: 2, ttl: Some(ttl), last_packet: Some(last), ..SideFacts::default() };
    let flow = FlowFacts {
        key,
        client_is_low,
        roles: Roles::Handshake,
        path: Path::default(),
        first: at(1, 0),
        last: at(3, 20),
        interface: 0,
        sides: PerSide {
            client: side(syn(at(1, 0), at(1, 0), 1, 64), 64, at(3, 20)),
            server: side(syn(at(2, 20), at(2, 20), 1, 55), 55, at(2, 20)),
        },
        events: Vec::new(),
        eventful: false,
        events_dropped: 0,
        icmp: Vec::new(),
        tcp: Some(TcpFacts {
            established: Some(at(3, 20)),
            syn_rtt: Some(Duration::from_millis(20)),
            ack_rtt: Some(Duration::from_micros(50)),
            ..TcpFacts::default()
        }),
        duplicates: 0,
        fragmented_packets: 0,
        clock_steps_back: 0,
        unheard_from: None,
    };
    let mut handshake = Handshake::new(flow);
    handshake.closed_at = at(99, 60_000);
    handshake.protocol = Protocol::Tls;
    (handshake.outcome, handshake.stopped_by) = (Outcome::Stalled, StoppedBy::Client);
    handshake
}

/// The same with a segment of `have` bytes at 25 ms (frame 4), the beginning of a ClientHello that promises `want`; not acknowledged yet.
pub fn partial_hello(have: u32, want: usize) -> Handshake {
    let mut facts = connected();
    facts.stage = Stage::ClientHello;
    facts.partial_client_hello = Some(PartialMessage { message: Some(1), have: have.saturating_sub(9) as usize, want, mark: at(4, 25) });
    let client = &mut facts.flow.sides.client;
    client.data_packets = 1;
    client.bytes_seen = u64::from(have);
    client.highest = u64::from(have);
    client.largest_segment = have;
    client.first_data = Some(at(4, 25));
    client.last_data = Some(at(4, 25));
    client.last_packet = Some(at(4, 25));
    facts
}

/// A client's hello over UDP (frame 1) that came to nothing, given up as stalled after a minute; what is the protocol's own is left out.
pub fn over_udp(protocol: Protocol) -> Handshake {
    let mut facts = partial_hello(200, 200);
    facts.protocol = protocol;
    facts.flow.key.transport = Transport::Udp;
    facts.flow.tcp = None;
    facts.flow.events.clear();
    facts.flow.last = at(3, 3000);
    let client = &mut facts.flow.sides.client;
    client.syn = None;
    client.packets = 3;
    client.data_packets = 3;
    client.last_packet = Some(at(3, 3000));
    for mark in [&mut client.first_data, &mut client.last_data] {
        *mark = Some(at(1, 0));
    }
    facts.flow.sides.server = SideFacts::default();
    let hello =
        crate::tls::client_hello::ClientHello::parse(&[3; 40]).map(|what| Seen { what, mark: at(1, 0), first: at(1, 0), span: (0, 200) });
    facts.partial_client_hello = None;
    facts.client_hellos.extend(hello);
    facts
}
