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
use crate::preamble::{PreambleFacts, Upgrade};

pub(super) const RULE: Rule = Rule { cause: Cause::ProxyNoAnswer, against: &[], page: page!("proxy-no-answer"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let view = View::new(handshake);
    let late = proxy(handshake).filter(|_| view.granted_too_late() && view.waited()).and_then(|facts| facts.answered);
    let unanswered = |facts: &&PreambleFacts| facts.upgrade == Upgrade::Asked && facts.answer.is_none();
    let facts = proxy(handshake).filter(|facts| late.is_some() || unanswered(facts))?;
    let asked = facts.asked?;
    // a request that never arrived is the path's affair
    if view.client().acked == 0 && view.client().outstanding.iter().any(|segment| segment.copies >= 2) {
        return None;
    }
    let waited = view.stop().time.since(asked.time);
    let (proxy, request, target) = (handshake.server, facts.dialect.request(), target(facts));
    // Who ends it at once has decided, and does not wait for a server.
    let refuses = view.first_end().is_some_and(|ending| ending.side == Side::Server) && !view.waited();
    let summary = if refuses {
        format!("The proxy {proxy} closed the connection {} after {request} {target}, without an answer.", span_text(waited))
    } else {
        format!("The proxy {proxy} did not answer {request} {target} within {}.", span_text(waited))
    };
    let mut finding = Finding::new(Cause::ProxyNoAnswer, Confidence::Strong, summary)
        .stopped_by(StoppedBy::Network)
        .shown_by(asked, format!("{request} {target}"));
    if let Some(ending) = view.first_end() {
        let who = if ending.side == Side::Server { "the proxy" } else { "the client" };
        finding = finding.shown_by(ending.mark, format!("{who} ended the connection ({}) {} later", ending.name(), span_text(waited)));
    }
    let finding = match late {
        Some(late) => finding.shown_by(late, "the proxy's answer arrives after that").or_else(&[Cause::ClientTimeout]),
        None => finding.noting("no byte from the proxy"),
    };
    let finding = if refuses {
        finding.or_else(&[Cause::ProxyRefused, Cause::ProxyUpstreamFailed]).advise(
            "On the proxy, check the log and the rules: who may use it, and for which servers and ports. Some close without a word on what they forbid.",
        )
    } else {
        finding
            .or_else(&[Cause::ProxyUpstreamFailed])
            .advise("On the proxy, check the log and try to reach the server from there: the proxy may be waiting for it.")
    };
    Some(finding.advise(remedy::curl_or_s_client(handshake, "--connect-timeout 60")))
}
