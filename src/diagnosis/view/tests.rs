//! Tests of the notions that rules share.

use std::time::Duration;

use super::*;
use crate::diagnosis::quality::Quality;
use crate::diagnosis::testing::{Scene, at, connected, event, outstanding, over_udp, partial_hello, reset, syn};
use crate::handshake::facts::{Outcome, Protocol, StoppedBy};
use crate::tls::registry::ProtocolVersion as V;
use crate::transport::{FlowEventKind, Reset};

#[test]
fn near_side_is_told_by_fresh_hop_counters() {
    let mut facts = connected();
    assert_eq!(View::new(&facts).near_side(), Some(Side::Client), "64 is fresh, 55 is not");
    facts.flow.sides.server.ttl = Some(64);
    assert_eq!(View::new(&facts).near_side(), None, "both fresh: one link");
    assert!(View::new(&facts).same_link());
    facts.flow.sides.client.ttl = Some(57);
    assert_eq!(View::new(&facts).near_side(), Some(Side::Server));
}

#[test]
fn silence_lasts_from_the_last_progress_to_the_end() {
    let mut facts = partial_hello(300, 600);
    assert_eq!(View::new(&facts).silence(), Duration::from_millis(60_000 - 25), "given up at 60 s");
    facts.flow.sides.client.fin = Some((at(9, 4_025), 300));
    let view = View::new(&facts);
    assert_eq!(view.silence(), Duration::from_secs(4), "the FIN ends it");
    assert!(view.waited());
    assert_eq!(view.first_end().map(|ending| (ending.side, ending.name())), Some((Side::Client, "FIN")));
}

#[test]
fn a_reset_that_nobody_believes_is_no_end() {
    let mut facts = connected();
    let mut forged = reset(at(5, 100), 48);
    (forged.in_window, forged.seq_distance) = (false, 900_000);
    facts.flow.sides.server.resets.push(forged);
    assert!(View::new(&facts).first_end().is_none());
    facts.flow.sides.server.resets.push(reset(at(6, 200), 55));
    assert_eq!(View::new(&facts).stop().frame, 6);
}

#[test]
fn the_clients_turn_comes_first() {
    assert_eq!(View::new(&connected()).awaited(), Some(Awaited { side: Side::Client, what: "the ClientHello" }));
    let partial = partial_hello(300, 600);
    assert_eq!(View::new(&partial).awaited().map(|awaited| awaited.what), Some("the rest of the ClientHello"));
}

#[test]
fn a_black_hole_swallows_full_segments_only() {
    let mut facts = partial_hello(1448, 1600);
    let client = &mut facts.flow.sides.client;
    client.outstanding.push(outstanding(0, 1448, at(4, 25), at(9, 3_000), 5));
    assert!(View::new(&facts).black_hole(Side::Client).is_none(), "nothing else passed: no evidence that size matters");
    let mut tail = outstanding(1448, 160, at(5, 25), at(5, 25), 1);
    tail.sacked = true;
    facts.flow.sides.client.outstanding.push(tail);
    assert_eq!(View::new(&facts).black_hole(Side::Client).map(|segment| segment.offset), Some(0));
    facts.flow.sides.client.largest_acked_segment = 1448;
    assert!(View::new(&facts).black_hole(Side::Client).is_none(), "a segment as large passed");
}

#[test]
fn a_small_segment_is_never_a_black_holes_victim() {
    let mut facts = partial_hello(517, 600);
    facts.flow.sides.client.outstanding.push(outstanding(0, 517, at(4, 25), at(9, 3_000), 5));
    facts.flow.sides.server.duplicate_acks = 1;
    assert!(View::new(&facts).black_hole(Side::Client).is_none());
}

#[test]
fn a_hole_counts_what_neither_came_nor_was_lost_by_the_capture() {
    let mut facts = connected();
    let server = &mut facts.flow.sides.server;
    (server.highest, server.bytes_seen, server.stranded_bytes, server.largest_segment) = (3_500, 600, 600, 600);
    assert_eq!(View::new(&facts).hole(Side::Server), Some(Hole { len: 2_900, stranded: 600 }));
    assert!(View::new(&facts).hole_is_full_size(Side::Server, Hole { len: 2_900, stranded: 600 }));
    assert!(!View::new(&facts).hole_is_full_size(Side::Server, Hole { len: 300, stranded: 600 }));
    facts.flow.sides.server.gap_bytes_acked = 2_900;
    assert_eq!(View::new(&facts).hole(Side::Server), None);
}

