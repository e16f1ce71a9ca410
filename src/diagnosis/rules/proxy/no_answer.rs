//! `proxy-no-answer`: CONNECT went unanswered.

use super::{proxy, target};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::preamble::Upgrade;

pub(super) const RULE: Rule = Rule { cause: Cause::ProxyNoAnswer, against: &[], page: page!("proxy-no-answer"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let facts = proxy(handshake).filter(|facts| facts.upgrade == Upgrade::Asked && facts.answer.is_none())?;
    let asked = facts.asked?;
    let view = View::new(handshake);
    // a request that never arrived is the path's affair
    if view.client().acked == 0 && view.client().outstanding.iter().any(|segment| segment.copies >= 2) {
        return None;
    }
    let waited = view.stop().time.since(asked.time);
    let mut finding = Finding::new(
        Cause::ProxyNoAnswer,
        Confidence::Strong,
        format!(
            "The proxy {} did not answer {} {} within {}.",
            handshake.server,
            facts.dialect.request(),
            target(facts),
            span_text(waited)
        ),
    )
    .stopped_by(StoppedBy::Network)
    .shown_by(asked, format!("{} {}", facts.dialect.request(), target(facts)));
    if let Some(ending) = view.first_end() {
        let who = if ending.side == Side::Server { "the proxy" } else { "the client" };
        finding = finding.shown_by(ending.mark, format!("{who} ended the connection ({}) {} later", ending.name(), span_text(waited)));
    }
    Some(
        finding
            .noting("no byte from the proxy")
            .or_else(&[Cause::ProxyUpstreamFailed])
            .advise("On the proxy, check the log and try to reach the server from there: the proxy may be waiting for it.")
            .advise(remedy::curl_or_s_client(handshake, "--connect-timeout 60")),
    )
}
