//! Who is the client of a connection whose beginning was not seen: a guess from the ports.

use std::cmp::Ordering;

use crate::flow::Endpoint;

/// Whether the sender of the first segment seen is the client, judged by the ports; where they do not tell, it is.
pub(super) fn sender_is_client(source: Endpoint, destination: Endpoint) -> bool {
    match rank(source.port).cmp(&rank(destination.port)) {
        Ordering::Greater => false,
        Ordering::Less | Ordering::Equal => true,
    }
}

/// How much a port looks like that of a service.
fn rank(port: u16) -> u8 {
    if port < 1024 {
        3
    } else if SERVICES.contains(&port) {
        2
    } else {
        // below the ephemeral ports of Linux (32768), the BSDs, macOS and Windows (49152)
        u8::from(port < 32768)
    }
}

/// Ports from 1024 on at which TLS or an upgrade to it is common.
const SERVICES: [u16; 42] = [
    1080, 1433, 1521, 1883, 2083, 2087, 2096, 2376, 2379, 2380, 2484, 3128, 3269, 3306, 3389, 4190, 4433, 4443, 5061, 5222, 5223, 5269,
    5432, 5671, 5672, 5986, 6379, 6380, 6443, 6514, 6697, 8080, 8443, 8883, 9092, 9093, 9200, 9443, 10250, 10443, 27017, 50051,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    #[test]
    fn the_service_port_is_the_servers() {
        let at = |port| Endpoint::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        assert!(sender_is_client(at(40000), at(443)));
        assert!(!sender_is_client(at(443), at(40000)));
        assert!(!sender_is_client(at(8443), at(5000)));
        assert!(!sender_is_client(at(50051), at(61000)));
        assert!(!sender_is_client(at(5000), at(61000)));
        assert!(sender_is_client(at(61000), at(62000)), "where ports do not tell, the first sender asks");
    }
}
