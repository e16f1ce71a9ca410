//! `split-client-hello`: a ClientHello of more than one segment is mishandled.

use crate::diagnosis::against::{Contrary, drops, lowers};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::wording::{count, counted, times};

use super::{by_contrast, hello_lost, smaller_hello_that_worked, smaller_hello_worked, too_large};

pub(super) const RULE: Rule = Rule {
    cause: Cause::SplitClientHello,
    against: &[drops(Contrary::SameHelloCompleted), lowers(Contrary::LongHelloCompleted), drops(Contrary::ShortHelloFailed)],
    page: page!("split-client-hello"),
    check,
};

/// What became of the large ClientHello.
struct Fate {
    confidence: Confidence,
    stopped_by: StoppedBy,
    text: String,
    alternatives: &'static [Cause],
}

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if let Some(finding) = over_quic(case, view) {
        return Some(finding);
    }
    if !view.is_stuck(case.policy) || !view.hello_begun() || !view.hello_is_split() || view.answer_begun() {
        return None;
    }
    let fate = second_part_lost(view)
        .or_else(|| second_part_missing(view))
        .or_else(|| wholly_lost(case, view))
        .or_else(|| not_understood(case, view))?;
    let mark = view.hello_mark()?;
    let mut finding = Finding::new(
        Cause::SplitClientHello,
        fate.confidence,
        format!(
            "The ClientHello for {} is {} long, more than one packet, and {}.",
            view.target(),
            counted(view.hello_len(), "byte", "bytes"),
            fate.text
        ),
    )
    .weight(if fate.confidence > Confidence::Hint { Weight::Explains } else { Weight::Fallback })
    .stopped_by(fate.stopped_by)
    .shown_by(
        mark,
        format!(
            "ClientHello of {}, largest segment {}",
            counted(view.hello_len(), "byte", "bytes"),
            counted(view.client().largest_segment, "byte", "bytes")
        ),
    )
    .noting(fate.text);
    if smaller_hello_worked(case) {
        finding =
            finding.noting("a smaller ClientHello from the same client to the same address led to a complete handshake within seconds");
    }
    Some(
        finding
            .or_else(fate.alternatives)
            .advise("Compare with a ClientHello that fits into one packet. If that works, update the device or server that cannot read a longer one:")
            .advise(remedy::s_client(facts, "-groups X25519"))
            .advise(remedy::s_client(facts, "-groups X25519MLKEM768"))
            .advise("Until then, configure the client to offer small key shares only."),
    )
}

/// Near the client: what is acknowledged ends inside the hello, and the rest, no larger than what passed, is repeated in vain.
fn second_part_lost(view: View<'_>) -> Option<Fate> {
    let (start, end) = view.hello_span()?;
    let acked = view.client().acked;
    let rest = view.repeated_in_vain(Side::Client).find(|segment| segment.offset >= acked && segment.offset < end)?;
    (acked > start && acked < end && rest.len <= view.client().largest_acked_segment).then(|| Fate {
        confidence: if rest.copies >= 3 { Confidence::Strong } else { Confidence::Likely },
        stopped_by: StoppedBy::Network,
        text: format!(
            "its second part of {} was sent {} and never acknowledged, while the first part was acknowledged",
            counted(rest.len, "byte", "bytes"),
            times(rest.copies)
        ),
        alternatives: &[Cause::PacketLoss, Cause::ClientHelloDropped],
    })
}

/// Near the server: the first full segment arrived, the rest never did.
fn second_part_missing(view: View<'_>) -> Option<Fate> {
    let large = u64::from(view.client().largest_segment) >= FULL_SEGMENT;
    let missing = !view.hello_whole() && view.hole(Side::Client).is_none() && view.client().acked >= view.client().highest;
    (missing && large && view.waited()).then(|| Fate {
        confidence: Confidence::Likely,
        stopped_by: StoppedBy::Network,
        text: format!(
            "only its first {} arrived; {} later the rest was still missing",
            counted(view.client().highest, "byte", "bytes"),
            span_text(view.silence())
        ),
        alternatives: &[Cause::ClientStalled, Cause::PacketLoss, Cause::PathMtuBlackHole],
    })
}

