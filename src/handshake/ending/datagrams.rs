//! How a handshake over UDP ended: by the same definitions as over TCP, from what UDP shows. There is no FIN and no RST; ICMP, repetition and
//! silence say as much.

use std::time::Duration;

use super::finished::{completed_or_rejected, finished_out_of_view, is_farewell};
use super::over::{Ending, NO_ANSWER, Over, PATIENCE, owing, watched_since};
use crate::flow::Side;
use crate::handshake::facts::{AlertSeen, ClosedBy, Fact, Observed, Outcome, QuicFacts, StoppedBy, Talk, deciding};
use crate::packet::IcmpKind;
use crate::quic::close;
use crate::time::Mark;
use crate::transport::IcmpNote;

/// An alert that nobody could read but that left its mark, a QUIC endpoint that closed in a Handshake packet: who sent it, and where.
pub(in crate::handshake) fn inferred_alert(h: &Over<'_>) -> Option<(Side, Mark)> {
    let quic = h.quic.as_ref()?;
    let answered = quic.answered_close();
    let told = !h.read_alerts.is_empty() || !quic.closes.is_empty() && answered.is_none();
    if told || quic.resets.count > 0 || completes(h, h.finished.client).is_some() || server_is_gone(h).is_some() {
        return None;
    }
    if let Some(mark) = answered.filter(|_| quic.opened.client == 0) {
        return Some((Side::Client, mark));
    }
    let by_form = quic.repeats_its_close().filter(|_| quic.opened.server == 0).map(|mark| (Side::Server, mark));
    by_form.or_else(|| closed_by_size(h, quic)).or_else(|| closed_in_silence(h, quic))
}

/// Enters what follows from such an alert of this side.
pub(in crate::handshake) fn enter_inferred(h: &mut Observed, from: Side) {
    h.hidden.client_alert_instead_of_finished = from == Side::Client;
    if from == Side::Server && !h.decrypted {
        judge_of_client(h);
    }
}

/// A server that closes behind the client's Finished, by an Initial packet that everybody can read, judged what the client sent.
pub(in crate::handshake) fn enter_read(h: &mut Observed) {
    let finished = h.finished.client;
    let judged = h.quic.as_ref().and_then(|quic| quic.close_of(Side::Server)).is_some_and(|close| {
        close.in_initial && close::alert(close.code).is_some() && finished.is_some_and(|finished| close.mark > finished)
    });
    if judged && !h.decrypted {
        judge_of_client(h);
    }
}

/// All that a server can refuse after the client's Finished is the client's certificate, or that there is none: it asked for one, and the size of
/// the client's Handshake packets, padding included, tells what is likely in them.
fn judge_of_client(h: &mut Observed) {
    let resumed = h.server_hello.as_ref().is_some_and(|hello| hello.what.selected_psk().is_some());
    let Some(sent) = h.quic.as_ref().map(|quic| quic.handshakes.client).filter(|_| !resumed) else { return };
    let Some(mark) = sent.last else { return };
    h.hidden.certificate_requested = Fact::Happened(mark);
    h.hidden.client_certificate_empty = sent.bytes < u64::from(LEAST_CERTIFICATE) || FILLED.contains(&sent.bytes);
    h.hidden.client_certificate_sent = !h.hidden.client_certificate_empty;
}

/// The client's last word is a Handshake packet that is larger than a Finished and smaller than a certificate: it closes, and gives a reason.
fn closed_by_size(h: &Observed, quic: &QuicFacts) -> Option<(Side, Mark)> {
    let (len, mark) = quic.last_alone.client?;
    let finished = 4 + h.cipher().map_or(32, |suite| u32::from(suite.hash_len()));
    let reason = finished + EMPTY_CERTIFICATE + AROUND_FINISHED..LEAST_CERTIFICATE;
    let went_on = quic.opened.client > 0 || quic.shorts.client.count > 0 || quic.shorts.server.last.is_some_and(|last| last > mark);
    (reason.contains(&len) && !went_on).then_some((Side::Client, mark))
}

