//! Shards: parts of an archive, divided by server, each read by itself.
//!
//! A flow is in the shard of the address that a look at its ends takes for the server's. That depends on nothing else, so that every packet of a flow,
//! every ICMP error about it and every sum of its packets comes to the same shard, whoever condensed it and whatever was seen of it before. Where the
//! ports do not tell which end is the server, the shards of both ends hold its packets: one of them counts it, and the one that knows the server judges
//! its handshake, once it has shown who that is.

use std::cmp::Reverse;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::flow::{FlowKey, Transport};
use crate::ports::rank;

/// A part, or what crosses parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shard {
    /// From 1; 0 is the side table, which holds what crosses shards.
    pub number: u16,
    /// How many there are.
    pub of: u16,
}

impl Shard {
    /// All shards of so many, the side table behind them.
    pub fn all(of: u16) -> impl Iterator<Item = Self> {
        (1..=of).chain([SIDE]).map(move |number| Self { number, of })
    }

    /// What crosses shards.
    pub const fn is_side(self) -> bool {
        self.number == SIDE
    }

    /// What is counted of the whole is told by this one.
    pub const fn is_first(self) -> bool {
        self.number == 1
    }

    /// `1-of-4`, `side-of-4`.
    pub fn name(self) -> String {
        if self.is_side() { format!("side-of-{}", self.of) } else { format!("{}-of-{}", self.number, self.of) }
    }

    /// The number of the shard that a flow is in, and is counted in.
    pub fn of_flow(key: &FlowKey, of: u16) -> u16 {
        let (low, high) = (key.low, key.high);
        if is_gathered(key) {
            return 1;
        }
        let service = |port: u16| (rank(port), Reverse(port));
        Self::of_server(if service(high.port) > service(low.port) { high.address } else { low.address }, of)
    }

    /// The number of the shard that knows this server.
    pub fn of_server(address: IpAddr, of: u16) -> u16 {
        let bits = match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        #[expect(clippy::cast_possible_truncation, reason = "halves of an address")]
        let [high, low] = [(bits >> 64) as u64, bits as u64];
        let hash = u128::from(mixed(mixed(high) ^ low));
        // The upper half of the product is below the factor.
        u16::try_from(hash.wrapping_mul(u128::from(of)) >> 64).unwrap_or_default().saturating_add(1)
    }

    /// The numbers of the shards that hold the packets of a flow; twice the same where its ports tell which end is the server.
    pub fn holding(key: &FlowKey, of: u16) -> [u16; 2] {
        if may_be_either(key) { [key.low, key.high].map(|end| Self::of_server(end.address, of)) } else { [Self::of_flow(key, of); 2] }
    }

    /// The number of the shard that judges a handshake of this flow with this server.
    pub fn judging(key: &FlowKey, server: IpAddr, of: u16) -> u16 {
        // Of what travels through a relay neither end is the server.
        if may_be_either(key) && [key.low.address, key.high.address].contains(&server) {
            Self::of_server(server, of)
        } else {
            Self::of_flow(key, of)
        }
    }

    /// Whether the packets of this flow are here.
    pub fn holds(self, key: &FlowKey) -> bool {
        Self::holding(key, self.of).contains(&self.number)
    }

    /// Whether this flow is counted here.
    pub fn counts(self, key: &FlowKey) -> bool {
        Self::of_flow(key, self.of) == self.number
    }

    /// Whether a handshake of this flow with this server is judged here.
    pub fn judges(self, key: &FlowKey, server: IpAddr) -> bool {
        Self::judging(key, server, self.of) == self.number
    }

    /// Whether what is known of the server of this flow is known here.
    pub fn knows(self, key: &FlowKey, server: IpAddr) -> bool {
        self.judges(key, server) && (Self::of_server(server, self.of) == self.number || Self::is_carrier(key))
    }

    /// Conversations of many peers that one flow carries.
    fn is_carrier(key: &FlowKey) -> bool {
        key.transport != Transport::Tcp && [key.low.port, key.high.port].iter().any(|port| *port == 0 || CARRIERS.contains(port))
    }
}

