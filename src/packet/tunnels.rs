//! Tunnels over IP and UDP: GRE (RFC 2784, 2890, 2637) with ERSPAN and WCCP in it, VXLAN (RFC 7348), Geneve (RFC 8926), GTP-U (3GPP TS 29.281),
//! Teredo (RFC 4380), L2TP (RFC 2661), LISP (RFC 9300), MPLS (RFC 7510), TZSP.
//!
//! A UDP tunnel is known by its port and by an inner header that fits strictly; otherwise the datagram is just that.

use crate::flow::Layer;
use crate::limits;
use crate::packet::Skip;
use crate::packet::cursor::Cursor;
use crate::packet::ip::fits_ip;
use crate::packet::state::{Next, Walk};
use crate::packet::tags::{ether, fits_ethernet};

impl Walk<'_> {
    pub(super) fn gre(&mut self) -> Result<Next, Skip> {
        let &[f0, f1, p0, p1] = self.rest.take::<4>()?;
        let (flags, protocol) = (u16::from_be_bytes([f0, f1]), u16::from_be_bytes([p0, p1]));
        match flags & 0x0007 {
            0 if flags & 0x4000 == 0 => {}
            1 => return self.pptp(flags, protocol),
            _ => return Err(Skip::IpProtocol), // source routes were withdrawn with RFC 2784
        }
        if flags & 0x8000 != 0 {
            self.rest.skip(4)?; // checksum and reserved
        }
        let key = if flags & 0x2000 == 0 { None } else { Some(u32::from_be_bytes(*self.rest.take::<4>()?)) };
        let sequenced = flags & 0x1000 != 0;
        if sequenced {
            self.rest.skip(4)?;
        }
        self.push(Layer::Gre(key))?;
        match protocol {
            ether::ERSPAN if sequenced => {
                let &[_, _, s0, s1, _, _, _, _] = self.rest.take::<8>()?;
                self.push(Layer::Erspan(u16::from_be_bytes([s0, s1]) & 0x03ff))?;
                Ok(Next::Ethernet)
            }
            ether::ERSPAN => self.push(Layer::Erspan(0)).map(|()| Next::Ethernet), // type I has no header
            ether::ERSPAN_3 => {
                let &[_, _, s0, s1, _, _, _, _, _, _, _, last] = self.rest.take::<12>()?;
                if last & 1 != 0 {
                    self.rest.skip(8)?; // platform-specific subheader
                }
                self.push(Layer::Erspan(u16::from_be_bytes([s0, s1]) & 0x03ff))?;
                Ok(Next::Ethernet)
            }
            ether::WCCP => {
                // version 2 puts four bytes before the packet, version 1 none
                if fits_ip(&self.rest).is_none() {
                    self.rest.skip(4)?;
                }
                Ok(Next::Ip)
            }
            ether::BRIDGED => Ok(Next::Ethernet),
            kind => Ok(Next::Ether(kind)),
        }
    }

    /// RFC 2637: the key is a length and a call number, which differs in each direction.
    fn pptp(&mut self, flags: u16, protocol: u16) -> Result<Next, Skip> {
        self.rest.skip(4)?;
        if protocol != ether::PPP || flags & 0x1000 == 0 {
            return Err(Skip::NotIp); // a bare acknowledgment
        }
        self.rest.skip(if flags & 0x0080 == 0 { 4 } else { 8 })?;
        self.push(Layer::Gre(None))?;
        Ok(Next::Ppp)
    }

    /// Enters the tunnel in a UDP datagram, if it is one.
    #[inline]
    pub(super) fn udp_tunnel(&mut self, from: u16, to: u16) -> Result<Option<Next>, Skip> {
        let tunnel = match (from, to) {
            (_, 4789 | 8472) => vxlan(self.rest),
            (_, 4790) => vxlan_gpe(self.rest),
            (_, 6081) => geneve(self.rest),
            (_, 2152) | (2152, _) => gtpu(self.rest),
            (_, 3544) | (3544, _) => teredo(self.rest),
            (_, 1701) | (1701, _) => l2tp(self.rest),
            (_, 37008) => tzsp(self.rest),
            (_, 4341) => lisp(self.rest),
            (_, 6635) if fits_mpls(self.rest) => return self.descend().map(|()| Some(Next::Mpls)),
            _ => return Ok(None),
        };
        let Some((layer, rest, next)) = tunnel else { return Ok(None) };
        self.push(layer)?;
        self.rest = rest;
        Ok(Some(next))
    }
}

