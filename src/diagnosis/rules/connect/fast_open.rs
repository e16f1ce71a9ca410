//! `tcp-fast-open-blocked`: a SYN with data did not get through.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::wording::counted;

pub(super) const RULE: Rule = Rule { cause: Cause::TcpFastOpenBlocked, against: &[], page: page!("tcp-fast-open-blocked"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if !view.is_tcp() || facts.outcome == Outcome::Incomplete {
        return None;
    }
    let syn = view.client().syn.filter(|syn| syn.data_len > 0 && syn.resent_without_data && syn.count >= 2)?;
    let answer = view.server().syn?;
    let delay = answer.first.time.since(syn.first.time);
    if delay < LEAST_DELAY {
        return None;
    }
    let finding = Finding::new(
        Cause::TcpFastOpenBlocked,
        Confidence::Strong,
        format!(
            "A SYN with {} of data to {} was dropped; a SYN without data was answered {} later.",
            counted(syn.data_len, "byte", "bytes"),
            facts.server,
            span_text(delay)
        ),
    )
    .stopped_by(StoppedBy::Network)
    .shown_by(syn.first, format!("SYN with {} of data", counted(syn.data_len, "byte", "bytes")))
    .shown_by(syn.last, "SYN retransmitted without data")
    .shown_by(answer.first, "SYN-ACK")
    .or_else(&[Cause::PacketLoss])
    .advise("On the firewall, allow SYNs that carry data; or on the client, switch TCP Fast Open off:")
    .advise(Command::new("sysctl -w net.ipv4.tcp_fastopen=0"));
    // A handshake that failed later failed for another reason.
    Some(if facts.outcome == Outcome::Completed { finding } else { finding.weight(Weight::Note) })
}

/// A SYN that is repeated sooner was not waited for: the server ignored its data, and nothing was lost.
const LEAST_DELAY: Duration = Duration::from_millis(200);