#[test]
fn a_hello_beyond_one_segment_is_split() {
    assert!(!View::new(&partial_hello(517, 508)).hello_is_split());
    let large = partial_hello(1448, 1_700);
    assert!(View::new(&large).hello_is_split());
    assert!(View::new(&large).hello_is_large());
}

#[test]
fn a_syn_that_is_repeated_costs_the_pause_before_it() {
    let mut facts = connected();
    let client = &mut facts.flow.sides.client;
    if let Some(syn) = client.syn.as_mut() {
        (syn.last, syn.count) = (at(2, 1_000), 2);
    }
    facts.flow.eventful = true;
    facts.flow.events.push(event(at(2, 1_000), Side::Client, FlowEventKind::SynRepeat));
    let loss = View::new(&facts).loss_delay().expect("a second was lost");
    assert_eq!((loss.total, loss.side, loss.what, loss.repairs), (Duration::from_secs(1), Side::Client, "SYN", 1));
}

#[test]
fn a_datagram_that_waits_at_its_receiver_was_not_lost() {
    let delayed = |near_server: bool, answered: Option<Mark>| {
        let mut facts = over_udp(Protocol::Dtls);
        let (client, server) = if near_server { (57, 64) } else { (64, 57) };
        (facts.flow.sides.client.ttl, facts.flow.sides.server.ttl) = (Some(client), Some(server));
        facts.flow.sides.server.first_data = answered;
        facts.flow.events.push(event(at(4, 1_000), Side::Client, FlowEventKind::Retransmission { offset: 0, len: 200 }));
        facts.finished.client = Some(at(9, 1_100));
        View::new(&facts).loss_delay().is_some()
    };
    assert!(!delayed(true, None) && !delayed(true, Some(at(5, 1_001))), "it had arrived, and nobody looked at it");
    assert!(delayed(true, Some(at(2, 1))), "the answer may have been lost behind this point");
    assert!(delayed(false, None), "seen from the client it may have been lost");
}

#[test]
fn spans_read_like_a_persons() {
    let texts = [
        (Duration::from_micros(70), "70 µs"),
        (Duration::from_millis(230), "230 ms"),
        (Duration::from_millis(4_150), "4.15 s"),
        (Duration::from_secs(125), "2 min 5 s"),
    ];
    for (span, text) in texts {
        assert_eq!(span_text(span), text);
    }
}

#[test]
fn ordinals_read_like_a_persons() {
    let said: Vec<String> = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111].into_iter().map(ordinal).collect();
    assert_eq!(said, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]);
}

#[test]
fn who_asks_again_at_the_end_of_the_capture_may_yet_be_answered() {
    let asks = |last: i64, count: u32, end: i64| {
        let mut facts = connected();
        facts.flow.tcp.as_mut().unwrap().established = None;
        facts.flow.sides.server = SideFacts::default();
        facts.flow.sides.client.syn = Some(syn(at(1, 0), at(u64::from(count), last), count, 64));
        (facts.outcome, facts.close, facts.closed_at) = (Outcome::Refused, Close::EndOfCapture, at(9, end));
        View::new(&facts).still_asks(&Policy::default())
    };
    assert!(asks(1_000, 2, 1_100) && asks(3_000, 3, 3_900));
    assert!(!asks(1_000, 2, 3_100), "the next was due after two seconds, and did not come");
    assert!(!asks(7_000, 4, 7_500), "a silence as long as this is one");
}

