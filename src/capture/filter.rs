//! Capture filters: BPF expressions compiled by libpcap, run on frames out of any file.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pcap::{BpfProgram, Capture, Linktype};

use crate::error::{Error, Result};
use crate::frame::{Frame, LinkType};

/// An expression with its program for each link type met.
pub(super) struct PacketFilter {
    expression: String,
    /// None where the expression makes no sense for the link type: it takes none of its frames.
    programs: BTreeMap<LinkType, Option<BpfProgram>>,
    latest: Option<LinkType>,
}

impl PacketFilter {
    /// Checks the expression against Ethernet, or failing that against link types that have expressions of their own.
    pub(super) fn new(expression: &str) -> Result<Self> {
        if let Err(why) = compile(expression, ETHERNET)
            && !OTHERS.iter().any(|&link| compile(expression, link).is_ok())
        {
            return Err(Error::Filter { filter: expression.to_owned(), why });
        }
        Ok(Self { expression: expression.to_owned(), programs: BTreeMap::new(), latest: None })
    }

    /// Whether the filter lets the frame through. What was cut off by a snapshot length counts as absent, as libpcap has it.
    pub(super) fn takes(&mut self, frame: Frame<'_>) -> bool {
        let link = frame.head.link;
        if self.latest != Some(link) {
            self.latest = Some(link);
            self.programs.entry(link).or_insert_with(|| compile(&self.expression, link).ok());
        }
        self.programs.get(&link).and_then(Option::as_ref).is_some_and(|program| program.filter(frame.bytes))
    }
}

/// Whether a capture filter takes TCP but drops the ICMP (or `ICMPv6`) errors about it, so that what they would have told is missing.
///
/// Found out by running the compiled filter on TCP packets and on ICMP errors about them (IPv4 "fragmentation needed", IPv6 "packet too big")
/// for the addresses and ports that the expression names. False also when it cannot be told: the expression does not compile, or has words that
/// may be host names, which libpcap would ask the name server for.
pub fn excludes_icmp(expression: &str) -> bool {
    if expression.len() > EXPRESSION_LEN || !words(expression).all(is_harmless) {
        return false;
    }
    let Ok(program) = compile(expression, ETHERNET) else { return false };
    let mut ports: Vec<u16> = words(expression).flat_map(|word| word.split('-')).filter_map(|word| word.parse().ok()).take(NAMED).collect();
    ports.extend([443, 80, 25]);
    let named: Vec<IpAddr> = words(expression).filter_map(|word| word.split('/').next()?.parse().ok()).take(NAMED).collect();
    let families = [named.iter().copied().filter(IpAddr::is_ipv4).collect::<Vec<_>>(), named.into_iter().filter(IpAddr::is_ipv6).collect()];
    families.into_iter().zip(DEFAULTS).any(|(mut addresses, defaults)| {
        addresses.extend(defaults);
        [false, true].into_iter().any(|tagged| {
            let pairs = || addresses.iter().flat_map(|&from| addresses.iter().map(move |&to| (from, to)));
            let tcp = || {
                pairs().flat_map(|(from, to)| {
                    ports.iter().flat_map(move |&port| [tcp_packet(from, to, 40_000, port), tcp_packet(from, to, port, 40_000)])
                })
            };
            let takes = |packet: Vec<u8>, to: IpAddr| program.filter(&ethernet(tagged, to, &packet));
            let takes_tcp = tcp().any(|packet| takes(packet, defaults[0]));
            let takes_errors = || addresses.iter().any(|&to| takes(icmp_error(defaults[1], to), to));
            takes_tcp && !takes_errors()
        })
    })
}

/// libpcap's reason as the error.
fn compile(expression: &str, link: LinkType) -> std::result::Result<BpfProgram, String> {
    let reason = |error: pcap::Error| match error {
        pcap::Error::PcapError(why) => why,
        other => other.to_string(),
    };
    // the numbers in files and those inside libpcap differ for these
    let number = match link.0 {
        100 => 11,
        101 | 14 => 12,
        102 => 15,
        103 => 16,
        other => i32::try_from(other).map_err(|_| "no such link type".to_owned())?,
    };
    Capture::dead(Linktype(number)).and_then(|capture| capture.compile(expression, true)).map_err(reason)
}

