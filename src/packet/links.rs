//! Link types: one table, a row for each, and the readers of the small ones.
//!
//! Numbers and headers are those of <https://www.tcpdump.org/linktypes.html>.

use crate::frame::LinkType;
use crate::packet::Skip;
use crate::packet::ip::fits_ip;
use crate::packet::radio;
use crate::packet::state::{LinkHeader, Next, Walk};

/// The name of a link type, for messages; `None` for one we do not know.
pub fn link_name(link: LinkType) -> Option<&'static str> {
    LINKS.iter().find(|row| row.number == link.0).map(|row| row.name)
}

/// Whether frames of a link type are decoded.
pub fn reads_link(link: LinkType) -> bool {
    LINKS.iter().any(|row| row.number == link.0 && row.read.is_some())
}

/// Takes a frame's link-layer header.
#[inline]
pub(super) fn read(walk: &mut Walk<'_>, link: LinkType) -> Result<Next, Skip> {
    if link == ETHERNET {
        return walk.ethernet(); // nearly all frames: worth not asking the table
    }
    let row = LINKS.iter().find(|row| row.number == link.0).ok_or(Skip::LinkType)?;
    row.read.map_or(Err(Skip::LinkType), |read| read(walk))
}

/// `LINKTYPE_NULL` and `LINKTYPE_LOOP`: an address family, in the byte order of the machine or the network. Each system has its own number
/// for IPv6.
fn loopback(walk: &mut Walk<'_>) -> Result<Next, Skip> {
    match *walk.rest.take::<4>()? {
        [2, 0, 0, 0] | [0, 0, 0, 2] => Ok(Next::Ipv4),
        [10 | 23 | 24 | 26 | 28 | 30, 0, 0, 0] | [0, 0, 0, 10 | 23 | 24 | 26 | 28 | 30] => Ok(Next::Ipv6),
        _ => Err(Skip::NotIp),
    }
}

fn cisco_hdlc(walk: &mut Walk<'_>) -> Result<Next, Skip> {
    walk.cisco_hdlc()
}

fn cooked(walk: &mut Walk<'_>) -> Result<Next, Skip> {
    let &[_, _, h0, h1, _, _, ref station @ .., p0, p1] = walk.rest.take::<16>()?;
    walk.link = LinkHeader::Cooked(station);
    cooked_payload([h0, h1], [p0, p1])
}

fn cooked_2(walk: &mut Walk<'_>) -> Result<Next, Skip> {
    let &[p0, p1, _, _, _, _, _, _, h0, h1, _, _, ref station @ ..] = walk.rest.take::<20>()?;
    walk.link = LinkHeader::Cooked(station);
    cooked_payload([h0, h1], [p0, p1])
}

/// What the protocol field means depends on the kind of device (`ARPHRD_`).
const fn cooked_payload(device: [u8; 2], protocol: [u8; 2]) -> Result<Next, Skip> {
    match (u16::from_be_bytes(device), u16::from_be_bytes(protocol)) {
        (801, _) => Ok(Next::Link(LinkType(105))),
        (802, _) => Ok(Next::Link(LinkType(119))),
        (803, _) => Ok(Next::Link(LinkType(127))),
        (824, _) | (_, 0x0001) => Err(Skip::NotIp), // netlink; Novell's raw 802.3
        (_, 0x0004) => Ok(Next::Llc),
        (_, protocol) => Ok(Next::Ether(protocol)),
    }
}

/// Both 20-byte addresses, then an encapsulation header (RFC 4391 section 6).
fn infiniband(walk: &mut Walk<'_>) -> Result<Next, Skip> {
    let &[.., t0, t1, _, _] = walk.rest.take::<44>()?;
    Ok(Next::Ether(u16::from_be_bytes([t0, t1])))
}

