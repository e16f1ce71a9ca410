//! `no-common-signature-algorithm`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::tls::registry::AlertDescription as A;

use crate::diagnosis::offer::{self, Withheld};

/// The rule.
pub(super) const RULE: Rule =
    Rule { cause: Cause::NoCommonSignatureAlgorithm, against: &[], page: page!("no-common-signature-algorithm"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    refused_hello(case).or_else(|| refused_in_secret(case)).or_else(|| refused_signature(case))
}

/// The server found nothing in the client's list.
fn refused_hello(case: &Case<'_>) -> Option<Finding> {
    let refusal = offer::refusal(case)?;
    if !matches!(refusal.alert, Some(A::HANDSHAKE_FAILURE | A::INSUFFICIENT_SECURITY | A::ILLEGAL_PARAMETER | A::INTERNAL_ERROR)) {
        return None;
    }
    let (suspect, others) = offer::prime_suspect(case, &refusal, Cause::NoCommonSignatureAlgorithm)?;
    let summary = format!("The server {} has no signature algorithm that the client accepts; {}.", offer::server(case), suspect.why);
    let finding = refusal.finding(Cause::NoCommonSignatureAlgorithm, suspect.confidence(), summary, suspect.why);
    Some(
        finding
            .or_else(&[Cause::CertificateTypeMismatch])
            .or_else(&others)
            .advise(
                "On the server, install a certificate with an RSA or P-256 key; or on the client, enable the server's signature algorithm.",
            )
            .advise("Check the server's key and signature:")
            .advise(remedy::s_client(case.handshake, "")),
    )
}

/// TLS 1.3: an encrypted alert in place of the server's Certificate. It found no certificate that it could sign with for this client (JSSE).
fn refused_in_secret(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let Withheld { asked, answered, alerted } = offer::certificate_withheld(handshake).filter(|_| offer::signatures_are_narrow(case))?;
    let server = offer::server(case);
    let summary = format!(
        "The server {server} sent an encrypted alert instead of its Certificate; most often none of its certificates fits a signature algorithm that the client accepts."
    );
    let offered = offer::listed(asked.what.signature_algorithms());
    Some(
        Finding::new(Cause::NoCommonSignatureAlgorithm, Confidence::Likely, summary)
            .stopped_by(StoppedBy::Server)
            .shown_by(asked.mark, format!("client accepts the signature algorithms {offered}"))
            .shown_by(answered, "ServerHello of TLS 1.3")
            .shown_by(alerted, "server sent EncryptedExtensions and a record of an alert's size, and nothing more")
            .or_else(&[Cause::InternalError, Cause::HandshakeFailure, Cause::SniUnrecognized])
            .advise(remedy::log(handshake, Side::Server, "it records the reason"))
            .advise("Check the server's key and signature:")
            .advise(remedy::s_client(handshake, "")),
    )
}

/// The client refuses the signature of the `ServerKeyExchange`.
fn refused_signature(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let exchange = handshake.server_key_exchange.as_ref()?;
    let scheme = exchange.what.signature_scheme?;
    let (seen, alert) = offer::alert_from(case, Side::Client)?;
    let fits =
        matches!(alert, A::HANDSHAKE_FAILURE | A::ILLEGAL_PARAMETER | A::DECRYPT_ERROR | A::INSUFFICIENT_SECURITY | A::INTERNAL_ERROR);
    let offered = handshake.hello()?.signature_algorithms().any(|listed| listed == scheme);
    if !fits || !handshake.outcome.failed() || (offered && !scheme.is_weak()) {
        return None;
    }
    let why = if offered { "with an outdated hash" } else { "which the client does not list" };
    let summary = format!("The server {} signs its key exchange with {scheme}, {why}; the client refuses it.", offer::server(case));
    let confidence = if offered { Confidence::Likely } else { Confidence::Strong };
    Some(
        Finding::new(Cause::NoCommonSignatureAlgorithm, confidence, summary)
            .shown_by(exchange.mark, format!("ServerKeyExchange signed with {scheme}"))
            .shown_by(seen.mark, format!("client sent alert {}", offer::spoken(alert)))
            .or_else(&[Cause::ServerProtocolViolation, Cause::RecordCorrupted])
            .advise("On the server, update the TLS library or enable signature algorithms with SHA-256 or better.")
            .advise(remedy::s_client(handshake, "-tls1_2")),
    )
}
