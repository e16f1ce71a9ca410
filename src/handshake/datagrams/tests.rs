mod endings;
mod ways;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::flow::{Endpoint, FlowKey, Path, Transport};
use crate::handshake::facts::{Outcome, Protocol, StoppedBy};
use crate::packet::{Datagram, IcmpError, IcmpKind, IpFacts};
use crate::quic::protection::{InitialKeys, PacketKeys, seal};
use crate::quic::version::Version;
use crate::time::Timestamp;
use crate::tls::client_hello::tests::build;
use crate::transport::udp::UdpTable;

/// One client and one server, whose datagrams go through a table.
struct Wire {
    table: UdpTable<DatagramMachine>,
    shared: Shared,
    frame: u64,
    millis: i64,
}

fn ends() -> (Endpoint, Endpoint) {
    let host = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
    (Endpoint::new(host(1), 50_000), Endpoint::new(host(2), 443))
}

impl Wire {
    fn new() -> Self {
        Self { table: UdpTable::new(64), shared: Shared::new(Duration::from_secs(10), false), frame: 0, millis: 0 }
    }

    fn mark(&self) -> Mark {
        Mark { frame: self.frame, time: Timestamp::from_nanos(self.millis * 1_000_000) }
    }

    fn send(&mut self, side: Side, payload: &[u8]) -> &mut Self {
        self.send_cut(side, payload, payload.len())
    }

    /// Of the payload's bytes so many are captured.
    fn send_cut(&mut self, side: Side, whole: &[u8], captured: usize) -> &mut Self {
        self.frame += 1;
        self.millis += 10;
        let (client, server) = ends();
        let (source, destination) = if side == Side::Client { (client, server) } else { (server, client) };
        let (key, from_low) = FlowKey::new(Transport::Udp, source, destination, 0);
        let payload_len = u32::try_from(whole.len()).unwrap();
        let payload = &whole[..captured.min(whole.len())];
        let ip = IpFacts { ttl: 64, id: None, dont_fragment: true, total_len: payload_len + 28, was_fragmented: false, was_cut: false };
        let datagram = Datagram { mark: self.mark(), key, from_low, path: Path::default(), ip, payload, payload_len, stations: None };
        self.table.datagram(&mut self.shared, 0, &datagram);
        self
    }

    fn client(&mut self, payload: &[u8]) -> &mut Self {
        self.send(Side::Client, payload)
    }

    fn server(&mut self, payload: &[u8]) -> &mut Self {
        self.send(Side::Server, payload)
    }

    /// The host at the other end says that nobody waits for a datagram of this side, which had so many bytes of payload.
    fn unreachable(&mut self, about: Side, payload_len: u32) -> &mut Self {
        self.frame += 1;
        let (client, server) = ends();
        let (source, destination) = if about == Side::Client { (client, server) } else { (server, client) };
        let (key, quoted_from_low) = FlowKey::new(Transport::Udp, source, destination, 0);
        self.table.icmp(&IcmpError {
            mark: self.mark(),
            reporter: destination.address,
            kind: IcmpKind::PortUnreachable,
            icmp_type: 3,
            code: 3,
            key,
            quoted_from_low,
            quoted_seq: None,
            quoted_len: payload_len + 28,
            ttl: 64,
        });
        self
    }

    fn wait(&mut self, millis: i64) -> &mut Self {
        self.millis += millis;
        self
    }

    /// The capture ends; the handshakes in the order in which they ended.
    fn end(&mut self) -> Vec<Handshake> {
        let now = self.mark();
        self.table.end(&mut self.shared, now);
        self.shared.concluded.drain(..).map(|handshake| *handshake).collect()
    }

    fn only(&mut self) -> Handshake {
        let mut all = self.end();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }
}

const DCID: &[u8] = b"original";
const SCID: &[u8] = b"server";

fn keys() -> InitialKeys {
    InitialKeys::new(Version::V1, DCID).unwrap()
}

