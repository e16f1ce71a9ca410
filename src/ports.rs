//! Which port of two is a service's, where nothing else tells.

/// How much a port looks like that of a service.
pub(crate) fn rank(port: u16) -> u8 {
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
