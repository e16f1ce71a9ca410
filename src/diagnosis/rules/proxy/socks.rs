//! `socks-refused`: a SOCKS reply other than success.

use super::{proxy, quoting, target};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::handshake::facts::StoppedBy;
use crate::preamble::{Dialect, Upgrade};

pub(super) const RULE: Rule = Rule { cause: Cause::SocksRefused, against: &[], page: page!("socks-refused"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let facts = proxy(handshake).filter(|facts| matches!(facts.dialect, Dialect::Socks4 | Dialect::Socks5))?;
    if !matches!(facts.upgrade, Upgrade::Refused | Upgrade::UpstreamFailed | Upgrade::Unavailable) {
        return None;
    }
    let answer = facts.answer.as_deref().unwrap_or("a refusal");
    let finding = Finding::new(
        Cause::SocksRefused,
        Confidence::Certain,
        format!("The {} proxy {} did not connect to {}: {answer}.", facts.dialect.title(), handshake.server, target(facts)),
    )
    .stopped_by(StoppedBy::Network);
    let finding = quoting(finding, facts).advise(match (facts.dialect, facts.code) {
        (Dialect::Socks5, Some(5)) => "On the server, start the service, or on the client, correct the port: nothing listens there.",
        (Dialect::Socks5, Some(3 | 4 | 6)) => "On the proxy, check the route, the firewall and the name resolution for the server.",
        (Dialect::Socks5, Some(2)) => "On the proxy, allow the destination.",
        (Dialect::Socks5, Some(7 | 8)) => {
            "On the client, use names (socks5h) or IPv4: the proxy does not support this command or address type."
        }
        _ => "On the proxy, check the log for the reason, and try to reach the server from there.",
    });
    Some(finding.advise(remedy::curl_or_s_client(handshake, "")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{dialogue, verdict};
    use crate::flow::Side::{self, Client, Server};
    use crate::handshake::facts::Outcome;

    #[test]
    fn reply_codes_are_quoted() {
        let turns: [(Side, &[u8]); 4] = [
            (Client, b"\x05\x01\x00"),
            (Server, b"\x05\x00"),
            (Client, b"\x05\x01\x00\x01\x0a\x4d\x02\x14\x01\xbb"),
            (Server, b"\x05\x05\x00\x01\0\0\0\0\0\0"),
        ];
        let finding = verdict(&dialogue("192.0.2.1:1080", &turns, Outcome::Plaintext, StoppedBy::Network)).cause.unwrap();
        assert_eq!((finding.cause, finding.confidence), (Cause::SocksRefused, Confidence::Certain));
        assert!(finding.summary.contains("10.77.2.20:443") && finding.summary.contains("connection refused"));
    }
}
