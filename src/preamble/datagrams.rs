//! Names what a UDP datagram carries that begins no handshake: by its bytes where they tell, by its ports otherwise.
//!
//! References: WireGuard's paper, section 5.4; RFC 7296 (IKE) section 3.1, RFC 3948 (ESP in UDP); RFC 8489 (STUN) section 5; RFC 9000
//! (QUIC) section 17; RFC 6347 (DTLS) section 4.1; RFC 3550 (RTP) section 5.1; RFC 2865 (RADIUS) section 3.

use super::dialogue::be32;
use super::text::{first_line, starts_with};
use crate::traffic::UNKNOWN;

/// The name of what this datagram carries, and the port that it is known by: of the two the one that its service is known for, else the lesser.
/// `len` is the payload's length on the wire, of which `payload` may be less.
pub fn name_datagram(payload: &[u8], len: u32, ports: [u16; 2]) -> (&'static str, u16) {
    let by_port = |port: &u16| PORTS.iter().find(|(known, _)| known == port).map(|(port, name)| (*name, *port));
    let known = ports.iter().find_map(by_port);
    let port = known.map_or_else(|| ports.into_iter().min().unwrap_or_default(), |(_, port)| port);
    let name = by_bytes(payload, len, port).or(known.map(|(name, _)| name)).unwrap_or(UNKNOWN);
    (name, port)
}

fn by_bytes(payload: &[u8], len: u32, port: u16) -> Option<&'static str> {
    match payload {
        // DISCO, by which two nodes look for a way to each other
        [b'T', b'S', 0xf0, 0x9f, 0x92, 0xac, ..] => Some("Tailscale"),
        [kind @ 1..=4, 0, 0, 0, ..] if wireguard(*kind, len) => Some(if port == TAILSCALE { "Tailscale" } else { "WireGuard" }),
        [0, 0, 0, 0, rest @ ..] if ike(rest, len.saturating_sub(4)) => Some("IKE"),
        _ if ike(payload, len) => Some("IKE"),
        // anything but a marker of zeros is a security parameter index; a single byte keeps the NAT's door open
        [0xff] if port == ESP_IN_UDP => Some("IPsec ESP"),
        [a, b, c, d, ..] if port == ESP_IN_UDP && [*a, *b, *c, *d] != [0; 4] && len > LEAST_ESP => Some("IPsec ESP"),
        [0..=3, _, _, _, 0x21, 0x12, 0xa4, 0x42, ..] => Some("STUN"),
        [20..=26, 0xfe, 0xfd | 0xff, ..] => Some("DTLS"),
        [0x80..=0xff, 0, 0, 0, 1, ..] | [0x80..=0xff, 0x6b, 0x33, 0x43, 0xcf, ..] => Some("QUIC"),
        [0x40..=0x7f, ..] if port == HTTPS && len >= LEAST_SHORT => Some("QUIC"),
        [0x80..=0xff, b'Q', b'0', b'0'..=b'9', b'0'..=b'9', ..] => Some(GOOGLE_QUIC),
        // flags, an identifier of eight bytes, and a version
        [flags, _, _, _, _, _, _, _, _, b'Q', b'0', b'0'..=b'9', b'0'..=b'9', ..] if flags & 0xc9 == 0x09 => Some(GOOGLE_QUIC),
        [code @ 1..=45, _, high, low, ..] if matches!(port, 1812 | 1813 | 1645 | 1646 | 3799) => {
            let fits = u32::from(u16::from_be_bytes([*high, *low])) == len && len >= 20;
            (fits && matches!(code, 1..=5 | 11 | 12 | 13 | 40..=45)).then_some("RADIUS")
        }
        [b'd', b'1' | b'2', b':', ..] => Some("BitTorrent"),
        [0x80 | 0x90, kind, ..] if len >= 12 && matches!(kind & 0x7f, 0..=34 | 96..=127) => Some("RTP"),
        [0x80..=0x9f, 200..=207, high, low, ..] if u32::from(u16::from_be_bytes([*high, *low])).saturating_mul(4) < len => Some("RTCP"),
        [b'A'..=b'Z', ..] => {
            let line = first_line(payload);
            let sip = line.ends_with(b" SIP/2.0") || starts_with(line, "SIP/2.0 ");
            let ssdp = starts_with(line, "M-SEARCH * ") || starts_with(line, "NOTIFY * ");
            if sip { Some("SIP") } else { ssdp.then_some("SSDP") }
        }
        _ => None,
    }
}

/// A message of this type has this length: initiation, response, cookie, and data in multiples of sixteen bytes.
const fn wireguard(kind: u8, len: u32) -> bool {
    match kind {
        1 => len == 148,
        2 => len == 92,
        3 => len == 64,
        _ => len >= 32 && len.is_multiple_of(16),
    }
}

/// A header of IKE: version 1 or 2, an exchange type that there is, and the length of the message.
fn ike(message: &[u8], len: u32) -> bool {
    let fits = be32(message, 24).is_some_and(|said| said == len);
    fits && matches!((message.get(17), message.get(18)), (Some(0x10), Some(1..=6 | 32 | 33)) | (Some(0x20), Some(34..=43)))
}

/// The ports of Google QUIC are those of QUIC.
pub const GOOGLE_QUIC: &str = "Google QUIC";
/// IPsec behind a NAT.
const ESP_IN_UDP: u16 = 4500;
/// Index, number, and a block that is encrypted.
const LEAST_ESP: u32 = 20;
/// Where Tailscale's WireGuard listens.
const TAILSCALE: u16 = 41_641;
const HTTPS: u16 = 443;
/// A packet of QUIC with a short header is no shorter.
const LEAST_SHORT: u32 = 21;

