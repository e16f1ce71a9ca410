//! `server-protocol-violation`.

use crate::anomaly::AnomalyKind;
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::time::Mark;
use crate::tls::client_hello::{ClientHello, Defect};
use crate::tls::registry::AlertDescription;
use crate::tls::server_hello::ServerHello;

use super::violation;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::ServerProtocolViolation, against: &[], page: page!("server-protocol-violation"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let same_role = handshake.dtls.as_ref().is_some_and(|dtls| dtls.role_conflict.is_some());
    if !handshake.outcome.failed() || same_role {
        return None;
    }
    if let Some(finding) = echoed(case) {
        return Some(finding);
    }
    let alert = offer::alert_from(case, Side::Client);
    let by_client = handshake.stopped_by == StoppedBy::Client && handshake.deciding_alert().is_none();
    let accused = alert.is_some_and(|(_, description)| violation::accuses(description));
    let confidence = match alert {
        Some((_, description)) if accused || description == AlertDescription::PROTOCOL_VERSION => Confidence::Certain,
        Some(_) => Confidence::Strong,
        None if by_client && matches!(handshake.outcome, Outcome::Closed | Outcome::Reset) => Confidence::Likely,
        None => return None,
    };
    let answered = |finding: Finding| violation::answered(case, Side::Client, finding);
    let advised = |finding: Finding| {
        finding
            .stopped_by(StoppedBy::Client)
            .advise("Update the server, or the proxy in front of it that terminates TLS.")
            .advise("Check the messages that it sends:")
            .advise(remedy::s_client(handshake, "-msg"))
    };
    for (mark, message, defects) in answers(case) {
        // What RFC 8446 has a server do that was not offered TLS 1.3 breaks no rule of it: another hello reached it.
        if defects.iter().all(|defect| defect.field == "random") {
            continue;
        }
        let Some((first, confidence)) = violation::named(&defects, alert.map(|(_, alert)| alert), confidence) else { continue };
        let summary = format!(
            "The server {} violates the protocol in the {} of its {message}: {}; the client refused it.",
            offer::server(case),
            first.field,
            first.rule
        );
        let finding = Finding::new(Cause::ServerProtocolViolation, confidence, summary);
        let finding = defects
            .iter()
            .take(violation::MOST_DEFECTS)
            .fold(finding, |finding, defect| finding.shown_by(mark, format!("{message}, {}: {}", defect.field, defect.rule)));
        return Some(advised(answered(finding).or_else(&[Cause::RecordCorrupted])));
    }
    if let Some((anomaly, text)) = violation::anomaly_of(case, Side::Server) {
        let confidence = violation::weighed(confidence, alert.is_none_or(|(_, alert)| violation::fits_anomaly(alert, &anomaly.kind)));
        let summary = format!("The server {} sent {text}; the client refused it.", offer::server(case));
        let finding =
            Finding::new(Cause::ServerProtocolViolation, confidence, summary).shown_by(anomaly.mark, format!("server sent {text}"));
        return Some(advised(answered(finding).or_else(&[Cause::RecordCorrupted])));
    }
    let (_, description) = alert.filter(|_| accused)?;
    let summary = format!(
        "The client reports a protocol violation by the server {}, with alert {}; nothing that the server sent in clear is wrong.",
        offer::server(case),
        offer::spoken(description)
    );
    if let Some(finding) = own_offer(case, description, summary.clone()) {
        return Some(answered(finding));
    }
    let mut finding = Finding::new(Cause::ServerProtocolViolation, Confidence::Likely, summary).weight(Weight::Fallback);
    if let Some(hello) = &handshake.server_hello {
        finding = finding.shown_by(hello.mark, format!("server chose {} and {}", hello.what.version().spoken(), hello.what.cipher_suite()));
    }
    Some(advised(answered(finding).or_else(&[Cause::RecordCorrupted, Cause::ServerCertificateRejected])))
}

/// The client calls a parameter illegal right after a `ServerKeyExchange` in which everything is of its own offer: it offers what it cannot do as
/// likely as the server is wrong.
fn own_offer(case: &Case<'_>, said: AlertDescription, summary: String) -> Option<Finding> {
    let handshake = case.handshake;
    if said != AlertDescription::ILLEGAL_PARAMETER || handshake.client_key_exchange.is_some() || handshake.is_tls13() {
        return None;
    }
    let exchange = handshake.server_key_exchange.as_ref()?;
    let hello = &handshake.last_hello()?.what;
    let scheme = exchange.what.signature_scheme.filter(|scheme| hello.signature_algorithms().any(|offered| offered == *scheme))?;
    let group = exchange.what.group;
    if group.is_some_and(|group| !hello.supported_groups().any(|offered| offered == group)) {
        return None;
    }
    let group = group.map_or_else(String::new, |group| format!(", in the group {group}"));
    let finding = Finding::new(Cause::ServerProtocolViolation, Confidence::Hint, summary)
        .weight(Weight::Fallback)
        .stopped_by(StoppedBy::Client)
        .shown_by(exchange.mark, format!("the server's ServerKeyExchange, signed with {scheme}{group}: both of the client's own offer"))
        .or_else(&[Cause::ClientProtocolViolation, Cause::NoCommonSignatureAlgorithm, Cause::RecordCorrupted]);
    Some(
        finding
            .advise(format!("On the client, update the TLS library, or offer {scheme} no more: it may offer what it cannot verify."))
            .advise("See whether another client gets on with this server:")
            .advise(remedy::s_client(handshake, "-tls1_2")),
    )
}

/// No two clients choose the same random.
fn echoed(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let echo = handshake.anomalies.iter().find(|anomaly| anomaly.side == Side::Server && anomaly.kind == AnomalyKind::EchoedHello)?;
    let hello = handshake.last_hello()?;
    let summary = format!(
        "The server {} sent the client's own ClientHello back: no TLS server answers there, but an echo service, a loop, or a port forward that leads back to itself.",
        offer::server(case)
    );
    let finding = Finding::new(Cause::ServerProtocolViolation, Confidence::Certain, summary)
        .shown_by(hello.mark, "the client's ClientHello")
        .shown_by(echo.mark, "the same ClientHello, with the same random, from the server");
    Some(
        violation::answered(case, Side::Client, finding)
            .advise("On the server, check which program listens on this port, and where a port forward or a proxy in front of it leads to:")
            .advise(remedy::ss_listen(handshake.server.port)),
    )
}

/// The server's hellos with what is wrong with each, given the hello it answers.
fn answers(case: &Case<'_>) -> impl Iterator<Item = (Mark, &'static str, Vec<Defect>)> {
    let handshake = case.handshake;
    // The hello that it answers may not be in the capture, where the second one is.
    let retry = handshake.hello_retry.as_ref().zip(handshake.client_hellos.first()).filter(|(answer, asked)| asked.mark < answer.mark);
    let retry = retry.map(|(answer, asked)| (answer.mark, "HelloRetryRequest", grave(&answer.what, &asked.what)));
    let hello = handshake.server_hello.as_ref().zip(handshake.last_hello());
    let hello = hello.map(|(answer, asked)| (answer.mark, "ServerHello", grave(&answer.what, &asked.what)));
    [retry, hello].into_iter().flatten()
}

/// The defects, without that of a server that merely speaks older versions than the client accepts.
fn grave(answer: &ServerHello, offer: &ClientHello) -> Vec<Defect> {
    let version = answer.version();
    let merely_old = version.name().is_some() && version.rank() < offer.highest_version().rank();
    let mut defects = answer.defects(offer);
    defects.retain(|defect| !(merely_old && defect.field == "version"));
    defects
}
