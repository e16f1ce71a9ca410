//! Each header by hand-built bytes: the same TCP segment inside everything that can carry it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::flow::Layer;
use crate::frame::{Frame, FrameHead, LinkType};
use crate::limits;
use crate::time::Timestamp;

const ETHERNET: u32 = 1;
const RAW: u32 = 101;

fn frame(link: u32, bytes: &[u8], original_len: usize) -> Frame<'_> {
    let time = Timestamp::from_parts(1_800_000_000, 0);
    let original_len = u32::try_from(original_len).unwrap();
    Frame { head: FrameHead { number: 7, time, link: LinkType(link), interface: 0, site: crate::site::Site::NONE, original_len }, bytes }
}

fn be16(value: usize) -> [u8; 2] {
    u16::try_from(value).unwrap().to_be_bytes()
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// From 192.0.2.1:40000 to 192.0.2.2:443, five bytes at 1000.
fn tcp() -> Vec<u8> {
    join(&[&be16(40000), &be16(443), &[0, 0, 3, 232, 0, 0, 0, 9, 0x50, 0x18, 0x10, 0, 0, 0, 0, 0], b"hello"])
}

fn ipv4_with(protocol: u8, id: u16, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let head = [0x45, 0];
    join(&[
        &head,
        &be16(20 + payload.len()),
        &id.to_be_bytes(),
        &fragment.to_be_bytes(),
        &[64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2],
        payload,
    ])
}

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_with(protocol, 0x1234, 0x4000, payload)
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let address = |last| [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    join(&[&[0x60, 0, 0, 0], &be16(payload.len()), &[next, 57], &address(1), &address(2), payload])
}

fn udp(from: usize, to: usize, payload: &[u8]) -> Vec<u8> {
    ipv4(17, &join(&[&be16(from), &be16(to), &be16(8 + payload.len()), &[0, 0], payload]))
}

fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], &kind.to_be_bytes(), payload])
}

