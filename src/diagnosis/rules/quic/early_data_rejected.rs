//! `quic-early-data-rejected`: 0-RTT was sent in vain.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::wording::counted;

pub(super) const RULE: Rule = Rule { cause: Cause::QuicEarlyDataRejected, against: &[], page: page!("quic-early-data-rejected"), check };

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
            "{} rejected the client's 0-RTT data: it did not accept the session, and a full handshake followed.",
            View::new(facts).target()
        ),
    )
    .weight(if facts.outcome == Outcome::Completed { Weight::Explains } else { Weight::Note })
    .stopped_by(StoppedBy::Nobody)
    .shown_by(
        sent,
        format!(
            "0-RTT data: {} in all, {}",
            counted(quic.zero_rtt.count, "packet", "packets"),
            counted(quic.zero_rtt.bytes, "byte", "bytes")
        ),
    )
    .shown_by(refused, how);
    let finding = if offered > 1 {
        finding.noting(format!("this server accepted {} of {offered} offered sessions", case.knowledge.resumptions_accepted))
    } else {
        finding
    };
    Some(finding.advise("On the servers, share the ticket keys and keep them over restarts; or issue tickets without 0-RTT."))
}
