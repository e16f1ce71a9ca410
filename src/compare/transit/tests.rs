use super::*;
use std::net::IpAddr;

use crate::flow::Endpoint;
use crate::time::Mark;

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
            window: 0,
            tsval: None,
            moved: false,
            damaged: false,
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
    let transit = follow(Side::Client, &sent, &got, false);
    assert_eq!(transit.arrived, [(0, 0), (1, 1), (2, 2)]);
    assert!(transit.lost.is_empty() && transit.injected.is_empty() && transit.altered.is_none());
    assert_eq!(transit.least_delay_ns, Some(5_000_000_000));
    assert_eq!(transit.received.head(), b"helloworld");
}

#[test]
fn of_two_copies_the_one_that_fits_arrived() {
    let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"hello"), (210, 101, 0x10, b"hello")]);
    let got = view(&[(1, 100, SYN, b""), (211, 101, 0x10, b"hello")]);
    let transit = follow(Side::Client, &sent, &got, false);
    assert_eq!(transit.arrived, [(0, 0), (2, 1)]);
    assert_eq!((transit.lost, transit.lost_copies), (vec![], vec![1]));
}

#[test]
fn what_no_copy_of_arrived_is_lost_and_what_nobody_sent_is_injected() {
    let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"hello"), (210, 101, 0x10, b"hello")]);
    let got = view(&[(1, 100, SYN, b""), (12, 101, RST, b"")]);
    let transit = follow(Side::Client, &sent, &got, false);
    assert_eq!((transit.lost, transit.injected), (vec![1, 2], vec![1]));
}

#[test]
fn split_and_joined_segments_are_neither_lost_nor_injected() {
    let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"helloworld")]);
    let got = view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"hello"), (11, 106, 0x10, b"world")]);
    for (sent, got) in [(&sent, &got), (&got, &sent)] {
        let transit = follow(Side::Client, sent, got, false);
        assert!(transit.lost.is_empty() && transit.injected.is_empty() && transit.altered.is_none(), "{transit:?}");
    }
}

#[test]
fn altered_bytes_are_found() {
    let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"250-STARTTLS\r\n")]);
    let got = view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"250-XXXXXXXX\r\n")]);
    let transit = follow(Side::Client, &sent, &got, false);
    assert_eq!(transit.altered, Some((4, 8)));
    assert!(transit.lost.is_empty() && transit.injected.is_empty(), "{transit:?}");
}

#[test]
fn a_copy_that_was_damaged_alters_nothing_and_is_nobodys() {
    let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"helloworld"), (210, 101, 0x10, b"helloworld")]);
    let mut got = view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"heXXoworld"), (211, 101, 0x10, b"helloworld")]);
    assert!(follow(Side::Client, &sent, &got, false).altered.is_some(), "its checksum is right: somebody means it");
    got.packets[1].damaged = true;
    let transit = follow(Side::Client, &sent, &got, false);
    assert!(transit.altered.is_none() && transit.injected.is_empty() && transit.lost_copies.is_empty(), "{transit:?}");
    assert_eq!((transit.arrived.len(), transit.received.head()), (3, &b"helloworld"[..]));
}

/// Cut by a snapshot length.
fn cut(mut view: Vantage, len: usize) -> Vantage {
    for packet in &mut view.packets {
        packet.payload = packet.payload.get(..len).unwrap_or(&packet.payload).into();
    }
    view
}

#[test]
fn a_snapshot_length_at_one_point_alters_nothing() {
    let sent = || view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"helloworld"), (20, 111, 0x10, b"again")]);
    let got = || view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"helloworld"), (21, 111, 0x10, b"again")]);
    let split = || view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"hello"), (12, 106, 0x10, b"world"), (21, 111, 0x10, b"again")]);
    for (sent, got) in [(cut(sent(), 3), got()), (sent(), cut(got(), 3)), (cut(sent(), 3), split()), (sent(), cut(split(), 3))] {
        let transit = follow(Side::Client, &sent, &got, false);
        assert!(transit.lost.is_empty() && transit.injected.is_empty() && transit.altered.is_none(), "{transit:?}");
    }
    // What was not cut is still compared.
    let other = view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"heXXoworld"), (21, 111, 0x10, b"again")]);
    assert_eq!(follow(Side::Client, &sent(), &cut(other, 3), false).altered, Some((2, 1)));
}

#[test]
fn what_the_point_near_the_sender_missed_is_not_forged() {
    let sent = view(&[(10, 101, 0x10, b"hello"), (30, 111, 0x10, b"again")]);
    let got = view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"hello"), (21, 106, 0x10, b"world"), (31, 111, 0x10, b"again")]);
    let transit = follow(Side::Client, &sent, &got, false);
    assert!(transit.injected.is_empty(), "{transit:?}");
    // Nothing comes after it from the sender: nobody knows of it.
    let got = view(&[(11, 101, 0x10, b"hello"), (31, 111, 0x10, b"again"), (41, 116, 0x10, b"forged")]);
    assert_eq!(follow(Side::Client, &sent, &got, false).injected, vec![2]);
}

