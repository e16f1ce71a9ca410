//! What holds for any segments.

#![allow(clippy::cast_possible_truncation, reason = "the numbers of tests are small")]

use proptest::prelude::*;

use crate::flow::Side;
use crate::packet::{IcmpError, IcmpKind};
use crate::time::Mark;
use crate::transport::support::{Heard, Told, Trace, Wire, ms};
use crate::transport::{Close, TableLimits};

/// A stream cut into segments, some of them sent again with other boundaries, in an order in which each is at most some places late.
fn shuffled(len: usize) -> impl Strategy<Value = (Vec<u8>, Vec<(usize, usize)>)> {
    let bytes = prop::collection::vec(any::<u8>(), len..=len);
    let cuts = prop::collection::vec(1usize..40, 1..30);
    let again = prop::collection::vec((0..len, 1usize..60), 0..12);
    (bytes, cuts, again, prop::collection::vec(0usize..8, 64..=64)).prop_map(move |(bytes, cuts, again, late)| {
        let mut at = 0;
        let mut segments: Vec<(usize, usize)> = Vec::new();
        let mut cuts = cuts.into_iter().cycle();
        while at < len {
            let end = len.min(at + cuts.next().unwrap());
            segments.push((at, end));
            at = end;
        }
        segments.extend(again.into_iter().map(|(from, n)| (from, len.min(from + n))));
        let mut keyed: Vec<(usize, (usize, usize))> =
            segments.into_iter().enumerate().map(|(i, segment)| (i + late[i % late.len()], segment)).collect();
        keyed.sort_by_key(|(key, _)| *key);
        (bytes, keyed.into_iter().map(|(_, segment)| segment).collect())
    })
}

fn delivered(trace: &Trace, side: Side) -> Vec<u8> {
    let mut stream = Vec::new();
    for heard in &trace.book.heard {
        if let Heard::Data(of, offset, bytes, _) = heard
            && *of == side
        {
            assert_eq!(*offset, stream.len() as u64);
            stream.extend_from_slice(bytes);
        }
    }
    stream
}

proptest! {
    /// When nothing is lost, what is delivered is what was sent, however it was cut, ordered and repeated, and wherever the numbers wrap.
    #[test]
    fn the_stream_comes_out_as_it_went_in((bytes, segments) in shuffled(300), isn in prop_oneof![any::<u32>(), 0xffff_fe00..=u32::MAX], acks in any::<bool>()) {
        let mut trace = Trace::new();
        let wire = Wire::default();
        let first = isn.wrapping_add(1);
        trace.see(wire.client(isn).syn()).see(wire.server(77).syn().ack(first)).see(wire.client(first).ack(78));
        let mut sent = vec![false; bytes.len()];
        for (start, end) in &segments {
            trace.see(wire.client(first.wrapping_add(*start as u32)).ack(78).data(&bytes[*start..*end]));
            sent[*start..*end].fill(true);
            if acks {
                let whole = sent.iter().take_while(|sent| **sent).count();
                trace.see(wire.server(78).ack(first.wrapping_add(whole as u32)));
            }
        }
        trace.end();
        prop_assert_eq!(delivered(&trace, Side::Client), bytes);
        let client = &trace.only().0.sides.client;
        prop_assert_eq!((client.bytes_seen, client.highest, client.delivered, client.gap_bytes), (300, 300, 300, 0));
        prop_assert_eq!((client.differing_overlaps, client.stranded_bytes), (0, 0));
        prop_assert_eq!(client.acked, if acks { 300 } else { 0 });
        prop_assert_eq!(client.outstanding.is_empty(), acks);
    }

    /// Nothing that a network can send panics, and the accounts hold: every connection that begins ends once, bounds are kept.
    #[test]
    fn anything_goes(segments in prop::collection::vec(hostile(), 0..120)) {
        let mut trace = Trace::within(NARROW);
        for told in segments {
            step(&mut trace, told);
            prop_assert!(trace.table.held() <= NARROW.flows);
            prop_assert!(trace.table.buffered() <= NARROW.buffered_total);
        }
        let held_before_end = trace.table.held();
        let ended_before = trace.book.ended.len();
        trace.end();
        prop_assert!(trace.book.ended.len() - ended_before <= held_before_end);
        let counters = trace.table.counters();
        prop_assert_eq!(counters.flows, trace.book.ended.len() as u64 + counters.evicted_half_open);
        prop_assert_eq!(trace.book.begun, trace.book.ended.len());
        prop_assert_eq!(counters.evicted, trace.book.ended.iter().filter(|(_, close, _)| *close == Close::Evicted).count() as u64);
        for (flow, ..) in &trace.book.ended {
            for side in Side::BOTH {
                let facts = flow.side(side);
                prop_assert!(facts.bytes_seen + facts.gap_bytes >= facts.delivered);
                prop_assert!(facts.outstanding.windows(2).all(|pair| pair[0].offset <= pair[1].offset));
            }
        }
    }

    /// Hash tables are seeded anew in every run: nothing of that may show.
    #[test]
    fn every_run_tells_the_same(segments in prop::collection::vec(hostile(), 0..120)) {
        let (mut one, mut two) = (Trace::within(NARROW), Trace::within(NARROW));
        for told in segments {
            step(&mut one, told.clone());
            step(&mut two, told);
        }
        one.end();
        two.end();
        prop_assert_eq!(one.book.heard, two.book.heard);
        prop_assert_eq!(one.book.ended, two.book.ended);
        prop_assert_eq!(one.table.counters(), two.table.counters());
    }

    /// The short way of segments with which nothing is amiss says what the long way says.
    #[test]
    fn both_ways_say_the_same(talk in talk()) {
        let (mut short, mut long) = (Trace::new(), Trace::new());
        let wire = Wire::default();
        for trace in [&mut short, &mut long] {
            trace.open(wire);
            trace.book.swap_at = Some(b"4444".to_vec());
        }
        for (told, later) in talk {
            step(&mut short, (told.clone(), later));
            long.table.take_the_long_way();
            step(&mut long, (told, later));
        }
        short.end();
        long.end();
        prop_assert_eq!(short.book.heard, long.book.heard);
        prop_assert_eq!(short.book.ended, long.book.ended);
        prop_assert_eq!(short.table.counters(), long.table.counters());
    }
}

