//! `alert-forged`: an alert in the server's name that the server did not send.

use crate::diagnosis::against::{Contrary, lowers};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Suspect, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{AlertSeen, StoppedBy};
use crate::wording::counted;

pub(super) const RULE: Rule = Rule {
    cause: Cause::AlertForged,
    against: &[lowers(Contrary::SameHelloCompleted), lowers(Contrary::HopCounterKnown)],
    page: page!("alert-forged"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if let Some(finding) = without_effect(view) {
        return Some(finding);
    }
    if !view.failed_over_tcp() || !view.hello_begun() {
        return None;
    }
    let alert = facts.deciding_alert().filter(|alert| alert.from == Side::Server && !alert.encrypted)?;
    let Suspicion { confidence, why, ttl } = suspicion(case, view, alert)?;
    let code = alert.alert.map_or_else(|| "alert".to_owned(), |alert| format!("alert {} ({})", alert.description, alert.description.0));
    let mut finding = Finding::new(
        Cause::AlertForged,
        confidence,
        format!("A device on the path answered the ClientHello for {} with a forged {code}: {why}.", view.target()),
    )
    .weight(Weight::Overrides)
    .stopped_by(StoppedBy::Network)
    .resting_on(Suspect { side: Side::Server, mark: alert.mark, payload: 0, ttl })
    .shown_by(alert.mark, format!("{code} that claims to come from the server: {why}"));
    if let Some(reset) = view.server().resets.first() {
        finding = finding.shown_by(reset.mark, "RST that claims to come from the server, right after the alert");
    }
    if case.knowledge.completed_other_names > 0 {
        finding = finding.noting(format!(
            "{} with the same server for other names completed",
            counted(case.knowledge.completed_other_names, "handshake", "handshakes")
        ));
    }
    Some(super::try_otherwise(
        case,
        finding
            .or_else(&[Cause::SniUnrecognized, Cause::AccessDenied, Cause::HandshakeFailure])
            .advise("Check the logs of the filters between client and server for this connection."),
    ))
}

/// An alert that the client never took: other bytes of the server came in its place.
fn without_effect(view: View<'_>) -> Option<Finding> {
    let forged = view.server().contradicted.filter(|forged| forged.first == ALERT)?;
    let own = view.server().ttl.filter(|own| *own != forged.ttl);
    let hops = own.map_or_else(String::new, |own| format!(", with TTL {} instead of {own}", forged.ttl));
    Some(
        Finding::new(
            Cause::AlertForged,
            Confidence::Strong,
            format!(
                "A forged alert that claims to come from {} had no effect: the client ignored it, and the server's own data followed at the same sequence number.",
                view.target()
            ),
        )
        .weight(Weight::Note)
        .stopped_by(StoppedBy::Network)
        .shown_by(forged.mark, format!("alert that claims to come from the server{hops}; nobody acknowledged it, and different data followed at its sequence number"))
        .advise("Find the device on the path that forges alerts: a client that accepts them loses its connections."),
    )
}

/// What speaks against the alert's being the server's.
struct Suspicion {
    confidence: Confidence,
    why: String,
    /// The alert's hop counter, where it rests on that.
    ttl: Option<u8>,
}

fn suspicion(case: &Case<'_>, view: View<'_>, alert: &AlertSeen) -> Option<Suspicion> {
    let facts = case.handshake;
    let found = |confidence, why| Some(Suspicion { confidence, why, ttl: None });
    if let Some(answer) =
        facts.server_hello.as_ref().or(facts.hello_retry.as_deref()).filter(|answer| answer.first.frame > alert.mark.frame)
    {
        return found(Confidence::Certain, format!("the server's real answer followed in frame {}", answer.first.frame));
    }
    if facts.server_hello.is_some() || facts.hello_retry.is_some() {
        return None;
    }
    if view.server().differing_overlaps > 0 {
        return found(Confidence::Certain, "the server sent different data at the same sequence number".to_owned());
    }
    let hello = view.hello_mark().filter(|hello| hello.frame < alert.mark.frame)?;
    let took = alert.mark.time.since(hello.time);
    // The round trip must be known from more than the SYN-ACK of this one connection, which may be slow for reasons of its own.
    let own = facts.flow.leg(Side::Server).filter(|_| view.server().quickest_ack.is_some());
    if let Some(leg) =
        own.into_iter().chain(case.knowledge.least_leg).min().filter(|leg| leg.as_millis() >= LEAST_LEG_MS && took < *leg / 2)
    {
        let why = format!("it came {} after the ClientHello; a round trip to the server takes {}", span_text(took), span_text(leg));
        return Some(Suspicion { confidence: Confidence::Strong, why, ttl: None });
    }
    // Later packets may be the server's own.
    let of_alert = view.server().alert_ttl.filter(|(mark, _)| mark.frame == alert.mark.frame).map(|(_, ttl)| ttl);
    let (greeting, own) = (view.server().syn?.ttl, of_alert.or_else(|| view.server().ttl)?);
    let genuine = &case.knowledge.server_ttls;
    if greeting.abs_diff(own) == 0 || genuine.contains(&own) {
        return None;
    }
    let confidence = match (genuine.is_empty(), greeting.abs_diff(own)) {
        (false, _) => Confidence::Certain,
        (true, 2..) => Confidence::Strong,
        (true, _) => return None,
    };
    let why = format!("its TTL is {own}; the server's SYN-ACK has {greeting}");
    Some(Suspicion { confidence, why, ttl: Some(own) })
}

/// On a shorter leg the clock of the capture decides nothing.
const LEAST_LEG_MS: u128 = 4;
/// The record type of alerts.
const ALERT: u8 = 21;
