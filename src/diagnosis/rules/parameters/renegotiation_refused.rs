//! `renegotiation-refused`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::handshake::renegotiation::Renegotiation;
use crate::tls::registry::{AlertDescription as A, ContentType};

use crate::diagnosis::offer;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::RenegotiationRefused, against: &[], page: page!("renegotiation-refused"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    refused_inside(case).or_else(|| refused_legacy(case))
}

/// A second handshake inside the first was answered with an alert.
fn refused_inside(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let second = handshake.renegotiation.filter(|_| !handshake.is_tls13())?;
    if second.is_agreed() {
        return broken_off(case, &second);
    }
    let (asked_by, asked) = (second.by, second.asked);
    let other = asked_by.other();
    let clear = handshake.alerts.iter().find(|seen| seen.alert.is_some_and(|alert| alert.description == A::NO_RENEGOTIATION));
    let next = handshake.encrypted.of(other).iter().find(|record| record.mark > asked);
    let answered_by_alert = next.filter(|record| record.content_type == ContentType::ALERT.0);
    let (mark, confidence, text) = match (clear, answered_by_alert) {
        (Some(seen), _) => (seen.mark, Confidence::Certain, format!("{} sent alert {}", seen.from, offer::spoken(A::NO_RENEGOTIATION))),
        (None, Some(record)) => (record.mark, Confidence::Strong, format!("{other} answered with an encrypted alert")),
        (None, None) => return None,
    };
    let summary = format!("The {asked_by} asked to renegotiate the established connection, and the {other} refused.");
    Some(
        Finding::new(Cause::RenegotiationRefused, confidence, summary)
            .stopped_by(StoppedBy::from(other))
            .shown_by(asked, format!("{asked_by} started a second handshake"))
            .shown_by(mark, text)
            .advise("On the server, request the client certificate in the first handshake; on the client, do not renegotiate.")
            .advise(remedy::s_client(handshake, "-tls1_2")),
    )
}

/// Both sides went along with a second handshake, and one of them broke it off. Why is known only where the client's certificate is.
fn broken_off(case: &Case<'_>, second: &Renegotiation) -> Option<Finding> {
    let handshake = case.handshake;
    let (Some(end), true) = (handshake.end, handshake.outcome.failed() && second.certificate.is_none()) else { return None };
    let by = match handshake.stopped_by {
        StoppedBy::Client => Side::Client,
        StoppedBy::Server => Side::Server,
        _ => return None,
    };
    let how = match (handshake.deciding_alert().and_then(|seen| seen.alert), handshake.outcome) {
        (Some(alert), _) => format!("sent alert {}", offer::spoken(alert.description)),
        (None, Outcome::Alerted) => "sent an encrypted alert".to_owned(),
        (None, _) => "closed the connection".to_owned(),
    };
    let summary = format!(
        "The {} asked to renegotiate the established connection, and the {by} broke the second handshake off: it {how}.",
        second.by
    );
    let finding = Finding::new(Cause::RenegotiationRefused, Confidence::Likely, summary)
        .stopped_by(StoppedBy::from(by))
        .shown_by(second.asked, format!("{} started a second handshake", second.by))
        .shown_by(end, format!("{by} {how} before its ChangeCipherSpec"))
        .or_else(&[Cause::ClientCertificateMissing, Cause::ClientCertificateRejected]);
    Some(
        finding
            .advise("Servers renegotiate to ask for a client certificate. On the client, configure one that the server accepts; on the server, ask for it in the first handshake, for TLS 1.3 knows no renegotiation.")
            .advise(remedy::s_client(handshake, "-tls1_2 -cert client.pem -key client.key")),
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
        "The server {} does not support secure renegotiation, and the client refuses to connect (unsafe legacy renegotiation disabled).",
        offer::server(case)
    );
    Some(
        Finding::new(Cause::RenegotiationRefused, Confidence::Strong, summary)
            .shown_by(answer.mark, "ServerHello without renegotiation_info, which the client offered")
            .shown_by(seen.mark, format!("client sent alert {}", offer::spoken(alert)))
            .or_else(&[Cause::HandshakeFailure])
            .advise("Update the server or the proxy in front of it: secure renegotiation has been standard since RFC 5746 (2010).")
            .advise("As a stopgap, allow it on the client for this server only:")
            .advise(remedy::s_client(handshake, "-legacy_server_connect")),
    )
}
