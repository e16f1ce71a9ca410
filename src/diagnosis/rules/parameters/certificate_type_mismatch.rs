//! `certificate-type-mismatch`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::tls::registry::AlertDescription as A;

use crate::diagnosis::offer;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::CertificateTypeMismatch, against: &[], page: page!("certificate-type-mismatch"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let refusal = offer::refusal(case)?;
    if !matches!(refusal.alert, Some(A::HANDSHAKE_FAILURE | A::INSUFFICIENT_SECURITY)) {
        return None;
    }
    let (suspect, others) = offer::prime_suspect(case, &refusal, Cause::CertificateTypeMismatch)?;
    let fits = if suspect.compared { "does not fit what the client offers" } else { "fits none of the client's cipher suites" };
    let summary = format!("The certificate of {} {fits}; {}.", offer::server(case), suspect.why);
    let compared = suspect.compared;
    let mut finding = refusal.finding(Cause::CertificateTypeMismatch, suspect.confidence(), summary, suspect.why);
    if !case.knowledge.key_kinds.is_empty() {
        finding = finding.noting(format!("keys of this server in other handshakes: {}", offer::listed(&case.knowledge.key_kinds)));
    }
    let finding = finding.or_else(if compared { &[Cause::NoCommonSignatureAlgorithm] } else { &[] });
    let finding = finding.or_else(&[Cause::NoCommonCipher]).or_else(&others);
    if compared {
        return Some(
            finding
                .headline("the client does not take the server's kind of key, or its curve")
                .advise("On the server, install a certificate with an RSA or P-256 key, which nearly every client takes, beside this one or in place of it.")
                .advise("Check what the server serves:")
                .advise(remedy::s_client(case.handshake, "")),
        );
    }
    Some(
        finding
            .advise("On the server, install an RSA and an ECDSA certificate; or on the client, enable suites for both.")
            .advise("Check which kinds of certificate the server has:")
            .advise(remedy::s_client(case.handshake, "-tls1_2 -cipher aRSA"))
            .advise(remedy::s_client(case.handshake, "-tls1_2 -cipher aECDSA")),
    )
}
