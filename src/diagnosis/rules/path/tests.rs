//! Tests of the family path.

use std::time::Duration;

use super::*;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Weight};
use crate::diagnosis::knowledge::{Crowd, Knowledge, Related};
use crate::diagnosis::testing::{
    Scene, at, connected, event, found, found_knowing, hello_lost_like, outstanding, partial_hello, reset, rules_of, said_hello, syn,
    verdict_knowing,
};
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::packet::IcmpKind;
use crate::time::Mark;
use crate::tls::registry::ProtocolVersion as V;
use crate::transport::{FlowEventKind, IcmpNote, Reset, ZeroWindow};

#[test]
fn a_black_hole_is_seen_from_both_ends() {
    let mut sender = partial_hello(1448, 1600);
    let mut tail = outstanding(1448, 160, at(5, 25), at(5, 25), 1);
    tail.sacked = true;
    sender.flow.sides.client.outstanding.extend([outstanding(0, 1448, at(4, 25), at(9, 6_000), 6), tail]);
    let finding = found(&black_hole::RULE, &sender).expect("full segments vanish");
    assert_eq!(finding.stopped_by, Some(StoppedBy::Network));
    assert!(finding.summary.contains("ClientHello"), "{}", finding.summary);

    let mut receiver = connected();
    let client = &mut receiver.flow.sides.client;
    (client.highest, client.bytes_seen, client.stranded_bytes, client.largest_segment, client.data_packets) = (1_608, 160, 160, 160, 1);
    client.last_data = Some(at(4, 25));
    assert!(found(&black_hole::RULE, &receiver).is_some());
}

#[test]
fn a_reset_ahead_of_all_that_came_tells_that_the_flight_is_lost() {
    let mut facts = connected();
    said_hello(&mut facts, at(5, 25));
    (facts.outcome, facts.flow.last) = (Outcome::Reset, at(8, 10_040));
    let client = &mut facts.flow.sides.client;
    (client.data_packets, client.highest, client.acked) = (1, 300, 300);
    let server = &mut facts.flow.sides.server;
    (server.highest, server.bytes_seen, server.acked, server.largest_segment, server.data_packets) = (103, 103, 103, 103, 1);
    (server.last_data, server.ttl) = (Some(at(4, 24)), Some(63));
    let told = |facts: &mut Handshake, seq_distance: i64, ttl: u8| {
        facts.flow.sides.server.resets = vec![Reset { seq_distance, ..reset(at(7, 10_030), ttl) }];
        found(&black_hole::RULE, facts).map(|finding| finding.confidence)
    };
    assert_eq!(told(&mut facts, 2_841, 63), Some(Confidence::Likely));
    assert_eq!(told(&mut facts, 0, 63), None, "it had said no more");
    assert_eq!(told(&mut facts, 41, 63), None, "no full packet");
    assert_eq!(told(&mut facts, 2_841, 57), None, "another sent the RST, and guesses");
}

#[test]
fn a_closed_window_is_its_owners_doing() {
    let mut facts = connected();
    facts.flow.sides.client.zero_window = Some(ZeroWindow { first: at(5, 100), last: at(9, 20_000), reopened: None });
    let finding = found(&zero_window::RULE, &facts).expect("the window stays closed");
    assert_eq!(finding.stopped_by, Some(StoppedBy::Client));
    facts.flow.sides.client.zero_window = Some(ZeroWindow { first: at(5, 100), last: at(5, 100), reopened: Some(at(6, 150)) });
    assert!(found(&zero_window::RULE, &facts).is_none(), "it opened again at once");
}

#[test]
fn a_client_that_does_not_repeat_its_syn_got_the_answer() {
    let mut facts = connected();
    facts.flow.tcp.as_mut().unwrap().established = None;
    facts.flow.sides.server.syn = Some(syn(at(2, 20), at(6, 7_000), 4, 64));
    assert!(found(&one_way::RULE, &facts).is_some());
    facts.flow.sides.client.syn = Some(syn(at(1, 0), at(5, 3_000), 3, 57));
    assert!(found(&one_way::RULE, &facts).is_none(), "it repeats its SYN: the answers are lost, not its packets");
}

