//! ICMP (RFC 792, 1191) and `ICMPv6` (RFC 4443) errors, and the packet they quote.

use std::net::IpAddr;

use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6HeaderSlice, ip_number};

use crate::flow::{Endpoint, FlowKey, Transport};
use crate::packet::cursor::Cursor;
use crate::packet::state::Walk;
use crate::packet::{IcmpError, IcmpKind, Skip};

impl Walk<'_> {
    pub(super) fn icmp(&self) -> Result<IcmpError, Skip> {
        let mut rest = self.rest;
        let &[icmp_type, code, _, _, m0, m1, m2, m3] = rest.take::<8>()?;
        let mtu = [m0, m1, m2, m3];
        let v6 = self.around.ends.is_v6();
        let kind = if v6 { kind_v6(icmp_type, code, mtu) } else { kind_v4(icmp_type, code, mtu) }.ok_or(Skip::IcmpOther)?;
        let error = self.icmp_error(rest, (kind, icmp_type, code));
        error.map_err(|skip| if skip == Skip::Truncated { Skip::IcmpTruncated } else { skip })
    }

    fn icmp_error(&self, mut rest: Cursor<'_>, (kind, icmp_type, code): (IcmpKind, u8, u8)) -> Result<IcmpError, Skip> {
        let v6 = self.around.ends.is_v6();
        let quoted = if v6 { quoted_v6(&mut rest)? } else { quoted_v4(&mut rest)? };
        let transport = match quoted.protocol {
            ip_number::TCP => Transport::Tcp,
            ip_number::UDP => Transport::Udp,
            _ => return Err(Skip::IcmpOther),
        };
        let &[f0, f1, t0, t1] = rest.take::<4>()?;
        let source = Endpoint::new(quoted.source, u16::from_be_bytes([f0, f1]));
        let destination = Endpoint::new(quoted.destination, u16::from_be_bytes([t0, t1]));
        let (key, quoted_from_low) = FlowKey::new(transport, source, destination, self.around.path.identity());
        let seq = rest.peek::<4>().map(|bytes| u32::from_be_bytes(*bytes));
        Ok(IcmpError {
            mark: self.around.mark,
            reporter: self.around.ends.source(),
            kind,
            icmp_type,
            code,
            key: key.at(self.around.site),
            quoted_from_low,
            quoted_seq: seq.filter(|_| transport == Transport::Tcp),
            quoted_len: quoted.total_len,
            ttl: self.around.ip.ttl,
        })
    }
}

/// The quoted IP header; the cursor is then at its payload.
struct Quoted {
    source: IpAddr,
    destination: IpAddr,
    protocol: IpNumber,
    total_len: u32,
}

fn quoted_v4(rest: &mut Cursor<'_>) -> Result<Quoted, Skip> {
    let header = Ipv4HeaderSlice::from_slice(rest.bytes()).map_err(|error| rest.refused(error))?;
    rest.skip(header.slice().len())?;
    if header.fragments_offset().value() != 0 {
        return Err(Skip::IcmpOther); // a later fragment names no ports
    }
    Ok(Quoted {
        source: IpAddr::V4(header.source_addr()),
        destination: IpAddr::V4(header.destination_addr()),
        protocol: header.protocol(),
        total_len: u32::from(header.total_len()),
    })
}

fn quoted_v6(rest: &mut Cursor<'_>) -> Result<Quoted, Skip> {
    let header = Ipv6HeaderSlice::from_slice(rest.bytes()).map_err(|error| rest.refused(error))?;
    rest.skip(header.slice().len())?;
    let mut protocol = header.next_header();
    // Header by header: etherparse's walk over a whole chain reads behind the end of one that is cut, as quotes are.
    loop {
        protocol = match protocol {
            ip_number::IPV6_HEADER_HOP_BY_HOP
            | ip_number::IPV6_DESTINATION_OPTIONS
            | ip_number::IPV6_ROUTE_HEADER
            | ip_number::MOBILITY_HEADER
            | ip_number::HIP
            | ip_number::SHIM6 => rest.extension_header()?.next_header(),
            ip_number::IPV6_FRAGMENTATION_HEADER => {
                let fragment = rest.fragment_header()?;
                if fragment.fragment_offset().value() != 0 {
                    return Err(Skip::IcmpOther);
                }
                fragment.next_header()
            }
            ip_number::AUTHENTICATION_HEADER => rest.authentication_header()?.next_header(),
            _ => break,
        };
    }
    Ok(Quoted {
        source: IpAddr::V6(header.source_addr()),
        destination: IpAddr::V6(header.destination_addr()),
        protocol,
        total_len: u32::from(header.payload_length()).saturating_add(40),
    })
}

/// `None` when the message is no error about a packet. The MTU is the second half of the unused word.
fn kind_v4(icmp_type: u8, code: u8, [_, _, m0, m1]: [u8; 4]) -> Option<IcmpKind> {
    Some(match (icmp_type, code) {
        (3, 0 | 1 | 5..=8 | 11 | 12) => IcmpKind::Unreachable,
        (3, 2 | 3) => IcmpKind::PortUnreachable,
        (3, 4) => IcmpKind::TooBig(u32::from(u16::from_be_bytes([m0, m1]))),
        (3, 9 | 10 | 13) => IcmpKind::Prohibited,
        (11, _) => IcmpKind::TimeExceeded,
        (3 | 12, _) => IcmpKind::Other,
        _ => return None,
    })
}

const fn kind_v6(icmp_type: u8, code: u8, mtu: [u8; 4]) -> Option<IcmpKind> {
    Some(match (icmp_type, code) {
        (1, 0 | 2 | 3) => IcmpKind::Unreachable,
        (1, 4) => IcmpKind::PortUnreachable,
        (1, 1 | 5 | 6) => IcmpKind::Prohibited,
        (2, _) => IcmpKind::TooBig(u32::from_be_bytes(mtu)),
        (3, _) => IcmpKind::TimeExceeded,
        (1 | 4, _) => IcmpKind::Other,
        _ => return None,
    })
}
