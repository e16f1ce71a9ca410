//! `packet-loss`: lost segments delayed or stopped the handshake.

use std::time::Duration;

use crate::diagnosis::against::{Contrary, MANY_COPIES, drops, same_hello_completed};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Suspect, Weight};
use crate::diagnosis::ignored::Fate;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, ordinal, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::packet::IcmpKind;
use crate::wording::{counted, times};

use super::probed;

pub(super) const RULE: Rule =
    Rule { cause: Cause::PacketLoss, against: &[drops(Contrary::CopiesAnswered)], page: page!("packet-loss"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    match case.handshake.outcome {
        Outcome::Incomplete => None,
        Outcome::Completed => delayed(case, view),
        _ => stopped(case, view),
    }
}

fn delayed(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let Some(loss) = view.loss_delay() else { return late_answer(case, view) };
    if case.syn_was_passed_over() {
        return None;
    }
    // A packet that was too big and was sent again smaller was not lost by chance.
    let resized = case.handshake.flow.icmp.iter().any(|note| matches!(note.kind, IcmpKind::TooBig(_)));
    let resized = resized || probed::shrunk(case.handshake, loss.side).is_some();
    let felt = loss.total >= FELT && !resized;
    if !felt && let Some(finding) = late_answer(case, view) {
        return Some(finding);
    }
    let (total, worst) = (span_text(loss.total), span_text(loss.worst));
    let what = format!("the {}'s {}", loss.side, bare(loss.what));
    // Datagrams have no acknowledgments of their own: what was sent again may have arrived, and its answer was late. A SYN may have arrived at a
    // queue that was full.
    let asked_again = loss.side == Side::Client && view.client().syn.is_some_and(|syn| syn.count.saturating_sub(1) == loss.repairs);
    let proven = view.is_tcp() && !asked_again;
    let fate = if proven { "was lost and sent again" } else { "was sent again, because it was lost or not answered in time" };
    let share = if worst == total { format!(": {what} {fate}") } else { format!(", {worst} of it for {what}") };
    let repeats = if loss.repairs == 1 {
        String::new()
    } else {
        format!(", with {} in all", counted(loss.repairs, "retransmission", "retransmissions"))
    };
    let or_late: &[Cause] = match (proven || loss.side == Side::Server, view.is_tcp()) {
        (true, _) => &[],
        (false, true) => &[Cause::AcceptQueueFull],
        (false, false) => &[Cause::ServerSlow],
    };
    let finding = Finding::new(
        Cause::PacketLoss,
        if proven { Confidence::Strong } else { Confidence::Likely },
        format!("Packet loss delayed the handshake with {} by {total}{share}{repeats}.", view.target()),
    )
    .weight(if felt { Weight::Explains } else { Weight::Note })
    .stopped_by(StoppedBy::Network)
    .shown_by(loss.repaired, format!("{} arrives {} late", loss.what, span_text(loss.worst)))
    .or_else(or_late);
    let finding = measured(case, finding).advise(Command::new("nstat -az TcpRetransSegs TcpExtTCPTimeouts"));
    if !asked_again {
        return Some(finding);
    }
    Some(
        finding
            .advise("If it is SYNs alone, look on the server whether its queue overflows:")
            .advise(Command::new("nstat -az TcpExtListenOverflows TcpExtListenDrops")),
    )
}

/// The server's answer came late, and other packets of the same handshake were lost before they reached this point: so were its first copies.
fn late_answer(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let (wait, span) = view.slowest(Side::Server).filter(|(_, span)| *span >= case.policy.slow_after)?;
    let unseen = view.sent_unseen(Side::Server, wait.from, wait.to).filter(|count| *count >= MANY_UNSEEN);
    if unseen.is_none() && !case.may_have_been_lost(&wait) {
        return None;
    }
    let finding = Finding::new(
        Cause::PacketLoss,
        if unseen.is_some() { Confidence::Strong } else { Confidence::Likely },
        format!(
            "The {} from {} came {} late: its first copies were {}.",
            bare(wait.what),
            view.target(),
            span_text(span),
            if unseen.is_some() { "lost on the way" } else { "probably lost, as other packets from it were" }
        ),
    );
    let finding = match unseen {
        Some(count) => finding.shown_by(
            wait.to,
            format!(
                "the server numbers its packets consecutively, and {count} numbers before this one are missing: it had sent those packets"
            ),
        ),
        None => finding,
    };
    Some(
        finding
            .stopped_by(StoppedBy::Network)
            .shown_by(wait.from, "the server's turn starts")
            .shown_by(wait.to, format!("{}, {} later", wait.what, span_text(wait.span())))
            .or_else(&[Cause::ServerSlow])
            .advise("Capture on the server to tell loss from a slow server, and measure the loss on the path:")
            .advise(remedy::measure_loss(case.handshake)),
    )
}

fn stopped(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    if !view.is_tcp() || !view.is_up() {
        return None;
    }
    if let Some(finding) = filled_late(case, view).or_else(|| overtaken_by_fin(case, view)) {
        return Some(finding);
    }
    let (side, finding) = Side::BOTH
        .into_iter()
        .find_map(|side| at_sender(case, view, side).or_else(|| at_receiver(view, side)).map(|finding| (side, finding)))?;
    let alternatives: &[Cause] =
        if side == Side::Client { &[Cause::SplitClientHello, Cause::OneWayPath] } else { &[Cause::PathMtuBlackHole, Cause::OneWayPath] };
    let finding = measured(case, finding.stopped_by(StoppedBy::Network).or_else(alternatives));
    Some(finding.advise(Command::new("nstat -az TcpRetransSegs TcpExtTCPTimeouts")))
}

/// The client left in front of a hole in the server's flight, and what was missing came after that.
fn filled_late(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let ending = view.ended_by(Side::Client)?;
    let left = view.client().fin.map(|(mark, _)| mark).filter(|fin| *fin < ending.mark).unwrap_or(ending.mark);
    let late = view.filled_late(left).filter(|_| view.hello_whole())?;
    let waited = span_text(left.time.since(view.hello_mark()?.time));
    let summary = format!(
        "A part of the server's flight was lost on its way to {}, while what lies behind it arrived; its copy came {} after the client had left, which was {waited} after its ClientHello.",
        case.handshake.client.host(),
        span_text(late.time.since(left.time))
    );
    let finding = Finding::new(Cause::PacketLoss, Confidence::Likely, summary)
        .stopped_by(StoppedBy::Network)
        .shown_by(left, format!("the client's {}, before the missing bytes", if left == ending.mark { ending.name() } else { "FIN" }))
        .shown_by(late, "the missing bytes arrive")
        .noting("the client had acknowledged selectively what lies behind them")
        .or_else(&[Cause::PathMtuBlackHole, Cause::ServerFlightDropped, Cause::ClientTimeout]);
    Some(measured(case, finding).advise(remedy::ping_mtu(case.handshake.server.address, 1500)))
}

/// The client's FIN, which stands behind its ClientHello, came first: an earlier copy of the hello was lost on its way here, and when this one came the client
/// had left.
fn overtaken_by_fin(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let ((fin, at), (_, end)) = view.client().fin.zip(view.hello_span().filter(|_| view.hello_whole()))?;
    let hello = view.hello_first().filter(|hello| hello.frame > fin.frame && at >= end)?;
    if case.handshake.flow.out_of_step > 0 {
        return None;
    }
    let up = case.handshake.flow.established().unwrap_or(case.handshake.flow.first);
    let summary = format!(
        "The ClientHello of {} was lost on its way: its FIN came {} after the connection was up, and a copy of the ClientHello only after that.",
        case.handshake.client.host(),
        span_text(fin.time.since(up.time))
    );
    let finding = Finding::new(Cause::PacketLoss, Confidence::Likely, summary)
        .stopped_by(StoppedBy::Network)
        .shown_by(fin, format!("the client's FIN, behind {} that had not come", counted(at, "byte", "bytes")))
        .shown_by(hello, "the ClientHello arrives")
        .or_else(&[Cause::ClientHelloDropped, Cause::ClientTimeout]);
    Some(measured(case, finding))
}

/// Where it is lost, and how much of it.
fn measured(case: &Case<'_>, finding: Finding) -> Finding {
    finding.advise("Measure the loss on the path and check the counters of both hosts:").advise(remedy::measure_loss(case.handshake))
}

/// Something behind the lost segment arrived, or something before it: the path works, this segment does not get through.
fn at_sender(case: &Case<'_>, view: View<'_>, side: Side) -> Option<Finding> {
    let sender = view.side(side);
    let victim = view.repeated_in_vain(side).max_by_key(|segment| segment.copies)?;
    // Something of this side arrived, or a packet just like it did in another connection: the path works, this one does not get through.
    // So many copies in a row are not lost by chance.
    let like_one = side == Side::Client && same_hello_completed(case) && victim.copies < MANY_COPIES;
    let passes = sender.acked > 0 || sender.outstanding.iter().any(|segment| segment.sacked) || like_one;
    if view.black_hole(side).is_some() || view.oversized(side).is_some() || !passes {
        return None;
    }
    let message = view.message_at(side, victim.offset);
    let damaged = view.arrives_damaged(side);
    let summary = if damaged {
        format!("The {side}'s {} was damaged on its way {}, so that its receiver drops it.", bare(message), times(victim.copies))
    } else {
        format!("The {side}'s {} was lost {} and never arrived.", bare(message), times(victim.copies))
    };
    let finding = Finding::new(Cause::PacketLoss, Confidence::Likely, summary);
    let finding = if damaged { Fate::Damaged.explain(case, finding) } else { finding };
    Some(
        finding
            .weight(Weight::Fallback)
            .resting_on(Suspect::packet(side, victim.first, victim.len))
            .shown_by(victim.first, format!("{message} first sent, {}", counted(victim.ip_len, "byte", "bytes")))
            .shown_by(victim.last, format!("sent for the {} time, never acknowledged", ordinal(victim.copies))),
    )
}

fn at_receiver(view: View<'_>, side: Side) -> Option<Finding> {
    let hole = view.hole(side).filter(|hole| !view.hole_is_full_size(side, *hole))?;
    let message = view.message_at(side, view.side(side).highest.saturating_sub(hole.len + hole.stranded));
    let finding = Finding::new(
        Cause::PacketLoss,
        Confidence::Likely,
        format!("The {side}'s {} lost {}, which were never retransmitted.", bare(message), counted(hole.len, "byte", "bytes")),
    )
    .weight(Weight::Fallback)
    .noting(match (hole.stranded, view.side(side).fin) {
        (0, Some((mark, _))) => {
            format!("the FIN in frame {} comes {} after the last byte that arrived", mark.frame, counted(hole.len, "byte", "bytes"))
        }
        (stranded, _) => format!(
            "a gap of {} was never filled; {stranded} beyond it arrived",
            counted(hole.len, "byte", "bytes"),
            stranded = counted(stranded, "byte", "bytes")
        ),
    });
    Some(match view.side(side).last_data {
        Some(mark) => finding.shown_by(mark, "last packet that arrived, beyond the gap"),
        None => finding,
    })
}

/// A message's name without its sender, for texts that name the sender.
fn bare(message: &'static str) -> &'static str {
    message.strip_prefix("client's ").or_else(|| message.strip_prefix("server's ")).unwrap_or(message)
}

/// A delay that people notice, beyond what a single fast repair costs.
const FELT: Duration = Duration::from_millis(250);
/// So many packets of the server that never came are copies of its answer. One number passed over may have gone to another connection.
const MANY_UNSEEN: u32 = 2;
