//! Order, holes, repeats, acknowledgments.

use super::{W, events};
use crate::flow::Side;
use crate::transport::support::{Heard, Trace};
use crate::transport::{FlowEventKind, Gap, GapCause, TableLimits};

#[test]
fn sequence_numbers_wrap() {
    let mut trace = Trace::new();
    trace.see(W().client(0xffff_fffd).syn()).see(W().server(0xffff_ffff).syn().ack(0xffff_fffe)).see(W().client(0xffff_fffe).ack(0));
    trace.see(W().client(0xffff_fffe).ack(0).data(b"abcd"));
    trace.see(W().client(2).ack(0).data(b"ef")).see(W().server(0).ack(4).data(b"xy"));
    assert_eq!((trace.stream(Side::Client).as_str(), trace.stream(Side::Server).as_str()), ("abcdef", "xy"));
    trace.end();
    assert_eq!(trace.only().0.sides.client.acked, 6);
}

#[test]
fn bytes_beyond_a_hole_wait_and_keep_their_own_frame() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1004).ack(5001).data(b"def")).see(W().client(1001).ack(5001).data(b"abc"));
    let data: Vec<_> = trace.book.heard.iter().filter(|heard| matches!(heard, Heard::Data(..))).collect();
    assert_eq!(data, [&Heard::Data(Side::Client, 0, b"abc".to_vec(), 5), &Heard::Data(Side::Client, 3, b"def".to_vec(), 4)]);
    assert_eq!(trace.table.buffered(), 0);
    trace.end();
    let (flow, _) = trace.only();
    assert_eq!(flow.sides.client.retransmits, 0, "filling a hole repeats nothing");
    assert!(flow.events.iter().any(|event| event.kind == FlowEventKind::OutOfOrder { offset: 3, len: 3 }));
}

#[test]
fn what_is_overtaken_is_not_lost() {
    // A round trip of 40 ms; milliseconds from what came too early to what fills the hole before it.
    let beyond = |late: i64, mends: &[u8]| {
        let mut trace = Trace::new();
        trace.see(W().client(1000).syn().at(0)).see(W().server(5000).syn().ack(1001).at(39)).see(W().client(1001).ack(5001).at(40));
        trace.see(W().server(5004).ack(1001).data(b"def").at(100)).see(W().server(5009).ack(1001).data(b"ij").at(100));
        trace.see(W().server(5001).ack(1001).data(mends).at(100 + late)).end();
        let kinds = trace.only().0.events.iter().map(|event| event.kind);
        let kinds = kinds.filter(|kind| matches!(kind, FlowEventKind::OutOfOrder { .. } | FlowEventKind::Overtook { .. }));
        kinds.collect::<Vec<_>>()
    };
    let still_behind_a_hole = FlowEventKind::OutOfOrder { offset: 8, len: 2 };
    assert_eq!(beyond(3, b"abc"), [FlowEventKind::Overtook { offset: 3, len: 3 }, still_behind_a_hole]);
    assert_eq!(beyond(41, b"abc"), [FlowEventKind::OutOfOrder { offset: 3, len: 3 }, still_behind_a_hole], "time to send it again");
    assert_eq!(beyond(3, b"ab"), [FlowEventKind::OutOfOrder { offset: 3, len: 3 }, still_behind_a_hole], "the hole is still there");
}

#[test]
fn the_first_byte_wins_and_a_difference_is_told() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1005).ack(5001).data(b"EFGH")).see(W().client(1001).ack(5001).data(b"abcdefxy"));
    trace.see(W().client(1009).ack(5001).data(b"i"));
    assert_eq!(trace.stream(Side::Client), "abcdEFGHi");
    trace.end();
    let client = &trace.only().0.sides.client;
    assert_eq!((client.differing_overlaps, client.retransmits, client.bytes_seen), (1, 1, 9));
    assert!(events(&trace).contains(&(Side::Client, FlowEventKind::DifferingOverlap { offset: 4 })));
}

