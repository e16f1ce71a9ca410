//! `server-speaks-plaintext`: another protocol in answer to a `ClientHello`.

use super::{clear_service, client_spoke_tls, implicit, server_spoke_tls};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::clear::{PROXY_IS_CLEAR, towards};
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::parts::Piece;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::preamble::services::Service;
use crate::preamble::{Dialect, Plaintext, Upgrade};
use crate::time::Mark;
use crate::wording::counted;

pub(super) const RULE: Rule = Rule { cause: Cause::ServerSpeaksPlaintext, against: &[], page: page!("server-speaks-plaintext"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    if let Some(finding) = instead_of_waiting(handshake) {
        return Some(finding);
    }
    if !handshake.outcome.failed() || !client_spoke_tls(handshake) || server_spoke_tls(handshake) {
        return None;
    }
    let preamble = handshake.preamble.as_ref();
    // refused upgrades and misunderstood PROXY headers have rules of their own
    if preamble.is_some_and(|facts| {
        facts.denied() || facts.upgrade == Upgrade::Asked || facts.layers().any(|layer| layer.dialect.is_proxy_header())
    }) {
        return None;
    }
    let Some((what, mark)) = answered(handshake) else { return unheard(case).or_else(|| mute(case)) };
    let http = what.protocol == "HTTP";
    let error = what.http_status.is_some_and(|status| (400..600).contains(&status));
    // It may have wanted a word of its own protocol before TLS.
    let greeted = handshake.client_hellos.first().is_some_and(|hello| mark < hello.first);
    let confidence = if http && !error || greeted && what.protocol == "unknown" { Confidence::Strong } else { Confidence::Certain };
    let named = if what.protocol == "unknown" { "bytes that are not TLS".to_owned() } else { what.protocol.to_owned() };
    let mut finding = Finding::new(
        Cause::ServerSpeaksPlaintext,
        confidence,
        if greeted {
            format!("{} greeted the client with {named}, and did not answer the ClientHello: `{}`.", handshake.server, what.first)
        } else {
            format!("{} answered the ClientHello with {named}: `{}`.", handshake.server, what.first)
        },
    )
    // Its answer ends what the client wanted, unless the client left before it read it.
    .stopped_by(if handshake.outcome == Outcome::Plaintext { StoppedBy::Server } else { handshake.stopped_by })
    .shown_by(mark, format!("{named} where a TLS record was expected: `{}`", what.first));
    if let Some(location) = &what.location {
        finding = finding.shown_by(mark, format!("the answer redirects to {location}"));
    }
    if let Some(title) = &what.title {
        finding = finding.shown_by(mark, format!("the page has the title \"{title}\""));
    }
    if http {
        finding = finding.or_else(&[Cause::PlaintextInjected, Cause::CaptivePortal]);
    }
    if case.knowledge.speaks_tls && case.knowledge.completed > 0 {
        finding.confidence = Confidence::Likely;
        finding = finding.noting("the same server speaks TLS with other clients");
    }
    Some(advised(finding, handshake, &what))
}

/// The server agreed to the upgrade, and went on in clear before the client could begin TLS.
fn instead_of_waiting(handshake: &Handshake) -> Option<Finding> {
    let preamble = handshake.preamble.as_ref().filter(|facts| facts.dialect.is_starttls() && facts.upgrade == Upgrade::Granted)?;
    let seen = handshake.plaintext.server.as_ref().filter(|_| handshake.outcome == Outcome::Plaintext && !client_spoke_tls(handshake))?;
    let summary =
        format!("{} agreed to {} and then continued in clear: `{}`.", handshake.server, preamble.dialect.request(), seen.what.first);
    let finding = Finding::new(Cause::ServerSpeaksPlaintext, Confidence::Likely, summary).stopped_by(StoppedBy::Server);
    let finding = match preamble.answered {
        Some(answered) => finding.shown_by(answered, "server agrees to the upgrade"),
        None => finding,
    };
    Some(
        finding
            .shown_by(seen.first, "server continues in clear where the ClientHello was expected")
            .or_else(&[Cause::PlaintextInjected])
            .advise(remedy::log(
                handshake,
                Side::Server,
                "it shows whether the server sent this; if not, a device on the path rewrites the dialogue",
            ))
            .advise(remedy::s_client(handshake, "")),
    )
}

/// The server's answer is not here, as the number of its FIN or RST tells, and what it answers to others is no TLS.
fn unheard(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let view = View::new(handshake);
    let hello = view.hello_mark().filter(|_| view.failed_without_words() && !view.answer_begun() && view.server().bytes_seen == 0)?;
    let ending = view.ended_by(Side::Server).filter(|ending| ending.mark.frame > hello.frame)?;
    let len = Some(view.unheard_before(&ending)).filter(|len| *len > 0)?;
    let others = case.knowledge.causes.iter().find(|(cause, _)| *cause == Cause::ServerSpeaksPlaintext).map(|(_, count)| *count)?;
    let len = counted(len, "byte", "bytes");
    let summary = format!(
        "{} answered the ClientHello with {len} that are not here, and ended the connection: to {} it answered with something other than TLS.",
        handshake.server,
        counted(others, "other ClientHello", "other ClientHellos")
    );
    let finding = Finding::new(Cause::ServerSpeaksPlaintext, Confidence::Likely, summary)
        .stopped_by(StoppedBy::Server)
        .shown_by(hello, "ClientHello")
        .shown_by(ending.mark, format!("the server's {}, whose number tells that it had sent {len} before", ending.name()))
        .or_else(&[if ending.reset.is_some() { Cause::ServerReset } else { Cause::ServerClosed }, Cause::PacketLoss]);
    Some(finding.advise("On the client, use the TLS port; or on the server, enable TLS on this one."))
}

/// A server that says nothing to a `ClientHello` on a port where another protocol is at home, which cannot read it.
fn mute(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let view = View::new(handshake);
    let has_other_reasons = |service: &Service| WAITS.contains(&service.name) || service.shares_port;
    let service = clear_service(case).filter(|service| !(has_other_reasons(service) && view.ended_by(Side::Server).is_some()))?;
    if !view.failed_without_words() || !view.hello_begun() || view.answer_begun() || view.server().bytes_seen > 0 {
        return None;
    }
    let hello = view.hello_mark()?;
    let (end, stopped_by) = match view.ended_by(Side::Server) {
        Some(ending) if ending.mark.frame > hello.frame && ending.reset.is_none_or(|reset| !reset.to_syn) => {
            (Some(ending), StoppedBy::Server)
        }
        // It reads until its line or its request is whole.
        None if PATIENT.contains(&service.name) && view.hello_acked() && view.waited() => {
            (view.ended_by(Side::Client), handshake.stopped_by)
        }
        _ => return None,
    };
    let did = match end {
        Some(ending) if ending.side == Side::Server => {
            let verb = if ending.reset.is_some() { "reset the connection" } else { "closed" };
            format!("{verb} {} after the ClientHello without sending a byte", span_text(ending.mark.time.since(hello.time)))
        }
        _ => format!("received the ClientHello and stayed silent for {}", span_text(view.silence())),
    };
    let port = handshake.server.port;
    let summary = format!("{} {did}: port {port} is for {} in clear, and such servers cannot read TLS there.", view.target(), service.name);
    let finding = Finding::new(Cause::ServerSpeaksPlaintext, Confidence::Likely, summary)
        .stopped_by(stopped_by)
        .shown_by(hello, "ClientHello")
        .or_else(&[if end.is_some_and(|ending| ending.side == Side::Server) { Cause::ServerClosed } else { Cause::ServerSilent }]);
    let finding = match end {
        Some(ending) => finding.shown_by(ending.mark, format!("the {}'s {}, with no TLS record before it", ending.side, ending.name())),
        None => finding.shown_by(handshake.closed_at, "still no answer"),
    };
    Some(towards(finding, handshake, service))
}

/// Servers that read on until a line or a request is whole, which a `ClientHello` never makes.
const PATIENT: &[&str] = &["Redis", "memcached", "HTTP proxy", "HTTP", "LDAP", "IRC", "SIP", "Modbus"];

/// Of these, those that do not end a connection for what they cannot read: one that does has another reason. So has one on a port where the service
/// speaks TLS as well: its certificate, its keys, whom it admits.
const WAITS: &[&str] = &["Redis"];

/// The server's clear text: after the `ClientHello`, or its greeting before it, with no upgrade in between.
fn answered(handshake: &Handshake) -> Option<(Plaintext, Mark)> {
    if let Some(seen) = &handshake.plaintext.server {
        return Some((seen.what.clone(), seen.first));
    }
    let facts = handshake.preamble.as_ref().filter(|facts| facts.dialect.is_starttls() && facts.upgrade == Upgrade::NotAsked)?;
    let line = facts.lines.iter().find(|line| line.side == Side::Server)?;
    let what = Plaintext {
        protocol: facts.dialect.title(),
        first: line.text.clone(),
        http_status: None,
        demands_tls: false,
        location: None,
        title: None,
        software: None,
    };
    Some((what, line.mark))
}

fn advised(finding: Finding, handshake: &Handshake, what: &Plaintext) -> Finding {
    let dialect = UPGRADABLE.iter().copied().find(|dialect| dialect.title() == what.protocol);
    let port = Service::at(handshake.server.port).map(|(service, _)| service.name);
    let Some(dialect) = dialect else {
        return match what.protocol {
            "HTTP" if port == Some("HTTP proxy") => finding.advise(PROXY_IS_CLEAR).advise(remedy::through_proxy(handshake)),
            "HTTP/2" => finding.advise(
                "On the client, use HTTP/2 without TLS (h2c; an insecure channel in gRPC), as this port does; or on the server, switch TLS on.",
            ),
            "HTTP" => finding.advise("On the client, use the TLS port, or http:// for this one; or on the server, enable TLS on this port.").advise(
                Command::new("curl -v").operand([Piece::Fixed("http://"), Piece::Target(&handshake.server.into()), Piece::Fixed("/")]),
            ),
            "SSH" => finding.advise("On the client, use another port for TLS: this one belongs to an SSH server."),
            "NATS" => finding.advise("On the client, use tls:// in the URL, so that it starts TLS after the NATS greeting in clear; or on the server, set handshake_first."),
            name => match Service::named(name) {
                Some(service) => towards(finding, handshake, service),
                None => finding.advise("On the client, use the TLS port; or on the server, enable TLS on this one."),
            },
        };
    };
    let finding = match implicit(dialect) {
        Some((port, name)) => {
            finding.advise(format!("On the client, use {}, or the port with TLS from the first byte: {port} ({name}).", dialect.request()))
        }
        None => match Service::of(dialect) {
            Some(service) => return towards(finding, handshake, service),
            None => finding.advise(format!("On the client, request TLS first ({}).", dialect.request())),
        },
    };
    finding.advise(remedy::starttls(handshake, dialect))
}

/// Protocols that an identified answer may belong to, and that can be upgraded.
const UPGRADABLE: [Dialect; 11] = [
    Dialect::Smtp,
    Dialect::Imap,
    Dialect::Pop3,
    Dialect::Ftp,
    Dialect::Ldap,
    Dialect::Xmpp,
    Dialect::Postgres,
    Dialect::Mysql,
    Dialect::Nntp,
    Dialect::Sieve,
    Dialect::Irc,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::knowledge::Knowledge;
    use crate::diagnosis::testing::{at, connection, dialogue, hello, said_hello, says, verdict, verdict_knowing};
    use crate::handshake::facts::AlertSeen;
    use crate::tls::message::Alert;
    use crate::tls::registry::AlertDescription;

    #[test]
    fn an_http_server_on_a_tls_port() {
        let mut handshake = connection("192.0.2.1:443");
        hello(&mut handshake, at(4, 11));
        says(&mut handshake, Side::Server, b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", at(5, 21));
        let verdict = verdict(&handshake);
        let finding = verdict.cause.unwrap();
        assert_eq!(
            (finding.cause, finding.confidence, verdict.stopped_by),
            (Cause::ServerSpeaksPlaintext, Confidence::Certain, StoppedBy::Server)
        );
    }

    #[test]
    fn who_sends_an_alert_spoke_tls_though_its_hello_was_cut_off() {
        let mut handshake = connection("192.0.2.1:443");
        says(&mut handshake, Side::Server, b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", at(5, 21));
        handshake.flow.sides.client.snaplen_cut = 1;
        let cause = |handshake: &Handshake| verdict(handshake).cause.map(|finding| finding.cause);
        assert_ne!(cause(&handshake), Some(Cause::ServerSpeaksPlaintext), "nobody shows that TLS was wanted");
        let alert = Some(Alert { fatal: false, level: 1, description: AlertDescription::CLOSE_NOTIFY });
        handshake.alerts.push(AlertSeen {
            from: Side::Client,
            mark: at(6, 22),
            alert,
            encrypted: false,
            after_handshake: false,
            consequence: false,
        });
        assert_eq!(cause(&handshake), Some(Cause::ServerSpeaksPlaintext));
    }

    #[test]
    fn a_mail_server_is_named_with_its_upgrade() {
        let mut handshake = connection("192.0.2.1:25");
        hello(&mut handshake, at(4, 11));
        says(&mut handshake, Side::Server, b"220 mail.lab.test ESMTP\r\n", at(5, 21));
        let finding = verdict(&handshake).cause.unwrap();
        assert_eq!(finding.cause, Cause::ServerSpeaksPlaintext);
        assert!(finding.remedy.iter().any(|line| line.line().contains("-starttls smtp")), "{:?}", finding.remedy);
    }

    #[test]
    fn a_greeting_before_the_client_hello_says_the_same() {
        let turns: [(Side, &[u8]); 2] =
            [(Side::Server, b"* OK ready.\r\n"), (Side::Client, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")];
        let handshake = dialogue("192.0.2.1:143", &turns, Outcome::Closed, StoppedBy::Server);
        let finding = verdict(&handshake).cause.unwrap();
        assert_eq!(finding.cause, Cause::ServerSpeaksPlaintext);
        assert!(finding.summary.contains("IMAP"));
    }

    #[test]
    fn a_port_in_clear_that_closes_on_a_client_hello_cannot_read_it() {
        let closed = |server: &str| {
            let mut handshake = connection(server);
            hello(&mut handshake, at(4, 11));
            handshake.flow.sides.client.acked = 517;
            handshake.flow.sides.server.fin = Some((at(6, 14), 0));
            handshake.flow.last = at(6, 14);
            (handshake.outcome, handshake.stopped_by) = (Outcome::Closed, StoppedBy::Server);
            verdict(&handshake).cause.unwrap()
        };
        let finding = closed("192.0.2.1:1883");
        assert_eq!((finding.cause, finding.confidence), (Cause::ServerSpeaksPlaintext, Confidence::Likely));
        assert!(finding.summary.contains("MQTT in clear"), "{}", finding.summary);
        let advice: Vec<_> = finding.remedy.iter().map(|line| line.line().into_owned()).collect();
        assert_eq!(advice.last().unwrap(), "openssl s_client -connect 192.0.2.1:8883 -noservername </dev/null");
        let finding = closed("192.0.2.1:5432");
        assert!(finding.remedy.iter().any(|line| line.line().contains("-starttls postgres")), "{:?}", finding.remedy);
        // It waits for the end of its line and does not close.
        assert_ne!(closed("192.0.2.1:6379").cause, Cause::ServerSpeaksPlaintext);
        // Where TLS has no port of its own it may be on, and refuse this client.
        for port in [10050, 27017, 11211, 50051] {
            assert_ne!(closed(&format!("192.0.2.1:{port}")).cause, Cause::ServerSpeaksPlaintext, "{port}");
        }
        // A port for TLS, and one for a greeting that did not come, tell nothing of the kind.
        assert_ne!(closed("192.0.2.1:8883").cause, Cause::ServerSpeaksPlaintext);
        assert_ne!(closed("192.0.2.1:25").cause, Cause::ServerSpeaksPlaintext);
    }
    #[test]
    fn a_port_in_clear_that_stays_silent_is_asked_first_whether_it_speaks_tls() {
        let silent = |server: &str, knowledge: &Knowledge| {
            let mut handshake = connection(server);
            said_hello(&mut handshake, at(4, 30));
            let client = &mut handshake.flow.sides.client;
            (client.data_packets, client.bytes_seen, client.highest, client.acked) = (1, 300, 300, 300);
            (client.first_data, client.last_data) = (Some(at(4, 30)), Some(at(4, 30)));
            (handshake.outcome, handshake.stopped_by) = (Outcome::Stalled, StoppedBy::Server);
            handshake.closed_at = at(99, 60_000);
            handshake.flow.last = at(5, 60);
            verdict_knowing(&handshake, knowledge)
        };
        let nothing = Knowledge::default();
        let ldap = silent("192.0.2.1:389", &nothing);
        assert_eq!(ldap.cause(), Some(Cause::ServerSpeaksPlaintext), "LDAP waits for the rest of its message");
        // Developers take this port for either.
        let web = silent("192.0.2.1:8080", &nothing);
        assert_eq!((web.cause(), web.alternatives.first()), (Some(Cause::ServerSilent), Some(&Cause::ServerSpeaksPlaintext)));
        assert!(web.cause.unwrap().remedy[0].line().contains("HTTP usually begins in clear"));
        let others = Knowledge { completed: 1, speaks_tls: true, ..Knowledge::default() };
        for (server, knowledge) in [("192.0.2.1:389", &others), ("192.0.2.1:8080", &others), ("192.0.2.1:8443", &nothing)] {
            let verdict = silent(server, knowledge);
            assert_eq!(verdict.cause(), Some(Cause::ServerSilent), "{server}");
            assert!(!verdict.alternatives.contains(&Cause::ServerSpeaksPlaintext), "{server}");
        }
    }
}
