//! What lies between the link layer and IP: Ethernet, 802.2 LLC and SNAP, VLAN tags (802.1Q, 802.1ad, 802.1ah), rings (HSR), MACsec (802.1AE), MPLS (RFC 3032, 4448), PPP (RFC 1661),
//! `PPPoE` (RFC 2516).

use crate::flow::Layer;
use crate::packet::Skip;
use crate::packet::cursor::Cursor;
use crate::packet::ip::fits_ip;
use crate::packet::state::{Last, LinkHeader, Next, Unread, Walk};

impl Walk<'_> {
    #[inline]
    pub(super) fn ethernet(&mut self) -> Result<Next, Skip> {
        let header = self.rest.take::<14>()?;
        self.link = LinkHeader::Ethernet(header);
        let &[.., t0, t1] = header;
        match self.type_or_length(u16::from_be_bytes([t0, t1])) {
            Next::Ether(ether::IPV4) => self.ipv4(),
            next => Ok(next),
        }
    }

    /// IEEE 802.3 section 3.2.6: up to 1500 it is a length, and LLC follows.
    fn type_or_length(&mut self, kind: u16) -> Next {
        if kind <= 1500 {
            self.rest.limit(u32::from(kind));
            Next::Llc
        } else {
            Next::Ether(kind)
        }
    }

    pub(super) fn ether(&mut self, kind: u16) -> Result<Next, Skip> {
        match kind {
            ether::IPV4 => self.ipv4(),
            ether::IPV6 => self.ipv6(),
            ether::VLAN | ether::SERVICE_VLAN | ether::OLD_QINQ | ether::OLD_QINQ_2 => {
                let &[c0, c1, t0, t1] = self.rest.take::<4>()?;
                match u16::from_be_bytes([c0, c1]) & 0x0fff {
                    // a priority tag: one direction often has it and the other not
                    0 => self.descend()?,
                    id => self.push(Layer::Vlan(id))?,
                }
                Ok(self.type_or_length(u16::from_be_bytes([t0, t1])))
            }
            ether::SECURITY_GROUP => {
                self.descend()?;
                let &[.., t0, t1] = self.rest.take::<8>()?;
                Ok(self.type_or_length(u16::from_be_bytes([t0, t1])))
            }
            ether::HSR | ether::VN_TAG => {
                self.descend()?;
                let &[.., t0, t1] = self.rest.take::<6>()?;
                Ok(self.type_or_length(u16::from_be_bytes([t0, t1])))
            }
            ether::NSH => self.service_header(),
            ether::MACSEC => self.macsec(),
            ether::SERVICE_INSTANCE => {
                let &[_, i0, i1, i2] = self.rest.take::<4>()?;
                self.push(Layer::Pbb(u32::from_be_bytes([0, i0, i1, i2])))?;
                Ok(Next::Ethernet)
            }
            ether::MPLS | ether::MPLS_UPSTREAM => Ok(Next::Mpls),
            ether::PPPOE => Ok(Next::Pppoe),
            ether::PPP => Ok(Next::Ppp),
            ether::EAPOL | ether::PREAUTHENTICATION => self.eapol_header(kind),
            ether::BRIDGED => self.descend().map(|()| Next::Ethernet),
            _ => self.stop_before(Unread::Ether(kind)),
        }
    }

    /// Network service header (RFC 8300 section 2.2): its length in words of four bytes, and what follows it.
    #[cold]
    fn service_header(&mut self) -> Result<Next, Skip> {
        self.descend()?;
        let &[_, words, _, protocol] = self.rest.take::<4>()?;
        let len = usize::from(words & 0x3f).saturating_mul(4);
        self.rest.skip(len.checked_sub(4).ok_or(Skip::Malformed)?)?;
        match protocol {
            1 => Ok(Next::Ipv4),
            2 => Ok(Next::Ipv6),
            3 => Ok(Next::Ethernet),
            5 => Ok(Next::Mpls),
            _ => Err(Skip::NotIp),
        }
    }

    /// IEEE 802.1AE section 9.3: flags, short length, packet number, and the sender's channel where it is told. What is only protected lies behind it as
    /// it was, and its check behind that.
    #[cold]
    fn macsec(&mut self) -> Result<Next, Skip> {
        const VERSION: u8 = 0x80;
        const CHANNEL: u8 = 0x20;
        const ENCRYPTED_OR_CHANGED: u8 = 0x0c;
        let mut behind = self.rest;
        let &[flags, short, ..] = behind.take::<6>()?;
        if flags & (VERSION | ENCRYPTED_OR_CHANGED) != 0 {
            return self.stop_before(Unread::Ether(ether::MACSEC));
        }
        if flags & CHANNEL != 0 {
            behind.skip(8)?;
        }
        if short & 0x3f > 0 {
            behind.limit(u32::from(short & 0x3f));
        }
        self.rest = behind;
        self.push(Layer::Macsec)?;
        let &[t0, t1] = self.rest.take::<2>()?;
        Ok(self.type_or_length(u16::from_be_bytes([t0, t1])))
    }

    /// IEEE 802.1X section 11: version, kind of packet, length of the body. Only the kinds that concern an authentication are entered.
    #[cold]
    fn eapol_header(&mut self, kind: u16) -> Result<Next, Skip> {
        const PACKET_START_OR_LOGOFF: std::ops::RangeInclusive<u8> = 0..=2;
        match self.rest.peek::<4>() {
            Some(&[1..=3, packet, high, low]) if PACKET_START_OR_LOGOFF.contains(&packet) => {
                self.rest.limit(u32::from(u16::from_be_bytes([high, low])).saturating_add(4));
                Ok(Next::Last(Last::Eapol))
            }
            _ => self.stop_before(Unread::Ether(kind)),
        }
    }

    pub(super) fn llc(&mut self) -> Result<Next, Skip> {
        let &[destination, source, control] = self.rest.take::<3>()?;
        match (destination, source, control) {
            (0xaa, 0xaa, 0x03) => {
                let &[o0, o1, o2, t0, t1] = self.rest.take::<5>()?;
                match [o0, o1, o2] {
                    // Ethernet types as such (RFC 1042) and through bridges (802.1H)
                    [0, 0, 0 | 0xf8] => Ok(Next::Ether(u16::from_be_bytes([t0, t1]))),
                    _ => Err(Skip::NotIp),
                }
            }
            (0x06, 0x06, 0x03) => Ok(Next::Ipv4),
            _ => self.stop_before(Unread::Llc(destination)),
        }
    }

    pub(super) fn pppoe(&mut self) -> Result<Next, Skip> {
        let &[version, code, s0, s1, l0, l1] = self.rest.take::<6>()?;
        if version != 0x11 {
            return Err(Skip::Malformed);
        }
        if code != 0 {
            return Err(Skip::NotIp); // discovery
        }
        self.rest.limit(u32::from(u16::from_be_bytes([l0, l1])));
        self.push(Layer::Pppoe(u16::from_be_bytes([s0, s1])))?;
        Ok(Next::Ppp)
    }

    /// Address and control may be left out, and so may the protocol's high byte (RFC 1661 section 6.5 and 6.6).
    pub(super) fn ppp(&mut self) -> Result<Next, Skip> {
        match self.rest.peek::<2>() {
            Some([0xff, 0x03]) => self.rest.skip(2)?,
            Some([0x0f | 0x8f, 0x00]) => return self.cisco_hdlc(),
            _ => {}
        }
        let &[high] = self.rest.take::<1>()?;
        let protocol = if high & 1 == 1 {
            u16::from(high)
        } else {
            let &[low] = self.rest.take::<1>()?;
            u16::from_be_bytes([high, low])
        };
        match protocol {
            0x0021 => Ok(Next::Ipv4),
            0x0057 => Ok(Next::Ipv6),
            0x0281 | 0x0283 => Ok(Next::Mpls),
            _ => Err(Skip::NotIp),
        }
    }

    pub(super) fn cisco_hdlc(&mut self) -> Result<Next, Skip> {
        let &[_, _, t0, t1] = self.rest.take::<4>()?;
        Ok(Next::Ether(u16::from_be_bytes([t0, t1])))
    }

    /// One label. Nothing says what lies under the last one: IP if it fits, else an Ethernet pseudowire, with or without control word.
    pub(super) fn mpls(&mut self) -> Result<Next, Skip> {
        let entry = u32::from_be_bytes(*self.rest.take::<4>()?);
        self.push(Layer::Mpls(entry >> 12))?;
        if entry & 0x100 == 0 {
            return Ok(Next::Mpls);
        }
        if let Some(next) = fits_ip(&self.rest) {
            return Ok(next);
        }
        let mut behind_control_word = self.rest;
        if let Ok(&[first, _, _, _]) = behind_control_word.take::<4>()
            && first >> 4 == 0
            && fits_ethernet(&behind_control_word)
        {
            self.rest = behind_control_word;
            return Ok(Next::Ethernet);
        }
        if fits_ethernet(&self.rest) { Ok(Next::Ethernet) } else { Err(Skip::NotIp) }
    }
}