/// What two sides send that mostly go on where they left off.
fn talk() -> impl Strategy<Value = Vec<(Told, i64)>> {
    let turn = (any::<bool>(), 0usize..40, prop_oneof![4 => Just(0u8), 1 => 0u8..16], prop_oneof![9 => 0i64..3, 1 => -5i64..1500]);
    prop::collection::vec(turn, 0..60).prop_map(|turns| {
        // Trace::open leaves off here.
        let mut next = [1001_u32, 5001];
        let wire = Wire::default();
        let tell = |(from_client, len, oddity, later): (bool, usize, u8, i64)| {
            let [own, other] = if from_client { [0, 1] } else { [1, 0] };
            let (seq, ack) = (next[own], next[other]);
            let bytes = vec![b'0' + len as u8 % 7; len];
            let told = |seq: u32| if from_client { wire.client(seq) } else { wire.server(seq) };
            let usual = told(seq).ack(ack).data(&bytes);
            let told = match oddity {
                1 => usual.ack(ack.wrapping_sub(7)),
                2 => usual.ack(ack.wrapping_add(90)),
                3 => told(seq.wrapping_sub(5)).ack(ack).data(&bytes),
                4 => told(seq.wrapping_add(5)).ack(ack).data(&bytes),
                5 => usual.fin(),
                6 => usual.rst(),
                7 => usual.window(0),
                8 => usual.len(len as u32 + 3),
                9 => usual.sack(ack.wrapping_add(3), ack.wrapping_add(9)),
                10 => usual.ttl(9),
                11 => told(seq.wrapping_sub(1)).ack(ack).data(&bytes[..len.min(1)]),
                12 => usual.id(None),
                13 => usual.flags(0x18).window(77),
                _ => usual,
            };
            if oddity != 11 {
                next[own] = seq.wrapping_add(len as u32);
            }
            (told, later)
        };
        turns.into_iter().map(tell).collect()
    })
}

/// Bounds that some dozens of segments hit.
const NARROW: TableLimits = TableLimits { flows: 4, half_open: 2, buffered_per_side: 600, buffered_total: 900, ..TableLimits::partition() };

/// Any segment of one of some connections, at any time after the last.
fn hostile() -> impl Strategy<Value = (Told, i64)> {
    let seq = prop_oneof![0u32..200, any::<u32>(), 0xffff_ff00..=u32::MAX];
    let ack = prop_oneof![0u32..200, any::<u32>()];
    let flags = prop_oneof![Just(0x10u8), Just(0x02), Just(0x12), Just(0x18), any::<u8>()];
    let later = prop_oneof![0i64..50, Just(5000), Just(-100), any::<i32>().prop_map(i64::from)];
    let options = prop::collection::vec(any::<u8>(), 0..12);
    ((0u16..6, any::<bool>()), seq, ack, flags, (0usize..40, 0u32..30), later, options).prop_map(
        |((port, from_client), seq, ack, flags, (captured, cut), later, mut options)| {
            let mut wire = Wire::default();
            wire.client.port += port;
            let told = if from_client { wire.client(seq) } else { wire.server(seq) };
            if options.len() > 8 {
                options.splice(0..0, [1, 1, 5, 10]);
            }
            (told.ack(ack).flags(flags).data(&vec![seq as u8; captured]).len(captured as u32 + cut).options(options), later)
        },
    )
}

/// One segment, or an ICMP error that quotes it; and a tick where a second has passed.
fn step(trace: &mut Trace, (told, later): (Told, i64)) {
    let before = trace.at;
    if told.get().seq % 16 == 7 {
        let quoted = told.get();
        let error = IcmpError {
            mark: ms(before),
            reporter: quoted.key.low.address,
            kind: IcmpKind::TooBig(quoted.ack),
            icmp_type: 3,
            code: 4,
            key: quoted.key,
            quoted_from_low: quoted.from_low,
            quoted_seq: Some(quoted.seq),
            quoted_len: quoted.ip.total_len,
            ttl: 64,
        };
        trace.table.icmp(&mut trace.book, &error);
    }
    trace.see(told.at(before + later));
    let second = trace.at.div_euclid(1000);
    if second > before.div_euclid(1000) {
        trace.table.tick(&mut trace.book, Mark { frame: trace.frame, time: ms(second * 1000).time });
    }
}
