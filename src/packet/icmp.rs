//! ICMP (RFC 792, 1191) and `ICMPv6` (RFC 4443) errors, and the packet they quote.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::flow::{Endpoint, FlowKey, Transport};
use crate::packet::cursor::Cursor;
use crate::packet::ip;
use crate::packet::walk::Walk;
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
            ip::TCP => Transport::Tcp,
            ip::UDP => Transport::Udp,
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
            key,
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
    protocol: u8,
    total_len: u32,
}

fn quoted_v4(rest: &mut Cursor<'_>) -> Result<Quoted, Skip> {
    let &[first, _, l0, l1, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = rest.take::<20>()?;
    let options = usize::from(first & 0x0f).saturating_mul(4).checked_sub(20).filter(|_| first >> 4 == 4).ok_or(Skip::Malformed)?;
    rest.skip(options)?;
    if u16::from_be_bytes([f0, f1]) & 0x1fff != 0 {
        return Err(Skip::IcmpOther); // a later fragment names no ports
    }
    Ok(Quoted {
        source: IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)),
        destination: IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3)),
        protocol,
        total_len: u32::from(u16::from_be_bytes([l0, l1])),
    })
}

fn quoted_v6(rest: &mut Cursor<'_>) -> Result<Quoted, Skip> {
    let &[first, _, _, _, l0, l1, mut protocol, _] = rest.take::<8>()?;
    if first >> 4 != 6 {
        return Err(Skip::Malformed);
    }
    let source = IpAddr::V6(Ipv6Addr::from(*rest.take::<16>()?));
    let destination = IpAddr::V6(Ipv6Addr::from(*rest.take::<16>()?));
    loop {
        match protocol {
            // hop-by-hop, routing, destination options
            0 | 43 | 60 => {
                let &[next, len] = rest.take::<2>()?;
                rest.skip(usize::from(len).saturating_mul(8).saturating_add(6))?;
                protocol = next;
            }
            44 => {
                let &[next, _, o0, o1, _, _, _, _] = rest.take::<8>()?;
                if u16::from_be_bytes([o0, o1]) & 0xfff8 != 0 {
                    return Err(Skip::IcmpOther);
                }
                protocol = next;
            }
            _ => break,
        }
    }
    Ok(Quoted { source, destination, protocol, total_len: u32::from(u16::from_be_bytes([l0, l1])).saturating_add(40) })
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