/// What stands between blanks and operators.
fn words(expression: &str) -> impl Iterator<Item = &str> {
    expression.split(|c: char| c.is_whitespace() || "()[]!&|<>=+*^%,;".contains(c)).filter(|word| !word.is_empty())
}

/// Numbers, addresses and the words of the filter language; anything else may be a host's name.
fn is_harmless(word: &str) -> bool {
    KEYWORDS.contains(&word)
        || word.bytes().all(|byte| byte.is_ascii_digit() || b".-/:".contains(&byte))
        || word.starts_with("0x")
        || word.split('/').next().is_some_and(|word| word.parse::<IpAddr>().is_ok())
        || (word.contains(':') && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':'))
        || word.split_once(':').is_some_and(|(before, after)| KEYWORDS.contains(&before) && is_harmless(after))
}

fn ethernet(tagged: bool, about: IpAddr, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2];
    if tagged {
        frame.extend([0x81, 0x00, 0x00, 0x01]);
    }
    frame.extend(if about.is_ipv4() { [0x08, 0x00] } else { [0x86, 0xdd] });
    frame.extend(packet);
    frame
}

/// An IP packet with the payload; checksums are left zero, which no filter looks at.
fn ip(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = |header: usize| u16::try_from(payload.len().saturating_add(header)).unwrap_or_default().to_be_bytes();
    let mut packet = Vec::new();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let [high, low] = len(20);
            packet.extend([0x45, 0, high, low, 0, 1, 0x40, 0, 64, protocol, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let [high, low] = len(0);
            packet.extend([0x60, 0, 0, 0, high, low, protocol, 64]);
            packet.extend(from.octets());
            packet.extend(to.octets());
        }
        _ => {}
    }
    packet.extend(payload);
    packet
}

/// An ACK with a few bytes of a TLS record.
fn tcp_packet(from: IpAddr, to: IpAddr, source: u16, destination: u16) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(source.to_be_bytes());
    segment.extend(destination.to_be_bytes());
    segment.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend([0x16, 0x03, 0x01, 0x00, 0x01, 0x01]);
    ip(from, to, 6, &segment)
}

/// What a router sends back when a packet is too long for the next link (RFC 1191 section 4, RFC 4443 section 3.2).
fn icmp_error(router: IpAddr, to: IpAddr) -> Vec<u8> {
    let (head, protocol): (&[u8], u8) =
        if to.is_ipv4() { (&[3, 4, 0, 0, 0, 0, 0x05, 0x14], 1) } else { (&[2, 0, 0, 0, 0, 0, 0x05, 0x14], 58) };
    let quoted = tcp_packet(to, router, 40_000, 443);
    ip(router, to, protocol, &[head, &quoted].concat())
}

/// Packets are taken to be Ethernet's.
const ETHERNET: LinkType = LinkType(1);

/// Link types whose expressions Ethernet does not know: 802.11 with and without radiotap, Linux cooked, raw IP, PPP, PF log, MTP2.
const OTHERS: [LinkType; 7] = [LinkType(105), LinkType(127), LinkType(113), LinkType(101), LinkType(9), LinkType(117), LinkType(140)];

/// Longest expression looked into.
const EXPRESSION_LEN: usize = 2048;

/// So many addresses and ports out of an expression are tried.
const NAMED: usize = 6;

/// A host and a router of each family, out of the ranges for documentation (RFC 5737, RFC 3849).
const DEFAULTS: [[IpAddr; 2]; 2] = [
    [IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7)), IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1))],
    [
        IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 7)),
        IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1)),
    ],
];

