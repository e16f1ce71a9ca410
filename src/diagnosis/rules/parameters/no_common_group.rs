//! `no-common-group`.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::tls::registry::AlertDescription as A;

use super::offer;

/// The rule.
pub(super) const RULE: Rule = Rule {
    cause: Cause::NoCommonGroup,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "client and server have no key exchange group in common",
    page: Page {
        meaning: "The server accepts none of the groups (curves) in the client's supported_groups. TLS 1.3 cannot do without one; TLS 1.2 can only where both sides allow another key exchange.",
        recognised: "A refusal straight after the ClientHello, and an offer that is narrow in its groups: a single one, only uncommon ones (x448, secp521r1, brainpool, post-quantum alone), or none that this server chose in its other handshakes. OpenSSL, Go and rustls send handshake_failure, JSSE unexpected_message, some illegal_parameter.",
        confused_with: "No common cipher suite or signature algorithm: same alert. OpenSSL's server log says \"no suitable key share\" or \"no shared groups\".",
        check: "One group after the other:\n\n$ openssl s_client -connect <host>:<port> -servername <name> -groups X25519 </dev/null\n\n$ openssl s_client -connect <host>:<port> -servername <name> -groups P-256 </dev/null",
        fix: &[
            ("in general", "Offer and accept x25519 and secp256r1 on both sides; put X25519MLKEM768 before them, not in their place."),
            ("OpenSSL programs", "Groups in openssl.cnf, -groups or -curves on the command line."),
            ("nginx", "ssl_ecdh_curve X25519:prime256v1:secp384r1 (or auto)."),
            ("Apache", "SSLOpenSSLConfCmd Groups X25519:P-256:P-384."),
            ("HAProxy", "curves X25519:P-256:P-384 on the bind line; ecdhe allows only one curve."),
            ("Java", "-Djdk.tls.namedGroups; jdk.disabled.namedCurves in java.security."),
            ("Go", "tls.Config.CurvePreferences; GODEBUG=tlsmlkem=0 only switches the post-quantum group off."),
            ("Node.js", "ecdhCurve: 'auto'."),
            ("curl", "--curves X25519:P-256."),
            ("Kubernetes ingress-nginx", "ssl-ecdh-curve: auto in the controller's ConfigMap."),
        ],
        references: &["RFC 8446 sections 4.2.7 and 4.1.1", "RFC 8422 section 5.1", "RFC 7919 section 4"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let refusal = offer::refusal(case)?;
    let (suspect, others) = offer::prime_suspect(case, &refusal, Cause::NoCommonGroup)?;
    let fits = match refusal.alert? {
        A::HANDSHAKE_FAILURE | A::INSUFFICIENT_SECURITY => true,
        // JSSE's and others' words for it; they mean much else too.
        A::UNEXPECTED_MESSAGE | A::ILLEGAL_PARAMETER | A::MISSING_EXTENSION => suspect.narrowness >= 2,
        _ => false,
    };
    if !fits {
        return None;
    }
    let summary = format!("The server {} accepts none of the client's key exchange groups: {}.", offer::server(case), suspect.why);
    let finding = refusal.finding(Cause::NoCommonGroup, suspect.confidence(), summary, suspect.why);
    Some(
        finding
            .or_else(&others)
            .advise("Let both sides use x25519 or secp256r1 (P-256).")
            .advise("Try one group at a time:")
            .advise(remedy::s_client(case.handshake, "-groups X25519"))
            .advise(remedy::s_client(case.handshake, "-groups P-256")),
    )
}
