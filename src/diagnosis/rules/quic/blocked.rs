//! `quic-blocked`: UDP gets no answer, TCP to the same server does.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::knowledge::Related;
use crate::diagnosis::page::page;
use crate::diagnosis::races;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, ordinal, span_text};
use crate::flow::{Side, Transport};
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::wording::counted;

pub(super) const RULE: Rule = Rule { cause: Cause::QuicBlocked, against: &[], page: page!("quic-blocked"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    if let Some(other) = races::turned_to_tcp(case) {
        return Some(given_up(case, view, other));
    }
    view.failed_over_quic().filter(|_| case.handshake.flow.icmp.is_empty())?;
    if view.unanswered() { by_name(case, view).or_else(|| from_the_beginning(case, view)) } else { in_the_middle(case, view) }
}

/// The same client completes QUIC with the same endpoint under other names, in between or later, and what asks for this name gets no answer.
fn by_name(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let asked = facts.flow.first;
    let name = facts.server_name()?;
    let (tries, span) = view.hello_tries();
    let strange = facts.quic.as_ref().is_some_and(|quic| quic.strange.is_some());
    if strange || tries < 3 || facts.outcome != Outcome::Stalled || case.knowledge.completed_same_name > 0 {
        return None;
    }
    let served = |other: &&Related| other.same_endpoint && other.outcome == Outcome::Completed && !other.same_name && other.hello_len > 0;
    let other = case.knowledge.related.iter().filter(served).max_by_key(|other| other.start)?;
    // A server that has died since, or a path, serves nobody any more.
    if !other.served_after(asked) && case.knowledge.attempts_same_name == 0 {
        return None;
    }
    Some(
        Finding::new(
            Cause::QuicBlocked,
            Confidence::Likely,
            format!(
                "QUIC to {} got no answer to {} within {}, while the same client completes it with the same address and port under other names: a device on the path drops what asks for {name}, or nothing serves it behind a balancer.",
                view.target(),
                counted(tries, "datagram", "datagrams"),
                span_text(span)
            ),
        )
        .stopped_by(StoppedBy::Network)
        .shown_by(asked, "first Initial packet")
        .shown_by(other.start, "a handshake over QUIC for another name, which completed")
        .or_else(&[Cause::ClientHelloDropped, Cause::QuicServerSilent])
        .advise("Capture on the server at the same time. If the datagrams arrive there, check how the server or the balancer treats this name; if not, a filter on the path reads the name. Compare with TLS over TCP, and with another name over QUIC:")
        .advise(remedy::curl(facts, "--http3-only"))
        .advise(remedy::s_client(facts, "")),
    )
}

/// The server was heard, and then no datagram of the client is answered any more, whatever it sends.
fn in_the_middle(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let quic = facts.quic.as_ref()?;
    let unanswered = view.unanswered_datagrams(Side::Client).filter(|_| facts.outcome == Outcome::Stalled)?;
    // At the server's own host an answer that is not sent is not lost.
    let again = unanswered.count >= 3 || view.repeats(Side::Client).is_some_and(|repeats| repeats.count >= 2);
    let fits = view.near_side() != Some(Side::Server) && again && quic.retries_after_token == 0;
    let heard = view.server().last_packet.filter(|last| fits && *last < unanswered.first)?;
    let retried = quic.retry.count > 0 && quic.initials.server.count == 0;
    let (last_word, what) =
        if retried { ("Retry", "Initial packets with its token") } else { ("last datagram", "datagrams that the client sends after it") };
    let mut finding = Finding::new(
        Cause::QuicBlocked,
        Confidence::Likely,
        format!(
            "The QUIC handshake with {} stops halfway: the server's {last_word} arrived, but the {what} got no answer: {} within {}.",
            view.target(),
            counted(unanswered.count, "datagram", "datagrams"),
            span_text(unanswered.span())
        ),
    )
    .stopped_by(StoppedBy::Network)
    .shown_by(heard, format!("the server's {last_word}"))
    .shown_by(unanswered.last, format!("the client's {} unanswered datagram", ordinal(unanswered.count)));
    if let Some(close) = quic.close_of(Side::Client) {
        finding = finding.shown_by(close.mark, "the client gives up (CONNECTION_CLOSE)");
    }
    // A server repeats its flight where what the client answers does not arrive.
    let again = view.repeats(Side::Server).filter(|_| view.answer_begun());
    if let Some(repeats) = again {
        finding = finding.shown_by(repeats.last, "the server sends its answer again: what the client sent since did not arrive");
    }
    let alternatives: &[Cause] = if retried {
        &[Cause::QuicRetryLoop, Cause::QuicServerSilent, Cause::OneWayPath]
    } else if again.is_some() {
        &[Cause::OneWayPath, Cause::PacketLoss, Cause::QuicMtu]
    } else {
        &[Cause::QuicMtu, Cause::ServerStalled, Cause::OneWayPath]
    };
    Some(
        finding
            .or_else(alternatives)
            .advise("Capture on the server at the same time. If the datagrams arrive there, check the server's process; if not, the firewalls and UDP limits on the path.")
            .advise(remedy::show_lines(facts)),
    )
}

fn from_the_beginning(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    // Where something answers, nothing is blocked.
    let quic = case.handshake.quic.as_ref().filter(|quic| quic.strange.is_none())?;
    let fallback = case.knowledge.related.iter().find(|other| other.transport == Transport::Tcp && other.outcome == Outcome::Completed)?;
    // A browser closes the attempt that lost the race: only one that waited for much longer than the server takes was not answered.
    let waited = quic.close_of(Side::Client).map(|close| close.mark.time.since(case.handshake.flow.first.time));
    let gave_up = case.handshake.outcome == Outcome::Closed
        && waited.zip(fallback.answered_in).is_some_and(|(waited, usual)| waited >= LEAST_WAIT.max(usual * 4));
    if case.handshake.outcome != Outcome::Stalled && !gave_up {
        return None;
    }
    let (tries, span) = view.hello_tries();
    let spent = fallback.start.time.since(case.handshake.flow.first.time);
    let worked = case.knowledge.completed > 0;
    let finding = Finding::new(
        Cause::QuicBlocked,
        if worked || tries < 3 { Confidence::Likely } else { Confidence::Strong },
        format!(
            "QUIC to {} got no answer to {tries} within {}, but the same client completed TLS over TCP with it: UDP port {} is blocked.",
            view.target(),
            span_text(span),
            case.handshake.server.port,
            tries = counted(tries, "datagram", "datagrams")
        ),
    )
    .stopped_by(StoppedBy::Network)
    .shown_by(case.handshake.flow.first, "first Initial packet");
    let finding = match view.repeats(Side::Client) {
        Some(repeats) => finding.shown_by(repeats.last, format!("Initial packet sent for the {} time, unanswered", ordinal(tries))),
        None => finding,
    };
    let finding = finding.shown_by(fallback.start, "the client's TCP connection to the same server, which completed");
    let finding = if spent.is_zero() { finding } else { finding.noting(format!("the fallback to TCP came {} later", span_text(spent))) };
    Some(
        finding
            .or_else(&[Cause::QuicServerSilent, Cause::QuicMtu])
            .advise("On the firewall, allow UDP to this port, or reject it with ICMP port unreachable so that clients fall back at once. Test QUIC alone:")
            .advise(remedy::curl(case.handshake, "--http3-only"))
            .advise(remedy::show_lines(case.handshake)),
    )
}

/// The client gave QUIC up for TCP before its own timers told it to ask again, and nothing came for it by the capture's end.
fn given_up(case: &Case<'_>, view: View<'_>, other: &Related) -> Finding {
    let facts = case.handshake;
    let wait = span_text(facts.closed_at.time.since(facts.flow.first.time));
    Finding::new(
        Cause::QuicBlocked,
        Confidence::Likely,
        format!(
            "QUIC to {} got no answer within {wait}, and the client went on over TCP, which the same server answers: UDP port {} is blocked, or its path is slower by far.",
            view.target(),
            facts.server.port
        ),
    )
    .stopped_by(StoppedBy::Network)
    .shown_by(facts.flow.first, "first Initial packet")
    .shown_by(other.start, "the client's TCP connection to the same server, which completed")
    .shown_by(facts.closed_at, "last frame of the capture here, and still no answer over QUIC")
    .or_else(&[Cause::CaptureEnded, Cause::QuicServerSilent])
    .advise("On the firewall, allow UDP to this port, or reject it with ICMP port unreachable so that clients fall back at once. Test QUIC alone:")
    .advise(remedy::curl(facts, "--http3-only"))
    .advise(remedy::show_lines(facts))
}

/// A client that closes sooner than this did not wait.
const LEAST_WAIT: Duration = Duration::from_millis(50);