/// Services over UDP by port (IANA, and what the products listen on by default).
const PORTS: &[(u16, &str)] = &[
    (53, "DNS"),
    (HTTPS, "QUIC"),
    (123, "NTP"),
    (67, "DHCP"),
    (68, "DHCP"),
    (69, "TFTP"),
    (88, "Kerberos"),
    (111, "SunRPC"),
    (137, "NetBIOS"),
    (138, "NetBIOS"),
    (161, "SNMP"),
    (162, "SNMP"),
    (389, "LDAP"),
    (464, "Kerberos"),
    (500, "IKE"),
    (514, "syslog"),
    (520, "RIP"),
    (546, "DHCP"),
    (547, "DHCP"),
    (623, "IPMI"),
    (853, "DNS over QUIC"),
    (1194, "OpenVPN"),
    (1645, "RADIUS"),
    (1646, "RADIUS"),
    (1701, "L2TP"),
    (1812, "RADIUS"),
    (1813, "RADIUS"),
    (1900, "SSDP"),
    (1985, "HSRP"),
    (2049, "NFS"),
    (2055, "NetFlow"),
    (2123, "GTP"),
    (2152, "GTP"),
    (3478, "STUN"),
    (3544, "Teredo"),
    (3702, "WS-Discovery"),
    (3784, "BFD"),
    (3799, "RADIUS"),
    (ESP_IN_UDP, "IKE"),
    (4739, "IPFIX"),
    (4789, "VXLAN"),
    (5060, "SIP"),
    (5246, "CAPWAP"),
    (5247, "CAPWAP"),
    (5353, "mDNS"),
    (5355, "LLMNR"),
    (5683, "CoAP"),
    (6081, "Geneve"),
    (6343, "sFlow"),
    (8125, "StatsD"),
    (9993, "ZeroTier"),
    (11_211, "memcached"),
    (TAILSCALE, "Tailscale"),
    (51_820, "WireGuard"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn name(payload: &[u8], ports: [u16; 2]) -> &'static str {
        name_datagram(payload, u32::try_from(payload.len()).unwrap(), ports).0
    }

    fn padded(start: &[u8], len: usize) -> Vec<u8> {
        let mut bytes = start.to_vec();
        bytes.resize(len, 0x5a);
        bytes
    }

    #[test]
    fn tunnels_are_known_by_their_bytes_on_any_port() {
        assert_eq!(name(&padded(&[1, 0, 0, 0], 148), [40_000, 443]), "WireGuard");
        assert_eq!(name(&padded(&[4, 0, 0, 0], 96), [2000, 2001]), "WireGuard");
        assert_eq!(name(&padded(&[4, 0, 0, 0], 97), [2000, 2001]), UNKNOWN, "no multiple of sixteen");
        assert_eq!(name(&padded("TS💬".as_bytes(), 100), [2000, 2001]), "Tailscale");
        assert_eq!(name(&padded(&[4, 0, 0, 0], 96), [41_641, 2001]), "Tailscale");
        let ike = [&[7; 16][..], &[33, 0x20, 34, 8, 0, 0, 0, 0, 0, 0, 0, 40], &[1; 12]].concat();
        assert_eq!(name(&ike, [500, 500]), "IKE");
        assert_eq!(name(&[&[0; 4][..], &ike].concat(), [4500, 61_000]), "IKE");
        assert_eq!(name(&padded(&[0xc1, 2, 3, 4], 100), [4500, 61_000]), "IPsec ESP");
        assert_eq!(name(&padded(&[0xc1, 2, 3, 4], 100), [4501, 61_000]), UNKNOWN);
    }

    #[test]
    fn others_are_known_by_bytes_or_port() {
        assert_eq!(name(&padded(&[0x12, 0x34, 1, 0, 0, 1], 30), [53, 50_000]), "DNS");
        assert_eq!(name(&padded(&[0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42], 28), [50_000, 60_000]), "STUN");
        assert_eq!(name(&padded(&[0x80, 0x60, 1, 2], 172), [50_000, 60_000]), "RTP");
        assert_eq!(name(&padded(&[0x17, 0xfe, 0xfd], 90), [50_000, 60_000]), "DTLS");
        assert_eq!(name(&padded(&[0x51, 2, 3, 4], 90), [443, 60_000]), "QUIC");
        assert_eq!(name(&padded(&[0xd1, 2, 3, 4], 90), [444, 60_000]), UNKNOWN);
        assert_eq!(name(b"OPTIONS sip:a SIP/2.0\r\n\r\n", [50_000, 60_000]), "SIP");
        assert_eq!(name(b"M-SEARCH * HTTP/1.1\r\n\r\n", [50_000, 1900]), "SSDP");
        assert_eq!(name_datagram(b"", 0, [60_000, 50_000]), (UNKNOWN, 50_000));
    }

    #[test]
    fn google_quic_is_told_by_its_version() {
        let public = [&[0x0d][..], &[7; 8], b"Q043", &[1]].concat();
        let long = [&[0xc3][..], b"Q046", &[0x50]].concat();
        assert!([&public, &long].into_iter().all(|bytes| name(bytes, [40_000, 443]) == GOOGLE_QUIC));
        assert_ne!(name(&[&[0xc3, 0, 0, 0, 1][..], b"Q046"].concat(), [40_000, 443]), GOOGLE_QUIC, "version 1");
        assert_ne!(name(&[&[0x0d][..], &[7; 8], b"Query"].concat(), [40_000, 443]), GOOGLE_QUIC, "no digits");
    }

    #[test]
    fn every_port_has_one_name() {
        let ports: std::collections::BTreeSet<u16> = PORTS.iter().map(|(port, _)| *port).collect();
        assert_eq!(ports.len(), PORTS.len());
    }
}
