//! `server-speaks-plaintext`: another protocol in answer to a `ClientHello`.

use super::{hello_begun, implicit, server_spoke_tls};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy::parts::Piece;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::StoppedBy;
use crate::preamble::{Dialect, Plaintext, Upgrade};
use crate::time::Mark;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ServerSpeaksPlaintext,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the server answered a ClientHello with another protocol than TLS",
    page: Page {
        meaning: "The client began TLS and the server's answer is readable: an HTTP error, a mail or SSH greeting, a database packet. The port does not speak TLS, or not before an upgrade. \
                  Clients say `wrong version number`, `packet length too long`, `first record does not look like a TLS handshake`, ERR_SSL_PROTOCOL_ERROR or `Unsupported or unrecognized SSL message`.",
        recognised: "The server's first bytes where a record is due are not one; their protocol is named and its first line quoted.",
        confused_with: "A filter or portal on the path that answers in the server's place (`plaintext-injected`, `captive-portal`): those answer with a redirect or a block page, and the same server speaks TLS \
                        with others.",
        check: "Ask the port in clear what it is.\n\n$ curl -v http://<server>:<port>/\n\n$ nc -v <server> <port>",
        fix: &[
            (
                "wrong port",
                "Point the client at the TLS port: 443 rather than 80, 465 rather than 587, 993 rather than 143, 636 rather than 389.",
            ),
            (
                "protocols with an upgrade",
                "Tell the client to use STARTTLS.\n\n$ openssl s_client -connect <server>:<port> -starttls <protocol>",
            ),
            (
                "nginx",
                "`listen 443;` without `ssl` serves clear text there: write `listen 443 ssl;` with certificate and key.\n\n$ nginx -T | grep -n 'listen\\|ssl_certificate'",
            ),
            ("Apache", "The virtual host for port 443 lacks `SSLEngine on`, or the default host answers in its place.\n\n$ apachectl -S"),
            ("HAProxy", "`bind :443` without `ssl crt <file>` passes TLS through to a backend that expects none."),
            (
                "Kubernetes",
                "The service's targetPort leads to the clear port of the container, or TLS ends at the ingress already and the client inside the cluster must use http.",
            ),
            (
                "cloud load balancers",
                "The listener on 443 is TCP or HTTP: make it TLS or HTTPS with a certificate. A target group with protocol HTTPS needs targets that speak TLS.",
            ),
            (
                "Java",
                "The connector of Tomcat needs `SSLEnabled=\"true\"`; Spring Boot needs server.ssl.key-store. A client with https:// against a clear port shows `Unsupported or unrecognized SSL message`.",
            ),
            ("Go", "http.ListenAndServe serves clear text: use ListenAndServeTLS."),
            ("explicit proxy", "A proxy's port speaks HTTP: configure it as a proxy (http://<proxy>:<port>) and not as https://."),
        ],
        references: &["RFC 8446 section 5.1", "RFC 8314 section 3"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    if !handshake.outcome.failed() || !hello_begun(handshake) || server_spoke_tls(handshake) {
        return None;
    }
    let preamble = handshake.preamble.as_ref();
    // refused upgrades and misunderstood PROXY headers have rules of their own
    if preamble.is_some_and(|facts| {
        facts.denied() || facts.upgrade == Upgrade::Asked || facts.layers().any(|layer| layer.dialect.is_proxy_header())
    }) {
        return None;
    }
    let (what, mark) = answered(handshake)?;
    let http = what.protocol == "HTTP";
    let error = what.http_status.is_some_and(|status| (400..600).contains(&status));
    let confidence = if http && !error { Confidence::Strong } else { Confidence::Certain };
    let named = if what.protocol == "unknown" { "bytes that are not TLS".to_owned() } else { what.protocol.to_owned() };
    let mut finding = Finding::new(
        Cause::ServerSpeaksPlaintext,
        confidence,
        format!("{} answered the ClientHello with {named}: `{}`.", handshake.server, what.first),
    )
    .stopped_by(StoppedBy::Server)
    .shown_by(mark, format!("{named} where a TLS record is due: `{}`", what.first));
    if let Some(location) = &what.location {
        finding = finding.shown_by(mark, format!("it redirects to {location}"));
    }
    if let Some(title) = &what.title {
        finding = finding.shown_by(mark, format!("its page is titled \"{title}\""));
    }
    if http {
        finding = finding.or_else(&[Cause::PlaintextInjected, Cause::CaptivePortal]);
    }
    if case.knowledge.speaks_tls && case.knowledge.completed > 0 {
        finding.confidence = Confidence::Likely;
        finding = finding.noting("the same server speaks TLS with others");
    }
    Some(advised(finding, handshake, &what))
}

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
        location: None,
        title: None,
        software: None,
    };
    Some((what, line.mark))
}

fn advised(finding: Finding, handshake: &Handshake, what: &Plaintext) -> Finding {
    let dialect = UPGRADABLE.iter().copied().find(|dialect| dialect.title() == what.protocol);
    let Some(dialect) = dialect else {
        return match what.protocol {
            "HTTP" => finding.advise("Point the client at the TLS port, use http:// for this one, or enable TLS on it.").advise(
                Command::new("curl -v").operand([Piece::Fixed("http://"), Piece::Target(&handshake.server.into()), Piece::Fixed("/")]),
            ),
            "SSH" => finding.advise("This is an SSH server: use its port with ssh, and look for the TLS service on another."),
            _ => finding.advise("Point the client at the TLS port, or enable TLS on this one."),
        };
    };
    let mut finding = match implicit(dialect) {
        Some((port, name)) => {
            finding.advise(format!("Use {} in the client, or the port with TLS from the first byte: {port} ({name}).", dialect.request()))
        }
        None => finding.advise(format!("Let the client ask for TLS first ({}).", dialect.request())),
    };
    finding = finding.advise(remedy::starttls(handshake, dialect));
    finding
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
    use crate::diagnosis::rules::plaintext::testing::{connection, dialogue, hello, mark, says, verdict};
    use crate::handshake::facts::Outcome;

    #[test]
    fn an_http_server_on_a_tls_port() {
        let mut handshake = connection("192.0.2.1:443");
        hello(&mut handshake, mark(4, 11));
        says(&mut handshake, Side::Server, b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", mark(5, 21));
        let verdict = verdict(&handshake);
        let finding = verdict.cause.unwrap();
        assert_eq!(
            (finding.cause, finding.confidence, verdict.stopped_by),
            (Cause::ServerSpeaksPlaintext, Confidence::Certain, StoppedBy::Server)
        );
    }

    #[test]
    fn a_mail_server_is_named_with_its_upgrade() {
        let mut handshake = connection("192.0.2.1:25");
        hello(&mut handshake, mark(4, 11));
        says(&mut handshake, Side::Server, b"220 mail.lab.test ESMTP\r\n", mark(5, 21));
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
}