#[test]
fn a_segment_sent_again_with_other_bytes_is_told() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"good")).see(W().client(1001).ack(5001).data(b"good"));
    trace.see(W().client(1001).ack(5001).data(b"evil")).end();
    let client = &trace.only().0.sides.client;
    assert_eq!((client.differing_overlaps, client.retransmits), (1, 2));
    assert_eq!(trace.stream(Side::Client), "good");
}

#[test]
fn a_hole_that_was_acknowledged_is_given_up_a_little_later() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().server(5001).ack(1001).data(b"one").at(100)).see(W().server(5008).ack(1001).data(b"three").at(101));
    trace.see(W().client(1001).ack(5013).at(102));
    assert!(trace.gaps().is_empty(), "it may still come");
    trace.see(W().client(1001).ack(5013).data(b"x").at(115));
    let gap = Gap { side: Side::Server, offset: 3, len: 4, why: GapCause::CaptureLost, mark: trace.gaps()[0].mark };
    assert_eq!((trace.gaps(), gap.mark.frame), (vec![gap], 7));
    assert_eq!(trace.stream(Side::Server), "one____three");
    // late bytes of the hole are no retransmission, and change nothing
    trace.see(W().server(5004).ack(1002).data(b"two_").at(116)).end();
    let server = &trace.only().0.sides.server;
    assert_eq!((server.retransmits, server.gap_bytes, server.gap_bytes_acked, server.delivered), (0, 4, 4, 12));
    assert_eq!(trace.stream(Side::Server), "one____three");
}

#[test]
fn an_acknowledgment_captured_before_its_bytes_makes_no_gap() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5007).at(100)).see(W().server(5004).ack(1001).data(b"def").at(101));
    trace.see(W().server(5001).ack(1001).data(b"abc").at(102)).see(W().client(1001).ack(5007).data(b"q").at(200)).end();
    assert!(trace.gaps().is_empty());
    assert_eq!(trace.stream(Side::Server), "abcdef");
}

#[test]
fn a_hole_acknowledged_long_ago_is_given_up_when_bytes_come_behind_it() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5101).at(100)).see(W().server(5101).ack(1001).data(b"after").at(200));
    assert_eq!(trace.gaps().iter().map(|gap| (gap.offset, gap.len, gap.why)).collect::<Vec<_>>(), [(0, 100, GapCause::CaptureLost)]);
}

#[test]
fn a_tick_gives_up_an_acknowledged_hole_when_no_packet_comes() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().server(5003).ack(1001).data(b"c")).see(W().client(1001).ack(5004)).ticks_until(1);
    assert!(trace.gaps().is_empty(), "not before it was quiet for a second");
    trace.ticks_until(2);
    assert_eq!(trace.stream(Side::Server), "__c");
}

#[test]
fn bytes_acknowledged_and_never_seen_are_a_gap_at_the_end() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"hi")).see(W().client(1003).ack(7001)).end();
    assert_eq!(
        trace.gaps().iter().map(|gap| (gap.side, gap.offset, gap.len, gap.why)).collect::<Vec<_>>(),
        [(Side::Server, 0, 2000, GapCause::CaptureLost)]
    );
}

#[test]
fn a_hole_that_nobody_acknowledged_strands_what_is_behind_it() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().server(6401).ack(1001).data(b"tail")).see(W().client(1001).ack(5001).sack(6401, 6405)).end();
    assert_eq!((trace.gaps().len(), trace.stream(Side::Server).as_str()), (0, ""));
    let (client, server) = (&trace.only().0.sides.client, &trace.only().0.sides.server);
    assert_eq!((server.stranded_bytes, server.highest, server.bytes_seen, server.delivered), (4, 1404, 4, 0));
    assert!(client.sent_sack && server.outstanding[0].sacked);
    assert_eq!((server.largest_acked_segment, client.duplicate_acks), (4, 1));
}

#[test]
fn a_cut_by_the_snapshot_length_is_a_gap() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"ab").len(5)).see(W().client(1006).ack(5001).data(b"f")).end();
    assert_eq!(trace.stream(Side::Client), "ab___f");
    let client = &trace.only().0.sides.client;
    assert_eq!((client.snaplen_cut, client.gap_bytes, client.gap_bytes_acked, client.bytes_seen), (1, 3, 0, 3));
    assert_eq!(trace.gaps()[0].why, GapCause::Snaplen);
}

