//! `insufficient-security`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::tls::registry::AlertDescription;

use crate::diagnosis::offer;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::InsufficientSecurity, against: &[], page: page!("insufficient-security"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let seen = handshake.deciding_alert().filter(|_| handshake.outcome.failed())?;
    let alert = seen.alert?.description;
    if alert != AlertDescription::INSUFFICIENT_SECURITY {
        return None;
    }
    let mut finding = match (seen.from, offer::refusal(case)) {
        (Side::Server, Some(refusal)) => {
            let suspects = offer::suspects(refusal.hello, case.knowledge);
            // Below TLS 1.3 a hello without extended master secret has a reason of its own.
            let bound = refusal.hello.extended_master_secret() || refusal.hello.highest_version().is_tls13();
            let confidence = if suspects.is_empty() && bound { Confidence::Strong } else { Confidence::Likely };
            let summary = format!("The server {} considers the client's offer too weak and does not say why.", offer::server(case));
            let offered = format!("client offers {} with {}", offer::versions(refusal.hello), suites(&refusal));
            let finding = refusal.finding(Cause::InsufficientSecurity, confidence, summary, offered);
            suspects.iter().fold(finding, |finding, suspect| finding.or_else(&[suspect.cause]))
        }
        (from, _) => {
            let summary = format!("The {from} considers the other side's parameters too weak and does not say which.");
            Finding::new(Cause::InsufficientSecurity, Confidence::Likely, summary)
                .shown_by(seen.mark, format!("{from} sent alert {}", offer::spoken(alert)))
        }
    };
    finding = finding.or_else(&[Cause::NoCommonCipher]);
    // A server that finds none of its groups among the finite-field ones offered may say so (RFC 7919 section 4).
    if handshake.hello().is_some_and(|hello| hello.supported_groups().any(|group| (0x0100..=0x01ff).contains(&group.0))) {
        finding = finding.or_else(&[Cause::NoCommonGroup]);
    }
    Some(
        finding
            .advise(format!(
                "On the {}, check the security policy and the log; on the other side, offer TLS 1.3 or ECDHE with AES-GCM.",
                seen.from
            ))
            .advise(remedy::s_client(handshake, "-tls1_3")),
    )
}

fn suites(refusal: &offer::Refusal<'_>) -> String {
    offer::listed(refusal.hello.cipher_suites().filter(|suite| !suite.is_grease() && !suite.is_signal()))
}
