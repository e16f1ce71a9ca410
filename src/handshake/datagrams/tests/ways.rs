//! Flows whose directions come in VLANs of their own: what is in an answer tells whose it is.

use super::*;
use crate::flow::Layer;

/// A datagram between the ports that both ends have in every network, in a VLAN.
fn by(wire: &mut Wire, vlan: u16, side: Side, payload: &[u8]) {
    wire.frame += 1;
    wire.millis += 10;
    let (client, server) = ends();
    let client = Endpoint::new(client.address, server.port);
    let (source, destination) = if side == Side::Client { (client, server) } else { (server, client) };
    let mut path = Path::default();
    path.push(Layer::Vlan(vlan));
    let (key, from_low) = FlowKey::new(Transport::Udp, source, destination, path.identity());
    let payload_len = u32::try_from(payload.len()).unwrap();
    let ip = IpFacts { ttl: 64, id: None, dont_fragment: true, total_len: payload_len + 28, was_fragmented: false, was_cut: false };
    let mark = wire.mark();
    wire.table.datagram(&mut wire.shared, 0, &Datagram { mark, key, from_low, path, ip, payload, payload_len, stations: None });
}

/// The client's and the server's packets of each flow, and whether it is unclear which others are the other side's.
fn packets(all: &[Handshake]) -> Vec<(u32, u32, bool)> {
    all.iter().map(|h| (h.flow.sides.client.packets, h.flow.sides.server.packets, h.flow.unclear)).collect()
}

#[test]
fn a_quic_servers_first_packet_is_sealed_for_one_client() {
    let mut wire = Wire::new();
    let hello = |dcid: &[u8], cid: &[u8]| {
        long(&InitialKeys::new(Version::V1, dcid).unwrap().client, 0, (dcid, cid), &[], 0, &crypto(0, &client_hello(0)), true)
    };
    let answer = |dcid: &[u8], cid: &[u8]| {
        let frames = [&[2, 0, 0, 0, 0][..], &crypto(0, &server_hello())].concat();
        let initial = long(&InitialKeys::new(Version::V1, dcid).unwrap().server, 0, (cid, SCID), &[], 0, &frames, false);
        [initial, handshake_packet(cid, SCID, 300)].concat()
    };
    by(&mut wire, 10, Side::Client, &hello(b"original", b"c"));
    by(&mut wire, 20, Side::Client, &hello(b"another one", b""));
    by(&mut wire, 21, Side::Server, &answer(b"another one", b""));
    by(&mut wire, 11, Side::Server, &answer(b"original", b"c"));
    by(&mut wire, 31, Side::Server, &answer(b"a third one", b"c"));
    let all = wire.end();
    assert_eq!(packets(&all[..2]), [(1, 1, false), (1, 1, false)]);
    assert!(all.iter().take(2).all(|h| h.server_hello.is_some()));
    assert!(
        all.iter().skip(2).all(|h| h.flow.sides.server.packets == 0 || h.flow.sides.client.packets == 0),
        "nobody's answer is nobody's"
    );
}

#[test]
fn a_dtls_servers_hello_is_for_nobody_in_particular() {
    let server_hello = |suite: [u8; 2]| {
        let body = [&[0xfe, 0xfd][..], &[9; 32], &[0], &suite, &[0]].concat();
        whole(2, 0, &body)
    };
    // between fixed ports nothing is joined
    let mut wire = Wire::new();
    by(&mut wire, 10, Side::Client, &whole(1, 0, &dtls_hello(1, &[])));
    by(&mut wire, 11, Side::Server, &server_hello([0xc0, 0x2b]));
    assert_eq!(packets(&wire.end()), [(1, 0, true), (0, 1, true)]);
    // a suite that the client has not offered is another's
    let mut wire = Wire::new();
    by(&mut wire, 10, Side::Client, &whole(1, 0, &dtls_hello(1, &[])));
    by(&mut wire, 11, Side::Server, &server_hello([0xc0, 0x2f]));
    assert_eq!(packets(&wire.end()), [(1, 0, false), (0, 1, false)]);
}

#[test]
fn an_openvpn_server_names_the_session_that_it_answers() {
    let reset = |session: u8| [&[0x38][..], &[session; 8], &[0, 0, 0, 0, 0]].concat();
    let answer = |of: u8| [&[0x40][..], &[7; 8], &[1, 0, 0, 0, 0], &[of; 8], &[0; 4]].concat();
    let mut wire = Wire::new();
    by(&mut wire, 10, Side::Client, &reset(1));
    by(&mut wire, 20, Side::Client, &reset(2));
    by(&mut wire, 21, Side::Server, &answer(2));
    by(&mut wire, 11, Side::Server, &answer(1));
    by(&mut wire, 31, Side::Server, &answer(3));
    assert_eq!(packets(&wire.end()), [(1, 1, false), (1, 1, false)]);
}