#[test]
fn a_whole_copy_of_a_segment_that_was_cut_brings_the_rest() {
    // Each packet twice: a header, and all of it.
    let seen = |copies: &[&[u8]], between: bool| {
        let mut trace = Trace::new();
        trace.open(W());
        let part = |seq: u32, id: u16, at: i64| W().client(seq).ack(5001).id(Some(id)).at(at);
        trace.see(part(1001, 70, 100)).see(part(1001, 70, 101));
        trace.see(part(1001, 71, 110).data(b"a").len(5)).see(part(1006, 72, 111).data(b"").len(3));
        if between {
            trace.see(W().server(5001).ack(1009).data(b"xyz").id(Some(9)).at(112));
        }
        for (bytes, (seq, id)) in copies.iter().zip([(1001, 71), (1006, 72)]) {
            trace.see(part(seq, id, 113).data(bytes).len(if seq == 1001 { 5 } else { 3 }));
        }
        trace.see(W().server(5001).ack(1009).data(b"xyz").id(Some(9)).at(120)).see(part(1009, 73, 130).data(b"i")).end();
        let client = &trace.only().0.sides.client;
        (trace.stream(Side::Client), client.snaplen_cut, client.retransmits, client.gap_bytes)
    };
    assert_eq!(seen(&[b"abcde", b"fgh"], false), ("abcdefghi".to_owned(), 0, 0, 0));
    assert_eq!(seen(&[b"abcde"], false), ("abcde___i".to_owned(), 1, 0, 3), "of the second there is no other");
    assert_eq!(seen(&[b"ab", b"f"], false), ("a_______i".to_owned(), 2, 0, 7), "both copies are cut");
    assert_eq!(seen(&[b"abcde", b"fgh"], true), ("a_______i".to_owned(), 2, 0, 7), "the other side has answered by then");
}

#[test]
fn retransmissions_are_counted_by_whichever_boundaries() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(&[7; 1000]).at(100)).see(W().client(1001).ack(5001).data(&[7; 500]).at(400));
    trace.see(W().client(1501).ack(5001).data(&[7; 700]).at(401)).end();
    let client = &trace.only().0.sides.client;
    assert_eq!((client.retransmits, client.bytes_seen, client.highest), (2, 1200, 1200));
    assert_eq!(client.outstanding.iter().map(|o| (o.offset, o.len, o.copies)).collect::<Vec<_>>(), [(0, 1000, 3), (1000, 200, 1)]);
    assert_eq!((client.outstanding[0].first.frame, client.outstanding[0].last.frame), (4, 6));
}

#[test]
fn a_large_segment_sent_again_in_pieces_is_not_proved_to_have_arrived() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(&[7; 1400])).see(W().client(1001).ack(5001).data(&[7; 500]));
    trace.see(W().client(1501).ack(5001).data(&[7; 900])).see(W().server(5001).ack(2401)).end();
    let client = &trace.only().0.sides.client;
    assert_eq!((client.largest_segment, client.largest_acked_segment), (1400, 500));
    assert!(client.outstanding.is_empty());
}

#[test]
fn of_a_segment_that_the_card_cuts_up_one_piece_may_arrive() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(&[7; 1579]).at(100)).see(W().server(5001).ack(1001).sack(2449, 2580).at(101));
    for at in [350, 800, 1700] {
        trace.see(W().client(1001).ack(5001).data(&[7; 1448]).at(at));
    }
    trace.end();
    let client = &trace.only().0.sides.client;
    let pieces: Vec<_> = client.outstanding.iter().map(|piece| (piece.offset, piece.len, piece.copies, piece.sacked)).collect();
    assert_eq!(pieces, [(0, 1448, 4, false), (1448, 131, 1, true)]);
    assert_eq!(client.largest_acked_segment, 131);
}

