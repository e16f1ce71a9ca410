//! `client-version-too-old`.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::rules::parameters::offer;
use crate::diagnosis::signs::Signs;
use crate::tls::registry::{AlertDescription as A, ProtocolVersion};

/// The rule.
pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientVersionTooOld,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the client offers only protocol versions that the server no longer accepts",
    page: Page {
        meaning: "The newest version in the ClientHello is older than the oldest one the server accepts. Nothing was negotiated; the server refused the hello at once. Most servers of today accept TLS 1.2 and 1.3 only, some only TLS 1.3.",
        recognised: "The ClientHello offers at most TLS 1.2 (or less), and the server answers with alert protocol_version, with no ServerHello before it. For hellos of TLS 1.1 and older the alerts handshake_failure, internal_error and insufficient_security, or a close or reset without any alert, are taken for the same, with less certainty: OpenSSL 3 answers internal_error or handshake_failure when its security level forbids the old version's signatures, older GnuTLS and Mbed TLS answer handshake_failure, Windows often just resets.",
        confused_with: "With handshake_failure, no common cipher suite: old clients offer old suites as well. A handshake of the same server with the same version that succeeded would exclude the version. A middlebox that forbids old versions looks the same unless its RST or alert betrays itself by TTL or timing.",
        check: "What the server accepts, version by version:\n\n$ openssl s_client -connect <host>:<port> -servername <name> -tls1_2 </dev/null\n\n$ openssl s_client -connect <host>:<port> -servername <name> -tls1_3 </dev/null\n\nAnd what the client could offer: its TLS library's version, and its configuration.",
        fix: &[
            (
                "the client, in general",
                "Update the client or its TLS library, or allow newer versions in its configuration. That is the lasting repair.",
            ),
            (
                "Java",
                "Java 8 and later offer TLS 1.2 and, from 8u261, TLS 1.3 by themselves. For Java 7: -Djdk.tls.client.protocols=TLSv1.2. Look into jdk.tls.disabledAlgorithms and into code that calls SSLContext.getInstance(\"TLSv1\").",
            ),
            (
                "OpenSSL, Python, curl",
                "OpenSSL 1.0.1 brought TLS 1.2 and 1.1.1 TLS 1.3. Remove MaxProtocol from openssl.cnf, ssl.PROTOCOL_TLSv1 from Python code, --tls-max from curl calls.",
            ),
            (
                ".NET and Windows",
                "Do not set ServicePointManager.SecurityProtocol; set SchUseStrongCrypto and SystemDefaultTlsVersions for old frameworks, and enable TLS 1.2 under SCHANNEL\\Protocols in the registry.",
            ),
            (
                "nginx, as a stop-gap",
                "ssl_protocols TLSv1.2 TLSv1.3; for TLS 1.0 and 1.1 also ssl_ciphers DEFAULT:@SECLEVEL=0 with OpenSSL 3.",
            ),
            ("Apache, as a stop-gap", "SSLProtocol all -SSLv3, and SSLCipherSuite DEFAULT:@SECLEVEL=0 for versions before 1.2."),
            ("HAProxy, as a stop-gap", "ssl-min-ver TLSv1.2 (or lower) on the bind line."),
            ("Go, as a stop-gap", "tls.Config.MinVersion on the server; Go 1.22 and later refuse TLS 1.0 and 1.1 by default."),
            ("Kubernetes ingress-nginx, as a stop-gap", "ssl-protocols: \"TLSv1.2 TLSv1.3\" in the controller's ConfigMap."),
        ],
        references: &[
            "RFC 8446 section 4.1.2 and appendix D",
            "RFC 5246 appendix E",
            "RFC 8996 (TLS 1.0 and 1.1 deprecated)",
            "RFC 7568 (SSL 3.0 deprecated)",
        ],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let refusal = offer::refusal(case)?;
    let hello = refusal.hello;
    let highest = hello.highest_version();
    if highest.is_tls13() || highest == ProtocolVersion::SSL2 || highest.rank() == 0 || !offer::grave_defects(hello).is_empty() {
        return None;
    }
    let accepted = case.knowledge.versions.iter().any(|version| hello.offers(*version));
    let outdated = offer::is_outdated(hello, case.knowledge);
    let newer_only = !case.knowledge.versions.is_empty() && !accepted;
    let lowest_counts = hello.lowest_version().is_some_and(|lowest| lowest.rank() >= ProtocolVersion::TLS12.rank());
    let confidence = match refusal.alert {
        Some(A::PROTOCOL_VERSION) if accepted => Confidence::Likely,
        // A client that refuses older versions as well may have met a server that has nothing else.
        Some(A::PROTOCOL_VERSION) if lowest_counts && !newer_only => Confidence::Strong,
        Some(A::PROTOCOL_VERSION) => Confidence::Certain,
        Some(A::HANDSHAKE_FAILURE | A::INTERNAL_ERROR | A::INSUFFICIENT_SECURITY) if outdated => Confidence::Strong,
        Some(A::HANDSHAKE_FAILURE) if newer_only => Confidence::Likely,
        Some(A::ILLEGAL_PARAMETER | A::DECODE_ERROR | A::UNEXPECTED_MESSAGE) | None if outdated => Confidence::Likely,
        _ => return None,
    };
    let answer = refusal.alert.map_or_else(|| "closed the connection".to_owned(), |alert| format!("sent alert {}", offer::spoken(alert)));
    let summary = format!(
        "The client offers {}; the server {} {answer}: it accepts newer versions only.",
        offer::versions(hello),
        offer::server(case)
    );
    let mut finding = refusal.finding(Cause::ClientVersionTooOld, confidence, summary, format!("client offers {}", offer::versions(hello)));
    if newer_only {
        finding = finding.noting(format!(
            "this server chose {} for others",
            offer::listed(case.knowledge.versions.iter().map(|version| version.spoken()))
        ));
    }
    if confidence < Confidence::Certain {
        finding =
            finding.or_else(if lowest_counts { &[Cause::ServerVersionTooOld] } else { &[Cause::NoCommonCipher, Cause::NoCommonVersion] });
    }
    let tried = if highest == ProtocolVersion::TLS12 { "-tls1_3" } else { "-tls1_2" };
    Some(
        finding
            .advise(format!("Update the client, or let it offer more than {}.", highest.spoken()))
            .advise("Confirm that the server takes a newer version:")
            .advise(remedy::s_client(case.handshake, tried)),
    )
}