fn vxlan(mut rest: Cursor<'_>) -> Option<(Layer, Cursor<'_>, Next)> {
    let &[flags, _, _, _, v0, v1, v2, _] = rest.take::<8>().ok()?;
    // Reserved bits are the receiver's to ignore, and extensions (group policy, generic protocol) put something of their own there.
    (flags & 0x08 != 0 && fits_ethernet(&rest)).then_some((Layer::Vxlan(u32::from_be_bytes([0, v0, v1, v2])), rest, Next::Ethernet))
}

/// The generic protocol extension names what it carries (draft-ietf-nvo3-vxlan-gpe section 3).
fn vxlan_gpe(mut rest: Cursor<'_>) -> Option<(Layer, Cursor<'_>, Next)> {
    let &[flags, _, _, protocol, v0, v1, v2, _] = rest.take::<8>().ok()?;
    let next = match protocol {
        1 => fits_ip(&rest).filter(|next| *next == Next::Ipv4)?,
        2 => fits_ip(&rest).filter(|next| *next == Next::Ipv6)?,
        3 => fits_ethernet(&rest).then_some(Next::Ethernet)?,
        4 => Next::Ether(ether::NSH),
        _ => return None,
    };
    (flags & 0x0c == 0x0c).then_some((Layer::Vxlan(u32::from_be_bytes([0, v0, v1, v2])), rest, next))
}

/// TaZmen Sniffer Protocol, by which access points and routers send what they capture: version, type, what it encapsulates, then tags.
fn tzsp(mut rest: Cursor<'_>) -> Option<(Layer, Cursor<'_>, Next)> {
    // A received packet or one for transmission, of Ethernet.
    let &[1, 0 | 1, 0, 1] = rest.take::<4>().ok()? else { return None };
    loop {
        match rest.take::<1>().ok()? {
            [0] => {}
            [1] => break,
            _ => {
                let &[len] = rest.take::<1>().ok()?;
                rest.skip(usize::from(len)).ok()?;
            }
        }
    }
    fits_ethernet(&rest).then_some((Layer::Tzsp, rest, Next::Ethernet))
}

/// Flags, nonce or map version, then the instance where a flag says that there is one (RFC 9300 section 5.1), and the packet.
fn lisp(mut rest: Cursor<'_>) -> Option<(Layer, Cursor<'_>, Next)> {
    const INSTANCE: u8 = 0x08;
    let &[flags, _, _, _, i0, i1, i2, _] = rest.take::<8>().ok()?;
    let instance = if flags & INSTANCE == 0 { None } else { Some(u32::from_be_bytes([0, i0, i1, i2])) };
    fits_ip(&rest).map(|next| (Layer::Lisp(instance), rest, next))
}

/// Labels, the last of which says so, and what fits strictly under them.
fn fits_mpls(mut rest: Cursor<'_>) -> bool {
    for _ in 0..limits::TUNNEL_DEPTH {
        let Ok(&[_, _, bottom, _]) = rest.take::<4>() else { return false };
        if bottom & 1 == 1 {
            let mut behind_control_word = rest;
            return fits_ip(&rest).is_some()
                || fits_ethernet(&rest)
                || behind_control_word.skip(4).is_ok() && fits_ethernet(&behind_control_word);
        }
    }
    false
}

