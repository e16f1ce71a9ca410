//! `starttls-not-offered`: the list of capabilities came without the upgrade, or a device took it out.

use super::{client_spoke_tls, implicit, last_line, quoting, upgrade};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::published;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::preamble::{Dialect, Upgrade};

pub(super) const RULE: Rule = Rule { cause: Cause::StarttlsNotOffered, against: &[], page: page!("starttls-not-offered"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let facts = upgrade(handshake)?;
    let lacking = facts.upgrade == Upgrade::NotOffered
        || facts.upgrade == Upgrade::Refused && (facts.offered == Some(false) || facts.stripped.is_some());
    if !lacking {
        return None;
    }
    let protocol = facts.dialect.title();
    let request = facts.dialect.request();
    let (confidence, summary) = match &facts.stripped {
        Some(word) => (
            Confidence::Strong,
            format!("A device on the path to {} removed the offer of {request} ({protocol}) and wrote `{word}` instead.", handshake.server),
        ),
        None if facts.dialect == Dialect::Vnc && facts.asked.is_some() => {
            (Confidence::Certain, format!("{} offers {request} ({protocol}) only without TLS.", handshake.server))
        }
        None => (Confidence::Certain, format!("{} does not offer {request} ({protocol}).", handshake.server)),
    };
    // Without the client's words nobody knows what the server's answer. One that looks at a list and leaves may have come for the list.
    let looked = facts.dialect == Dialect::Vnc && facts.asked.is_none();
    let unsure = looked || handshake.flow.side(Side::Client).packets == 0;
    let confidence = if unsure { confidence.min(Confidence::Likely) } else { confidence };
    let mut finding = Finding::new(Cause::StarttlsNotOffered, confidence, summary);
    if looked {
        finding = finding.or_else(&[Cause::TcpProbe]);
    }
    finding = finding.stopped_by(if facts.stripped.is_some() { StoppedBy::Network } else { StoppedBy::Server });
    if let Some(listed) = facts.listed {
        finding = finding.shown_by(listed, format!("the server's capabilities are complete without {request}"));
    } else if let Some(line) = last_line(facts, Side::Server).filter(|line| facts.answered != Some(line.mark)) {
        finding = finding.shown_by(line.mark, format!("server answered `{}`", line.text));
    }
    if let Some(word) = &facts.stripped {
        finding = finding.noting(format!("`{word}` is what an inspecting firewall writes over a command that it blocks"));
    }
    finding = quoting(finding, facts);
    if let Some(mark) = facts.went_on {
        finding = finding.shown_by(mark, "client continued in clear");
        // it lived without TLS: nothing ended here
        if facts.asked.is_none() && facts.stripped.is_none() && !client_spoke_tls(handshake) {
            return Some(finding.weight(Weight::Note));
        }
    }
    let mut finding = published::obliging(finding, handshake);
    if let Some(obligation) = published::obligation(handshake).filter(|_| facts.went_on.is_none()) {
        finding = finding.advise(format!("Until the server offers {request} again, senders keep their mail back, for they are bound to use TLS by {obligation}. To withdraw that instead takes as long as senders remember it."));
    }
    finding = finding.advise(match (&facts.stripped, facts.dialect) {
        (Some(_), Dialect::Smtp) => {
            "On the firewall, allow TLS in the ESMTP inspection, or switch the inspection off (Cisco: `no inspect esmtp`)."
        }
        (Some(_), _) => "On the firewall or antivirus on the path, switch off the inspection of this protocol.",
        (None, Dialect::Mysql) => "On the MySQL server, enable TLS (ssl_cert, ssl_key); check that nothing on the path clears the flag.",
        (None, Dialect::Rdp) => "On the RDP server, set the security layer to negotiate TLS: it is set to RDP, or the server is too old.",
        (None, Dialect::Tds) => "On the SQL Server, configure a certificate for the instance; or on the client, do not require encryption.",
        (None, Dialect::Nats) => {
            "On the NATS server, add a `tls` block with cert_file and key_file, and reload; or on the client, use nats:// in the URL."
        }
        (None, Dialect::Vnc) => {
            "On the VNC server, allow security types with TLS and configure a certificate (TigerVNC: `SecurityTypes=X509Vnc`, X509Cert, X509Key); or on the client, allow types that do not encrypt, and go through SSH or a VPN."
        }
        (None, _) => {
            "On the server, enable TLS with a certificate and a key that it can read; its startup log says why it does not offer TLS."
        }
    });
    if let Some((port, name)) = implicit(facts.dialect) {
        finding = finding.advise(format!("Or use TLS from the first byte, on port {port} ({name}), if the server has it."));
    }
    Some(if facts.dialect.s_client().is_some() { finding.advise(remedy::s_client(handshake, "")) } else { finding })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{dialogue, verdict};
    use crate::flow::Side::{Client, Server};
    use crate::handshake::facts::Outcome;

    const GREETING: &[u8] = b"220 mail ESMTP\r\n";

    #[test]
    fn a_list_without_the_offer() {
        let turns = [(Server, GREETING), (Client, b"EHLO x\r\n"), (Server, b"250-mail\r\n250 SIZE 1000\r\n")];
        let verdict = verdict(&dialogue("192.0.2.1:25", &turns, Outcome::Plaintext, StoppedBy::Server));
        let finding = verdict.cause.unwrap();
        assert_eq!(
            (finding.cause, finding.confidence, verdict.stopped_by),
            (Cause::StarttlsNotOffered, Confidence::Certain, StoppedBy::Server)
        );
        assert!(finding.remedy.iter().any(|line| line.line().contains("-starttls smtp")));
    }

    #[test]
    fn an_overwritten_offer_is_the_networks_doing() {
        let turns = [(Server, GREETING), (Client, b"EHLO x\r\n"), (Server, b"250-mail\r\n250-XXXXXXXA\r\n250 SIZE\r\n")];
        let verdict = verdict(&dialogue("192.0.2.1:25", &turns, Outcome::Plaintext, StoppedBy::Server));
        assert_eq!((verdict.cause(), verdict.stopped_by), (Some(Cause::StarttlsNotOffered), StoppedBy::Network));
        assert!(verdict.cause.unwrap().summary.contains("XXXXXXXA"));
    }

    #[test]
    fn asking_all_the_same_and_being_refused_is_still_no_offer() {
        let turns: [(Side, &[u8]); 7] = [
            (Server, GREETING),
            (Client, b"EHLO x\r\n"),
            (Server, b"250-mail\r\n250 SIZE 1000\r\n"),
            (Client, b"STARTTLS\r\n"),
            (Server, b"502 5.5.1 command not implemented\r\n"),
            (Client, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
            (Server, b"500 5.5.2 bad syntax\r\n"),
        ];
        let verdict = verdict(&dialogue("192.0.2.1:25", &turns, Outcome::Plaintext, StoppedBy::Server));
        assert_eq!(verdict.cause(), Some(Cause::StarttlsNotOffered));
    }

    #[test]
    fn who_goes_on_in_clear_did_not_fail() {
        let turns: [(Side, &[u8]); 4] =
            [(Server, GREETING), (Client, b"EHLO x\r\n"), (Server, b"250 mail\r\n"), (Client, b"MAIL FROM:<a@b>\r\n")];
        assert_eq!(verdict(&dialogue("192.0.2.1:25", &turns, Outcome::Closed, StoppedBy::Client)).cause(), None);
    }
}
