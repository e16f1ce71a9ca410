//! `client-slow`: completed, but the client took long.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};

use super::server_slow::article;

pub(super) const RULE: Rule = Rule { cause: Cause::ClientSlow, against: &[], page: page!("client-slow"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let (wait, span) = view.slowest(Side::Client).filter(|(_, span)| *span >= case.policy.slow_after)?;
    if facts.outcome == Outcome::Incomplete {
        return None;
    }
    let completed = facts.outcome == Outcome::Completed;
    // Before anything was asked of the server nobody need have waited: pools and browsers open connections ahead of use.
    let ahead = completed && facts.preamble.is_none() && facts.flow.established() == Some(wait.from);
    // A server that repeats its datagrams meanwhile has no acknowledgment of them either: nothing may have passed.
    let unheard = !view.is_tcp() && view.repeats(Side::Server).is_some_and(|again| again.last > wait.from && again.first < wait.to);
    let finding = Finding::new(
        Cause::ClientSlow,
        match (ahead, unheard) {
            (true, _) => Confidence::Hint,
            (false, true) => Confidence::Likely,
            (false, false) => Confidence::Strong,
        },
        format!("{} took {} for {} in the handshake with {}.", facts.client.host(), span_text(span), article(wait.what), view.target()),
    )
    .weight(if completed { Weight::Explains } else { Weight::Note })
    .shown_by(wait.from, "the client's turn starts")
    .shown_by(wait.to, format!("{}, {} later", wait.what, span_text(wait.span())));
    let finding = if unheard { finding.or_else(&[Cause::PacketLoss]) } else { finding };
    let finding = if completed { finding.stopped_by(StoppedBy::Nobody) } else { finding };
    Some(finding.advise(format!(
        "On the client, find out what it does before {}: a connection opened ahead of use, a revocation check, a dialog, a busy process.",
        article(wait.what)
    )))
}
