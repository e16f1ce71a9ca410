//! Rules of the family silence: a side said nothing, stopped, left or took its time. Most of them say what happened and leave the reason to
//! others: they are the cause only where nothing else explains the end.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::rule::{Case, Confidence, Finding, Rule, Weight};
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::Outcome;
use crate::packet::IcmpKind;
use crate::quic::close;

mod cancelled;
mod client_aborted;
mod client_silent;
mod client_slow;
mod client_stalled;
mod client_timeout;
mod close_notify;
mod server_aborted;
mod server_closed;
mod server_reset;
mod server_silent;
mod server_slow;
mod server_stalled;
mod server_timeout;
#[cfg(test)]
mod tests;

pub(super) use client_silent::waits_for_greeting;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[
    &cancelled::RULE,
    &close_notify::RULE,
    &server_silent::RULE,
    &server_stalled::RULE,
    &client_silent::RULE,
    &client_stalled::RULE,
    &server_closed::RULE,
    &server_reset::RULE,
    &server_aborted::RULE,
    &client_aborted::RULE,
    &client_timeout::RULE,
    &server_timeout::RULE,
    &server_slow::RULE,
    &client_slow::RULE,
];

/// A QUIC endpoint closed with a code that is no alert, or is simply gone.
fn closed_over_quic(case: &Case<'_>, cause: Cause, side: Side) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let target = view.target();
    let who = if side == Side::Client { facts.client.address.to_string() } else { target.clone() };
    let (mark, summary, shown) = if let Some(close) = view.closed_by_code(side) {
        let name = if close.application { format!("application code 0x{:x}", close.code) } else { close::name(close.code).into_owned() };
        let reason = if close.reason.is_empty() { String::new() } else { format!(" (\"{}\")", close.reason) };
        (
            close.mark,
            format!("{who} closed the QUIC connection with {target} before it was complete: {name}{reason}."),
            format!("CONNECTION_CLOSE {name}"),
        )
    } else {
        let gone = |note: &&crate::transport::IcmpNote| note.about == side.other() && note.kind == IcmpKind::PortUnreachable;
        let note = facts.tcp.icmp.iter().find(gone).filter(|_| facts.outcome == Outcome::Closed)?;
        let summary = format!("{who} closed its socket before the handshake with {target} was complete.");
        (note.mark, summary, "ICMP port unreachable: nobody waits for these packets any more".to_owned())
    };
    Some(
        Finding::new(cause, Confidence::Strong, summary)
            .weight(Weight::Fallback)
            .stopped_by(side.into())
            .shown_by(mark, shown)
            .advise(format!("Look in the log of the {side} at that time.")),
    )
}
