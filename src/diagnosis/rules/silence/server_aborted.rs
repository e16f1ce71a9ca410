//! `server-aborted`: the server left in the middle.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

pub(super) const RULE: Rule = Rule { cause: Cause::ServerAborted, against: &[], page: page!("server-aborted"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let asked_for_cookie = facts.dtls.as_ref().is_some_and(|dtls| dtls.cookie_requests.count > 0);
    if !view.is_tcp() && (view.answer_begun() || asked_for_cookie) {
        return super::closed_over_udp(case, Cause::ServerAborted, Side::Server);
    }
    if !view.failed_without_words() || !view.answer_begun() {
        return None;
    }
    let ending = view.ended_by(Side::Server)?;
    let awaited = view.awaited()?;
    // Waiting in vain for the client is a time limit and told as such.
    if awaited.side == Side::Client && view.waited() {
        return None;
    }
    Some(
        Finding::new(
            Cause::ServerAborted,
            Confidence::Strong,
            format!(
                "{} {} the connection in the middle of the handshake, without an alert, {} after the last progress.",
                view.target(),
                if ending.reset.is_some() { "reset" } else { "closed" },
                span_text(view.silence())
            ),
        )
        .weight(Weight::Fallback)
        .stopped_by(StoppedBy::Server)
        .shown_by(view.last_progress(), "last progress of the handshake")
        .shown_by(ending.mark, format!("the server's {}; the next message expected was {}", ending.name(), awaited.what))
        .or_else(if ending.reset.is_some() {
            &[Cause::ResetInjected, Cause::InternalError]
        } else {
            &[Cause::InternalError, Cause::ClientCertificateRejected]
        })
        .advise(remedy::log(facts, Side::Server, "crash, restart, deployment, lost backend"))
        .advise(remedy::s_client(facts, "")),
    )
}