fn geneve(mut rest: Cursor<'_>) -> Option<(Layer, Cursor<'_>, Next)> {
    let &[first, _, p0, p1, v0, v1, v2, _] = rest.take::<8>().ok()?;
    if first >> 6 != 0 {
        return None;
    }
    rest.skip(usize::from(first & 0x3f).saturating_mul(4)).ok()?;
    let next = match u16::from_be_bytes([p0, p1]) {
        ether::BRIDGED => fits_ethernet(&rest).then_some(Next::Ethernet)?,
        ether::IPV4 => fits_ip(&rest).filter(|next| *next == Next::Ipv4)?,
        ether::IPV6 => fits_ip(&rest).filter(|next| *next == Next::Ipv6)?,
        _ => return None,
    };
    Some((Layer::Geneve(u32::from_be_bytes([0, v0, v1, v2])), rest, next))
}

fn gtpu(mut rest: Cursor<'_>) -> Option<(Layer, Cursor<'_>, Next)> {
    let &[flags, kind, l0, l1, _, _, _, _] = rest.take::<8>().ok()?;
    let len = u32::from(u16::from_be_bytes([l0, l1]));
    // version 1, GTP and not GTP'; the spare bit is the receiver's to ignore; a user's packet
    if flags & 0xf0 != 0x30 || kind != 0xff || len > rest.wire() {
        return None;
    }
    rest.limit(len);
    if flags & 0x07 != 0 {
        let &[_, _, _, mut extension] = rest.take::<4>().ok()?;
        while flags & 0x04 != 0 && extension != 0 {
            let &[units] = rest.take::<1>().ok()?;
            rest.skip(usize::from(units).saturating_mul(4).checked_sub(2)?).ok()?;
            [extension] = *rest.take::<1>().ok()?;
        }
    }
    let next = fits_ip(&rest)?;
    Some((Layer::Gtpu, rest, next))
}

fn teredo(mut rest: Cursor<'_>) -> Option<(Layer, Cursor<'_>, Next)> {
    if let Some(&[0x00, 0x01, id, auth]) = rest.peek::<4>() {
        rest.skip(usize::from(id).saturating_add(usize::from(auth)).saturating_add(13)).ok()?; // nonce and confirmation
    }
    if let Some(&[0x00, 0x00]) = rest.peek::<2>() {
        rest.skip(8).ok()?; // origin
    }
    fits_ip(&rest).filter(|next| *next == Next::Ipv6).map(|next| (Layer::Teredo, rest, next))
}

fn l2tp(mut rest: Cursor<'_>) -> Option<(Layer, Cursor<'_>, Next)> {
    let flags = u16::from_be_bytes(*rest.take::<2>().ok()?);
    // a data message of version 2; the reserved bits are the receiver's to ignore
    if flags & 0x800f != 0x0002 {
        return None;
    }
    if flags & 0x4000 != 0 {
        let len = u32::from(u16::from_be_bytes(*rest.take::<2>().ok()?)).checked_sub(4)?;
        if len > rest.wire() {
            return None;
        }
        rest.limit(len);
    }
    rest.skip(4).ok()?; // tunnel and session
    if flags & 0x0800 != 0 {
        rest.skip(4).ok()?;
    }
    if flags & 0x0200 != 0 {
        let pad = u16::from_be_bytes(*rest.take::<2>().ok()?);
        rest.skip(usize::from(pad)).ok()?;
    }
    let mut inner = rest;
    if let Some([0xff, 0x03]) = inner.peek::<2>() {
        inner.skip(2).ok()?;
    }
    let &[first] = inner.take::<1>().ok()?;
    let protocol = if first == 0 { inner.take::<1>().ok().map(|[low]| *low)? } else { first };
    let next = match protocol {
        0x21 => Next::Ipv4,
        0x57 => Next::Ipv6,
        _ => return None,
    };
    (fits_ip(&inner)? == next).then_some((Layer::L2tp, inner, next))
}
