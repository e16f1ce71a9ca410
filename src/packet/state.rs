//! The state of a walk through a frame: what is left of it, what the headers taken said, and what comes next.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::flow::{Endpoint, FlowKey, Layer, Mac, Path, Transport};
use crate::frame::{Frame, LinkType};
use crate::limits;
use crate::packet::cursor::Cursor;
use crate::packet::{IpFacts, Skip};
use crate::site::Site;
use crate::time::Mark;

/// A walk through one frame, or through an IP packet joined from fragments.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    /// What is left.
    pub(super) rest: Cursor<'a>,
    /// What was learnt from the headers taken.
    pub(super) around: Around,
    /// The IP fragment at which the walk stopped; then `rest` is its payload.
    pub(super) piece: Option<Piece>,
    /// What the walk stopped at, where it is of no use here.
    pub(super) unread: Unread,
    /// The last header that named stations of a link.
    pub(super) link: LinkHeader<'a>,
}

/// A header that names who sent a frame, and to whom. It is read only where somebody asks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum LinkHeader<'a> {
    /// There was none.
    #[default]
    Nothing,
    /// Ethernet: receiver, sender.
    Ethernet(&'a [u8; 14]),
    /// 802.11: receiver and transmitter of the frame stand from the first of these on.
    Radio(&'a [u8; 22]),
    /// Linux cooked: the sender's address.
    Cooked(&'a [u8]),
}

impl LinkHeader<'_> {
    /// Sender and receiver; a receiver that the header does not name is nobody.
    pub(super) fn stations(&self) -> Option<(Mac, Mac)> {
        let (to, from) = match self {
            Self::Nothing => return None,
            Self::Ethernet([t0, t1, t2, t3, t4, t5, f0, f1, f2, f3, f4, f5, ..])
            | Self::Radio([_, _, t0, t1, t2, t3, t4, t5, f0, f1, f2, f3, f4, f5, ..]) => {
                ([*t0, *t1, *t2, *t3, *t4, *t5], [*f0, *f1, *f2, *f3, *f4, *f5])
            }
            Self::Cooked(from) => ([0; 6], *from.first_chunk()?),
        };
        Some((from, to))
    }
}

/// What a walk does not enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Unread {
    /// It stopped for another reason.
    #[default]
    Nothing,
    /// The payload of this Ethernet type.
    Ether(u16),
    /// The payload of this 802.2 service access point.
    Llc(u8),
    /// The payload of this IP protocol.
    Ip(u8),
    /// The payload of an 802.11 frame, which is encrypted.
    Protected,
}

/// What the outer headers said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    /// The frame.
    pub(super) mark: Mark,
    /// The site where it was captured.
    pub(super) site: Site,
    /// Tunnels so far.
    pub(super) path: Path,
    /// Tags, tunnels and joined packets so far.
    pub(super) depth: usize,
    /// Some IP packet on the way was joined from fragments.
    pub(super) joined: bool,
    /// The addresses of the innermost IP header.
    pub(super) ends: Ends,
    /// The innermost IP header.
    pub(super) ip: IpFacts,
}

/// Sender and receiver as plain numbers: to build an [`IpAddr`] early and read it again costs more than all other steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ends {
    V4 { source: u32, destination: u32 },
    V6 { source: u128, destination: u128 },
}

/// Where an IP fragment belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// Identification.
    pub(super) id: u32,
    /// IP protocol or next header of the whole.
    pub(super) protocol: u8,
    /// Where its payload begins in the whole payload, in bytes.
    pub(super) offset: u32,
    /// More fragments follow.
    pub(super) more: bool,
    /// Length of the IP header with the options or extension headers that each fragment repeats, in bytes.
    pub(super) header_len: u32,
}

/// What comes next in the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A frame of this link type.
    Link(LinkType),
    /// An Ethernet header.
    Ethernet,
    /// The payload of an Ethernet type.
    Ether(u16),
    /// An 802.2 LLC header.
    Llc,
    /// A PPP header.
    Ppp,
    /// A `PPPoE` header.
    Pppoe,
    /// An MPLS label.
    Mpls,
    /// An IP packet of the version in its first four bits.
    Ip,
    /// An IPv4 packet.
    Ipv4,
    /// An IPv6 packet.
    Ipv6,
    /// The payload of an IP protocol.
    Payload(u8),
    /// No more layers.
    Last(Last),
}

