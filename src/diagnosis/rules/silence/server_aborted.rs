//! `server-aborted`: the server left in the middle.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::StoppedBy;

pub(super) const RULE: Rule = Rule { cause: Cause::ServerAborted, against: &[], page: page!("server-aborted"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let asked_for_cookie = facts.dtls.as_ref().is_some_and(|dtls| dtls.cookie_requests.count > 0);
    if !view.is_tcp() && (view.answer_begun() || asked_for_cookie) {
        return super::closed_over_udp(case, Cause::ServerAborted, Side::Server);
    }
    if view.failed_without_words() && view.upgrade_granted() {
        return took_it_back(facts);
    }
    if !view.failed_without_words() || !view.answer_begun() {
        return None;
    }
    let ending = view.ended_by(Side::Server)?;
    let awaited = view.awaited_at(ending.mark)?;
    // Waiting in vain for the client is a time limit and told as such.
    if awaited.side == Side::Client && view.waited() {
        return None;
    }
    // Of messages that were cut nobody knows what the server made of them.
    let cut = Side::BOTH.into_iter().any(|side| view.side(side).snaplen_cut > 0);
    let stranger = view.disowns(&ending);
    // Whoever has not heard the answer yet may have a limit that is shorter than the way.
    let unheard = view.left_unheard(&ending).is_some();
    let finding = Finding::new(
        Cause::ServerAborted,
        if cut || stranger || unheard { Confidence::Likely } else { Confidence::Strong },
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
    .shown_by(ending.mark, format!("the server's {}; the next message expected was {}", ending.name(), awaited.what));
    let finding = super::noting_next_door(case, super::noting_stranger(view, finding, &ending));
    let finding = if stranger {
        finding.advise("Find out whether the address led to another machine from then on (anycast, several routes, a balancer that changed servers), whether the host was started anew, and whether a NAT or a firewall on the path had forgotten the connection.")
    } else {
        finding
    };
    let finding = if unheard { finding.or_else(&[Cause::ServerTimeout]) } else { finding };
    Some(
        finding
            .or_else(match (stranger, ending.reset) {
                (true, _) => &[Cause::ResetInjected, Cause::IdleTimeout, Cause::InternalError],
                (false, Some(_)) => &[Cause::ResetInjected, Cause::InternalError, Cause::ClientCertificateRejected],
                (false, None) => &[Cause::InternalError, Cause::ClientCertificateRejected],
            })
            .advise(remedy::log(facts, Side::Server, "crash, restart, deployment, lost backend"))
            .advise(remedy::s_client(facts, "")),
    )
}

/// The server agreed to begin TLS, and left before the client began.
fn took_it_back(facts: &Handshake) -> Option<Finding> {
    let view = View::new(facts);
    let preamble = facts.preamble.as_deref().filter(|preamble| preamble.dialect.is_starttls())?;
    let agreed = preamble.answered?;
    let ending = view.ended_by(Side::Server).filter(|ending| ending.mark.frame >= agreed.frame)?;
    // A client that lets it wait is told as such.
    if view.waited() {
        return None;
    }
    let verb = if ending.reset.is_some() { "reset" } else { "closed" };
    let summary =
        format!("{} {verb} the connection right after its own go-ahead to start TLS ({}).", facts.server, preamble.dialect.title());
    Some(
        Finding::new(Cause::ServerAborted, Confidence::Strong, summary)
            .weight(Weight::Fallback)
            .stopped_by(StoppedBy::Server)
            .shown_by(agreed, "the server agrees to begin TLS")
            .shown_by(ending.mark, format!("the server's {}, before a ClientHello", ending.name()))
            .or_else(&[Cause::InternalError])
            .advise(remedy::log(facts, Side::Server, "the process that does TLS may have failed: certificate, key, memory, a limit"))
            .advise(remedy::s_client(facts, "")),
    )
}