/// A packet with a long header of version 1, protected; `padded`: to fill a datagram of 1200 bytes.
fn long(keys: &PacketKeys, bits: u8, ids: (&[u8], &[u8]), token: &[u8], number: u8, frames: &[u8], padded: bool) -> Vec<u8> {
    long_with(0xc0, keys, bits, ids, token, number, frames, padded)
}

/// The same with the form and fixed bits given.
#[allow(clippy::too_many_arguments, reason = "the parts of a packet")]
fn long_with(form: u8, keys: &PacketKeys, bits: u8, ids: (&[u8], &[u8]), token: &[u8], number: u8, frames: &[u8], padded: bool) -> Vec<u8> {
    let mut header = vec![form | bits << 4, 0, 0, 0, 1];
    for id in [ids.0, ids.1] {
        header.push(u8::try_from(id.len()).unwrap());
        header.extend(id);
    }
    if bits == 0 {
        header.push(u8::try_from(token.len()).unwrap());
        header.extend(token);
    }
    let mut payload = frames.to_vec();
    let rest = if padded { 1200 - header.len() - 2 - 1 - 16 } else { 24 };
    payload.resize(payload.len().max(rest), 0);
    let len = u16::try_from(payload.len() + 1 + 16).unwrap();
    header.extend((0x4000 | len).to_be_bytes());
    header.push(number);
    seal(keys, &header, u64::from(number), &payload)
}

fn crypto(offset: usize, data: &[u8]) -> Vec<u8> {
    let varint = |value: usize| (0x4000 | u16::try_from(value).unwrap()).to_be_bytes();
    [&[6][..], &varint(offset), &varint(data.len()), data].concat()
}

/// A ClientHello of TLS 1.3 as a handshake message: server name, versions, and `filler` bytes of padding.
fn client_hello(filler: usize) -> Vec<u8> {
    let name = [&[0, 15, 0, 0, 12][..], b"quic.example"].concat();
    let padding = vec![0; filler];
    let list: [(u16, &[u8]); 4] = [(0, &name), (43, &[2, 3, 4]), (10, &[0, 2, 0, 29]), (21, &padding)];
    message(1, &build(0x0303, &[0x1301], &list))
}

fn server_hello() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0x13, 0x01, 0, 0, 6, 0, 43, 0, 2, 3, 4]);
    message(2, &body)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    bytes[0] = kind;
    bytes.extend(body);
    bytes
}

fn first_initial(number: u8) -> Vec<u8> {
    long(&keys().client, 0, (DCID, b"c"), &[], number, &crypto(0, &client_hello(0)), true)
}

fn answer() -> Vec<u8> {
    let initial = long(&keys().server, 0, (b"c", SCID), &[], 0, &[&[2, 0, 0, 0, 0][..], &crypto(0, &server_hello())].concat(), false);
    [initial, handshake_packet(b"c", SCID, 300)].concat()
}

/// A Handshake packet, whose content nobody here can read.
fn handshake_packet(dcid: &[u8], scid: &[u8], len: u16) -> Vec<u8> {
    let mut bytes = vec![0xe0, 0, 0, 0, 1];
    for id in [dcid, scid] {
        bytes.push(u8::try_from(id.len()).unwrap());
        bytes.extend(id);
    }
    bytes.extend((0x4000 | len).to_be_bytes());
    bytes.extend(vec![0x5a; usize::from(len)]);
    bytes
}

/// A packet with a short header.
fn short(tag: u8) -> Vec<u8> {
    vec![0x40 | tag; 40]
}

#[test]
fn an_answer_in_front_of_its_hello_is_another_clocks() {
    let mut wire = Wire::new();
    wire.server(&answer()).client(&first_initial(0)).client(&handshake_packet(SCID, b"c", 60)).wait(60_000);
    let handshakes = wire.end();
    assert_eq!(handshakes.len(), 1);
    assert_eq!(handshakes[0].flow.out_of_step, 1);
    assert_eq!((handshakes[0].outcome, handshakes[0].stopped_by), (Outcome::Incomplete, StoppedBy::Capture));
    let mut wire = Wire::new();
    // The capture begins behind the hello, which is sent again.
    wire.server(&answer()).client(&first_initial(3)).wait(60_000);
    assert_eq!(wire.end()[0].flow.out_of_step, 0);
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).wait(60_000);
    assert_eq!(wire.end()[0].flow.out_of_step, 0);
}