/// Nothing of it was acknowledged, and a smaller one went through: a size that the path cannot take would have let its short last part pass.
fn wholly_lost(case: &Case<'_>, view: View<'_>) -> Option<Fate> {
    let copies = hello_lost(view, false).filter(|_| view.hello_is_large() && !too_large(case, view, Side::Client))?;
    Some(Fate {
        confidence: by_contrast(case, smaller_hello_that_worked(case)?, view.hello_mark()?),
        stopped_by: StoppedBy::Network,
        text: format!("it was sent {copies} and never acknowledged, not even in part", copies = times(copies)),
        alternatives: &[Cause::ClientHelloDropped, Cause::PathMtuBlackHole],
    })
}

/// The answer to all of it, or to a part, is silence, FIN or RST, and a smaller one was answered. Every client of today sends such a hello:
/// without that contrast its size explains nothing.
fn not_understood(case: &Case<'_>, view: View<'_>) -> Option<Fate> {
    let answered = view.server_spoke_after_hello() || view.flight_unarrived().is_some();
    // Where what lies behind a hole arrived, the packet that fills it did not: a matter of the path, whoever ends it.
    let behind = view.client().outstanding.iter().any(|segment| segment.sacked) || case.handshake.flow.arrived_behind_hole(Side::Client);
    if !view.hello_is_large() || answered || behind || view.client().snaplen_cut > 0 {
        return None;
    }
    let worked = smaller_hello_that_worked(case)?;
    let confidence = match by_contrast(case, worked, view.hello_mark()?) {
        // It has all of it: a server, or what stands behind it, that fails in between does the same to a hello of any size.
        Confidence::Likely if view.hello_acked() && !worked.served_after(view.hello_mark()?) => Confidence::Hint,
        confidence => confidence,
    };
    let took = match view.client().acked {
        _ if view.hello_acked() => "acknowledged it",
        0 => "acknowledged none of it",
        _ => "acknowledged part of it",
    };
    match view.ended_by(Side::Server) {
        // A system that does not know the connection has not read what it answers.
        Some(ending) if view.disowns(&ending) && !view.hello_acked() => None,
        Some(ending) => Some(Fate {
            confidence,
            stopped_by: StoppedBy::Server,
            text: format!(
                "the server {took} and then sent {} instead of an answer",
                if ending.reset.is_some() { "a RST" } else { "a FIN" }
            ),
            alternatives: if ending.reset.is_some() { &[Cause::ServerReset, Cause::ResetInjected] } else { &[Cause::ServerClosed] },
        }),
        None if view.waited() && view.hello_acked() => Some(Fate {
            confidence,
            stopped_by: StoppedBy::Server,
            text: format!("the server acknowledged it and stayed silent for {}", span_text(view.silence())),
            alternatives: &[Cause::ServerSilent],
        }),
        None => None,
    }
}

/// Over QUIC: some packets of the hello are acknowledged and others are not, or only some arrive; and no ServerHello comes.
fn over_quic(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let quic = view.failed_over_quic().filter(|_| view.stalled_over_udp() && !view.answer_begun())?;
    let lost = quic.hello_packets.iter().find(|packet| !packet.acked);
    let passed = quic.hello_packets.iter().find(|packet| packet.acked);
    let (mark, text) = match (case.handshake.partial_client_hello, passed, lost) {
        (Some(part), ..) => (part.mark, format!("only {} of {} arrived", count(part.have as u64), counted(part.want, "byte", "bytes"))),
        (None, Some(passed), Some(lost)) if passed.offset != lost.offset => {
            (lost.mark, "the server acknowledged one of its packets but not the other".to_owned())
        }
        _ => return None,
    };
    let finding = Finding::new(
        Cause::SplitClientHello,
        Confidence::Likely,
        format!("The ClientHello for {} takes more than one Initial packet: {text}.", view.target()),
    )
    .stopped_by(StoppedBy::Network)
    .shown_by(mark, "Initial packet with part of the ClientHello");
    let finding = match quic.acked.client {
        Some(acked) => finding.shown_by(acked, "the server acknowledges a packet from the client and sends no ServerHello"),
        None => finding,
    };
    Some(
        finding
            .or_else(&[Cause::PacketLoss, Cause::QuicBlocked, Cause::QuicServerSilent])
            .advise("Compare with a ClientHello that fits into one packet (no post-quantum key share). If that works, update the device that drops the second packet:")
            .advise(remedy::curl(case.handshake, "--http3-only --curves X25519")),
    )
}

/// A segment of a path of ordinary size that is filled.
const FULL_SEGMENT: u64 = 1_000;
