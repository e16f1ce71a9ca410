//! Floor 1: from a frame to the innermost TCP segment, UDP datagram or ICMP error.
//!
//! [`Decoder::decode`] peels link layer, tags, tunnels and IP (joining IP fragments within bounds) and gives a borrowed view. What it cannot
//! decode it names by [`Skip`], so that frames in = frames decoded + frames skipped by reason.
//!
//! - `decoder`: the entry; `walk`: the loop over layers, TCP and UDP views; `cursor`: bounds.
//! - `links`, `radio`, `tags`, `tunnels`, `ip`, `icmp`: a step of the walk for each header.
//! - `unread`: names what is not walked. `fragments`: IP packets being joined. `options`: TCP options.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

mod checksum;
mod cursor;
mod decoder;
mod direct;
mod fragments;
mod icmp;
mod ip;
mod links;
mod options;
mod radio;
mod state;
mod tags;
#[cfg(test)]
mod tests;
mod tunnels;
mod unread;
mod walk;

use std::net::IpAddr;

use crate::flow::{Endpoint, FlowKey, Mac, Path, Transport};
use crate::time::Mark;

pub use self::decoder::Decoder;
pub(crate) use self::decoder::{Found, read, walk};
pub(crate) use self::direct::{read as read_plain, stations};
pub use self::fragments::{FragmentCounters, LostFragments};
pub use self::links::{link_name, reads_link};
pub use self::options::{tcp_options, tcp_options_are_plain, tcp_timestamps};
pub(crate) use self::unread::name_skipped;
pub use checksum::HeaderRest;

/// What a frame held.
#[derive(Debug, Clone, Copy)]
pub enum Packet<'a> {
    /// A TCP segment.
    Tcp(Segment<'a>),
    /// A UDP datagram.
    Udp(Datagram<'a>),
    /// An EAPOL frame that concerns an authentication, as if it were a datagram; the payload begins with its header.
    Eapol(Datagram<'a>),
    /// An ICMP or `ICMPv6` error that quotes a TCP or UDP packet.
    IcmpError(IcmpError),
    /// Nothing of use, and why.
    Skipped(Skip),
}

impl Packet<'_> {
    /// What stands where no frame has been decoded yet. No constant: one of this size would be copied whole, for each frame.
    #[inline]
    pub(crate) const fn nothing() -> Self {
        Self::Skipped(Skip::NotIp)
    }

    /// The flow that it is of; of an ICMP error the one that it is about.
    pub const fn key(&self) -> Option<&FlowKey> {
        match self {
            Self::Tcp(segment) => Some(&segment.key),
            Self::Udp(datagram) | Self::Eapol(datagram) => Some(&datagram.key),
            Self::IcmpError(error) => Some(&error.key),
            Self::Skipped(_) => None,
        }
    }
}

/// Why a frame gave no packet. Each has a counter in the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// The capture's link type is not one we read; the summary names its number.
    LinkType,
    /// The Ethernet type (or PPP protocol, or SAP) is neither IP nor a tag or tunnel we walk, nor an authentication: ARP, LLDP, spanning tree…
    NotIp,
    /// An IP protocol other than those we walk: IGMP, OSPF, ESP…
    IpProtocol,
    /// ICMP that reports no error about a flow: echo, router discovery…
    IcmpOther,
    /// An ICMP error of which the snapshot length left too little to tell which flow it is about.
    IcmpTruncated,
    /// A header is cut by the snapshot length.
    Truncated,
    /// A header contradicts itself.
    Malformed,
    /// An IP fragment whose other parts have not arrived (yet).
    Fragment,
    /// Tunnels nested beyond the bound.
    TooDeep,
    /// An 802.11 frame whose payload is encrypted or which carries no data.
    Radio,
}

impl Skip {
    /// Every reason, in the order in which the summary lists them.
    pub const ALL: [Self; 10] = [
        Self::LinkType,
        Self::NotIp,
        Self::IpProtocol,
        Self::IcmpOther,
        Self::IcmpTruncated,
        Self::Truncated,
        Self::Malformed,
        Self::Fragment,
        Self::TooDeep,
        Self::Radio,
    ];

    /// The name in the summary.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LinkType => "link-type",
            Self::NotIp => "not-ip",
            Self::IpProtocol => "ip-protocol",
            Self::IcmpOther => "icmp-other",
            Self::IcmpTruncated => "icmp-truncated",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::Fragment => "fragment",
            Self::TooDeep => "too-deep",
            Self::Radio => "radio",
        }
    }
}

/// What the IP header said, of the innermost packet; all zero where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IpFacts {
    /// Time to live or hop limit as captured.
    pub ttl: u8,
    /// IPv4 identification; `None` for IPv6.
    pub id: Option<u16>,
    /// IPv4 don't-fragment flag; true for IPv6, which is never fragmented on the way.
    pub dont_fragment: bool,
    /// Total length of the IP packet on the wire in bytes, header included.
    pub total_len: u32,
    /// The packet was joined from IP fragments.
    pub was_fragmented: bool,
    /// The frame on the wire ended before the packet did: it was cut before it came to be captured, as mirror sessions do.
    pub was_cut: bool,
}

