//! `proxy-upstream-failed`: the proxy tried and could not.

use super::{proxy, quoting, target};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::span_text;
use crate::handshake::facts::StoppedBy;
use crate::preamble::{Dialect, Upgrade};

pub(super) const RULE: Rule = Rule {
    cause: Cause::ProxyUpstreamFailed,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the proxy could not reach the server, or not in time",
    page: Page {
        meaning: "The proxy was willing and could not: the name does not resolve where the proxy runs, the server refuses or does not answer it, or the time was up. The fault lies behind the proxy, where this capture \
                  does not look.",
        recognised: "502, 503 or 504 in answer to CONNECT. The time between request and answer tells more: at once means refused or unknown name, many seconds mean silence.",
        confused_with: "A 503 that the proxy sends for itself when overloaded. A server behind the proxy that is reached but fails in TLS: then CONNECT is answered with 200.",
        check: "Connect from the proxy's host to the server.\n\n$ nc -vz -w 5 <host> <port>\n\n$ getent ahosts <host>",
        fix: &[
            (
                "server",
                "Start it, or repair the route and the firewall between the proxy and it. The proxy's address must be allowed, not the client's.",
            ),
            ("name resolution", "The proxy resolves the name, not the client: repair its resolver, or its split view of internal names."),
            (
                "Squid",
                "Its answer carries X-Squid-Error: ERR_CONNECT_FAIL, ERR_DNS_FAIL or ERR_CANNOT_FORWARD. `connect_timeout` and `dns_v4_first` matter where IPv6 is broken.\n\n$ squidclient mgr:ipcache | head",
            ),
            ("HAProxy, Envoy, nginx as a forward hop", "Look at the backend's health and the connect timeout."),
            ("chained proxies", "The parent proxy failed: look at its log with the time of this request."),
            ("client", "Leave the proxy out for hosts that only the client can reach: NO_PROXY=<host>."),
        ],
        references: &["RFC 9110 sections 15.6.3 to 15.6.5", "RFC 9209 (Proxy-Status)"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let facts = proxy(handshake).filter(|facts| facts.dialect == Dialect::HttpConnect && facts.upgrade == Upgrade::UpstreamFailed)?;
    let answer = facts.answer.as_deref().unwrap_or("a gateway error");
    let took = facts.asked.zip(facts.answered).map(|(asked, answered)| answered.time.since(asked.time));
    let after = took.map_or_else(String::new, |took| format!(" after {}", span_text(took)));
    let finding = Finding::new(
        Cause::ProxyUpstreamFailed,
        Confidence::Certain,
        format!("The proxy {} could not connect to {}: `{answer}`{after}.", handshake.server, target(facts)),
    )
    .stopped_by(StoppedBy::Network);
    let finding = quoting(finding, facts);
    Some(
        finding
            .advise("On the proxy's host, try to reach the server:")
            .advise(remedy::reach(facts.target.as_deref()))
            .advise(remedy::curl_or_s_client(handshake, "")),
    )
}