#[test]
fn a_syn_that_came_again_may_have_met_a_full_queue() {
    let delayed = |kind, mark: Mark, count| {
        let mut facts = connected();
        (facts.outcome, facts.finished.client, facts.finished.server) = (Outcome::Completed, Some(at(40, 3_000)), Some(at(39, 2_990)));
        facts.flow.sides.client.syn = Some(syn(at(1, 0), if count > 1 { mark } else { at(1, 0) }, count, 64));
        facts.flow.events.push(event(mark, Side::Client, kind));
        found(&loss::RULE, &facts).map(|finding| (finding.confidence, finding.alternatives))
    };
    let asked = delayed(FlowEventKind::SynRepeat, at(2, 1_000), 2);
    assert_eq!(asked, Some((Confidence::Likely, vec![Cause::AcceptQueueFull])));
    let spoke = delayed(FlowEventKind::Retransmission { offset: 0, len: 300 }, at(20, 2_000), 1);
    assert_eq!(spoke, Some((Confidence::Strong, Vec::new())));
}

#[test]
fn a_flight_that_comes_back_to_back_was_not_sent_before() {
    // The ServerHello comes after 3 s, the rest of its flight so many milliseconds behind it; a packet of the server's comes out of order.
    let late = |behind: i64, kind: FlowEventKind| {
        let mut facts = Scene::broad().answered(V::TLS12, 0xc02f, &[]).handshake;
        let connected = connected();
        (facts.flow.sides, facts.flow.tcp) = (connected.flow.sides.clone(), connected.flow.tcp);
        for hello in &mut facts.client_hellos {
            (hello.first, hello.mark) = (at(4, 25), at(4, 25));
        }
        let hello = facts.server_hello.as_mut().unwrap();
        (hello.first, hello.mark) = (at(6, 3_025), at(6, 3_025));
        facts.server_hello_done = Some(at(8, 3_025 + behind));
        let done = 3_040 + behind;
        (facts.client_key_exchange, facts.finished.client, facts.finished.server) =
            (Some(at(10, done)), Some(at(10, done)), Some(at(12, done + 20)));
        facts.flow.events.push(event(at(14, done + 40), Side::Server, kind));
        verdict_knowing(&facts, &Knowledge::default()).cause()
    };
    let hole = FlowEventKind::OutOfOrder { offset: 4_000, len: 255 };
    assert_eq!(late(0, hole), Some(Cause::ServerSlow));
    assert_eq!(late(21, hole), Some(Cause::PacketLoss), "one segment, and the next a round trip later");
    assert_eq!(late(21, FlowEventKind::Overtook { offset: 4_000, len: 255 }), Some(Cause::ServerSlow), "nothing is lost there");
}

