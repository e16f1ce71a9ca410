//! Names the frames that the walk does not enter: Ethernet types, service access points and IP protocols that carry no flow.

use crate::frame::Frame;
use crate::packet::Skip;
use crate::packet::state::{Next, Unread, Walk};
use crate::traffic::{Bearer, UNKNOWN};

/// What a frame that was skipped for this reason carries; `None` where its header does not tell.
#[cold]
pub(crate) fn name_skipped(frame: &Frame<'_>, reason: Skip) -> Option<(Bearer, &'static str)> {
    match reason {
        Skip::IcmpOther | Skip::IcmpTruncated => return Some((Bearer::Ip, "ICMP")),
        Skip::Radio | Skip::NotIp | Skip::IpProtocol => {}
        Skip::LinkType | Skip::Truncated | Skip::Malformed | Skip::Fragment | Skip::TooDeep => return None,
    }
    let mut walk = Walk::new(frame);
    let _ = walk.advance(Next::Link(frame.head.link));
    let (bearer, name) = match walk.unread {
        Unread::Nothing => (Bearer::Link, (reason == Skip::Radio).then_some("Wi-Fi")),
        Unread::Protected => (Bearer::Link, Some("encrypted Wi-Fi")),
        Unread::Ether(kind) => (Bearer::Link, find(ETHER, kind)),
        Unread::Llc(point) => (Bearer::Link, find(LLC, point)),
        Unread::Ip(protocol) => (Bearer::Ip, find(IP, protocol)),
    };
    Some((bearer, name.unwrap_or(UNKNOWN)))
}

fn find<T: PartialEq + Copy>(table: &[(T, &'static str)], wanted: T) -> Option<&'static str> {
    table.iter().find(|(number, _)| *number == wanted).map(|(_, name)| *name)
}

/// <https://www.iana.org/assignments/ieee-802-numbers>
const ETHER: &[(u16, &str)] = &[
    (0x0806, "ARP"),
    (0x0842, "Wake-on-LAN"),
    (0x22f0, "AVTP"),
    (0x8035, "RARP"),
    (0x8137, "IPX"),
    (0x8809, "LACP"),
    (0x8863, "PPPoE discovery"),
    (0x888e, "EAPOL"),
    (0x8892, "PROFINET"),
    (0x88a2, "ATA over Ethernet"),
    (0x88a4, "EtherCAT"),
    (0x88b8, "GOOSE"),
    (0x88ba, "IEC 61850 sampled values"),
    (0x88cc, "LLDP"),
    (0x88e1, "HomePlug"),
    (0x88e3, "MRP"),
    (0x88e5, "MACsec"),
    (0x88f7, "PTP"),
    (0x8902, "Ethernet OAM"),
    (0x8906, "FCoE"),
    (0x8914, "FCoE"),
    (0x8915, "RoCE"),
    (0x9000, "loopback test"),
];

/// Destination service access points (ISO/IEC TR 11802-1).
const LLC: &[(u8, &str)] = &[(0x42, "spanning tree"), (0xaa, "SNAP"), (0xe0, "IPX"), (0xf0, "NetBEUI"), (0xfe, "IS-IS")];

/// <https://www.iana.org/assignments/protocol-numbers>
const IP: &[(u8, &str)] = &[
    (2, "IGMP"),
    (33, "DCCP"),
    (46, "RSVP"),
    (47, "GRE"),
    (50, "IPsec ESP"),
    (88, "EIGRP"),
    (89, "OSPF"),
    (97, "EtherIP"),
    (103, "PIM"),
    (108, "IPComp"),
    (112, "VRRP"),
    (115, "L2TPv3"),
    (132, "SCTP"),
    (136, "UDP-Lite"),
];
