//! `renegotiation-refused`.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::tls::registry::{AlertDescription as A, ContentType};

use super::offer;

/// The rule.
pub(super) const RULE: Rule = Rule {
    cause: Cause::RenegotiationRefused,
    speaks: Signs::UNFINISHED.or(Signs::RENEGOTIATION),
    against: &[],
    title: "renegotiation was refused, or the server lacks secure renegotiation",
    page: Page {
        meaning: "Two things go by this name. Within an established TLS 1.2 connection one side asked for a second handshake and the other refused. Or the server does not know secure renegotiation (RFC 5746) at all, and the client refuses even the first handshake: OpenSSL 3 does so by default and prints \"unsafe legacy renegotiation disabled\".",
        recognised: "After the handshake, handshake records of one side that the other answers with an alert (no_renegotiation, mostly encrypted) in place of its own handshake records. Or: a ServerHello without renegotiation_info in answer to a client that signals it, and the client's handshake_failure right after the server's flight.",
        confused_with: "In the first case, a connection that was closed at that moment: a close_notify is an alert too. In the second, another reason for handshake_failure in the same flight (a small DH prime, say).",
        check: "Whether the server knows secure renegotiation:\n\n$ openssl s_client -connect <host>:<port> -servername <name> -tls1_2 -legacy_server_connect </dev/null | grep -i renegotiation",
        fix: &[
            (
                "a server without RFC 5746",
                "Update it: the fix is of 2010. Often it is an old load balancer or an inspecting proxy in front of it.",
            ),
            (
                "OpenSSL 3 client, as a stop-gap",
                "Options = UnsafeLegacyServerConnect in a private openssl.cnf, or -legacy_server_connect; in Python ctx.options |= 0x4.",
            ),
            (
                "IIS, Apache: client certificate for one path only",
                "That needs renegotiation, which TLS 1.3 and HTTP/2 do not have. Ask for the certificate in the first handshake (IIS: netsh http update sslcert ... clientcertnegotiation=enable), or use a host name of its own.",
            ),
            ("Apache", "SSLVerifyClient in the virtual host instead of in a <Location>."),
            ("Java", "jdk.tls.rejectClientInitiatedRenegotiation, sun.security.ssl.allowUnsafeRenegotiation."),
            ("Go", "tls.Config.Renegotiation = tls.RenegotiateOnceAsClient where the server must ask; a Go server never renegotiates."),
            ("nginx, HAProxy, OpenSSL 1.1.1 and later", "Refuse renegotiation started by the client, on purpose. The client must not ask."),
        ],
        references: &["RFC 5746", "RFC 5246 sections 7.2.2 and 7.4.1.1", "RFC 8740 (HTTP/2 and renegotiation)"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    refused_inside(case).or_else(|| refused_legacy(case))
}

/// A second handshake inside the first was answered with an alert.
fn refused_inside(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let (asked_by, asked) = handshake.renegotiation?;
    let other = asked_by.other();
    let clear = handshake.alerts.iter().find(|seen| seen.alert.is_some_and(|alert| alert.description == A::NO_RENEGOTIATION));
    let next = handshake.encrypted.of(other).iter().find(|record| record.mark > asked);
    let answered_by_alert = next.filter(|record| record.content_type == ContentType::ALERT.0);
    let (mark, confidence, text) = match (clear, answered_by_alert) {
        (Some(seen), _) => (seen.mark, Confidence::Certain, format!("{} sent alert {}", seen.from, offer::spoken(A::NO_RENEGOTIATION))),
        (None, Some(record)) => (record.mark, Confidence::Strong, format!("{other} answered with an encrypted alert")),
        (None, None) => return None,
    };
    let summary = format!("The {asked_by} asked to renegotiate inside the established connection, and the {other} refused.");
    Some(
        Finding::new(Cause::RenegotiationRefused, confidence, summary)
            .stopped_by(StoppedBy::from(other))
            .shown_by(asked, format!("{asked_by} began a second handshake"))
            .shown_by(mark, text)
            .advise("Let nothing depend on renegotiation: ask for the client's certificate in the first handshake, and do not renegotiate from the client.")
            .advise(remedy::s_client(handshake, "-tls1_2")),
    )
}

/// The client refuses a server without RFC 5746.
fn refused_legacy(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let answer = handshake.server_hello.as_ref()?;
    let hello = handshake.hello()?;
    let lacking = hello.secure_renegotiation() && !answer.what.secure_renegotiation() && !answer.what.version().is_tls13();
    let (seen, alert) = offer::alert_from(case, Side::Client)?;
    let small = handshake.server_key_exchange.as_ref().is_some_and(|exchange| exchange.what.dh_bits.is_some_and(|bits| bits < 2048));
    if !lacking || small || alert != A::HANDSHAKE_FAILURE || !handshake.outcome.failed() || handshake.client_key_exchange.is_some() {
        return None;
    }
    let summary = format!(
        "The server {} does not know secure renegotiation, and the client refuses it (unsafe legacy renegotiation disabled).",
        offer::server(case)
    );
    Some(
        Finding::new(Cause::RenegotiationRefused, Confidence::Strong, summary)
            .shown_by(answer.mark, "ServerHello without renegotiation_info, which the client signalled")
            .shown_by(seen.mark, format!("client sent alert {}", offer::spoken(alert)))
            .or_else(&[Cause::HandshakeFailure])
            .advise("Update the server, or the proxy in front of it: secure renegotiation is RFC 5746, of 2010.")
            .advise("As a stop-gap, allow it for this server only:")
            .advise(remedy::s_client(handshake, "-legacy_server_connect")),
    )
}
