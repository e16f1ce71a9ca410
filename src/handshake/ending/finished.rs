//! Handshakes that both sides finished, or that look so: whether they are complete, or the side that had the last word to verify refused.

use std::time::Duration;

use super::over::{Ending, Over, Terminator, in_vain, readable_or_whole};
use crate::flow::Side;
use crate::handshake::facts::{AlertSeen, Observed, Outcome, ReadAlert, StoppedBy};
use crate::handshake::padding::Padding;
use crate::handshake::silence::{JUDGED, is_strangers, left_unused, nothing_is_lost, taken_in_silence};
use crate::time::Mark;

/// Both sides finished; or they did in form, and the side that had the last word to verify refused.
pub(super) fn completed_or_rejected(h: &Over<'_>, alerts: &[AlertSeen]) -> Option<Ending> {
    let (client, server) = (h.finished.client?, h.finished.server?);
    let done = client.max(server);
    if never_arrived(h, done) {
        return None;
    }
    if let Some(ending) = finished_too_late(h, client).or_else(|| left_before_the_last_word(h, alerts, (client, server))) {
        return Some(ending);
    }
    if let Some(ending) = refused_renegotiation(h, alerts).or_else(|| refused_later(h, alerts)) {
        return Some(ending);
    }
    // An alert sent before its sender can have seen the other side's Finished, of which a later copy may be what is there.
    let taken = finished_out_of_view(h);
    let early = alerts.iter().find(|alert| {
        let others = match alert.from {
            Side::Client => server,
            Side::Server => client,
        };
        let others = taken.map_or(others, |taken| others.min(taken));
        h.flow.out_of_step == 0
            && alert.mark < others
            && !alert.after_handshake
            && !alert.consequence
            && !h.served_early(alert.mark)
            && alert.alert.is_none_or(|alert| alert.fatal)
            && readable_or_whole(h, alert)
    });
    if let Some(alert) = early {
        return Some(Ending::new(Outcome::Alerted, alert.from, alert.mark));
    }
    if h.is_tls13() && !server_went_on(h) && h.flow.out_of_step == 0 {
        let client_end = [alerts.iter().find(|a| a.from == Side::Client).map(|a| a.mark), h.first_end(Side::Client).map(|end| end.mark)];
        let client_end = client_end.into_iter().flatten().min();
        let before_client = |mark: Mark| client_end.is_none_or(|end| mark < end);
        let late = |mark: Mark| taken_in_silence(h, h.flow, client, Some(mark)) || left_unused(h, h.flow, client, mark);
        let asked = h.hidden.certificate_requested.happened() || h.hidden.client_certificate_empty || h.hidden.client_certificate_sent;
        // One that cannot be read may be a farewell, or any message where nobody left or more was said; and where the server had nothing to judge.
        let server_end = h.first_end(Side::Server);
        let left = nothing_is_lost(h.flow) && (client_end.is_some() || server_end.is_some());
        // Rounded up, any short message has its size: but whoever refuses closes at once.
        let rounded = matches!(h.hidden.padding.server, Some(Padding::UpTo(_)));
        let closed_at_once = |mark: Mark| server_end.is_some_and(|end| h.flow.elapsed(mark, end.mark) < AT_ONCE);
        let in_hiding = |mark: Mark| asked && left && !late(mark) && (!rounded || closed_at_once(mark));
        let refuses = |alert: &&AlertSeen| alert.alert.is_some() || in_hiding(alert.mark);
        let alert = alerts.iter().find(|alert| alert.from == Side::Server && alert.mark > client && before_client(alert.mark));
        if let Some(alert) = alert.filter(refuses) {
            return Some(Ending::new(Outcome::Alerted, Side::Server, alert.mark));
        }
        let Some(end) = server_end else {
            // The server has yet to judge the client's certificate.
            let unjudged = asked && client_end.is_none() && !taken_in_silence(h, h.flow, client, None);
            return (!unjudged).then(|| Ending::new(Outcome::Completed, StoppedBy::Nobody, done));
        };
        // Where there is no certificate to judge, a Finished that is not taken ends it at once, without a farewell.
        let idle = || alert.is_some() || h.flow.elapsed(client, end.mark) >= JUDGED || closed_in_answer(h, end, client);
        let ended = asked || end.reset && is_strangers(h.flow, end.mark, client) || h.application_data.client.is_none() && !idle();
        if before_client(end.mark) && (end.reset || !late(end.mark)) && ended {
            let outcome = if end.reset { Outcome::Reset } else { Outcome::Closed };
            return Some(Ending::new(outcome, Side::Server, end.mark));
        }
    }
    Some(Ending::new(Outcome::Completed, StoppedBy::Nobody, done))
}