#[test]
fn a_fin_that_acknowledges_one_that_was_not_captured_is_the_second() {
    let closed = |acked: u64| {
        let mut facts = partial_hello(300, 600);
        (facts.flow.sides.client.fin, facts.flow.sides.client.acked) = (Some((at(6, 40), 300)), 300);
        (facts.flow.sides.server.acked, facts.flow.sides.server.acked_at) = (acked, Some(at(6, 40)));
        facts
    };
    let facts = closed(1);
    let ending = View::new(&facts).first_end().expect("two ends");
    assert_eq!((ending.side, ending.unseen, ending.mark.frame), (Side::Server, true, 6));
    assert!(Quality::of(&facts).gap);
    let facts = closed(0);
    assert_eq!(View::new(&facts).first_end().map(|ending| (ending.side, ending.unseen)), Some((Side::Client, false)));
    let mut later = closed(1);
    later.flow.sides.server.acked_at = Some(at(8, 60));
    assert_eq!(View::new(&later).first_end().map(|ending| ending.side), Some(Side::Client), "it answered the client's");
    assert!(!Quality::of(&later).gap);
}

#[test]
fn a_reset_tells_of_bytes_that_were_not_captured() {
    let ended = |ahead: i64, ttl: u8| {
        let mut facts = partial_hello(300, 600);
        let mut own = reset(at(6, 40), ttl);
        own.ack_distance = Some(ahead);
        facts.flow.sides.client.resets.push(own);
        facts.flow.reset_over_unseen(Side::Client)
    };
    assert_eq!(ended(7, 64), 7);
    assert_eq!((ended(0, 64), ended(-7, 64)), (0, 0));
    assert_eq!(ended(7, 57), 0, "somebody else's");
    let mut later = partial_hello(300, 600);
    later.flow.sides.server.resets.push(Reset { ack_distance: Some(300), ..reset(at(5, 40), 55) });
    (later.flow.sides.client.acked, later.flow.sides.client.acked_at) = (300, Some(at(6, 45)));
    assert_eq!(later.flow.reset_over_unseen(Side::Server), 0, "the server acknowledges the same behind a RST in its name");
}

#[test]
fn who_closed_over_quic_a_moment_before_closes_again() {
    use crate::diagnosis::case::Case;
    use crate::diagnosis::knowledge::{Knowledge, Related, hello_shape};
    use crate::diagnosis::testing::{Scene, related};
    use crate::flow::Transport;
    use crate::handshake::facts::QuicFacts;
    use crate::quic::version::Version;
    let closes = |len: u32, others: &[Outcome], shape: u64| {
        let mut facts = over_udp(Protocol::Quic);
        let mut quic = QuicFacts::new(Version::V1);
        quic.handshakes.server.last = Some(at(5, 22));
        quic.last_alone.client = Some((len, at(6, 22)));
        facts.quic = Some(Box::new(quic));
        facts.client_hellos = Scene::broad().handshake.observed.client_hellos;
        facts.flow.sides.client.last_packet = Some(at(6, 22));
        facts.outcome = Outcome::Incomplete;
        let hello_shape = hello_shape(&facts.client_hellos[0].what) ^ shape;
        let like = |outcome: &Outcome| Related {
            same_endpoint: true,
            same_name: true,
            transport: Transport::Udp,
            hello_shape,
            answered_in: Some(Duration::from_millis(30)),
            outcome: *outcome,
            ..related(at(0, -500))
        };
        let knowledge = Knowledge { related: others.iter().map(like).collect(), ..Knowledge::default() };
        let case = Case { handshake: &facts, chain: None, client_chain: None, knowledge: &knowledge, policy: &Policy::default() };
        case.left_over_quic().map(|mark| mark.frame)
    };
    assert_eq!(closes(61, &[Outcome::Alerted], 0), Some(6));
    assert_eq!(closes(61, &[], 0), None, "it may be a Finished");
    assert_eq!(closes(61, &[Outcome::Alerted, Outcome::Completed], 0), None, "it takes the certificate, too");
    assert_eq!(closes(61, &[Outcome::Alerted], 1), None, "another program");
    assert_eq!(closes(24, &[Outcome::Alerted], 0), None, "an acknowledgment");
}

