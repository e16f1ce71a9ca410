//! Which connections there are, and when they end.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::flow::{Endpoint, Side};
use crate::transport::support::{Heard, Told, Trace, Wire};
use crate::transport::{Close, FlowEventKind, TableLimits};

const W: fn() -> Wire = Wire::default;

fn client_port(port: u16) -> Wire {
    Wire { client: Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), port), ..Wire::default() }
}

fn closes(trace: &Trace) -> Vec<(u64, Close)> {
    trace.book.ended.iter().map(|(flow, close, _)| (flow.first.frame, *close)).collect()
}

#[test]
fn half_open_connections_have_no_sink_until_they_are_more() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn()).see(W().server(5000).syn().ack(1001));
    assert_eq!((trace.book.begun, trace.table.held(), trace.table.counters().flows), (0, 1, 1));
    trace.see(W().client(1001).ack(5001));
    assert_eq!((trace.book.begun, trace.table.held(), trace.table.counters().flows), (1, 1, 1));
    let kinds: Vec<_> =
        trace.book.heard.iter().filter_map(|heard| if let Heard::Control(event) = heard { Some(event.kind) } else { None }).collect();
    assert_eq!(kinds, [FlowEventKind::Syn, FlowEventKind::Syn, FlowEventKind::Established]);
}

#[test]
fn an_unanswered_syn_is_reported_when_it_was_quiet() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn().at(0)).ticks_until(129);
    assert!(trace.book.ended.is_empty());
    trace.ticks_until(130);
    let (flow, close) = trace.only();
    assert_eq!((close, flow.sides.client.packets, flow.sides.server.packets), (Close::Idle, 1, 0));
    assert_eq!((trace.table.held(), trace.table.counters().half_open), (0, 1));
}

#[test]
fn a_flood_of_syns_leaves_the_newest() {
    let limits = TableLimits { half_open: 10, ..TableLimits::partition() };
    let mut trace = Trace::within(limits);
    for port in 0..100 {
        trace.see(client_port(port).client(1000).syn()).see(client_port(port).server(5000).syn().ack(1001));
        // repeats cost no more while it is crowded
        trace.see(client_port(port).server(5000).syn().ack(1001));
    }
    assert_eq!((trace.book.begun, trace.table.counters().evicted_half_open), (5, 85), "five were made whole before it was crowded");
    assert!(trace.book.ended.is_empty(), "no report for what was thrown out");
    assert_eq!(trace.book.heard.iter().filter(|heard| **heard == Heard::Evicted(client_port(9).key(), true)).count(), 1);
    trace.end();
    let last = trace.book.ended.last().unwrap();
    assert_eq!(last.0.key, client_port(99).key());
    assert_eq!(last.0.sides.server.syn.unwrap().count, 2);
}

#[test]
fn the_connection_that_was_quiet_for_longest_makes_room() {
    let limits = TableLimits { flows: 3, ..TableLimits::partition() };
    let mut trace = Trace::within(limits);
    for (port, at) in [(1, 0), (2, 1000), (3, 2000)] {
        trace.see(client_port(port).client(1).data(b"abc").at(at));
    }
    trace.see(client_port(1).client(4).data(b"def").at(3000)).see(client_port(4).client(1).data(b"abc").at(4000));
    assert_eq!(closes(&trace), [(2, Close::Evicted)]);
    assert_eq!((trace.table.counters().evicted, trace.table.counters().peak_flows, trace.table.held()), (1, 3, 3));
}

