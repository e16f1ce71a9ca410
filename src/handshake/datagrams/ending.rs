//! How a handshake over UDP ended: by the same definitions as over TCP, from what UDP shows. There is no FIN and no RST; ICMP, repetition and
//! silence say as much.

use std::time::Duration;

use crate::flow::Side;
use crate::handshake::facts::{AlertSeen, Handshake, Outcome, StoppedBy};
use crate::handshake::outcome::{Ending, PATIENCE, completed_or_rejected, owing_side, watched_since};
use crate::packet::IcmpKind;
use crate::time::Mark;
use crate::transport::IcmpNote;

/// An alert that nobody could read but that left its mark: a QUIC endpoint closed in a Handshake packet.
pub(in crate::handshake) fn infer_alerts(h: &mut Handshake) {
    let Some(quic) = &h.quic else { return };
    if !h.alerts.is_empty() || !quic.closes.is_empty() || quic_completed(h).is_some() {
        return;
    }
    let last = Side::BOTH.into_iter().filter_map(|side| h.tcp.side(side).last_packet).max();
    let quiet = last.map_or(Duration::ZERO, |last| watched_since(h, last.time));
    if quiet < CLOSED_QUIET.max(h.server_hello_time().unwrap_or_default() * 6) && !left(h) {
        return;
    }
    let (client, server) = (quic.handshakes.client, quic.handshakes.server);
    let brief = client.first.zip(client.last).is_some_and(|(first, last)| last.time.since(first.time) < CLOSED_QUIET);
    // Who has no more to say after its Handshake packet gave up there: one that finished goes on with 1-RTT packets, one that waits for more
    // repeats itself.
    let seen = if quic.opened.client == 0 && quic.shorts.client.count == 0 && server.count > 0 && brief && quic.repeats.client == 0 {
        client.last.map(|mark| (Side::Client, mark))
    } else if let Some(finished) = h.finished.client
        && h.application_data.server.is_none()
        && quic.opened.server == 0
    {
        server.last.filter(|last| *last > finished).map(|mark| (Side::Server, mark))
    } else {
        None
    };
    if let Some((from, mark)) = seen {
        h.alerts.push(AlertSeen { from, alert: None, encrypted: true, mark, after_handshake: false, consequence: false });
        h.hidden.client_alert_instead_of_finished = from == Side::Client;
    }
}

/// How it ended.
pub(in crate::handshake) fn ending(h: &Handshake, stall_after: Duration) -> Ending {
    let completed = if h.quic.is_some() { quic_completed(h) } else { completed_or_rejected(h) };
    if let Some(ending) = completed {
        return ending;
    }
    if let Some(alert) = h.deciding_alert() {
        return Ending::new(Outcome::Alerted, alert.from, alert.mark);
    }
    if let Some(quic) = h.quic.as_ref().filter(|quic| quic.no_common_version()) {
        return Ending::new(Outcome::Refused, Side::Client, quic.negotiation.as_ref().map(|(mark, _)| *mark));
    }
    if let Some(note) = refusal(h) {
        let by_host = note.kind == IcmpKind::PortUnreachable && note.reporter == h.server.address;
        return Ending::new(Outcome::Refused, if by_host { StoppedBy::Server } else { StoppedBy::Network }, note.mark);
    }
    if h.client_hellos.is_empty() && h.partial_client_hello.is_none() {
        return Ending::new(Outcome::Incomplete, StoppedBy::Capture, None);
    }
    if Side::BOTH.into_iter().any(|side| h.tcp.side(side).snaplen_cut > 0) && h.server_hello.is_none() {
        return Ending::new(Outcome::Incomplete, StoppedBy::Capture, None);
    }
    if heard_unseen(h) {
        return Ending::new(Outcome::Incomplete, StoppedBy::Capture, None);
    }
    if let Some(mark) = in_vain(h) {
        return Ending::new(Outcome::Stalled, StoppedBy::Network, mark);
    }
    if let Some(close) = h.quic.as_ref().and_then(|quic| quic.closes.first()) {
        return Ending::new(Outcome::Closed, close.from, close.mark);
    }
    if left(h) {
        let mark = h.tcp.icmp.iter().find(|note| note.about == Side::Server).map(|note| note.mark);
        return Ending::new(Outcome::Closed, Side::Client, mark);
    }
    let progress = Side::BOTH.into_iter().filter_map(|side| h.tcp.side(side).last_data).max().unwrap_or(h.tcp.first);
    let silence = watched_since(h, progress.time);
    // Both protocols repeat by timers of a second and less what is not answered: who waits is not silent for so long.
    if silence >= PATIENCE.min(stall_after) {
        let who = if answered(h) { owing_side(h).into() } else { StoppedBy::Network };
        return Ending::new(Outcome::Stalled, who, None);
    }
    Ending::new(Outcome::Incomplete, StoppedBy::Capture, None)
}