/// Who has no more to say after its Handshake packet gave up there: one that finished goes on with 1-RTT packets, one that waits for more
/// repeats itself.
fn closed_in_silence(h: &Over<'_>, quic: &QuicFacts) -> Option<(Side, Mark)> {
    let last = Side::BOTH.into_iter().filter_map(|side| h.flow.side(side).last_packet).max();
    let quiet = last.map_or(Duration::ZERO, |last| watched_since(h, last.time));
    if quiet < CLOSED_QUIET.max(h.server_hello_time().unwrap_or_default() * 6) && !left(h) {
        return None;
    }
    // The server's last word is a Handshake packet in answer to the client's, for which it would have no keys if it had taken the Finished.
    if quic.closing.count > 0 && quic.opened.server == 0 && quic.closing.last == last {
        return quic.closing.first.map(|mark| (Side::Server, mark));
    }
    let (client, server) = (quic.handshakes.client, quic.handshakes.server);
    let brief = client.first.zip(client.last).is_some_and(|(first, last)| last.time.since(first.time) < CLOSED_QUIET);
    if quic.opened.client == 0 && quic.shorts.client.count == 0 && server.count > 0 && brief && !repeats_its_answer(quic) {
        client.last.map(|mark| (Side::Client, mark))
    } else if let Some(finished) = h.finished.client
        && h.application_data.server.is_none()
        && quic.opened.server == 0
    {
        server.last.filter(|last| *last > finished).map(|mark| (Side::Server, mark))
    } else {
        None
    }
}

/// The client sent again what it had answered the server with. A hello that went out twice before tells nothing, nor does a last packet of the size of an
/// acknowledgment: a close without a reason has that size, too.
fn repeats_its_answer(quic: &QuicFacts) -> bool {
    let (Some((_, again)), Some(first)) = (quic.repeated.client, quic.handshakes.client.first) else { return false };
    let brief = quic.last_alone.client.is_some_and(|(len, mark)| len < QuicFacts::LEAST_FINISHED && mark == again);
    // What it sent twice before its last word were acknowledgments, where all of it together is no larger than so many of them.
    let acked = quic.last_alone.client.is_some_and(|(len, mark)| {
        let before = quic.handshakes.client.bytes.saturating_sub(len.into());
        again < mark && before <= u64::from(quic.handshakes.client.count.saturating_sub(1)) * u64::from(QuicFacts::LARGEST_ACK)
    });
    again > first && !brief && !acked
}

/// How it ended.
pub(super) fn ending(h: &Over<'_>, alerts: &[AlertSeen], stall_after: Duration) -> Ending {
    let completed = if h.quic.is_some() { completes(h, h.finished.client) } else { completed_or_rejected(h, alerts) };
    if let Some(ending) = completed.or_else(|| completed_out_of_view(h, alerts)) {
        return ending;
    }
    // Who spoke first, and last, does not show: what can be read must do. Nor does what was cut off show whether an alert behind it refuses.
    let unread = deciding(alerts).map(|alert| alert.alert.is_none());
    let cut = Side::BOTH.into_iter().any(|side| h.flow.side(side).snaplen_cut > 0);
    if h.flow.out_of_step > 0 && unread != Some(false) || cut && unread == Some(true) {
        return Ending::new(Outcome::Incomplete, StoppedBy::Capture, None);
    }
    let refused = refusal(h);
    // A client whose packets are refused may still say that it gives up.
    let first = |note: &&IcmpNote| deciding(alerts).is_none_or(|alert| alert.from == Side::Client && note.mark < alert.mark);
    if let Some(note) = refused.filter(first) {
        let by_host = note.kind == IcmpKind::PortUnreachable && note.reporter == h.flow.ends().1.address;
        return Ending::new(Outcome::Refused, if by_host { StoppedBy::Server } else { StoppedBy::Network }, note.mark);
    }
    if let Some(alert) = deciding(alerts) {
        return Ending::new(Outcome::Alerted, alert.from, alert.mark);
    }
    // The client says goodbye, and what the server answered to its Finished is not there.
    if h.read_alerts.iter().any(|read| is_farewell(h, read)) && h.finished.server.is_none() && repeats(h, Side::Client).0 == 0 {
        return Ending::new(Outcome::Incomplete, StoppedBy::Capture, None);
    }
    if let Some(quic) = h.quic.as_ref().filter(|quic| quic.resets.count > 0) {
        return Ending::new(Outcome::Closed, Side::Server, quic.resets.first);
    }
    if let Some(quic) = h.quic.as_ref().filter(|quic| quic.no_common_version()) {
        return Ending::new(Outcome::Refused, Side::Client, quic.negotiation.as_ref().map(|(mark, _)| *mark));
    }
    // The address is never validated, so that nothing comes up.
    if let Some(quic) = h.quic.as_ref().filter(|quic| quic.retries_after_token > 0 && quic.initials.server.count == 0) {
        return Ending::new(Outcome::Refused, Side::Server, quic.retry.last);
    }
    let incomplete = Ending::new(Outcome::Incomplete, StoppedBy::Capture, None);
    if h.client_hellos.is_empty() && h.partial_client_hello.is_none() || cut && h.server_hello.is_none() {
        return incomplete;
    }
    if let Some(mark) = server_is_gone(h) {
        return Ending::new(Outcome::Closed, Side::Server, mark);
    }
    if heard_unseen(h) {
        return incomplete;
    }
    if let Some(mark) = left_before_the_answer(h) {
        return Ending::new(Outcome::Closed, Side::Client, mark);
    }
    if let Some((who, mark)) = in_vain(h) {
        return Ending::new(Outcome::Stalled, who, mark);
    }
    if let Some(close) = h.quic.as_ref().and_then(|quic| quic.closes.first()) {
        return Ending::new(Outcome::Closed, close.from, close.mark);
    }
    if left(h) {
        let mark = h.flow.icmp.iter().find(|note| note.about == Side::Server).map(|note| note.mark);
        return Ending::new(Outcome::Closed, Side::Client, mark);
    }
    if both_fell_silent(h) {
        return incomplete;
    }
    let progress = Side::BOTH.into_iter().filter_map(|side| h.flow.side(side).last_data).max().unwrap_or(h.flow.first);
    let silence = watched_since(h, progress.time);
    // Both protocols repeat by timers of a second and less what is not answered: who waits is not silent for so long.
    if silence >= PATIENCE.min(stall_after) {
        let who = if answered(h) { owing(h).into() } else { StoppedBy::Network };
        return Ending::new(Outcome::Stalled, who, None);
    }
    incomplete
}

