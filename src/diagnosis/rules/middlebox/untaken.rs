//! What a side sends arrives, and the other side's system takes nothing of it: it answers each copy by what it had acknowledged before. So it does with
//! segments whose timestamp is too old, or whose numbers do not fit.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::remedy::Command;
use crate::diagnosis::view::{View, ordinal, span_text};
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::StoppedBy;
use crate::wording::{count, counted, times};

/// Nothing of the message that begins at this offset of a side's stream is taken. The caller names the cause.
pub(super) fn check(facts: &Handshake, side: Side, start: u64, cause: Cause) -> Option<Finding> {
    let view = View::new(facts);
    let (own, receiver) = (view.side(side), view.side(side.other()));
    let segment = view
        .repeated_in_vain(side)
        .filter(|segment| segment.offset.saturating_add(segment.len.into()) > start)
        .min_by_key(|segment| segment.offset)?;
    let refused = facts.flow.copies_answered(side, segment) && own.acked <= segment.offset;
    // Nor does a side take what comes when it has left, or has been told that the other has.
    let over = Side::BOTH.into_iter().any(|side| view.side(side).fin.is_some_and(|(fin, _)| fin < segment.first));
    let shut = receiver.zero_window.is_some_and(|window| window.lasted_past(segment.first));
    if !view.failed_over_tcp() || !refused || over || shut || view.arrives_damaged(side) {
        return None;
    }
    let other = side.other();
    let message = view.message_at(side, segment.offset);
    let finding = Finding::new(
        cause,
        Confidence::Likely,
        format!(
            "The {message} reaches the {other}'s host, and its TCP takes nothing of it: it was sent {} within {}, and its copies were answered by acknowledgments of what came before.",
            times(segment.copies),
            span_text(segment.last.time.since(segment.first.time))
        ),
    )
    .shown_by(segment.first, format!("{message}, a packet of {}", counted(segment.ip_len, "byte", "bytes")))
    .shown_by(segment.last, format!("sent for the {} time", ordinal(segment.copies)))
    .noting(format!(
        "the {other} sent {} while it was repeated: what is lost draws no answer",
        counted(receiver.duplicate_acks, "duplicate acknowledgment", "duplicate acknowledgments")
    ));
    let finding = match own.clock_behind.zip(own.syn) {
        Some((behind, syn)) => finding
            .stopped_by(StoppedBy::Network)
            .shown_by(syn.first, format!("the {side}'s TCP timestamp here is {} ahead of those of all that it sends again; by RFC 7323 section 5.3 the {other} drops what is older", count(u64::from(behind))))
            .advise("Find the device that answers SYNs in the server's place, or changes TCP timestamps of some packets only (SYN proxy, protection against floods, load balancer): it has to translate the timestamps of a connection, or to leave that option out."),
        None => finding
            .stopped_by(StoppedBy::from(other))
            .advise(format!("Capture on the {side} at the same time, and compare sequence numbers, acknowledgment numbers and timestamps of the same packet: a device that rewrites them for one direction only makes the {other} refuse it.")),
    };
    Some(
        finding
            .or_else(&[Cause::OneWayPath, Cause::PacketLoss])
            .advise(format!("On the {other}, look at what TCP drops:"))
            .advise(Command::new("nstat -az TcpExtPAWSEstab TcpExtTCPACKSkippedPAWS TcpExtTCPACKSkippedSeq TcpExtTCPChallengeACK")),
    )
}
