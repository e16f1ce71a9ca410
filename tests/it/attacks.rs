//! Hostile captures: memory stays within its bounds, what is thrown out is counted, and genuine handshakes in between are still diagnosed.
//!
//! Work is measured by what is held and counted, never by a clock.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use handshark::flow::{Endpoint, FlowKey, Transport};
use handshark::handshake::machine::Machine;
use handshark::handshake::shared::Shared;
use handshark::limits;
use handshark::packet::{HeaderRest, IpFacts, Segment, TcpFlags};
use handshark::time::{Mark, Timestamp};
use handshark::transport::{Table, TableLimits};

use crate::support::{Said, analyse_bytes, analyse_source, fixtures};

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
const PSH_ACK: u8 = 0x18;

/// A pcap file in memory.
struct Capture {
    bytes: Vec<u8>,
    micros: u64,
}

/// One side of a connection and where its sequence numbers are.
#[derive(Clone, Copy)]
struct End {
    address: [u8; 4],
    port: u16,
    seq: u32,
}

impl End {
    fn new(address: [u8; 4], port: u16) -> Self {
        Self { address, port, seq: 1000 }
    }
}

impl Capture {
    fn new() -> Self {
        let mut bytes = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 1 << 18, 1] {
            bytes.extend(word.to_le_bytes());
        }
        Self { bytes, micros: 1_795_000_000_000_000 }
    }

    /// An Ethernet frame of this payload, `micros` after the one before.
    fn frame(&mut self, micros: u64, kind: u16, payload: &[u8]) {
        self.micros += micros;
        let len = payload.len() as u32 + 14;
        for word in [(self.micros / 1_000_000) as u32, (self.micros % 1_000_000) as u32, len, len] {
            self.bytes.extend(word.to_le_bytes());
        }
        self.bytes.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
        self.bytes.extend(kind.to_be_bytes());
        self.bytes.extend(payload);
    }

    fn tcp(&mut self, from: &mut End, to: &End, flags: u8, payload: &[u8]) {
        self.tcp_at(20, from, to, flags, payload);
    }

    fn tcp_at(&mut self, micros: u64, from: &mut End, to: &End, flags: u8, payload: &[u8]) {
        let packet = ipv4(from.address, to.address, 6, 0, &tcp_bytes(from, to, flags, payload));
        from.seq = from.seq.wrapping_add(payload.len() as u32 + u32::from(flags & (SYN | 1) != 0));
        self.frame(micros, 0x0800, &packet);
    }

    /// A connection that comes up; its two ends.
    fn open(&mut self, client: [u8; 4], port: u16, server: [u8; 4]) -> (End, End) {
        let (mut client, mut server) = (End::new(client, port), End::new(server, 443));
        self.tcp(&mut client, &server, SYN, &[]);
        self.tcp(&mut server, &client, SYN | ACK, &[]);
        self.tcp(&mut client, &server, ACK, &[]);
        (client, server)
    }

    /// A handshake up to the ServerHello; the two ends of its connection.
    fn greet(&mut self) -> (End, End) {
        let (mut client, mut server) = self.open([10, 0, 0, 1], 40_000, [10, 0, 0, 2]);
        self.tcp(&mut client, &server, PSH_ACK, &record(22, &client_hello()));
        self.tcp(&mut server, &client, PSH_ACK, &record(22, &server_hello()));
        (client, server)
    }

    /// A genuine handshake that the server refuses with an alert.
    fn refused_handshake(&mut self, number: u8) {
        let (mut client, mut server) = self.open([10, 9, 9, number], 40_000, [10, 8, 8, 8]);
        self.tcp(&mut client, &server, PSH_ACK, &record(22, &client_hello()));
        self.tcp(&mut server, &client, PSH_ACK, &record(21, &[2, 40]));
        self.tcp(&mut server, &client, ACK | 1, &[]);
        self.tcp(&mut client, &server, ACK | 1, &[]);
    }

    fn analyse(self) -> Said {
        let said = analyse_bytes(self.bytes);
        let summary = &said.summary;
        assert_eq!(summary.frames, summary.decoded + summary.skipped.values().sum::<u64>(), "every frame is accounted for");
        said
    }
}

