//! How a handshake ended: outcome, stage and who ended it, by definition from its facts (see docs/SCHEMA.md).

use std::ops::Deref;
use std::time::Duration;

use smallvec::SmallVec;

use crate::flow::{Layer, PerSide, Side};
use crate::preamble::{Dialect, PreambleFacts, Upgrade};
use crate::time::{Mark, Timestamp};
use crate::tls::registry::AlertDescription;
use crate::transport::{Close, FlowFacts, Outstanding};

use super::datagrams::carried::ending::ending as carried_ending;
use super::datagrams::ending as datagrams;
use super::facts::{AlertSeen, Fact, Handshake, Observed, Outcome, Protocol, ReadAlert, Stage, StoppedBy, deciding};
use super::silence::{JUDGED, is_strangers, left_unused, nothing_is_lost, taken_in_silence};
use super::stage::stage;
use super::{hidden, later_auth, ssl2};

/// A side that gives up waiting sooner than this did not meet a stall but left: no client or server in use waits less for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// Copies within a shorter time may all be on their way still.
pub(super) const NO_ANSWER: Duration = Duration::from_millis(500);

/// When and why a flow's following ended, and its place in the order of reports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closing {
    pub(super) close: Close,
    pub(super) at: Mark,
    pub(super) concluded_at: u64,
}

/// A handshake that is over, before it is said how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Over<'a> {
    pub(super) observed: &'a Observed,
    pub(super) flow: &'a FlowFacts,
    pub(super) close: Close,
    pub(super) closed_at: Mark,
}

impl Deref for Over<'_> {
    type Target = Observed;

    fn deref(&self) -> &Observed {
        self.observed
    }
}

impl Handshake {
    /// What it was concluded from.
    pub(super) fn over(&self) -> Over<'_> {
        Over { observed: &self.observed, flow: &self.flow, close: self.close, closed_at: self.closed_at }
    }

    /// It is not the server's turn: its flight is there, or nothing shows that any of it is missing.
    pub fn server_flight_is_over(&self) -> bool {
        self.over().server_flight_is_over()
    }
}

