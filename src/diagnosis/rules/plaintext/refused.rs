//! `starttls-refused`: the server said no.

use super::{client_spoke_tls, implicit, quoting, upgrade};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::preamble::{Dialect, PreambleFacts, Upgrade};

pub(super) const RULE: Rule = Rule { cause: Cause::StarttlsRefused, against: &[], page: page!("starttls-refused"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    if let Some(finding) = closed_instead(case) {
        return Some(finding);
    }
    let unwilling = |facts: &PreambleFacts| facts.demands_the_impossible() && !client_spoke_tls(handshake);
    let facts = upgrade(handshake).filter(|facts| facts.upgrade == Upgrade::Refused || unwilling(facts))?;
    // what was not on offer, or was overwritten on the way, has a rule of its own
    if facts.offered == Some(false) || facts.stripped.is_some() {
        return None;
    }
    let answer = facts.answer.as_deref().unwrap_or("a refusal");
    let request = facts.dialect.request();
    let refused = match demanded(facts) {
        Some(what) => format!("{} demands {what}, which the client did not offer", handshake.server),
        None => format!("{} refused {request}", handshake.server),
    };
    let after = if facts.went_on.is_some_and(|mark| facts.answered.is_some_and(|answered| mark > answered)) {
        "; the client went on in clear"
    } else {
        ""
    };
    let summary = format!("{refused} ({}): `{answer}`{after}.", facts.dialect.title());
    // Of one that finds out that it is not to its liking, the client's end is the end.
    let left = unwilling(facts) && View::new(handshake).ended_by(Side::Client).is_some();
    let stopped_by = if left { StoppedBy::Client } else { StoppedBy::Server };
    let finding = quoting(Finding::new(Cause::StarttlsRefused, Confidence::Certain, summary).stopped_by(stopped_by), facts);
    let finding = match facts.went_on.filter(|_| !after.is_empty()) {
        Some(mark) => finding.shown_by(mark, "client continued in clear"),
        None => finding,
    };
    let finding = finding.advise(advice(facts));
    let finding = match implicit(facts.dialect) {
        Some((port, name)) => finding.advise(format!("Or use TLS from the first byte, on port {port} ({name}), if the server has it.")),
        None => finding,
    };
    Some(if facts.dialect.s_client().is_some() { finding.advise(remedy::s_client(handshake, "")) } else { finding })
}

/// The server ended the connection where its answer to the request was due.
fn closed_instead(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let view = View::new(handshake);
    let facts = upgrade(handshake).filter(|facts| facts.upgrade == Upgrade::Asked && facts.stripped.is_none())?;
    // In a protocol that consists of TLS alone, no other answer is due, and silence has other reasons.
    if facts.dialect == Dialect::OpenVpn {
        return None;
    }
    // Every server of PostgreSQL, and every pooler, answers the request, and refuses it in a byte.
    let answers = facts.dialect == Dialect::Postgres;
    let asked = facts.asked.filter(|_| !client_spoke_tls(handshake))?;
    let ending = view.ended_by(Side::Server).filter(|ending| ending.mark.frame > asked.frame)?;
    let silent = view.server().gap_bytes == 0 && view.server().last_data.is_none_or(|last| last < asked);
    // It may speak TLS at once.
    if !silent || super::client::broke_off_the_request(case, facts) {
        return None;
    }
    let verb = if ending.reset.is_some() { "reset" } else { "closed" };
    let summary = format!(
        "{} {verb} the connection {} after the client asked for TLS ({}: {}), without an answer.",
        handshake.server,
        span_text(ending.mark.time.since(asked.time)),
        facts.dialect.title(),
        facts.dialect.request()
    );
    let without_reason = if ending.reset.is_some() { Cause::ServerReset } else { Cause::ServerClosed };
    let confidence = if answers { Confidence::Hint } else { Confidence::Likely };
    let finding = quoting(Finding::new(Cause::StarttlsRefused, confidence, summary).stopped_by(StoppedBy::Server), facts)
        .shown_by(ending.mark, format!("the server's {}, where its answer was expected", ending.name()))
        .or_else(&[without_reason, Cause::LoadBalancerNoBackend]);
    if answers {
        return Some(
            finding
                .advise("PostgreSQL refuses TLS in a byte and does not close: look for a load balancer without a backend, a pooler that is down, or a limit of connections in between.")
                .advise(remedy::log(handshake, Side::Server, "if it shows nothing of this client, it was somebody else who closed"))
                .advise(remedy::s_client(handshake, "")),
        );
    }
    let finding = finding
        .advise(remedy::log(
            handshake,
            Side::Server,
            "a server that knows the request refuses it in words; one that does not, or that is ill, closes",
        ))
        .advise(advice(facts));
    Some(if facts.dialect.s_client().is_some() { finding.advise(remedy::s_client(handshake, "")) } else { finding })
}

/// What a server insists on (MS-RDPBCGR section 2.2.1.2.2, MS-TDS section 2.2.6.5).
const fn demanded(facts: &PreambleFacts) -> Option<&'static str> {
    match (facts.dialect, facts.code) {
        (Dialect::Rdp, Some(1)) | (Dialect::Nats, _) => Some("TLS"),
        (Dialect::Tds, Some(3)) => Some("encryption"),
        (Dialect::Rdp, Some(5)) => Some("Network Level Authentication (CredSSP)"),
        (Dialect::Rdp, Some(6)) => Some("TLS with authentication of the user"),
        _ => None,
    }
}

