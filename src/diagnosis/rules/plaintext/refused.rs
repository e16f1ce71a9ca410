//! `starttls-refused`: the server said no.

use super::{implicit, quoting, upgrade};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::handshake::facts::StoppedBy;
use crate::preamble::{Dialect, Upgrade};

pub(super) const RULE: Rule = Rule { cause: Cause::StarttlsRefused, against: &[], page: page!("starttls-refused"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let facts = upgrade(handshake).filter(|facts| facts.upgrade == Upgrade::Refused)?;
    // what was not on offer, or was overwritten on the way, has a rule of its own
    if facts.offered == Some(false) || facts.stripped.is_some() {
        return None;
    }
    let answer = facts.answer.as_deref().unwrap_or("a refusal");
    let summary = format!("{} refused {} ({}): `{answer}`.", handshake.server, facts.dialect.request(), facts.dialect.title());
    let finding = quoting(Finding::new(Cause::StarttlsRefused, Confidence::Certain, summary).stopped_by(StoppedBy::Server), facts);
    let finding = finding.advise(advice(facts.dialect, facts.code));
    let finding = match implicit(facts.dialect) {
        Some((port, name)) => finding.advise(format!("Or use TLS from the first byte, on port {port} ({name}), if the server has it.")),
        None => finding,
    };
    Some(if facts.dialect.s_client().is_some() { finding.advise(remedy::s_client(handshake, "")) } else { finding })
}

fn advice(dialect: Dialect, code: Option<u32>) -> &'static str {
    match (dialect, code) {
        (Dialect::Postgres, _) => {
            "Enable TLS on the PostgreSQL server: `ssl = on` with certificate and key, then reload; or set sslmode=prefer in the client if clear text is acceptable."
        }
        (Dialect::Ldap, Some(2)) => {
            "The LDAP server does not know StartTLS: give it a certificate and key (olcTLSCertificateFile, olcTLSCertificateKeyFile)."
        }
        (Dialect::Ldap, Some(1)) => "The LDAP server refuses StartTLS in this state: TLS is already active, or operations are outstanding.",
        (Dialect::Ldap, _) => "Give the LDAP server a certificate and key that it can read, and look into its log.",
        (Dialect::Rdp, Some(0 | 2)) => "The RDP server allows only standard RDP security: allow TLS in its security layer policy.",
        (Dialect::Rdp, Some(3)) => {
            "The RDP server has no certificate: renew the one in the store `Remote Desktop`, or restart its service."
        }
        (Dialect::Rdp, Some(5)) => {
            "The RDP server demands Network Level Authentication (CredSSP): enable it in the client, or lift the demand on the server."
        }
        (Dialect::Rdp, Some(1 | 6)) => "The RDP server demands TLS: enable it in the client.",
        (Dialect::Tds, _) => "Configure a certificate for the SQL Server instance, or do not demand encryption in the client.",
        (Dialect::Ftp, Some(530)) => "The FTP server wants a login before it talks about TLS: enable TLS on it (ssl_enable=YES in vsftpd).",
        (_, Some(530 | 538 | 534)) => "The server refuses TLS by policy: look at its configuration for this client or listener.",
        _ => "Enable TLS on the server: a certificate and a key that it can read, and the upgrade switched on for this listener.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{cause, dialogue, verdict};
    use crate::flow::Side::{Client, Server};
    use crate::handshake::facts::Outcome;

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
    fn an_upgrade_that_was_granted_or_completed_is_not_refused() {
        let granted = [(Client, &b"\0\0\0\x08\x04\xd2\x16\x2f"[..]), (Server, b"S")];
        assert_ne!(cause(&dialogue("192.0.2.1:5432", &granted, Outcome::Closed, StoppedBy::Client)), Some(Cause::StarttlsRefused));
        let refused = [(Client, &b"\0\0\0\x08\x04\xd2\x16\x2f"[..]), (Server, b"N")];
        assert_eq!(cause(&dialogue("192.0.2.1:5432", &refused, Outcome::Plaintext, StoppedBy::Server)), Some(Cause::StarttlsRefused));
    }
}
