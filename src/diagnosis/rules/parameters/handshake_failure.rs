//! `handshake-failure`.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::flow::Side;
use crate::tls::registry::AlertDescription;

use super::offer;

/// The rule.
pub(super) const RULE: Rule = Rule {
    cause: Cause::HandshakeFailure,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "alert handshake_failure, and nothing in the capture says more",
    page: Page {
        meaning: "The alert says that no acceptable set of parameters could be found; many stacks send it for anything they have no better word for. Its position and the offer narrow it down, and here they do not narrow it enough.",
        recognised: "Alert handshake_failure with no narrower finding. Before the ServerHello it concerns versions, suites, groups, signature algorithms, or a server name for which the server has no certificate. After the server's flight it is the client that dislikes a parameter. After the client's flight it often means a missing client certificate.",
        confused_with: "All causes named as alternatives. A client of JSSE and a peer of OpenSSL also send it in answer to a close in mid-handshake: then it is a consequence and is not taken for the cause.",
        check: "The log of the side that sent the alert: it knows the reason. Then one change at a time:\n\n$ openssl s_client -connect <host>:<port> -servername <name> </dev/null\n\n$ openssl s_client -connect <host>:<port> -noservername </dev/null\n\n$ openssl s_client -connect <host>:<port> -servername <name> -tls1_2 </dev/null",
        fix: &[
            ("in general", "Find the reason in the sender's log, or by trying versions, suites, groups and names one by one."),
            ("nginx", "error_log ... info; shows \"no shared cipher\", \"no suitable key share\" and the like."),
            ("Apache", "LogLevel ssl:info."),
            ("HAProxy", "option httpslog, or log-format with %[ssl_fc_err_str]."),
            ("Java", "-Djavax.net.debug=ssl:handshake."),
            ("Go", "The error of http.Server.ErrorLog; tls.Config.GetConfigForClient can log the hello."),
            (
                "a content delivery network",
                "handshake_failure for one name only: the network has no certificate for it yet, or the name is not set up there.",
            ),
            ("Kubernetes ingress", "See that the Ingress has a tls section for this host and that its secret exists."),
        ],
        references: &["RFC 8446 section 6.2", "RFC 5246 section 7.2.2"],
    },
    check,
};

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
            ("straight after the ClientHello", causes)
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
            .advise(format!("Look into the {}'s log: it knows the reason.", seen.from))
            .advise("Vary one thing at a time:")
            .advise(remedy::s_client(handshake, ""))
            .advise(remedy::s_client(handshake, "-tls1_2")),
    )
}
