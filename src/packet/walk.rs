//! The walk from the link layer inwards: a loop over small states, each step taking one header.
//!
//! Invariant: each step either takes bytes or leads to a state that does, and tunnels are counted, so the walk is linear in the frame and
//! ends.

use std::net::{IpAddr, Ipv4Addr};

use crate::flow::{Endpoint, FlowKey, Layer, Path, Transport};
use crate::frame::{Frame, LinkType};
use crate::limits;
use crate::packet::cursor::Cursor;
use crate::packet::{Datagram, IpFacts, Packet, Segment, Skip, TcpFlags, links};
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
}

/// What the outer headers said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    /// The frame.
    pub(super) mark: Mark,
    /// Tunnels so far.
    pub(super) path: Path,
    /// Tags, tunnels and joined packets so far.
    pub(super) depth: usize,
    /// Some IP packet on the way was joined from fragments.
    pub(super) joined: bool,
    /// Sender, of the innermost IP header.
    pub(super) source: IpAddr,
    /// Receiver, of the innermost IP header.
    pub(super) destination: IpAddr,
    /// The innermost IP header.
    pub(super) ip: IpFacts,
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
    /// A TCP segment.
    Tcp,
    /// The payload of a UDP datagram that is no tunnel, from the first port to the second.
    Datagram(u16, u16),
    /// An ICMP or `ICMPv6` message.
    Icmp,
}

impl<'a> Walk<'a> {
    /// A walk at the start of a frame.
    pub(super) fn new(frame: &Frame<'a>) -> Self {
        let around = Around {
            mark: frame.mark(),
            path: Path::default(),
            depth: 0,
            joined: false,
            source: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            destination: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            ip: IpFacts { ttl: 0, id: None, dont_fragment: false, total_len: 0, was_fragmented: false },
        };
        Self { rest: Cursor::new(frame.bytes, frame.head.original_len), around, piece: None }
    }

    /// Walks to the innermost packet.
    pub(super) fn run(&mut self, mut next: Next) -> Packet<'a> {
        loop {
            let step = match next {
                Next::Link(link) => links::read(self, link),
                Next::Ethernet => self.ethernet(),
                Next::Ether(kind) => self.ether(kind),
                Next::Llc => self.llc(),
                Next::Ppp => self.ppp(),
                Next::Pppoe => self.pppoe(),
                Next::Mpls => self.mpls(),
                Next::Ip => self.ip(),
                Next::Ipv4 => self.ipv4(),
                Next::Ipv6 => self.ipv6(),
                Next::Payload(protocol) => self.payload(protocol),
                Next::Tcp => return self.tcp(),
                Next::Datagram(from, to) => return self.datagram(from, to),
                Next::Icmp => return self.icmp().map_or_else(Packet::Skipped, Packet::IcmpError),
            };
            match step {
                Ok(then) => next = then,
                Err(skip) => return Packet::Skipped(skip),
            }
        }
    }

    /// Enters a tag or tunnel that the path does not name.
    pub(super) const fn descend(&mut self) -> Result<(), Skip> {
        if self.around.depth >= limits::TUNNEL_DEPTH {
            return Err(Skip::TooDeep);
        }
        self.around.depth += 1;
        Ok(())
    }

    /// Enters a tag or tunnel.
    pub(super) fn push(&mut self, layer: Layer) -> Result<(), Skip> {
        self.descend()?;
        self.around.path.push(layer);
        Ok(())
    }

    /// The key of the flow between two ports of the innermost IP packet.
    fn key(&self, transport: Transport, from: u16, to: u16) -> (FlowKey, bool) {
        let (source, destination) = (Endpoint::new(self.around.source, from), Endpoint::new(self.around.destination, to));
        FlowKey::new(transport, source, destination, self.around.path.identity())
    }

    /// RFC 9293 section 3.1. Options cut by the snapshot length are no reason to lose a SYN: old captures keep 68 bytes of a frame.
    fn tcp(&mut self) -> Packet<'a> {
        let head = match self.rest.take::<20>() {
            Ok(head) => head,
            Err(skip) => return Packet::Skipped(skip),
        };
        let &[f0, f1, t0, t1, s0, s1, s2, s3, a0, a1, a2, a3, offset, flags, w0, w1, ..] = head;
        let Some(options_len) = (usize::from(offset >> 4) * 4).checked_sub(20) else { return Packet::Skipped(Skip::Malformed) };
        let options = match self.rest.take_slice(options_len) {
            Ok(options) => options,
            Err(Skip::Truncated) => {
                let options = self.rest.bytes();
                let wire = self.rest.wire().saturating_sub(u32::try_from(options_len).unwrap_or(0));
                self.rest = Cursor::new(&[], wire);
                options
            }
            Err(skip) => return Packet::Skipped(skip),
        };
        let (key, from_low) = self.key(Transport::Tcp, u16::from_be_bytes([f0, f1]), u16::from_be_bytes([t0, t1]));
        Packet::Tcp(Segment {
            mark: self.around.mark,
            key,
            from_low,
            path: self.around.path,
            ip: self.around.ip,
            seq: u32::from_be_bytes([s0, s1, s2, s3]),
            ack: u32::from_be_bytes([a0, a1, a2, a3]),
            flags: TcpFlags(flags),
            window: u16::from_be_bytes([w0, w1]),
            options,
            payload: self.rest.bytes(),
            payload_len: self.rest.wire(),
        })
    }

    fn datagram(&self, from: u16, to: u16) -> Packet<'a> {
        let (key, from_low) = self.key(Transport::Udp, from, to);
        Packet::Udp(Datagram {
            mark: self.around.mark,
            key,
            from_low,
            path: self.around.path,
            ip: self.around.ip,
            payload: self.rest.bytes(),
            payload_len: self.rest.wire(),
        })
    }
}
