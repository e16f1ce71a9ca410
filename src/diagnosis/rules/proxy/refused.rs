//! `proxy-refused`: the proxy will not.

use super::{proxy, quoting, target};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::handshake::facts::StoppedBy;
use crate::preamble::{Dialect, Upgrade};

pub(super) const RULE: Rule = Rule { cause: Cause::ProxyRefused, against: &[], page: page!("proxy-refused"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let facts = proxy(handshake)
        .filter(|facts| matches!(facts.dialect, Dialect::HttpConnect | Dialect::WebSocket | Dialect::ConnectUdp))
        .filter(|facts| matches!(facts.upgrade, Upgrade::Refused | Upgrade::Unavailable))?;
    let through = match facts.dialect {
        Dialect::WebSocket => "the WebSocket",
        Dialect::ConnectUdp => "UDP",
        _ => facts.dialect.request(),
    };
    let answer = facts.answer.as_deref().unwrap_or("a refusal");
    let finding = Finding::new(
        Cause::ProxyRefused,
        Confidence::Certain,
        format!("The proxy {} refused {through} to {}: `{answer}`.", handshake.server, target(facts)),
    )
    .stopped_by(StoppedBy::Network);
    Some(
        quoting(finding, facts)
            .advise(match facts.code {
                Some(403 | 451) => "On the proxy, allow this host and port; or on the client, bypass the proxy for it (NO_PROXY).",
                _ if facts.dialect == Dialect::WebSocket => {
                    "Check the path that the client asks for, and that every proxy before the tunnel's server passes Upgrade and Connection on (nginx: proxy_set_header)."
                }
                Some(400 | 404 | 405 | 501) => {
                    "Check that this really is a forward proxy that supports CONNECT: a web server answers like this."
                }
                Some(429) => "On the client, send fewer requests; or on the proxy, raise the limit for this client.",
                _ => "On the proxy, check the log, and read the body of its answer: they name the rule.",
            })
            .advise(remedy::curl_or_s_client(handshake, "")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{dialogue, verdict};
    use crate::flow::Side::{self, Client, Server};
    use crate::handshake::facts::Outcome;

    const CONNECT: &[u8] = b"CONNECT 10.77.2.20:443 HTTP/1.1\r\nHost: 10.77.2.20:443\r\n\r\n";

    fn answered(answer: &[u8]) -> (Option<Cause>, StoppedBy, Option<Confidence>) {
        let turns: [(Side, &[u8]); 2] = [(Client, CONNECT), (Server, answer)];
        let verdict = verdict(&dialogue("192.0.2.1:3128", &turns, Outcome::Plaintext, StoppedBy::Network));
        (verdict.cause(), verdict.stopped_by, verdict.cause.map(|finding| finding.confidence))
    }

    #[test]
    fn every_status_has_its_cause() {
        let network = |cause| (Some(cause), StoppedBy::Network, Some(Confidence::Certain));
        assert_eq!(answered(b"HTTP/1.1 403 Access violation\r\n\r\n"), network(Cause::ProxyRefused));
        assert_eq!(answered(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), network(Cause::ProxyAuthRequired));
        assert_eq!(answered(b"HTTP/1.1 504 Gateway Timeout\r\n\r\n"), network(Cause::ProxyUpstreamFailed));
        assert_eq!(answered(b"HTTP/1.0 500 Unable to connect\r\n\r\n"), network(Cause::ProxyUpstreamFailed));
        assert_eq!(answered(b"HTTP/1.1 500 Internal Server Error\r\n\r\n"), network(Cause::ProxyRefused));
    }

    #[test]
    fn silence_is_no_refusal() {
        let verdict = verdict(&dialogue("192.0.2.1:3128", &[(Client, CONNECT)], Outcome::Stalled, StoppedBy::Server));
        assert_eq!((verdict.cause(), verdict.stopped_by), (Some(Cause::ProxyNoAnswer), StoppedBy::Network));
    }

    #[test]
    fn a_tunnel_that_was_opened_is_no_ones_refusal() {
        let turns: [(Side, &[u8]); 2] = [(Client, CONNECT), (Server, b"HTTP/1.1 200 OK\r\n\r\n")];
        let cause = verdict(&dialogue("192.0.2.1:3128", &turns, Outcome::Closed, StoppedBy::Client)).cause();
        assert!(cause.is_none_or(|cause| cause.family() != crate::diagnosis::cause::Family::Proxy), "{cause:?}");
    }
}
