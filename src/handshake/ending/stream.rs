//! How a handshake over TCP ended.

use std::time::Duration;

use super::finished::completed_or_rejected;
use super::over::{Ending, Over, PATIENCE, Terminator, in_vain, one_direction, owing, readable_or_whole, watched_since};
use crate::flow::Side;
use crate::handshake::facts::{AlertSeen, Outcome, Protocol, StoppedBy, deciding};
use crate::packet::IcmpKind;
use crate::preamble::Upgrade;
use crate::time::Mark;
use crate::transport::Outstanding;

pub(super) fn ending(h: &Over<'_>, alerts: &[AlertSeen], stall_after: Duration) -> Ending {
    if let Some(ending) = completed_or_rejected(h, alerts) {
        return ending;
    }
    // Who spoke first, and last, does not show: what can be read must do.
    if h.flow.out_of_step > 0 && deciding(alerts).is_none_or(|alert| alert.alert.is_none()) {
        return Ending::new(Outcome::Incomplete, StoppedBy::Capture, None);
    }
    let spoke_tls = h.protocol != Protocol::Other;
    if let Some(side) = Side::BOTH.into_iter().find(|side| h.plaintext.of(*side).is_some()) {
        if answers_what_is_missing(h, side) {
            return Ending::new(Outcome::Incomplete, StoppedBy::Capture, None);
        }
        let mark = h.plaintext.of(side).as_ref().map(|seen| seen.mark);
        return Ending::new(Outcome::Plaintext, side, mark);
    }
    if began_before(h, alerts) {
        return Ending::new(Outcome::Incomplete, StoppedBy::Capture, None);
    }
    if let Some(alert) = deciding(alerts)
        && readable_or_whole(h, alert)
    {
        return Ending::new(Outcome::Alerted, alert.from, alert.mark);
    }
    if !spoke_tls && let Some(ending) = refused_upgrade(h) {
        return ending;
    }
    if let Some(ending) = never_up(h) {
        return ending;
    }
    let ends = Side::BOTH.map(|side| h.first_end(side));
    // A FIN that acknowledges another's, which the capture lacks, is the second.
    let end = ends.into_iter().flatten().min_by_key(|end| (end.mark, h.flow.side(end.side).fin.is_some()));
    if let Some(ending) = blind(h, end) {
        return ending;
    }
    if let Some(ending) = stalled(h, end, stall_after) {
        return ending;
    }
    match end {
        Some(end) => {
            let waited = h.flow.elapsed(last_progress(h, Some(end)), end.mark) >= A_WAIT;
            let says = |alert: &&AlertSeen| alert.from == end.side && !alert.consequence && !alert.after_handshake;
            if let Some(warning) = alerts.iter().find(says).filter(|alert| h.farewell() != Some(alert.mark) || !waited) {
                return Ending::new(Outcome::Alerted, warning.from, warning.mark);
            }
            let outcome = if end.reset { Outcome::Reset } else { Outcome::Closed };
            Ending::new(outcome, end.side, end.mark)
        }
        None => Ending::new(Outcome::Incomplete, StoppedBy::Capture, None),
    }
}

/// What the server said in clear came before the client's hello, of which side the capture lacks bytes: it answers those, a CONNECT or the request for
/// TLS.
fn answers_what_is_missing(h: &Over<'_>, side: Side) -> bool {
    let hello = h.client_hellos.first().map(|hello| hello.first);
    let said = h.plaintext.of(side).as_ref().map(|seen| seen.first);
    let earlier = said.zip(hello).is_some_and(|(said, hello)| said < hello);
    side == Side::Server && earlier && h.flow.side(Side::Client).gap_bytes_acked > 0
}