/// Makes a handshake of what was observed: adds what the encrypted records show, and says which alerts count, how far it got, how it ended and by
/// whom.
pub(super) fn conclude(mut observed: Box<Observed>, mut flow: Box<FlowFacts>, closing: Closing, stall_after: Duration) -> Handshake {
    let Closing { close, at: closed_at, concluded_at } = closing;
    let mut inferred = Vec::new();
    for side in Side::BOTH {
        if let Some(last) = observed.in_frames.as_ref().and_then(|spoke| *spoke.of(side)) {
            flow.sides.of_mut(side).last_data = Some(last);
        }
    }
    let taken = |layer: &&PreambleFacts| layer.upgrade == Upgrade::Granted;
    for layer in observed.preamble.iter().flat_map(|facts| facts.layers()).filter(taken) {
        match layer.dialect {
            Dialect::WebSocket => flow.path.push(Layer::WebSocket),
            Dialect::ConnectUdp => flow.path.push(Layer::ConnectUdp),
            _ => {}
        }
    }
    if !flow.is_udp() || observed.carried.is_some() {
        inferred = read_hidden(&mut observed, &flow);
    } else if let Some((from, mark)) = datagrams::inferred_alert(&Over { observed: &observed, flow: &flow, close, closed_at }) {
        inferred.push((from, mark));
        datagrams::enter_inferred(&mut observed, from);
    }
    let over = Over { observed: &observed, flow: &flow, close, closed_at };
    let alerts = judged_alerts(&over, &inferred);
    let ending = match &observed.carried {
        Some(carried) => carried_ending(&over, carried, &alerts, stall_after),
        None if ssl2::goes_on(&observed, &flow) && alerts.is_empty() => Ending::new(Outcome::Completed, StoppedBy::Nobody, None),
        None if flow.is_udp() => datagrams::ending(&over, &alerts, stall_after),
        None => ending(&over, &alerts, stall_after),
    };
    let stage = if ending.outcome == Outcome::Completed { Stage::Established } else { stage(&observed) };
    let (client, server) = flow.ends();
    Handshake {
        client,
        server,
        close,
        closed_at,
        concluded_at,
        provisional: false,
        capture_losses: 0,
        looked_up: None,
        alerts,
        stage,
        outcome: ending.outcome,
        stopped_by: ending.who,
        end: ending.mark,
        observed,
        flow,
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    outcome: Outcome,
    who: StoppedBy,
    mark: Option<Mark>,
}

impl Ending {
    pub(super) fn new(outcome: Outcome, who: impl Into<StoppedBy>, mark: impl Into<Option<Mark>>) -> Self {
        Self { outcome, who: who.into(), mark: mark.into() }
    }
}

/// The FIN or RST that ended a side's sending, the earliest of its kind that counts.
#[derive(Debug, Clone, Copy)]
struct Terminator {
    side: Side,
    mark: Mark,
    reset: bool,
}

/// Enters what the encrypted records of TLS 1.3 show without keys. Gives the alerts among them: who sent them, and where.
fn read_hidden(h: &mut Observed, flow: &FlowFacts) -> Vec<(Side, Mark)> {
    let mut alerts = Vec::new();
    let (true, Some(suite)) = (h.is_tls13() && h.server_hello.is_some() && !h.decrypted, h.cipher()) else { return alerts };
    let resumed = h.server_hello.as_ref().is_some_and(|hello| hello.what.selected_psk().is_some());
    let reading = hidden::read(suite, resumed, h.early_data_offered, &h.encrypted);
    h.hidden = reading.hidden;
    h.finished = reading.finished;
    h.application_data = reading.application;
    h.application_records = reading.application_records;
    h.tickets_seen = reading.tickets;
    h.opening = reading.opening;
    h.renegotiation = later_auth::read(h);
    for side in Side::BOTH {
        let Some((mark, after_finished)) = *reading.last_is_alert.of(side) else { continue };
        // The size fits a message of two bytes as well; a side that says nothing more makes it an alert.
        let instead = match side {
            Side::Client => reading.hidden.client_alert_instead_of_finished,
            // A server that goes on waiting has not sent an alert.
            Side::Server => reading.server_alert_instead_of_flight && first_end(h, flow, Side::Server).is_some(),
        };
        if after_finished || instead {
            alerts.push((side, mark));
        }
    }
    alerts
}

/// The alerts that were read and those that are inferred, in order. Those that came after both sides had finished, or in answer to the other side's
/// end, decide nothing.
fn judged_alerts(h: &Over<'_>, inferred: &[(Side, Mark)]) -> Vec<AlertSeen> {
    let mut read: SmallVec<[ReadAlert; 4]> = h.read_alerts.iter().copied().collect();
    for (from, mark) in inferred.iter().copied() {
        let place = read.partition_point(|other| other.mark <= mark);
        read.insert(place, ReadAlert { from, alert: None, encrypted: true, mark });
    }
    let both = if h.quic.is_some() {
        // A QUIC server goes on with the client's Finished, whatever it makes of it, until it says that it took it.
        h.finished.client.zip(h.application_data.server).map(|(client, server)| client.max(server))
    } else {
        h.finished.client.zip(h.finished.server).map(|(client, server)| client.max(server))
    };
    // In the frame of the last Finished an alert stands behind it.
    let after = |mark: Mark| both.is_some_and(|done| mark > done || mark == done && h.quic.is_none());
    let gone = |side| if side == Side::Server { datagrams::server_is_gone(h) } else { None };
    let end = |side| if h.flow.is_udp() { gone(side) } else { h.first_end(side).map(|end| end.mark) };
    let ends = PerSide { client: end(Side::Client), server: end(Side::Server) };
    let mut alerted: PerSide<Option<Mark>> = PerSide::default();
    let judge = |ReadAlert { from, alert, encrypted, mark }| {
        let before = [ends.of(from.other()), alerted.of(from.other())];
        let consequence = before.into_iter().flatten().any(|before| *before < mark);
        if alert.is_none_or(|alert| alert.fatal || alert.description == AlertDescription(0)) {
            alerted.of_mut(from).get_or_insert(mark);
        }
        AlertSeen { from, alert, encrypted, mark, after_handshake: after(mark), consequence }
    };
    read.into_iter().map(judge).collect()
}

impl Over<'_> {
    /// A side's first FIN, or RST that fits the connection.
    fn first_end(&self, side: Side) -> Option<Terminator> {
        first_end(self, self.flow, side)
    }

    /// It is not the server's turn: its flight is there, or nothing shows that any of it is missing. Messages that share records of TLS 1.3 may be
    /// all of it; then they are when no record is cut off and the client has acknowledged them all.
    pub(super) fn server_flight_is_over(&self) -> bool {
        if self.hidden.server_flight_done.happened() || self.finished.server.is_some() {
            return true;
        }
        if self.hidden.server_flight_done != Fact::Unseen || self.partial_server_message.is_some() {
            return false;
        }
        if let Some(quic) = &self.quic {
            // Every packet of it is answered by an acknowledgment at least: the client has yet to send one.
            return quic.talk.unanswered.server.is_some();
        }
        let server = self.flow.side(Side::Server);
        server.stranded_bytes == 0 && server.gap_bytes == 0 && server.acked >= server.highest && server.highest > 0
    }
}