fn advice(facts: &PreambleFacts) -> &'static str {
    match (facts.dialect, facts.code) {
        (Dialect::Postgres, _) => {
            "On the PostgreSQL server, set `ssl = on` with a certificate and key, and reload; or on the client, set sslmode=prefer if plaintext is acceptable."
        }
        (Dialect::Ldap, Some(2)) => {
            "On the LDAP server, enable StartTLS, which it does not support yet: configure a certificate and key (olcTLSCertificateFile, olcTLSCertificateKeyFile)."
        }
        (Dialect::Ldap, Some(1)) => {
            "On the client, send StartTLS earlier: the LDAP server refuses it because TLS is already active or operations are outstanding."
        }
        (Dialect::Ldap, _) => "On the LDAP server, configure a certificate and key that it can read, and check the log.",
        (Dialect::Rdp, Some(0 | 2)) => "On the RDP server, allow TLS in the security layer policy: it allows only standard RDP security.",
        (Dialect::Rdp, Some(3)) => {
            "On the RDP server, renew the certificate in the store `Remote Desktop`, or restart the service: it has no certificate."
        }
        (Dialect::Rdp, Some(5)) => {
            "On the client, enable Network Level Authentication (CredSSP), which the RDP server requires; or on the server, stop requiring it."
        }
        (Dialect::Rdp, Some(1 | 6)) => "On the client, enable TLS, which the RDP server requires.",
        (Dialect::Vnc, _) if facts.detail.is_none() => {
            "Update the older of VNC client and server: they have no version of VeNCrypt in common."
        }
        (Dialect::Vnc, _) => {
            "On the VNC server, allow the subtype that the client chose, and configure a certificate and key that it can read."
        }
        (Dialect::Tds, Some(3)) => {
            "On the client, allow encryption (`Encrypt=Mandatory` in connection strings, `encryption = require` in FreeTDS), which the SQL Server requires; or on the server, switch Force Encryption off."
        }
        (Dialect::Nats, _) => {
            "On the client, switch TLS on: tls:// in the URL, and the authority that signed the server's certificate; or on the NATS server, set `allow_non_tls` while clients change over."
        }
        (Dialect::Amqp, _) => {
            "On the client, use TLS from the first byte, on port 5671 (amqps): this broker does not speak AMQP's own upgrade to TLS."
        }
        (Dialect::HttpUpgrade, _) => {
            "On the server, switch TLS on (CUPS: a certificate and key in the keychain of `ServerKeychain`, built with TLS); or on the client, use TLS from the first byte (ipps://, https://) if the server has it, or do not require encryption."
        }
        (Dialect::Nbd, _) => {
            "On the NBD server, switch TLS on (nbdkit: `--tls=on` with certificates or a file of pre-shared keys; qemu-nbd: `--tls-creds`); or on the client, use nbd:// where clear text is acceptable."
        }
        (Dialect::Tds, _) => "On the SQL Server, configure a certificate for the instance; or on the client, do not require encryption.",
        (Dialect::Ftp, Some(530)) => "On the FTP server, enable TLS (ssl_enable=YES in vsftpd): it requires a login before TLS.",
        (_, Some(530 | 538 | 534)) => "On the server, check the configuration for this client or listener: it refuses TLS by policy.",
        _ => "On the server, enable TLS: a certificate and a key that it can read, and the upgrade switched on for this listener.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::knowledge::Knowledge;
    use crate::diagnosis::testing::{at, cause, dialogue, verdict, verdict_knowing};
    use crate::flow::Side::{Client, Server};
    use crate::handshake::facts::Outcome;
    use crate::transport::Reset;

    #[test]
    fn ldap_refusal_is_quoted() {
        let request = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
        let answer = b"\x30\x2a\x02\x01\x01\x78\x25\x0a\x01\x02\x04\x00\x04\x1eunsupported extended operation";
        let handshake = dialogue("192.0.2.1:389", &[(Client, request), (Server, answer)], Outcome::Plaintext, StoppedBy::Server);
        let verdict = verdict(&handshake);
        let finding = verdict.cause.unwrap();
        assert_eq!(
            (finding.cause, finding.confidence, verdict.stopped_by),
            (Cause::StarttlsRefused, Confidence::Certain, StoppedBy::Server)
        );
        assert!(finding.summary.contains("protocolError"));
        assert_eq!(finding.evidence.len(), 2);
    }

    #[test]
    fn a_server_that_demands_tls_is_said_to() {
        let classic = b"\x03\x00\x00\x0b\x06\xe0\x00\x00\x00\x00\x00";
        let failure = b"\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x03\x00\x08\x00\x01\x00\x00\x00";
        let handshake = dialogue("192.0.2.1:3389", &[(Client, classic), (Server, failure)], Outcome::Plaintext, StoppedBy::Server);
        let summary = verdict(&handshake).cause.unwrap().summary;
        assert_eq!(
            summary,
            "192.0.2.1:3389 demands TLS, which the client did not offer (RDP): `negotiation failure 1: SSL_REQUIRED_BY_SERVER`."
        );
    }

    #[test]
    fn a_server_that_closes_instead_of_answering_is_said_to() {
        let closed = |server: &str, turns: &[(Side, &[u8])], knowledge: &Knowledge| {
            let mut handshake = dialogue(server, turns, Outcome::Closed, StoppedBy::Server);
            handshake.flow.sides.server.fin = Some((at(9, 80), 0));
            handshake.flow.last = at(9, 80);
            verdict_knowing(&handshake, knowledge).cause
        };
        let asks = [(Client, &b"AMQP\x02\x01\0\0"[..])];
        let finding = closed("192.0.2.1:5672", &asks, &Knowledge::default()).unwrap();
        assert_eq!((finding.cause, finding.confidence), (Cause::StarttlsRefused, Confidence::Likely));
        assert!(finding.summary.contains("closed the connection 60 ms after the client asked for TLS"), "{}", finding.summary);
        let options = [(Client, &b"OPTIONS * HTTP/1.1\r\nHost: x\r\nUpgrade: TLS/1.0\r\nConnection: upgrade\r\n\r\n"[..])];
        assert_eq!(closed("192.0.2.1:631", &options, &Knowledge::default()).unwrap().cause, Cause::StarttlsRefused);
        let prelogin = [(Client, &b"\x12\x01\0\x1a\0\0\0\0\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x0f\0\0\0\0\0\x01"[..])];
        assert_eq!(closed("192.0.2.1:1433", &prelogin, &Knowledge::default()).unwrap().cause, Cause::ClientSpeaksPlaintext);
        let ssl_request = [(Client, &b"\0\0\0\x08\x04\xd2\x16\x2f"[..])];
        assert_eq!(closed("192.0.2.1:5432", &ssl_request, &Knowledge::default()).unwrap().cause, Cause::StarttlsRefused);
        let answers = Knowledge { answers_in_clear: true, ..Knowledge::default() };
        assert_ne!(closed("192.0.2.1:1433", &prelogin, &answers).unwrap().cause, Cause::ClientSpeaksPlaintext);
    }

    #[test]
    fn a_listener_that_resets_where_postgresql_says_no_begins_with_tls() {
        let reset = |knowledge: &Knowledge, unknowing: bool| {
            let asks = [(Client, &b"\0\0\0\x08\x04\xd2\x16\x2f"[..])];
            let mut handshake = dialogue("192.0.2.1:5432", &asks, Outcome::Reset, StoppedBy::Server);
            handshake.flow.sides.server.resets = vec![Reset { unknowing, ..Reset::fitting(at(9, 30), 64) }];
            handshake.flow.last = at(9, 30);
            verdict_knowing(&handshake, knowledge).cause.map(|finding| (finding.cause, finding.confidence))
        };
        assert_eq!(reset(&Knowledge::default(), false), Some((Cause::ClientSpeaksPlaintext, Confidence::Likely)));
        let answers = Knowledge { answers_in_clear: true, ..Knowledge::default() };
        assert_ne!(reset(&answers, false).map(|found| found.0), Some(Cause::ClientSpeaksPlaintext), "it speaks PostgreSQL with others");
        assert_ne!(
            reset(&Knowledge::default(), true).map(|found| found.0),
            Some(Cause::ClientSpeaksPlaintext),
            "a system without the connection"
        );
    }

    #[test]
    fn a_client_that_goes_on_in_clear_is_said_to() {
        let startup = b"\0\0\0\x08\0\x03\0\0";
        let told = |more: &[(_, &[u8])]| {
            let asked = [&[(Client, &b"\0\0\0\x08\x04\xd2\x16\x2f"[..]), (Server, b"N")], more].concat();
            verdict(&dialogue("192.0.2.1:5432", &asked, Outcome::Plaintext, StoppedBy::Server)).cause.unwrap()
        };
        assert!(told(&[(Client, startup)]).summary.ends_with("; the client went on in clear."));
        assert!(!told(&[]).summary.contains("in clear"));
    }

    #[test]
    fn an_upgrade_that_was_granted_or_completed_is_not_refused() {
        let granted = [(Client, &b"\0\0\0\x08\x04\xd2\x16\x2f"[..]), (Server, b"S")];
        assert_ne!(cause(&dialogue("192.0.2.1:5432", &granted, Outcome::Closed, StoppedBy::Client)), Some(Cause::StarttlsRefused));
        let refused = [(Client, &b"\0\0\0\x08\x04\xd2\x16\x2f"[..]), (Server, b"N")];
        assert_eq!(cause(&dialogue("192.0.2.1:5432", &refused, Outcome::Plaintext, StoppedBy::Server)), Some(Cause::StarttlsRefused));
    }
}
