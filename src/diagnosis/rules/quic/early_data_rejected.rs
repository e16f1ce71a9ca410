//! `quic-early-data-rejected`: 0-RTT was sent in vain.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::handshake::facts::{Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule {
    cause: Cause::QuicEarlyDataRejected,
    speaks: Signs::UNFINISHED.or(Signs::DATAGRAMS),
    against: &[],
    title: "the server refused the client's 0-RTT data",
    page: Page {
        meaning: "The client remembered a session and sent its request together with its hello (0-RTT). The server did not take the session, so that the request had to be sent again after a full handshake. \
                  Nothing failed; a round trip and some bytes were wasted.",
        recognised: "0-RTT packets of the client, and a ServerHello without pre_shared_key, or a HelloRetryRequest: both refuse early data.",
        confused_with: "A server that takes the session and refuses only the early data says so in encrypted extensions, which needs keys to be seen.",
        check: "See whether it happens always (tickets are not shared, 0-RTT is off) or once after a restart.",
        fix: &[
            (
                "several servers behind one address",
                "Share the ticket keys: nginx `ssl_session_ticket_key`, HAProxy `tls-ticket-keys`, Caddy a shared storage; rotate them on all at once.",
            ),
            ("restart", "Keys made at each start make all tickets invalid: store them."),
            ("0-RTT is not wanted", "Do not offer it in tickets (nginx `ssl_early_data off`), so that clients do not try."),
            ("other group", "A HelloRetryRequest refuses early data too: let the server accept the group that clients send a key for."),
        ],
        references: &["RFC 8446 sections 4.2.10 and 4.1.4", "RFC 9001 section 4.6.2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let quic = facts.quic.as_ref().filter(|quic| quic.zero_rtt.count > 0)?;
    let sent = quic.zero_rtt.first?;
    let (refused, how) = match (&facts.hello_retry, &facts.server_hello) {
        (Some(retry), _) => (retry.mark, "HelloRetryRequest"),
        (None, Some(hello)) if hello.what.selected_psk().is_none() => (hello.mark, "ServerHello without pre_shared_key"),
        _ => return None,
    };
    let offered = case.knowledge.resumptions_offered;
    let finding = Finding::new(
        Cause::QuicEarlyDataRejected,
        Confidence::Certain,
        format!(
            "{} refused the client's 0-RTT data: its session was not accepted, and a full handshake followed.",
            View::new(facts).target()
        ),
    )
    .weight(if facts.outcome == Outcome::Completed { Weight::Explains } else { Weight::Note })
    .stopped_by(StoppedBy::Nobody)
    .shown_by(sent, format!("0-RTT packet ({} in all, {} bytes)", quic.zero_rtt.count, quic.zero_rtt.bytes))
    .shown_by(refused, how);
    let finding = if offered > 1 {
        finding.noting(format!("{} of {offered} offers of a session to this server were accepted", case.knowledge.resumptions_accepted))
    } else {
        finding
    };
    Some(finding.advise("Share and keep the servers' ticket keys, or do not offer 0-RTT in tickets."))
}