#[test]
fn a_quic_handshake_completes_when_both_sides_use_their_last_keys() {
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&handshake_packet(SCID, b"c", 60)).client(&short(1));
    wire.server(&short(2)).client(&short(3)).server(&short(4)).client(&first_initial(0));
    let h = wire.only();
    assert_eq!((h.protocol, h.outcome, h.stopped_by), (Protocol::Quic, Outcome::Completed, StoppedBy::Nobody));
    assert_eq!(h.server_name().as_deref(), Some("quic.example"));
    assert_eq!(h.version().map(|version| version.to_string()).as_deref(), Some("1.3"));
    assert_eq!((h.finished.client.map(|mark| mark.frame), h.finished.server.map(|mark| mark.frame)), (Some(3), Some(2)));
    assert_eq!(wire.table.counters().flows, 1, "a late copy of the hello begins nothing");
}

#[test]
fn a_hello_of_two_packets_is_joined_in_any_order() {
    let hello = client_hello(1500);
    let piece = |number, offset, part: &[u8]| long(&keys().client, 0, (DCID, b"c"), &[], number, &crypto(offset, part), true);
    let mut wire = Wire::new();
    wire.client(&piece(1, 1000, &hello[1000..])).client(&piece(0, 0, &hello[..1000]));
    wire.server(&long(&keys().server, 0, (b"c", SCID), &[], 0, &[2, 1, 0, 0, 0], false));
    let h = wire.only();
    assert_eq!(h.server_name().as_deref(), Some("quic.example"));
    let hello = &h.client_hellos[0];
    assert_eq!((hello.first.frame, hello.mark.frame), (2, 2), "its first byte came with the second packet");
    let quic = h.quic.as_ref().unwrap();
    assert!(quic.hello_is_split());
    let acked: Vec<bool> = quic.hello_packets.iter().map(|packet| packet.acked).collect();
    assert_eq!(acked, [true, false], "only packet number 1 was acknowledged");
}

#[test]
fn half_a_hello_is_a_fact() {
    let hello = client_hello(1500);
    let mut wire = Wire::new();
    wire.client(&long(&keys().client, 0, (DCID, b"c"), &[], 0, &crypto(0, &hello[..900]), true)).wait(5000);
    let h = wire.only();
    let partial = h.partial_client_hello.unwrap();
    assert_eq!((partial.message, partial.have, partial.want), (Some(1), 896, hello.len() - 4));
}

#[test]
fn retry_changes_the_keys_and_is_no_loss() {
    let mut retry = vec![0xf0, 0, 0, 0, 1, 1, b'c', 5];
    retry.extend(b"retryTOKEN");
    retry.extend([9; 16]);
    let again = InitialKeys::new(Version::V1, b"retry").unwrap();
    let second = |number| long(&again.client, 0, (b"retry", b"c"), b"TOKEN", number, &crypto(0, &client_hello(0)), true);
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&retry).client(&second(1));
    wire.server(&long(&again.server, 0, (b"c", SCID), &[], 0, &crypto(0, &server_hello()), false));
    let h = wire.only();
    assert!(h.server_hello.is_some());
    assert_eq!((h.flow.side(Side::Client).retransmits, h.client_hellos.len()), (0, 1));
    let quic = h.quic.as_ref().unwrap();
    assert_eq!((quic.retry.count, quic.retries_after_token, quic.token.map(|mark| mark.frame)), (1, 0, Some(3)));

    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&retry).client(&second(1)).server(&retry);
    assert_eq!(wire.only().observed.quic.unwrap().retries_after_token, 1);
}

