//! Decoys, and what only looks like them.

use super::W;
use crate::flow::Side;
use crate::transport::support::{Told, Trace};
use crate::transport::{Doubt, FlowEventKind, SideFacts};

/// The timestamps option, aligned: the sender's clock, and the other's.
fn clock(told: Told, own: u32, echoed: u32) -> Told {
    told.options([&[1, 1, 8, 10][..], &own.to_be_bytes(), &echoed.to_be_bytes()].concat())
}

/// What becomes of the client's stream after what it sends, the server's acknowledgment of so much, and the end.
fn client(told: impl IntoIterator<Item = Told>, acked: u32) -> (String, SideFacts) {
    let mut trace = Trace::new();
    trace.see(clock(W().client(1000).syn(), 70_000, 0)).see(clock(W().server(5000).syn().ack(1001), 9, 70_000));
    trace.see(clock(W().client(1001).ack(5001), 70_001, 9));
    for told in told {
        trace.see(told);
    }
    trace.see(W().server(5001).ack(1001 + acked)).see(W().server(5001).ack(1001 + acked).data(b"\x16\x03\x03\x00\x02answer")).end();
    let stream = trace.stream(Side::Client);
    (stream, trace.only().0.sides.client.clone())
}

fn hello(bytes: &[u8]) -> Told {
    W().client(1001).ack(5001).data(bytes)
}

#[test]
fn a_decoy_is_left_out_whatever_makes_the_server_drop_it() {
    let cases = [
        (hello(b"decoy").ttl(1), Doubt::HopCounter),
        (hello(b"decoy").wrong_checksum(), Doubt::Checksum),
        (clock(hello(b"decoy"), 60_000, 9), Doubt::OldTimestamp),
    ];
    for (decoy, why) in cases {
        let (stream, facts) = client([decoy.clone(), decoy, clock(hello(b"hello"), 70_002, 9)], 5);
        assert_eq!(stream, "hello", "{why:?}");
        assert_eq!(facts.decoys.map(|decoys| (decoys.count, decoys.why)), Some((2, why)));
        assert_eq!((facts.retransmits, facts.differing_overlaps, facts.ttl), (0, 0, Some(64)));
    }
}

#[test]
fn a_decoy_with_the_identification_of_what_it_stands_for_is_no_copy_of_it() {
    let same = |told: Told| told.id(Some(7));
    let seen =
        [same(hello(b"decoy").wrong_checksum()), same(hello(b"decoy").wrong_checksum()), same(hello(b"hello")), same(hello(b"hello"))];
    let (stream, facts) = client(seen, 5);
    assert_eq!((stream.as_str(), facts.decoys.map(|decoys| decoys.count)), ("hello", Some(1)));
    assert_eq!((facts.copies, facts.retransmits), (2, 0), "each was captured twice");
}

#[test]
fn decoys_before_each_half_are_left_out() {
    let half = |at: u32, bytes: &[u8]| W().client(1001 + at).ack(5001).data(bytes);
    let sent = [half(3, b"lo"), half(0, b"xyz").ttl(5), half(0, b"hel"), half(0, b"xyz").ttl(5), half(3, b"vw").ttl(5)];
    let (stream, facts) = client(sent, 5);
    assert_eq!((stream.as_str(), facts.decoys.map(|decoys| decoys.count)), ("hello", Some(3)));
}

#[test]
fn what_the_server_acknowledges_is_no_decoy() {
    for told in [hello(b"hello").ttl(20), hello(b"hello").wrong_checksum(), clock(hello(b"hello"), 60_000, 9)] {
        let (stream, facts) = client([told], 5);
        assert_eq!((stream.as_str(), facts.decoys), ("hello", None));
        assert_eq!((facts.acked, facts.highest, facts.outstanding.len()), (5, 5, 0));
    }
    // a route that changes by a few hops
    let (stream, facts) = client([hello(b"first").ttl(50), hello(b"other").at(300)], 5);
    assert_eq!((stream.as_str(), facts.decoys, facts.differing_overlaps), ("first", None, 1));
}

#[test]
fn what_is_damaged_on_its_way_is_sent_again_and_no_decoy() {
    let (stream, facts) = client([hello(b"hallo").wrong_checksum().at(10), hello(b"hello").at(230)], 5);
    assert_eq!((stream.as_str(), facts.decoys, facts.retransmits), ("hello", None, 1));
    // every copy is damaged: each is counted
    let copies = [10, 230, 650].map(|at| hello(b"hello").wrong_checksum().at(at));
    let (stream, facts) = client(copies, 0);
    assert_eq!((stream.as_str(), facts.retransmits, facts.damaged), ("hello", 2, 2));
    assert_eq!(facts.outstanding.first().map(|sent| sent.copies), Some(3));
}