#[test]
fn a_settled_connection_costs_no_more_than_a_look() {
    let mut trace = Trace::new();
    trace.book.settle_at = Some(b"enough".to_vec());
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"enough"));
    assert_eq!(closes(&trace), [(1, Close::Settled)]);
    trace.see(W().client(1007).ack(5001).data(b"more")).see(W().server(5001).ack(1011).data(b"much"));
    assert_eq!((trace.table.counters().settled_packets, trace.table.held(), trace.stream(Side::Client).as_str()), (2, 1, "enough"));
    // the same SYN is late, another one is new
    trace.see(W().client(1000).syn());
    assert_eq!((trace.table.counters().flows, trace.table.counters().settled_packets), (1, 3));
    trace.see(W().client(7000).syn()).see(W().server(9000).syn().ack(7001)).see(W().client(7001).ack(9001).data(b"again")).end();
    assert_eq!(closes(&trace), [(1, Close::Settled), (8, Close::EndOfCapture)]);
    assert_eq!(trace.table.counters().flows, 2);
}

#[test]
fn a_settled_connection_is_forgotten_when_it_ended_or_was_idle() {
    let mut trace = Trace::new();
    trace.book.settle_at = Some(b"enough".to_vec());
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"enough").fin().at(1000)).ticks_until(7200);
    assert_eq!(trace.table.held(), 1);
    trace.ticks_until(7201);
    assert_eq!(trace.table.held(), 0);

    let mut trace = Trace::new();
    trace.book.settle_at = Some(b"enough".to_vec());
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"enough").fin().at(1000)).see(W().server(5001).ack(1008).fin().at(1001)).ticks_until(60);
    assert_eq!(trace.table.held(), 1);
    trace.ticks_until(61);
    assert_eq!(trace.table.held(), 0);
}

#[test]
fn the_fin_of_the_segment_that_settles_is_in_the_facts() {
    let mut trace = Trace::new();
    trace.book.settle_at = Some(b"enough".to_vec());
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"enough").fin());
    assert_eq!(trace.only().0.sides.client.fin.map(|fin| fin.1), Some(6));
}

#[test]
fn a_syn_after_the_end_begins_another_connection() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"a")).see(W().server(5001).rst()).see(W().client(4000).syn());
    assert_eq!(closes(&trace), [(1, Close::Reused)]);
    trace.see(W().server(8000).syn().ack(4001)).see(W().client(4001).ack(8001).data(b"b")).end();
    assert_eq!(closes(&trace), [(1, Close::Reused), (6, Close::EndOfCapture)]);
}

#[test]
fn a_syn_in_the_midst_of_a_connection_counts_when_it_is_answered() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"a")).see(W().server(5001).ack(1002).data(b"b"));
    trace.see(W().client(40000).syn()).see(W().server(5002).ack(1002)).see(W().client(1002).ack(5002).data(b"c"));
    assert!(closes(&trace).is_empty(), "a challenge ACK, and it goes on");
    assert_eq!(trace.stream(Side::Client), "ac");
    trace.see(W().client(50000).syn()).see(W().server(90000).syn().ack(50001)).see(W().client(50001).ack(90001).data(b"new")).end();
    assert_eq!(closes(&trace), [(1, Close::Reused), (9, Close::EndOfCapture)]);
    assert_eq!(trace.book.ended[1].0.tcp.unwrap().syn_rtt, Some(Duration::from_millis(1)));
}

#[test]
fn a_syn_to_a_connection_that_is_quiet_begins_another() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"a").at(100)).see(W().client(4000).syn().at(5100)).end();
    assert_eq!(closes(&trace), [(1, Close::Reused), (5, Close::EndOfCapture)]);
}

#[test]
fn a_syn_with_the_same_number_after_a_reset_is_a_repeat() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn().at(0)).see(W().server(0).rst().ack(1001).at(1));
    trace.see(W().client(1000).syn().at(500)).see(W().server(0).rst().ack(1001).at(501)).end();
    let (flow, _) = trace.only();
    assert_eq!((flow.sides.client.syn.unwrap().count, flow.sides.server.resets.len()), (2, 2));
    assert!(flow.sides.server.resets.iter().all(|reset| reset.to_syn && reset.in_window));
}

