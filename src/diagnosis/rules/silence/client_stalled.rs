//! `client-stalled`: the client began and stopped.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule { cause: Cause::ClientStalled, against: &[], page: page!("client-stalled"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if !view.is_stuck(case.policy) && !view.stalled_over_udp() || !view.hello_begun() || facts.deciding_alert().is_some() {
        return None;
    }
    // Who had gone when the answer came stopped in no middle.
    if view.gone_before_answer().is_some() {
        return None;
    }
    let awaited = view.awaited().filter(|awaited| awaited.side == Side::Client)?;
    // A client that closes after a silence too long to be thought has stalled and then gone.
    if !view.waited() || view.ended_by(Side::Client).is_some() && facts.outcome != Outcome::Stalled {
        return None;
    }
    // Nor one that has got nothing of what it is to answer.
    let flight = facts.server_hello.as_ref().map_or(0, |hello| hello.span.0);
    let unheard = view.server().acked <= flight && !view.client().sent_sack && view.repeated_in_vain(Side::Server).next().is_some();
    if view.is_tcp() && view.answer_begun() && unheard {
        return None;
    }
    // A flight that the client may never have got is not the client's fault.
    let lost = Side::BOTH.into_iter().any(|side| view.repeated_in_vain(side).next().is_some());
    let confidence = if !view.is_tcp() {
        // Over UDP nothing acknowledges on the client's behalf. One that lacks the answer repeats itself.
        if view.repeats(Side::Client).is_some() { Confidence::Hint } else { Confidence::Likely }
    } else if lost {
        Confidence::Hint
    } else {
        Confidence::Strong
    };
    let mut finding = Finding::new(
        Cause::ClientStalled,
        confidence,
        format!(
            "{} stopped in the middle of the handshake: {} never arrived, after {} of silence.",
            facts.client.host(),
            awaited.what,
            span_text(view.silence())
        ),
    )
    .weight(Weight::Fallback)
    .stopped_by(StoppedBy::Client)
    .shown_by(view.last_progress(), format!("last progress; {} was expected next", awaited.what));
    finding = match (view.ended_by(Side::Server), view.ended_by(Side::Client)) {
        (Some(ending), _) => finding.shown_by(ending.mark, format!("the server gives up ({})", ending.name())),
        (None, Some(ending)) => finding.shown_by(ending.mark, format!("the client closes ({}) without having sent it", ending.name())),
        (None, None) => finding.shown_by(facts.closed_at, "still nothing"),
    };
    let mut alternatives = vec![Cause::ServerTimeout];
    if !view.is_tcp() {
        alternatives = vec![Cause::ServerFlightDropped, Cause::OneWayPath];
        if facts.dtls.as_ref().is_some_and(|dtls| dtls.cookie_requests.count > 0) && facts.server_hello.is_none() {
            alternatives.push(Cause::DtlsCookieLost);
        }
    } else if view.near_side() != Some(Side::Client) {
        alternatives.extend([Cause::IdleTimeout, Cause::OneWayPath]);
    }
    Some(
        finding
            .or_else(&alternatives)
            .advise("On the client, find out what it was waiting for: a certificate or PIN dialog, a revocation check that hangs, a blocked callback.")
            .advise(format!("Capture on {} to see whether it sent {}.", facts.client.host(), awaited.what)),
    )
}
