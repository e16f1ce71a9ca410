//! `server-slow`: completed, but the server took long.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule { cause: Cause::ServerSlow, against: &[], page: page!("server-slow"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let (wait, span) = view.slowest(Side::Server).filter(|(_, span)| *span >= case.policy.slow_after)?;
    if facts.outcome == Outcome::Incomplete {
        return None;
    }
    let completed = facts.outcome == Outcome::Completed;
    // Seen from afar on a path that loses packets, the time may have been the path's.
    let unseen = view.sent_unseen(Side::Server, wait.from, wait.to).is_some_and(|count| count >= 2);
    let sure = !unseen && !case.may_have_been_lost(&wait);
    let finding = Finding::new(
        Cause::ServerSlow,
        if sure { Confidence::Strong } else { Confidence::Hint },
        format!("{} took {} for {}, not counting the round trip.", view.target(), span_text(span), article(wait.what)),
    )
    .weight(if completed && sure { Weight::Explains } else { Weight::Note })
    .shown_by(wait.from, "the server's turn starts")
    .shown_by(wait.to, format!("{}, {} later", wait.what, span_text(wait.span())));
    let finding = if completed { finding.stopped_by(StoppedBy::Nobody) } else { finding };
    Some(
        finding
            .advise(format!(
                "On the server, find out what it waits for before {}: CPU, key store, certificate or client lookups, OCSP.",
                article(wait.what)
            ))
            .advise(
                remedy::curl(facts, "-o /dev/null -s").map(|command| command.option("-w", "tcp %{time_connect} tls %{time_appconnect}\\n")),
            ),
    )
}

/// The message with its article.
pub(super) fn article(what: &str) -> String {
    if what.starts_with("the ") { what.to_owned() } else { format!("the {what}") }
}