/// A side's first FIN, or RST that fits the connection.
fn first_end(h: &Observed, flow: &FlowFacts, side: Side) -> Option<Terminator> {
    // The word of what carries it stands for a FIN.
    if let Some(mark) = h.carried.as_ref().and_then(|carried| if side == Side::Server { carried.rejected() } else { carried.left() }) {
        return Some(Terminator { side, mark, reset: false });
    }
    let facts = flow.side(side);
    let reset = facts.resets.iter().find(|reset| reset.in_window && !reset.to_syn && reset.data_after == 0).map(|reset| reset.mark);
    let fin = facts.fin.map(|(mark, _)| mark);
    match (fin, reset) {
        // The other side went on with the handshake after the FIN, until the RST.
        (Some(fin), Some(reset)) if reset < fin || went_on_after(h, side.other(), fin) => {
            Some(Terminator { side, mark: reset, reset: true })
        }
        (Some(fin), _) => Some(Terminator { side, mark: fin, reset: false }),
        (None, Some(reset)) => Some(Terminator { side, mark: reset, reset: true }),
        (None, None) => None,
    }
}

/// A side sent more of its handshake (not an alert) after this moment.
fn went_on_after(h: &Observed, side: Side, moment: Mark) -> bool {
    let hello = match side {
        // A hello into a connection that the server closed before it had said anything goes on with nothing.
        Side::Client => h.client_hellos.last().map(|seen| seen.mark).filter(|_| h.server_hello.is_some() || h.hello_retry.is_some()),
        Side::Server => h.server_hello.as_ref().map(|seen| seen.mark),
    };
    [hello, *h.finished.of(side), *h.change_cipher_spec.of(side)].into_iter().flatten().any(|mark| mark > moment)
}

