//! `idle-timeout`: a device forgot the connection while it was quiet.

use std::time::Duration;

use crate::diagnosis::against::{Contrary, lowers, same_hello_without_pause};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{SHORT_PAUSE, View, ordinal, span_text};
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
    Side::BOTH.into_iter().find_map(|side| dropped(case, view, side)).or_else(|| reset(case, view)).or_else(|| reset_by_nat(case, view))
}

/// The first segment after the pause is repeated in vain.
fn dropped(case: &Case<'_>, view: View<'_>, side: Side) -> Option<Finding> {
    let segment = view.repeated_in_vain(side).min_by_key(|segment| segment.offset)?;
    let pause = view.pause_before(segment);
    // A SYN-ACK that is repeated means that the connection never was whole.
    let half_open = view.server().syn.is_some_and(|syn| syn.count > 1);
    if pause < SHORT_PAUSE || half_open || segment.offset < view.side(side).acked || view.black_hole(side).is_some() {
        return None;
    }
    let message = view.message_at(side, segment.offset);
    let worked_before = view.side(side).acked > 0;
    let typical = pause >= TYPICAL_PAUSE;
    // Devices in use wait half a minute and more; a shorter limit is seldom, and believed where the connection had worked before, or one like it
    // that did not pause.
    let like = same_hello_without_pause(case).filter(|_| side == Side::Client && segment.offset == 0);
    if !typical && !worked_before && like.is_none() {
        return None;
    }
    let confidence = if typical { Confidence::Strong } else { Confidence::Likely };
    let finding = Finding::new(
            Cause::IdleTimeout,
            confidence,
            format!("After a pause of {}, the {side}'s {} no longer gets through: it was sent {} and never acknowledged. A device on the path has forgotten the connection.", span_text(pause), short(message), times(segment.copies)),
        )
        .shown_by(segment.first, format!("{message}, after {} without a packet", span_text(pause)))
        .shown_by(segment.last, format!("sent for the {} time", ordinal(segment.copies)));
    let finding = match like {
        Some(like) => finding.shown_by(
            like.start,
            "without a pause a similar ClientHello from this client led to a complete handshake: neither its content nor its size is the reason",
        ),
        None => finding,
    };
    Some(finish(case, finding, &[Cause::OneWayPath, Cause::PacketLoss]))
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
    // A hop counter that the server's packets never have shows a device, which needs no long pause to forget.
    let foreign = ending.side == Side::Server
        && ending
            .reset
            .is_some_and(|reset| view.ttl_distance(Side::Server, reset.ttl) > 0 && !case.knowledge.server_ttls.contains(&reset.ttl));
    if pause < if foreign { SHORT_PAUSE } else { RESET_PAUSE }
        || !at_once
        || view.side(asker).acked >= view.side(asker).highest
        || case.handshake.deciding_alert().is_some()
    {
        return None;
    }
    let finding = Finding::new(
        Cause::IdleTimeout,
        if typical { Confidence::Strong } else { Confidence::Likely },
        format!(
            "After a pause of {}, the {asker}'s next packet was answered with a RST: a device on the path had forgotten the connection.",
            span_text(pause)
        ),
    )
    .shown_by(data, format!("first packet from the {asker} after {} of silence", span_text(pause)))
    .weight(if typical { Weight::Overrides } else { Weight::Explains })
    .shown_by(ending.mark, format!("RST that claims to come from the {}", ending.side));
    let finding = match ending.reset.filter(|_| foreign).zip(view.ttl(Side::Server)) {
        Some((reset, own)) => finding.noting(format!("the RST has TTL {}; the server's own packets have {own}", reset.ttl)),
        None => finding,
    };
    let alternatives: &[Cause] = if foreign {
        &[Cause::ResetInjected, Cause::ServerTimeout, Cause::ServerReset]
    } else {
        &[Cause::ServerTimeout, Cause::ServerReset, Cause::ResetInjected]
    };
    Some(finish(case, finding, alternatives))
}

/// After a silence a side asks whether the other is still there, and is answered by a RST of a system that does not know the connection.
fn reset_by_nat(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let ending = view.first_end().filter(|ending| view.disowns(ending))?;
    let (asker, reset) = (ending.side.other(), ending.reset?);
    let asked = view.side(asker).last_packet.filter(|last| view.side(asker).keepalives > 0 && last.frame < ending.mark.frame)?;
    let at_once = ending.mark.time.since(asked.time) <= AT_ONCE.max(view.rtt() * 2);
    let pause = view.pause_until(asked);
    if !at_once || pause < RESET_PAUSE || case.handshake.deciding_alert().is_some() {
        return None;
    }
    let finding = Finding::new(
        Cause::IdleTimeout,
        Confidence::Likely,
        format!("After a pause of {}, the {asker}'s keep-alive was answered by a system that does not know the connection: a NAT or a firewall on the path had forgotten it, or the {}'s host had restarted.", span_text(pause), ending.side),
    )
    .shown_by(asked, format!("keep-alive of the {asker}, after {} without a packet", span_text(pause)))
    .shown_by(ending.mark, format!("RST without ACK flag that claims to come from the {}", ending.side));
    let finding = match view.ttl(ending.side).filter(|own| *own != reset.ttl) {
        Some(own) => finding.noting(format!("the RST has TTL {}; the {}'s own packets have {own}", reset.ttl, ending.side)),
        None => finding,
    };
    let left = if ending.side == Side::Client { Cause::ClientAborted } else { Cause::ServerAborted };
    Some(finish(case, finding, &[left, Cause::ResetInjected]))
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

/// After a pause this long, a RST to the very next packet is that of a connection forgotten: a server that had given up would have said so
/// when it did.
const RESET_PAUSE: Duration = Duration::from_secs(5);
/// From here on idle limits are common.
pub(super) const TYPICAL_PAUSE: Duration = Duration::from_secs(30);
/// A RST that answers a packet comes within this or two round trips.
const AT_ONCE: Duration = Duration::from_millis(50);