/// The server sent anything of QUIC or DTLS.
fn answered(h: &Over<'_>) -> bool {
    match &h.dtls {
        Some(dtls) => dtls.datagrams.server.count > 0,
        None => h.flow.side(Side::Server).packets > 0,
    }
}

/// The same, in the capture or before it: a client that has a cookie was given it.
fn was_answered(h: &Over<'_>) -> bool {
    answered(h) || h.dtls.as_ref().is_some_and(|dtls| dtls.hellos_with_cookie.count > 0)
}

/// The client goes on as only one that was answered does, and the answers are not in the capture. A client that waits in vain repeats itself
/// within a second or two: one that does not was answered, too, unless it closed before.
fn heard_unseen(h: &Over<'_>) -> bool {
    if answered(h) || h.flow.icmp.iter().any(|note| note.about == Side::Client) {
        return false;
    }
    // Its own host refuses what the server sent.
    if !h.flow.icmp.is_empty() {
        return true;
    }
    let (went_on, gave_up) = match (&h.quic, &h.dtls) {
        (Some(quic), _) => (
            quic.acked.server.is_some() || quic.handshakes.client.count > 0 || quic.shorts.client.count > 0,
            quic.repeats.client > 0 || quic.close_of(Side::Client).is_some(),
        ),
        (None, Some(dtls)) => {
            let answers = h.client_key_exchange.is_some() || !h.encrypted.client.is_empty();
            (dtls.hellos_with_cookie.count > 0 || answers, dtls.repeats.client > 0)
        }
        (None, None) => (false, false),
    };
    went_on || !gave_up
}

/// Neither side of a QUIC connection repeats what the other has not acknowledged, for much longer than any timer lasts: the capture lacks packets.
/// A server must not, once it has sent three times what it got from an address that is not validated (RFC 9000 section 8.1).
fn both_fell_silent(h: &Over<'_>) -> bool {
    let (Some(quic), Some(_)) = (&h.quic, &h.server_hello) else { return false };
    let (client, server) = (h.flow.side(Side::Client), h.flow.side(Side::Server));
    let Some(last) = client.last_packet.max(server.last_packet) else { return false };
    let validated = quic.token.is_some() || quic.handshakes.client.count > 0;
    let limited = !validated && server.bytes_seen + AMPLIFIED_ROOM >= 3 * client.bytes_seen;
    let repeats = quic.repeats.client + quic.repeats.server > 0;
    watched_since(h, last.time) >= PATIENCE && !repeats && !(limited && quic.talk.unanswered.server.is_some())
}

