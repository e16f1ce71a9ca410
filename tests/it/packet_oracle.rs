//! The decoder against etherparse: where both decode a packet, they must see the same.

use etherparse::{LaxSlicedPacket, PacketBuilder, SlicedPacket, TransportSlice, VlanId};
use handshark::flow::{Endpoint, Layer};
use handshark::frame::{Frame, FrameHead, LinkType};
use handshark::packet::{Decoder, Packet, Skip, TcpOptions, tcp_options};
use handshark::time::Timestamp;
use proptest::prelude::*;

/// What both are asked.
#[derive(Debug, PartialEq, Eq)]
struct View {
    tcp: bool,
    from: Endpoint,
    to: Endpoint,
    vlans: Vec<u16>,
    seq: u32,
    ack: u32,
    flags: u8,
    window: u16,
    options: Vec<u8>,
    payload: Vec<u8>,
}

fn ours(bytes: &[u8], original_len: usize) -> Result<View, Skip> {
    view(&mut Decoder::new(), bytes, original_len)
}

fn view(decoder: &mut Decoder, bytes: &[u8], original_len: usize) -> Result<View, Skip> {
    let head = FrameHead {
        number: 1,
        time: Timestamp::from_parts(0, 0),
        link: LinkType(1),
        interface: 0,
        site: handshark::site::Site::NONE,
        original_len: u32::try_from(original_len).unwrap(),
    };
    let view = match decoder.decode(&Frame { head, bytes }) {
        Packet::Tcp(segment) => View {
            tcp: true,
            from: segment.source(),
            to: segment.destination(),
            vlans: vlans(segment.path.layers()),
            seq: segment.seq,
            ack: segment.ack,
            flags: segment.flags.0,
            window: segment.window,
            options: segment.options.to_vec(),
            payload: segment.payload.to_vec(),
        },
        Packet::Udp(datagram) => {
            let (low, high) = (datagram.key.low, datagram.key.high);
            let (from, to) = if datagram.from_low { (low, high) } else { (high, low) };
            let payload = datagram.payload.to_vec();
            let vlans = vlans(datagram.path.layers());
            View { tcp: false, from, to, vlans, seq: 0, ack: 0, flags: 0, window: 0, options: Vec::new(), payload }
        }
        Packet::Eapol(_) => return Err(Skip::NotIp),
        Packet::IcmpError(_) => return Err(Skip::IcmpOther),
        Packet::Skipped(skip) => return Err(skip),
    };
    Ok(view)
}

fn vlans(layers: impl Iterator<Item = Layer>) -> Vec<u16> {
    layers.filter_map(|layer| if let Layer::Vlan(id) = layer { Some(id) } else { None }).collect()
}

fn transport(slice: &TransportSlice<'_>, from: [std::net::IpAddr; 2], vlans: Vec<u16>) -> Option<View> {
    let [source, destination] = from;
    match slice {
        TransportSlice::Tcp(tcp) => Some(View {
            tcp: true,
            from: Endpoint::new(source, tcp.source_port()),
            to: Endpoint::new(destination, tcp.destination_port()),
            vlans,
            seq: tcp.sequence_number(),
            ack: tcp.acknowledgment_number(),
            flags: tcp.slice()[13],
            window: tcp.window_size(),
            options: tcp.options().to_vec(),
            payload: tcp.payload().to_vec(),
        }),
        TransportSlice::Udp(udp) => Some(View {
            tcp: false,
            from: Endpoint::new(source, udp.source_port()),
            to: Endpoint::new(destination, udp.destination_port()),
            vlans,
            seq: 0,
            ack: 0,
            flags: 0,
            window: 0,
            options: Vec::new(),
            payload: udp.payload().to_vec(),
        }),
        TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_) => None,
    }
}

/// etherparse's strict view.
fn strict(bytes: &[u8]) -> Option<View> {
    let sliced = SlicedPacket::from_ethernet(bytes).ok()?;
    let vlans = sliced.vlan_ids().iter().map(|id| id.value()).filter(|id| *id != 0).collect();
    let addresses = match sliced.net.as_ref()? {
        etherparse::NetSlice::Ipv4(ip) => [ip.header().source_addr().into(), ip.header().destination_addr().into()],
        etherparse::NetSlice::Ipv6(ip) => [ip.header().source_addr().into(), ip.header().destination_addr().into()],
        etherparse::NetSlice::Arp(_) => return None,
    };
    transport(sliced.transport.as_ref()?, addresses, vlans)
}