/// What shows first in DTLS up to 1.2 that both had finished, where the capture lacks a Finished, or holds a later copy of it: in a full handshake a
/// server changes its keys when it took the client's Finished, and either side sends data when it took the other's.
pub(in crate::handshake) fn finished_out_of_view(h: &Observed) -> Option<Mark> {
    if h.dtls.is_none() || h.is_tls13() {
        return None;
    }
    let is_full = h.resumption.is_none() && (h.server_chain.is_some() || h.server_hello_done.is_some());
    let answers = |mark: Mark| h.finished.client.is_some_and(|finished| finished <= mark);
    let sealed = h.read_alerts.iter().find(|seen| seen.from == Side::Server && seen.encrypted && answers(seen.mark)).map(|seen| seen.mark);
    let took_the_clients = [h.finished.server, sealed].into_iter().flatten().filter(|_| is_full);
    let data = [h.application_data.client, h.application_data.server].into_iter().flatten();
    took_the_clients.chain(data).min()
}

/// In DTLS up to 1.2 a client says goodbye under the keys of its Finished, which it may overtake. Who refuses the server's certificate says so before, in
/// clear.
pub(in crate::handshake) fn is_farewell(h: &Observed, alert: &ReadAlert) -> bool {
    let sealed = alert.encrypted && alert.alert.is_none() && alert.from == Side::Client;
    sealed && h.dtls.is_some() && !h.is_tls13() && h.finished.client.is_some()
}

/// The server closed with a FIN, a way to it and back or more after the client had finished: it had the client's Finished and did not mind it, and
/// issues no tickets. A FIN that crossed the Finished on its way says nothing of the kind.
fn closed_in_answer(h: &Over<'_>, end: Terminator, client_finished: Mark) -> bool {
    let way = h.flow.rtt().or_else(|| h.flow.leg(Side::Server));
    !end.reset && way.is_some_and(|way| end.mark.time.since(client_finished.time) >= way)
}

/// The server had ended the connection before the client finished, and had said nothing inside: what the client says then arrives nowhere. One that only
/// listens may end its own direction early, and takes what comes.
fn finished_too_late(h: &Over<'_>, client_finished: Mark) -> Option<Ending> {
    let (client, server) = (h.flow.side(Side::Client), h.flow.side(Side::Server));
    let (fin, _) = server.fin.filter(|(fin, _)| *fin < client_finished || closed_unheard(h, *fin))?;
    let listens = h.application_data.client.is_some() && client.acked >= client.highest && server.resets.is_empty();
    let spoke = server_went_on(h) || h.served_early(client_finished);
    (!listens && !spoke && ends_in_order(h)).then(|| Ending::new(Outcome::Closed, Side::Server, fin))
}

/// It ends by packets of TCP, whose order is known.
fn ends_in_order(h: &Over<'_>) -> bool {
    !h.flow.is_udp() && h.carried.is_none() && h.flow.out_of_step == 0
}

/// Below TLS 1.3 the server has the last word of a full handshake: a client that had closed before it came, and answers it by the RST of a system whose
/// program is gone, or by nothing, never took it.
fn left_before_the_last_word(h: &Over<'_>, alerts: &[AlertSeen], (finished, server_finished): (Mark, Mark)) -> Option<Ending> {
    let (client, server) = (h.flow.side(Side::Client), h.flow.side(Side::Server));
    let said = alerts.iter().any(|alert| alert.from == Side::Client && alert.mark < server_finished);
    let full = !h.is_tls13() && finished < server_finished && !said;
    // Its FIN, whatever RSTs follow when the server goes on.
    let fin = client.fin.map(|(mark, _)| Terminator { side: Side::Client, mark, reset: false });
    let end = fin.or_else(|| h.first_end(Side::Client)).filter(|end| end.mark < server_finished && full && ends_in_order(h))?;
    // Who leaves before an answer can be there waits for none; and one that only listens from then on takes it.
    let waited = h.flow.elapsed(finished, end.mark) >= h.flow.least_rtt().unwrap_or_default().max(LEAST_WAIT);
    let refuses = client.resets.iter().any(|reset| reset.mark > server_finished && reset.unknowing);
    let took = server.acked >= server.highest && !refuses;
    let spoke = client.last_data.is_some_and(|last| last > end.mark) || h.application_data.client.is_some();
    let outcome = if end.reset { Outcome::Reset } else { Outcome::Closed };
    (waited && !took && !spoke).then(|| Ending::new(outcome, Side::Client, end.mark))
}