/// A strict look at what should be an Ethernet frame: a type that networks really carry, or a length with LLC behind it.
pub(super) fn fits_ethernet(rest: &Cursor<'_>) -> bool {
    let Some(&[.., t0, t1]) = rest.peek::<14>() else { return false };
    let kind = u16::from_be_bytes([t0, t1]);
    match kind {
        ether::IPV4 | ether::IPV6 => {
            let mut inner = *rest;
            inner.skip(14).is_ok() && inner.bytes().first().is_none_or(|first| (first >> 4 == 4) == (kind == ether::IPV4))
        }
        ether::VLAN
        | ether::SERVICE_VLAN
        | ether::OLD_QINQ
        | ether::SERVICE_INSTANCE
        | ether::HSR
        | ether::MACSEC
        | ether::MPLS
        | ether::MPLS_UPSTREAM
        | ether::PPPOE
        | ether::PPPOE_DISCOVERY
        | ether::ARP
        | ether::LLDP
        | ether::EAPOL
        | ether::SLOW => true,
        len if len <= 1500 && u32::from(len).saturating_add(14) <= rest.wire() => {
            matches!(rest.peek::<17>(), Some(&[.., 0xaa, 0xaa, 0x03] | &[.., 0x42, 0x42, 0x03] | &[.., 0xfe, 0xfe, 0x03]))
        }
        _ => false,
    }
}