/// Its view of frames that are cut or contradict themselves.
fn lax(bytes: &[u8]) -> Option<View> {
    let sliced = LaxSlicedPacket::from_ethernet(bytes).ok()?;
    let vlans = sliced.vlan_ids().iter().map(|id| id.value()).filter(|id| *id != 0).collect();
    let addresses = match sliced.net.as_ref()? {
        etherparse::LaxNetSlice::Ipv4(ip) => [ip.header().source_addr().into(), ip.header().destination_addr().into()],
        etherparse::LaxNetSlice::Ipv6(ip) => [ip.header().source_addr().into(), ip.header().destination_addr().into()],
        etherparse::LaxNetSlice::Arp(_) => return None,
    };
    transport(sliced.transport.as_ref()?, addresses, vlans)
}

/// How a packet is built.
#[derive(Debug, Clone)]
struct Recipe {
    v6: bool,
    tcp: bool,
    vlans: Vec<u16>,
    ports: (u16, u16),
    seq: u32,
    options: Vec<u8>,
    payload: Vec<u8>,
    padding: usize,
}

fn recipe() -> impl Strategy<Value = Recipe> {
    // ports of UDP tunnels are left out: inside these, etherparse does not look
    let port = 5000_u16..6000;
    (
        any::<bool>(),
        any::<bool>(),
        proptest::collection::vec(0_u16..4095, 0..3),
        (port.clone(), port),
        any::<u32>(),
        proptest::collection::vec(any::<u8>(), 0..40),
        proptest::collection::vec(any::<u8>(), 0..80),
        0_usize..20,
    )
        .prop_map(|(v6, tcp, vlans, ports, seq, options, payload, padding)| Recipe {
            v6,
            tcp,
            vlans,
            ports,
            seq,
            options,
            payload,
            padding,
        })
}

fn build(recipe: &Recipe) -> Vec<u8> {
    let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let id = |id: u16| VlanId::try_new(id).unwrap();
    let source = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let destination = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    let ip = match (recipe.vlans.as_slice(), recipe.v6) {
        ([], false) => link.ipv4([192, 0, 2, 2], [192, 0, 2, 1], 64),
        ([], true) => link.ipv6(source, destination, 64),
        ([one], false) => link.single_vlan(id(*one)).ipv4([192, 0, 2, 2], [192, 0, 2, 1], 64),
        ([one], true) => link.single_vlan(id(*one)).ipv6(source, destination, 64),
        ([one, two, ..], false) => link.double_vlan(id(*one), id(*two)).ipv4([192, 0, 2, 2], [192, 0, 2, 1], 64),
        ([one, two, ..], true) => link.double_vlan(id(*one), id(*two)).ipv6(source, destination, 64),
    };
    let mut bytes = Vec::new();
    if recipe.tcp {
        let tcp = ip.tcp(recipe.ports.0, recipe.ports.1, recipe.seq, 4096).ack(recipe.seq ^ 0xffff).psh();
        tcp.options_raw(&recipe.options).unwrap().write(&mut bytes, &recipe.payload).unwrap();
    } else {
        ip.udp(recipe.ports.0, recipe.ports.1).write(&mut bytes, &recipe.payload).unwrap();
    }
    bytes.extend(std::iter::repeat_n(0xee, recipe.padding));
    bytes
}

/// A fragment of a UDP datagram; `offset` in units of eight bytes.
fn fragment(v6: bool, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let offset = etherparse::IpFragOffset::try_new(offset).unwrap();
    let mut bytes = vec![0; 12];
    if v6 {
        bytes.extend([0x86, 0xdd]);
        let payload_length = u16::try_from(payload.len() + 8).unwrap();
        let next_header = etherparse::ip_number::IPV6_FRAG;
        let header = etherparse::Ipv6Header { payload_length, next_header, hop_limit: 64, ..etherparse::Ipv6Header::default() };
        header.write(&mut bytes).unwrap();
        etherparse::Ipv6FragmentHeader::new(etherparse::ip_number::UDP, offset, more, 77).write(&mut bytes).unwrap();
    } else {
        bytes.extend([0x08, 0x00]);
        let len = u16::try_from(payload.len()).unwrap();
        let mut header = etherparse::Ipv4Header::new(len, 64, etherparse::ip_number::UDP, [192, 0, 2, 1], [192, 0, 2, 2]).unwrap();
        (header.fragment_offset, header.more_fragments, header.dont_fragment, header.identification) = (offset, more, false, 77);
        header.write(&mut bytes).unwrap();
    }
    bytes.extend(payload);
    bytes
}

