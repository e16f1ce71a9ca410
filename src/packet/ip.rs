//! IPv4 (RFC 791), IPv6 with its extension headers (RFC 8200), authentication header (RFC 4302), UDP (RFC 768).
//!
//! Checksums are not verified: a capture at the sender sees them before the network card fills them in.

use etherparse::{IpNumber, ip_number};

use crate::flow::Layer;
use crate::packet::checksum::is_sound;
use crate::packet::cursor::Cursor;
use crate::packet::state::{Ends, Last, Next, Piece, Unread, Walk};
use crate::packet::{IpFacts, Skip};

impl Walk<'_> {
    /// An IP packet of either version.
    pub(super) fn ip(&self) -> Result<Next, Skip> {
        match self.rest.bytes().first().map(|byte| byte >> 4) {
            Some(4) => Ok(Next::Ipv4),
            Some(6) => Ok(Next::Ipv6),
            Some(_) => Err(Skip::Malformed),
            None if self.rest.wire() == 0 => Err(Skip::Malformed),
            None => Err(Skip::Truncated),
        }
    }

    pub(super) fn ipv4(&mut self) -> Result<Next, Skip> {
        let &[first, _, l0, l1, i0, i1, f0, f1, ttl, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = self.rest.take::<20>()?;
        let header_len = u32::from(first & 0x0f).saturating_mul(4);
        if first >> 4 != 4 || header_len < 20 {
            return Err(Skip::Malformed);
        }
        let mut total_len = u32::from(u16::from_be_bytes([l0, l1]));
        let mut was_cut = false;
        if total_len == 0 {
            // segmentation offload: the card fills in the length of each segment it cuts
            total_len = self.rest.wire().saturating_add(20);
        } else if total_len < header_len {
            return Err(Skip::Malformed);
        } else {
            was_cut = self.rest.extend(total_len.saturating_sub(20));
        }
        if header_len > 20 {
            self.rest.skip(header_len.saturating_sub(20) as usize)?;
        }
        let (id, fragment) = (u16::from_be_bytes([i0, i1]), u16::from_be_bytes([f0, f1]));
        self.around.ends = Ends::V4 { source: u32::from_be_bytes([s0, s1, s2, s3]), destination: u32::from_be_bytes([d0, d1, d2, d3]) };
        let dont_fragment = fragment & 0x4000 != 0;
        self.around.ip = IpFacts { ttl, id: Some(id), dont_fragment, total_len, was_fragmented: self.around.joined, was_cut };
        if fragment & 0x3fff != 0 {
            let (offset, more) = (u32::from(fragment & 0x1fff).saturating_mul(8), fragment & 0x2000 != 0);
            return Err(self.stop_at(Piece { id: u32::from(id), protocol, offset, more, header_len }));
        }
        self.payload(protocol)
    }

    pub(super) fn ipv6(&mut self) -> Result<Next, Skip> {
        let &[first, _, _, _, l0, l1, next, ttl] = self.rest.take::<8>()?;
        if first >> 4 != 6 {
            return Err(Skip::Malformed);
        }
        let payload_len = u32::from(u16::from_be_bytes([l0, l1]));
        let was_cut = payload_len > 0 && self.rest.extend(payload_len.saturating_add(32));
        // zero is segmentation offload or a jumbogram (RFC 2675): the frame tells
        let total_len = if payload_len > 0 { payload_len.saturating_add(40) } else { self.rest.wire().saturating_add(8) };
        let (source, destination) = (u128::from_be_bytes(*self.rest.take()?), u128::from_be_bytes(*self.rest.take()?));
        self.around.ends = Ends::V6 { source, destination };
        self.around.ip = IpFacts { ttl, id: None, dont_fragment: true, total_len, was_fragmented: self.around.joined, was_cut };
        self.payload(next)
    }

    /// The payload of an IP packet, or what follows an extension header.
    #[inline]
    pub(super) fn payload(&mut self, protocol: u8) -> Result<Next, Skip> {
        if protocol == ip_number::TCP.0 { Ok(Next::Last(Last::Tcp)) } else { self.other_payload(protocol) }
    }

    fn other_payload(&mut self, protocol: u8) -> Result<Next, Skip> {
        let v6 = self.around.ends.is_v6();
        match IpNumber(protocol) {
            ip_number::UDP => self.udp(),
            ip_number::ICMP if !v6 => Ok(Next::Last(Last::Icmp)),
            ip_number::IPV6_ICMP if v6 => Ok(Next::Last(Last::Icmp)),
            ip_number::IPV4 => self.push(Layer::IpInIp).map(|()| Next::Ipv4),
            ip_number::IPV6 => self.push(Layer::IpInIp).map(|()| Next::Ipv6),
            ip_number::GRE => self.gre(),
            ip_number::MPLS_IN_IP => Ok(Next::Mpls),
            ip_number::ETHER_IP => self.ether_in_ip(),
            ip_number::AUTHENTICATION_HEADER => self.rest.authentication_header().map(|header| Next::Payload(header.next_header().0)),
            ip_number::IPV6_HEADER_HOP_BY_HOP
            | ip_number::IPV6_DESTINATION_OPTIONS
            | ip_number::MOBILITY_HEADER
            | ip_number::HIP
            | ip_number::SHIM6
                if v6 =>
            {
                self.rest.extension_header().map(|header| Next::Payload(header.next_header().0))
            }
            ip_number::IPV6_ROUTE_HEADER if v6 => self.routing(),
            ip_number::IPV6_FRAGMENTATION_HEADER if v6 => self.fragment(),
            IpNumber(protocol) => self.stop_before(Unread::Ip(protocol)),
        }
    }

    /// A frame in an IP packet (RFC 3378): behind two bytes, of which four bits are the version.
    #[cold]
    fn ether_in_ip(&mut self) -> Result<Next, Skip> {
        let &[version, _] = self.rest.take::<2>()?;
        if version >> 4 != 3 {
            return Err(Skip::IpProtocol);
        }
        self.descend()?;
        Ok(Next::Ethernet)
    }

    /// A routing header that is not used up: the flow's destination is the last stop, as the answer will have it (RFC 8200 section 4.4,
    /// RFC 6275 section 6.4, RFC 8754 section 2).
    fn routing(&mut self) -> Result<Next, Skip> {
        let header = self.rest.extension_header()?;
        let next = Next::Payload(header.next_header().0);
        let [kind, segments_left, _, _, _, _, stops @ ..] = header.payload() else { return Ok(next) };
        let (stops, _) = stops.as_chunks::<16>();
        let last = match kind {
            0 | 2 if *segments_left > 0 => stops.last(),
            4 if *segments_left > 0 => stops.first(),
            _ => None,
        };
        if let (Some(last), Ends::V6 { destination, .. }) = (last, &mut self.around.ends) {
            *destination = u128::from_be_bytes(*last);
        }
        Ok(next)
    }

    fn fragment(&mut self) -> Result<Next, Skip> {
        let before = self.rest.wire();
        let header = self.rest.fragment_header()?;
        let next = header.next_header().0;
        if !header.is_fragmenting_payload() {
            return Ok(Next::Payload(next)); // atomic (RFC 6946)
        }
        let header_len = self.around.ip.total_len.saturating_sub(before);
        let (offset, more) = (u32::from(header.fragment_offset().value()).saturating_mul(8), header.more_fragments());
        Err(self.stop_at(Piece { id: header.identification(), protocol: next, offset, more, header_len }))
    }

    /// Ends the walk at a fragment. All but the last fragment hold a multiple of eight bytes, and none reaches beyond the largest packet.
    fn stop_at(&mut self, piece: Piece) -> Skip {
        let len = self.rest.wire();
        if len == 0 || (piece.more && !len.is_multiple_of(8)) || piece.offset.saturating_add(len) > u32::from(u16::MAX) {
            return Skip::Malformed;
        }
        self.piece = Some(piece);
        Skip::Fragment
    }

    fn udp(&mut self) -> Result<Next, Skip> {
        let &[f0, f1, t0, t1, l0, l1, _, _] = self.rest.take::<8>()?;
        match u16::from_be_bytes([l0, l1]) {
            0 => {} // as with TCP, filled in later
            len @ 8.. => self.rest.limit(u32::from(len).saturating_sub(8)),
            _ => return Err(Skip::Malformed),
        }
        let (from, to) = (u16::from_be_bytes([f0, f1]), u16::from_be_bytes([t0, t1]));
        Ok(self.udp_tunnel(from, to)?.unwrap_or(Next::Last(Last::Datagram(from, to))))
    }
}

