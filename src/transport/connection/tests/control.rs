//! Opening, roles, RST, FIN, ICMP, quiet.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{W, events};
use crate::flow::Side;
use crate::limits;
use crate::packet::{IcmpError, IcmpKind, TcpFlags};
use crate::transport::support::{Heard, Trace, ms};
use crate::transport::{Close, FlowEventKind, GapCause, Roles};

#[test]
fn a_handshake_gives_roles_times_and_options() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn().mss(1460).scale(7).sack_permitted().at(0));
    trace.see(W().server(5000).syn().ack(1001).mss(1400).ttl(57).at(30));
    trace.see(W().client(1001).ack(5001).at(35));
    trace.see(W().client(1001).ack(5001).data(b"hello").at(36));
    trace.see(W().server(5001).ack(1006).data(b"olleh").ttl(57).at(70));
    trace.end();
    let (flow, close) = trace.only();
    assert_eq!(close, Close::EndOfCapture);
    assert_eq!((flow.roles, flow.client_is_low, flow.tcp.unwrap().simultaneous_open), (Roles::Handshake, true, false));
    assert_eq!((flow.tcp.unwrap().syn_rtt, flow.tcp.unwrap().ack_rtt), (Some(Duration::from_millis(30)), Some(Duration::from_millis(5))));
    assert_eq!(flow.established().map(|mark| mark.frame), Some(3));
    let (client, server) = (&flow.sides.client, &flow.sides.server);
    let (syn, answer) = (client.syn.unwrap(), server.syn.unwrap());
    assert_eq!((syn.isn, syn.mss, syn.window_scale, syn.sack, syn.count), (1000, Some(1460), Some(7), true, 1));
    assert_eq!((answer.isn, answer.mss, answer.window_scale, answer.sack, answer.ttl), (5000, Some(1400), None, false, 57));
    assert_eq!((syn.acked.map(|mark| mark.frame), answer.acked.map(|mark| mark.frame)), (Some(2), Some(3)));
    assert_eq!((client.packets, client.data_packets, client.bytes_seen, client.highest, client.acked), (3, 1, 5, 5, 5));
    assert_eq!((server.packets, server.acked, server.ttl, client.ttl), (2, 0, Some(57), Some(64)));
    assert_eq!((client.retransmits, client.duplicate_acks, client.keepalives), (0, 0, 0));
    assert_eq!(server.outstanding.len(), 1);
    assert_eq!((server.outstanding[0].offset, server.outstanding[0].len, server.outstanding[0].copies), (0, 5, 1));
    let kinds: Vec<FlowEventKind> = flow.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [FlowEventKind::Syn, FlowEventKind::Syn, FlowEventKind::Established, FlowEventKind::Acknowledged { offset: 5 }]);
    assert_eq!((trace.stream(Side::Client).as_str(), trace.stream(Side::Server).as_str()), ("hello", "olleh"));
}

#[test]
fn an_end_is_no_first_acknowledgment() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn().at(0)).see(W().server(5000).syn().ack(1001).at(30));
    trace.see(W().client(1001).ack(5001).fin().at(4000)).end();
    let (flow, _) = trace.only();
    assert_eq!((flow.established().map(|mark| mark.frame), flow.tcp.unwrap().ack_rtt), (Some(2), None));
}

#[test]
fn a_reset_to_who_was_never_heard_may_be_in_any_window() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn().at(0)).see(W().client(1001).ack(5001).at(30));
    trace.see(W().client(1518).ack(5001).rst().at(1000)).end();
    let (flow, _) = trace.only();
    let reset = flow.sides.client.resets[0];
    assert_eq!((reset.seq_distance, reset.in_window), (517, true));
}