/// TCP flags (RFC 9293 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// FIN.
    pub const FIN: u8 = 0x01;
    /// SYN.
    pub const SYN: u8 = 0x02;
    /// RST.
    pub const RST: u8 = 0x04;
    /// PSH.
    pub const PSH: u8 = 0x08;
    /// ACK.
    pub const ACK: u8 = 0x10;

    /// FIN is set.
    pub const fn fin(self) -> bool {
        self.0 & Self::FIN != 0
    }

    /// SYN is set.
    pub const fn syn(self) -> bool {
        self.0 & Self::SYN != 0
    }

    /// RST is set.
    pub const fn rst(self) -> bool {
        self.0 & Self::RST != 0
    }

    /// ACK is set.
    pub const fn ack(self) -> bool {
        self.0 & Self::ACK != 0
    }
}

/// A TCP segment, borrowed from its frame (or from the fragment joiner).
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// Where it stands on the capture.
    pub mark: Mark,
    /// The flow.
    pub key: FlowKey,
    /// The sender is [`FlowKey::low`].
    pub from_low: bool,
    /// The tunnels around it.
    pub path: Path,
    /// IP header facts.
    pub ip: IpFacts,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number; meaningful when the ACK flag is set.
    pub ack: u32,
    /// Flags.
    pub flags: TcpFlags,
    /// Window as sent, unscaled.
    pub window: u16,
    /// The options' bytes, undecoded: see [`tcp_options`].
    pub options: &'a [u8],
    /// The captured payload.
    pub payload: &'a [u8],
    /// The payload's length on the wire; more than `payload.len()` when the snapshot length cut it.
    pub payload_len: u32,
    /// What else the header holds: see [`Segment::is_damaged`].
    pub rest: HeaderRest,
}

impl Segment<'_> {
    /// Who sent it.
    pub const fn source(&self) -> Endpoint {
        if self.from_low { self.key.low } else { self.key.high }
    }

    /// Whom it was sent to.
    pub const fn destination(&self) -> Endpoint {
        if self.from_low { self.key.high } else { self.key.low }
    }
}

/// A UDP datagram or an EAPOL frame, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// Where it stands on the capture.
    pub mark: Mark,
    /// The flow.
    pub key: FlowKey,
    /// The sender is [`FlowKey::low`].
    pub from_low: bool,
    /// The tunnels around it.
    pub path: Path,
    /// IP header facts.
    pub ip: IpFacts,
    /// The captured payload.
    pub payload: &'a [u8],
    /// The payload's length on the wire.
    pub payload_len: u32,
    /// Who sent an EAPOL frame, and to whom; its key is that of its link.
    pub stations: Option<(Mac, Mac)>,
}

/// What an ICMP error says, the same for both IP versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IcmpKind {
    /// Network, host or address unreachable, no route (ICMP 3/0 3/1 3/5–3/8 3/11 3/12, `ICMPv6` 1/0 1/2 1/3).
    Unreachable,
    /// Port unreachable (3/3, 1/4); also protocol unreachable (3/2).
    PortUnreachable,
    /// Administratively prohibited (3/9 3/10 3/13, `ICMPv6` 1/1 1/5 1/6).
    Prohibited,
    /// Fragmentation needed or packet too big (3/4, `ICMPv6` 2/0), with the next-hop MTU in bytes (zero when the router did not say).
    TooBig(u32),
    /// Time to live or hop limit exceeded, or reassembly time exceeded (11, `ICMPv6` 3).
    TimeExceeded,
    /// Any other error.
    Other,
}

/// An ICMP error that quotes a packet of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpError {
    /// Where it stands on the capture.
    pub mark: Mark,
    /// Who sent the ICMP message.
    pub reporter: IpAddr,
    /// The meaning.
    pub kind: IcmpKind,
    /// ICMP type as on the wire.
    pub icmp_type: u8,
    /// ICMP code as on the wire.
    pub code: u8,
    /// The flow of the quoted packet.
    pub key: FlowKey,
    /// The quoted packet's sender is [`FlowKey::low`].
    pub quoted_from_low: bool,
    /// The quoted packet's TCP sequence number, if TCP.
    pub quoted_seq: Option<u32>,
    /// Total length of the quoted IP packet in bytes.
    pub quoted_len: u32,
    /// TTL or hop limit of the ICMP packet itself.
    pub ttl: u8,
}

impl IcmpError {
    /// The transport of the quoted packet.
    pub const fn transport(&self) -> Transport {
        self.key.transport
    }
}

/// The TCP options a diagnosis needs (RFC 9293, 7323, 2018).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpOptions {
    /// Maximum segment size in bytes.
    pub mss: Option<u16>,
    /// Window scale shift.
    pub window_scale: Option<u8>,
    /// SACK permitted.
    pub sack_permitted: bool,
    /// Selective acknowledgment blocks, left edge inclusive, right edge exclusive, in wire sequence numbers.
    pub sack: [Option<(u32, u32)>; 4],
    /// The segment's own clock, and the other side's that it echoes (RFC 7323 section 3).
    pub timestamps: Option<(u32, u32)>,
    /// The SYN carries or asks for a Fast Open cookie (RFC 7413).
    pub fast_open: bool,
    /// It opens a further subflow of a connection over Multipath TCP (RFC 8684 section 3.2).
    pub joins: bool,
}
