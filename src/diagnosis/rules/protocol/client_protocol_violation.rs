//! `client-protocol-violation`.

use crate::anomaly::{Anomaly, AnomalyKind};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, Protocol, StoppedBy};
use crate::tls::client_hello::Defect;
use crate::tls::registry::{AlertDescription, HandshakeType};

use super::violation;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::ClientProtocolViolation, against: &[], page: page!("client-protocol-violation"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let same_role = handshake.dtls.as_ref().is_some_and(|dtls| dtls.role_conflict.is_some());
    if !handshake.outcome.failed() || same_role {
        return None;
    }
    if let Some(finding) = second_hello(case) {
        return Some(finding);
    }
    let alert = offer::alert_from(case, Side::Server);
    let by_server = handshake.stopped_by == StoppedBy::Server;
    let accused = alert.is_some_and(|(_, description)| violation::accuses(description));
    let confidence = match alert {
        Some(_) if accused => Confidence::Certain,
        Some(_) => Confidence::Strong,
        // Without a word, or with one that nobody can read.
        None if by_server
            && handshake.deciding_alert().is_none_or(|seen| seen.from == Side::Server)
            && matches!(handshake.outcome, Outcome::Closed | Outcome::Reset | Outcome::Alerted) =>
        {
            Confidence::Likely
        }
        None => return None,
    };
    let answered = |finding: Finding| violation::answered(case, Side::Server, finding);
    let advised = |finding: Finding| {
        finding
            .stopped_by(StoppedBy::Server)
            .advise("Update or correct the client; check whether a proxy in between rewrites what it sends.")
            .advise("Confirm that a healthy client can connect:")
            .advise(remedy::s_client(handshake, ""))
    };
    if let Some(hello) = handshake.last_hello().filter(|_| handshake.server_hello.is_none()) {
        let defects = offer::grave_defects(&hello.what);
        if let Some((first, confidence)) = violation::named(&defects, alert.map(|(_, alert)| alert), confidence) {
            let summary = format!(
                "The ClientHello violates the protocol in {}: {}; the server {} refused it.",
                first.field,
                first.rule,
                offer::server(case)
            );
            let finding = Finding::new(Cause::ClientProtocolViolation, confidence, summary);
            let finding = defects
                .iter()
                .take(violation::MOST_DEFECTS)
                .fold(finding, |finding, defect| finding.shown_by(hello.mark, format!("{}: {}", defect.field, defect.rule)));
            return Some(advised(answered(finding).or_else(&[Cause::RecordCorrupted])));
        }
    }
    // A server that answered the hello did not mind what is odd about it.
    let in_time = |anomaly: &Anomaly| handshake.end.is_none_or(|end| anomaly.mark <= end);
    let minded = |anomaly: &Anomaly| {
        let of_hello = matches!(anomaly.kind, AnomalyKind::Defect { .. });
        // Nearly all servers overlook what is odd about a name: only one that complains of a value may have minded it.
        let overlooked = matches!(&anomaly.kind, AnomalyKind::Defect { field, rule } if offer::is_overlooked(&Defect { field, rule }));
        in_time(anomaly) && (handshake.server_hello.is_none() || !of_hello) && (accused || !overlooked)
    };
    if let Some((anomaly, text)) = violation::anomaly_of(case, Side::Client).filter(|(anomaly, _)| minded(anomaly)) {
        let confidence = violation::weighed(confidence, alert.is_none_or(|(_, alert)| violation::fits_anomaly(alert, &anomaly.kind)));
        let summary = format!("The client sent {text}; the server {} refused it.", offer::server(case));
        let finding =
            Finding::new(Cause::ClientProtocolViolation, confidence, summary).shown_by(anomaly.mark, format!("client sent {text}"));
        return Some(advised(answered(finding).or_else(&[Cause::RecordCorrupted])));
    }
    let (_, description) = alert.filter(|_| accused)?;
    let summary = format!(
        "The server {} reports a protocol violation by the client with alert {}; nothing that the client sent in clear is wrong.",
        offer::server(case),
        offer::spoken(description)
    );
    let mut finding = Finding::new(Cause::ClientProtocolViolation, Confidence::Likely, summary).weight(Weight::Fallback);
    if let Some(hello) = handshake.last_hello() {
        finding = finding.shown_by(hello.mark, format!("client offers {}", offer::versions(&hello.what)));
    }
    Some(advised(answered(finding).or_else(&[Cause::RecordCorrupted, Cause::NoCommonGroup, Cause::HandshakeFailure])))
}

/// Two ClientHellos, and no HelloRetryRequest that asks for the second (RFC 8446 section 4.1.2): no server takes that, and each says so in its way.
fn second_hello(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let whole = Side::BOTH.into_iter().all(|side| handshake.flow.side(side).packets > 0 && handshake.flow.side(side).gap_bytes == 0);
    if handshake.protocol != Protocol::Tls || handshake.quic.is_some() || !whole || handshake.flow.out_of_step > 0 {
        return None;
    }
    let first = handshake.client_hellos.first()?;
    let unasked = |anomaly: &&Anomaly| {
        matches!(anomaly.kind, AnomalyKind::OutOfOrder { message, .. } if message == HandshakeType::CLIENT_HELLO.0)
            && anomaly.side == Side::Client
    };
    let after_the_answer = || handshake.anomalies.iter().find(unasked).map(|anomaly| anomaly.mark);
    let before_it = || handshake.client_hellos.get(1).filter(|_| handshake.hello_retry.is_none()).map(|again| again.mark);
    let again = before_it().or_else(after_the_answer)?;
    let seen = handshake.deciding_alert().filter(|seen| seen.from == Side::Server && seen.mark > again)?;
    let (confidence, said) = match seen.alert {
        Some(alert) if alert.description == AlertDescription::UNEXPECTED_MESSAGE => {
            (Confidence::Certain, format!("server sent alert {}", offer::spoken(alert.description)))
        }
        Some(alert) => (Confidence::Likely, format!("server sent alert {}", offer::spoken(alert.description))),
        None => (Confidence::Strong, "server sent an encrypted alert".to_owned()),
    };
    let summary =
        format!("The client sent a second ClientHello without a HelloRetryRequest; the server {} refused it.", offer::server(case));
    Some(
        Finding::new(Cause::ClientProtocolViolation, confidence, summary)
            .stopped_by(StoppedBy::Server)
            .shown_by(first.mark, "ClientHello")
            .shown_by(again, "second ClientHello, with no HelloRetryRequest in between")
            .shown_by(seen.mark, said)
            .advise("Update or correct the client; check whether a proxy in between sends its ClientHello again."),
    )
}
