//! `zero-window`: the receiver does not read.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::parts::Piece;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule { cause: Cause::ZeroWindow, against: &[], page: page!("zero-window"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if !view.is_tcp() || facts.outcome == Outcome::Incomplete && !view.is_stuck(case.policy) {
        return None;
    }
    if let Some(finding) = never_opened(case, view) {
        return Some(finding);
    }
    let stop = view.stop();
    let (side, window) = Side::BOTH.into_iter().find_map(|side| view.side(side).zero_window.map(|window| (side, window)))?;
    let closed_for = window.reopened.unwrap_or(stop).time.since(window.first.time);
    let stuck = window.reopened.is_none() && facts.outcome.failed();
    // A SYN proxy answers with a closed window, and resets when it finds that the server refuses.
    let proxied = view.server().syn.is_some_and(|syn| syn.first.frame == window.first.frame) && !view.spoke(Side::Server);
    if side == Side::Server && proxied && closed_for < LONG {
        return None;
    }
    if !stuck && (closed_for < LONG || facts.finished.client.max(facts.finished.server).is_some_and(|end| window.first.frame > end.frame)) {
        return None;
    }
    let finding = Finding::new(
        Cause::ZeroWindow,
        if stuck { Confidence::Strong } else { Confidence::Likely },
        format!(
            "The {side} stopped reading: its receive window {} for {}.",
            if stuck { "closed and stayed closed" } else { "was closed" },
            span_text(closed_for)
        ),
    )
    .stopped_by(side.into())
    .shown_by(window.first, format!("the {side} advertises window 0"));
    let finding = match window.reopened {
        Some(mark) => finding.shown_by(mark, "the window opens again"),
        None => finding.shown_by(window.last, "still window 0"),
    };
    let finding = if stuck || facts.outcome == Outcome::Completed { finding } else { finding.weight(Weight::Note) };
    Some(
        finding
            .advise(format!("On the {side}, find out why the process does not read; check its receive queue:"))
            .advise(Command::new("ss -tmnp").operand([Piece::Fixed("dst "), Piece::Address(view_peer(case, side))])),
    )
}

/// The SYN-ACK came with a closed window, as SYN proxies and shields send it until the server behind them has answered, and it never opened: the
/// client may not send.
fn never_opened(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let answer = view.server().syn?;
    let window = view.server().zero_window.filter(|window| window.reopened.is_none() && window.first.frame == answer.first.frame)?;
    let waited = view.stop().time.since(window.first.time);
    if view.spoke(Side::Server) || waited < LONG.max(view.rtt() * 4) {
        return None;
    }
    Some(
        Finding::new(
            Cause::ZeroWindow,
            Confidence::Strong,
            format!(
                "{} accepted the connection with a receive window of zero and did not open it for {}, so the client may not send. A SYN proxy or DDoS shield answered that cannot reach the server behind it.",
                view.target(),
                span_text(waited)
            ),
        )
        .stopped_by(StoppedBy::Server)
        .shown_by(answer.first, "SYN-ACK with window 0")
        .shown_by(window.last, "last packet from the server, still window 0")
        .or_else(&[Cause::LoadBalancerNoBackend, Cause::ServerSilent, Cause::OneWayPath])
        .advise("On the firewall or load balancer that answers for this address (SYN proxy, SYN cookies, DDoS shield), check whether it reaches the server and whether the server answers it:")
        .advise(remedy::port_open(facts)),
    )
}

fn view_peer(case: &Case<'_>, side: Side) -> std::net::IpAddr {
    match side {
        Side::Client => case.handshake.server.address,
        Side::Server => case.handshake.client.address,
    }
}

/// A window closed for so long is felt.
const LONG: Duration = Duration::from_secs(1);
