//! `handshake-failure`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::tls::registry::AlertDescription;

use crate::diagnosis::offer;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::HandshakeFailure, against: &[], page: page!("handshake-failure"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let seen = handshake.deciding_alert().filter(|_| handshake.outcome.failed())?;
    let alert = seen.alert?.description;
    if alert != AlertDescription::HANDSHAKE_FAILURE {
        return None;
    }
    let refusal = offer::refusal(case);
    let (place, mut alternatives) = match (seen.from, &refusal) {
        (Side::Server, Some(refusal)) => {
            let mut causes: Vec<Cause> = offer::suspects(refusal.hello, case.knowledge).iter().map(|suspect| suspect.cause).collect();
            causes.extend([Cause::NoCommonCipher, Cause::NoCommonGroup, Cause::NoCommonSignatureAlgorithm]);
            if !refusal.hello.extended_master_secret() && !refusal.hello.highest_version().is_tls13() {
                causes.push(Cause::ExtendedMasterSecretRequired);
            }
            causes.push(if refusal.hello.server_name().is_some() { Cause::SniUnrecognized } else { Cause::SniMissing });
            ("right after the ClientHello", causes)
        }
        (Side::Server, None) if handshake.certificate_request.is_some() || handshake.hidden.certificate_requested.happened() => {
            ("after it asked for a client certificate", vec![Cause::ClientCertificateMissing, Cause::ClientCertificateRejected])
        }
        (Side::Server, None) => ("in the middle of the handshake", vec![Cause::ClientProtocolViolation, Cause::PskMismatch]),
        (Side::Client, _) => (
            "after the server's answer",
            vec![Cause::ServerCertificateRejected, Cause::ServerProtocolViolation, Cause::NoCommonSignatureAlgorithm],
        ),
    };
    let mut unique = Vec::new();
    alternatives.retain(|cause| {
        let fresh = !unique.contains(cause);
        unique.push(*cause);
        fresh
    });
    let summary = format!("The {} sent handshake_failure {place}; the capture does not show why.", seen.from);
    let mut finding = Finding::new(Cause::HandshakeFailure, Confidence::Likely, summary).weight(Weight::Fallback);
    if let Some(hello) = handshake.last_hello() {
        finding = finding.shown_by(hello.mark, format!("client offers {}", offer::versions(&hello.what)));
    }
    Some(
        finding
            .shown_by(seen.mark, format!("{} sent alert {}", seen.from, offer::spoken(alert)))
            .or_else(&alternatives)
            .advise(remedy::log(handshake, seen.from, "it records the reason"))
            .advise("Change one thing at a time and compare:")
            .advise(remedy::s_client(handshake, ""))
            .advise(remedy::s_client(handshake, "-tls1_2")),
    )
}
