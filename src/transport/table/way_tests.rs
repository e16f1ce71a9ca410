//! Connections whose directions come by several ways are what they are by one.

#![allow(clippy::cast_possible_truncation, reason = "the numbers of tests are small")]

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use crate::flow::{Endpoint, Path, Side};
use crate::transport::TableLimits;
use crate::transport::facts::FlowFacts;
use crate::transport::support::{Told, Trace, Wire};

const W: fn() -> Wire = Wire::default;

/// What two sides say, each packet with its time and whether it is the client's.
fn script(kind: u8, port: u16, isn: u32) -> Vec<(i64, bool, Told)> {
    let wire = Wire { client: Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), port), ..Wire::default() };
    let (c, s) = (isn.wrapping_add(1), isn.wrapping_mul(3).wrapping_add(1));
    let client = |seq: u32| wire.client(seq);
    let server = |seq: u32| wire.server(seq);
    let mut said = match kind {
        // whole, with an answer in two parts and both FINs
        0 | 1 => vec![
            (true, client(isn).syn().mss(1460)),
            (false, server(s.wrapping_sub(1)).syn().ack(c).mss(1400)),
            (true, client(c).ack(s)),
            (true, client(c).ack(s).data(b"hello")),
            (false, server(s).ack(c.wrapping_add(5))),
            (false, server(s).ack(c.wrapping_add(5)).data(b"answer")),
            (false, server(s.wrapping_add(6)).ack(c.wrapping_add(5)).data(b"more")),
            (true, client(c.wrapping_add(5)).ack(s.wrapping_add(10)).fin()),
            (false, server(s.wrapping_add(10)).ack(c.wrapping_add(6)).fin()),
            (true, client(c.wrapping_add(6)).ack(s.wrapping_add(11))),
        ],
        // the server speaks first, and breaks off
        2 => vec![
            (true, client(isn).syn()),
            (false, server(s.wrapping_sub(1)).syn().ack(c)),
            (true, client(c).ack(s)),
            (false, server(s).ack(c).data(b"220 ready")),
            (true, client(c).ack(s.wrapping_add(9)).data(b"ehlo")),
            (false, server(s.wrapping_add(9)).ack(c.wrapping_add(4)).rst()),
        ],
        3 => vec![(true, client(isn).syn()), (false, server(0).rst().ack(c))],
        4 => vec![(true, client(isn).syn()), (true, client(isn).syn())],
        // begun before the capture
        _ => vec![
            (true, client(c).ack(s).data(b"ask")),
            (false, server(s).ack(c.wrapping_add(3)).data(b"answer")),
            (true, client(c.wrapping_add(3)).ack(s.wrapping_add(6)).data(b"again")),
            (false, server(s.wrapping_add(6)).ack(c.wrapping_add(8))),
        ],
    };
    if kind == 1 {
        // the hello is lost behind the capture and sent again
        let hello = said[3].clone();
        said.insert(4, hello);
    }
    let step = if kind == 4 { 1000 } else { 7 };
    (0..).zip(said).map(|(at, (from_client, told))| (at * step, from_client, told)).collect()
}

fn within(told: Told, vlan: u16) -> Told {
    if vlan == 0 { told } else { told.vlan(vlan) }
}

/// What is left of a connection when its ways do not count.
fn bare(facts: &FlowFacts) -> FlowFacts {
    let mut facts = facts.clone();
    facts.key.path = 0;
    facts.path = Path::NONE;
    facts.other_paths.clear();
    facts
}

#[derive(Debug, Clone)]
struct Case {
    kind: u8,
    isn: u32,
    start: i64,
    /// The VLANs of each side, the client's first; 0 is none.
    ways: [u16; 2],
    /// Those of a second mirror port, if any, and how much later each of them shows a packet.
    copies: Option<([u16; 2], [i64; 2])>,
}

fn cases(copies: bool) -> impl Strategy<Value = Vec<Case>> {
    let second =
        if copies { prop_oneof![Just(None), ([5u16..9, 5u16..9], [0i64..6, 0i64..6]).prop_map(Some)].boxed() } else { Just(None).boxed() };
    let kind = if copies { prop_oneof![Just(0u8), Just(2), Just(3)].boxed() } else { (0u8..6).boxed() };
    let case = (kind, any::<u32>(), 0i64..60, [0u16..5, 0u16..5], second);
    prop::collection::vec(case.prop_map(|(kind, isn, start, ways, copies)| Case { kind, isn, start, ways, copies }), 1..8)
}