/// A STARTTLS or proxy dialogue that did not lead to TLS.
fn refused_upgrade(h: &Over<'_>) -> Option<Ending> {
    let preamble = h.preamble.as_ref()?;
    let proxy = preamble.dialect.is_proxy();
    match preamble.upgrade {
        Upgrade::Demanded
        | Upgrade::Refused
        | Upgrade::Unavailable
        | Upgrade::NotOffered
        | Upgrade::AuthRequired
        | Upgrade::UpstreamFailed => {
            let who = if proxy { StoppedBy::Network } else { StoppedBy::Server };
            Some(Ending::new(Outcome::Plaintext, who, preamble.answered))
        }
        Upgrade::NotAsked | Upgrade::Asked | Upgrade::Granted | Upgrade::Hidden => None,
    }
}

/// TCP never came up.
fn never_up(h: &Over<'_>) -> Option<Ending> {
    let (client, server) = (h.flow.side(Side::Client), h.flow.side(Side::Server));
    if h.flow.established().is_some() || client.data_packets > 0 || server.data_packets > 0 {
        return None;
    }
    let incomplete = || Some(Ending::new(Outcome::Incomplete, StoppedBy::Capture, None));
    let Some(syn) = client.syn else {
        // A SYN-ACK proves that there was a SYN: the capture lacks packets, and what else it lacks nobody knows.
        return server.syn.and_then(|_| incomplete());
    };
    if let Some(reset) = server.resets.iter().find(|reset| reset.to_syn) {
        return Some(Ending::new(Outcome::Refused, Side::Server, reset.mark));
    }
    if let Some(note) = h.flow.icmp.iter().find(|note| note.about == Side::Client && !matches!(note.kind, IcmpKind::TooBig(_))) {
        return Some(Ending::new(Outcome::Refused, StoppedBy::Network, note.mark));
    }
    match server.syn {
        None if syn.count > 1 => Some(Ending::new(Outcome::Refused, StoppedBy::Network, syn.last)),
        // Who waits for an answer asks again within a second or three: this one left, or was answered and the capture lacks that.
        None => incomplete(),
        Some(answer) if answer.count > 1 || watched_since(h, answer.last.time) >= PATIENCE => {
            let end = h.first_end(Side::Client).filter(|end| end.reset);
            match end {
                Some(end) => Some(Ending::new(Outcome::Reset, Side::Client, end.mark)),
                None => Some(Ending::new(Outcome::Stalled, StoppedBy::Network, answer.last)),
            }
        }
        _ => None,
    }
}

/// TCP never leaves data unacknowledged without sending it again: where nothing of either is seen though the capture went on, it was not
/// seen because the capture lacks it. The same goes for a hole that neither side minds in a connection whose beginning is missing.
fn impossible_silence(h: &Over<'_>, side: Side) -> bool {
    let (facts, other) = (h.flow.side(side), h.flow.side(side.other()));
    let seen_by_receiver = |sent: &Outstanding| sent.sacked || h.flow.waits_behind_hole(side, sent);
    let gone = |sent: &Outstanding| sent.copies == 1 && !seen_by_receiver(sent) && watched_since(h, sent.last.time) >= PATIENCE;
    // A RST of the other side ends all repetition.
    let over = facts.fin.is_some() || !facts.resets.is_empty() || !other.resets.is_empty();
    let never_again = facts.retransmits == 0 && facts.outstanding.iter().any(gone) && !over;
    let unminded_hole = !h.flow.saw_start() && facts.stranded_bytes > 0 && facts.retransmits == 0 && other.duplicate_acks == 0;
    never_again || unminded_hole
}

/// It was under way before the capture began, and what was seen is not of its handshake: a connection in use, and the encrypted alert that
/// closes it in order. An alert in clear is one of a handshake.
fn began_before(h: &Over<'_>, alerts: &[AlertSeen]) -> bool {
    let in_clear = deciding(alerts).is_some_and(|alert| alert.alert.is_some());
    !h.flow.saw_start() && h.client_hellos.is_empty() && !in_clear
}