/// Ethernet types (<https://www.iana.org/assignments/ieee-802-numbers>).
pub(super) mod ether {
    /// IPv4.
    pub(in crate::packet) const IPV4: u16 = 0x0800;
    /// ARP.
    pub(in crate::packet) const ARP: u16 = 0x0806;
    /// ERSPAN type III.
    pub(in crate::packet) const ERSPAN_3: u16 = 0x22eb;
    /// Transparent Ethernet bridging.
    pub(in crate::packet) const BRIDGED: u16 = 0x6558;
    /// 802.1Q.
    pub(in crate::packet) const VLAN: u16 = 0x8100;
    /// IPv6.
    pub(in crate::packet) const IPV6: u16 = 0x86dd;
    /// Slow protocols: LACP.
    pub(in crate::packet) const SLOW: u16 = 0x8809;
    /// PPP.
    pub(in crate::packet) const PPP: u16 = 0x880b;
    /// WCCP redirection.
    pub(in crate::packet) const WCCP: u16 = 0x883e;
    /// MPLS.
    pub(in crate::packet) const MPLS: u16 = 0x8847;
    /// MPLS with upstream-assigned label.
    pub(in crate::packet) const MPLS_UPSTREAM: u16 = 0x8848;
    /// `PPPoE` discovery.
    pub(in crate::packet) const PPPOE_DISCOVERY: u16 = 0x8863;
    /// `PPPoE` session.
    pub(in crate::packet) const PPPOE: u16 = 0x8864;
    /// EAPOL.
    pub(in crate::packet) const EAPOL: u16 = 0x888e;
    /// 802.1ad.
    pub(in crate::packet) const SERVICE_VLAN: u16 = 0x88a8;
    /// ERSPAN types I and II.
    pub(in crate::packet) const ERSPAN: u16 = 0x88be;
    /// EAPOL towards an access point that a station is not connected to yet (IEEE 802.11 section 12.6.10.2).
    pub(in crate::packet) const PREAUTHENTICATION: u16 = 0x88c7;
    /// I-TAG of provider backbone bridges (802.1ah).
    pub(in crate::packet) const SERVICE_INSTANCE: u16 = 0x88e7;
    /// MACsec (802.1AE).
    pub(in crate::packet) const MACSEC: u16 = 0x88e5;
    /// VN-Tag, between a switch and what extends it (802.1BR).
    pub(in crate::packet) const VN_TAG: u16 = 0x8926;
    /// Network service header.
    pub(in crate::packet) const NSH: u16 = 0x894f;
    /// Tag of a redundant ring (HSR, IEC 62439-3).
    pub(in crate::packet) const HSR: u16 = 0x892f;
    /// Cisco's security group tag.
    pub(in crate::packet) const SECURITY_GROUP: u16 = 0x8909;
    /// LLDP.
    pub(in crate::packet) const LLDP: u16 = 0x88cc;
    /// Q-in-Q before 802.1ad.
    pub(in crate::packet) const OLD_QINQ: u16 = 0x9100;
    /// The same, second choice of some switches.
    pub(in crate::packet) const OLD_QINQ_2: u16 = 0x9200;
}
