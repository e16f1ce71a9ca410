//! `quic-server-silent`: Initial packets without an answer.

use crate::diagnosis::against::{Contrary, told};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::knowledge::Moved;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, ordinal, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy, Strange};
use crate::wording::counted;

pub(super) const RULE: Rule =
    Rule { cause: Cause::QuicServerSilent, against: &[told(Contrary::OthersCompleted)], page: page!("quic-server-silent"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let quic = view.failed_over_quic()?;
    if let Some(moved) = case.knowledge.moved.filter(|moved| moved.is_answered_elsewhere(case.handshake.server)) {
        return Some(answered_elsewhere(case, moved));
    }
    // After a Retry it is the client's turn.
    let retried = case.handshake.awaited_second_hello().is_some();
    if retried
        || case.handshake.outcome != Outcome::Stalled
        || view.answer_begun()
        || !view.hello_begun()
        || view.refused_datagram().is_some()
    {
        return None;
    }
    let (tries, span) = view.hello_tries();
    let nothing = view.unanswered();
    let strange = quic.strange.filter(|_| nothing);
    // It answers QUIC: why not this time, its silence does not tell.
    let others = case.knowledge.completed;
    let summary = match (nothing, quic.acked.client) {
        (true, _) if strange.is_some() => format!(
            "{} does not answer in QUIC: {tries} within {} got nothing back but {answers} of another protocol.",
            view.target(),
            span_text(span),
            tries = counted(tries, "datagram", "datagrams"),
            answers = counted(strange.map_or(0, |strange| strange.count), "datagram", "datagrams"),
        ),
        (true, _) => format!(
            "{} {} QUIC: {tries} within {} got no answer.",
            view.target(),
            if others > 0 { "did not answer" } else { "never answered" },
            span_text(span),
            tries = counted(tries, "datagram", "datagrams")
        ),
        (false, Some(_)) => format!("{} acknowledged the client's Initial packets and never sent a ServerHello.", view.target()),
        (false, None) => format!("{} sent no answer to the ClientHello.", view.target()),
    };
    // Where the capture shows no side but the client's of anything, it may lack the answers.
    let sure = nothing && tries >= 3 && case.knowledge.hears_both_sides && others == 0;
    let finding = Finding::new(Cause::QuicServerSilent, if sure { Confidence::Strong } else { Confidence::Likely }, summary)
        .weight(if nothing { Weight::Explains } else { Weight::Fallback })
        .stopped_by(if nothing && strange.is_none() { StoppedBy::Network } else { StoppedBy::Server })
        .shown_by(case.handshake.flow.first, "first Initial packet");
    let finding = match strange {
        Some(strange) => finding
            .shown_by(
                strange.mark,
                format!("{} that are no QUIC packet, beginning with {}", counted(strange.len, "byte", "bytes"), hex(&strange)),
            )
            .advise("On the server, check which program answers on this port:")
            .advise(remedy::ss_listen_udp(case.handshake.server.port)),
        None => finding,
    };
    let finding = match view.repeats(Side::Client) {
        Some(repeats) => finding.shown_by(repeats.last, format!("sent for the {} time; no ServerHello", ordinal(tries))),
        None => finding,
    };
    let finding = match quic.close_of(Side::Client) {
        Some(close) => finding.shown_by(close.mark, "the client gives up (CONNECTION_CLOSE)"),
        None => finding,
    };
    // Some servers take a hello, find none of its protocols, and say nothing.
    let uncommon = asks_for_uncommon(case);
    let alternatives: &[Cause] = match (nothing, quic.hello_is_split()) {
        (true, false) => &[Cause::QuicBlocked, Cause::QuicMtu, Cause::ServerFlightDropped],
        (true, true) => &[Cause::QuicBlocked, Cause::SplitClientHello, Cause::QuicMtu],
        (false, _) => &[Cause::SplitClientHello, Cause::PacketLoss],
    };
    let finding = if !nothing && uncommon { finding.or_else(&[Cause::AlpnNoOverlap]) } else { finding };
    Some(
        finding
            .or_else(alternatives)
            .advise("Capture on the server at the same time. If the datagrams arrive there, check the server and the way back; if not, the firewalls on the path.")
            .advise(remedy::curl(case.handshake, "--http3-only"))
            .advise(remedy::show_lines(case.handshake)),
    )
}

/// The answers name the client as it named itself, and come from an address that it did not ask.
fn answered_elsewhere(case: &Case<'_>, moved: Moved) -> Finding {
    let facts = case.handshake;
    let summary = format!(
        "The answers to {} come from {} instead of {}: a client that takes only what comes from the address it asked drops them.",
        facts.client.host(),
        moved.server,
        facts.server
    );
    Finding::new(Cause::QuicServerSilent, Confidence::Likely, summary)
        .weight(Weight::Overrides)
        .stopped_by(StoppedBy::Server)
        .shown_by(facts.flow.first, format!("first Initial packet, to {}", facts.server))
        .shown_by(moved.since, format!("from {}, to the connection identifier that this client gave itself", moved.server))
        .or_else(&[Cause::QuicServerChanged])
        .advise("On the server, answer from the address that was asked: let it listen on each address by itself, or use IP_PKTINFO. Behind a balancer or NAT, let the answers take the same way back.")
        .advise(remedy::ss_listen_udp(facts.server.port))
}

/// The first bytes, in hexadecimal.
fn hex(strange: &Strange) -> String {
    let bytes: Vec<String> = strange.head.iter().take(strange.len as usize).map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

/// The client offers application protocols, and HTTP/3 is not among them.
fn asks_for_uncommon(case: &Case<'_>) -> bool {
    case.handshake.last_hello().is_some_and(|hello| {
        let mut offered = hello.what.alpn().peekable();
        offered.peek().is_some() && offered.all(|protocol| protocol != b"h3")
    })
}