/// Netfilter log: attributes in the byte order of the machine that wrote them, one of which is the packet.
fn netfilter_log(walk: &mut Walk<'_>) -> Result<Next, Skip> {
    const PAYLOAD: u8 = 9;
    walk.rest.skip(4)?;
    loop {
        let &[a, b, t0, t1] = walk.rest.take::<4>()?;
        // no attribute has a type beyond 255, so one byte of it is zero
        let (len, kind) = if t1 == 0 { (u16::from_le_bytes([a, b]), t0) } else { (u16::from_be_bytes([a, b]), t1) };
        let body = u32::from(len).checked_sub(4).ok_or(Skip::Malformed)?;
        if kind == PAYLOAD {
            walk.rest.limit(body);
            return fits_ip(&walk.rest).ok_or(Skip::NotIp);
        }
        walk.rest.skip(body.next_multiple_of(4) as usize)?;
    }
}

/// OpenBSD and FreeBSD packet filter log: the first byte is the header's length without its padding.
fn packet_filter_log(walk: &mut Walk<'_>) -> Result<Next, Skip> {
    let &[len] = walk.rest.take::<1>()?;
    let len = usize::from(len).next_multiple_of(4);
    walk.rest.skip(len.checked_sub(1).ok_or(Skip::Malformed)?)?;
    Ok(Next::Ip)
}

/// Apple's packet tap: length of the header, kind of record, link type of what follows.
fn packet_tap(walk: &mut Walk<'_>) -> Result<Next, Skip> {
    let &[l0, l1, l2, l3, _, _, _, _, d0, d1, d2, d3] = walk.rest.take::<12>()?;
    let rest = u32::from_le_bytes([l0, l1, l2, l3]).checked_sub(12).ok_or(Skip::Malformed)?;
    walk.rest.skip(rest as usize)?;
    Ok(Next::Link(LinkType(u32::from_le_bytes([d0, d1, d2, d3]))))
}

/// Frame control and both addresses, then LLC.
fn fddi(walk: &mut Walk<'_>) -> Result<Next, Skip> {
    let &[control, ..] = walk.rest.take::<13>()?;
    // Tokens, beacons and the like carry nothing.
    if control & 0xf0 == 0x50 { Ok(Next::Llc) } else { Err(Skip::NotIp) }
}

/// A record as Endace's cards write it: time, kind, flags, lengths, then extension headers, each of which says whether another follows.
fn extensible_record(walk: &mut Walk<'_>) -> Result<Next, Skip> {
    const MORE: u8 = 0x80;
    let &[_, _, _, _, _, _, _, _, kind, _, _, _, _, _, _, _] = walk.rest.take::<16>()?;
    let mut more = kind & MORE;
    while more != 0 {
        let &[extension, _, _, _, _, _, _, _] = walk.rest.take::<8>()?;
        more = extension & MORE;
    }
    match kind & !MORE {
        2 | 11 | 16 | 20 => {
            walk.rest.skip(2)?; // offset and padding before the frame
            Ok(Next::Ethernet)
        }
        22 => Ok(Next::Ipv4),
        23 => Ok(Next::Ipv6),
        _ => Err(Skip::LinkType),
    }
}

/// Juniper's routers write a mark, flags and, where one of these says so, extensions before the frame; some frames are without their link header.
fn juniper_ethernet(walk: &mut Walk<'_>) -> Result<Next, Skip> {
    const EXTENDED: u8 = 0x80;
    const NO_LINK_HEADER: u8 = 0x02;
    let &[b'M', b'G', b'C', flags] = walk.rest.take::<4>()? else { return Err(Skip::Malformed) };
    if flags & EXTENDED != 0 {
        let len = u16::from_be_bytes(*walk.rest.take::<2>()?);
        walk.rest.skip(usize::from(len))?;
    }
    if flags & NO_LINK_HEADER == 0 {
        return Ok(Next::Ethernet);
    }
    walk.rest.skip(4)?;
    fits_ip(&walk.rest).ok_or(Skip::NotIp)
}

fn after_direction(walk: &mut Walk<'_>, next: Next) -> Result<Next, Skip> {
    walk.rest.skip(1)?;
    Ok(next)
}