#[test]
fn a_late_small_packet_of_quic_is_a_farewell_where_the_capture_ends_with_it() {
    use crate::handshake::facts::QuicFacts;
    use crate::quic::version::Version;
    let ended = |late: i64, len: u32, shorts: u32| {
        let mut facts = over_udp(Protocol::Quic);
        let mut quic = QuicFacts::new(Version::V1);
        quic.handshakes.server.last = Some(at(5, 22));
        quic.last_alone.client = Some((len, at(6, 22 + late)));
        quic.shorts.client.count = shorts;
        facts.quic = Some(Box::new(quic));
        let mut answer = Scene::broad().answered(V::TLS12, 0x1301, &[]).handshake;
        facts.observed.server_hello = answer.observed.server_hello.take();
        if let Some(seen) = facts.observed.server_hello.as_mut() {
            (seen.first, seen.mark) = (at(4, 2), at(4, 2));
        }
        facts.flow.sides.client.last_packet = Some(at(6, 22 + late));
        facts.outcome = Outcome::Incomplete;
        View::new(&facts).left_over_quic().map(|mark| mark.frame)
    };
    assert_eq!(ended(6, 21, 0), Some(6));
    assert_eq!(ended(0, 21, 0), None, "it acknowledges the flight");
    assert_eq!(ended(6, 80, 0), None, "room for a Finished");
    assert_eq!(ended(6, 21, 1), None, "it went on");
}

#[test]
fn over_quic_a_client_is_gone_before_the_flight_that_is_long_in_coming() {
    use crate::handshake::facts::QuicFacts;
    use crate::packet::IcmpKind;
    use crate::quic::version::Version;
    use crate::transport::IcmpNote;
    let gone = |flight: Option<i64>, last: i64, icmp: i64| {
        let mut facts = over_udp(Protocol::Quic);
        let mut quic = QuicFacts::new(Version::V1);
        quic.handshakes.server.first = flight.map(|millis| at(if millis < last { 4 } else { 6 }, millis));
        facts.quic = Some(Box::new(quic));
        facts.flow.sides.server.first_data = Some(at(3, 240));
        facts.flow.sides.client.last_packet = Some(at(5, last));
        let note = IcmpNote {
            mark: at(7, icmp),
            reporter: facts.client.address,
            kind: IcmpKind::PortUnreachable,
            icmp_type: 3,
            code: 3,
            about: Side::Server,
            quoted_len: 85,
            ignored: 0,
        };
        facts.flow.icmp.push(note);
        (facts.outcome, facts.end) = (Outcome::Closed, Some(at(7, icmp)));
        View::new(&facts).gone_before_flight().map(|(drew, _)| drew.frame)
    };
    assert_eq!(gone(Some(1_480), 700, 1_481), Some(6));
    assert_eq!(gone(None, 0, 700), Some(3), "its acknowledgment drew the message");
    assert_eq!(gone(Some(200), 700, 1_481), None, "the client had the flight, and said something to it");
    assert_eq!(gone(Some(80), 0, 81), None, "it was not long in coming");
}

#[test]
fn what_the_servers_fin_does_not_acknowledge_was_not_heard() {
    let unheard = |acked: u64, waited: i64, later: bool| {
        let mut facts = Scene::broad().answered(V::TLS12, 0xc02f, &[]).handshake;
        let base = connected();
        facts.flow.sides = base.flow.sides.clone();
        facts.flow.tcp = base.flow.tcp;
        for hello in &mut facts.client_hellos {
            (hello.first, hello.mark, hello.span) = (at(4, 30), at(4, 30), (0, 300));
        }
        (facts.outcome, facts.stopped_by) = (Outcome::Closed, StoppedBy::Server);
        let server = &mut facts.flow.sides.server;
        (server.first_data, server.last_data) = (Some(at(5, 60)), Some(at(5, 60)));
        (server.highest, server.fin) = (2_000, Some((at(8, 60 + waited), 2_000)));
        let client = &mut facts.flow.sides.client;
        (client.highest, client.acked, client.acked_at) = (380, acked, Some(at(5, 60)));
        facts.client_key_exchange = Some(at(if later { 9 } else { 7 }, 70));
        let view = View::new(&facts);
        view.left_unheard(&view.first_end().unwrap()).map(|waited| waited.as_millis())
    };
    assert_eq!(unheard(300, 370, false), Some(370));
    assert_eq!(unheard(380, 370, false), None, "it had the client's answer");
    assert_eq!(unheard(300, 370, true), None, "the client had not answered");
    assert_eq!(unheard(300, 3_000, false), None, "a time limit of seconds is told as such");
}