#[test]
fn a_syn_that_was_passed_over_met_a_full_queue() {
    let late = |ttls: (u8, u8), answered: Mark, crowd: Crowd| {
        let mut facts = connected();
        (facts.outcome, facts.finished.client, facts.finished.server) = (Outcome::Completed, Some(at(40, 3_000)), Some(at(39, 2_990)));
        facts.flow.sides.client.syn = Some(syn(at(1, 0), at(9, 1_000), 2, ttls.0));
        facts.flow.sides.server.syn = Some(syn(answered, answered, 1, ttls.1));
        (facts.flow.sides.client.ttl, facts.flow.sides.server.ttl) = (Some(ttls.0), Some(ttls.1));
        facts.flow.events.push(event(at(9, 1_000), Side::Client, FlowEventKind::SynRepeat));
        verdict_knowing(&facts, &Knowledge { crowd, ..Knowledge::default() }).cause()
    };
    let (alone, behind) = (Crowd::default(), at(10, 1_020));
    let another = Crowd { asked_again: 1, ..alone };
    assert_eq!(late((55, 64), behind, another), Some(Cause::AcceptQueueFull), "seen at the server, and not alone");
    assert_eq!(late((55, 64), behind, alone), Some(Cause::PacketLoss), "one that was lost on the last link");
    assert_eq!(late((55, 64), at(2, 20), another), Some(Cause::PacketLoss), "its answer to the first SYN was lost");
    assert_eq!(late((64, 55), behind, alone), Some(Cause::PacketLoss), "seen at the client");
    let crowd = Crowd { up: 7, asked_again: 2, ..alone };
    assert_eq!(late((64, 55), behind, crowd), Some(Cause::AcceptQueueFull), "SYNs alone, and several");
    assert_eq!(late((64, 55), behind, Crowd { asked_again: 1, ..crowd }), Some(Cause::PacketLoss), "two may be lost by chance");
    assert_eq!(late((64, 55), behind, Crowd { resent: 1, ..crowd }), Some(Cause::PacketLoss), "the path loses others, too");
    assert_eq!(late((64, 55), behind, Crowd { up: 1, ..crowd }), Some(Cause::PacketLoss), "nothing fills a queue");
    let lasting = Crowd { asked_twice: 1, slowest: Duration::from_millis(8), ..crowd };
    assert_eq!(
        late((64, 55), behind, lasting),
        Some(Cause::PacketLoss),
        "a second later SYNs are dropped as before, and nothing waits in a queue"
    );
    let busy = Crowd { slowest: Duration::from_millis(900), ..lasting };
    assert_eq!(late((64, 55), behind, busy), Some(Cause::AcceptQueueFull), "what is in the queue waits, too");
}

#[test]
fn what_every_path_carries_was_not_dropped_for_its_size() {
    let lacks = |len: u64| {
        let mut facts = partial_hello(300, 291);
        facts.partial_client_hello = None;
        facts.flow.sides.client.acked = 300;
        let server = &mut facts.flow.sides.server;
        (server.reached, server.reached_at) = (len, Some(at(5, 45)));
        found(&black_hole::RULE, &facts).is_some()
    };
    assert!(lacks(1_448) && lacks(1_300));
    assert!(!lacks(1_201), "a packet of 1,253 bytes");
}

#[test]
fn a_good_handshake_suffers_from_nothing() {
    let mut facts = connected();
    facts.outcome = Outcome::Completed;
    for rule in rules_of(&FAMILY) {
        assert!(found(rule, &facts).is_none(), "{}", rule.cause);
    }
}

#[test]
fn fragments_are_lost_where_a_host_gives_up_joining_them() {
    let mut facts = connected();
    let mut note = IcmpNote {
        mark: at(9, 30_000),
        reporter: facts.server.address,
        kind: IcmpKind::TimeExceeded,
        icmp_type: 11,
        code: 1,
        about: Side::Client,
        quoted_len: 1500,
        ignored: 0,
    };
    facts.flow.icmp.push(note);
    let finding = found(&fragments::RULE, &facts).expect("reassembly timed out");
    assert_eq!(finding.stopped_by, Some(StoppedBy::Network));
    note.code = 0;
    facts.flow.icmp = vec![note];
    assert!(found(&fragments::RULE, &facts).is_none(), "a hop counter that ran out says nothing about fragments");
}

#[test]
fn a_sender_that_makes_its_segments_smaller_gets_round_a_black_hole() {
    let tried = |lens: &[u32]| {
        let mut facts = partial_hello(1_448, 1_439);
        facts.outcome = Outcome::Completed;
        facts.flow.sides.client.acked = 1_448;
        facts.flow.events = (7..)
            .zip(lens)
            .map(|(n, len)| {
                let kind = FlowEventKind::Retransmission { offset: 0, len: *len };
                event(at(n, i64::try_from(n).unwrap() * 400), Side::Client, kind)
            })
            .collect();
        found(&black_hole::RULE, &facts)
    };
    let finding = tried(&[1_448, 1_448, 1_448, 512]).expect("four times in vain");
    assert!(finding.summary.contains("1,448 bytes") && finding.summary.contains("4 times"), "{}", finding.summary);
    assert_eq!((finding.weight, finding.stopped_by), (Weight::Explains, Some(StoppedBy::Network)));
    assert!(tried(&[1_448, 512]).is_none(), "two copies may be lost by chance");
    assert!(tried(&[1_448, 1_448, 1_448]).is_none(), "it came through in full size");
    assert!(tried(&[1_448, 1_448, 512, 1_448]).is_none(), "the smaller one did not");
}

