//! `capture-ended`: the capture stopped while the handshake was young.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::races;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{Outcome, QuicFacts, StoppedBy};
use crate::transport::Close;

pub(super) const RULE: Rule = Rule { cause: Cause::CaptureEnded, against: &[], page: page!("capture-ended"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    // Where the clocks of the two directions differ, or a filter picked packets out, its end is not what is missing.
    if facts.outcome != Outcome::Incomplete || facts.flow.out_of_step > 0 || super::filtered(case) {
        return None;
    }
    let view = View::new(facts);
    if let Some(finding) = unreadable(case) {
        return Some(finding);
    }
    // Where a side's packets are absent though they were acknowledged, what is awaited would not have been there later either.
    if Side::BOTH.into_iter().any(|side| view.side(side).packets == 0 && view.side(side).acked > 0) {
        return None;
    }
    // The answers are there: they come from another address.
    if case.knowledge.moved.is_some_and(|moved| moved.is_answered_elsewhere(facts.server)) {
        return None;
    }
    // Whoever sends a SYN of a flood waits for nothing, and nobody takes an answer from whom he did not ask.
    if view.is_tcp() && !view.is_up() && (case.knowledge.is_flooded() || case.knowledge.stray_answer.is_some()) {
        return None;
    }
    // Nor does a client that gave up, as its other packets or connections show.
    if case.gave_up_its_syn() || case.is_one_of_mute() {
        return None;
    }
    let evicted = facts.close == Close::Evicted;
    let progress = view.last_progress();
    let quiet = facts.closed_at.time.since(progress.time);
    if !evicted && quiet >= case.policy.stall_after {
        return None;
    }
    let awaited = match (view.is_up(), view.server().syn) {
        (false, None) if view.is_tcp() => "the SYN-ACK",
        (false, Some(_)) if view.is_tcp() => "the client's acknowledgment of the SYN-ACK",
        _ => view.awaited().map_or("the rest", |awaited| awaited.what),
    };
    let lapsed = facts.flow.unheard_from.is_some();
    let summary = if evicted {
        format!("handshark dropped the handshake with {} from memory to stay within its limits, before {awaited} arrived.", view.target())
    } else if lapsed {
        format!(
            "The capture holds nothing after {}: {} after the last progress of the handshake with {}, before {awaited} arrived.",
            facts.closed_at.time.to_second(),
            span_text(quiet),
            view.target()
        )
    } else {
        format!(
            "The capture ends {} after the last progress of the handshake with {}, before {awaited} arrived.",
            span_text(quiet),
            view.target()
        )
    };
    // A capture of SYNs alone shows nobody's answer, however long it is.
    let deaf = view.is_tcp() && !view.is_up() && view.server().packets == 0 && !case.knowledge.hears_both_sides;
    // After a long silence those who should have spoken are named first, and this remains as the reserve.
    let perhaps = perhaps_refused(facts);
    // Nor is it sure before: a capture often ends when nothing more is said, for what was said last, or lost, had ended it.
    let late = view.nearly_stalled(case.policy)
        || unanswered(case, view, quiet)
        || case.left_over_quic().is_some()
        || races::turned_to_tcp(case).is_some();
    // What an interface lost of others it may have lost of this one.
    let lost: &[Cause] = if case.knowledge.lossy { &[Cause::CaptureGaps] } else { &[] };
    let finding = Finding::new(Cause::CaptureEnded, Confidence::Likely, summary)
        .or_else(lost)
        .weight(if late { Weight::Fallback } else { Weight::Overrides })
        .stopped_by(StoppedBy::Capture)
        .shown_by(progress, "last progress of the handshake")
        .shown_by(facts.closed_at, if evicted { "dropped from memory here" } else { "last frame of the capture here" })
        .or_else(perhaps);
    let finding = if deaf {
        finding
            .noting("no packet from any server is in what this interface captured: perhaps a filter took SYNs alone, or one direction")
            .or_else(&[Cause::CaptureOneDirection, Cause::TcpSynUnanswered])
            .advise("Capture with no other filter than by host and port, and both directions:")
            .advise(remedy::capture_here(facts, "-w both.pcap"))
    } else {
        finding
    };
    Some(finding.advise("Capture for longer, or read this file together with the one that follows it."))
}

/// A SYN to a server that leaves others unanswered, for longer than an answer takes: the capture shows all that there is to see.
fn unanswered(case: &Case<'_>, view: View<'_>, quiet: Duration) -> bool {
    let once = view.is_tcp() && !view.is_up() && view.server().packets == 0 && view.client().syn.is_some_and(|syn| syn.count == 1);
    let others = case.knowledge.related.iter().filter(|other| other.same_endpoint && other.went_unanswered).count();
    let soon = case.knowledge.hears_both_sides && others >= SEVERAL && quiet >= WAY_AND_BACK;
    once && (soon || quiet >= ANSWER_TAKES && others > 0)
}

/// What else the last packet over QUIC may be, where nobody can read it: who closes in a Handshake packet says nothing more, and the capture often
/// ends there because the program did.
fn perhaps_refused(facts: &Handshake) -> &'static [Cause] {
    let unread = |quic: &&QuicFacts| quic.opened.client + quic.opened.server == 0;
    let Some(quic) = facts.quic.as_deref().filter(unread).filter(|_| facts.server_hello.is_some()) else { return &[] };
    let last = |side: Side| {
        let alone = *quic.last_alone.of(side);
        alone.map(|(_, mark)| mark).filter(|mark| facts.flow.side(side).last_packet == Some(*mark))
    };
    let (client, server) = (quic.handshakes.client, quic.handshakes.server);
    if last(Side::Server).is_some_and(|mark| quic.shorts.client.count > 0 && client.last.is_some_and(|last| last < mark)) {
        return &[Cause::ClientCertificateMissing, Cause::ClientCertificateRejected];
    }
    let behind = last(Side::Client).is_some_and(|mark| server.last.is_some_and(|last| last < mark));
    if behind && quic.shorts.client.count == 0 { &[Cause::ServerCertificateRejected] } else { &[] }
}

/// OpenVPN's control channel is encrypted, both sides talk, and the tunnel was not used before the capture ended: nobody knows how far they got.
fn unreadable(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let openvpn = facts.carried.as_ref()?.openvpn()?;
    let asked = openvpn.begun_by();
    let answered = openvpn.resets.of(asked.other()).first.filter(|_| openvpn.wrapping.is_opaque())?;
    let summary = format!(
        "The handshake with {} is encrypted by OpenVPN's {}: both sides talk, and the capture holds no packet of the tunnel, which would show that it completed.",
        View::new(facts).target(),
        openvpn.wrapping.name()
    );
    Some(
        Finding::new(Cause::CaptureEnded, Confidence::Likely, summary)
            .weight(Weight::Overrides)
            .stopped_by(StoppedBy::Capture)
            .shown_by(answered, format!("{} answers ({})", asked.other(), openvpn.reset_name(asked.other())))
            .shown_by(facts.closed_at, "last frame of the capture here")
            .advise("Capture until the tunnel is used. If it never is, look at the log of either side: what is said inside cannot be read without the key."),
    )
}

/// An answer is here sooner, wherever it comes from.
const WAY_AND_BACK: Duration = Duration::from_millis(250);
/// Others that show that nobody answers.
const SEVERAL: usize = 2;
/// Hosts send a SYN again that was not answered for so long (RFC 6298 section 2).
const ANSWER_TAKES: Duration = Duration::from_secs(1);