#[test]
fn a_reset_behind_an_acknowledged_fin_shows_that_there_was_one() {
    let ended = |fin_acked: bool, next: u32| {
        let mut trace = Trace::new();
        trace.open(W());
        trace.see(W().client(1001).ack(5001).data(b"hello").at(10));
        trace.see(W().server(5001).ack(1006 + u32::from(fin_acked)).data(b"bye").at(20));
        trace.see(W().client(next).rst().at(21)).end();
        trace.only().0.unseen_fin(Side::Client).map(|mark| mark.frame)
    };
    assert_eq!(ended(true, 1007), Some(5), "where it was acknowledged");
    assert_eq!((ended(false, 1006), ended(true, 1500)), (None, None));
}

#[test]
fn a_repeated_syn_gives_no_round_trip() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn().at(0)).see(W().client(1000).syn().at(1000)).see(W().client(1000).syn().at(3000));
    trace.see(W().server(5000).syn().ack(1001).at(3010)).see(W().client(1001).ack(5001).at(3020)).end();
    let (flow, _) = trace.only();
    let syn = flow.sides.client.syn.unwrap();
    assert_eq!((syn.count, syn.first.frame, syn.last.frame), (3, 1, 3));
    assert_eq!((flow.tcp.unwrap().syn_rtt, flow.tcp.unwrap().ack_rtt), (None, Some(Duration::from_millis(10))));
    assert_eq!(flow.events.iter().filter(|event| event.kind == FlowEventKind::SynRepeat).count(), 2);
}

#[test]
fn a_reset_is_described_and_does_not_end_what_goes_on() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"hello").at(10));
    trace.see(W().server(5001).rst().ttl(33).id(Some(9)).at(11)).see(W().server(5001 + 0xffff * 128).rst().at(12));
    trace.see(W().server(5001).ack(1006).data(b"real").ttl(57).at(40)).see(W().server(5005).ack(1006).at(41)).end();
    let server = &trace.only().0.sides.server;
    let [first, second] = &server.resets[..] else { panic!("two resets: {:?}", server.resets) };
    assert_eq!((first.seq_distance, first.ack_distance, first.in_window, first.ttl, first.ip_id), (0, None, true, 33, Some(9)));
    assert_eq!((first.packets_after, first.data_after, first.to_syn), (2, 1, false));
    assert!(!second.in_window, "the client's window is 0xffff shifted by 7");
    assert_eq!(trace.stream(Side::Server), "real");
    assert_eq!(server.ttl, Some(57), "that of the data, as nothing but a SYN-ACK came before the RST");
    assert!(events(&trace).contains(&(Side::Server, FlowEventKind::Rst { index: 1 })));
}

#[test]
fn a_fin_that_nobody_acknowledges_is_counted() {
    let fins = |answered: bool| {
        let mut trace = Trace::new();
        trace.open(W());
        for at in [10, 210, 610, 1400] {
            trace.see(W().client(1001).ack(5001).fin().at(at));
        }
        if answered {
            trace.see(W().server(5001).ack(1002).at(1401));
        }
        trace.end();
        trace.only().0.sides.client.fins_in_vain
    };
    assert_eq!((fins(false), fins(true)), (4, 0));
}

#[test]
fn a_system_without_the_connection_takes_the_number_of_what_it_answers() {
    let unknowing = |seq: u32, flags: u8, ack: u32| {
        let mut trace = Trace::new();
        trace.open(W());
        trace.see(W().client(1001).ack(5001).data(b"hello").at(10)).see(W().server(5001).ack(1006).data(b"real").at(20));
        trace.see(W().client(1006).ack(5005).at(21)).see(W().server(seq).ack(ack).flags(flags).at(30)).end();
        trace.only().0.sides.server.resets[0].unknowing
    };
    assert!(unknowing(5005, TcpFlags::RST, 0), "the last number that the client acknowledged");
    assert!(unknowing(5001, TcpFlags::RST, 0), "an earlier one, of a packet that was on its way");
    assert!(!unknowing(5005, TcpFlags::RST | TcpFlags::ACK, 1006), "a program's own has an ACK flag");
    assert!(!unknowing(9000, TcpFlags::RST, 0), "a guess ahead of all that was said");
    assert!(!unknowing(4000, TcpFlags::RST, 0), "a number of before the connection");
}