#[test]
fn more_than_ethernet_carries_by_default_is_too_large_for_the_path() {
    let lost = |len: u32, mss: u16, copies: u32| {
        let mut facts = partial_hello(len, len as usize - 9);
        facts.flow.sides.server.syn.as_mut().unwrap().mss = Some(mss);
        facts.flow.sides.client.outstanding.push(outstanding(0, len, at(4, 25), at(9, 6_000), copies));
        found(&black_hole::RULE, &facts)
    };
    let finding = lost(1_490, 8_960, 7).expect("1,542 bytes in one packet");
    assert_eq!((finding.confidence, finding.weight, finding.stopped_by), (Confidence::Likely, Weight::Explains, Some(StoppedBy::Network)));
    assert!(finding.summary.contains("larger than 1,500 bytes") && finding.summary.contains("1,542 bytes"), "{}", finding.summary);
    assert!(finding.remedy.iter().any(|line| line.line().contains("-s 1514")), "{:?}", finding.remedy);
    assert!(lost(1_448, 8_960, 7).is_none(), "Ethernet carries it");
    assert!(lost(2_896, 1_460, 7).is_none(), "the sender's card cuts it up");
    assert!(lost(1_490, 8_960, 2).is_none(), "two may be lost by chance");
}

#[test]
fn a_hello_that_passed_before_and_no_more_meets_a_dead_path() {
    let lost = |copies: u32, pause: i64, other_began: Mark| {
        let (facts, like) = hello_lost_like(pause, copies, (other_began, 0));
        found_knowing(&one_way::RULE, &facts, &Knowledge { related: vec![like], ..Knowledge::default() })
    };
    let earlier = at(0, -3_000);
    let finding = lost(5, 2_000, earlier).expect("five times in vain");
    assert_eq!((finding.confidence, finding.stopped_by), (Confidence::Likely, Some(StoppedBy::Network)));
    assert!(finding.alternatives.contains(&Cause::PacketLoss));
    assert!(lost(3, 2_000, earlier).is_none(), "three may be lost by chance");
    assert!(lost(5, 4_000, earlier).is_none(), "a device may have forgotten the connection");
    assert!(lost(5, 2_000, at(6, 4_000)).is_none(), "the path is alive");
}

#[test]
fn without_selective_acknowledgments_a_hole_is_told_by_what_is_said_again() {
    let hole = |sack: bool, answers: u32| {
        let mut facts = partial_hello(1579, 1600);
        for side in Side::BOTH {
            if let Some(syn) = &mut facts.flow.sides.of_mut(side).syn {
                syn.sack = sack;
            }
        }
        facts.flow.sides.client.outstanding.push(outstanding(0, 1579, at(4, 25), at(9, 6_000), 6));
        facts.flow.sides.server.duplicate_acks = answers;
        verdict_knowing(&facts, &Knowledge::default()).cause()
    };
    assert_eq!(hole(false, 1), Some(Cause::PathMtuBlackHole), "its last piece arrived");
    assert_eq!(hole(false, 0), Some(Cause::ClientHelloDropped), "nothing tells that any of it arrived");
    assert_eq!(hole(true, 1), Some(Cause::ClientHelloDropped), "whoever can says what arrived");
}

#[test]
fn what_is_lost_and_comes_again_too_late_was_not_waited_for_by_the_server() {
    let left = |sacked: bool| {
        let mut facts = partial_hello(300, 291);
        said_hello(&mut facts, at(4, 25));
        (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Client);
        let (client, server) = (&mut facts.flow.sides.client, &mut facts.flow.sides.server);
        (client.acked, client.fin, client.sent_sack) = (300, Some((at(7, 1_200), 300)), sacked);
        (server.highest, server.data_packets, server.last_data) = (2_400, 3, Some(at(9, 3_200)));
        let verdict = verdict_knowing(&facts, &Knowledge::default());
        (verdict.cause(), verdict.cause.as_ref().map(|finding| finding.confidence))
    };
    assert_eq!(left(true), (Some(Cause::PacketLoss), Some(Confidence::Likely)));
    assert_ne!(left(false).0, Some(Cause::PacketLoss), "all of it came late: the server had waited");
}