#[test]
fn the_same_packet_captured_twice_counts_only_as_that() {
    let mut trace = Trace::new();
    trace.open(W());
    let data = W().client(1001).ack(5001).data(b"abc");
    trace.see(data.clone().id(Some(77)).at(100)).see(data.clone().id(Some(77)).ttl(63).at(130));
    trace.see(data.clone().id(None).at(200)).see(data.clone().id(None).at(203)).see(data.id(None).at(260)).end();
    let (flow, _) = trace.only();
    assert_eq!((flow.duplicates, flow.sides.client.retransmits, flow.sides.client.data_packets), (2, 2, 3));
    assert_eq!(trace.table.counters().duplicates, 2);
}

#[test]
fn what_another_point_saw_of_a_packet_is_a_copy_of_it() {
    let mut trace = Trace::new();
    let answer = W().server(5000).syn().ack(1001).id(None);
    trace.see(W().client(1000).syn().at(0)).see(answer.clone().at(1)).see(answer.clone().ttl(63).at(101));
    trace.see(answer.ttl(63).at(1101)).see(W().client(1001).ack(5001).at(1102));
    let data = W().client(1001).ack(5001).data(b"abc").id(Some(77));
    trace.see(data.clone().at(1200)).see(data.clone().ttl(60).at(2400)).see(data.ttl(60).at(6000)).end();
    let (flow, _) = trace.only();
    assert_eq!((flow.sides.server.copies, flow.sides.server.syn.unwrap().count), (1, 2), "a second later it is sent again");
    assert_eq!((flow.sides.client.copies, flow.sides.client.retransmits), (1, 1));
}

#[test]
fn what_was_sent_again_needlessly_is_told_by_the_timestamps() {
    let stamped = |own: u32, echo: u32| [&[1, 1, 8, 10][..], &own.to_be_bytes(), &echo.to_be_bytes()].concat();
    let kind = |echo: u32| {
        let mut trace = Trace::new();
        trace.open(W());
        let data = W().client(1001).ack(5001).data(b"abc");
        trace.see(data.clone().options(stamped(500, 9)).at(100)).see(data.options(stamped(800, 9)).at(400));
        trace.see(W().server(5001).ack(1004).options(stamped(20, echo)).at(450)).end();
        let again =
            |kind: &FlowEventKind| matches!(kind, FlowEventKind::Retransmission { .. } | FlowEventKind::SpuriousRetransmission { .. });
        trace.only().0.events.iter().map(|event| event.kind).find(again)
    };
    assert_eq!(kind(500), Some(FlowEventKind::SpuriousRetransmission { offset: 0, len: 3 }));
    assert_eq!(kind(800), Some(FlowEventKind::Retransmission { offset: 0, len: 3 }));
}

#[test]
fn without_an_identification_what_answers_something_is_no_copy() {
    let mut trace = Trace::new();
    let answer = W().server(5000).syn().ack(1001).id(None);
    trace.see(W().client(1000).syn().at(0)).see(answer.clone().at(1)).see(answer.clone().at(1000));
    trace.see(W().client(1000).syn().at(1001)).see(answer.at(1002)).end();
    let (flow, _) = trace.only();
    assert_eq!((flow.duplicates, flow.sides.server.syn.unwrap().count), (0, 3));
}

#[test]
fn an_answer_that_was_captured_twice_is_one_whatever_came_between() {
    let seen = |millis: i64, tick: u32| {
        let mut trace = Trace::new();
        let answer = |tick: u32| {
            W().server(5000).syn().ack(1001).id(None).options([&[1, 1, 8, 10][..], &tick.to_be_bytes(), &7_u32.to_be_bytes()].concat())
        };
        trace.see(W().client(1000).syn().at(0)).see(answer(500).at(1)).see(W().client(1001).ack(5001).at(2));
        trace.see(answer(tick).at(millis)).end();
        let (flow, _) = trace.only();
        (flow.duplicates, flow.sides.server.syn.unwrap().count)
    };
    assert_eq!(seen(4, 500), (1, 1));
    assert_eq!(seen(4, 503), (0, 2), "another one");
    assert_eq!(seen(1001, 500), (0, 2), "sent again");
}

