//! A handshake that is not the same connection at both points: a proxy or a translator stands between them.

use super::joined::{Event, Happening, Joined, JoinedBy, Joint, Place, half};
use super::point::Point;
use crate::flow::Side;
use crate::report::{Cause, Confidence, Handshake};

/// A client's handshake of which no packet reached the server, and one that reached it in its stead.
pub fn replaced(client: &Handshake<'_>, server: &Handshake<'_>) -> Joined {
    let leaf = |report: &Handshake<'_>| report.server_certificates().first().cloned();
    let (confidence, certificates) = match (leaf(client), leaf(server)) {
        (Some(given), Some(own)) if given.sha256 != own.sha256 => (
            Confidence::Certain,
            format!(" The server's certificate was issued by {}, the one that the client received by {}.", own.issuer, given.issuer),
        ),
        _ => (Confidence::Strong, String::new()),
    };
    let summary = format!(
        "No packet of the client's connection reached the server, yet the client got an answer; meanwhile another ClientHello for the same name reached the \
         server from {}: a device between the two captures terminates the client's TLS and opens its own connection.{certificates}",
        server.client.address
    );
    Joined {
        schema: "handshark-match/1",
        joined_by: JoinedBy::Name,
        client: Some(half(client)),
        server: Some(half(server)),
        between: Vec::new(),
        hops: None,
        round_trip_us: None,
        verdict: Joint { cause: Some(Cause::TlsInterception), place: Place::Path, confidence, summary },
    }
}

/// A proxy ends the TCP connection between the points and passes TLS on: packets are not the same there, and only the ends can be compared.
pub(super) fn relayed(client: Option<&Handshake<'_>>, server: Option<&Handshake<'_>>) -> Joined {
    let report = server.filter(|report| report.diagnosis.cause.is_some()).or(client);
    let cause = report.and_then(|report| report.diagnosis.cause);
    let told = report.filter(|_| cause.is_some()).map(|report| format!(" {}", report.summary())).unwrap_or_default();
    let text = "a proxy between the two captures terminates the TCP connection and forwards the TLS bytes over its own".to_owned();
    Joined {
        schema: "handshark-match/1",
        joined_by: JoinedBy::Random,
        client: client.map(half),
        server: server.map(half),
        between: vec![Event {
            what: Happening::Altered,
            from: Side::Client,
            text,
            client_frame: None,
            client_source: None,
            server_frame: None,
            server_source: None,
        }],
        hops: None,
        round_trip_us: None,
        verdict: Joint {
            confidence: report.and_then(|report| report.diagnosis.confidence).unwrap_or(Confidence::Certain),
            cause,
            place: Place::Nowhere,
            summary: format!(
                "The ClientHello arrived unchanged through a proxy; the TCP connections on its two sides cannot be compared.{told}"
            ),
        },
    }
}

pub(super) fn translated(client: &Point<'_>, server: &Point<'_>, joined_by: JoinedBy) -> Option<Event> {
    let (here, there) = (client.report.map(half)?, server.report.map(half)?);
    if joined_by == JoinedBy::Nothing || here.peers == there.peers {
        return None;
    }
    let parts: Vec<String> = Side::BOTH
        .into_iter()
        .zip(here.peers.iter().zip(&there.peers))
        .filter(|(_, (a, b))| a != b)
        .map(|(side, (a, b))| format!("the {side} {a} appears as {b} in the server's capture"))
        .collect();
    Some(Event {
        what: Happening::Altered,
        from: Side::Client,
        text: format!("addresses are translated (NAT): {}", parts.join("; ")),
        client_frame: None,
        client_source: None,
        server_frame: None,
        server_source: None,
    })
}

/// The same connection has other sequence numbers at the two points.
pub(super) fn renumbered(client: &Point<'_>, server: &Point<'_>, joined_by: JoinedBy) -> Option<Event> {
    let differs = |side: Side| client.view.isn(side).zip(server.view.isn(side)).is_some_and(|(here, there)| here != there);
    let text = match (joined_by, differs(Side::Client), differs(Side::Server)) {
        (JoinedBy::Nothing | JoinedBy::Name, ..) | (_, false, false) => return None,
        (_, true, true) => {
            "the sequence numbers of both ends are others in the server's capture: a proxy ends the TCP connection between the points, or a firewall rewrites them"
        }
        (_, false, true) => {
            "the server's sequence numbers are others in the client's capture: a device answers the SYN in the server's place (SYN proxy), or rewrites them"
        }
        (_, true, false) => "the client's sequence numbers are others in the server's capture: a firewall rewrites them",
    };
    Some(Event {
        what: Happening::Altered,
        from: Side::Client,
        text: text.to_owned(),
        client_frame: None,
        client_source: None,
        server_frame: None,
        server_source: None,
    })
}
