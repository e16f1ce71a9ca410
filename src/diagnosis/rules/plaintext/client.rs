//! `client-speaks-plaintext`: no TLS where TLS is due.

use std::time::Duration;

use super::{client_spoke_tls, implicit, last_line, server_spoke_tls, upgrade};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::preamble::services::is_implicit_tls;
use crate::preamble::{Dialect, Plaintext, PreambleFacts, Upgrade};
use crate::time::Mark;

pub(super) const RULE: Rule = Rule { cause: Cause::ClientSpeaksPlaintext, against: &[], page: page!("client-speaks-plaintext"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    if !handshake.outcome.failed() || client_spoke_tls(handshake) {
        return None;
    }
    if let Some(facts) = upgrade(handshake).filter(|facts| facts.upgrade == Upgrade::Demanded) {
        return Some(demanded(case, facts));
    }
    let (protocol, first, mark) = spoken(handshake).or_else(|| dialogue(case))?;
    // Where the capture began later, these are not the client's first bytes: they may be of TLS that cannot be told from its middle.
    if protocol == "unknown" && !handshake.flow.saw_start() {
        return None;
    }
    let (confidence, why) = expects_tls(case);
    let named = if protocol == "unknown" { format!("bytes that are not TLS, `{first}`,") } else { format!("{protocol} (`{first}`)") };
    let confidence = if protocol == "unknown" { confidence.lowered() } else { confidence };
    let agreed = handshake.plaintext.server.as_ref().is_some_and(|answer| agrees(handshake, &answer.what));
    let mut finding = Finding::new(
        Cause::ClientSpeaksPlaintext,
        confidence,
        format!("{} sent {named} to {}, where TLS was expected: {why}.", handshake.client.address, handshake.server),
    )
    .weight(if agreed { Weight::Note } else { Weight::Explains })
    .stopped_by(StoppedBy::Client)
    .shown_by(mark, format!("the client's first bytes: `{first}`"));
    if confidence <= Confidence::Likely && View::new(handshake).ended_by(Side::Server).is_some() {
        // A server in clear that is ill, or a balancer without one, closes as well.
        finding = finding.or_else(&[Cause::ServerClosed, Cause::LoadBalancerNoBackend]);
    }
    if let Some(alert) = handshake.alerts.iter().find(|alert| alert.from == Side::Server) {
        finding = finding.shown_by(alert.mark, "the server answered with a TLS alert");
    }
    if let Some(answer) = &handshake.plaintext.server {
        finding = finding.shown_by(answer.first, quoted(&answer.what));
    }
    if was_sent_on(case) {
        finding = finding
            .noting("it was redirected to https, and came again with TLS")
            .advise("The client found its way. Correct the link, bookmark or setting that says http:// for this port.");
    }
    finding = finding.advise(match protocol {
        _ if had_agreed(handshake) => {
            "On the client, start TLS right after the server's answer: check its log for STARTTLS, and look for a proxy in front of it."
        }
        _ if handshake.plaintext.server.as_ref().is_some_and(|answer| answer.what.demands_tls) => {
            "On the client, use TLS: ipps:// or https:// in the URL, or `Upgrade: TLS/1.2` in the request, as IPP's clients do; or on the server, allow requests in clear (CUPS: `DefaultEncryption IfRequested`)."
        }
        "HTTP" => "On the client, use https:// in the URL; on a proxy or load balancer, set the backend protocol to https.",
        "WebSocket" => "On the client, use wss:// in the URL; on a proxy or load balancer, set the backend protocol to https.",
        "HTTP/2" => {
            "On the client, use TLS: https:// in the URL, a secure channel in gRPC; on a proxy, h2 rather than h2c as the backend protocol."
        }
        "SSH" => "On the client, connect to the SSH port.",
        "Redis" => "On the client, switch TLS on: rediss:// in the URL, `redis-cli --tls --cacert ca.pem`.",
        "Kafka" => "On the client, set security.protocol to SSL or SASL_SSL.",
        "AMQP" => "On the client, switch TLS on: amqps:// in the URL, ssl_options and the like.",
        "MQTT" => "On the client, switch TLS on: mqtts:// in the URL, `mosquitto_pub --cafile ca.pem`, tls_set() in paho.",
        "syslog" => {
            "On the sender, switch TLS on: StreamDriverMode=\"1\" with the gtls or ossl driver in rsyslog, transport(\"tls\") in syslog-ng."
        }
        "SIP" => "On the phone or trunk, set the transport to TLS: sips: or ;transport=tls in the URI, or use the port for SIP in clear.",
        "RTSP" => "On the client, use rtsps:// in the URL.",
        "Zabbix" => "On the agent or server, use encryption: TLSConnect=psk or cert, `zabbix_get --tls-connect`.",
        "Oracle Net" => "On the client, use PROTOCOL=tcps in the connect descriptor (tcps:// in Easy Connect), with a wallet that knows the authority.",
        "NATS" => "On the client, use tls:// in the URL.",
        "PostgreSQL" => {
            "On the client, begin with TLS at once (libpq 17: `sslnegotiation=direct`), if this port is a balancer's or proxy's that does so; or use the port of PostgreSQL itself."
        }
        "SQL Server" => {
            "On the client, use TDS 8.0 (`Encrypt=Strict`), in which TLS comes first: a SQL Server with Force Strict Encryption closes on anything else."
        }
        "MongoDB" => "On the client, switch TLS on: tls=true in the connection string.",
        "SMTP" | "IMAP" | "POP3" | "LDAP" | "FTP" | "NNTP" | "XMPP" | "IRC" | "ManageSieve" => {
            "On the client, choose TLS from the first byte (SSL/TLS, not STARTTLS) for this port, or use the port for STARTTLS."
        }
        _ => "On the client, switch TLS on, or use the port of the client's own protocol.",
    });
    Some(finding.advise(remedy::s_client_on(handshake, handshake.server.port)))
}

/// The server sent it on to https, and it went there: a link or bookmark says http.
fn was_sent_on(case: &Case<'_>) -> bool {
    let handshake = case.handshake;
    handshake.plaintext.server.as_ref().is_some_and(|answer| answer.what.sends_to_https())
        && case.knowledge.related.iter().any(|other| other.same_endpoint && other.used && other.start > handshake.flow.first)
}

/// Before it was refused in clear, its connection with TLS came up and was left: what refused it there, inside, was no matter of TLS.
fn was_refused_inside(case: &Case<'_>) -> bool {
    let began = case.handshake.flow.first;
    let just = |start: Mark| start < began && began.time.since(start.time) <= TRIES_AGAIN;
    case.knowledge.related.iter().any(|other| other.same_endpoint && other.outcome == Outcome::Completed && just(other.start))
}

/// A client that tries once more in clear does so at once.
const TRIES_AGAIN: Duration = Duration::from_secs(3);

/// The server says in words that it takes what the client did in clear inside TLS only.
fn demanded(case: &Case<'_>, facts: &PreambleFacts) -> Finding {
    let handshake = case.handshake;
    let answer = facts.answer.as_deref().unwrap_or("a refusal");
    // What pg_hba.conf lacks in clear it may lack with encryption, too; and Active Directory takes signing as well.
    let open = facts.dialect == Dialect::Postgres || facts.dialect == Dialect::Ldap && facts.code == Some(8);
    let confidence = if open { Confidence::Likely } else { Confidence::Strong };
    let summary = format!(
        "{} went on in clear with {}, which demands TLS for that ({}): `{answer}`.",
        handshake.client.address,
        handshake.server,
        facts.dialect.title()
    );
    let mut finding = Finding::new(Cause::ClientSpeaksPlaintext, confidence, summary).stopped_by(StoppedBy::Client);
    if let Some(mark) = facts.went_on {
        finding = finding.shown_by(mark, "the client went on in clear, without having asked for TLS");
    }
    if let Some(mark) = facts.answered {
        finding = finding.shown_by(mark, format!("the server answered `{answer}`"));
    }
    if was_refused_inside(case) {
        return finding
            .noting("just before, this client's handshake with the server completed: it was refused inside TLS and tried once more in clear")
            .advise("TLS works here. On the server, look up why it refuses this client with TLS and without (PostgreSQL: no line of pg_hba.conf fits its address, user and database).");
    }
    let finding = match facts.dialect {
        Dialect::Postgres => finding.advise("On the client, switch TLS on: sslmode=require or verify-full, `ssl` in the options of Node's and Python's drivers; or on the server, let this client in without it (a `host` line in pg_hba.conf)."),
        Dialect::Mysql => finding.advise("On the client, switch TLS on: ssl-mode=REQUIRED or VERIFY_IDENTITY, `ssl` in the options of the driver; or on the server, set require_secure_transport=OFF."),
        Dialect::Ldap => finding.advise("On the client, send StartTLS first (`ldapsearch -ZZ`, `ssl start_tls`), or use ldaps://."),
        Dialect::Smtp => finding.advise("On the client, switch STARTTLS on (Postfix: `smtp_tls_security_level = may`); or on the server, do not demand it of this client."),
        dialect => finding.advise(format!("On the client, request TLS first ({}).", dialect.request())),
    };
    let finding = match implicit(facts.dialect) {
        Some((port, name)) => finding.advise(format!("Or use TLS from the first byte, on port {port} ({name}), if the server has it.")),
        None => finding,
    };
    if facts.dialect.s_client().is_some() { finding.advise(remedy::s_client(handshake, "")) } else { finding }
}

/// What the client said, where it was named.
fn spoken(handshake: &Handshake) -> Option<(&'static str, String, Mark)> {
    let seen = handshake.plaintext.client.as_ref()?;
    // through a tunnel anything may be spoken
    if handshake.preamble.is_some() && !had_agreed(handshake) {
        return None;
    }
    // a record that breaks the rules is still one of TLS
    if seen.what.first.starts_with(RECORD) {
        return None;
    }
    Some((seen.what.protocol, seen.what.first.clone(), seen.first))
}

/// A dialogue that the client began and that the server never took part in, because it speaks TLS. What the server said may not be in the capture.
fn dialogue(case: &Case<'_>) -> Option<(&'static str, String, Mark)> {
    let facts = case.handshake.preamble.as_ref().filter(|facts| facts.dialect.is_starttls() && facts.outer.is_none())?;
    let first = facts.lines.iter().find(|line| line.side == Side::Client)?;
    if case.handshake.flow.side(Side::Server).gap_bytes > 0 {
        return None;
    }
    let undone = matches!(facts.upgrade, Upgrade::NotAsked | Upgrade::Asked) && last_line(facts, Side::Server).is_none();
    // A server that answers this dialogue speaks TLS behind it, and not in its place.
    let speaks_at_once = case.knowledge.speaks_tls && !case.knowledge.answers_in_clear;
    let due = server_spoke_tls(case.handshake) || speaks_at_once || is_implicit_tls(case.handshake.server.port);
    (undone && (due || broke_off_the_request(case, facts))).then(|| (facts.dialect.title(), first.text.clone(), first.mark))
}

/// The server ended the connection on a request that a server of this protocol answers: a SQL Server that answers no PRELOGIN may insist on TDS 8.0, and
/// a PostgreSQL without TLS says `N`, while a listener that starts with TLS stops reading in the middle of the request, which makes its end a RST.
pub(super) fn broke_off_the_request(case: &Case<'_>, facts: &PreambleFacts) -> bool {
    let ending = View::new(case.handshake).ended_by(Side::Server);
    let closed = match facts.dialect {
        Dialect::Tds => ending.is_some(),
        Dialect::Postgres => {
            facts.upgrade == Upgrade::Asked && ending.is_some_and(|ending| ending.reset.is_some_and(|reset| !reset.unknowing))
        }
        _ => false,
    };
    closed && !case.knowledge.answers_in_clear
}

/// The beginning of a handshake record, as an excerpt shows it.
const RECORD: &str = "\\x16\\x03";

/// How sure it is that TLS was due, and by what.
fn expects_tls(case: &Case<'_>) -> (Confidence, &'static str) {
    let handshake = case.handshake;
    let answer = handshake.plaintext.server.as_ref().map(|seen| &seen.what);
    if had_agreed(handshake) {
        return (Confidence::Certain, "it asked for the upgrade to TLS, and the server agreed");
    }
    if server_spoke_tls(handshake) {
        return (Confidence::Certain, "the server answered with a TLS alert");
    }
    if answer.is_some_and(|answer| answer.demands_tls) {
        return (Confidence::Certain, "the server answered that it goes on over TLS only (426 with Upgrade: TLS)");
    }
    if answer.is_some_and(Plaintext::complains) {
        return (Confidence::Certain, "the server answered in clear with an error or with a redirect to https");
    }
    if answer.is_some_and(|answer| agrees(handshake, answer)) {
        return (Confidence::Likely, "but the server answered in the same protocol");
    }
    if case.knowledge.speaks_tls {
        return (Confidence::Certain, "the server speaks TLS with other clients");
    }
    match answer {
        _ if is_implicit_tls(handshake.server.port) => (Confidence::Strong, "the port is for TLS"),
        None => (Confidence::Likely, "the server closed without an answer, which a server for that protocol would have sent"),
        Some(_) => (Confidence::Likely, "the server did not answer in that protocol"),
    }
}

/// The server granted the upgrade that the client asked for.
fn had_agreed(handshake: &Handshake) -> bool {
    handshake.preamble.as_ref().is_some_and(|facts| facts.dialect.is_starttls() && facts.upgrade == Upgrade::Granted)
}

/// The server answers in kind: a port that serves both.
fn agrees(handshake: &Handshake, answer: &Plaintext) -> bool {
    handshake.plaintext.client.as_ref().is_some_and(|asked| answer.answers_in_kind(&asked.what))
}

fn quoted(answer: &Plaintext) -> String {
    match &answer.title {
        Some(title) => format!("the server answered in clear `{}`, \"{title}\"", answer.first),
        None => format!("the server answered in clear `{}`", answer.first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{at, connection, dialogue as played, says, verdict};
    use crate::handshake::relevance::{Relevance, relevance};

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: www.lab.test:443\r\n\r\n";

    #[test]
    fn http_to_a_tls_port() {
        let mut handshake = connection("192.0.2.1:443");
        says(&mut handshake, Side::Client, GET, at(4, 11));
        let verdict = verdict(&handshake);
        let finding = verdict.cause.unwrap();
        assert_eq!(
            (finding.cause, finding.confidence, verdict.stopped_by),
            (Cause::ClientSpeaksPlaintext, Confidence::Strong, StoppedBy::Client)
        );
        assert!(finding.summary.contains("HTTP (`GET / HTTP/1.1`)"));
    }

    #[test]
    fn the_servers_complaint_makes_it_certain_and_the_client_is_still_to_blame() {
        let mut handshake = connection("192.0.2.1:8443");
        says(&mut handshake, Side::Client, GET, at(4, 11));
        let page = b"HTTP/1.1 400 Bad Request\r\n\r\n<title>400 The plain HTTP request was sent to HTTPS port</title>";
        says(&mut handshake, Side::Server, page, at(5, 21));
        let verdict = verdict(&handshake);
        assert_eq!((verdict.cause(), verdict.stopped_by), (Some(Cause::ClientSpeaksPlaintext), StoppedBy::Client));
        assert_eq!(verdict.cause.unwrap().confidence, Confidence::Certain);
    }

    #[test]
    fn a_dialogue_in_clear_that_a_port_for_tls_ends_without_a_word() {
        let bind = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0";
        let met = |turns: &[(Side, &[u8])]| played("192.0.2.1:636", turns, Outcome::Closed, StoppedBy::Server);
        let closed = met(&[(Side::Client, bind)]);
        assert_eq!(relevance(&closed), Relevance::Report);
        assert_eq!(verdict(&closed).cause(), Some(Cause::ClientSpeaksPlaintext));
        let done = b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\0\x04\0\x04\0";
        assert_ne!(relevance(&met(&[(Side::Client, bind), (Side::Server, done)])), Relevance::Report, "it is answered there in clear");
    }

    #[test]
    fn what_takes_more_than_a_record_in_silence_is_no_server_of_tls() {
        let upload = |acked: u64| {
            let mut handshake = connection("192.0.2.1:443");
            says(&mut handshake, Side::Client, b"k7zq3m0x1wv5\0", at(4, 11));
            handshake.flow.sides.client.acked = acked;
            relevance(&handshake)
        };
        assert_eq!(upload(261_550), Relevance::Other("unrecognised"));
        assert_eq!(upload(37), Relevance::Report);
    }

    #[test]
    fn a_port_that_serves_both_did_not_fail() {
        let mut handshake = connection("192.0.2.1:443");
        says(&mut handshake, Side::Client, b"SSH-2.0-OpenSSH_9.2p1\r\n", at(4, 11));
        says(&mut handshake, Side::Server, b"SSH-2.0-OpenSSH_9.2p1\r\n", at(5, 21));
        assert_eq!(verdict(&handshake).cause(), None);
        assert_eq!(relevance(&handshake), Relevance::Other("plaintext"));
    }

    #[test]
    fn an_answer_that_points_to_https_is_a_complaint() {
        let mut handshake = connection("192.0.2.1:443");
        says(&mut handshake, Side::Client, GET, at(4, 11));
        says(&mut handshake, Side::Server, b"HTTP/1.1 302 Found\r\nLocation: https://www.lab.test/\r\n\r\n", at(5, 21));
        assert_eq!(relevance(&handshake), Relevance::Report);
        assert_eq!(verdict(&handshake).cause.map(|finding| finding.confidence), Some(Confidence::Certain));
    }

    #[test]
    fn who_is_sent_on_to_https_and_goes_there_found_its_way() {
        use crate::diagnosis::knowledge::{Knowledge, Related};
        use crate::diagnosis::testing::{found_knowing, related};
        let mut handshake = connection("192.0.2.1:443");
        says(&mut handshake, Side::Client, GET, at(4, 11));
        says(&mut handshake, Side::Server, b"HTTP/1.1 301 Moved\r\nLocation: https://www.lab.test/\r\n\r\n", at(5, 21));
        let found_its_way = |others: &[Related]| {
            let knowledge = Knowledge { related: others.to_vec(), ..Knowledge::default() };
            let finding = found_knowing(&RULE, &handshake, &knowledge).expect("HTTP where TLS is due");
            finding.remedy[0].line().contains("found its way")
        };
        let went = Related { same_endpoint: true, used: true, ..related(at(9, 60)) };
        assert!(found_its_way(std::slice::from_ref(&went)));
        assert!(!found_its_way(&[]), "it went nowhere");
        assert!(!found_its_way(&[Related { start: at(0, -60), ..went }]), "that was before");
        assert!(!found_its_way(&[Related { same_endpoint: false, ..went }]), "that was elsewhere");
    }

    #[test]
    fn who_was_refused_inside_tls_does_not_lack_it() {
        use crate::diagnosis::knowledge::{Knowledge, Related};
        use crate::diagnosis::testing::{found_knowing, related};
        let startup = b"\0\0\0\x10\0\x03\0\0user\0a\0\0";
        let words = b"SFATAL\0VFATAL\0C28000\0Mno pg_hba.conf entry for host \"192.0.2.9\", user \"a\", SSL off\0\0";
        let length = u8::try_from(words.len() + 4).unwrap();
        let refusal = [&[b'E', 0, 0, 0, length][..], words].concat();
        let turns: [(Side, &[u8]); 2] = [(Side::Client, startup), (Side::Server, &refusal)];
        let handshake = played("192.0.2.1:5432", &turns, Outcome::Plaintext, StoppedBy::Server);
        let told = |others: &[Related]| {
            let knowledge = Knowledge { related: others.to_vec(), ..Knowledge::default() };
            let finding = found_knowing(&RULE, &handshake, &knowledge).expect("TLS is demanded");
            finding.remedy[0].line().contains("TLS works here")
        };
        let before = Related { same_endpoint: true, ..related(at(0, -80)) };
        assert!(told(std::slice::from_ref(&before)));
        assert!(!told(&[]));
        assert!(!told(&[Related { start: at(0, -60_000), ..before }]), "long ago");
    }

    #[test]
    fn a_server_that_demands_tls_is_quoted() {
        let greeting: (Side, &[u8]) = (Side::Server, b"220 mx ESMTP\r\n");
        let hello: (Side, &[u8]) = (Side::Client, b"EHLO a\r\n");
        let list: (Side, &[u8]) = (Side::Server, b"250-mx\r\n250 STARTTLS\r\n");
        let mail: (Side, &[u8]) = (Side::Client, b"MAIL FROM:<a@b>\r\n");
        let told = |answer: &[u8]| {
            let handshake =
                played("192.0.2.1:587", &[greeting, hello, list, mail, (Side::Server, answer)], Outcome::Plaintext, StoppedBy::Server);
            (relevance(&handshake), verdict(&handshake))
        };
        let (reported, verdict) = told(b"530 5.7.0 Must issue a STARTTLS command first\r\n");
        assert_eq!(
            (reported, verdict.cause(), verdict.stopped_by),
            (Relevance::Report, Some(Cause::ClientSpeaksPlaintext), StoppedBy::Client)
        );
        let finding = verdict.cause.unwrap();
        assert_eq!(finding.confidence, Confidence::Strong);
        assert!(finding.summary.contains("which demands TLS for that (SMTP): `530 5.7.0 Must issue"), "{}", finding.summary);
        let (reported, _) = told(b"530 5.7.1 Authentication required\r\n");
        assert_eq!(reported, Relevance::Other("smtp"), "no matter of TLS");
    }

    #[test]
    fn starttls_on_a_port_where_tls_begins_at_once() {
        let request = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
        let handshake = played("192.0.2.1:636", &[(Side::Client, request)], Outcome::Closed, StoppedBy::Server);
        assert_eq!(verdict(&handshake).cause(), Some(Cause::ClientSpeaksPlaintext));
    }
}