/// The capture cannot show how it ended: one direction only, a beginning that is missing, holes where the answer stood.
fn blind(h: &Over<'_>, end: Option<Terminator>) -> Option<Ending> {
    let incomplete = || Some(Ending::new(Outcome::Incomplete, StoppedBy::Capture, end.map(|end| end.mark)));
    let (client, server) = (h.flow.side(Side::Client), h.flow.side(Side::Server));
    if one_direction(h).is_some() {
        return incomplete();
    }
    if Side::BOTH.into_iter().any(|side| impossible_silence(h, side)) || h.flow.is_picked_out() && end.is_none() {
        return incomplete();
    }
    // The client took an answer that is not here, or only as a damaged copy; or the server served what came early, and the client's last word is not here.
    let served = |end: Terminator| end.side == Side::Server && !end.reset && h.finished.client.is_none() && h.served_early(end.mark);
    if h.went_on_unanswered().is_some() || end.is_some_and(served) {
        return incomplete();
    }
    let lost = client.gap_bytes_acked + server.gap_bytes_acked;
    let cut = client.snaplen_cut + server.snaplen_cut;
    // The receiver acknowledged bytes that were never captured.
    let unseen = client.acked > client.highest + 1 || server.acked > server.highest + 1;
    (lost > 0 || cut > 0 || unseen).then(incomplete).flatten()
}

/// Nothing moved for too long, or what was sent again and again was never answered.
fn stalled(h: &Over<'_>, end: Option<Terminator>, stall_after: Duration) -> Option<Ending> {
    for side in Side::BOTH {
        let facts = h.flow.side(side);
        if let Some(zero) = facts.zero_window
            && zero.reopened.is_none()
            && watched_since(h, zero.first.time) >= PATIENCE
        {
            return Some(Ending::new(Outcome::Stalled, side, zero.last));
        }
    }
    let unanswered = Side::BOTH
        .into_iter()
        .filter_map(|side| h.flow.side(side).outstanding.iter().max_by_key(|sent| sent.copies).map(|sent| (side, sent)))
        // What is said into a connection that the other side has closed is no part of the handshake.
        .filter(|(side, sent)| end.is_none_or(|end| end.side == *side || sent.first.frame < end.mark.frame))
        .find(|(_, sent)| in_vain(h, sent));
    if let Some((side, sent)) = unanswered {
        // What arrives, and is not taken, nobody on the way has kept.
        let who = if h.flow.copies_answered(side, sent) { StoppedBy::from(side.other()) } else { StoppedBy::Network };
        return Some(Ending::new(Outcome::Stalled, who, sent.last));
    }
    // Within a message there is no time to think: its rest is due at once, and a hole in the stream is filled within a retransmission or two.
    let torn = Side::BOTH.into_iter().find(|side| {
        let partial = match side {
            Side::Client => h.partial_client_hello,
            Side::Server => h.partial_server_message,
        };
        partial.is_some() || h.flow.side(*side).stranded_bytes > 0
    });
    if let Some(side) = torn
        && end.is_none()
        && watched_since(h, last_progress(h, None).time) >= PATIENCE
    {
        return Some(Ending::new(Outcome::Stalled, StoppedBy::Network, h.flow.side(side).last_data));
    }
    let owing = owing(h);
    let progress = last_progress(h, end);
    let silence = match end {
        Some(end) => h.flow.elapsed(progress, end.mark),
        None => watched_since(h, progress.time),
    };
    let patience = match end {
        // The side that waited gave up.
        Some(end) if end.side != owing => PATIENCE.min(stall_after),
        _ => stall_after,
    };
    (silence >= patience).then(|| Ending::new(Outcome::Stalled, owing, end.map(|end| end.mark)))
}

/// The last packet that brought something new, before the end if there is one.
fn last_progress(h: &Over<'_>, end: Option<Terminator>) -> Mark {
    let mut progress = h.flow.established().unwrap_or(h.flow.first);
    let farewell = h.farewell();
    for side in Side::BOTH {
        let facts = h.flow.side(side);
        for mark in [facts.first_data, facts.last_data].into_iter().flatten() {
            if mark > progress && end.is_none_or(|end| mark <= end.mark) && farewell != Some(mark) {
                progress = mark;
            }
        }
    }
    progress
}

/// A client that says goodbye after so long gave up waiting.
const A_WAIT: Duration = Duration::from_secs(1);
