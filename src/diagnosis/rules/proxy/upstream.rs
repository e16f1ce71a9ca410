//! `proxy-upstream-failed`: the proxy tried and could not.

use super::{proxy, quoting, target};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::span_text;
use crate::handshake::facts::StoppedBy;
use crate::preamble::{Dialect, Upgrade};

pub(super) const RULE: Rule = Rule { cause: Cause::ProxyUpstreamFailed, against: &[], page: page!("proxy-upstream-failed"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let facts = proxy(handshake)
        .filter(|facts| matches!(facts.dialect, Dialect::HttpConnect | Dialect::WebSocket | Dialect::ConnectUdp))
        .filter(|facts| facts.upgrade == Upgrade::UpstreamFailed)?;
    let answer = facts.answer.as_deref().unwrap_or("a gateway error");
    let took = facts.asked.zip(facts.answered).map(|(asked, answered)| answered.time.since(asked.time));
    let after = took.map_or_else(String::new, |took| format!(" after {}", span_text(took)));
    // Without words a 500 may as well be about the proxy itself.
    let silent = facts.code == Some(500) && answer.split(' ').count() < 3;
    let finding = Finding::new(
        Cause::ProxyUpstreamFailed,
        if silent { Confidence::Likely } else { Confidence::Certain },
        format!("The proxy {} could not connect to {}: `{answer}`{after}.", handshake.server, target(facts)),
    )
    .stopped_by(StoppedBy::Network);
    let finding = quoting(finding, facts);
    let finding = if silent { finding.or_else(&[Cause::ProxyRefused]) } else { finding };
    Some(
        finding
            .advise("On the proxy, try to reach the server:")
            .advise(remedy::reach(facts.target.as_deref()))
            .advise(remedy::curl_or_s_client(handshake, "")),
    )
}