#[test]
fn ends_come_in_the_order_of_the_first_frames() {
    let mut trace = Trace::new();
    for port in [9, 3, 7, 1] {
        trace.see(client_port(port).client(1).data(b"abc"));
        trace.see(client_port(port + 100).client(1).syn());
    }
    trace.see(client_port(9).client(4).data(b"def")).end();
    // SYNs that nothing answered come behind the others, so that not all of them are made whole at once.
    assert_eq!(closes(&trace).iter().map(|(frame, _)| *frame).collect::<Vec<_>>(), [1, 3, 5, 7, 2, 4, 6, 8]);

    let mut trace = Trace::new();
    for (port, at) in [(9, 0), (3, 100), (7, 200)] {
        trace.see(client_port(port).client(1).data(b"abc").at(at));
    }
    for (port, at) in [(7, 300), (3, 400), (9, 500)] {
        trace.see(client_port(port).client(4).rst().at(at));
    }
    trace.ticks_until(100);
    assert_eq!(closes(&trace), [(1, Close::Ended), (2, Close::Ended), (3, Close::Ended)]);
}

#[test]
fn too_many_bytes_in_all_are_given_up_where_they_waited_longest() {
    let limits = TableLimits { buffered_total: 1500, ..TableLimits::partition() };
    let mut trace = Trace::within(limits);
    for port in 1..=4 {
        trace.see(client_port(port).client(1).data(b"abc")).see(client_port(port).client(100).data(&[b'x'; 400]));
        assert!(trace.table.buffered() <= 1500);
    }
    assert_eq!((trace.gaps().len(), trace.table.counters().buffer_overflows), (1, 1));
    assert!(
        matches!(trace.book.heard[..], [.., Heard::Gap(_), Heard::Data(Side::Client, 99, _, 2)]),
        "the first one's bytes, by their own frame"
    );
    trace.end();
}

#[test]
fn a_reset_that_was_forged_does_not_shorten_patience() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().server(5001).rst().at(10)).see(W().server(5001).ack(1001).data(b"real").at(20)).ticks_until(60);
    assert!(trace.book.ended.is_empty());
}

/// A whole connection, whose client's packets and server's come in these VLANs; 0 is none.
fn by(there: u16, back: u16, trace: &mut Trace) -> &mut Trace {
    let client = |told: Told| if there == 0 { told } else { told.vlan(there) };
    let server = |told: Told| if back == 0 { told } else { told.vlan(back) };
    trace.see(client(W().client(1000).syn())).see(server(W().server(5000).syn().ack(1001))).see(client(W().client(1001).ack(5001)));
    trace.see(client(W().client(1001).ack(5001).data(b"ask"))).see(server(W().server(5001).ack(1004)));
    trace.see(server(W().server(5001).ack(1004).data(b"answer"))).see(client(W().client(1004).ack(5007).fin()));
    trace.see(server(W().server(5007).ack(1005).fin())).see(client(W().client(1005).ack(5008)))
}

#[test]
fn directions_in_two_tunnels_are_one_connection() {
    for (there, back) in [(204, 9), (0, 9), (204, 0), (7, 7), (0, 0)] {
        let mut trace = Trace::new();
        by(there, back, &mut trace).end();
        assert_eq!((trace.stream(Side::Client).as_str(), trace.stream(Side::Server).as_str()), ("ask", "answer"), "{there} {back}");
        let sides = &trace.only().0.sides;
        assert_eq!((sides.client.packets, sides.server.packets, trace.table.counters().flows), (5, 4, 1), "{there} {back}");
    }
}

#[test]
fn a_refusal_in_another_tunnel_is_one() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn().vlan(5)).see(W().server(0).rst().ack(1001).vlan(6)).end();
    assert_eq!(trace.only().0.sides.server.resets.len(), 1);
}