#[test]
fn keep_alives_are_no_retransmissions() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"abc")).see(W().server(5001).ack(1004));
    trace.see(W().client(1003).ack(5001).at(9000)).see(W().client(1003).ack(5001).data(b"\0").at(18000)).see(W().server(5001).ack(1004));
    trace.end();
    let client = &trace.only().0.sides.client;
    assert_eq!((client.keepalives, client.retransmits, client.differing_overlaps), (2, 0, 0));
}

#[test]
fn probes_of_a_closed_window_are_no_retransmissions() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().server(5001).ack(1001).data(b"abc")).see(W().client(1001).ack(5004).window(0).at(50));
    trace.see(W().server(5004).ack(1001).data(b"d").at(300)).see(W().client(1001).ack(5004).window(0).at(301));
    trace.see(W().server(5004).ack(1001).data(b"d").at(700)).see(W().client(1001).ack(5005).window(900).at(701)).end();
    let (client, server) = (&trace.only().0.sides.client, &trace.only().0.sides.server);
    assert_eq!((server.retransmits, server.keepalives), (0, 1));
    let zero = client.zero_window.unwrap();
    assert_eq!((zero.first.frame, zero.last.frame, zero.reopened.map(|mark| mark.frame)), (5, 7, Some(9)));
    assert_eq!(trace.stream(Side::Server), "abcd");
    let kinds = events(&trace);
    assert_eq!(kinds.iter().filter(|(_, kind)| *kind == FlowEventKind::ZeroWindow).count(), 1);
    assert_eq!(kinds.iter().filter(|(_, kind)| *kind == FlowEventKind::WindowOpen).count(), 1);
}

#[test]
fn duplicate_acknowledgments_are_counted() {
    let mut trace = Trace::new();
    trace.open(W());
    for i in 0..4 {
        trace.see(W().server(5001 + 100 * i).ack(1001).data(&[1; 100]));
    }
    trace.see(W().client(1001).ack(5101)).see(W().client(1001).ack(5101)).see(W().client(1001).ack(5101)).end();
    assert_eq!(trace.only().0.sides.client.duplicate_acks, 2);
}

#[test]
fn segments_above_the_announced_mss_are_counted() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(&[1; 1400])).see(W().client(2401).ack(5001).data(&[1; 1401])).end();
    let client = &trace.only().0.sides.client;
    assert_eq!((client.above_mss, client.largest_segment), (1, 1401), "the server announced 1400");
}

#[test]
fn a_jump_of_the_acknowledgments_is_believed_when_it_goes_on() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"x")).see(W().client(1002).ack(40_000_000));
    trace.see(W().client(1002).ack(40_005_000)).see(W().server(40_005_000).ack(1002).data(b"tail")).end();
    let server = &trace.only().0.sides.server;
    assert_eq!((server.acked, server.gap_bytes_acked, server.bytes_seen), (39_999_999, 39_999_999, 4));
}

#[test]
fn acknowledgments_worth_telling() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"ab").at(10)).see(W().server(5001).ack(1003).at(20));
    trace.see(W().client(1003).ack(5001).data(b"cd").at(30)).see(W().server(5001).ack(1005).at(40));
    trace.see(W().client(1005).ack(5001).data(b"ef").at(50)).see(W().client(1005).ack(5001).data(b"ef").at(300));
    trace
        .see(W().server(5001).ack(1007).at(310))
        .see(W().client(1007).ack(5001).data(b"gh").at(400))
        .see(W().server(5001).ack(1009).at(1500));
    let told: Vec<u64> = events(&trace)
        .into_iter()
        .filter_map(|(_, kind)| if let FlowEventKind::Acknowledged { offset } = kind { Some(offset) } else { None })
        .collect();
    assert_eq!(told, [2, 6, 8], "the first, after a retransmission, after a pause; not the plain second");
}

