//! `handshake-failure`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::contrast;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::tls::registry::AlertDescription;

use crate::diagnosis::offer::{self, Withheld};

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::HandshakeFailure, against: &[], page: page!("handshake-failure"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    named(case).or_else(|| in_secret(case))
}

/// TLS 1.3: the server sends an encrypted alert in place of its Certificate, though the client accepts whatever one may sign with.
fn in_secret(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let Withheld { asked, answered, alerted } = offer::certificate_withheld(handshake).filter(|_| !offer::signatures_are_narrow(case))?;
    let summary = format!(
        "The server {} sent an encrypted alert instead of its Certificate, though the client accepts signatures of every kind in common use: most often the server has no certificate with its private key.",
        offer::server(case)
    );
    Some(
        Finding::new(Cause::HandshakeFailure, Confidence::Likely, summary)
            .stopped_by(StoppedBy::Server)
            .shown_by(asked.mark, format!("client accepts the signature algorithms {}", offer::listed(asked.what.signature_algorithms())))
            .shown_by(answered, "ServerHello of TLS 1.3")
            .shown_by(alerted, "server sent EncryptedExtensions and a record of an alert's size, and nothing more")
            .or_else(&[Cause::InternalError, Cause::SniUnrecognized, Cause::NoCommonSignatureAlgorithm])
            .advise(remedy::log(handshake, Side::Server, "it records the reason"))
            .advise(KEY)
            .advise(remedy::s_client(handshake, "")),
    )
}

/// One side said so.
fn named(case: &Case<'_>) -> Option<Finding> {
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
            causes.push(Cause::NoCommonCipher);
            if !contrast::refutes_groups(refusal.hello, &case.knowledge.groups) {
                causes.push(Cause::NoCommonGroup);
            }
            causes.push(Cause::NoCommonSignatureAlgorithm);
            let unbound = case.knowledge.contrast.unbound;
            if !unbound && !refusal.hello.extended_master_secret() && !refusal.hello.highest_version().is_tls13() {
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
    let finding = finding
        .shown_by(seen.mark, format!("{} sent alert {}", seen.from, offer::spoken(alert)))
        .or_else(&alternatives)
        .advise(remedy::log(handshake, seen.from, "it records the reason"));
    // A hello that leaves nothing to be desired.
    let broad = refusal.filter(|refusal| offer::suspects(refusal.hello, case.knowledge).is_empty() && case.knowledge.completed == 0);
    let finding = if broad.is_some() { finding.advise(KEY) } else { finding };
    Some(
        finding
            .advise("Change one thing at a time and compare:")
            .advise(remedy::s_client(handshake, ""))
            .advise(remedy::s_client(handshake, "-tls1_2")),
    )
}

/// What a server lacks that refuses everybody.
const KEY: &str = "On the server, check that there is a certificate for this name together with its private key. In Java, `keytool -list` has to show a PrivateKeyEntry; a keystore with the certificate alone shows a trustedCertEntry.";
