//! `client-slow`: completed, but the client took long.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};

use super::server_slow::article;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientSlow,
    speaks: Signs::UNFINISHED.or(Signs::SLOW),
    against: &[],
    title: "the handshake completed, but the client took long",
    page: Page {
        meaning: "The handshake succeeded, and most of its time was the client's own: before its ClientHello, or between the server's flight and its own next one.",
        recognised: "A long time between the connection's coming up (or the server's complete flight) and the client's next message, no packet lost meanwhile.",
        confused_with: "A connection that a pool or a browser opened ahead of use: then nobody waited. A person choosing a certificate.",
        check: "See which message was late: the ClientHello points to a pool or a busy client, the second flight to certificate checks or dialogues.",
        fix: &[
            (
                "before the ClientHello",
                "Connection pools that open ahead of use, a busy event loop, lack of entropy on old systems. No action if nobody waited.",
            ),
            (
                "revocation checks",
                "Clients that ask OCSP or CRL servers wait for them: let them reach these addresses, or staple OCSP at the server.",
            ),
            ("certificate or PIN dialogue", "Expected; make sure that the server's and the firewalls' limits are longer."),
            ("small devices", "RSA and large curves take seconds on microcontrollers: serve ECDSA P-256 and a short chain."),
        ],
        references: &["RFC 8446 section 2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let (wait, span) = view.slowest(Side::Client).filter(|(_, span)| *span >= case.policy.slow_after)?;
    if facts.outcome == Outcome::Incomplete {
        return None;
    }
    let completed = facts.outcome == Outcome::Completed;
    let finding = Finding::new(
        Cause::ClientSlow,
        Confidence::Strong,
        format!("{} took {} for {} in the handshake with {}.", facts.client.address, span_text(span), article(wait.what), view.target()),
    )
    .weight(if completed { Weight::Explains } else { Weight::Note })
    .shown_by(wait.from, "the client's turn begins")
    .shown_by(wait.to, format!("{}, {} later", wait.what, span_text(wait.span())));
    let finding = if completed { finding.stopped_by(StoppedBy::Nobody) } else { finding };
    Some(finding.advise(format!(
        "See what the client does before {}: opened ahead of use, revocation checks, a dialogue, a busy process.",
        article(wait.what)
    )))
}