#[test]
fn version_negotiation_leads_on_or_ends_it() {
    let mut hello = vec![0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8];
    hello.extend(DCID);
    hello.extend([1, b'c']);
    hello.resize(1200, 0x77);
    let negotiation = [&[0x80, 0, 0, 0, 0, 1, b'c', 8][..], DCID, &[0, 0, 0, 1]].concat();
    let mut wire = Wire::new();
    wire.client(&hello).server(&negotiation);
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by), (Outcome::Refused, StoppedBy::Client));
    assert!(h.quic.as_ref().unwrap().no_common_version());

    let mut wire = Wire::new();
    wire.client(&hello).server(&negotiation).client(&first_initial(0)).server(&answer());
    let h = wire.only();
    assert_eq!(h.server_name().as_deref(), Some("quic.example"));
    let quic = h.quic.as_ref().unwrap();
    assert_eq!((quic.first_version, quic.version, quic.negotiated), (Version(0x1a2a_3a4a), Version::V1, true));
}

#[test]
fn nothing_is_said_of_what_may_not_be_quic() {
    let mut noise = vec![0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8];
    noise.resize(1200, 8);
    let mut wire = Wire::new();
    wire.client(&noise).server(&noise);
    let h = wire.only();
    assert_eq!(h.protocol, Protocol::Other);
    assert_ne!(relevance(&h), Relevance::Report);
}

#[test]
fn a_close_in_an_initial_packet_is_an_alert() {
    let close = [&[0x1c, 0x41, 0x78, 6, 2][..], b"no"].concat();
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&long(&keys().server, 0, (b"c", SCID), &[], 0, &close, false));
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by, h.deciding_description()), (Outcome::Alerted, StoppedBy::Server, Some((Side::Server, 120))));
    assert_eq!(h.quic.as_ref().unwrap().closes[0].reason, "no");
}

#[test]
fn a_close_that_nobody_can_read_is_inferred_from_silence() {
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&handshake_packet(SCID, b"c", 50)).wait(2000);
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by), (Outcome::Alerted, StoppedBy::Client));
    assert!(h.alerts[0].encrypted && h.alerts[0].alert.is_none());
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&handshake_packet(SCID, b"c", 50)).wait(50);
    assert_eq!(wire.only().outcome, Outcome::Incomplete, "too soon to tell");
}

#[test]
fn silence_is_told_from_answers_out_of_sight() {
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).wait(200).client(&first_initial(1)).wait(400).client(&first_initial(2)).wait(100);
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by, h.flow.side(Side::Client).retransmits), (Outcome::Stalled, StoppedBy::Network, 2));
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).wait(9000);
    assert_eq!(wire.only().outcome, Outcome::Incomplete, "a client that got no answer would have repeated itself");
}

#[test]
fn icmp_refuses_a_flow() {
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).unreachable(Side::Client, 1200);
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by), (Outcome::Refused, StoppedBy::Server));
}

#[test]
fn the_same_ports_serve_one_connection_after_another() {
    let other = InitialKeys::new(Version::V1, b"another1").unwrap();
    let second = long(&other.client, 0, (b"another1", b"d"), &[], 0, &crypto(0, &client_hello(3)), true);
    let mut wire = Wire::new();
    wire.client(&first_initial(0)).server(&answer()).client(&second);
    let all = wire.end();
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|h| h.server_name().is_some()));
}

#[test]
fn a_capture_that_begins_with_the_server_turns_the_roles_round() {
    let (client, server) = (first_initial(0), answer());
    let mut wire = Wire::new();
    // The side at port 443 sends the hello.
    wire.server(&client).client(&server);
    let h = wire.only();
    assert_eq!((h.client, h.server), (ends().1, ends().0));
    assert!(h.server_hello.is_some());
}

fn record(kind: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1];
    bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

fn fragment(kind: u8, seq: u8, body: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
    let three = |value: usize| u32::try_from(value).unwrap().to_be_bytes()[1..].to_vec();
    let part = &body[range.clone()];
    [&[kind][..], &three(body.len()), &[0, seq], &three(range.start), &three(part.len()), part].concat()
}