/// The server sent anything of QUIC or DTLS.
pub(in crate::handshake) fn answered(h: &Handshake) -> bool {
    match &h.dtls {
        Some(dtls) => dtls.datagrams.server.count > 0,
        None => h.tcp.side(Side::Server).packets > 0,
    }
}

/// The client goes on as only one that was answered does, and the answers are not in the capture. A client that waits in vain repeats itself
/// within a second or two: one that does not was answered, too.
fn heard_unseen(h: &Handshake) -> bool {
    if answered(h) || !h.tcp.icmp.is_empty() {
        return false;
    }
    let (went_on, repeats) = match (&h.quic, &h.dtls) {
        (Some(quic), _) => {
            (quic.acked.server.is_some() || quic.handshakes.client.count > 0 || quic.shorts.client.count > 0, quic.repeats.client)
        }
        (None, Some(dtls)) => (dtls.hellos_with_cookie.count > 0 || h.client_key_exchange.is_some(), dtls.repeats.client),
        (None, None) => (false, 0),
    };
    went_on || repeats == 0
}

/// 1-RTT packets of both sides, the server's after the client's Finished: both accepted it.
fn quic_completed(h: &Handshake) -> Option<Ending> {
    let (client, server) = (h.finished.client?, h.application_data.server?);
    h.server_hello.as_ref()?;
    Some(Ending::new(Outcome::Completed, StoppedBy::Nobody, client.max(server)))
}

/// An ICMP error that says that the client's packets do not get to the server, which never spoke.
fn refusal(h: &Handshake) -> Option<&IcmpNote> {
    if answered(h) {
        return None;
    }
    h.tcp.icmp.iter().find(|note| note.about == Side::Client && !matches!(note.kind, IcmpKind::TooBig(_) | IcmpKind::Other))
}

/// The client's host says that nobody waits for the server's packets any more.
fn left(h: &Handshake) -> bool {
    h.tcp.icmp.iter().any(|note| note.about == Side::Server && note.kind == IcmpKind::PortUnreachable)
}

/// The last of several datagrams that a side sent again without anything new coming of it.
fn in_vain(h: &Handshake) -> Option<Mark> {
    let progress = Side::BOTH.into_iter().filter_map(|side| h.tcp.side(side).last_data).max();
    let (repeats, repeated) = match (&h.quic, &h.dtls) {
        (Some(quic), _) => (quic.repeats, quic.repeated),
        (None, Some(dtls)) => (dtls.repeats, dtls.repeated),
        (None, None) => return None,
    };
    Side::BOTH.into_iter().find_map(|side| {
        let (_, last) = (*repeated.of(side))?;
        (*repeats.of(side) >= REPEATS && progress.is_none_or(|progress| last > progress)).then_some(last)
    })
}

/// Repetitions from which on it is no chance: with the first that makes three of the same.
const REPEATS: u32 = 2;
/// After a close both sides are quiet at once; one that waits repeats itself sooner than this on most paths.
const CLOSED_QUIET: Duration = Duration::from_millis(300);