/// The cases told at once, each packet in its VLAN or in none.
fn told(cases: &[Case], tags: bool) -> Trace {
    let mut all = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        for (place, (at, from_client, told)) in script(case.kind, 40_000 + number as u16, case.isn).into_iter().enumerate() {
            let id = (number * 100 + place + 1) as u16;
            let told = told.id(Some(id)).at(case.start + at);
            let vlan = |ways: [u16; 2]| {
                if !tags {
                    0
                } else if from_client {
                    ways[0]
                } else {
                    ways[1]
                }
            };
            all.push((case.start + at, within(told.clone(), vlan(case.ways))));
            if let Some((copies, late)) = case.copies {
                let at = case.start + at + late[usize::from(!from_client)];
                all.push((at, within(told.at(at), vlan(copies))));
            }
        }
    }
    all.sort_by_key(|(at, _)| *at);
    let mut trace = Trace::new();
    for (_, told) in all {
        trace.see(told);
    }
    trace.ticks_until(3);
    trace.end();
    trace
}

proptest! {
    /// Whatever VLANs the two ways of each connection have, what is told is what is told without.
    #[test]
    fn tags_of_each_way_change_nothing(cases in cases(false)) {
        let (with, without) = (told(&cases, true), told(&cases, false));
        prop_assert_eq!(&with.book.heard, &without.book.heard);
        let facts = |trace: &Trace| trace.book.ended.iter().map(|(facts, close, at)| (bare(facts), *close, *at)).collect::<Vec<_>>();
        prop_assert_eq!(facts(&with), facts(&without));
        prop_assert_eq!(with.table.counters(), without.table.counters());
    }

    /// Nor do those of a second place that shows one way or both of them.
    #[test]
    fn copies_in_other_tags_are_copies(cases in cases(true)) {
        let (with, without) = (told(&cases, true), told(&cases, false));
        let facts = |trace: &Trace| {
            let mut all: Vec<_> = trace.book.ended.iter().map(|(facts, ..)| {
                let side = |side: Side| (facts.side(side).packets, facts.side(side).delivered, facts.side(side).retransmits);
                (facts.key.low.port.max(facts.key.high.port), side(Side::Client), side(Side::Server), facts.unclear)
            }).collect();
            all.sort_unstable();
            all
        };
        prop_assert_eq!(facts(&with), facts(&without));
        prop_assert_eq!(with.table.counters().flows, without.table.counters().flows);
    }
}

/// Two customers with the same addresses, ports and initial sequence numbers, whose packets carry nothing else by which they could be told: hellos of
/// these lengths.
fn customers(trace: &mut Trace, hellos: [&[u8]; 2]) {
    for vlan in [10, 20] {
        trace.see(W().client(1000).syn().id(None).vlan(vlan));
    }
    for vlan in [11, 21] {
        trace.see(W().server(5000).syn().ack(1001).id(None).vlan(vlan));
    }
    for vlan in [10, 20] {
        trace.see(W().client(1001).ack(5001).id(None).vlan(vlan));
    }
    for (vlan, hello) in [10, 20].into_iter().zip(hellos) {
        trace.see(W().client(1001).ack(5001).data(hello).id(None).vlan(vlan));
    }
    for (vlan, hello) in [11, 21].into_iter().zip(hellos) {
        trace.see(W().server(5001).ack(1001 + hello.len() as u32).id(None).vlan(vlan));
    }
    for (vlan, hello) in [11, 21].into_iter().zip(hellos) {
        trace.see(W().server(5001).ack(1001 + hello.len() as u32).data(&[vlan as u8; 6]).id(None).vlan(vlan));
    }
    trace.end();
}

#[test]
fn of_two_customers_alike_each_gets_its_answer_as_soon_as_it_can_be_told() {
    let mut trace = Trace::new();
    customers(&mut trace, [b"a hello", b"another hello"]);
    let sides: Vec<_> = trace
        .book
        .ended
        .iter()
        .map(|(facts, ..)| (facts.sides.client.delivered, facts.sides.server.acked, facts.sides.server.delivered))
        .collect();
    assert_eq!(sides, [(7, 0, 6), (13, 0, 6)]);
    assert!(
        trace
            .book
            .ended
            .iter()
            .all(|(facts, ..)| !facts.unclear && facts.sides.client.acked == facts.sides.client.delivered && facts.clock_steps_back == 0)
    );
}