#[test]
fn a_side_that_buffers_too_much_gives_up_its_oldest_hole() {
    let limits = TableLimits { buffered_per_side: 1000, ..TableLimits::partition() };
    let mut trace = Trace::within(limits);
    trace.open(W());
    for i in 1..=3u32 {
        trace.see(W().client(1001 + 400 * i).ack(5001).data(&[b'x'; 300]));
        assert!(trace.table.buffered() <= 1000);
    }
    assert_eq!(trace.gaps().iter().map(|gap| (gap.offset, gap.len, gap.why)).collect::<Vec<_>>(), [(0, 400, GapCause::Unacknowledged)]);
    assert_eq!(trace.table.counters().buffer_overflows, 1);
}

/// The beginning of a ClientHello's record.
const HELLO: &[u8] = b"\x16\x03\x01hello";
/// An alert, and another one.
const ALERTS: [&[u8]; 2] = [b"\x15\x03\x03\x00\x02\x02\x28", b"\x15\x03\x03\x00\x02\x02\x70"];

#[test]
fn a_servers_first_bytes_are_left_out_when_others_come_in_their_place() {
    let mut trace = Trace::new();
    trace.open(W()).see(W().client(1001).ack(5001).data(HELLO));
    trace.see(W().server(5001).ack(1009).ttl(1).data(ALERTS[0]));
    assert_eq!(trace.stream(Side::Server), "", "nobody took it yet");
    trace.see(W().server(5001).ack(1009).data(b"\x16\x03\x03the server's own"));
    trace.see(W().client(1009).ack(5020)).end();
    assert!(trace.stream(Side::Server).ends_with("the server's own"));
    let server = &trace.only().0.sides.server;
    assert_eq!(server.contradicted.map(|forged| (forged.len, forged.ttl, forged.first)), Some((7, 1, 21)));
    assert_eq!((server.differing_overlaps, server.retransmits), (0, 0));
}

#[test]
fn an_alert_that_the_client_took_is_denied_by_what_the_server_sends_in_its_place() {
    let mut trace = Trace::new();
    trace.open(W()).see(W().client(1001).ack(5001).data(HELLO)).see(W().server(5001).ack(1005).ttl(60).data(ALERTS[0]));
    trace.see(W().client(1009).ack(5008)).see(W().server(5001).ack(1009)).see(W().client(1009).fin().ack(5008));
    trace.see(W().server(5001).ack(1009).data(b"\x16\x03\x03the server's own")).see(W().client(1010).rst()).end();
    let server = &trace.only().0.sides.server;
    assert_eq!((server.differing_overlaps, server.alert_ttl.map(|(_, ttl)| ttl), server.ttl), (1, Some(60), Some(64)));
    // the same alert again is the server's
    let mut trace = Trace::new();
    trace.open(W()).see(W().client(1001).ack(5001).data(HELLO)).see(W().server(5001).ack(1009).data(ALERTS[0]));
    trace.see(W().client(1009).fin().ack(5008)).see(W().server(5001).ack(1009).data(ALERTS[0])).end();
    assert_eq!(trace.only().0.sides.server.differing_overlaps, 0);
}

#[test]
fn a_servers_first_bytes_count_once_the_client_takes_them_or_more_follows() {
    for (case, react) in [W().client(1009).ack(5008), W().client(1009).fin().ack(5008), W().client(1009).rst()].into_iter().enumerate() {
        let mut trace = Trace::new();
        trace.open(W()).see(W().client(1001).ack(5001).data(HELLO)).see(W().server(5001).ack(1009).data(ALERTS[0]));
        trace.see(react);
        assert_eq!(trace.stream(Side::Server).len(), String::from_utf8_lossy(ALERTS[0]).len(), "case {case}");
        trace.see(W().server(5001).ack(1009).data(ALERTS[1])).end();
        assert!(trace.only().0.sides.server.contradicted.is_none(), "what comes late changes nothing");
    }
    let mut trace = Trace::new();
    trace.open(W()).see(W().client(1001).ack(5001).data(HELLO)).see(W().server(5001).ack(1009).data(b"\x16\x03\x03abc"));
    trace.see(W().server(5007).ack(1009).data(b"def")).end();
    assert!(trace.stream(Side::Server).ends_with("abcdef"));
}
