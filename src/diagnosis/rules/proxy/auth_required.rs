//! `proxy-auth-required`: the proxy wants to know who asks.

use super::{proxy, quoting, target};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::preamble::{Dialect, Upgrade};

pub(super) const RULE: Rule = Rule { cause: Cause::ProxyAuthRequired, against: &[], page: page!("proxy-auth-required"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let facts = proxy(handshake).filter(|facts| facts.upgrade == Upgrade::AuthRequired)?;
    let answer = facts.answer.as_deref().unwrap_or("credentials required");
    let followed = case.knowledge.related.iter().any(|other| other.same_endpoint && other.outcome == Outcome::Completed);
    // A proxy answers every first request so, and the client may come right back.
    let first = facts.asks_for_login() && !facts.showed_login();
    let confidence = if followed || first && case.knowledge.ends_soon { Confidence::Likely } else { Confidence::Certain };
    let finding = Finding::new(
        Cause::ProxyAuthRequired,
        confidence,
        format!("The proxy {} requires credentials before it connects to {}: `{answer}`.", handshake.server, target(facts)),
    )
    .stopped_by(StoppedBy::Network);
    let finding = quoting(finding, facts);
    if followed {
        return Some(
            finding
                .noting("another attempt by the same client through this proxy succeeded: this one may be the first step of a login")
                .advise("Do nothing if the client then sends its credentials: a proxy that requires a login answers every first request this way."),
        );
    }
    Some(if facts.dialect == Dialect::HttpConnect {
        finding
            .advise("On the client, configure credentials for the proxy, of a scheme that Proxy-Authenticate lists.")
            .advise(remedy::curl(handshake, "--proxy-anyauth --proxy-user <user>"))
    } else if matches!(facts.dialect, Dialect::WebSocket | Dialect::ConnectUdp) {
        finding.advise("On the client, give the credentials that the tunnel's server asks for.")
    } else {
        finding
            .or_else(&[Cause::SocksRefused])
            .advise("On the client, configure a user name and password that the SOCKS proxy accepts.")
            .advise(remedy::curl(handshake, "--proxy-user <user>"))
    })
}