/// What the walk ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// A TCP segment.
    Tcp,
    /// The payload of a UDP datagram that is no tunnel, from the first port to the second.
    Datagram(u16, u16),
    /// An ICMP or `ICMPv6` message.
    Icmp,
    /// An EAPOL frame.
    Eapol,
}

impl Ends {
    /// Both are IPv6.
    pub(super) const fn is_v6(self) -> bool {
        matches!(self, Self::V6 { .. })
    }

    /// The sender.
    pub(super) const fn source(self) -> IpAddr {
        match self {
            Self::V4 { source, .. } => IpAddr::V4(Ipv4Addr::from_bits(source)),
            Self::V6 { source, .. } => IpAddr::V6(Ipv6Addr::from_bits(source)),
        }
    }

    /// The flow between two ports of these, and whether the sender is the lesser endpoint: what [`FlowKey::new`] gives, without comparing
    /// addresses byte by byte.
    pub(super) fn key(self, transport: Transport, from: u16, to: u16, path: u32) -> (FlowKey, bool) {
        let endpoint_v4 = |address, port| Endpoint::new(IpAddr::V4(Ipv4Addr::from_bits(address)), port);
        let endpoint_v6 = |address, port| Endpoint::new(IpAddr::V6(Ipv6Addr::from_bits(address)), port);
        let (low, high, from_low) = match self {
            Self::V4 { source, destination } => {
                let from_low = (source, from) <= (destination, to);
                let (low, high) = if from_low { ((source, from), (destination, to)) } else { ((destination, to), (source, from)) };
                (endpoint_v4(low.0, low.1), endpoint_v4(high.0, high.1), from_low)
            }
            Self::V6 { source, destination } => {
                let from_low = (source, from) <= (destination, to);
                let (low, high) = if from_low { ((source, from), (destination, to)) } else { ((destination, to), (source, from)) };
                (endpoint_v6(low.0, low.1), endpoint_v6(high.0, high.1), from_low)
            }
        };
        (FlowKey { low, high, transport, site: Site::NONE, path }, from_low)
    }
}

impl Around {
    /// The flow between two ports, and whether the sender is the lesser endpoint.
    pub(super) fn key(&self, transport: Transport, from: u16, to: u16) -> (FlowKey, bool) {
        let (key, from_low) = self.ends.key(transport, from, to, self.path.identity());
        (key.at(self.site), from_low)
    }
}

impl<'a> Walk<'a> {
    /// A walk at the start of a frame.
    pub(super) fn new(frame: &Frame<'a>) -> Self {
        let around = Around {
            mark: frame.mark(),
            site: frame.head.site,
            path: Path::default(),
            depth: 0,
            joined: false,
            ends: Ends::V4 { source: 0, destination: 0 },
            ip: IpFacts::default(),
        };
        Self {
            rest: Cursor::new(frame.bytes, frame.head.original_len),
            around,
            piece: None,
            unread: Unread::Nothing,
            link: LinkHeader::Nothing,
        }
    }

    /// Stops at what is not entered.
    #[cold]
    pub(super) const fn stop_before(&mut self, unread: Unread) -> Result<Next, Skip> {
        self.unread = unread;
        Err(if matches!(unread, Unread::Ip(_)) { Skip::IpProtocol } else { Skip::NotIp })
    }

    /// Enters a tag or tunnel that the path does not name.
    pub(super) const fn descend(&mut self) -> Result<(), Skip> {
        if self.around.depth >= limits::TUNNEL_DEPTH {
            return Err(Skip::TooDeep);
        }
        self.around.depth = self.around.depth.saturating_add(1);
        Ok(())
    }

    /// Enters a tag or tunnel.
    pub(super) fn push(&mut self, layer: Layer) -> Result<(), Skip> {
        self.descend()?;
        self.around.path.push(layer);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_are_those_of_flow_key(source: u128, destination: u128, from: u16, to: u16, wide: bool, same: bool) {
            let destination = if same { source } else { destination };
            let narrow = |bits: u128| u32::try_from(bits >> 96).unwrap();
            let address = |bits: u128| if wide { IpAddr::V6(bits.into()) } else { IpAddr::V4(narrow(bits).into()) };
            let ends = if wide {
                Ends::V6 { source, destination }
            } else {
                Ends::V4 { source: narrow(source), destination: narrow(destination) }
            };
            let (one, other) = (Endpoint::new(address(source), from), Endpoint::new(address(destination), to));
            prop_assert_eq!(ends.key(Transport::Udp, from, to, 5), FlowKey::new(Transport::Udp, one, other, 5));
        }
    }
}