#[test]
fn who_completes_a_handshake_was_not_deceived() {
    let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"hello"), (30, 106, 0x10, b"again")]);
    let got =
        view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"hello"), (31, 106, 0x10, b"again"), (32, 111, 0x10, b"bye"), (33, 114, RST, b"")]);
    assert_eq!(follow(Side::Client, &sent, &got, false).injected, vec![3, 4]);
    assert_eq!(follow(Side::Client, &sent, &got, true).injected, vec![4]);
}

#[test]
fn a_point_that_lacks_packets_is_believed_of_foreign_resets_alone() {
    let sent = view(&[(0, 100, SYN, b"")]);
    let mut got = view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"hello"), (12, 106, RST, b""), (13, 106, RST, b"")]);
    got.packets[2].ttl = 57;
    let mut transit = follow(Side::Client, &sent, &got, false);
    assert_eq!(transit.injected, vec![1, 2, 3]);
    transit.doubt(&got, Side::Client);
    assert_eq!(transit.injected, vec![2]);
}

#[test]
fn nobody_knows_what_was_sent_before_or_after_a_capture() {
    let mut sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"hello")]);
    let got = view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"hello"), (20, 106, 0x10, b"again")]);
    assert_eq!(follow(Side::Client, &sent, &got, false).injected, vec![2]);
    sent.until = Timestamp::from_nanos(15_000_000);
    assert!(follow(Side::Client, &sent, &got, false).injected.is_empty());
    let late = view(&[(20, 106, 0x10, b"again")]);
    let got = view(&[(11, 90, RST, b""), (21, 106, 0x10, b"again")]);
    assert!(follow(Side::Client, &late, &got, false).injected.is_empty());
}

#[test]
fn a_point_that_holds_one_direction_accuses_nobody() {
    let mut sent = view(&[(1, 500, 0x10, b"answer"), (2, 506, 0x10, b"more")]);
    sent.packets.iter_mut().for_each(|packet| packet.from = Side::Server);
    let got = view(&[(1, 100, SYN, b""), (11, 101, 0x10, b"hello")]);
    assert!(follow(Side::Client, &sent, &got, false).injected.is_empty());
    // One that holds no packet of the connection but the first has not been shown to be deaf.
    sent.packets.truncate(1);
    assert_eq!(follow(Side::Client, &sent, &got, false).injected.len(), 2);
}

#[test]
fn a_decoy_that_never_arrives_alters_nothing() {
    let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"decoy"), (11, 101, 0x10, b"helloworld")]);
    for got in [
        view(&[(1, 100, SYN, b""), (12, 101, 0x10, b"helloworld")]),
        view(&[(1, 100, SYN, b""), (12, 101, 0x10, b"hell"), (12, 105, 0x10, b"oworld")]),
    ] {
        let transit = follow(Side::Client, &sent, &got, false);
        assert!(transit.injected.is_empty() && transit.altered.is_none(), "{transit:?}");
    }
}

#[test]
fn what_comes_beside_the_genuine_answer_is_forged_and_not_altered() {
    let sent = view(&[(0, 100, SYN, b""), (10, 101, 0x10, b"\x16\x03\x03\x00\x7a\x02 the answer")]);
    let alert = (8, 101, 0x10, &b"\x15\x03\x03\x00\x02\x02\x28"[..]);
    let beside = view(&[(1, 100, SYN, b""), alert, (11, 101, 0x10, b"\x16\x03\x03\x00\x7a\x02 the answer")]);
    let instead = view(&[(1, 100, SYN, b""), alert]);
    for (got, lost) in [(beside, vec![]), (instead, vec![1])] {
        let transit = follow(Side::Client, &sent, &got, false);
        assert_eq!((transit.injected, transit.altered, transit.lost), (vec![1], None, lost));
    }
}

#[test]
fn copies_made_on_the_way_are_doubled() {
    let sent = view(&[(0, 100, SYN, b""), (10, 101, RST, b"")]);
    let got = view(&[(1, 100, SYN, b""), (2, 100, SYN, b""), (11, 101, RST, b""), (12, 101, RST, b"")]);
    let transit = follow(Side::Client, &sent, &got, false);
    assert_eq!((transit.doubled, transit.injected), (vec![1, 3], vec![]));
    let datagrams = |times: usize| {
        let mut view = view(&vec![(10, 0, 0, &b"a datagram"[..]); times]);
        view.transport = Transport::Udp;
        view
    };
    let transit = follow(Side::Client, &datagrams(1), &datagrams(2), false);
    assert_eq!((transit.doubled, transit.injected, transit.lost), (vec![1], vec![], vec![]));
}

#[test]
fn of_two_resets_the_one_that_came_before_the_other_was_sent_is_forged() {
    let sent = view(&[(0, 100, SYN, b""), (50, 101, RST, b"")]);
    let mut got = view(&[(1, 100, SYN, b""), (20, 101, RST, b""), (51, 101, RST, b"")]);
    assert_eq!(follow(Side::Client, &sent, &got, false).doubled, vec![1]);
    got.packets[1].ttl = 57;
    assert_eq!(follow(Side::Client, &sent, &got, false).injected, vec![1]);
}