fn ending(h: &Over<'_>, alerts: &[AlertSeen], stall_after: Duration) -> Ending {
    if let Some(ending) = completed_or_rejected(h, alerts) {
        return ending;
    }
    let spoke_tls = h.protocol != Protocol::Other;
    if let Some(side) = Side::BOTH.into_iter().find(|side| h.plaintext.of(*side).is_some()) {
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
    let end = ends.into_iter().flatten().min_by_key(|end| end.mark);
    if let Some(ending) = blind(h, end) {
        return ending;
    }
    if let Some(ending) = stalled(h, end, stall_after) {
        return ending;
    }
    match end {
        Some(end) => {
            if let Some(warning) = alerts.iter().find(|alert| alert.from == end.side && !alert.consequence && !alert.after_handshake) {
                return Ending::new(Outcome::Alerted, warning.from, warning.mark);
            }
            let outcome = if end.reset { Outcome::Reset } else { Outcome::Closed };
            Ending::new(outcome, end.side, end.mark)
        }
        None => Ending::new(Outcome::Incomplete, StoppedBy::Capture, None),
    }
}

/// Both sides finished; or they did in form, and the side that had the last word to verify refused.
pub(super) fn completed_or_rejected(h: &Over<'_>, alerts: &[AlertSeen]) -> Option<Ending> {
    let (client, server) = (h.finished.client?, h.finished.server?);
    let done = client.max(server);
    if never_arrived(h, done) {
        return None;
    }
    if let Some(ending) = refused_renegotiation(h, alerts).or_else(|| refused_later(h, alerts)) {
        return Some(ending);
    }
    // An alert sent before its sender can have seen the other side's Finished.
    let early = alerts.iter().find(|alert| {
        let others = match alert.from {
            Side::Client => server,
            Side::Server => client,
        };
        alert.mark < others && !alert.consequence && alert.alert.is_none_or(|alert| alert.fatal) && readable_or_whole(h, alert)
    });
    if let Some(alert) = early {
        return Some(Ending::new(Outcome::Alerted, alert.from, alert.mark));
    }
    if h.is_tls13() && !server_went_on(h) {
        let client_end = [alerts.iter().find(|a| a.from == Side::Client).map(|a| a.mark), h.first_end(Side::Client).map(|end| end.mark)];
        let client_end = client_end.into_iter().flatten().min();
        let before_client = |mark: Mark| client_end.is_none_or(|end| mark < end);
        let late = |mark: Mark| taken_in_silence(h, h.flow, client, Some(mark)) || left_unused(h, h.flow, client, mark);
        let asked = h.hidden.certificate_requested.happened() || h.hidden.client_certificate_empty || h.hidden.client_certificate_sent;
        // One that cannot be read may be a farewell, or any message where nobody left or more was said; and where the server had nothing to judge.
        let server_end = h.first_end(Side::Server);
        let left = nothing_is_lost(h.flow) && (client_end.is_some() || server_end.is_some());
        let refuses = |alert: &&AlertSeen| alert.alert.is_some() || asked && left && !late(alert.mark);
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

/// The server closed with a FIN, a round trip or more after the client had finished: it had the client's Finished and did not mind it, and
/// issues no tickets. A FIN that crossed the Finished on its way says nothing of the kind.
fn closed_in_answer(h: &Over<'_>, end: Terminator, client_finished: Mark) -> bool {
    !end.reset && h.flow.rtt().is_some_and(|rtt| end.mark.time.since(client_finished.time) >= rtt)
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

/// A STARTTLS or proxy dialogue that did not lead to TLS.
fn refused_upgrade(h: &Over<'_>) -> Option<Ending> {
    let preamble = h.preamble.as_ref()?;
    let proxy = preamble.dialect.is_proxy();
    match preamble.upgrade {
        Upgrade::Refused | Upgrade::Unavailable | Upgrade::NotOffered | Upgrade::AuthRequired | Upgrade::UpstreamFailed => {
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
    if let Some(note) =
        h.flow.icmp.iter().find(|note| note.about == Side::Client && !matches!(note.kind, crate::packet::IcmpKind::TooBig(_)))
    {
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

/// How long the capture went on watching this connection after a moment.
pub(super) fn watched_since(h: &Over<'_>, moment: Timestamp) -> Duration {
    let until = match h.close {
        Close::EndOfCapture | Close::Idle | Close::Evicted | Close::Reused => h.closed_at.time.max(h.flow.last.time),
        Close::Ended | Close::Settled => h.flow.last.time,
    };
    until.since(moment)
}

/// An alert that cannot be read may as well be a close_notify after a Finished that the capture lacks.
fn readable_or_whole(h: &Over<'_>, alert: &AlertSeen) -> bool {
    let holes = || Side::BOTH.into_iter().any(|side| h.flow.side(side).gap_bytes > 0 || h.flow.side(side).stranded_bytes > 0);
    alert.alert.is_some() || (one_direction(h).is_none() && !holes())
}

/// The side whose packets are absent from the capture though the other answers them.
fn one_direction(h: &Over<'_>) -> Option<Side> {
    Side::BOTH.into_iter().find(|side| {
        let (quiet, other) = (h.flow.side(*side), h.flow.side(side.other()));
        quiet.packets == 0 && other.packets > 0 && (quiet.acked > 0 || (other.data_packets > 0 && other.retransmits == 0))
    })
}

/// TCP never leaves data unacknowledged without sending it again: where nothing of either is seen though the capture went on, it was not
/// seen because the capture lacks it. The same goes for a hole that neither side minds in a connection whose beginning is missing.
fn impossible_silence(h: &Over<'_>, side: Side) -> bool {
    let (facts, other) = (h.flow.side(side), h.flow.side(side.other()));
    let gone = |sent: &Outstanding| sent.copies == 1 && !sent.sacked && watched_since(h, sent.last.time) >= PATIENCE;
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
        .find_map(|(side, sent)| (in_vain(h, sent) && !h.flow.copies_answered(side, sent)).then_some(sent));
    if let Some(sent) = unanswered {
        return Some(Ending::new(Outcome::Stalled, StoppedBy::Network, sent.last));
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

/// Sent at least three times without an acknowledgment, over a time in which one could have come.
fn in_vain(h: &Over<'_>, sent: &Outstanding) -> bool {
    let long = || sent.last.time.since(sent.first.time) >= NO_ANSWER || watched_since(h, sent.last.time) >= PATIENCE;
    sent.copies >= 3 && !sent.sacked && long()
}

/// The last packet that brought something new.
pub(super) fn progress(flow: &FlowFacts) -> Mark {
    let data = Side::BOTH.iter().filter_map(|side| flow.side(*side).last_data);
    data.chain(flow.established()).max().unwrap_or(flow.first)
}

/// The last packet that brought something new, before the end if there is one.
fn last_progress(h: &Over<'_>, end: Option<Terminator>) -> Mark {
    let mut progress = h.flow.established().unwrap_or(h.flow.first);
    for side in Side::BOTH {
        let facts = h.flow.side(side);
        for mark in [facts.first_data, facts.last_data].into_iter().flatten() {
            if mark > progress && end.is_none_or(|end| mark <= end.mark) {
                progress = mark;
            }
        }
    }
    progress
}

/// Whose turn it was.
pub(super) fn owing(h: &Over<'_>) -> Side {
    if h.protocol == Protocol::Other {
        let Some(preamble) = &h.preamble else { return Side::Client };
        return match preamble.upgrade {
            Upgrade::Asked => Side::Server,
            Upgrade::Granted => Side::Client,
            _ => preamble.lines.last().map_or(Side::Server, |line| line.side.other()),
        };
    }
    if h.client_hellos.is_empty() {
        return Side::Client;
    }
    if h.server_hello.is_none() {
        return if h.awaited_second_hello().is_some() { Side::Client } else { Side::Server };
    }
    if h.is_tls13() {
        return if h.finished.client.is_some() || !h.server_flight_is_over() { Side::Server } else { Side::Client };
    }
    let resumed = h.resumption.is_some();
    let server_flight_done = h.server_hello_done.is_some() || (resumed && h.finished.server.is_some());
    if !server_flight_done || (h.finished.client.is_some() && h.finished.server.is_none()) { Side::Server } else { Side::Client }
}