#[test]
fn timestamps_that_run_back_against_the_syns_are_told() {
    let stamps = |own: u32, echo: u32| [&[1, 1, 8, 10][..], &own.to_be_bytes(), &echo.to_be_bytes()].concat();
    let behind = |data: u32| {
        let mut trace = Trace::new();
        trace
            .see(W().client(1000).syn().options(stamps(7, 0)).at(0))
            .see(W().server(5000).syn().ack(1001).options(stamps(3_220_956_932, 7)).at(1));
        trace.see(W().client(1001).ack(5001).options(stamps(8, 0)).at(2));
        for (tick, at) in (0..).zip([20, 220, 640]) {
            trace.see(W().server(5001).ack(1001).data(b"real").options(stamps(data + tick, 8)).at(at));
        }
        trace.end();
        trace.only().0.sides.server.clock_behind
    };
    assert_eq!(behind(2_220_956_932), Some(999_999_999));
    assert_eq!(behind(3_220_956_950), None);
    assert_eq!(behind(3_220_956_900), None, "the clocks of a host's processors differ by as much");
}

#[test]
fn a_reset_that_answers_a_syn_is_told() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn().at(0)).see(W().server(0).rst().ack(1001).at(20)).ticks_until(5);
    assert!(trace.book.ended.is_empty());
    trace.ticks_until(6);
    let (flow, close) = trace.only();
    assert_eq!((close, flow.roles, flow.established()), (Close::Ended, Roles::Handshake, None));
    let reset = flow.sides.server.resets[0];
    assert_eq!((reset.to_syn, reset.seq_distance, reset.ack_distance, reset.in_window), (true, 0, Some(0), true));
    assert_eq!(trace.table.counters().half_open, 1);
}

#[test]
fn resets_beyond_the_bound_are_counted() {
    let mut trace = Trace::new();
    trace.open(W());
    for i in 0..limits::RESETS as u32 + 3 {
        trace.see(W().server(5001 + i).rst());
    }
    trace.end();
    let server = &trace.only().0.sides.server;
    assert_eq!((server.resets.len(), server.resets_dropped), (limits::RESETS, 3));
}

#[test]
fn rare_events_find_room_in_a_full_list() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"x"));
    for _ in 0..limits::FLOW_EVENTS {
        trace.see(W().client(1001).ack(5001).data(b"x"));
    }
    trace.see(W().client(1002).ack(5001).fin()).end();
    let (flow, _) = trace.only();
    assert_eq!(flow.events.last().map(|event| event.kind), Some(FlowEventKind::Fin));
    assert!(flow.events.len() <= limits::FLOW_EVENTS && flow.events_dropped > 0);
}

#[test]
fn fins_end_it_after_the_linger_time() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"ab").fin().at(100)).see(W().server(5001).ack(1004).fin().at(200));
    trace.see(W().client(1004).ack(5002).at(300)).ticks_until(5);
    assert!(trace.book.ended.is_empty());
    trace.ticks_until(6);
    let (flow, close) = trace.only();
    assert_eq!(close, Close::Ended);
    assert_eq!((flow.sides.client.fin.map(|fin| fin.1), flow.sides.server.fin.map(|fin| fin.1)), (Some(2), Some(0)));
    assert_eq!((flow.sides.client.acked, flow.sides.server.acked, flow.sides.client.gap_bytes), (2, 0, 0), "a FIN is no byte");
    // what comes late is no new connection
    trace.see(W().client(1001).ack(5001).data(b"ab").fin()).end();
    assert_eq!((trace.book.ended.len(), trace.table.counters().settled_packets), (1, 1));
}

