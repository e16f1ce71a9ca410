//! Packets of a flow that were left out of a condensate because the flow is not looked into any more: whoever reads the condensate knows what it
//! carried, and counts them there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::flow::{Endpoint, FlowKey, Transport};
use crate::site::Site;
use crate::traffic::{Bearer, Kind, protocol_named};

/// Packets of one flow within a step of packet time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    /// The flow.
    pub key: FlowKey,
    /// What they are counted as where the flow is not known; none for TCP, of which packets of no connection are not counted.
    pub kind: Option<Kind>,
    /// Another flow begins on the same ports with the next frame.
    pub at_once: bool,
    /// How many there were. Less than none where a condensate goes on beyond its window: its packets are among those that the next one has left out.
    pub packets: i64,
    /// Their bytes of payload.
    pub bytes: i64,
}

impl Late {
    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        let FlowKey { low, high, transport, path, site: _ } = self.key;
        let wide = low.address.is_ipv6();
        let flags = [
            (true, PRESENT),
            (transport == Transport::Udp, UDP),
            (transport == Transport::Eapol, EAPOL),
            (wide, IPV6),
            (self.at_once, AT_ONCE),
        ];
        out.push(flags.into_iter().filter(|(set, _)| *set).fold(0, |sum, (_, flag)| sum | flag));
        let name = self.kind.map_or("", |kind| kind.protocol);
        out.push(u8::try_from(name.len()).unwrap_or_default());
        for port in [self.kind.and_then(|kind| kind.port).unwrap_or_default(), low.port, high.port] {
            out.extend(port.to_le_bytes());
        }
        out.extend(path.to_le_bytes());
        out.extend(self.packets.to_le_bytes());
        out.extend(self.bytes.to_le_bytes());
        for end in [low, high] {
            match end.address {
                IpAddr::V4(address) => out.extend(address.octets()),
                IpAddr::V6(address) => out.extend(address.octets()),
            }
        }
        if u8::try_from(name.len()).is_ok() {
            out.extend(name.as_bytes());
        }
    }

    /// Takes one off the bytes of a site's condensate; `None` at their end, and where they are none.
    pub fn read(bytes: &mut &[u8], site: Site) -> Option<Self> {
        let [flags, name_len] = take(bytes)?;
        if flags & PRESENT == 0 {
            return None;
        }
        let [port, low, high] = [take(bytes)?, take(bytes)?, take(bytes)?].map(u16::from_le_bytes);
        let path = u32::from_le_bytes(take(bytes)?);
        let [packets, sum] = [take(bytes)?, take(bytes)?].map(i64::from_le_bytes);
        let mut address = || {
            let wide = flags & IPV6 != 0;
            Some(if wide { IpAddr::V6(Ipv6Addr::from(take::<16>(bytes)?)) } else { IpAddr::V4(Ipv4Addr::from(take::<4>(bytes)?)) })
        };
        let ends = [Endpoint::new(address()?, low), Endpoint::new(address()?, high)];
        let (name, rest) = bytes.split_at_checked(usize::from(name_len))?;
        *bytes = rest;
        let (transport, bearer, port) = match (flags & UDP, flags & EAPOL) {
            (0, 0) => (Transport::Tcp, Bearer::Tcp, None),
            (0, _) => (Transport::Eapol, Bearer::Link, None),
            _ => (Transport::Udp, Bearer::Udp, Some(port)),
        };
        let (key, _) = FlowKey::new(transport, ends[0], ends[1], path);
        let kind = match std::str::from_utf8(name).ok()? {
            "" => None,
            name => Some(Kind { bearer, protocol: protocol_named(name)?, port }),
        };
        Some(Self { key: key.at(site), kind, at_once: flags & AT_ONCE != 0, packets, bytes: sum })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

/// Set in each, so that what fills up a block is none.
const PRESENT: u8 = 1;
const UDP: u8 = 2;
const IPV6: u8 = 4;
const AT_ONCE: u8 = 8;
const EAPOL: u8 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let late = |transport, [one, other]: [&str; 2], kind| {
            let end = |address: &str| Endpoint::new(address.parse().unwrap(), 443);
            let (key, _) = FlowKey::new(transport, end(one), end(other), 7);
            Late { key, kind, at_once: kind.is_none(), packets: -3, bytes: 1 << 40 }
        };
        let kind = Kind { bearer: Bearer::Udp, protocol: "QUIC", port: Some(443) };
        let link = Kind { bearer: Bearer::Link, protocol: "EAPOL", port: None };
        let all = [
            late(Transport::Tcp, ["192.0.2.1", "198.51.100.7"], None),
            late(Transport::Udp, ["2001:db8::1", "2001:db8::2"], Some(kind)),
            late(Transport::Eapol, ["fe80::1", "fe80::2"], Some(link)),
        ];
        let mut bytes = Vec::new();
        for late in &all {
            late.write(&mut bytes);
        }
        bytes.extend([0; 3]);
        let mut rest = bytes.as_slice();
        assert_eq!([0, 1, 2].map(|_| Late::read(&mut rest, Site::NONE)), all.map(Some));
        assert_eq!(Late::read(&mut rest, Site::NONE), None);
        for len in 0..bytes.len() {
            let mut cut = &bytes[..len];
            while Late::read(&mut cut, Site::NONE).is_some() {}
        }
    }
}