fn tcp_bytes(from: &End, to: &End, flags: u8, payload: &[u8]) -> Vec<u8> {
    let ack = if flags & ACK == 0 { 0 } else { to.seq };
    let mut tcp = Vec::with_capacity(20 + payload.len());
    tcp.extend(from.port.to_be_bytes());
    tcp.extend(to.port.to_be_bytes());
    tcp.extend(from.seq.to_be_bytes());
    tcp.extend(ack.to_be_bytes());
    tcp.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    tcp.extend(payload);
    tcp
}

/// An IPv4 packet. `fragment` is the flags and offset field.
fn ipv4(from: [u8; 4], to: [u8; 4], protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((payload.len() as u16 + 20).to_be_bytes());
    packet.extend([0, 7]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(from);
    packet.extend(to);
    packet.extend(payload);
    packet
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 3, 3];
    record.extend((body.len() as u16).to_be_bytes());
    record.extend(body);
    record
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend(&(body.len() as u32).to_be_bytes()[1..]);
    message.extend(body);
    message
}

/// TLS 1.2, one suite, no extensions.
fn client_hello() -> Vec<u8> {
    // Each with a random of its own: one random is one handshake.
    static RANDOM: AtomicU64 = AtomicU64::new(1);
    let mut body = vec![3, 3];
    body.extend([7; 24]);
    body.extend(RANDOM.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    body.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
    message(1, &body)
}

fn server_hello() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([9; 32]);
    body.extend([0, 0xc0, 0x2f, 0]);
    message(2, &body)
}

fn spread(number: u32) -> [u8; 4] {
    // Another address each time, and no two alike.
    number.wrapping_mul(2_654_435_761).to_be_bytes()
}

#[test]
fn a_syn_flood_is_a_handful_of_lines_and_hides_no_handshake() {
    const SYNS: u32 = 300_000;
    let mut capture = Capture::new();
    for number in 0..SYNS {
        let mut source = End::new(spread(number), 1024 + (number % 50_000) as u16);
        capture.tcp_at(10, &mut source, &End::new([10, 8, 8, 8], 443), SYN, &[]);
        if number % 100_000 == 50_000 {
            capture.refused_handshake((number / 100_000) as u8);
        }
    }
    let said = capture.analyse();
    let genuine = said.handshakes.iter().filter(|report| report.client.address.starts_with("10.9.9.")).count();
    assert_eq!(genuine, 3);
    assert!(said.handshakes.iter().all(|report| !report.client.address.starts_with("10.9.9.") || report.handshake.outcome == "alerted"));
    let single = limits::UNANSWERED_REPORTS as usize * limits::PARTITIONS;
    assert!(said.handshakes.len() <= single + 3, "{} lines", said.handshakes.len());
    assert_eq!(said.summary.flows, u64::from(SYNS) + 3);
    assert!(said.summary.evictions >= u64::from(SYNS) - limits::HALF_OPEN as u64 - single as u64, "{}", said.summary.evictions);
    assert!(said.summary.notes.iter().any(|note| note.contains("half-open connections")), "{:?}", said.summary.notes);
}

/// At the capture's end what is still open is told in the order in which it began, in however many portions it is ended, and on how many threads.
#[test]
fn what_the_end_of_a_capture_finds_open_is_told_in_order() {
    const SYNS: u32 = 2_000;
    for threads in [1, 3] {
        let mut capture = Capture::new();
        for number in 0..SYNS {
            let [_, _, high, low] = number.to_be_bytes();
            capture.tcp(&mut End::new(spread(number), 40_000), &End::new([10, 7, high, low], 443), SYN, &[]);
            if number % 500 == 250 {
                capture.open([10, 9, 9, (number / 500) as u8], 40_000, [10, 8, 8, 8]);
            }
        }
        let source = handshark::capture::open_stream(Path::new("memory"), Box::new(std::io::Cursor::new(capture.bytes)), None).unwrap();
        let said = analyse_source(source, threads, false);
        let frames: Vec<u64> = said.typed_handshakes().map(|report| report.capture.first_frame).collect();
        assert_eq!(frames.len(), SYNS as usize + 4);
        assert!(frames.is_sorted(), "with {threads} threads");
    }
}