fn dtls_hello(random: u8, cookie: &[u8]) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend([random; 32]);
    body.push(0);
    body.push(u8::try_from(cookie.len()).unwrap());
    body.extend(cookie);
    body.extend([0, 2, 0xc0, 0x2b, 1, 0]);
    body
}

fn whole(kind: u8, seq: u8, body: &[u8]) -> Vec<u8> {
    record(22, 0, &fragment(kind, seq, body, 0..body.len()))
}

#[test]
fn a_dtls_handshake_with_cookie_fragments_and_repetitions() {
    let mut hello = vec![0xfe, 0xfd];
    hello.extend([5; 32]);
    hello.extend([0, 0xc0, 0x2b, 0]);
    let certificate = [&[0, 0, 103, 0, 0, 100][..], &[0x30; 100]].concat();
    let mut wire = Wire::new();
    wire.client(&whole(1, 0, &dtls_hello(1, &[])));
    wire.server(&whole(3, 0, &[0xfe, 0xff, 2, 8, 8]));
    wire.client(&whole(1, 1, &dtls_hello(1, &[8, 8])));
    wire.server(&record(22, 0, &fragment(11, 2, &certificate, 50..106)));
    wire.server(&[whole(2, 1, &hello), record(22, 0, &fragment(11, 2, &certificate, 0..60))].concat());
    wire.client(&whole(1, 1, &dtls_hello(1, &[8, 8])));
    wire.server(&whole(2, 1, &hello));
    wire.server(&whole(14, 3, &[]));
    // STUN and RTP on the same ports.
    wire.client(&[0; 20]).server(&[0x80; 100]);
    wire.client(&[whole(16, 2, &[1, 2]), record(20, 0, &[1]), record(22, 1, &[9; 40])].concat());
    wire.server(&[record(20, 0, &[1]), record(22, 1, &[9; 40])].concat());
    wire.client(&record(23, 1, &[7; 30]));
    let h = wire.only();
    assert_eq!((h.protocol, h.outcome), (Protocol::Dtls, Outcome::Completed));
    assert_eq!(h.version().map(|version| version.spoken().to_string()).as_deref(), Some("DTLS 1.2"));
    assert_eq!(h.client_hellos.iter().map(|seen| seen.what.dtls_cookie().len()).collect::<Vec<_>>(), [0, 2]);
    assert!(h.server_chain.is_some() && h.server_hello_done.is_some() && h.client_key_exchange.is_some());
    assert_eq!((h.flow.side(Side::Client).retransmits, h.flow.side(Side::Server).retransmits), (1, 1));
    let dtls = h.dtls.as_ref().unwrap();
    assert_eq!((dtls.cookie_requests.count, dtls.hellos_with_cookie.count, dtls.fragmented.server), (1, 2, 1));
    assert_eq!((dtls.datagrams.client.count, dtls.datagrams.server.count), (5, 6));
}

#[test]
fn records_with_a_connection_identifier_are_read() {
    let extension =
        |len: u8| [&[0, u8::try_from(5 + usize::from(len)).unwrap(), 0, 54, 0, len + 1, len][..], &vec![0xcc; usize::from(len)]].concat();
    let client = [dtls_hello(1, &[]), extension(0)].concat();
    let mut server = vec![0xfe, 0xfd];
    server.extend([5; 32]);
    server.extend([0, 0xc0, 0x2b, 0]);
    server.extend(extension(2));
    let with_cid = |body: u8| {
        let mut bytes = vec![25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0xcc, 0xcc, 0, 40];
        bytes.extend([body; 40]);
        bytes
    };
    let mut wire = Wire::new();
    wire.client(&whole(1, 0, &client)).server(&[whole(2, 0, &server), whole(14, 1, &[])].concat());
    wire.client(&[whole(16, 1, &[1, 2]), record(20, 0, &[1]), with_cid(1)].concat());
    wire.server(&[record(20, 0, &[1]), record(22, 1, &[9; 40])].concat()).client(&with_cid(2));
    let h = wire.only();
    assert_eq!(h.outcome, Outcome::Completed);
    assert_eq!((h.application_records.client, h.dtls.as_ref().unwrap().connection_id), (1, true));
}