/// Words of pcap-filter(7), and services that are looked up in a local file.
const KEYWORDS: &[&str] = &[
    "and",
    "or",
    "not",
    "host",
    "net",
    "mask",
    "port",
    "portrange",
    "src",
    "dst",
    "proto",
    "ip",
    "ip6",
    "tcp",
    "udp",
    "sctp",
    "icmp",
    "icmp6",
    "igmp",
    "arp",
    "rarp",
    "ether",
    "vlan",
    "mpls",
    "pppoed",
    "pppoes",
    "geneve",
    "vxlan",
    "len",
    "less",
    "greater",
    "broadcast",
    "multicast",
    "inbound",
    "outbound",
    "ah",
    "esp",
    "pim",
    "vrrp",
    "carp",
    "stp",
    "lldp",
    "atalk",
    "ipx",
    "protochain",
    "tcpflags",
    "tcp-fin",
    "tcp-syn",
    "tcp-rst",
    "tcp-push",
    "tcp-ack",
    "tcp-urg",
    "icmptype",
    "icmpcode",
    "icmp6type",
    "icmp6code",
    "icmp-unreach",
    "http",
    "https",
    "ssh",
    "domain",
    "smtp",
    "smtps",
    "imap",
    "imaps",
    "pop3",
    "pop3s",
    "ldap",
    "ldaps",
    "ntp",
    "ftp",
    "telnet",
    "bootps",
    "bootpc",
];

#[cfg(test)]
mod tests {
    use super::{PacketFilter, excludes_icmp};
    use crate::error::Error;
    use crate::frame::{Frame, FrameHead, LinkType};
    use crate::time::Timestamp;

    #[test]
    fn port_filters_exclude_icmp_and_address_filters_do_not() {
        for excluding in [
            "tcp port 443",
            "port 443",
            "tcp",
            "tcp and host 10.1.2.3",
            "host 10.1.2.3 and port 8443",
            "tcp portrange 8000-9000",
            "host 10.0.0.1 and host 10.0.0.2",
            "(ip6 and tcp) or icmp",
            "tcp or icmp",
            "vlan and tcp port 443",
            "tcp[tcpflags] & (tcp-syn|tcp-ack) != 0",
        ] {
            assert!(excludes_icmp(excluding), "{excluding}");
        }
        for keeping in [
            "",
            "host 10.1.2.3",
            "net 10.0.0.0/8",
            "host 2001:db8::5",
            "tcp or icmp or icmp6",
            "ip and (tcp port 443 or icmp)",
            "not port 22",
            "not arp",
            "ip",
            "vlan and host 10.1.2.3",
            "udp port 53",
        ] {
            assert!(!excludes_icmp(keeping), "{keeping}");
        }
        // The names of ports are the system's (/etc/services): where it has none, nothing compiles that holds one.
        assert_eq!(excludes_icmp("port https"), PacketFilter::new("port https").is_ok());
    }

    #[test]
    fn words_that_may_be_host_names_are_not_compiled() {
        assert!(!excludes_icmp("tcp and host tracker.invalid"));
        assert!(!excludes_icmp("host dead and tcp"));
    }

    #[test]
    fn an_invalid_expression_is_an_error_with_a_reason() {
        let Err(Error::Filter { filter, why }) = PacketFilter::new("tcp prt 443") else { panic!("compiled") };
        assert_eq!(filter, "tcp prt 443");
        assert!(!why.is_empty());
        assert!(PacketFilter::new("wlan type mgt").is_ok());
    }

    #[test]
    fn programs_are_for_the_frame_s_link_type() {
        let mut filter = PacketFilter::new("tcp port 443").unwrap();
        let packet = super::tcp_packet([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), 5, 443);
        let ethernet = super::ethernet(false, [10, 0, 0, 1].into(), &packet);
        let mut takes = |link, bytes: &[u8]| {
            let head = FrameHead {
                number: 1,
                time: Timestamp::default(),
                link: LinkType(link),
                interface: 0,
                site: crate::site::Site::NONE,
                original_len: 0,
            };
            filter.takes(Frame { head, bytes })
        };
        assert!(takes(1, &ethernet) && takes(101, &packet) && takes(228, &packet));
        assert!(!takes(1, &packet) && !takes(101, &ethernet) && !takes(0xffff, &packet));
    }
}
