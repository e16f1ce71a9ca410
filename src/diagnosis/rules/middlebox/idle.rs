//! `idle-timeout`: a device forgot the connection while it was quiet.

use std::time::Duration;

use crate::diagnosis::against::{Contrary, lowers};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, ordinal, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::wording::times;

pub(super) const RULE: Rule =
    Rule { cause: Cause::IdleTimeout, against: &[lowers(Contrary::DiedWithoutPause)], page: page!("idle-timeout"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    if !view.failed_over_tcp() || !view.is_up() {
        return None;
    }
    Side::BOTH.into_iter().find_map(|side| dropped(case, view, side)).or_else(|| reset(case, view))
}

/// The first segment after the pause is repeated in vain.
fn dropped(case: &Case<'_>, view: View<'_>, side: Side) -> Option<Finding> {
    let segment = view.repeated_in_vain(side).min_by_key(|segment| segment.offset)?;
    let pause = view.pause_before(segment);
    // A SYN-ACK that is repeated means that the connection never was whole.
    let half_open = view.server().syn.is_some_and(|syn| syn.count > 1);
    if pause < SHORTEST_PAUSE || half_open || segment.offset < view.side(side).acked || view.black_hole(side).is_some() {
        return None;
    }
    let message = view.message_at(side, segment.offset);
    let worked_before = view.side(side).acked > 0;
    let typical = pause >= TYPICAL_PAUSE;
    // Devices in use wait half a minute and more; a shorter limit is seldom, and believed where the connection had worked before.
    if !typical && !worked_before {
        return None;
    }
    let confidence = if typical { Confidence::Strong } else { Confidence::Likely };
    Some(finish(
        case,
        Finding::new(
            Cause::IdleTimeout,
            confidence,
            format!("After a pause of {}, the {side}'s {} no longer gets through: it was sent {} and never acknowledged. A device on the path has forgotten the connection.", span_text(pause), short(message), times(segment.copies)),
        )
        .shown_by(segment.first, format!("{message}, after {} without a packet", span_text(pause)))
        .shown_by(segment.last, format!("sent for the {} time", ordinal(segment.copies))),
        &[Cause::OneWayPath, Cause::PacketLoss],
    ))
}

/// The first segment after the pause is answered by a RST of the other side, at once.
fn reset(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let ending = view.first_end()?;
    ending.reset?;
    let asker = ending.side.other();
    let data = view.last_message(asker).filter(|mark| mark.frame < ending.mark.frame)?;
    let pause = view.pause_until(data);
    let at_once = ending.mark.time.since(data.time) <= AT_ONCE.max(view.rtt() * 2);
    let typical = pause >= TYPICAL_PAUSE;
    if pause < RESET_PAUSE || !at_once || view.side(asker).acked >= view.side(asker).highest || case.handshake.deciding_alert().is_some() {
        return None;
    }
    Some(finish(
        case,
        Finding::new(
            Cause::IdleTimeout,
            if typical { Confidence::Strong } else { Confidence::Likely },
            format!(
                "After a pause of {}, the {asker}'s next packet was answered with a RST: a device on the path had forgotten the connection.",
                span_text(pause)
            ),
        )
        .shown_by(data, format!("first packet from the {asker} after {} of silence", span_text(pause)))
        .weight(if typical { Weight::Overrides } else { Weight::Explains })
        .shown_by(ending.mark, format!("RST that claims to come from the {}", ending.side)),
        &[Cause::ServerTimeout, Cause::ServerReset, Cause::ResetInjected],
    ))
}

fn finish(case: &Case<'_>, finding: Finding, alternatives: &[Cause]) -> Finding {
    finding
        .stopped_by(StoppedBy::Network)
        .or_else(alternatives)
        .advise(
            "Find the device with the shortest idle timeout on the path, and raise that timeout; or shorten the pause, or send TCP keep-alives:",
        )
        .advise(Command::new("sysctl -w net.ipv4.tcp_keepalive_time=120 net.ipv4.tcp_keepalive_intvl=30"))
        .advise(Command::new("conntrack -L -p tcp").option("-d", case.handshake.server.address))
}

fn short(message: &'static str) -> &'static str {
    message.strip_prefix("client's ").or_else(|| message.strip_prefix("server's ")).unwrap_or(message)
}

/// A shorter pause is not long enough for any device to forget a connection.
pub(super) const SHORTEST_PAUSE: Duration = Duration::from_secs(3);
/// After a pause this long, a RST to the very next packet is that of a connection forgotten: a server that had given up would have said so
/// when it did.
const RESET_PAUSE: Duration = Duration::from_secs(5);
/// From here on idle limits are common.
pub(super) const TYPICAL_PAUSE: Duration = Duration::from_secs(30);
/// A RST that answers a packet comes within this or two round trips.
const AT_ONCE: Duration = Duration::from_millis(50);
