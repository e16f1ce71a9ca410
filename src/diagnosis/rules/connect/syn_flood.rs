//! `syn-flood`: the server drowns in SYNs and this client is a victim.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::remedy::parts::Piece;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::wording::counted;

use super::syn_ignored;

pub(super) const RULE: Rule = Rule { cause: Cause::SynFlood, against: &[], page: page!("syn-flood"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if let Some(finding) = member(case, view) {
        return Some(finding);
    }
    if !view.is_tcp() || !case.knowledge.is_flooded() || facts.outcome == Outcome::Incomplete {
        return None;
    }
    let syn = view.client().syn.filter(|syn| syn.count >= 2)?;
    let delay = view.server().syn.map_or(syn.last, |answer| answer.first).time.since(syn.first.time);
    let answered = view.server().packets > 0;
    if facts.outcome == Outcome::Completed && delay < NOTICEABLE || !answered && !syn_ignored(view) {
        return None;
    }
    if facts.outcome != Outcome::Completed && view.is_up() {
        return None;
    }
    let half_open = case.knowledge.flood_half_open;
    let summary = if answered {
        format!(
            "{} is under a SYN flood, with {half_open} at that time: it answered this client only after {}.",
            facts.server,
            span_text(delay),
            half_open = counted(half_open, "half-open connection", "half-open connections")
        )
    } else {
        format!(
            "{} is under a SYN flood, with {half_open} at that time, and did not answer {} from this client.",
            facts.server,
            counted(syn.count, "SYN", "SYNs"),
            half_open = counted(half_open, "half-open connection", "half-open connections")
        )
    };
    Some(
        Finding::new(Cause::SynFlood, Confidence::Strong, summary)
            .weight(if answered { Weight::Explains } else { Weight::Overrides })
            .stopped_by(StoppedBy::Network)
            .shown_by(syn.first, "first SYN of this client")
            .shown_by(syn.last, format!("SYN no. {}", syn.count))
            .noting(format!(
                "{half_open} to this server from sources that never complete the TCP handshake",
                half_open = counted(half_open, "half-open connection", "half-open connections")
            ))
            .or_else(&[Cause::TcpSynUnanswered])
            .advise("On the server, switch SYN cookies on and check the sources:")
            .advise(Command::new("sysctl -w net.ipv4.tcp_syncookies=1"))
            .advise(Command::new("ss -tn state syn-recv").operand([Piece::Fixed("sport = :"), Piece::Number(facts.server.port.into())])),
    )
}

/// A connection of the flood itself: one SYN, and whether or not it was answered, nothing more from its sender.
fn member(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let syn = view.client().syn.filter(|syn| syn.count == 1 && view.client().packets == 1)?;
    if !view.is_tcp()
        || !case.knowledge.is_flooded()
        || view.is_up()
        || !case.handshake.flow.icmp.is_empty()
        || !view.server().resets.is_empty()
    {
        return None;
    }
    let answer = if view.server().syn.is_some() { "the SYN-ACK was never acknowledged" } else { "nothing came back" };
    let half_open = case.knowledge.flood_half_open;
    Some(
        Finding::new(
            Cause::SynFlood,
            Confidence::Likely,
            format!(
                "Part of a SYN flood: {half_open} to {} were left half-open at that time.",
                case.handshake.server,
                half_open = counted(half_open, "connection", "connections")
            ),
        )
        .weight(Weight::Overrides)
        .stopped_by(StoppedBy::Network)
        .shown_by(syn.first, format!("SYN, sent once; {answer}"))
        .advise("On the server, switch SYN cookies on and check the sources:")
        .advise(Command::new("sysctl -w net.ipv4.tcp_syncookies=1"))
        .advise(
            Command::new("ss -tn state syn-recv").operand([Piece::Fixed("sport = :"), Piece::Number(case.handshake.server.port.into())]),
        ),
    )
}

/// A delay that users notice.
const NOTICEABLE: Duration = Duration::from_millis(900);
