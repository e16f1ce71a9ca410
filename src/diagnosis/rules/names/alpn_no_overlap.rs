//! `alpn-no-overlap`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, Protocol, StoppedBy};
use crate::tls::client_hello::ClientHello;
use crate::tls::registry::AlertDescription;
use crate::wording::counted;

use super::left_first;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::AlpnNoOverlap, against: &[], page: page!("alpn-no-overlap"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    refused(case).or_else(|| refused_in_secret(case)).or_else(|| unanswered(case))
}

fn refused(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let seen = handshake.deciding_alert().filter(|_| handshake.outcome.failed())?;
    let alert = seen.alert?.description;
    if alert != AlertDescription::NO_APPLICATION_PROTOCOL {
        return None;
    }
    let offered = handshake.last_hello().map(|hello| (hello.mark, protocols(&hello.what)));
    let list = offered.as_ref().map_or("none", |(_, list)| list.as_str());
    let known = &case.knowledge.alpn;
    let chosen = if known.is_empty() { String::new() } else { format!("; for other clients it chose {}", offer::listed(known)) };
    let summary = match seen.from {
        Side::Server => {
            format!("The client offers the application protocols {list}; the server {} supports none of them{chosen}.", offer::server(case))
        }
        Side::Client => format!(
            "The client offers the application protocols {list} and does not accept the one that the server {} chose.",
            offer::server(case)
        ),
    };
    let mut finding = Finding::new(Cause::AlpnNoOverlap, Confidence::Certain, summary).stopped_by(StoppedBy::from(seen.from));
    if let Some((mark, list)) = offered {
        finding = finding.shown_by(mark, format!("client offers ALPN {list}"));
    }
    Some(advised(case, finding.shown_by(seen.mark, format!("{} sent alert {}", seen.from, offer::spoken(alert)))))
}

/// TLS 1.3: the server answered with a `ServerHello`, and with an encrypted alert where its `EncryptedExtensions` should be. What it settles
/// there is the application protocol (Go does so).
fn refused_in_secret(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let seen = handshake.deciding_alert().filter(|seen| seen.from == Side::Server && seen.alert.is_none())?;
    let hello = handshake.last_hello().filter(|hello| hello.what.alpn().next().is_some())?;
    let answer = handshake.server_hello.as_ref()?;
    if !handshake.outcome.failed() || handshake.hidden.server_flight_done.happened() || handshake.encrypted.server.len() != 1 {
        return None;
    }
    let summary = format!(
        "The server {} sent an encrypted alert instead of its EncryptedExtensions; most often it supports none of the application protocols that the client offers: {}.",
        offer::server(case),
        protocols(&hello.what)
    );
    let finding = Finding::new(Cause::AlpnNoOverlap, Confidence::Likely, summary)
        .stopped_by(StoppedBy::Server)
        .shown_by(hello.mark, format!("client offers ALPN {}", protocols(&hello.what)))
        .shown_by(answer.mark, "ServerHello of TLS 1.3")
        .shown_by(seen.mark, "server sent one encrypted record of an alert's size, and nothing more")
        .or_else(&[Cause::InternalError, Cause::HandshakeFailure]);
    Some(advised(case, finding))
}

/// The server chose no application protocol, in clear or because its EncryptedExtensions have no room for one, and a client that can speak none
/// but those that it offers left without a request.
fn unanswered(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let answer = handshake.server_hello.as_ref()?;
    let hello = handshake.last_hello()?;
    // Who asked for TLS in the protocol's own words knows already what is spoken.
    let direct = handshake.preamble.as_ref().is_none_or(|facts| !facts.dialect.is_starttls());
    let needed = |protocol: &[u8]| INSISTED_ON.contains(&protocol) || direct && protocol == POSTGRESQL;
    let insists = hello.what.alpn().next().is_some() && hello.what.alpn().all(needed);
    let left = match handshake.outcome {
        Outcome::Completed => left_first(case),
        Outcome::Closed | Outcome::Reset => handshake.stopped_by == StoppedBy::Client && handshake.server_flight_is_over(),
        Outcome::Alerted => handshake.deciding_alert().is_some_and(|seen| seen.from == Side::Client && seen.alert.is_none()),
        _ => false,
    };
    if !insists || !left || handshake.application_data.client.is_some() || !handshake.chose_no_protocol() {
        return None;
    }
    let list = protocols(&hello.what);
    let summary = format!(
        "The client supports only {list}, the server {} chose no application protocol, and the client left without a request.",
        offer::server(case)
    );
    let finding = Finding::new(Cause::AlpnNoOverlap, Confidence::Likely, summary)
        .stopped_by(StoppedBy::Client)
        .shown_by(hello.mark, format!("client offers ALPN {list} only"));
    let finding = match handshake.hidden.encrypted_extensions_len.filter(|_| answer.what.version().is_tls13()) {
        Some(len) => {
            let record = handshake.encrypted.server.first().map_or(answer.mark, |record| record.mark);
            finding.shown_by(
                record,
                format!("EncryptedExtensions of {len}: too short to name a protocol", len = counted(len, "byte", "bytes")),
            )
        }
        None => finding.shown_by(answer.mark, "ServerHello without ALPN"),
    };
    Some(advised(case, finding.noting("no application data from the client").or_else(&[Cause::ServerCertificateRejected])))
}

fn advised(case: &Case<'_>, finding: Finding) -> Finding {
    let handshake = case.handshake;
    let http = |protocol: &[u8]| protocol == b"h2" || protocol.starts_with(b"h3") || protocol.starts_with(b"http/");
    let web = handshake.last_hello().is_none_or(|hello| hello.what.alpn().any(http));
    if handshake.last_hello().is_some_and(|hello| hello.what.alpn().any(|protocol| protocol == POSTGRESQL)) {
        return finding
            .advise("On the server, or on what ends TLS in front of it, let it choose postgresql (PostgreSQL 17 does; `alpn postgresql` on HAProxy's bind line); or on the client, request TLS in the protocol (`sslnegotiation=postgres`).")
            .advise("Check what the server chooses:")
            .advise(remedy::s_client(handshake, "-alpn postgresql"));
    }
    match (handshake.protocol == Protocol::Quic, web) {
        (true, true) => finding
            .advise("On the server, enable HTTP/3 for this address and name; on the client, offer h3 and not only an old draft.")
            .advise("Check whether the server chooses h3:")
            .advise(remedy::s_client(handshake, "-alpn h3")),
        (quic, false) => finding
            .advise("Point the client at a server that supports its protocol, or enable that protocol on this server.")
            .advise(if quic {
                "Check whether this server speaks HTTP/3 instead:"
            } else {
                "Check whether the server accepts a client that offers no protocol:"
            })
            .advise(remedy::s_client(handshake, if quic { "-alpn h3" } else { "" })),
        (false, true) => finding
            .advise("On the server, enable one of the client's protocols; or on the client, offer http/1.1 too.")
            .advise("Check what the server chooses:")
            .advise(remedy::s_client(handshake, "-alpn h2,http/1.1")),
    }
}

fn protocols(hello: &ClientHello) -> String {
    offer::listed(hello.alpn().map(|protocol| String::from_utf8_lossy(protocol).into_owned()))
}

/// Protocols that cannot be spoken unless they were agreed on; others (`dot`, `imap`, `xmpp-client`) are offered as a courtesy.
const INSISTED_ON: [&[u8]; 5] = [b"h2", b"grpc-exp", b"h3", b"doq", b"acme-tls/1"];

/// libpq leaves a server that TLS begins at from the first byte and that does not choose this (since version 17).
const POSTGRESQL: &[u8] = b"postgresql";
