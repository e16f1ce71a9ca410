//! `one-way-path`: after TCP came up, one direction died.

use std::time::Duration;

use crate::diagnosis::against::{Contrary, drops, lowers, same_hello_without_pause};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Suspect, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{SHORT_PAUSE, View, ordinal, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::wording::times;

pub(super) const RULE: Rule = Rule {
    cause: Cause::OneWayPath,
    against: &[drops(Contrary::CopiesAnswered), lowers(Contrary::PairCompleted)],
    page: page!("one-way-path"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    if !view.failed_over_tcp() {
        return None;
    }
    let finding = unheard_ack(case, view)
        .or_else(|| unheard_client(case, view))
        .or_else(|| Side::BOTH.into_iter().find_map(|side| gone(case, view, side)))
        .or_else(|| died(case, view))
        .or_else(|| silent_to_the_end(case, view))?;
    Some(
        finding
            .stopped_by(StoppedBy::Network)
            .advise("Capture on both ends at the same time to see where the packets stop, and compare the routes of both directions:")
            .advise(remedy::route_to(case.handshake.server.address))
            .advise(remedy::traceroute(case.handshake, case.handshake.server)),
    )
}

/// Near the client: the server repeats its SYN-ACK, so the client's acknowledgment and data do not arrive.
fn unheard_ack(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let answer = view.server().syn.filter(|syn| syn.count >= 2)?;
    let data = view.client().first_data?;
    if view.client().acked > 0 || view.spoke(Side::Server) || view.client().retransmits == 0 || case.waits_for_data() {
        return None;
    }
    let confidence = if view.near_side() == Some(Side::Server) { Confidence::Hint } else { Confidence::Likely };
    Some(
        Finding::new(
            Cause::OneWayPath,
            confidence,
            format!(
                "The client's packets stopped arriving at {}: it repeats its SYN-ACK while the client repeats its data.",
                case.handshake.server
            ),
        )
        .shown_by(data, "the client's first data, never acknowledged")
        .shown_by(answer.last, format!("SYN-ACK no. {}: the server did not receive the client's acknowledgment", answer.count))
        .or_else(&[Cause::AcceptQueueFull, Cause::ClientHelloDropped]),
    )
}

/// Near the server: its SYN-ACK is never acknowledged, and the client, which does not repeat its SYN, must have got it.
fn unheard_client(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let answer = view.server().syn.filter(|syn| syn.count >= 3)?;
    let syn = view.client().syn.filter(|syn| syn.count == 1)?;
    if view.spoke(Side::Client)
        || case.handshake.flow.established().is_some()
        || case.knowledge.flood_half_open > 0
        || !view.client().resets.is_empty()
    {
        return None;
    }
    Some(
        Finding::new(
            Cause::OneWayPath,
            Confidence::Strong,
            format!(
                "Nothing arrives from {} after its SYN: it does not repeat the SYN, so it received the SYN-ACK, but its acknowledgment never arrived.",
                case.handshake.client
            ),
        )
        .weight(Weight::Overrides)
        .shown_by(syn.first, "the only SYN")
        .shown_by(answer.last, format!("SYN-ACK no. {}, never acknowledged", answer.count))
        .or_else(&[Cause::TcpHandshakeIncomplete]),
    )
}

/// A side that was heard before is heard no more: it repeats in vain, and nothing comes back.
fn gone(case: &Case<'_>, view: View<'_>, side: Side) -> Option<Finding> {
    // A path that loses packets of others, too, may have lost these few.
    if case.knowledge.causes.iter().any(|(cause, _)| *cause == Cause::PacketLoss) {
        return None;
    }
    let sender = view.side(side);
    let victim = view.repeated_in_vain(side).filter(|segment| segment.copies >= 3).min_by_key(|segment| segment.offset)?;
    if sender.acked == 0 || victim.offset < sender.acked || sender.outstanding.iter().any(|segment| segment.sacked) {
        return None;
    }
    let peer = view.side(side.other());
    let heard_since = peer.last_packet.is_some_and(|mark| mark.frame > victim.first.frame);
    let peer_ended = view.first_end().is_some_and(|ending| ending.side == side.other());
    let shut = peer.zero_window.is_some_and(|window| window.lasted_past(victim.first));
    if view.black_hole(side).is_some() || peer_ended || shut {
        return None;
    }
    let message = view.message_at(side, victim.offset);
    Some(
        Finding::new(
            Cause::OneWayPath,
            Confidence::Likely,
            format!("The {side}'s packets stopped arriving: the {message} was sent {} within {} and never acknowledged, though earlier bytes were.", times(victim.copies), span_text(victim.last.time.since(victim.first.time))),
        )
        .resting_on(Suspect::packet(side, victim.first, victim.len))
        .shown_by(victim.first, format!("{message} first sent"))
        .shown_by(victim.last, format!("sent for the {} time", ordinal(victim.copies)))
        .noting(if heard_since { format!("the {} still sends, but does not acknowledge it", side.other()) } else { format!("nothing more arrived from the {}", side.other()) })
        .or_else(&[Cause::PacketLoss, Cause::IdleTimeout]),
    )
}

/// Of a hello like one that passed before nothing arrives any more, however often it is sent: so many losses in a row are no chance, and neither its
/// content nor its size is the reason. After a pause it may be this connection alone that a device forgot.
fn died(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let passed = same_hello_without_pause(case).filter(|other| other.start < case.handshake.flow.first)?;
    let victim = view.repeated_in_vain(Side::Client).find(|segment| segment.offset == 0 && segment.copies >= IN_A_ROW)?;
    let client = view.client();
    let heard_since = view.server().last_packet.is_some_and(|mark| mark.frame > victim.first.frame);
    let half_open = view.server().syn.is_none_or(|syn| syn.count > 1);
    let lossy = case.knowledge.causes.iter().any(|(cause, _)| *cause == Cause::PacketLoss);
    if client.acked > 0 || heard_since || half_open || lossy || view.pause_before(victim) >= SHORT_PAUSE {
        return None;
    }
    let message = view.message_at(Side::Client, 0);
    Some(
        Finding::new(
            Cause::OneWayPath,
            Confidence::Likely,
            format!("The client's packets stopped arriving at {} once the connection was up: the {message} was sent {} within {} and never acknowledged, and nothing more came from the server.", case.handshake.server, times(victim.copies), span_text(victim.last.time.since(victim.first.time))),
        )
        .resting_on(Suspect::packet(Side::Client, victim.first, victim.len))
        .shown_by(passed.start, "before, a similar ClientHello from this client led to a complete handshake: neither its content nor its size is the reason")
        .shown_by(victim.first, format!("{message} first sent"))
        .shown_by(victim.last, format!("sent for the {} time, never acknowledged", ordinal(victim.copies)))
        .or_else(&[Cause::PacketLoss, Cause::IdleTimeout]),
    )
}

/// The server fell silent, and its host does not acknowledge the client's FIN either, which no program has a part in.
fn silent_to_the_end(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let (client, server) = (view.client(), view.server());
    let (fin, _) = client.fin.filter(|_| client.fins_in_vain >= FINS && client.acked > 0)?;
    let last = client.last_packet.filter(|last| last.time > fin.time)?;
    // Few of them may be lost where other packets are.
    let few = client.fins_in_vain < MANY_FINS || last.time.since(fin.time) < LONG;
    let lossy = server.retransmits > 0 || case.knowledge.causes.iter().any(|(cause, _)| *cause == Cause::PacketLoss);
    if few && (lossy || !view.answer_begun()) {
        return None;
    }
    // Of a capture from the middle on nobody knows whom it hears.
    if server.last_packet.is_none_or(|heard| heard > fin) || !case.handshake.flow.saw_start() {
        return None;
    }
    Some(
        Finding::new(
            Cause::OneWayPath,
            Confidence::Likely,
            format!(
                "{} stopped responding in the middle of the handshake, and its host does not acknowledge the client's FIN either: the path or the host is dead.",
                view.target()
            ),
        )
        .shown_by(view.last_progress(), "last progress of the handshake")
        .shown_by(last, format!("the client's FIN, sent {} within {} and never acknowledged", times(client.fins_in_vain), span_text(last.time.since(fin.time))))
        .or_else(&[Cause::ServerFlightDropped, Cause::ServerStalled, Cause::PacketLoss, Cause::PathMtuBlackHole]),
    )
}

/// So many copies of one packet are not lost by chance where none of those before was.
const IN_A_ROW: u32 = 4;
/// A FIN that is sent again was not acknowledged within the time that its sender takes for long.
const FINS: u32 = 2;
/// A host that lives acknowledges one of so many, even on a path that loses packets.
const MANY_FINS: u32 = 4;
/// The shortest time in which so many count.
const LONG: Duration = Duration::from_secs(3);