/// Conversations of many peers, which one shard has to see.
fn is_gathered(key: &FlowKey) -> bool {
    key.transport == Transport::Eapol
        || key.transport == Transport::Udp && [key.low.port, key.high.port].iter().any(|port| CARRIERS.contains(port))
}

/// Whether both ports look alike, so that nothing but the packets tells which end is the server.
fn may_be_either(key: &FlowKey) -> bool {
    !is_gathered(key) && rank(key.low.port) == rank(key.high.port)
}

/// Spreads all bits of a number over all bits (the finaliser of `SplitMix64`).
const fn mixed(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The number of the side table.
const SIDE: u16 = 0;

/// Ports of RADIUS, whose packets carry handshakes between others: one shard has all of them.
const CARRIERS: [u16; 2] = [1812, 1645];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Endpoint;

    fn flow(transport: Transport, one: (&str, u16), other: (&str, u16)) -> FlowKey {
        let end = |(address, port): (&str, u16)| Endpoint::new(address.parse().unwrap(), port);
        FlowKey::new(transport, end(one), end(other), 0).0
    }

    #[test]
    fn a_flow_is_where_its_server_is_known() {
        let server: IpAddr = "192.0.2.7".parse().unwrap();
        for of in [1, 2, 3, 5, 256] {
            for client in 0..50 {
                let client = (format!("10.0.0.{client}"), 40_000 + client);
                let key = flow(Transport::Tcp, ("192.0.2.7", 443), (&client.0, client.1));
                let number = Shard::of_flow(&key, of);
                assert_eq!(number, Shard::of_server(server, of));
                assert!((1..=of).contains(&number));
                assert!(Shard { number, of }.knows(&key, server));
            }
        }
    }

    #[test]
    fn servers_are_spread_and_carriers_are_not() {
        let mut counts = [0; 4];
        for host in 0..=255 {
            let number = Shard::of_server(IpAddr::from([10, 1, 2, host]), 4);
            counts[usize::from(number) - 1] += 1;
        }
        assert!(counts.iter().all(|count| (40..90).contains(count)), "{counts:?}");
        let radius = flow(Transport::Udp, ("10.0.0.1", 1812), ("10.0.0.2", 1024));
        let link = flow(Transport::Eapol, ("fe80::1", 0), ("fe80::2", 0));
        assert_eq!([&radius, &link].map(|key| Shard::of_flow(key, 7)), [1, 1]);
        assert!(Shard { number: 1, of: 7 }.knows(&link, "fe80::1".parse().unwrap()));
    }

    #[test]
    fn a_server_on_the_higher_port_is_known_where_ports_look_alike() {
        let server: IpAddr = "10.0.0.1".parse().unwrap();
        let grpc = flow(Transport::Tcp, ("10.0.0.1", 50_051), ("10.0.0.2", 43_576));
        assert_eq!(Shard::of_flow(&grpc, 99), Shard::of_server(server, 99));
        let alike = [(50_055, 43_576), (8_444, 5_001), (50_055, 50_055), (443, 80)];
        let other = (50_055, 5_001);
        let unknown = |(own, client)| {
            let key = flow(Transport::Tcp, ("10.0.0.1", own), ("10.0.0.2", client));
            let unknown = |of: &u16| {
                let all = (1..=*of).map(|number| Shard { number, of: *of });
                let judging: Vec<Shard> = all.filter(|shard| shard.judges(&key, server)).collect();
                assert_eq!(judging.len(), 1, "one of them judges it");
                assert!(judging[0].holds(&key));
                assert!((1..=*of).any(|number| Shard { number, of: *of }.counts(&key) && Shard { number, of: *of }.holds(&key)));
                !judging[0].knows(&key, server)
            };
            (2..100).filter(unknown).count()
        };
        assert_eq!(alike.map(unknown), [0; 4]);
        // Below 32768 a port looks more like that of a service.
        assert!(unknown(other) > 80);
        let relayed = flow(Transport::Udp, ("10.0.0.1", 40_000), ("10.0.0.2", 50_000));
        assert_eq!(Shard::judging(&relayed, "192.0.2.1".parse().unwrap(), 9), Shard::of_flow(&relayed, 9));
    }
}