#[test]
fn a_table_under_flood_holds_what_its_bounds_say() {
    let bounds = TableLimits::partition();
    let mut table: Table<Machine> = Table::new(bounds);
    let mut shared = Shared::new(Duration::from_secs(10), false);
    let most = bounds.half_open;
    for number in 0..(most as u32 * 4) {
        let mark = Mark { frame: u64::from(number) + 1, time: Timestamp::from_nanos(i64::from(number) * 1000) };
        table.segment(&mut shared, 0, &syn(number, mark));
        assert!(table.held() <= most);
        shared.half_open.clear();
    }
    assert_eq!(table.counters().evicted_half_open, u64::from(most as u32 * 3));
}

/// Whoever is on a link can tell any number of identities; a conversation that a server has answered outlives them.
#[test]
fn invented_stations_drive_no_conversation_out() {
    let whole = std::fs::read(fixtures().join("captures/carrier/eapol-wrong-name.pcap")).unwrap();
    let (head, mut rest) = whole.split_at(24);
    let (mut bytes, mut frames) = (head.to_vec(), 0_u32);
    let mut identity = None;
    while let Some(length) = rest.get(8..12) {
        let (record, more) = rest.split_at(16 + u32::from_le_bytes(length.try_into().unwrap()) as usize);
        rest = more;
        bytes.extend_from_slice(record);
        frames += 1;
        // An EAP-Response with an identity: others tell theirs once the server has proposed a method.
        if record.get(28..30) == Some(&[0x88, 0x8e]) && record.get(34) == Some(&2) && record.get(38) == Some(&1) {
            identity = Some(record.to_vec());
        }
        if let Some(told) = identity.clone().filter(|_| frames == 6) {
            for number in 0..2_000_u32 {
                let mut told = told.clone();
                told[..8].copy_from_slice(&record[..8]);
                told[22..28].copy_from_slice(&[2, 0, 0, 0, (number >> 8) as u8, number as u8]);
                bytes.extend(told);
            }
        }
    }
    assert!(bytes.len() > 2_000 * 60);
    let source = handshark::capture::open_stream(Path::new("memory"), Box::new(std::io::Cursor::new(bytes)), None).unwrap();
    let said = analyse_source(source, 1, false);
    let outcomes: Vec<&str> = said.handshakes.iter().map(|report| report.handshake.outcome.as_str()).collect();
    assert_eq!(outcomes, ["alerted"]);
}

/// What verdicts know of a flood depends on the frames before them, and not on how much was read at a time.
#[test]
fn what_is_known_of_a_flood_does_not_depend_on_when_it_is_fetched() {
    let bounds = TableLimits::partition();
    let sums = |every: u32| {
        let mut table: Table<Machine> = Table::new(bounds);
        let mut shared = Shared::new(Duration::from_secs(10), false);
        let mut sums: BTreeMap<_, u32> = BTreeMap::new();
        for number in 0..(bounds.half_open as u32 + 3_000) {
            let frame = u64::from(number) + 1;
            table.segment(&mut shared, 0, &syn(number, Mark { frame, time: Timestamp::from_nanos(i64::from(number) * 1000) }));
            if number % every == 0 {
                for sum in shared.half_open.drain(..) {
                    assert!(sum.known_at >= frame - frame.min(u64::from(every)) && sum.known_at < frame + 256);
                    *sums.entry((sum.known_at, sum.server, sum.first.time.seconds())).or_default() += sum.count;
                }
            }
        }
        for sum in shared.half_open.drain(..) {
            *sums.entry((sum.known_at, sum.server, sum.first.time.seconds())).or_default() += sum.count;
        }
        sums
    };
    let at_once = sums(1);
    assert_eq!(at_once.values().sum::<u32>(), 3_000);
    assert!(at_once.len() >= 3_000 / 256);
    assert_eq!(at_once, sums(7));
    assert_eq!(at_once, sums(1_000));
}

/// Keys chosen by an attacker who knows how flows are spread over partitions: they all fall into one, whose own table is keyed by a secret.
#[test]
fn flows_of_one_partition_stay_within_its_share() {
    let bounds = TableLimits::partition();
    let mut table: Table<Machine> = Table::new(bounds);
    let mut shared = Shared::new(Duration::from_secs(10), false);
    let (mut number, mut fed) = (0u32, 0u64);
    while fed < 3 * bounds.half_open as u64 {
        number += 1;
        let segment = syn(number, Mark { frame: fed + 1, time: Timestamp::from_nanos(0) });
        if segment.key.partition_hash() % limits::PARTITIONS as u64 == 3 {
            table.segment(&mut shared, 0, &segment);
            fed += 1;
        }
    }
    assert!(table.held() <= bounds.half_open);
    assert_eq!(table.counters().evicted_half_open, fed - bounds.half_open as u64);
}