/// A strict look at what should be an IP packet: version, header length and total length must agree with what is there, or the checksum with the header.
pub(super) fn fits_ip(rest: &Cursor<'_>) -> Option<Next> {
    let first = *rest.bytes().first()?;
    match first >> 4 {
        4 => {
            let &[_, _, l0, l1, _, _, f0, f1, _, protocol, ..] = rest.peek::<20>()?;
            let (header_len, total_len) = (u32::from(first & 0x0f).saturating_mul(4), u32::from(u16::from_be_bytes([l0, l1])));
            let offloaded = total_len == 0
                && matches!(IpNumber(protocol), ip_number::TCP | ip_number::UDP)
                && u16::from_be_bytes([f0, f1]) & 0xbfff == 0;
            // One that was cut before it was captured is known by its checksum.
            let cut = || rest.bytes().get(..header_len as usize).is_some_and(is_sound);
            let fits = header_len >= 20 && (offloaded || total_len >= header_len && (total_len <= rest.wire() || cut()));
            fits.then_some(Next::Ipv4)
        }
        6 => {
            let &[_, _, _, _, l0, l1, ..] = rest.peek::<40>()?;
            (u32::from(u16::from_be_bytes([l0, l1])).saturating_add(40) <= rest.wire()).then_some(Next::Ipv6)
        }
        _ => None,
    }
}