/// The segment of [`tcp`] is found under `path`, whole.
#[track_caller]
fn found(link: u32, bytes: &[u8], path: &[Layer]) {
    let mut decoder = Decoder::new();
    match decoder.decode(&frame(link, bytes, bytes.len())) {
        Packet::Tcp(segment) => {
            assert_eq!((segment.source().port, segment.destination().port, segment.seq), (40000, 443, 1000));
            assert_eq!((segment.payload, segment.payload_len), (b"hello".as_slice(), 5));
            assert_eq!(segment.path.layers().collect::<Vec<_>>(), path);
            assert_eq!(segment.key.path, segment.path.identity());
            assert_eq!(segment.mark.frame, 7);
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn skipped(link: u32, bytes: &[u8], skip: Skip) {
    match Decoder::new().decode(&frame(link, bytes, bytes.len())) {
        Packet::Skipped(why) => assert_eq!(why, skip),
        other => panic!("{other:?}"),
    }
}

/// A UDP datagram that is no tunnel.
#[track_caller]
fn plain(bytes: &[u8]) {
    assert!(matches!(Decoder::new().decode(&frame(RAW, bytes, bytes.len())), Packet::Udp(_)));
}

#[test]
fn a_segment_with_all_it_says() {
    let bytes = ethernet(0x0800, &join(&[&ipv4(6, &tcp()), &[0xee; 9]]));
    let mut decoder = Decoder::new();
    let Packet::Tcp(segment) = decoder.decode(&frame(ETHERNET, &bytes, bytes.len())) else { panic!() };
    assert_eq!(segment.source().address, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    assert!(segment.from_low && segment.flags.ack() && !segment.flags.syn());
    assert_eq!((segment.ack, segment.window, segment.payload_len), (9, 4096, 5));
    let facts = IpFacts { ttl: 64, id: Some(0x1234), dont_fragment: true, total_len: 45, was_fragmented: false, was_cut: false };
    assert_eq!(segment.ip, facts);
}

#[test]
fn link_types() {
    let v4 = ipv4(6, &tcp());
    let v6 = ipv6(6, &tcp());
    for link in [12, 14, 101, 228] {
        found(link, &v4, &[]);
    }
    for link in [12, 101, 229] {
        found(link, &v6, &[]);
    }
    for (link, family) in [(0, [2, 0, 0, 0]), (0, [0, 0, 0, 2]), (108, [0, 0, 0, 2])] {
        found(link, &join(&[&family, &v4]), &[]);
    }
    for family in [[30, 0, 0, 0], [24, 0, 0, 0], [0, 0, 0, 28], [10, 0, 0, 0]] {
        found(0, &join(&[&family, &v6]), &[]);
    }
    let cooked = [0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
    found(113, &join(&[&cooked, &[0x08, 0x00], &v4]), &[]);
    found(113, &join(&[&cooked, &[0x81, 0x00, 0, 5, 0x86, 0xdd], &v6]), &[Layer::Vlan(5)]);
    found(276, &join(&[&[0x08, 0x00, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], &v4]), &[]);
    found(9, &join(&[&[0xff, 0x03, 0x00, 0x21], &v4]), &[]);
    found(9, &join(&[&[0x57], &v6]), &[]);
    found(50, &join(&[&[0x0f, 0x00, 0x08, 0x00], &v4]), &[]);
    found(51, &join(&[&[0x11, 0, 0x01, 0x23, 0, 47, 0x00, 0x21], &v4, &[0; 5]]), &[Layer::Pppoe(0x123)]);
    found(104, &join(&[&[0x8f, 0x00, 0x86, 0xdd], &v6]), &[]);
    found(117, &join(&[&[61, 2], &[0; 62], &v4]), &[]);
    found(192, &join(&[&[0, 0, 8, 0, 1, 0, 0, 0], &ethernet(0x0800, &v4)]), &[]);
    found(239, &join(&[&[2, 0, 0, 1, 5, 0, 10, 0, 0xaa, 0, 0, 0, 49, 0, 9, 0], &v4, &[0; 3]]), &[]);
    found(239, &join(&[&[2, 0, 0, 1, 0, 5, 0, 10, 0xaa, 0, 0, 0, 0, 49, 0, 9], &v4, &[0; 3]]), &[]);
    found(258, &join(&[&[14, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0, 0, 0], &v4]), &[]);
    found(242, &join(&[&[0; 40], &[0x08, 0x00, 0, 0], &v4]), &[]);
    let snap = [0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00];
    found(10, &join(&[&[0x50], &[2; 12], &snap, &v4]), &[]);
    skipped(10, &join(&[&[0xc3], &[2; 12], &snap, &v4]), Skip::NotIp);
    let record = |kind: u8, more: &[u8]| join(&[&[0; 8], &[kind, 4, 0, 96, 0, 0, 0, 78], more]);
    let framed = join(&[&[0, 0], &ethernet(0x0800, &v4)]);
    for kind in [2, 11, 16, 20] {
        found(197, &join(&[&record(kind, &[]), &framed]), &[]);
    }
    found(197, &join(&[&record(0x82, &[0x81, 0, 0, 0, 0, 0, 0, 1, 3, 0, 0, 0, 0, 0, 0, 2]), &framed]), &[]);
    found(197, &join(&[&record(22, &[]), &v4]), &[]);
    found(197, &join(&[&record(23, &[]), &v6]), &[]);
    skipped(197, &join(&[&record(27, &[]), &framed]), Skip::LinkType);
    found(178, &join(&[b"MGC\x80", &[0, 2, 9, 9], &ethernet(0x0800, &v4)]), &[]);
    found(178, &join(&[b"MGC\x01", &ethernet(0x0800, &v4)]), &[]);
    found(178, &join(&[b"MGC\x02", &[2, 0, 0, 0], &v4]), &[]);
    skipped(178, &ethernet(0x0800, &v4), Skip::Malformed);
    skipped(249, &v4, Skip::LinkType);
}

#[test]
fn radio_frames() {
    let llc = join(&[&[0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00], &ipv4(6, &tcp())]);
    let data = |control: u8, flags: u8| join(&[&[control, flags, 0, 0], &[2; 18], &[0x10, 0]]);
    found(105, &join(&[&data(0x08, 0x01), &llc, &[9; 4]]), &[]);
    found(105, &join(&[&data(0x08, 0x03), &[2; 6], &llc]), &[]);
    found(105, &join(&[&data(0x88, 0x02), &[0, 0], &llc]), &[]);
    found(105, &join(&[&data(0x88, 0x82), &[0, 0], &[0; 4], &llc]), &[]);
    let subframe = join(&[&[3; 12], &be16(llc.len()), &llc, &[0xcc; 60]]);
    found(105, &join(&[&data(0x88, 0x02), &[0x80, 0], &subframe]), &[]);
    // radiotap with timestamp and flags that say the header is padded to four bytes
    let radiotap = [0, 0, 17, 0, 3, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x20];
    found(127, &join(&[&radiotap, &data(0x88, 0x02), &[0, 0], &[0, 0], &llc]), &[]);
    // two presence words, flags without timestamp, no padding
    let radiotap = [0, 0, 13, 0, 2, 0, 0, 0x80, 0, 0, 0, 0, 0x10];
    found(127, &join(&[&radiotap, &data(0x88, 0x02), &[0, 0], &llc, &[0; 4]]), &[]);
    found(119, &join(&[&[0x44, 0, 0, 0, 16, 0, 0, 0], &[0; 8], &data(0x08, 0x01), &llc]), &[]);
    found(163, &join(&[&[0x80, 0x21, 0x10, 0x01, 0, 0, 0, 12], &[0; 4], &data(0x08, 0x01), &llc]), &[]);

    skipped(105, &join(&[&data(0x08, 0x41), &[0x5a; 60]]), Skip::Radio);
    found(105, &join(&[&data(0x08, 0x41), &llc]), &[]);
    skipped(105, &data(0x48, 0x01), Skip::Radio); // null
    skipped(105, &data(0x80, 0x00), Skip::Radio); // beacon
    skipped(105, &[0xd4, 0, 0, 0, 1, 2, 3, 4, 5, 6], Skip::Radio); // acknowledgment
}

#[test]
fn tags() {
    let v4 = ipv4(6, &tcp());
    let tagged = |outer: u16, id: u8, inner: &[u8]| ethernet(outer, &join(&[&[0xe0, id], inner]));
    found(ETHERNET, &tagged(0x8100, 7, &join(&[&[0x08, 0x00], &v4])), &[Layer::Vlan(7)]);
    found(ETHERNET, &tagged(0x88a8, 7, &join(&[&[0x81, 0x00, 0, 8, 0x08, 0x00], &v4])), &[Layer::Vlan(7), Layer::Vlan(8)]);
    found(ETHERNET, &tagged(0x9100, 7, &join(&[&[0x81, 0x00, 0, 8, 0x08, 0x00], &v4])), &[Layer::Vlan(7), Layer::Vlan(8)]);
    // a priority tag leaves no trace: the other direction may lack it
    found(ETHERNET, &tagged(0x8100, 0, &join(&[&[0x08, 0x00], &v4])), &[]);
    let snap = join(&[&[0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00], &v4]);
    found(ETHERNET, &ethernet(u16::try_from(snap.len()).unwrap(), &join(&[&snap, &[0; 3]])), &[]);
    found(ETHERNET, &ethernet(0x8909, &join(&[&[1, 1, 0, 1, 0, 0x2a, 0x08, 0x00], &v4])), &[]);
    found(ETHERNET, &ethernet(0x8926, &join(&[&[0x80, 5, 0, 7, 0x08, 0x00], &v4])), &[]);
    let service = |protocol| [0x0f, 0xc6, 1, protocol, 0, 0, 42, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    found(ETHERNET, &ethernet(0x894f, &join(&[&service(1), &v4])), &[]);
    found(ETHERNET, &ethernet(0x894f, &join(&[&service(3), &ethernet(0x0800, &v4)])), &[]);
    skipped(ETHERNET, &ethernet(0x894f, &join(&[&service(9), &v4])), Skip::NotIp);
    skipped(ETHERNET, &ethernet(0x894f, &join(&[&[0x0f, 0xc0, 1, 1], &v4])), Skip::Malformed);
    found(ETHERNET, &ethernet(0x892f, &join(&[&[0, 52, 0, 1, 0x08, 0x00], &v4])), &[]);
    let macsec = |flags: u8, short: u8, channel: &[u8]| {
        ethernet(0x88e5, &join(&[&[flags, short, 0, 0, 0, 1], channel, &[0x08, 0x00], &v4, &[0xcc; 16]]))
    };
    let short = u8::try_from(v4.len() + 2).unwrap();
    found(ETHERNET, &macsec(0x01, 0, &[]), &[Layer::Macsec]);
    found(ETHERNET, &macsec(0x23, short, &[9; 8]), &[Layer::Macsec]);
    skipped(ETHERNET, &macsec(0x2c, 0, &[9; 8]), Skip::NotIp); // encrypted
    skipped(ETHERNET, &macsec(0x04, 0, &[]), Skip::NotIp); // changed, but not encrypted
    skipped(ETHERNET, &macsec(0x80, 0, &[]), Skip::NotIp); // another version
    let backbone = join(&[&[0, 0, 0x12, 0x34], &ethernet(0x8100, &join(&[&[0xe0, 7, 0x08, 0x00], &v4]))]);
    found(ETHERNET, &ethernet(0x88e7, &backbone), &[Layer::Pbb(0x1234), Layer::Vlan(7)]);
    let pppoe = join(&[&[0x11, 0, 0, 9], &be16(v4.len() + 2), &[0x00, 0x21], &v4]);
    found(ETHERNET, &ethernet(0x8864, &pppoe), &[Layer::Pppoe(9)]);
    skipped(ETHERNET, &ethernet(0x8863, &[0x11, 9, 0, 0, 0, 0]), Skip::NotIp);
    skipped(ETHERNET, &ethernet(0x0806, &[0; 28]), Skip::NotIp);
    skipped(ETHERNET, &ethernet(38, &[0x42, 0x42, 0x03, 0, 0, 0]), Skip::NotIp);
}

#[test]
fn tags_beyond_the_bound() {
    let stack = |count: usize| {
        let tags = [0x81, 0x00, 0, 1].repeat(count);
        join(&[&[0; 12], &tags, &[0x08, 0x00], &ipv4(6, &tcp())])
    };
    let Packet::Tcp(_) = Decoder::new().decode(&frame(ETHERNET, &stack(limits::TUNNEL_DEPTH), 200)) else { panic!() };
    skipped(ETHERNET, &stack(limits::TUNNEL_DEPTH + 1), Skip::TooDeep);
}

#[test]
fn mpls() {
    let (transport, service) = ([0x03, 0xe8, 0x10, 0x3f], [0x00, 0x2b, 0xc1, 0x3f]);
    let path = [Layer::Mpls(16001), Layer::Mpls(700)];
    let inner = ethernet(0x0800, &ipv4(6, &tcp()));
    for under in [ipv4(6, &tcp()), ipv6(6, &tcp()), inner.clone(), join(&[&[0; 4], &inner])] {
        found(ETHERNET, &ethernet(0x8847, &join(&[&transport, &service, &under])), &path);
    }
    // an Ethernet pseudowire without control word whose first address looks like IPv4
    let mut inner = inner;
    inner[0] = 0x45;
    found(ETHERNET, &ethernet(0x8847, &join(&[&transport, &service, &inner])), &path);
}

#[test]
fn ip_in_ip_and_gre() {
    let v4 = ipv4(6, &tcp());
    let v6 = ipv6(6, &tcp());
    found(RAW, &ipv4(4, &v4), &[Layer::IpInIp]);
    found(RAW, &ipv4(41, &v6), &[Layer::IpInIp]);
    found(RAW, &ipv6(4, &v4), &[Layer::IpInIp]);
    found(RAW, &ipv6(41, &v6), &[Layer::IpInIp]);
    let gre = |head: &[u8], inner: &[u8]| ipv4(47, &join(&[head, inner]));
    found(RAW, &gre(&[0, 0, 0x08, 0x00], &v4), &[Layer::Gre(None)]);
    found(RAW, &ipv4(97, &join(&[&[0x30, 0], &ethernet(0x0800, &v4)])), &[]);
    skipped(RAW, &ipv4(97, &join(&[&[0x20, 0], &ethernet(0x0800, &v4)])), Skip::IpProtocol);
    let full = [0xb0, 0, 0x86, 0xdd, 1, 2, 0, 0, 0, 0, 0, 42, 0, 0, 0, 1];
    found(RAW, &gre(&full, &v6), &[Layer::Gre(Some(42))]);
    found(RAW, &gre(&[0, 0, 0x65, 0x58], &ethernet(0x0800, &v4)), &[Layer::Gre(None)]);
    found(RAW, &gre(&[0, 0, 0x88, 0xbe], &ethernet(0x0800, &v4)), &[Layer::Gre(None), Layer::Erspan(0)]);
    let second = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0x18, 0x65, 0, 0, 0, 0];
    found(RAW, &gre(&second, &ethernet(0x0800, &v4)), &[Layer::Gre(None), Layer::Erspan(0x65)]);
    let third = [0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 0x66, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    found(RAW, &gre(&third, &ethernet(0x0800, &v4)), &[Layer::Gre(None), Layer::Erspan(0x66)]);
    found(RAW, &gre(&[0, 0, 0x88, 0x3e], &v4), &[Layer::Gre(None)]);
    found(RAW, &gre(&[0, 0, 0x88, 0x3e, 0, 1, 0, 0], &v4), &[Layer::Gre(None)]);
    let pptp = [0x30, 0x81, 0x88, 0x0b, 0, 47, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0x00, 0x21];
    found(RAW, &gre(&pptp, &v4), &[Layer::Gre(None)]);
}

#[test]
fn udp_tunnels() {
    let v4 = ipv4(6, &tcp());
    let v6 = ipv6(6, &tcp());
    let inner = ethernet(0x0800, &v4);
    let vxlan = [8, 0, 0, 0, 0, 0, 42, 0];
    for port in [4789, 8472] {
        found(RAW, &udp(50000, port, &join(&[&vxlan, &inner])), &[Layer::Vxlan(42)]);
    }
    found(RAW, &udp(1, 4790, &join(&[&[12, 0, 0, 3, 0, 0, 42, 0], &inner])), &[Layer::Vxlan(42)]);
    found(RAW, &udp(1, 4790, &join(&[&[12, 0, 0, 1, 0, 0, 42, 0], &v4])), &[Layer::Vxlan(42)]);
    plain(&udp(1, 4790, &join(&[&[8, 0, 0, 3, 0, 0, 42, 0], &inner])));
    found(RAW, &udp(1, 6081, &join(&[&[1, 0, 0x65, 0x58, 0, 1, 0, 0, 1, 2, 3, 0], &inner])), &[Layer::Geneve(256)]);
    found(RAW, &udp(1, 6081, &join(&[&[0, 0, 0x86, 0xdd, 0, 0, 9, 0], &v6])), &[Layer::Geneve(9)]);
    let gtp = |flags: u8, more: &[u8]| join(&[&[flags, 0xff], &be16(more.len() + v4.len()), &[0, 0, 0, 1], more, &v4]);
    found(RAW, &udp(2152, 2152, &gtp(0x30, &[])), &[Layer::Gtpu]);
    found(RAW, &udp(2152, 2152, &gtp(0x32, &[0, 1, 0, 0])), &[Layer::Gtpu]);
    found(RAW, &udp(2152, 2152, &gtp(0x34, &[0, 0, 0, 0x85, 1, 0, 0, 0x40, 1, 1, 1, 0])), &[Layer::Gtpu]);
    found(RAW, &udp(40000, 37008, &join(&[&[1, 0, 0, 1, 1], &inner])), &[Layer::Tzsp]);
    found(RAW, &udp(40000, 37008, &join(&[&[1, 1, 0, 1, 0, 10, 1, 0xc5, 0, 1], &inner])), &[Layer::Tzsp]);
    plain(&udp(40000, 37008, &join(&[&[1, 0, 0, 18, 1], &inner])));
    plain(&udp(40000, 37008, &join(&[&[1, 0, 0, 1, 10, 200], &inner])));
    found(RAW, &udp(1, 4341, &join(&[&[0x88, 1, 2, 3, 0, 0, 7, 1], &v4])), &[Layer::Lisp(Some(7))]);
    found(RAW, &udp(1, 4341, &join(&[&[0xc0, 1, 2, 3, 0, 0, 0, 1], &v6])), &[Layer::Lisp(None)]);
    plain(&udp(1, 4341, &join(&[&[0xc0, 1, 2, 3, 0, 0, 0, 1], &[0x17; 40]])));
    found(RAW, &udp(1, 6635, &join(&[&[0, 0, 0x64, 0x40, 0, 0, 0x65, 0x40], &v4])), &[Layer::Mpls(6), Layer::Mpls(6)]);
    plain(&udp(1, 6635, &join(&[&[0, 0, 0x64, 0x40, 0, 0, 0x64, 0x40], &v4])));
    found(RAW, &udp(3544, 9, &v6), &[Layer::Teredo]);
    let authentication = [0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0];
    found(RAW, &udp(9, 3544, &join(&[&authentication, &[0, 0, 1, 2, 3, 4, 5, 6], &v6])), &[Layer::Teredo]);
    found(RAW, &udp(1701, 1701, &join(&[&[0x00, 2, 0, 1, 0, 2, 0xff, 3, 0, 0x21], &v4])), &[Layer::L2tp]);
    let with_all = join(&[&[0x4a, 2], &be16(20 + v6.len()), &[0, 1, 0, 2, 0, 5, 0, 6, 0, 2, 9, 9, 0xff, 3, 0x00, 0x57], &v6]);
    found(RAW, &udp(1701, 1701, &with_all), &[Layer::L2tp]);

    // reserved bits are ignored (RFC 7348 section 5, RFC 8926 section 3.4, RFC 2661 section 3.1)
    for header in [[0x0c, 0, 0, 3, 0, 0, 42, 0], [0xff, 1, 2, 3, 0, 0, 42, 0xff], [8, 0, 0, 1, 0, 0, 42, 0]] {
        found(RAW, &udp(50000, 4789, &join(&[&header, &inner])), &[Layer::Vxlan(42)]);
    }
    found(RAW, &udp(1, 6081, &join(&[&[0, 0x3f, 0x86, 0xdd, 0, 0, 9, 1], &v6])), &[Layer::Geneve(9)]);
    found(RAW, &udp(1701, 1701, &join(&[&[0x34, 0xf2, 0, 1, 0, 2, 0xff, 3, 0, 0x21], &v4])), &[Layer::L2tp]);
    // but one bit must be set
    plain(&udp(50000, 4789, &join(&[&[0, 0, 0, 0, 0, 0, 42, 0], &inner])));
    plain(&udp(50000, 4789, &[0xc3; 60]));
    plain(&udp(50000, 2152, &[0x40; 60]));
    plain(&udp(50000, 6081, &join(&[&[0, 0, 0x08, 0x00, 0, 0, 9, 0], &v6])));
    plain(&udp(443, 3544, &[0x60; 60]));
    plain(&udp(1701, 50000, &[0xc8, 2, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0])); // control
    plain(&udp(50000, 443, &vxlan));
}

#[test]
fn tunnels_in_tunnels() {
    let gre = join(&[&[0, 0, 0x65, 0x58], &ethernet(0x8100, &join(&[&[0, 3, 0x08, 0x00], &ipv4(6, &tcp())]))]);
    let vxlan = join(&[&[8, 0, 0, 0, 0, 0, 1, 0], &ethernet(0x0800, &ipv4(47, &gre))]);
    let bytes = ethernet(0x8847, &join(&[&[0, 1, 1, 64], &udp(9, 4789, &vxlan)]));
    found(ETHERNET, &bytes, &[Layer::Mpls(16), Layer::Vxlan(1), Layer::Gre(None), Layer::Vlan(3)]);
}

#[test]
fn extension_headers() {
    let options = |next: u8, rest: &[u8]| join(&[&[next, 0, 1, 4, 0, 0, 0, 0], rest]);
    found(RAW, &ipv6(0, &options(60, &options(6, &tcp()))), &[]);
    found(RAW, &ipv6(51, &join(&[&[6, 4, 0, 0], &[0; 20], &tcp()])), &[]);
    found(RAW, &ipv4(51, &join(&[&[6, 4, 0, 0], &[0; 20], &tcp()])), &[]);
    found(RAW, &ipv6(135, &options(6, &tcp())), &[]);
    found(RAW, &ipv6(44, &join(&[&[6, 0, 0, 0, 1, 2, 3, 4], &tcp()])), &[]);
    // a segment routing header with two segments, one of them ahead: the last stop is the first in the list
    let stop = |last: u8| [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    let routed = ipv6(43, &join(&[&[6, 4, 4, 1, 1, 0, 0, 0], &stop(9), &stop(2), &tcp()]));
    let mut decoder = Decoder::new();
    let Packet::Tcp(segment) = decoder.decode(&frame(RAW, &routed, routed.len())) else { panic!() };
    assert_eq!(segment.destination().address, IpAddr::V6(Ipv6Addr::from(stop(9))));
    skipped(RAW, &ipv6(50, &[0; 40]), Skip::IpProtocol);
    skipped(RAW, &ipv6(59, &[]), Skip::IpProtocol);
}

#[test]
fn lengths() {
    // options of both headers
    let segment = join(&[&be16(40000), &be16(443), &[0, 0, 3, 232, 0, 0, 0, 9, 0x60, 2, 0, 9, 0, 0, 0, 0, 2, 4, 5, 0xb4], b"hello"]);
    let mut bytes = ipv4(6, &join(&[&[1, 1, 1, 0], &segment]));
    bytes[0] = 0x46;
    let mut decoder = Decoder::new();
    let Packet::Tcp(view) = decoder.decode(&frame(RAW, &bytes, bytes.len())) else { panic!() };
    assert_eq!((tcp_options(view.options).mss, view.payload), (Some(1460), b"hello".as_slice()));
    // cut in the payload, in the options, in the header
    let Packet::Tcp(view) = decoder.decode(&frame(RAW, &bytes[..50], bytes.len())) else { panic!() };
    assert_eq!((view.payload, view.payload_len), (b"he".as_slice(), 5));
    let Packet::Tcp(view) = decoder.decode(&frame(RAW, &bytes[..46], bytes.len())) else { panic!() };
    assert_eq!((view.options, view.payload.len(), view.payload_len), ([2, 4].as_slice(), 0, 5));
    assert!(matches!(decoder.decode(&frame(RAW, &bytes[..40], bytes.len())), Packet::Skipped(Skip::Truncated)));
    assert!(matches!(decoder.decode(&frame(RAW, &bytes[..10], bytes.len())), Packet::Skipped(Skip::Truncated)));
    // the same of a frame that was no longer when it came to be captured
    skipped(RAW, &bytes[..40], Skip::Truncated);
    // a length yet to be filled in by the network card
    let mut offloaded = ipv4(6, &tcp());
    (offloaded[2], offloaded[3]) = (0, 0);
    found(RAW, &offloaded, &[]);
    let mut offloaded = ipv6(6, &tcp());
    (offloaded[4], offloaded[5]) = (0, 0);
    found(RAW, &offloaded, &[]);
}

#[test]
fn a_frame_that_was_cut_before_it_was_captured_keeps_the_length_of_its_packet() {
    let cut = |kind: u16, packet: &[u8], kept: usize| {
        let bytes = ethernet(kind, packet.get(..kept).unwrap());
        match Decoder::new().decode(&frame(ETHERNET, &bytes, bytes.len())) {
            Packet::Tcp(segment) => (segment.payload.len(), segment.payload_len, segment.ip.was_cut),
            other => panic!("{other:?}"),
        }
    };
    let (v4, v6) = (ipv4(6, &tcp()), ipv6(6, &tcp()));
    for (kind, packet) in [(0x0800, &v4), (0x86dd, &v6)] {
        assert_eq!(cut(kind, packet, packet.len()), (5, 5, false));
        assert_eq!(cut(kind, packet, packet.len() - 2), (3, 5, true));
        assert_eq!(cut(kind, packet, packet.len() - 5), (0, 5, true));
    }
}

#[test]
fn a_packet_that_was_cut_is_known_by_its_checksum_where_nothing_else_tells() {
    let cut = |sound: bool| {
        let mut packet = ipv4(6, &tcp());
        let sum: u32 = packet[..20].as_chunks::<2>().0.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum();
        let checksum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
        packet[10..12].copy_from_slice(&checksum.wrapping_add(u16::from(!sound)).to_be_bytes());
        let labelled = join(&[&[0, 1, 1, 64], &packet[..packet.len() - 3]]);
        let bytes = ethernet(0x8847, &labelled);
        matches!(Decoder::new().decode(&frame(ETHERNET, &bytes, bytes.len())), Packet::Tcp(segment) if segment.payload_len == 5)
    };
    assert!(cut(true) && !cut(false));
}

#[test]
fn a_payload_cut_inside_a_tunnel_keeps_its_length() {
    let inner = ethernet(0x0800, &ipv4(6, &tcp()));
    let bytes = udp(9, 4789, &join(&[&[8, 0, 0, 0, 0, 0, 42, 0], &inner]));
    let mut decoder = Decoder::new();
    let Packet::Tcp(view) = decoder.decode(&frame(RAW, &bytes[..bytes.len() - 4], bytes.len())) else { panic!() };
    assert_eq!((view.payload, view.payload_len), (b"h".as_slice(), 5));
}

#[test]
fn fragments_of_both_versions() {
    let payload = tcp();
    let mut decoder = Decoder::new();
    let first = ipv4_with(6, 9, 0x2000, &payload[..16]);
    let last = ipv4_with(6, 9, 2, &payload[16..]);
    let v6_first = ipv6(44, &join(&[&[6, 0, 0, 1, 0, 0, 0, 9], &payload[..16]]));
    let v6_last = ipv6(44, &join(&[&[6, 0, 0, 16, 0, 0, 0, 9], &payload[16..]]));
    for (one, other, total_len) in [(&first, &last, 45), (&last, &first, 45), (&v6_first, &v6_last, 65), (&v6_last, &v6_first, 65)] {
        assert!(matches!(decoder.decode(&frame(RAW, one, one.len())), Packet::Skipped(Skip::Fragment)));
        let Packet::Tcp(view) = decoder.decode(&frame(RAW, other, other.len())) else { panic!() };
        assert_eq!((view.seq, view.payload, view.payload_len), (1000, b"hello".as_slice(), 5));
        assert!(view.ip.was_fragmented);
        assert_eq!(view.ip.total_len, total_len);
    }
    assert_eq!(decoder.fragment_counters(), FragmentCounters { joined: 4, ..FragmentCounters::default() });
}

#[test]
fn fragments_of_a_tunnel_and_of_the_packet_in_it() {
    let inner = [ipv4_with(6, 1, 0x2000, &tcp()[..16]), ipv4_with(6, 1, 2, &tcp()[16..])];
    let mut decoder = Decoder::new();
    let mut seen = 0;
    for (id, inner) in (100..).zip(&inner) {
        for piece in [ipv4_with(4, id, 0x2000, &inner[..24]), ipv4_with(4, id, 3, &inner[24..])] {
            if let Packet::Tcp(view) = decoder.decode(&frame(RAW, &piece, piece.len())) {
                assert_eq!(view.payload, b"hello");
                assert_eq!(view.path.layers().collect::<Vec<_>>(), [Layer::IpInIp]);
                seen += 1;
            }
        }
    }
    assert_eq!((seen, decoder.fragment_counters().joined), (1, 3));
}

#[test]
fn a_first_fragment_of_a_tunnel_that_stays_alone_names_the_inner_flow() {
    let vxlan = join(&[&[8, 0, 0, 0, 0, 0, 42, 0], &ethernet(0x0800, &ipv4(6, &tcp()))]);
    let whole = udp(9, 4789, &vxlan);
    let piece = ipv4_with(17, 5, 0x2000, &whole[20..92]);
    let mut decoder = Decoder::new();
    assert!(matches!(decoder.decode(&frame(RAW, &piece, piece.len())), Packet::Skipped(Skip::Fragment)));
    decoder.finish(Timestamp::MAX);
    let lost = decoder.take_lost();
    assert_eq!((lost[0].key.low.port, lost[0].key.transport), (40000, Transport::Tcp));
}

#[test]
fn icmp_errors() {
    let quoted = ipv4(6, &tcp());
    let read = |version: u8, kind: u8, code: u8, word: [u8; 4], quoted: &[u8]| {
        let body = join(&[&[kind, code, 0, 0], &word, quoted]);
        let bytes = if version == 4 { ipv4(1, &body) } else { ipv6(58, &body) };
        match Decoder::new().decode(&frame(RAW, &bytes, bytes.len())) {
            Packet::IcmpError(error) => Ok(error),
            Packet::Skipped(skip) => Err(skip),
            other => panic!("{other:?}"),
        }
    };
    let error = read(4, 3, 4, [0, 0, 0x05, 0x78], &quoted[..28]).unwrap();
    assert_eq!((error.kind, error.quoted_seq, error.quoted_len, error.ttl), (IcmpKind::TooBig(1400), Some(1000), 45, 64));
    assert!(error.quoted_from_low && error.key.low.port == 40000 && error.transport() == Transport::Tcp);
    let kinds = [
        (3, 1, IcmpKind::Unreachable),
        (3, 3, IcmpKind::PortUnreachable),
        (3, 13, IcmpKind::Prohibited),
        (11, 0, IcmpKind::TimeExceeded),
        (12, 0, IcmpKind::Other),
    ];
    for (icmp_type, code, kind) in kinds {
        assert_eq!(read(4, icmp_type, code, [0; 4], &quoted).unwrap().kind, kind);
    }
    assert_eq!(read(4, 5, 1, [0; 4], &quoted), Err(Skip::IcmpOther)); // a redirect
    assert_eq!(read(4, 8, 0, [0; 4], &quoted), Err(Skip::IcmpOther));
    assert_eq!(read(4, 3, 3, [0; 4], &udp(53, 9, &[])).unwrap().quoted_seq, None);
    let quoted = ipv6(0, &join(&[&[6, 0, 1, 4, 0, 0, 0, 0], &tcp()]));
    let kinds = [
        (1, 0, IcmpKind::Unreachable),
        (1, 1, IcmpKind::Prohibited),
        (1, 4, IcmpKind::PortUnreachable),
        (2, 0, IcmpKind::TooBig(1280)),
        (3, 0, IcmpKind::TimeExceeded),
        (4, 1, IcmpKind::Other),
    ];
    for (icmp_type, code, kind) in kinds {
        let error = read(6, icmp_type, code, [0, 0, 5, 0], &quoted).unwrap();
        assert_eq!((error.kind, error.quoted_seq, error.quoted_len), (kind, Some(1000), 73));
    }
    assert_eq!(read(6, 135, 0, [0; 4], &quoted), Err(Skip::IcmpOther));
}

#[test]
fn an_icmp_error_that_is_cut_before_the_ports_it_quotes_is_counted_as_such() {
    let body = join(&[&[3, 1, 0, 0, 0, 0, 0, 0], &ipv4(6, &tcp())]);
    let bytes = ipv4(1, &body);
    assert!(matches!(Decoder::new().decode(&frame(RAW, &bytes[..50], bytes.len())), Packet::Skipped(Skip::IcmpTruncated)));
    let echo = ipv4(1, &[8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
    assert!(matches!(Decoder::new().decode(&frame(RAW, &echo[..28], echo.len())), Packet::Skipped(Skip::IcmpOther)));
}

/// An EAP-Success of station 2 to station 1, with padding behind it.
#[test]
fn eapol_names_its_stations() {
    let eapol = [2, 0, 0, 4, 3, 7, 0, 4, 0, 0, 0];
    let (to, from) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let llc = [0xaa, 0xaa, 3, 0, 0, 0, 0x88, 0x8e];
    let radio = join(&[&[0x88, 0x02, 0, 0], &to, &from, &from, &[0x10, 0, 0, 0], &llc, &eapol]);
    let cooked = join(&[&[0, 0, 0, 1, 0, 6], &from, &[0, 0, 0x88, 0x8e], &eapol]);
    let cases: [(u32, Vec<u8>, &[Layer], _); 5] = [
        (ETHERNET, ethernet(0x888e, &eapol), &[], (from, to)),
        (ETHERNET, ethernet(0x8100, &join(&[&[0, 9, 0x88, 0x8e], &eapol])), &[Layer::Vlan(9)], (from, to)),
        (105, radio.clone(), &[], (from, to)),
        (127, join(&[&[0, 0, 8, 0, 0, 0, 0, 0], &radio]), &[], (from, to)),
        (113, cooked, &[], (from, [0; 6])),
    ];
    for (link, bytes, path, stations) in cases {
        let mut decoder = Decoder::new();
        let Packet::Eapol(datagram) = decoder.decode(&frame(link, &bytes, bytes.len())) else { panic!("link {link}") };
        assert_eq!((datagram.payload, datagram.payload_len, datagram.stations), (&eapol[..8], 8, Some(stations)), "link {link}");
        assert_eq!(datagram.path.layers().collect::<Vec<_>>(), path);
        let anyone = Endpoint::station([0; 6]);
        assert_eq!((datagram.key.transport, datagram.key.low, datagram.key.high), (Transport::Eapol, anyone, anyone), "one key for a link");
    }
    for other in [[2, 3, 0, 4], [2, 5, 0, 4], [9, 0, 0, 4]] {
        let bytes = ethernet(0x888e, &other);
        let mut decoder = Decoder::new();
        assert!(matches!(decoder.decode(&frame(ETHERNET, &bytes, bytes.len())), Packet::Skipped(Skip::NotIp)), "{other:?}: keys, MACsec");
    }
}

proptest! {
    /// Whatever the bytes and whichever the link type, there is an answer, and never more payload than the wire had.
    #[test]
    fn any_bytes(link in prop::sample::select(vec![0, 1, 9, 12, 50, 51, 100, 101, 104, 105, 109, 113, 117, 119, 127, 163, 192, 204, 205,
        219, 228, 229, 239, 258, 276]), start in prop::sample::select(vec![vec![], ethernet(0x0800, &udp(9, 4789, &[8, 0, 0, 0])),
        ethernet(0x8847, &[]), ethernet(0x888e, &[2, 0]), ipv4(47, &[]), ipv6(43, &[]), ipv6(44, &[6, 0])]), bytes in proptest::collection::vec(any::<u8>(), 0..200),
        original_len in 0_usize..400) {
        let bytes = [start, bytes].concat();
        let mut decoder = Decoder::new();
        for _ in 0..2 {
            match decoder.decode(&frame(link, &bytes, original_len)) {
                Packet::Tcp(segment) => prop_assert!(segment.payload.len() <= segment.payload_len as usize),
                Packet::Udp(datagram) | Packet::Eapol(datagram) => prop_assert!(datagram.payload.len() <= datagram.payload_len as usize),
                Packet::IcmpError(_) | Packet::Skipped(_) => {}
            }
        }
    }
}
