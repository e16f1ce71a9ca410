//! The server owed the first word, in clear, and did not say it: what that was, by who ended the connection and how.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::remedy;
use crate::diagnosis::view::span_text;
use crate::flow::Side;
use crate::handshake::facts::{Handshake, StoppedBy};
use crate::handshake::greeting::{Ungreeted, ungreeted};
use crate::preamble::Dialect;
use crate::time::Mark;

/// The client waited for the greeting and left.
pub(super) fn given_up(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let found = ungreeted(facts)?;
    let (_, left) = found.ended.filter(|(side, _)| *side == Side::Client && found.closed_at_once.is_none())?;
    let (client, server, waited) = (facts.client.host(), facts.server, span_text(found.waited));
    let first = speaks_first(&found);
    let (confidence, weight, summary) = if let Some(late) = found.late {
        let after = span_text(late.time.since(left.time));
        let summary = format!("{client} gave up after waiting {waited} for the greeting of {server}, which came {after} later: {first}.");
        let confidence = if found.waited >= super::SHORTEST_LIMIT { Confidence::Strong } else { Confidence::Likely };
        (confidence, Weight::Explains, summary)
    } else {
        let summary = format!(
            "{client} gave up after waiting {waited} for {server}, which had accepted the connection and sent no greeting: {first}."
        );
        (Confidence::Likely, Weight::Fallback, summary)
    };
    let finding = Finding { weight, confidence, ..unspoken(Cause::ClientTimeout, StoppedBy::Client, &found, summary) }
        .shown_by(left, format!("the client gives up after {waited}"));
    let finding = match found.late {
        Some(late) => finding.shown_by(late, "the server's greeting arrives after that"),
        None => finding.or_else(&[Cause::ServerSilent, Cause::LoadBalancerNoBackend, Cause::ClientSilent, Cause::TcpProbe]),
    };
    Some(advised(facts, &found, finding))
}

/// The server closed as soon as its client did: it was there, and had waited for the client's first word.
pub(super) fn tls_was_expected(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let found = ungreeted(facts)?;
    let (closed, (_, left)) = found.closed_at_once.zip(found.ended)?;
    let summary = format!(
        "{} waited for the greeting of {} for {}, and the server closed without a word as soon as the client did: {}, and a listener that starts with TLS waits for the client instead.",
        facts.client.host(),
        facts.server,
        span_text(found.waited),
        speaks_first(&found)
    );
    let finding = unspoken(Cause::ClientSilent, StoppedBy::Client, &found, summary)
        .shown_by(left, "the client gives up")
        .shown_by(closed, "the server's FIN answers at once: its process was waiting")
        .or_else(&[Cause::LoadBalancerNoBackend, Cause::ServerSilent, Cause::TcpProbe]);
    Some(advised(facts, &found, finding))
}

/// The server waited, too, and closed first.
pub(super) fn closed_unspoken(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let found = ungreeted(facts)?;
    let (_, end) = found.ended.filter(|(side, mark)| *side == Side::Server && !is_reset(facts, *mark) && found.waited > AT_ONCE)?;
    let summary = format!(
        "{} accepted the connection and closed it after {} without a greeting: {}; one that says nothing waits for something behind it, or for the client.",
        facts.server,
        span_text(found.waited),
        speaks_first(&found)
    );
    let finding = unspoken(Cause::ServerTimeout, StoppedBy::Server, &found, summary)
        .shown_by(end, "the server ends the connection")
        .or_else(&[Cause::LoadBalancerNoBackend, Cause::ClientSilent]);
    Some(advised(facts, &found, finding))
}

/// The server reset the connection in the place of its greeting.
pub(super) fn reset_unspoken(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let found = ungreeted(facts)?;
    let (_, end) = found.ended.filter(|(side, mark)| *side == Side::Server && is_reset(facts, *mark))?;
    let summary = format!(
        "{} accepted the connection, and reset it after {} without a greeting: {}.",
        facts.server,
        span_text(found.waited),
        speaks_first(&found)
    );
    let finding = unspoken(Cause::ServerReset, StoppedBy::Server, &found, summary)
        .shown_by(end, "the server's RST, with no byte before it")
        .or_else(&[Cause::LoadBalancerNoBackend, Cause::ServerClosed])
        .advise(remedy::log(facts, Side::Server, "the process may have ended, or a limit or an access list turned the client away"));
    Some(advised(facts, &found, finding))
}

/// What they have in common: nothing that explains more strongly stands beside them.
fn unspoken(cause: Cause, by: StoppedBy, found: &Ungreeted, summary: String) -> Finding {
    Finding::new(cause, Confidence::Likely, summary)
        .weight(Weight::Fallback)
        .stopped_by(by)
        .shown_by(found.up, "TCP connection up; the server's greeting was expected next")
}

fn is_reset(facts: &Handshake, end: Mark) -> bool {
    facts.flow.side(Side::Server).resets.iter().any(|reset| reset.mark == end)
}