#[test]
fn a_later_flight_that_is_damaged_gives_way_to_the_copy_that_is_sound() {
    let told = |second: &[Told]| {
        let mut trace = Trace::new();
        trace.open(W()).see(hello(b"hello")).see(W().server(5001).ack(1006).data(b"\x16\x03\x03\x00\x02answer"));
        for copy in second {
            trace.see(copy.clone());
        }
        trace.see(W().server(5012).ack(1014).data(b"more")).end();
        (trace.stream(Side::Client), trace.only().0.sides.client.clone())
    };
    let second = |bytes: &[u8]| W().client(1006).ack(5012).data(bytes);
    // A copy may follow at once, where later packets show that one is missing: none of them is a decoy any more.
    for wait in [20, 300] {
        let (stream, facts) = told(&[second(b"fanished").wrong_checksum().at(100), second(b"finished").at(100 + wait)]);
        assert_eq!((stream.as_str(), facts.retransmits, facts.decoys, facts.differing_overlaps), ("hellofinished", 1, None, 0));
    }
    // The server takes it, whatever the checksum looks like here: it was captured before the card had filled it in.
    let (stream, facts) = told(&[second(b"finished").wrong_checksum()]);
    assert_eq!((stream.as_str(), facts.retransmits, facts.decoys), ("hellofinished", 0, None));
    // Sound first, damaged later: it changes nothing.
    let (stream, facts) = told(&[second(b"finished").at(100), second(b"fanished").wrong_checksum().at(320)]);
    assert_eq!((stream.as_str(), facts.damaged, facts.decoys, facts.differing_overlaps), ("hellofinished", 1, None, 0));
    // Two that are sound and say different things are no damage.
    let (_, facts) = told(&[second(b"finished").at(100), second(b"fanished").at(320)]);
    assert_eq!((facts.damaged, facts.differing_overlaps), (0, 1));
}

#[test]
fn what_nobody_denies_is_believed_when_it_stays_quiet() {
    let mut trace = Trace::new();
    trace.open(W()).see(hello(b"hello").ttl(9));
    assert_eq!(trace.stream(Side::Client), "");
    trace.ticks_until(3);
    assert_eq!(trace.stream(Side::Client), "hello");
    trace.see(hello(b"hello").ttl(9).at(4_000)).end();
    let client = &trace.only().0.sides.client;
    assert_eq!((client.retransmits, client.decoys), (1, None));
    assert_eq!(client.outstanding.first().map(|sent| sent.copies), Some(2));
}

#[test]
fn bytes_in_a_syn_count_only_when_the_syn_ack_takes_them() {
    let open = |taken: u32, fast_open: bool| {
        let mut trace = Trace::new();
        let syn = W().client(1000).syn().data(b"0000");
        trace.see(if fast_open { syn.fast_open() } else { syn }).see(W().server(5000).syn().ack(1001 + taken));
        trace.see(W().client(1001 + taken).ack(5001).data(b"hello")).see(W().server(5001).ack(1006 + taken)).end();
        (trace.stream(Side::Client), trace.only().0.sides.client.decoys.map(|decoys| decoys.why))
    };
    assert_eq!(open(0, false), ("hello".to_owned(), Some(Doubt::InSyn)));
    assert_eq!(open(4, false), ("0000hello".to_owned(), None));
    assert_eq!(open(4, true), ("0000hello".to_owned(), None));
}

#[test]
fn a_decoy_is_told_where_it_came() {
    let mut trace = Trace::new();
    trace.open(W()).see(hello(b"decoy").ttl(2)).see(W().client(1001).rst().ttl(2)).see(hello(b"hello"));
    trace.see(W().server(5001).ack(1006)).end();
    assert_eq!(trace.stream(Side::Client), "hello");
    let (flow, _) = trace.only();
    let told: Vec<_> = flow.events.iter().filter(|event| matches!(event.kind, FlowEventKind::Decoy { .. })).collect();
    assert_eq!(told.iter().map(|event| event.mark.frame).collect::<Vec<_>>(), [4]);
}

#[test]
fn a_server_flight_that_is_damaged_gives_way_to_the_copy_that_is_sound() {
    let told = |answers: &[Told]| {
        let mut trace = Trace::new();
        trace.open(W()).see(hello(b"hello"));
        for answer in answers {
            trace.see(answer.clone());
        }
        trace.see(W().client(1006).ack(5018).data(b"more")).end();
        (trace.stream(Side::Server), trace.only().0.sides.server.clone())
    };
    let answer = |at: u32, bytes: &[u8]| W().server(5001 + at).ack(1006).data(bytes).id(u16::try_from(at).ok());
    let (first, spoilt, second) = (b"\x16\x03\x03\x00\x07first", b"\x16\x03\x03\x00\x07f*rst", b" flight");
    // The copy that is sound has the same identification where it was the path that made two of one; what follows comes before it.
    let asked_again = W().client(1006).ack(5001).at(101);
    let seen = [answer(0, spoilt).wrong_checksum().at(100), answer(10, second).at(100), asked_again, answer(0, first).at(104)];
    let (stream, facts) = told(&seen);
    assert_eq!((stream.as_bytes(), facts.differing_overlaps, facts.decoys), (&b"\x16\x03\x03\x00\x07first flight"[..], 0, None));
    assert_eq!((facts.retransmits, facts.gap_bytes, facts.outstanding.len()), (1, 0, 0));
    // The client takes it, whatever the checksum looks like here: it was captured before the card had filled it in.
    let (stream, facts) = told(&[answer(0, first).wrong_checksum(), answer(10, second).wrong_checksum()]);
    assert_eq!((stream.as_bytes(), facts.retransmits), (&b"\x16\x03\x03\x00\x07first flight"[..], 0));
}

/// Seen on the host that sends, before its network card has filled in the checksums.
#[test]
fn what_is_selectively_acknowledged_has_arrived() {
    let mut trace = Trace::new();
    trace.open(W()).see(hello(b"first").wrong_checksum()).see(W().client(1006).ack(5001).data(b"then").wrong_checksum());
    trace.see(W().server(5001).ack(1001).sack(1006, 1010)).see(hello(b"first").wrong_checksum().at(300)).end();
    let client = &trace.only().0.sides.client;
    assert!(client.outstanding.iter().any(|sent| sent.sacked && sent.offset == 5), "{:?}", client.outstanding);
}
