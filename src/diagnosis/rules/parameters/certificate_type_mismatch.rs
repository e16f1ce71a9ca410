//! `certificate-type-mismatch`.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::tls::registry::AlertDescription as A;

use super::offer;

/// The rule.
pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateTypeMismatch,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the server's kind of key (RSA, ECDSA) fits none of the client's cipher suites",
    page: Page {
        meaning: "Below TLS 1.3 a cipher suite names the kind of key that must sign. A client that offers only ECDHE_ECDSA suites cannot talk to a server with an RSA certificate, nor the other way round. It often begins when a certificate is renewed with another kind of key.",
        recognised: "Alert handshake_failure straight after a ClientHello without TLS 1.3 whose suites all need one kind of key. Sure when the same server's certificates were seen in other handshakes and are of the other kind; likely without that.",
        confused_with: "No common cipher suite for another reason (the server allows other ciphers only). The server's log says no shared cipher in both cases.",
        check: "Which kinds of certificate the server has:\n\n$ openssl s_client -connect <host>:<port> -servername <name> -tls1_2 -cipher aECDSA </dev/null\n\n$ openssl s_client -connect <host>:<port> -servername <name> -tls1_2 -cipher aRSA </dev/null",
        fix: &[
            ("the server, in general", "Serve two certificates, RSA and ECDSA: each client gets the one that suits it."),
            ("nginx", "ssl_certificate and ssl_certificate_key twice."),
            ("Apache", "SSLCertificateFile and SSLCertificateKeyFile twice."),
            ("HAProxy", "site.pem.rsa and site.pem.ecdsa beside each other."),
            ("Java server", "Two entries of different key types in one keystore."),
            ("Go", "Two entries in tls.Config.Certificates."),
            ("certbot", "--key-type rsa for the old kind; new certificates are ECDSA since version 2."),
            ("the client", "Offer suites for both kinds, or TLS 1.3."),
        ],
        references: &["RFC 5246 section 7.4.2", "RFC 8422 section 2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let refusal = offer::refusal(case)?;
    if !matches!(refusal.alert, Some(A::HANDSHAKE_FAILURE | A::INSUFFICIENT_SECURITY)) {
        return None;
    }
    let (suspect, others) = offer::prime_suspect(case, &refusal, Cause::CertificateTypeMismatch)?;
    let summary = format!("The certificate of {} fits none of the client's cipher suites: {}.", offer::server(case), suspect.why);
    let mut finding = refusal.finding(Cause::CertificateTypeMismatch, suspect.confidence(), summary, suspect.why);
    if !case.knowledge.key_kinds.is_empty() {
        finding = finding.noting(format!("keys of this server seen elsewhere: {}", offer::listed(&case.knowledge.key_kinds)));
    }
    Some(
        finding
            .or_else(&[Cause::NoCommonCipher])
            .or_else(&others)
            .advise("Serve an RSA and an ECDSA certificate, or let the client offer suites for both.")
            .advise("See which kinds the server has:")
            .advise(remedy::s_client(case.handshake, "-tls1_2 -cipher aRSA"))
            .advise(remedy::s_client(case.handshake, "-tls1_2 -cipher aECDSA")),
    )
}
