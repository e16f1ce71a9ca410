//! Addresses, ports and networks, as people write them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

use crate::flow::{Endpoint, Shown, read_address};

/// `192.0.2.1`, `192.0.2.1:443`, `[2001:db8::1]:443`, `10.0.0.0/8`, `10.0.0.0/8:443`, `:8443`, `00:00:5e:00:53:01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerPattern {
    network: Option<IpNet>,
    port: Option<u16>,
}

impl PeerPattern {
    /// Whether it stands for this peer.
    pub fn matches(&self, peer: Endpoint) -> bool {
        self.network.is_none_or(|network| network.contains(&peer.address)) && self.port.is_none_or(|port| port == peer.port)
    }
}

impl fmt::Display for PeerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(network) = self.network else { return self.port.map_or(Ok(()), |port| write!(f, ":{port}")) };
        let is_one = network.prefix_len() == network.max_prefix_len();
        let (address, length) = (network.addr(), if is_one { String::new() } else { format!("/{}", network.prefix_len()) });
        match (address, self.port) {
            (IpAddr::V6(address), Some(port)) => write!(f, "[{address}{length}]:{port}"),
            (address, Some(port)) => write!(f, "{address}{length}:{port}"),
            (address, None) => write!(f, "{}{length}", Shown(address)),
        }
    }
}

impl FromStr for PeerPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let hint =
                if text.contains(|c: char| c.is_ascii_alphabetic() && !c.is_ascii_hexdigit()) { "; names are for --name" } else { "" };
            format!("{text:?} is not an address; write 192.0.2.1, 192.0.2.1:443, [2001:db8::1]:443, 10.0.0.0/8 or :443{hint}")
        };
        if let Some(address) = read_address(text) {
            return Ok(Self { network: Some(address.into()), port: None });
        }
        if let Ok(socket) = text.parse::<SocketAddr>() {
            return Ok(Self { network: Some(socket.ip().into()), port: Some(socket.port()) });
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self { network: Some(network), port: None });
        }
        let (network, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = Some(port.parse().map_err(|_| wrong())?);
        if network.is_empty() {
            return Ok(Self { network: None, port });
        }
        let network = network.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(network);
        Ok(Self { network: Some(network.parse().map_err(|_| wrong())?), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, address: &str, port: u16) -> bool {
        pattern.parse::<PeerPattern>().unwrap().matches(Endpoint::new(address.parse().unwrap(), port))
    }

    #[test]
    fn addresses_ports_and_networks() {
        assert!(matches("192.0.2.1", "192.0.2.1", 443) && !matches("192.0.2.1", "192.0.2.10", 443));
        assert!(matches("192.0.2.1:443", "192.0.2.1", 443) && !matches("192.0.2.1:443", "192.0.2.1", 8443));
        assert!(matches("10.0.0.0/8", "10.255.0.1", 1) && !matches("10.0.0.0/8", "11.0.0.1", 1));
        assert!(matches("10.0.0.0/8:443", "10.1.2.3", 443) && !matches("10.0.0.0/8:443", "10.1.2.3", 80));
        assert!(matches("2001:db8::/32", "2001:db8::7", 443) && !matches("2001:db8::/32", "10.0.0.1", 443));
        assert!(matches("[2001:db8::7]:443", "2001:db8::7", 443) && matches("[2001:db8::/32]:443", "2001:db8::7", 443));
        assert!(matches("2001:db8::7", "2001:db8::7", 443), "an address without a port has no port");
        let station = Endpoint::station([0, 0, 0x5e, 0, 0x53, 1]);
        let pattern = "00:00:5e:00:53:01".parse::<PeerPattern>().unwrap();
        assert_eq!((pattern.matches(station), pattern.to_string().as_str()), (true, "00:00:5e:00:53:01"));
        assert!(matches(":443", "10.1.2.3", 443) && !matches(":443", "10.1.2.3", 444));
    }

    #[test]
    fn what_is_no_address_is_answered_with_what_would_be() {
        for text in ["", "10.0.0.0/33", "10.0.0.1:99999", "10.0.0", ":", "1.2.3.4/8:x"] {
            assert!(text.parse::<PeerPattern>().unwrap_err().contains("192.0.2.1:443"), "{text}");
        }
        assert!("www.example.test".parse::<PeerPattern>().unwrap_err().contains("--name"));
    }
}