pub(super) const ETHERNET: LinkType = LinkType(1);

/// Takes a frame's link-layer header.
type Read = fn(&mut Walk<'_>) -> Result<Next, Skip>;

/// A row of the table.
struct Link {
    number: u32,
    name: &'static str,
    /// `None`: known by name only.
    read: Option<Read>,
}

const fn row(number: u32, name: &'static str, read: Read) -> Link {
    Link { number, name, read: Some(read) }
}

const fn unread(number: u32, name: &'static str) -> Link {
    Link { number, name, read: None }
}

/// Searched in order, so the common ones come first.
static LINKS: &[Link] = &[
    row(ETHERNET.0, "Ethernet", |_| Ok(Next::Ethernet)),
    row(113, "Linux cooked", cooked),
    row(276, "Linux cooked v2", cooked_2),
    row(101, "raw IP", |_| Ok(Next::Ip)),
    row(12, "raw IP", |_| Ok(Next::Ip)),
    row(14, "raw IP", |_| Ok(Next::Ip)),
    row(228, "raw IPv4", |_| Ok(Next::Ipv4)),
    row(229, "raw IPv6", |_| Ok(Next::Ipv6)),
    row(0, "BSD loopback", loopback),
    row(108, "OpenBSD loopback", loopback),
    row(9, "PPP", |_| Ok(Next::Ppp)),
    row(50, "PPP in HDLC framing", |_| Ok(Next::Ppp)),
    row(51, "PPPoE", |_| Ok(Next::Pppoe)),
    row(100, "LLC over ATM", |_| Ok(Next::Llc)),
    row(104, "Cisco HDLC", cisco_hdlc),
    row(105, "802.11", radio::ieee80211),
    row(109, "OpenBSD IPsec", |walk| walk.rest.skip(12).map(|()| Next::Ip)),
    row(117, "packet filter log", packet_filter_log),
    row(119, "802.11 with Prism header", radio::prism),
    row(127, "802.11 with radiotap header", radio::radiotap),
    row(163, "802.11 with AVS header", radio::prism),
    row(192, "per-packet information", radio::per_packet_information),
    row(204, "PPP with direction", |walk| after_direction(walk, Next::Ppp)),
    row(205, "Cisco HDLC with direction", |walk| after_direction(walk, Next::Link(LinkType(104)))),
    row(219, "MPLS", |_| Ok(Next::Mpls)),
    row(239, "netfilter log", netfilter_log),
    row(242, "IP over InfiniBand", infiniband),
    row(258, "Apple packet tap", packet_tap),
    row(10, "FDDI", fddi),
    row(178, "Juniper Ethernet", juniper_ethernet),
    row(197, "extensible record format", extensible_record),
    unread(6, "token ring"),
    unread(8, "SLIP"),
    unread(107, "frame relay"),
    unread(122, "IP over Fibre Channel"),
    unread(123, "SunATM"),
    unread(143, "DOCSIS"),
    unread(147, "user-defined 0"),
    unread(187, "Bluetooth HCI"),
    unread(189, "Linux USB"),
    unread(195, "802.15.4"),
    unread(201, "Bluetooth HCI with direction"),
    unread(220, "Linux USB, memory-mapped"),
    unread(224, "Fibre Channel"),
    unread(227, "SocketCAN"),
    unread(249, "USBPcap"),
    unread(251, "Bluetooth Low Energy"),
    unread(252, "Wireshark upper PDU"),
    unread(253, "netlink"),
    unread(271, "vsock"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_one_row() {
        let mut numbers: Vec<u32> = LINKS.iter().map(|row| row.number).collect();
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn names_what_it_cannot_read() {
        assert_eq!(link_name(LinkType(1)), Some("Ethernet"));
        assert_eq!(link_name(LinkType(249)), Some("USBPcap"));
        assert!(reads_link(LinkType(1)) && !reads_link(LinkType(249)));
        assert_eq!(link_name(LinkType(60000)), None);
    }
}