#[test]
fn options_are_those_that_were_built() {
    use etherparse::TcpOptionElement::{MaximumSegmentSize, SelectiveAcknowledgementPermitted, Timestamp, WindowScale};
    let options = [MaximumSegmentSize(1440), SelectiveAcknowledgementPermitted, Timestamp(1, 2), WindowScale(9)];
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2([0; 6], [0; 6])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(40000, 443, 1, 65535)
        .syn()
        .options(&options)
        .unwrap()
        .write(&mut bytes, &[])
        .unwrap();
    let view = ours(&bytes, bytes.len()).unwrap();
    let expected =
        TcpOptions { mss: Some(1440), window_scale: Some(9), sack_permitted: true, timestamps: Some((1, 2)), ..TcpOptions::default() };
    assert_eq!(tcp_options(&view.options), expected);
}

proptest! {
    #[test]
    fn whole_packets(recipe in recipe()) {
        let bytes = build(&recipe);
        let view = ours(&bytes, bytes.len());
        let theirs = strict(&bytes);
        prop_assert_eq!(view.as_ref().ok(), theirs.as_ref());
        let view = view.unwrap();
        prop_assert_eq!((view.tcp, view.payload), (recipe.tcp, recipe.payload));
    }

    /// Cut anywhere: nothing is read that etherparse does not read, save a segment whose options are cut, which it gives up.
    #[test]
    fn cut_packets(recipe in recipe(), at in any::<prop::sample::Index>()) {
        let bytes = build(&recipe);
        let cut = &bytes[..at.index(bytes.len())];
        match (ours(cut, bytes.len()), lax(cut)) {
            (Ok(ours), Some(theirs)) => prop_assert_eq!(ours, theirs),
            (Ok(ours), None) => prop_assert!(ours.tcp && ours.payload.is_empty()),
            (Err(skip), theirs) => prop_assert_eq!((skip, theirs), (Skip::Truncated, None)),
        }
    }

    /// The same fragments of both versions, in any order, join to the same payload.
    #[test]
    fn fragments(v6: bool, payload in proptest::collection::vec(any::<u8>(), 30..300), order in Just([0_usize, 1, 2]).prop_shuffle()) {
        use etherparse::defrag::IpDefragPool;
        let mut bytes = Vec::new();
        let udp = etherparse::UdpHeader { source_port: 5000, destination_port: 5001, length: u16::try_from(8 + payload.len()).unwrap(), checksum: 0 };
        udp.write(&mut bytes).unwrap();
        bytes.extend(&payload);
        let bounds = [0, 8, 24, bytes.len()];
        let mut decoder = Decoder::new();
        let mut pool = IpDefragPool::<(), ()>::new();
        for (place, piece) in order.into_iter().enumerate() {
            let (from, to) = (bounds[piece], bounds[piece + 1]);
            let frame = fragment(v6, u16::try_from(from / 8).unwrap(), piece < 2, &bytes[from..to]);
            let theirs = pool.process_sliced_packet(&SlicedPacket::from_ethernet(&frame).unwrap(), (), ()).unwrap();
            let ours = view(&mut decoder, &frame, frame.len());
            prop_assert_eq!(ours.is_ok(), place == 2);
            prop_assert_eq!(ours.ok().map(|view| view.payload), theirs.map(|whole| whole.payload[8..].to_vec()));
        }
    }

    /// Changed at random: where etherparse still reads a packet strictly, so do we, and the same.
    #[test]
    fn changed_packets(recipe in recipe(), changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = build(&recipe);
        let len = bytes.len().min(80);
        for (at, value) in changes {
            bytes[at.index(len)] = value;
        }
        if let Some(theirs) = strict(&bytes) {
            prop_assert_eq!(ours(&bytes, bytes.len()), Ok(theirs));
        }
    }
}
