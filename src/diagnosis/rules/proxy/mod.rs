//! Rules of the family proxy: a proxy, a load balancer or a PROXY header stands in the way.

use crate::diagnosis::cause::Family;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;
use crate::handshake::Handshake;
use crate::preamble::PreambleFacts;

mod auth_required;
mod header_missing;
mod header_unexpected;
mod no_answer;
mod no_backend;
mod refused;
mod socks;
mod upstream;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Proxy,
    speaks: Signs::UNFINISHED,
    rules: Rules::Each(&[
        &header_unexpected::RULE,
        &auth_required::RULE,
        &upstream::RULE,
        &refused::RULE,
        &socks::RULE,
        &no_answer::RULE,
        &no_backend::RULE,
        &header_missing::RULE,
    ]),
};

/// The dialogue with a proxy that ended this handshake: the innermost one, of a handshake that did not complete.
fn proxy(handshake: &Handshake) -> Option<&PreambleFacts> {
    handshake.preamble.as_deref().filter(|facts| facts.dialect.is_proxy() && handshake.outcome.failed())
}

/// What the proxy was asked for, for a summary.
fn target(facts: &PreambleFacts) -> &str {
    facts.target.as_deref().unwrap_or("the server")
}

/// Adds the request and the answer as evidence.
fn quoting(mut finding: Finding, facts: &PreambleFacts) -> Finding {
    if let Some(asked) = facts.asked {
        finding = finding.shown_by(asked, format!("{} {}", facts.dialect.request(), target(facts)));
    }
    if let (Some(answered), Some(answer)) = (facts.answered, &facts.answer) {
        finding = finding.shown_by(answered, format!("the proxy answered `{answer}`"));
    }
    match &facts.detail {
        Some(detail) => finding.noting(detail.clone()),
        None => finding,
    }
}
