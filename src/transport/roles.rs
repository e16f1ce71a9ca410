//! Who is the client of a connection whose beginning was not seen: a guess from the ports.

use std::cmp::Ordering;

use crate::flow::Endpoint;
use crate::ports::rank;

/// Whether the sender of the first segment seen is the client, judged by the ports; where they do not tell, it is.
pub(super) fn sender_is_client(source: Endpoint, destination: Endpoint) -> bool {
    match rank(source.port).cmp(&rank(destination.port)) {
        Ordering::Greater => false,
        Ordering::Less | Ordering::Equal => true,
    }
}

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