#[test]
fn where_nothing_tells_they_stay_apart_and_it_is_known() {
    let mut trace = Trace::new();
    customers(&mut trace, [b"a hello", b"A HELLO"]);
    let sides: Vec<_> =
        trace.book.ended.iter().map(|(facts, ..)| (facts.sides.client.packets, facts.sides.server.packets, facts.unclear)).collect();
    assert_eq!(sides, [(3, 0, true), (3, 0, true), (0, 3, true), (0, 3, true)]);
}

#[test]
fn a_timestamp_tells_whom_an_answer_is_for() {
    let stamps = |own: u32, echo: u32| [&[1, 1, 8, 10][..], &own.to_be_bytes(), &echo.to_be_bytes()].concat();
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn().options(stamps(7, 0)).vlan(10)).see(W().client(1000).syn().options(stamps(9, 0)).vlan(20));
    trace
        .see(W().server(5000).syn().ack(1001).options(stamps(1, 9)).vlan(21))
        .see(W().server(5000).syn().ack(1001).options(stamps(2, 7)).vlan(11));
    trace.see(W().client(1001).ack(5001).vlan(10)).see(W().client(1001).ack(5001).vlan(20)).end();
    let sides: Vec<_> = trace.book.ended.iter().map(|(facts, ..)| (facts.sides.server.syn.unwrap().timestamp, facts.unclear)).collect();
    assert_eq!(sides, [(Some(2), false), (Some(1), false)]);
}

#[test]
fn a_way_that_is_shown_twice_is_no_connection_of_its_own() {
    // nothing but the payload tells that it is a copy
    for copied in [true, false] {
        let mut trace = Trace::new();
        let mut see = |told: Told, from_client: bool| {
            let told = told.id(None);
            trace.see(told.clone().vlan(if from_client { 10 } else { 11 }));
            if from_client == copied {
                trace.see(told.vlan(12));
            }
        };
        see(W().client(1000).syn(), true);
        see(W().server(5000).syn().ack(1001), false);
        see(W().client(1001).ack(5001), true);
        see(W().client(1001).ack(5001).data(b"hello"), true);
        see(W().server(5001).ack(1006).data(b"answer"), false);
        see(W().client(1006).ack(5007).data(b"more"), true);
        see(W().server(5007).ack(1010).data(b"much"), false);
        trace.end();
        let facts = trace.only().0;
        assert_eq!(
            (facts.sides.client.packets, facts.sides.server.packets, facts.duplicates),
            (4, 3, if copied { 4 } else { 3 }),
            "{copied}"
        );
        assert_eq!(trace.table.counters().flows, 1);
        assert!(!facts.unclear);
    }
}

#[test]
fn a_syn_that_is_shown_twice_is_told_once() {
    for refused in [true, false] {
        let mut trace = Trace::new();
        trace.see(W().client(1000).syn().id(None).vlan(10)).see(W().client(1000).syn().id(None).vlan(12));
        if refused {
            trace.see(W().server(0).rst().ack(1001).vlan(11));
        }
        trace.ticks_until(200);
        trace.end();
        assert_eq!(trace.only().0.sides.server.resets.len(), usize::from(refused));
    }
}

#[test]
fn many_connections_at_once_are_joined_and_what_there_is_no_room_for_is_counted() {
    let mut trace = Trace::within(TableLimits { half_open: 1 << 16, ..TableLimits::partition() });
    let wire = |number: u32| {
        let host = Ipv4Addr::from_bits(0x0a00_0000 + number / 20_000);
        Wire { client: Endpoint::new(IpAddr::V4(host), 20_000 + (number % 20_000) as u16), ..Wire::default() }
    };
    let all = crate::limits::WAYS_JOINED as u32 + 10;
    for number in 0..all {
        trace.see(wire(number).client(1000 + number).syn().vlan(10).at(0));
    }
    for number in 0..all {
        trace.see(wire(number).server(5).syn().ack(1001 + number).vlan(11).at(300));
    }
    for number in 0..all {
        trace.see(wire(number).client(1001 + number).ack(6).data(b"ask").vlan(10).at(600));
        trace.see(wire(number).server(6).ack(1004 + number).data(b"answer").vlan(11).at(700));
    }
    trace.end();
    let whole = trace.book.ended.iter().filter(|(facts, ..)| facts.sides.client.packets == 2 && facts.sides.server.packets == 2).count();
    assert_eq!(whole, crate::limits::WAYS_JOINED);
    assert!(trace.table.counters().ways_apart >= 10);
    assert!(trace.book.ended.iter().filter(|(facts, ..)| facts.sides.client.packets == 0).all(|(facts, ..)| facts.unclear));
}