/// A QUIC handshake whose client finished by this packet is complete: 1-RTT packets of both sides, the server's after the client's Finished, so
/// that both accepted it. Where the ServerHello could not be read, several of each. Nothing that comes later changes it.
pub(in crate::handshake) fn completes(h: &Observed, finished: Option<Mark>) -> Option<Ending> {
    let quic = h.quic.as_ref()?;
    let (client, server) = (finished?, h.application_data.server?);
    let certain = h.server_hello.is_some() || quic.shorts.client.count.min(quic.shorts.server.count) >= WITHOUT_HELLO;
    let closed = quic.opened.server == 0 && quic.repeats_its_close().is_some() || quic.is_reset() || quic.closed_before_the_end();
    (certain && !closed).then(|| Ending::new(Outcome::Completed, StoppedBy::Nobody, client.max(server)))
}

/// A side that says no more than an alert which cannot be read says goodbye then.
fn completed_out_of_view(h: &Over<'_>, alerts: &[AlertSeen]) -> Option<Ending> {
    let refused = alerts.iter().any(|seen| seen.alert.is_some_and(|alert| alert.fatal));
    let done = finished_out_of_view(h).filter(|_| !refused)?;
    Some(Ending::new(Outcome::Completed, StoppedBy::Nobody, done))
}

/// An ICMP error that says that the client's packets do not get to the server, which never spoke.
pub(super) fn refusal<'a>(h: &Over<'a>) -> Option<&'a IcmpNote> {
    if was_answered(h) {
        return None;
    }
    h.flow.icmp.iter().find(|note| note.about == Side::Client && !matches!(note.kind, IcmpKind::TooBig(_) | IcmpKind::Other))
}

/// The server's host says that nobody listens any more, though something answered before, and nothing of the server follows but what was on its
/// way when the client heard that and fell silent.
pub(in crate::handshake) fn server_is_gone(h: &Over<'_>) -> Option<Mark> {
    let says_so =
        |note: &&IcmpNote| note.about == Side::Client && note.kind == IcmpKind::PortUnreachable && note.reporter == h.flow.ends().1.address;
    let note = h.flow.icmp.iter().find(says_so).filter(|_| was_answered(h))?;
    let before = |side: Side| h.flow.side(side).last_packet.is_some_and(|last| last < note.mark);
    (before(Side::Server) || before(Side::Client)).then_some(note.mark)
}

/// The client's host says that nobody waits for the server's packets any more.
pub(super) fn left(h: &Over<'_>) -> bool {
    h.flow.icmp.iter().any(|note| note.about == Side::Server && note.kind == IcmpKind::PortUnreachable)
}

/// The client's own host says that nobody waits there any more for what the server sends, and nothing of the client follows.
pub(in crate::handshake) fn client_is_gone(h: &Over<'_>) -> Option<Mark> {
    let client = h.flow.ends().0.address;
    let says_so = |note: &&IcmpNote| note.about == Side::Server && note.kind == IcmpKind::PortUnreachable && note.reporter == client;
    let note = h.flow.icmp.iter().find(says_so).filter(|_| was_answered(h))?;
    h.flow.side(Side::Client).last_packet.is_some_and(|last| last < note.mark).then_some(note.mark)
}

/// The same of the first of the server's packets that reach the client: it had left before it was answered. Had others arrived before, it would
/// have gone on; had they been lost, it would have repeated itself, and the packet quoted were not the server's first.
fn left_before_the_answer(h: &Over<'_>) -> Option<Mark> {
    let mut notes = h.flow.icmp.iter().filter(|note| note.about == Side::Server && note.kind == IcmpKind::PortUnreachable);
    let note = notes.next()?;
    let (client, server) = (h.flow.side(Side::Client), h.flow.side(Side::Server));
    let quiet_since = client.last_packet.is_some_and(|last| server.first_data.is_some_and(|answer| last < answer));
    let talk = talk(h)?;
    let [one, two] = talk.first_sizes.server;
    let headers = |note: &IcmpNote, size: u32| note.quoted_len.checked_sub(size).filter(|headers| HEADERS.contains(headers));
    let (second, first) = (notes.next(), headers(note, one));
    let in_order = first.is_some() && second.is_none_or(|second| headers(second, two) == first);
    // Two datagrams of one burst may overtake each other.
    let overtaken = || second.is_some_and(|second| headers(note, two).is_some_and(|first| headers(second, one) == Some(first)));
    let quotes_the_first = in_order || overtaken();
    let gone = client.last_packet.is_none_or(|last| last < note.mark);
    (gone && quotes_the_first && (quiet_since || h.flow.icmp.len() > 1)).then_some(note.mark)
}