#[test]
fn another_random_is_another_association() {
    let mut wire = Wire::new();
    wire.client(&whole(1, 0, &dtls_hello(1, &[]))).client(&whole(1, 0, &dtls_hello(1, &[]))).client(&whole(1, 0, &dtls_hello(2, &[])));
    let all = wire.end();
    assert_eq!(all.iter().map(|h| h.client_hellos.len()).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(all[0].dtls.as_ref().unwrap().repeats.client, 1);
}

#[test]
fn either_side_may_be_the_dtls_client() {
    let mut wire = Wire::new();
    wire.server(&whole(1, 0, &dtls_hello(1, &[])));
    assert_eq!(wire.only().client, ends().1);
}

#[test]
fn a_hole_in_a_certificate_is_a_fact() {
    let mut hello = vec![0xfe, 0xfd];
    hello.extend([5; 32]);
    hello.extend([0, 0xc0, 0x2b, 0]);
    let body = vec![1; 3000];
    let mut wire = Wire::new();
    wire.client(&whole(1, 0, &dtls_hello(1, &[]))).server(&whole(2, 0, &hello));
    for _ in 0..3 {
        wire.server(&record(22, 0, &fragment(11, 1, &body, 2500..3000))).wait(1000);
        wire.client(&whole(1, 0, &dtls_hello(1, &[])));
    }
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by), (Outcome::Stalled, StoppedBy::Network));
    let hole = h.dtls.as_ref().unwrap().hole.unwrap();
    assert_eq!((hole.message, hole.have, hole.want, hole.missing), (11, 500, 3000, 2500));
}

#[test]
fn an_alert_of_dtls_13_is_told_by_its_size() {
    let mut body = vec![0xfe, 0xfd];
    body.extend([5; 32]);
    body.extend([0, 0x13, 0x01, 0, 0, 6, 0, 43, 0, 2, 0xfe, 0xfc]);
    let sealed = |epoch: u8, len: u8| [&[0x2c | epoch, 1, 2, 0, len][..], &vec![3; usize::from(len)]].concat();
    let begin = |wire: &mut Wire| {
        wire.client(&whole(1, 0, &dtls_hello(1, &[])));
        wire.server(&[whole(2, 0, &body), sealed(2, 200), sealed(2, 61)].concat());
    };
    let mut wire = Wire::new();
    begin(&mut wire);
    wire.client(&sealed(2, 19));
    let h = wire.only();
    assert_eq!((h.outcome, h.stopped_by, h.alerts[0].encrypted), (Outcome::Alerted, StoppedBy::Client, true));
    let mut wire = Wire::new();
    begin(&mut wire);
    // Finished, the server's ACK of it, application data.
    wire.client(&sealed(2, 61)).server(&sealed(3, 35)).client(&sealed(3, 90));
    assert_eq!(wire.only().outcome, Outcome::Completed);
}

proptest! {
    #[test]
    fn arbitrary_datagrams_do_no_harm(
        datagrams in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..80), 0usize..9), 0..30),
        cut in 0usize..1300,
    ) {
        let mut wire = Wire::new();
        let beginnings = [
            first_initial(0),
            answer(),
            whole(1, 0, &dtls_hello(1, &[])),
            whole(3, 0, &[0xfe, 0xff, 2, 8, 8]),
            vec![22, 0xfe, 0xfd, 0, 0],
            vec![0xc0, 0, 0, 0, 1, 8],
            vec![0x2e, 0, 1],
            vec![20, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0],
        ];
        for (client, bytes, kind) in datagrams {
            let mut payload = beginnings.get(kind).cloned().unwrap_or_default();
            if kind < 4 {
                payload.truncate(cut.max(1));
            }
            payload.extend(bytes);
            wire.send(if client { Side::Client } else { Side::Server }, &payload);
        }
        wire.end();
        prop_assert_eq!(wire.table.held(), 0);
    }
}