#[test]
fn one_fin_is_given_a_minute() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).fin().at(1000)).ticks_until(60);
    assert!(trace.book.ended.is_empty());
    trace.ticks_until(61);
    assert_eq!(trace.only().1, Close::Ended);
}

#[test]
fn quiet_is_told_each_second() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"x").at(500)).ticks_until(200);
    let ticks: Vec<i64> =
        trace.book.heard.iter().filter_map(|heard| if let Heard::Tick(second) = heard { Some(*second) } else { None }).collect();
    let wanted: Vec<i64> = (2..=31).chain([61, 121]).collect();
    assert_eq!(ticks, wanted);
    // a packet, and each second counts again
    trace.book.heard.clear();
    trace.see(W().server(5001).ack(1002).at(200_100)).ticks_until(204);
    assert_eq!(trace.book.heard.iter().filter(|heard| matches!(heard, Heard::Tick(_))).count(), 3);
}

#[test]
fn idle_connections_are_given_up() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"x").at(1000)).ticks_until(7200);
    assert!(trace.book.ended.is_empty());
    trace.ticks_until(7201);
    assert_eq!(trace.only().1, Close::Idle);
}

#[test]
fn roles_are_guessed_in_mid_stream_and_can_be_swapped() {
    let mut trace = Trace::new();
    trace.book.swap_at = Some(b"hello".to_vec());
    // port 443 asks port 40000
    trace.see(W().server(900).ack(300).data(b"hello").at(0)).see(W().client(300).ack(905).data(b"reply"));
    trace.see(W().server(905).rst()).see(W().client(305).ack(905).fin()).end();
    let (flow, _) = trace.only();
    assert_eq!((flow.roles, flow.client_is_low, flow.saw_start()), (Roles::Guessed, false, false));
    assert_eq!((flow.sides.client.bytes_seen, flow.sides.client.acked, flow.sides.client.resets.len()), (5, 5, 1));
    assert_eq!((flow.sides.server.fin.map(|fin| fin.1), flow.established()), (Some(5), None));
    let data: Vec<_> = trace.book.heard.iter().filter(|heard| matches!(heard, Heard::Data(..))).collect();
    let wanted = [Heard::Data(Side::Server, 0, b"hello".to_vec(), 1), Heard::Data(Side::Server, 0, b"reply".to_vec(), 2)];
    assert_eq!(data, wanted.iter().collect::<Vec<_>>(), "server before the swap, and the other end is server after it");
    assert!(flow.events.iter().all(|event| match event.kind {
        FlowEventKind::Rst { .. } => event.side == Side::Client,
        FlowEventKind::Fin => event.side == Side::Server,
        _ => true,
    }));
}

#[test]
fn in_mid_stream_acknowledgments_show_what_was_missed() {
    let mut trace = Trace::new();
    trace.see(W().client(300).ack(9000).data(b"ask").at(0)).see(W().server(9500).ack(303).data(b"answer").at(50));
    assert_eq!(trace.stream(Side::Server), "", "500 bytes may still come");
    trace.see(W().client(303).ack(9506).at(60)).see(W().client(303).ack(9506).data(b"!").at(90));
    assert_eq!((trace.gaps()[0].offset, trace.gaps()[0].len, trace.gaps()[0].why), (0, 500, GapCause::CaptureLost));
    // bytes older than all that was acknowledged begin their own count
    let mut trace = Trace::new();
    trace.see(W().client(300).ack(9000).data(b"ask").at(0)).see(W().server(8990).ack(300).data(b"older").at(1));
    assert_eq!(trace.stream(Side::Server), "older");
}

#[test]
fn one_sided_captures_follow_the_acknowledgments_of_what_is_not_seen() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn()).see(W().client(1001).ack(5001)).see(W().client(1001).ack(5001).data(b"hi"));
    trace.see(W().client(1003).ack(6449)).see(W().client(1003).ack(7000)).end();
    let (flow, _) = trace.only();
    assert_eq!((flow.established().map(|mark| mark.frame), flow.sides.server.acked, flow.sides.server.packets), (Some(2), 1999, 0));
    assert_eq!(flow.sides.server.gap_bytes_acked, 1999);
}

