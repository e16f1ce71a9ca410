//! `alpn-no-overlap`.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::rules::parameters::offer;
use crate::diagnosis::signs::Signs;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, Protocol, StoppedBy};
use crate::tls::client_hello::ClientHello;
use crate::tls::registry::AlertDescription;

/// The rule.
pub(super) const RULE: Rule = Rule {
    cause: Cause::AlpnNoOverlap,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED),
    against: &[],
    title: "client and server have no application protocol (ALPN) in common",
    page: Page {
        meaning: "The client lists the application protocols it can speak inside TLS (h2, http/1.1, h3, imap…) and the server speaks none of them.",
        recognised: "Alert no_application_protocol; in QUIC a CONNECTION_CLOSE with error 0x178. Or: the client offers h2 only, the server chooses nothing (its ServerHello of TLS 1.2 says so; in TLS 1.3 its EncryptedExtensions are too short for a choice), and the client closes at once after the handshake, as gRPC does.",
        confused_with: "Nothing, where the alert is seen.",
        check: "What the server chooses:\n\n$ openssl s_client -connect <host>:<port> -servername <name> -alpn h2,http/1.1 </dev/null | grep ALPN",
        fix: &[
            ("in general", "Enable a protocol of the client's at the server, or let the client offer http/1.1 as well."),
            ("nginx", "http2 on; (listen ... ssl http2 before 1.25.1). nginx 1.21.4 and later refuse unknown protocols."),
            ("Apache", "Protocols h2 http/1.1, with mod_http2 loaded."),
            ("HAProxy", "alpn h2,http/1.1 on the bind line."),
            ("Java", "SSLParameters.setApplicationProtocols on both sides; 8u251 and 11 know ALPN."),
            (
                "Go",
                "tls.Config.NextProtos must hold a protocol of the other side: h2 and http/1.1. Since 1.17 a server refuses when none fits.",
            ),
            ("Node.js", "ALPNProtocols in the options; http2.createSecureServer with allowHTTP1: true."),
            ("gRPC", "Needs h2 end to end: a load balancer in between must speak h2, or pass TLS through."),
            ("ACME", "acme-tls/1 must reach the ACME client; a TLS-terminating proxy in front refuses it."),
            ("Kubernetes ingress-nginx", "use-http2: \"true\" in the ConfigMap; backend-protocol: GRPCS for gRPC."),
            ("HTTP/3", "QUIC servers must offer h3; old drafts (h3-29) are gone."),
        ],
        references: &["RFC 7301 section 3.2", "RFC 9113 section 3.2", "RFC 9001 section 8.1"],
    },
    check,
};

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
    let chosen = if known.is_empty() { String::new() } else { format!("; it chose {} for others", offer::listed(known)) };
    let summary = match seen.from {
        Side::Server => format!(
            "The client offers the application protocols {list}, and the server {} speaks none of them{chosen}.",
            offer::server(case)
        ),
        Side::Client => format!(
            "The client offers the application protocols {list}, and does not accept what the server {} chose.",
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
        "The server {} sent an encrypted alert in place of its EncryptedExtensions; most often it speaks none of the application protocols that the client offers ({}).",
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
    let insists = hello.what.alpn().next().is_some() && hello.what.alpn().all(|protocol| INSISTED_ON.contains(&protocol));
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
        "The client speaks only {list}, the server {} chose no application protocol, and the client left without a request.",
        offer::server(case)
    );
    let finding = Finding::new(Cause::AlpnNoOverlap, Confidence::Likely, summary)
        .stopped_by(StoppedBy::Client)
        .shown_by(hello.mark, format!("client offers ALPN {list} only"));
    let finding = match handshake.hidden.encrypted_extensions_len.filter(|_| answer.what.version().is_tls13()) {
        Some(len) => {
            let record = handshake.encrypted.server.first().map_or(answer.mark, |record| record.mark);
            finding.shown_by(record, format!("EncryptedExtensions of {len} bytes: too short to name a protocol"))
        }
        None => finding.shown_by(answer.mark, "ServerHello without ALPN"),
    };
    Some(advised(case, finding.noting("no application data from the client").or_else(&[Cause::ServerCertificateRejected])))
}

fn advised(case: &Case<'_>, finding: Finding) -> Finding {
    let handshake = case.handshake;
    let http = |protocol: &[u8]| protocol == b"h2" || protocol.starts_with(b"h3") || protocol.starts_with(b"http/");
    let web = handshake.last_hello().is_none_or(|hello| hello.what.alpn().any(http));
    match (handshake.protocol == Protocol::Quic, web) {
        (true, true) => finding
            .advise("Let both speak h3: the server must have HTTP/3 switched on for this address and name, and the client must not insist on an old draft.")
            .advise("See whether the server chooses h3:")
            .advise(remedy::s_client(handshake, "-alpn h3")),
        (quic, false) => finding
            .advise("Point the client at a server of its own protocol, or switch that protocol on at this one: both must name the same.")
            .advise(if quic { "See whether this server speaks HTTP/3 instead:" } else { "See whether the server takes a client that names none:" })
            .advise(remedy::s_client(handshake, if quic { "-alpn h3" } else { "" })),
        (false, true) => finding
            .advise("Enable one of the client's protocols at the server, or let the client offer http/1.1 too.")
            .advise("See what the server chooses:")
            .advise(remedy::s_client(handshake, "-alpn h2,http/1.1")),
    }
}

fn protocols(hello: &ClientHello) -> String {
    offer::listed(hello.alpn().map(|protocol| String::from_utf8_lossy(protocol).into_owned()))
}

/// Protocols that cannot be spoken unless they were agreed on; others (`dot`, `imap`, `xmpp-client`) are offered as a courtesy.
const INSISTED_ON: [&[u8]; 5] = [b"h2", b"grpc-exp", b"h3", b"doq", b"acme-tls/1"];

/// The client was the first to send FIN, RST or an alert.
fn left_first(case: &Case<'_>) -> bool {
    let handshake = case.handshake;
    let end = |side: Side| {
        let facts = handshake.tcp.side(side);
        let alert = handshake.alerts.iter().find(|seen| seen.from == side).map(|seen| seen.mark);
        [facts.fin.map(|(mark, _)| mark), facts.resets.first().map(|reset| reset.mark), alert].into_iter().flatten().min()
    };
    end(Side::Client).is_some_and(|client| end(Side::Server).is_none_or(|server| client < server))
}