/// A client that leaves sooner may have looked for the certificate alone.
const LEAST_WAIT: Duration = Duration::from_millis(100);

/// Seen at the client, a FIN of the server that acknowledges nothing behind the ClientHello, and RSTs of a system that does not know the connection to all
/// that the client had sent: it closed before the Finished came.
fn closed_unheard(h: &Over<'_>, fin: Mark) -> bool {
    let (client, server) = (h.flow.side(Side::Client), h.flow.side(Side::Server));
    let heard = h.client_hellos.last().map(|hello| hello.span.1);
    let refused = server.resets.iter().any(|reset| reset.unknowing && reset.mark > fin);
    refused && h.is_tls13() && client.fin.is_none_or(|(own, _)| own > fin) && heard.is_some_and(|heard| client.acked <= heard)
}

/// The Finished that ends the handshake was sent again and again, and nothing shows that the other side ever got it.
fn never_arrived(h: &Over<'_>, last: Mark) -> bool {
    let sender = if h.finished.client == Some(last) { Side::Client } else { Side::Server };
    let after = h.flow.side(sender.other()).last_data.is_some_and(|mark| mark > last);
    !after && h.flow.side(sender).outstanding.iter().any(|sent| in_vain(h, sent) && sent.first <= last)
}

/// After the client's Finished the server said something that is not an alert.
fn server_went_on(h: &Over<'_>) -> bool {
    h.tickets_seen > 0 || h.application_data.server.is_some()
}

/// A second handshake was asked for inside the first, and answered by an alert, or broken off by one or by the server's end.
fn refused_renegotiation(h: &Over<'_>, alerts: &[AlertSeen]) -> Option<Ending> {
    let second = h.renegotiation.filter(|_| !h.is_tls13())?;
    if !second.is_agreed() {
        let other = second.by.other();
        let alert = alerts.iter().find(|alert| alert.from == other && alert.mark > second.asked)?;
        return (h.application_records.of(other) == &0).then(|| Ending::new(Outcome::Alerted, alert.from, alert.mark));
    }
    // One that cannot be read may be a client's farewell; of a server that has the client's answer and owes its own it is not.
    let unfinished = |side: Side, mark: Mark| mark > second.asked && second.changed.of(side).is_none_or(|changed| mark < changed);
    let breaks_off = |seen: &&AlertSeen| {
        let owes = seen.from == Side::Server && second.changed.client.is_some_and(|changed| changed <= seen.mark);
        unfinished(seen.from, seen.mark) && !seen.consequence && seen.alert.map_or(owes, |alert| alert.fatal)
    };
    if let Some(alert) = alerts.iter().find(breaks_off) {
        return Some(Ending::new(Outcome::Alerted, alert.from, alert.mark));
    }
    let end = h.first_end(Side::Server).filter(|end| unfinished(Side::Server, end.mark))?;
    let client_first = h.first_end(Side::Client).is_some_and(|client| client.mark < end.mark);
    let owed = second.changed.client.is_some_and(|changed| changed < end.mark) && !client_first;
    owed.then(|| Ending::new(if end.reset { Outcome::Reset } else { Outcome::Closed }, Side::Server, end.mark))
}

/// In TLS 1.3 the server asked for a certificate after the handshake (RFC 8446 section 4.6.2), and refused the answer.
fn refused_later(h: &Over<'_>, alerts: &[AlertSeen]) -> Option<Ending> {
    let hidden = h.renegotiation.map(|later| later.asked);
    let asked = hidden.or_else(|| Some(h.certificate_request.as_ref()?.mark)).filter(|_| h.is_tls13())?;
    let later = h.finished.client.is_some_and(|finished| asked > finished);
    let unread = hidden.is_some();
    let fatal = |seen: &AlertSeen| seen.alert.map_or(unread, |alert| alert.fatal);
    let refuses = |seen: &&AlertSeen| seen.from == Side::Server && seen.mark > asked && fatal(seen);
    let alert = alerts.iter().find(refuses).filter(|_| later)?;
    Some(Ending::new(Outcome::Alerted, alert.from, alert.mark))
}

/// A server that refuses closes no later than this after its alert.
const AT_ONCE: Duration = Duration::from_millis(250);