#[test]
fn a_challenge_ack_of_an_older_connection_moves_nothing() {
    // the server has the older connection in TIME-WAIT: it answers with its numbers, the client resets that, and tries again
    let mut trace = Trace::new();
    trace.see(W().client(2_355_097_289).syn().at(0)).see(W().server(3_863_424_624).ack(3_331_369_076).at(18));
    trace.see(W().client(3_331_369_076).rst().at(19)).see(W().client(2_355_097_289).syn().at(3000));
    trace.see(W().server(97_361_043).syn().ack(2_355_097_290).at(3018)).see(W().client(2_355_097_290).ack(97_361_044).at(3019));
    trace.see(W().client(2_355_097_290).ack(97_361_044).data(b"hello").ttl(60).at(3020));
    trace.see(W().server(97_361_044).ack(2_355_097_295).data(b"world").at(3040)).ticks_until(20);
    assert!(trace.book.ended.is_empty(), "the RST ended nothing");
    trace.end();
    let (flow, _) = trace.only();
    assert_eq!((flow.sides.client.acked, flow.sides.client.gap_bytes, flow.sides.client.ttl), (5, 0, Some(60)));
    assert_eq!((trace.stream(Side::Client).as_str(), trace.stream(Side::Server).as_str()), ("hello", "world"));
}

#[test]
fn of_two_numbers_in_syn_acks_the_client_takes_the_first() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn()).see(W().server(97_000).syn().ack(1001)).see(W().client(1000).syn());
    trace
        .see(W().server(3_000_000_000).syn().ack(1001))
        .see(W().client(1001).ack(97_001))
        .see(W().server(97_001).ack(1001).data(b"hi"))
        .end();
    let answer = trace.only().0.sides.server.syn.unwrap();
    assert_eq!((answer.isn, answer.renumbered, trace.stream(Side::Server).as_str()), (97_000, Some(64), "hi"));
}

#[test]
fn of_two_numbers_in_syn_acks_the_client_takes_the_last() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn().data(b"early")).see(W().server(3_000_000_000).syn().ack(1001)).see(W().client(1000).syn());
    trace.see(W().server(97_000).syn().ack(1001)).see(W().client(1001).ack(97_001).data(b"early"));
    trace.see(W().server(3_000_000_000).syn().ack(1001)).see(W().server(97_001).ack(1006).data(b"late")).end();
    let (flow, _) = trace.only();
    assert_eq!((flow.sides.server.syn.unwrap().isn, flow.sides.server.gap_bytes), (97_000, 0));
    assert_eq!((trace.stream(Side::Client).as_str(), trace.stream(Side::Server).as_str()), ("early", "late"));
}

#[test]
fn fast_open_data_and_its_loss_are_seen() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn().mss(1460).fast_open().data(b"early").at(0)).see(W().client(1000).syn().mss(1460).at(1000));
    trace.see(W().server(5000).syn().ack(1001).at(1010)).see(W().client(1001).ack(5001).data(b"early").at(1011)).end();
    let (flow, _) = trace.only();
    let syn = flow.sides.client.syn.unwrap();
    assert_eq!((syn.data_len, syn.fast_open, syn.resent_without_data, syn.count), (5, true, true, 2));
    assert_eq!((trace.stream(Side::Client).as_str(), flow.sides.client.retransmits), ("early", 1));
}

#[test]
fn simultaneous_open_is_recognised() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn()).see(W().server(5000).syn());
    trace.see(W().client(1000).syn().ack(5001)).see(W().server(5000).syn().ack(1001)).see(W().client(1001).ack(5001).data(b"x")).end();
    let (flow, _) = trace.only();
    assert!(flow.tcp.unwrap().simultaneous_open && flow.client_is_low && flow.established().is_some());
    assert_eq!(trace.stream(Side::Client), "x");
}