#[test]
fn the_answer_in_another_tunnel_may_be_captured_first_or_late() {
    let mut trace = Trace::new();
    trace.see(W().server(5000).syn().ack(1001).vlan(6)).see(W().client(1000).syn().vlan(5)).see(W().client(1001).ack(5001).vlan(5));
    trace.see(W().client(1001).ack(5001).data(b"ask").vlan(5)).see(W().server(5001).ack(1004).data(b"answer").vlan(6)).end();
    assert_eq!((trace.only().0.sides.server.packets, trace.stream(Side::Server).as_str()), (2, "answer"));
    // the capture begins between the connection and its first payload
    let mut trace = Trace::new();
    trace.see(W().client(1001).ack(5001).data(b"ask").vlan(5)).see(W().server(5001).ack(1004).data(b"answer").vlan(6));
    trace.see(W().client(1004).ack(5007).vlan(5)).see(W().server(5007).ack(1004).data(b"more").vlan(6)).end();
    assert_eq!((trace.only().0.sides.client.packets, trace.stream(Side::Server).as_str()), (2, "answermore"));
}

#[test]
fn networks_with_the_same_addresses_stay_apart() {
    // each whole
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn().vlan(5)).see(W().client(7000).syn().vlan(6));
    trace.see(W().server(9000).syn().ack(7001).vlan(6)).see(W().server(5000).syn().ack(1001).vlan(5));
    trace.see(W().client(1001).ack(5001).data(b"five").vlan(5)).see(W().client(7001).ack(9001).data(b"six").vlan(6));
    trace.see(W().server(5001).ack(1005).data(b"FIVE").vlan(5)).see(W().server(9001).ack(7004).data(b"SIX").vlan(6)).end();
    let packets: Vec<_> = trace.book.ended.iter().map(|(flow, ..)| (flow.sides.client.packets, flow.sides.server.packets)).collect();
    assert_eq!(packets, [(2, 2), (2, 2)]);
    // of each another direction is captured: the numbers tell that they are two
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn().vlan(5)).see(W().server(9000).syn().ack(7001).vlan(6));
    trace.see(W().client(1001).ack(5001).data(b"five").vlan(5)).see(W().server(9001).ack(7004).data(b"SIX").vlan(6)).end();
    let packets: Vec<_> = trace.book.ended.iter().map(|(flow, ..)| (flow.sides.client.packets, flow.sides.server.packets)).collect();
    assert_eq!(packets, [(2, 0), (0, 2)]);
}

#[test]
fn before_and_behind_a_router_are_two_connections() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn().vlan(5)).see(W().client(1000).syn().ttl(63).vlan(6));
    trace.see(W().server(5000).syn().ack(1001).vlan(6)).see(W().server(5000).syn().ack(1001).ttl(63).vlan(5));
    trace.see(W().client(1001).ack(5001).data(b"a").vlan(5)).see(W().client(1001).ack(5001).data(b"a").ttl(63).vlan(6)).end();
    let packets: Vec<_> = trace.book.ended.iter().map(|(flow, ..)| (flow.sides.client.packets, flow.sides.server.packets)).collect();
    assert_eq!(packets, [(2, 1), (2, 1)]);
}

#[test]
fn a_new_connection_by_two_ways_takes_the_place_of_an_old_one() {
    let mut trace = Trace::new();
    by(5, 6, &mut trace);
    trace.see(W().client(80_000).syn().vlan(5)).see(W().server(90_000).syn().ack(80_001).vlan(6));
    trace.see(W().client(80_001).ack(90_001).vlan(5)).end();
    let packets: Vec<_> = trace.book.ended.iter().map(|(flow, ..)| (flow.sides.client.packets, flow.sides.server.packets)).collect();
    assert_eq!(packets, [(5, 4), (2, 1)]);
    // and one that is settled, whose late packets come by both
    let mut trace = Trace::new();
    trace.book.settle_at = Some(b"answer".to_vec());
    by(5, 6, &mut trace);
    assert_eq!((trace.table.counters().flows, trace.table.counters().settled_packets), (1, 3));
}
