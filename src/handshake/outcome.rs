//! Makes a handshake of what was observed: which alerts count, how far it got, how it ended and by whom.

use std::time::Duration;

use smallvec::SmallVec;

use crate::flow::{Layer, PerSide, Side};
use crate::preamble::{Dialect, PreambleFacts, Upgrade};
use crate::time::Mark;
use crate::tls::registry::AlertDescription;
use crate::transport::{Close, FlowFacts};

use super::ending::over::{Over, first_end};
use super::ending::{self, datagrams, finished};
use super::facts::{AlertSeen, Handshake, Observed, Outcome, ReadAlert, Stage};
use super::stage::stage;
use super::{hidden, later_auth};

/// When and why a flow's following ended, and its place in the order of reports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closing {
    pub(super) close: Close,
    pub(super) at: Mark,
    pub(super) concluded_at: u64,
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
    } else {
        datagrams::enter_read(&mut observed);
    }
    let over = Over { observed: &observed, flow: &flow, close, closed_at };
    let alerts = judged_alerts(&over, &inferred);
    let ending = ending::ending(&over, &alerts, stall_after);
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
    let both = if let Some(quic) = &h.quic {
        // A QUIC server goes on with the client's Finished, whatever it makes of it, until it says that it took it.
        let done = h.finished.client.zip(h.application_data.server).filter(|_| !quic.closed_before_the_end());
        done.map(|(client, server)| client.max(server))
    } else {
        let seen = h.finished.client.zip(h.finished.server).map(|(client, server)| client.max(server));
        seen.into_iter().chain(finished::finished_out_of_view(h)).min()
    };
    // In the frame of the last Finished an alert stands behind it.
    let after = |mark: Mark| both.is_some_and(|done| mark > done || mark == done && h.quic.is_none()) || h.served_early(mark);
    let gone = |side| if side == Side::Server { datagrams::server_is_gone(h) } else { datagrams::client_is_gone(h) };
    let end = |side| if h.flow.is_udp() { gone(side) } else { h.first_end(side).map(|end| end.mark) };
    let ends = PerSide { client: end(Side::Client), server: end(Side::Server) };
    let mut alerted: PerSide<Option<Mark>> = PerSide::default();
    let judge = |ReadAlert { from, alert, encrypted, mark }| {
        let before = [ends.of(from.other()), alerted.of(from.other())];
        // Who has consented, and finds the other gone, says so in words that cannot be read.
        let behind = |moment: Option<Mark>| moment.is_some_and(|moment| moment <= mark);
        let fin = h.flow.side(from.other()).fin.map(|(fin, _)| fin);
        let gone = alert.is_none() && !h.flow.is_udp() && h.finished.of(from).is_some() && behind(*h.finished.of(from)) && behind(fin);
        // What acknowledges a FIN that the capture lacks comes behind it.
        let unseen = !h.flow.is_udp() && h.flow.unseen_fin(from.other()).is_some_and(|fin| fin <= mark);
        let consequence = gone || unseen || before.into_iter().flatten().any(|before| *before < mark);
        if alert.is_none_or(|alert| alert.fatal || alert.description == AlertDescription(0)) {
            alerted.of_mut(from).get_or_insert(mark);
        }
        let after_handshake = after(mark) || finished::is_farewell(h, &ReadAlert { from, alert, encrypted, mark });
        AlertSeen { from, alert, encrypted, mark, after_handshake, consequence }
    };
    read.into_iter().map(judge).collect()
}