/// Packets that go out again and again without anything coming of it, and who is to answer for that. A close at the end does not undo the silence
/// before it.
pub(super) fn in_vain(h: &Over<'_>) -> Option<(StoppedBy, Mark)> {
    let (client, server) = (waits_in_vain(h, Side::Client), waits_in_vain(h, Side::Server));
    match (client, server) {
        (Some(mark), _) => Some((StoppedBy::Network, server.map_or(mark, |other| mark.max(other)))),
        // A client that lacks the server's answer repeats itself as well. One that does not is silent.
        (None, Some(_)) if refused_at_once(h) => None,
        (None, Some(mark)) if repeats(h, Side::Client).0 == 0 && h.quic.is_some() => Some((StoppedBy::Client, mark)),
        (None, Some(mark)) => Some((StoppedBy::Network, mark)),
        (None, None) => None,
    }
}

/// What the server sent again came to a client that was gone already: its silence is none.
fn refused_at_once(h: &Over<'_>) -> bool {
    let Some(gone) = client_is_gone(h) else { return false };
    repeats(h, Side::Server).1.is_none_or(|(first, _)| gone.time.since(first.time) < NO_ANSWER)
}

/// The last of several datagrams of a side that the other should have answered, and did not: the same again, or ever new ones.
fn waits_in_vain(h: &Over<'_>, side: Side) -> Option<Mark> {
    let news = h.flow.side(side.other()).last_data;
    let (count, span) = repeats(h, side);
    // What was heard last may be on its way to the side that repeats itself, or its answer on the way back.
    let since = news.unwrap_or(h.flow.first);
    let long = |last: Mark| last.time.since(since.time) >= NO_ANSWER || watched_since(h, last.time) >= PATIENCE;
    let again = span.map(|(_, last)| last).filter(|last| count >= REPEATS && *last > since && long(*last));
    again.or_else(|| {
        let unanswered = (*talk(h)?.unanswered.of(side))?;
        let says_so = h.quic.as_ref().and_then(|quic| quic.close_of(side)).is_some_and(ClosedBy::is_of_silence);
        // Within a flight, or while the answer is on its way, nothing is due yet.
        let round_trip = h.server_hello_time().unwrap_or_default() * 3;
        let long = unanswered.count >= UNANSWERED && unanswered.span() >= NO_ANSWER.max(round_trip);
        (long || says_so).then_some(unanswered.last)
    })
}

/// How often a side sent the same again, and the first and last of those.
fn repeats(h: &Observed, side: Side) -> (u32, Option<(Mark, Mark)>) {
    match (&h.quic, &h.dtls) {
        (Some(quic), _) => (*quic.repeats.of(side), *quic.repeated.of(side)),
        (None, Some(dtls)) => (*dtls.repeats.of(side), *dtls.repeated.of(side)),
        (None, None) => h.carried.as_ref().map_or((0, None), |carried| (*carried.repeats.of(side), *carried.repeated.of(side))),
    }
}

fn talk(h: &Observed) -> Option<Talk> {
    let dtls = || h.dtls.as_ref().map(|dtls| dtls.talk);
    h.quic.as_ref().map(|quic| quic.talk).or_else(dtls).or_else(|| h.carried.as_ref().map(|carried| carried.talk))
}

/// Repetitions from which on it is no chance: with the first that makes three of the same.
const REPEATS: u32 = 2;
/// Datagrams without an answer from which on it is no chance, when they are spread over more than a burst.
const UNANSWERED: u32 = 3;
/// After a close both sides are quiet at once; one that waits repeats itself sooner than this on most paths.
const CLOSED_QUIET: Duration = Duration::from_millis(300);
/// 1-RTT packets of each side that show, without a ServerHello that could be read, that both have the same keys.
const WITHOUT_HELLO: u32 = 2;
/// A datagram that would not fit any more into what an address that is not validated may get.
const AMPLIFIED_ROOM: u64 = 1_200;
/// What stands around a Finished in a Handshake packet at most: number, acknowledgment, frame header, tag.
const AROUND_FINISHED: u32 = 4 + 12 + 4 + 16;
const EMPTY_CERTIFICATE: u32 = 8;
/// A client's Certificate and CertificateVerify have more bytes than this.
const LEAST_CERTIFICATE: u32 = 300;
/// A client's Handshake packets of so many bytes are most often one that fills its datagram, behind an Initial packet, with padding.
const FILLED: std::ops::Range<u64> = 900..1_250;
/// What IP and UDP put around a payload: IPv4, with options, or IPv6.
const HEADERS: std::ops::RangeInclusive<u32> = 28..=68;
