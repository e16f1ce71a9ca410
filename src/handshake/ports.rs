//! Ports that TLS is expected on from the first byte (IANA service names): what makes a connection that carried no TLS worth a report.

/// TLS begins with the first byte on these.
pub const IMPLICIT_TLS: &[u16] = &[
    261, 443, 448, 465, 563, 614, 636, 684, 695, 832, 853, 989, 990, 992, 993, 994, 995, 1443, 2083, 2087, 2096, 2376, 2484, 2636, 3269,
    3424, 4031, 4036, 4433, 4434, 4443, 5061, 5223, 5269, 5349, 5671, 5986, 6443, 6514, 6619, 6679, 6697, 7443, 8006, 8243, 8443, 8444,
    8531, 8834, 8883, 9443, 10250, 10443, 15671, 16993, 18443,
];

/// Whether a server port is one on which TLS is due at once.
pub fn is_implicit_tls(port: u16) -> bool {
    IMPLICIT_TLS.contains(&port)
}