fn syn(number: u32, mark: Mark) -> Segment<'static> {
    let client = Endpoint::new(Ipv4Addr::from(spread(number)).into(), 40_000);
    let server = Endpoint::new(Ipv4Addr::new(10, 8, 8, 8).into(), 443);
    let (key, from_low) = FlowKey::new(Transport::Tcp, client, server, 0);
    Segment {
        mark,
        key,
        from_low,
        path: handshark::flow::Path::default(),
        ip: IpFacts { ttl: 64, id: Some(1), dont_fragment: true, total_len: 40, was_fragmented: false, was_cut: false },
        seq: number,
        ack: 0,
        flags: TcpFlags(SYN),
        window: 1024,
        options: &[],
        payload: &[],
        payload_len: 0,
        rest: HeaderRest::default(),
    }
}

#[test]
fn a_handshake_in_segments_of_one_byte_is_read() {
    let mut capture = Capture::new();
    let (mut client, mut server) = capture.open([10, 0, 0, 1], 40_000, [10, 0, 0, 2]);
    for byte in record(22, &client_hello()) {
        capture.tcp(&mut client, &server, PSH_ACK, &[byte]);
    }
    for byte in record(21, &[2, 70]) {
        capture.tcp(&mut server, &client, PSH_ACK, &[byte]);
    }
    let said = capture.analyse();
    assert_eq!(said.handshakes.len(), 1);
    assert_eq!(said.handshakes[0].tls.as_ref().unwrap().alerts[0].code, Some(70));
}

/// Every second byte, so that nothing can be delivered and every segment is a chunk of its own that waits.
#[test]
fn segments_of_one_byte_beyond_holes_cost_bounded_memory() {
    let bounds = TableLimits::partition();
    let mut table: Table<Machine> = Table::new(bounds);
    let mut shared = Shared::new(Duration::from_secs(10), false);
    let start = Timestamp::from_nanos(0);
    for flow in 0..8_u32 {
        table.segment(&mut shared, 0, &syn(flow, Mark { frame: 1 + u64::from(flow), time: start }));
    }
    let mut peak = 0;
    for step in 0..40_000_u32 {
        for flow in 0..8_u32 {
            let mark = Mark { frame: u64::from(step) * 8 + u64::from(flow) + 9, time: start };
            let segment = Segment {
                seq: flow.wrapping_add(2 + 2 * step),
                flags: TcpFlags(PSH_ACK),
                payload: &[0x16],
                payload_len: 1,
                ip: IpFacts { id: Some(step as u16), total_len: 41, ..syn(flow, mark).ip },
                ..syn(flow, mark)
            };
            table.segment(&mut shared, 0, &segment);
        }
        peak = peak.max(table.buffered());
    }
    assert!(peak > 0 && peak <= bounds.buffered_total, "{peak}");
    assert!(peak <= 8 * bounds.buffered_per_side, "{peak}");
    assert!(table.counters().buffer_overflows > 0);
}

#[test]
fn a_handshake_that_never_ends_is_cut_short() {
    let mut capture = Capture::new();
    let (client, mut server) = capture.greet();
    // NewSessionTickets, HelloRequests and warnings without end.
    for number in 0..20_000_u32 {
        let junk = match number % 3 {
            0 => record(22, &message(4, &[0; 40])),
            1 => record(22, &message(0, &[])),
            _ => record(21, &[1, 90]),
        };
        capture.tcp(&mut server, &client, PSH_ACK, &junk);
    }
    capture.refused_handshake(1);
    let said = capture.analyse();
    assert_eq!(said.handshakes.len(), 2);
    let endless = said.handshakes.iter().find(|report| report.client.address == "10.0.0.1").unwrap();
    assert!(endless.handshake.history.len() <= limits::HISTORY);
    assert!(endless.tls.as_ref().unwrap().alerts.len() <= limits::ALERTS);
    assert_ne!(endless.handshake.outcome, "completed");
}