#[test]
fn icmp_errors_are_noted_and_whether_they_were_heeded() {
    let mut trace = Trace::new();
    trace.see(W().client(1000).syn()).see(W().server(5000).syn().ack(1001)).see(W().client(1001).ack(5001).data(&[1; 1400]));
    let error = IcmpError {
        mark: ms(50),
        reporter: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
        kind: IcmpKind::TooBig(1300),
        icmp_type: 3,
        code: 4,
        key: W().key(),
        quoted_from_low: true,
        quoted_seq: Some(1001),
        quoted_len: 1440,
        ttl: 250,
    };
    trace.table.icmp(&mut trace.book, &error);
    trace.see(W().client(1001).ack(5001).data(&[1; 1400])).see(W().client(1001).ack(5001).data(&[1; 1200]));
    trace.see(W().server(5001).ack(1001).data(&[1; 1400])).end();
    let (flow, _) = trace.only();
    assert_eq!((flow.icmp.len(), flow.icmp[0].about, flow.icmp[0].ignored, flow.icmp[0].quoted_len), (1, Side::Client, 1, 1440));
    assert!(events(&trace).contains(&(Side::Client, FlowEventKind::Icmp { index: 0 })));
}

#[test]
fn clocks_that_step_back_are_counted() {
    let mut trace = Trace::new();
    trace.open(W());
    trace.see(W().client(1001).ack(5001).data(b"a").at(500)).see(W().client(1002).ack(5001).data(b"b").at(400)).end();
    assert_eq!(trace.only().0.clock_steps_back, 1);
    assert_eq!(trace.stream(Side::Client), "ab");
}

#[test]
fn odd_flags_begin_nothing() {
    let mut trace = Trace::new();
    for flags in [0, TcpFlags::ACK, TcpFlags::FIN, TcpFlags::RST, TcpFlags::SYN | TcpFlags::RST, TcpFlags::SYN | TcpFlags::FIN, 0xff] {
        trace.see(W().client(1).flags(flags));
    }
    trace.see(W().client(1).data(b"\0"));
    assert_eq!((trace.table.held(), trace.table.counters().stray), (0, 8));
}

#[test]
fn packets_that_come_one_by_one_are_counted() {
    let paced = |gap: i64, ask: bool| {
        let mut trace = Trace::new();
        trace.open(W()).see(W().client(1001).ack(5001).data(b"ask"));
        for number in 0..5_u32 {
            let (seq, at) = (5001 + 8 * number, 1_000 + gap * i64::from(number));
            trace.see(W().server(seq).ack(1004).data(b"a packet").at(at)).see(W().client(1004).ack(seq + 8).at(at + 1));
        }
        if ask {
            trace.see(W().client(1004).ack(5041).data(b"more").at(10_000)).see(W().server(5041).ack(1008).data(b"later").at(12_000));
        }
        trace.end();
        trace.only().0.sides.server.paced
    };
    assert_eq!((paced(1_000, false), paced(250, true), paced(150, false)), (4, 4, 0));
    // what is repeated, and what follows something that is still under way, waits for another reason
    let mut trace = Trace::new();
    trace.open(W()).see(W().client(1001).ack(5001).data(b"ask").at(10)).see(W().server(5001).ack(1004).data(b"one").at(20));
    trace.see(W().server(5004).ack(1004).data(b"two").at(1_000)).see(W().server(5001).ack(1004).data(b"one").at(2_000));
    trace.see(W().client(1004).ack(5007).at(2_001)).see(W().client(1004).ack(5007).fin().at(3_000));
    trace.see(W().server(5007).ack(1005).data(b"late").at(3_001)).end();
    let sides = &trace.only().0.sides;
    assert_eq!((sides.server.paced, sides.client.heard_before_fin.map(|mark| mark.frame)), (0, Some(6)));
}