/// Closing sooner is no time limit.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Nobody ended it.
pub(super) fn never_greeted(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let found = ungreeted(facts).filter(|found| found.ended.is_none())?;
    let summary =
        format!("{} accepted the connection and sent no greeting for {}: {}.", facts.server, span_text(found.waited), speaks_first(&found));
    let finding = unspoken(Cause::ServerSilent, StoppedBy::Server, &found, summary)
        .shown_by(facts.closed_at, "still no greeting")
        .or_else(&[Cause::LoadBalancerNoBackend, Cause::ClientSilent]);
    Some(advised(facts, &found, finding))
}

fn speaks_first(found: &Ungreeted) -> String {
    format!("in {}, the server speaks first", found.service.name)
}

/// What makes servers late with their greeting, and what says nothing at all.
fn advised(facts: &Handshake, found: &Ungreeted, finding: Finding) -> Finding {
    let lookup = match found.service.dialect() {
        Some(Dialect::Mysql) => " (MySQL, MariaDB: `skip_name_resolve = ON`)",
        Some(Dialect::Smtp) => " (Postfix: `smtpd_peername_lookup = no`; Exim: `host_lookup`)",
        Some(Dialect::Ftp) => " (vsftpd: `reverse_lookup_enable=NO`; ProFTPD: `UseReverseDNS off`)",
        _ => "",
    };
    let server = format!(
        "On the server, check what it does before it greets: the usual reason is a reverse lookup of the client's address that no DNS server answers{lookup}; others are a pause on purpose, all workers busy, and a hung process."
    );
    if found.late.is_some() {
        return finding.advise(server);
    }
    // Who answers the client's end at once is not held up.
    let finding = if found.closed_at_once.is_some() { finding } else { finding.advise(server) };
    finding
        .advise("If a load balancer listens there, check that a backend of it is up, and whether its port starts with TLS: then it waits for a ClientHello as the client waits for a greeting. Only such a port answers this:")
        .advise(remedy::s_client_on(facts, facts.server.port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{at, connection, verdict};
    use crate::handshake::facts::Outcome;

    /// What is said where the client (or the server) closes a connection to MySQL after so many milliseconds, and the server at another time.
    fn told(client: Option<i64>, server: Option<i64>, greeting: Option<i64>) -> Option<(Cause, Confidence, StoppedBy)> {
        let mut handshake = connection("192.0.2.1:3306");
        let sides = &mut handshake.flow.sides;
        sides.client.fin = client.map(|millis| (at(5, millis), 0));
        sides.server.fin = server.map(|millis| (at(6, millis), 0));
        sides.server.first_data = greeting.map(|millis| at(7, millis));
        (sides.server.last_data, sides.server.data_packets) = (sides.server.first_data, u32::from(greeting.is_some()));
        let by = if client.is_some() { StoppedBy::Client } else { StoppedBy::Server };
        (handshake.outcome, handshake.stopped_by) = (Outcome::Closed, by);
        (handshake.flow.last, handshake.closed_at) = (at(9, 20_000), at(9, 20_000));
        if client.or(server).is_none() {
            handshake.outcome = Outcome::Stalled;
        }
        let verdict = verdict(&handshake);
        verdict.cause.map(|finding| (finding.cause, finding.confidence, verdict.stopped_by))
    }

    #[test]
    fn who_waits_for_a_greeting_in_vain() {
        let (client, server) = (StoppedBy::Client, StoppedBy::Server);
        assert_eq!(told(Some(4_000), None, None), Some((Cause::ClientTimeout, Confidence::Likely, client)));
        assert_eq!(told(Some(4_000), None, Some(10_000)), Some((Cause::ClientTimeout, Confidence::Strong, client)));
        assert_eq!(told(Some(4_000), Some(4_020), None), Some((Cause::ClientSilent, Confidence::Likely, client)));
        assert_eq!(told(Some(4_000), Some(9_000), None), Some((Cause::ClientTimeout, Confidence::Likely, client)));
        assert_eq!(told(None, Some(20_000), None), Some((Cause::ServerTimeout, Confidence::Likely, server)));
        assert_eq!(told(None, None, None), Some((Cause::ServerSilent, Confidence::Likely, server)));
    }

    #[test]
    fn a_server_that_resets_did_not_wait() {
        let mut handshake = connection("192.0.2.1:21");
        handshake.flow.sides.server.resets = vec![crate::transport::Reset::fitting(at(5, 1_140), 64)];
        (handshake.outcome, handshake.stopped_by, handshake.flow.last) = (Outcome::Reset, StoppedBy::Server, at(5, 1_140));
        let verdict = verdict(&handshake);
        assert_eq!((verdict.cause(), verdict.stopped_by), (Some(Cause::ServerReset), StoppedBy::Server));
    }

    #[test]
    fn a_probe_is_gone_sooner() {
        assert_eq!(told(Some(300), None, None).map(|told| told.0), Some(Cause::TcpProbe));
    }
}