#[test]
fn a_hole_is_measured_by_what_arrived_and_by_its_last_packet() {
    let by_size = |len: u64, largest: u32| {
        let mut facts = connected();
        facts.flow.sides.server.largest_segment = largest;
        let hole = crate::diagnosis::view::Hole { len, stranded: 0 };
        crate::diagnosis::view::View::new(&facts).hole_is_full_size(Side::Server, hole)
    };
    assert!(by_size(1_428, 1_023), "405 bytes more than the largest that arrived");
    assert!(!by_size(1_428, 1_380), "one almost as large arrived");
    assert!(by_size(2_896, 0) && by_size(2_920, 0), "two full segments");
    assert!(!by_size(3_484, 0), "and a packet of some six hundred bytes is lost as well");
    assert!(by_size(3_484, 700), "of which smaller ones arrived");
}

#[test]
fn a_hello_that_comes_behind_its_clients_fin_was_lost_before() {
    let found = |fin: Mark| {
        let mut facts = connected();
        facts.client_hellos = Scene::broad().handshake.observed.client_hellos;
        for hello in &mut facts.client_hellos {
            (hello.mark, hello.first, hello.span) = (at(8, 3_100), at(8, 3_100), (0, 217));
        }
        let client = &mut facts.flow.sides.client;
        (client.highest, client.acked, client.data_packets, client.fin) = (217, 218, 1, Some((fin, 217)));
        (client.first_data, client.last_data) = (Some(at(8, 3_100)), Some(at(8, 3_100)));
        found(&loss::RULE, &facts).map(|finding| (finding.confidence, finding.summary.contains("FIN came 3.01 s after")))
    };
    assert_eq!(found(at(6, 3_030)), Some((Confidence::Likely, true)));
    assert_eq!(found(at(9, 3_130)), None, "in order");
}

#[test]
fn a_syn_proxy_that_resets_at_once_has_not_stopped_reading() {
    let told = |window: Mark, end: i64| {
        let mut facts = connected();
        facts.flow.sides.server.zero_window = Some(ZeroWindow { first: window, last: window, reopened: None });
        facts.flow.sides.server.resets.push(reset(at(9, end), 55));
        (facts.outcome, facts.stopped_by) = (Outcome::Reset, StoppedBy::Server);
        found(&zero_window::RULE, &facts).is_some()
    };
    assert!(!told(at(2, 20), 21));
    assert!(told(at(2, 20), 5_000), "it never opened");
    assert!(told(at(5, 100), 140), "a window that had been open");
}

#[test]
fn a_syn_ack_that_is_repeated_for_want_of_data_is_no_path_that_died() {
    let told = |start: (u64, i64), change: &dyn Fn(&mut Related)| {
        let (mut facts, mut other) = hello_lost_like(5, 4, (at(start.0, start.1), 5));
        facts.flow.sides.server.syn = Some(syn(at(2, 20), at(8, 1_020), 2, 55));
        facts.flow.sides.client.retransmits = 3;
        other.hello_shape ^= 1;
        change(&mut other);
        let knowledge = Knowledge { related: vec![other], ..Knowledge::default() };
        verdict_knowing(&facts, &knowledge).cause.map(|finding| (finding.cause, finding.confidence))
    };
    assert_eq!(told((7, 3_000), &|_| ()), Some((Cause::ClientHelloDropped, Confidence::Likely)), "its own SYN passed meanwhile");
    let dropped = |told: Option<(Cause, Confidence)>| told.is_some_and(|told| told.0 == Cause::ClientHelloDropped);
    assert!(!dropped(told((20, 30_000), &|_| ())), "that was later: the path may have recovered");
    assert!(!dropped(told((7, 3_000), &|other| other.asked_again = true)), "SYNs are lost, too");
}
