//! Programs that only look at a server of mail and name themselves to it: what they leave behind is no failure.

use crate::flow::Side;
use crate::handshake::Handshake;

/// The name by which a client gave itself to know as such a program.
pub(super) fn named(handshake: &Handshake) -> Option<&'static str> {
    let lines = handshake.preamble.iter().flat_map(|facts| &facts.lines).filter(|line| line.side == Side::Client);
    let mut said =
        lines.filter_map(|line| line.text.split_once(' ')).filter(|(verb, _)| VERBS.iter().any(|own| verb.eq_ignore_ascii_case(own)));
    said.find_map(|(_, name)| CHECKERS.iter().find(|known| name.trim().eq_ignore_ascii_case(known)).copied())
}

const VERBS: &[&str] = &["EHLO", "HELO", "LHLO"];

/// What they call themselves where nobody tells them otherwise: ssl-checker (npm), OpenSSL's s_client before 3.0, SSLyze, Nmap, the exporter of Prometheus.
const CHECKERS: &[&str] = &["ssl-checker", "openssl.client.net", "sslyze.scan", "nmap.scanme.org", "prober"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::dialogue;
    use crate::handshake::facts::{Outcome, StoppedBy};

    #[test]
    fn a_name_is_all_of_it() {
        let said = |ehlo: &[u8]| {
            let turns = [(Side::Server, &b"220 mail ESMTP\r\n"[..]), (Side::Client, ehlo)];
            named(&dialogue("192.0.2.1:587", &turns, Outcome::Closed, StoppedBy::Client))
        };
        assert_eq!(said(b"EHLO ssl-checker\r\n"), Some("ssl-checker"));
        assert_eq!(said(b"ehlo Prober\r\n"), Some("prober"));
        assert_eq!(said(b"EHLO prober.example.test\r\n"), None, "a host");
        assert_eq!(said(b"MAIL prober\r\n"), None);
    }
}