/// A message that announces sixteen megabytes and goes on for as long as it is listened to.
#[test]
fn a_message_of_impossible_length_is_passed_over() {
    let mut capture = Capture::new();
    let (client, mut server) = capture.greet();
    capture.tcp(&mut server, &client, PSH_ACK, &record(22, &[11, 0xff, 0xff, 0xff]));
    for _ in 0..1500 {
        capture.tcp(&mut server, &client, PSH_ACK, &record(22, &[0x5a; 1400]));
    }
    let said = capture.analyse();
    assert_eq!(said.handshakes.len(), 1);
    assert!(said.handshakes[0].tls.as_ref().unwrap().server.as_ref().unwrap().certificates.is_empty());
}

#[test]
fn a_chain_of_a_thousand_certificates_is_looked_at_in_part() {
    let leaf = rcgen::generate_simple_self_signed(vec!["www.example.test".to_owned()]).unwrap();
    let der = leaf.cert.der();
    let mut list: Vec<u8> = Vec::new();
    while list.len() + der.len() + 3 < limits::MESSAGE_LEN - 3 {
        list.extend(&(der.len() as u32).to_be_bytes()[1..]);
        list.extend(der.iter());
    }
    let mut body = (list.len() as u32).to_be_bytes()[1..].to_vec();
    body.extend(list);
    let flight = message(11, &body);
    let mut capture = Capture::new();
    let (mut client, mut server) = capture.greet();
    for part in flight.chunks(8000) {
        for piece in record(22, part).chunks(1400) {
            capture.tcp(&mut server, &client, PSH_ACK, piece);
        }
    }
    capture.tcp(&mut client, &server, PSH_ACK, &record(21, &[2, 42]));
    let said = capture.analyse();
    assert_eq!(said.handshakes.len(), 1);
    let certificates = &said.handshakes[0].tls.as_ref().unwrap().server.as_ref().unwrap().certificates;
    assert_eq!(certificates.len(), limits::CHAIN_LEN);
}

#[test]
fn overlapping_fragments_without_end_are_given_up() {
    let mut capture = Capture::new();
    for number in 0..40_000_u32 {
        // The first fragment of ever new packets, and pieces that lie across one another.
        let fragment = 0x2000 | (number % 37) as u16;
        capture.frame(10, 0x0800, &ipv4(spread(number / 3), [10, 0, 0, 2], 6, fragment, &[number as u8; 64]));
    }
    capture.refused_handshake(1);
    let said = capture.analyse();
    assert_eq!(said.handshakes.len(), 1);
    assert_eq!(said.handshakes[0].handshake.outcome, "alerted");
    assert_eq!(said.summary.skipped.values().sum::<u64>(), 40_000);
}

#[test]
fn a_hundred_tunnels_are_too_deep_and_counted() {
    let mut capture = Capture::new();
    let mut packet = ipv4([10, 0, 0, 1], [10, 0, 0, 2], 6, 0, &[0; 20]);
    for _ in 0..100 {
        packet = ipv4([10, 0, 0, 1], [10, 0, 0, 2], 4, 0, &packet);
    }
    for _ in 0..1000 {
        capture.frame(10, 0x0800, &packet);
    }
    capture.refused_handshake(1);
    let said = capture.analyse();
    assert_eq!(said.summary.skipped.values().sum::<u64>(), 1000, "{:?}", said.summary.skipped);
    assert_eq!(said.handshakes.len(), 1);
}

/// More servers than are known at a time.
#[test]
fn what_is_known_of_many_servers_and_names_is_bounded() {
    const SERVERS: u32 = 6_000;
    let mut capture = Capture::new();
    for number in 0..SERVERS {
        let (mut client, mut server) = capture.open(spread(number), 40_000, spread(!number));
        capture.tcp(&mut client, &server, PSH_ACK, &record(22, &client_hello()));
        capture.tcp(&mut server, &client, PSH_ACK, &record(21, &[2, 40]));
    }
    let said = capture.analyse();
    assert_eq!(said.handshakes.len(), SERVERS as usize);
    assert!(said.handshakes.iter().all(|report| report.handshake.outcome == "alerted"));
    assert!(said.incidents.len() <= 1024);
}
