//! `capture-gaps`: the capture lost packets that arrived.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::wording::counted;

pub(super) const RULE: Rule = Rule { cause: Cause::CaptureGaps, against: &[], page: page!("capture-gaps"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    if case.handshake.outcome == Outcome::Completed {
        return None;
    }
    if !view.is_tcp() {
        return never_repeated_over_quic(case, view).or_else(|| speaks_of_the_unseen(case)).or_else(|| dropped(case));
    }
    if let Some(finding) = picked_out(case, view) {
        return Some(finding);
    }
    let lost = |side: Side| {
        let own = view.side(side);
        // A FIN has a number, too, and one that is acknowledged and was not captured may have been forged.
        own.gap_bytes_acked.max(own.acked.saturating_sub(own.highest.saturating_add(1)))
    };
    if let Some(finding) = broken_off_over_unseen(case).or_else(|| answers_the_unseen(case)).or_else(|| left_unseen(case)) {
        return Some(finding);
    }
    let incomplete = case.handshake.outcome == Outcome::Incomplete;
    let worst = Side::BOTH.into_iter().max_by_key(|side| lost(*side)).filter(|side| lost(*side) > 0);
    let Some(worst) = worst else {
        return incomplete.then(|| never_repeated(case, view)).flatten().or_else(|| dropped(case));
    };
    if view.side(worst).snaplen_cut > 0 || view.side(worst).packets == 0 {
        return None;
    }
    let finding = Finding::new(
        Cause::CaptureGaps,
        Confidence::Certain,
        format!("The capture lacks {} that the {worst} sent and the {} received.", counted(lost(worst), "byte", "bytes"), worst.other()),
    )
    .weight(if incomplete { Weight::Overrides } else { Weight::Note })
    .stopped_by(StoppedBy::Capture)
    .noting(format!(
        "the {} acknowledged {} from the {worst} that the capture lacks",
        worst.other(),
        counted(lost(worst), "byte", "bytes")
    ));
    Some(again(case, finding))
}

/// Advises to capture what this one lacks.
fn again(case: &Case<'_>, finding: Finding) -> Finding {
    finding
        .advise("Capture again with a larger buffer and a narrower filter, and check the drop counters:")
        .advise(remedy::capture_here(case.handshake, "-B 65536 -n -w again.pcap"))
}

/// The RST that ended it acknowledges bytes that the capture lacks: it may answer them, an alert say.
fn broken_off_over_unseen(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let ending = view.first_end().filter(|_| facts.outcome == Outcome::Reset)?;
    let bytes = Some(facts.flow.reset_over_unseen(ending.side)).filter(|bytes| *bytes > 1 && ending.reset.is_some())?;
    let (lost, other) = (counted(bytes, "byte", "bytes"), ending.side.other());
    let text = format!("The capture lacks {lost} that the {other} sent, and in answer to which the {} may have left.", ending.side);
    let finding = Finding::new(Cause::CaptureGaps, Confidence::Strong, text)
        .weight(Weight::Overrides)
        .stopped_by(StoppedBy::Capture)
        .shown_by(ending.mark, format!("the {}'s RST acknowledges {lost} from the {other} that the capture lacks", ending.side))
        .or_else(if ending.side == Side::Client { &[Cause::ClientAborted] } else { &[Cause::ServerAborted] });
    Some(again(case, finding))
}

/// The client changed its keys, and so took a flight of the server that is not in the capture, or only as a damaged copy.
fn answers_the_unseen(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    // Where the capture holds nothing of the server, or cut it, others say so.
    let here = view.server().data_packets > 0 && view.server().snaplen_cut == 0;
    let changed = facts.went_on_unanswered().filter(|_| here && facts.outcome == Outcome::Incomplete)?;
    let text = format!("The capture lacks the answer of {}, or holds it damaged: the client read it and went on.", view.target());
    let finding = Finding::new(Cause::CaptureGaps, Confidence::Strong, text)
        .weight(Weight::Overrides)
        .stopped_by(StoppedBy::Capture)
        .shown_by(changed, "the client's ChangeCipherSpec, which answers a ServerHello");
    Some(again(case, finding))
}

/// The client's first RST is one of a system that does not know the connection, on which the client had said nothing: its end came before.
fn left_unseen(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let ending = view.first_end().filter(|ending| facts.outcome == Outcome::Reset && ending.side == Side::Client)?;
    let silent = view.is_up() && !view.spoke(Side::Client) && facts.preamble.is_none();
    let unknowing = ending.reset.filter(|reset| silent && reset.unknowing && reset.seq_distance == 0)?;
    let text = format!(
        "The RST of {} is that of a system which does not know the connection any more: how the client left before is not in the capture.",
        facts.client.host()
    );
    Some(
        Finding::new(Cause::CaptureGaps, Confidence::Likely, text)
            .weight(Weight::Fallback)
            .stopped_by(StoppedBy::Client)
            .shown_by(unknowing.mark, "the client's RST, without ACK flag and with the number of what it answers")
            .or_else(&[Cause::TcpProbe, Cause::ResetInjected])
            .advise("Capture on the client at the same time:")
            .advise(remedy::capture_here(facts, "-n -w again.pcap")),
    )
}

/// An alert over UDP that cannot be read ends it, and what comes before it does not show what it answers. Up to DTLS 1.2 its sender's Finished is missing, if
/// that is; otherwise whatever lets a refusal be told from a farewell.
fn speaks_of_the_unseen(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let unread = facts.outcome == Outcome::Alerted && facts.carried.is_none();
    let alert = facts.deciding_alert().filter(|seen| unread && seen.alert.is_none())?;
    let from = alert.from;
    let unfinished = facts.dtls.is_some() && !facts.is_tls13() && facts.finished.of(from).is_none();
    let (confidence, weight, by, text) = if unfinished {
        let text =
            format!("The capture lacks the {from}'s Finished, which came before its encrypted alert: that may have been a farewell.");
        (Confidence::Strong, Weight::Overrides, StoppedBy::Capture, text)
    } else {
        let text = format!(
            "An encrypted alert of the {from} ended it, behind less of the {}'s flight than tells a refusal from a farewell: the capture may lack datagrams.",
            from.other()
        );
        (Confidence::Hint, Weight::Fallback, from.into(), text)
    };
    let finding = Finding::new(Cause::CaptureGaps, confidence, text)
        .weight(weight)
        .stopped_by(by)
        .shown_by(alert.mark, format!("the {from}'s encrypted alert"));
    Some(again(case, finding))
}

/// A filter by content, or by flags, let some packets of the connection pass.
fn picked_out(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let of_both = |what: &dyn Fn(Side) -> bool| Side::BOTH.into_iter().all(what);
    let acked = view.client().acked.saturating_add(view.server().acked);
    let by_flags = facts.outcome == Outcome::Incomplete
        && acked >= A_HELLO
        && of_both(&|side| {
            let own = view.side(side);
            let flagged = own.syn.map_or(0, |syn| syn.count) as usize + usize::from(own.fin.is_some()) + own.resets.len();
            own.syn.is_some() && own.packets as usize <= flagged
        });
    let (confidence, shown) = if super::filtered(case) {
        (Confidence::Strong, "neither a SYN nor an acknowledgment without payload is in it, which no connection does without".to_owned())
    } else if by_flags {
        let text = format!("SYN, FIN and RST are in it, and no other packet, though {} were acknowledged", counted(acked, "byte", "bytes"));
        (Confidence::Strong, text)
    } else {
        return None;
    };
    let summary = format!(
        "The capture holds some packets of the connection with {} alone: it was filtered by more than addresses and ports.",
        view.target()
    );
    Some(
        Finding::new(Cause::CaptureGaps, confidence, summary)
            .weight(Weight::Overrides)
            .stopped_by(StoppedBy::Capture)
            .shown_by(facts.flow.first, "the first packet of the connection that is in the capture")
            .noting(shown)
            .advise("If it was cut from a larger capture, analyze that one. Otherwise capture again, with no other filter than by host and port:")
            .advise(remedy::capture_here(facts, "-n -w again.pcap")),
    )
}

/// The capture counted packets that it lost just then. Nothing shows that they were of this handshake, and nothing that they were not.
fn dropped(case: &Case<'_>) -> Option<Finding> {
    let lost = case.handshake.capture_losses;
    (lost > 0).then(|| {
        let text = format!(
            "The capture lost {lost} on this interface during this handshake; some may have belonged to it.",
            lost = counted(lost, "packet", "packets")
        );
        Finding::new(Cause::CaptureGaps, Confidence::Strong, text)
            .weight(Weight::Note)
            .advise("Capture with a larger buffer (--buffer), more threads (--capture-threads) or a narrower filter.")
    })
}

/// Data that was neither acknowledged nor sent again, which no TCP does: packets are missing from the capture.
fn never_repeated(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let flow = &case.handshake.flow;
    let gone = |side: Side| {
        view.side(side).outstanding.iter().find(|sent| sent.copies == 1 && !sent.sacked && !flow.waits_behind_hole(side, sent))
    };
    let (side, sent) =
        Side::BOTH.into_iter().filter(|side| view.side(*side).retransmits == 0).find_map(|side| Some((side, gone(side)?)))?;
    if view.silence() < NEVER_REPEATED && view.side(side).stranded_bytes == 0 {
        return None;
    }
    let text = format!(
        "The capture is missing packets: {} from the {side} were neither acknowledged nor retransmitted, which TCP never does.",
        counted(sent.len, "byte", "bytes")
    );
    Some(
        Finding::new(Cause::CaptureGaps, Confidence::Strong, text)
            .weight(Weight::Overrides)
            .stopped_by(StoppedBy::Capture)
            .shown_by(
                sent.last,
                format!("{} from the {side}, never acknowledged and never retransmitted", counted(sent.len, "byte", "bytes")),
            )
            .advise("If this capture was cut from a larger one with a display filter, analyze the larger one."),
    )
}

/// The same over QUIC, whose sides repeat within a second or so what is not acknowledged.
fn never_repeated_over_quic(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let hello = facts.server_hello.as_ref().filter(|_| facts.quic.is_some() && facts.outcome == Outcome::Incomplete)?;
    let last = Side::BOTH.into_iter().filter_map(|side| view.side(side).last_packet).max()?;
    let silent = facts.closed_at.time.since(last.time);
    if silent < NEVER_REPEATED || Side::BOTH.into_iter().any(|side| view.repeats(side).is_some()) {
        return None;
    }
    let text = format!(
        "The capture is missing packets: for {} neither side of the QUIC connection retransmits unacknowledged data, which both would do.",
        span_text(silent)
    );
    Some(
        Finding::new(Cause::CaptureGaps, Confidence::Strong, text)
            .weight(Weight::Overrides)
            .stopped_by(StoppedBy::Capture)
            .shown_by(hello.mark, "ServerHello")
            .shown_by(last, "last datagram of the connection in the capture")
            .advise("If this capture was cut from a larger one with a display filter, analyze the larger one."),
    )
}

/// Bytes that no handshake does without: what was said must have come in packets.
const A_HELLO: u64 = 100;
/// Longer than any retransmission timer in its first round.
const NEVER_REPEATED: Duration = Duration::from_secs(3);
