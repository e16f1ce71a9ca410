//! `sni-unrecognized`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::tls::registry::AlertDescription as A;
use crate::wording::counted;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::SniUnrecognized, against: &[], page: page!("sni-unrecognized"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let hello = handshake.last_hello()?;
    let name = handshake.server_name()?;
    let server = handshake.server;
    let advised = |finding: Finding| {
        finding
            .advise(format!("On the server {server}, configure {name}; or on the client, correct the name or the address."))
            .advise(remedy::s_client(handshake, ""))
    };
    let asked = || format!("client asks for {name}");
    let alerted = handshake.alerts.iter().find(|seen| {
        seen.from == Side::Server && !seen.after_handshake && seen.alert.is_some_and(|alert| alert.description == A::UNRECOGNIZED_NAME)
    });
    if let Some(seen) = alerted {
        let warning = seen.alert.is_some_and(|alert| !alert.fatal);
        let level = if warning { "warning" } else { "fatal" };
        let text = format!("server sent {level} alert {}", offer::spoken(A::UNRECOGNIZED_NAME));
        let base = |confidence, summary: String| {
            Finding::new(Cause::SniUnrecognized, confidence, summary).shown_by(hello.mark, asked()).shown_by(seen.mark, text.clone())
        };
        let summary = format!("The server {server} does not know the name {name}.");
        return match (warning, handshake.deciding_alert()) {
            (false, _) if handshake.outcome.failed() => Some(advised(base(Confidence::Certain, summary).stopped_by(StoppedBy::Server))),
            (true, Some(end)) if end.from == Side::Client && handshake.outcome.failed() && handshake.client_key_exchange.is_none() => {
                let summary = format!(
                    "The server {server} warned that it does not know the name {name}, and the client treats the warning as fatal."
                );
                let finding = base(Confidence::Strong, summary).stopped_by(StoppedBy::Client).shown_by(end.mark, "client gave up");
                Some(advised(finding.or_else(&[Cause::DefaultCertificate, Cause::CertificateNameMismatch])))
            }
            _ => Some(base(Confidence::Certain, summary).weight(Weight::Note)),
        };
    }
    let refusal = offer::refusal(case)?;
    let others = case.knowledge.completed_other_names;
    let only_here = others > 0 && case.knowledge.completed_same_name == 0;
    let broad = offer::suspects(refusal.hello, case.knowledge).is_empty() && offer::grave_defects(refusal.hello).is_empty();
    let fits = match refusal.alert {
        Some(alert) => matches!(alert, A::HANDSHAKE_FAILURE | A::INTERNAL_ERROR | A::ACCESS_DENIED | A::CERTIFICATE_UNOBTAINABLE),
        None => handshake.outcome == Outcome::Closed,
    };
    if !(only_here && broad && fits) {
        return None;
    }
    let confidence = if others >= 2 && refusal.alert.is_some() { Confidence::Strong } else { Confidence::Likely };
    let summary = format!("The server {server} refuses the name {name} but completes handshakes for other names.");
    let finding = refusal.finding(Cause::SniUnrecognized, confidence, summary, asked());
    Some(advised(
        finding
            .noting(format!("{others} with this server for other names completed", others = counted(others, "handshake", "handshakes")))
            .or_else(&[Cause::HandshakeFailure, Cause::InternalError]),
    ))
}
