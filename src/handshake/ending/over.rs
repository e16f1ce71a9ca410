//! A handshake that is over, before it is said how, and what tells how it ended over whatever it came.

use std::ops::Deref;
use std::time::Duration;

use crate::flow::Side;
use crate::handshake::facts::{AlertSeen, Fact, Handshake, Observed, Outcome, Protocol, StoppedBy};
use crate::preamble::Upgrade;
use crate::time::{Mark, Timestamp};
use crate::tls::registry::AlertDescription;
use crate::transport::{Close, FlowFacts, Outstanding};

/// A side that gives up waiting sooner than this did not meet a stall but left: no client or server in use waits less for an answer.
pub(in crate::handshake) const PATIENCE: Duration = Duration::from_secs(3);
/// Copies within a shorter time may all be on their way still.
pub(in crate::handshake) const NO_ANSWER: Duration = Duration::from_millis(500);

/// A handshake that is over, before it is said how.
#[derive(Debug, Clone, Copy)]
pub(in crate::handshake) struct Over<'a> {
    pub(in crate::handshake) observed: &'a Observed,
    pub(in crate::handshake) flow: &'a FlowFacts,
    pub(in crate::handshake) close: Close,
    pub(in crate::handshake) closed_at: Mark,
}

impl Deref for Over<'_> {
    type Target = Observed;

    fn deref(&self) -> &Observed {
        self.observed
    }
}

impl Handshake {
    /// What it was concluded from.
    pub(in crate::handshake) fn over(&self) -> Over<'_> {
        Over { observed: &self.observed, flow: &self.flow, close: self.close, closed_at: self.closed_at }
    }

    /// It is not the server's turn: its flight is there, or nothing shows that any of it is missing.
    pub fn server_flight_is_over(&self) -> bool {
        self.over().server_flight_is_over()
    }

    /// The client said goodbye to a server that had not said a word: it gave up waiting, and its library is polite.
    pub fn farewell(&self) -> Option<Mark> {
        self.over().farewell()
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy)]
pub(in crate::handshake) struct Ending {
    pub(in crate::handshake) outcome: Outcome,
    pub(in crate::handshake) who: StoppedBy,
    pub(in crate::handshake) mark: Option<Mark>,
}

impl Ending {
    pub(in crate::handshake) fn new(outcome: Outcome, who: impl Into<StoppedBy>, mark: impl Into<Option<Mark>>) -> Self {
        Self { outcome, who: who.into(), mark: mark.into() }
    }
}

/// The FIN or RST that ended a side's sending, the earliest of its kind that counts.
#[derive(Debug, Clone, Copy)]
pub(in crate::handshake) struct Terminator {
    pub(in crate::handshake) side: Side,
    pub(in crate::handshake) mark: Mark,
    pub(in crate::handshake) reset: bool,
}

impl Over<'_> {
    /// By then the server had answered what came as early data, behind its own Finished: its part was done, and what it says last takes its leave.
    pub(in crate::handshake) fn served_early(&self, moment: Mark) -> bool {
        let asked = self.early_data_records > 0 && self.resumption.is_some() && self.is_tls13();
        let finished = self.finished.server.filter(|_| asked && !self.flow.is_udp());
        finished.is_some_and(|finished| self.encrypted.server.iter().any(|record| record.mark > finished && record.mark < moment))
    }

    /// The client said goodbye to a server that had not said a word.
    pub(in crate::handshake) fn farewell(&self) -> Option<Mark> {
        let mute = self.flow.side(Side::Server).bytes_seen == 0 && !self.client_hellos.is_empty() && !self.flow.is_udp();
        let first = self.read_alerts.first().filter(|read| mute && read.from == Side::Client)?;
        first.alert.filter(|alert| alert.description == AlertDescription::CLOSE_NOTIFY).map(|_| first.mark)
    }

    /// A side's first FIN, or RST that fits the connection.
    pub(in crate::handshake) fn first_end(&self, side: Side) -> Option<Terminator> {
        first_end(self, self.flow, side)
    }

    /// It is not the server's turn: its flight is there, or nothing shows that any of it is missing. Messages that share records of TLS 1.3 may be
    /// all of it; then they are when no record is cut off and the client has acknowledged them all.
    pub(in crate::handshake) fn server_flight_is_over(&self) -> bool {
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
pub(in crate::handshake) fn first_end(h: &Observed, flow: &FlowFacts, side: Side) -> Option<Terminator> {
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
        (None, None) => flow.unseen_fin(side).map(|mark| Terminator { side, mark, reset: false }),
    }
}

/// A side sent more of its handshake (not an alert) after this moment.
fn went_on_after(h: &Observed, side: Side, moment: Mark) -> bool {
    // Nor does a server go on that begins to answer a client which is gone.
    let client_went_on =
        [h.finished.client, h.change_cipher_spec.client, h.client_key_exchange].into_iter().flatten().any(|mark| mark > moment);
    if side == Side::Server && !client_went_on && h.server_hello.as_ref().is_some_and(|hello| hello.mark > moment) {
        return false;
    }
    let hello = match side {
        // A hello into a connection that the server closed before it had said anything goes on with nothing.
        Side::Client => h.client_hellos.last().map(|seen| seen.mark).filter(|_| h.server_hello.is_some() || h.hello_retry.is_some()),
        Side::Server => h.server_hello.as_ref().map(|seen| seen.mark),
    };
    [hello, *h.finished.of(side), *h.change_cipher_spec.of(side)].into_iter().flatten().any(|mark| mark > moment)
}

/// How long the capture went on watching this connection after a moment.
pub(in crate::handshake) fn watched_since(h: &Over<'_>, moment: Timestamp) -> Duration {
    let until = match h.close {
        Close::EndOfCapture | Close::Idle | Close::Evicted | Close::Reused => h.closed_at.time.max(h.flow.last.time),
        Close::Ended | Close::Settled => h.flow.last.time,
    };
    until.since(moment)
}

/// An alert that cannot be read may as well be a close_notify after a Finished that the capture lacks.
pub(super) fn readable_or_whole(h: &Over<'_>, alert: &AlertSeen) -> bool {
    let holes = || Side::BOTH.into_iter().any(|side| h.flow.side(side).gap_bytes > 0 || h.flow.side(side).stranded_bytes > 0);
    alert.alert.is_some() || (one_direction(h).is_none() && !holes())
}

/// The side whose packets are absent from the capture though the other answers them.
pub(super) fn one_direction(h: &Over<'_>) -> Option<Side> {
    Side::BOTH.into_iter().find(|side| {
        let (quiet, other) = (h.flow.side(*side), h.flow.side(side.other()));
        quiet.packets == 0 && other.packets > 0 && (quiet.acked > 0 || (other.data_packets > 0 && other.retransmits == 0))
    })
}

/// Sent at least three times without an acknowledgment, over a time in which one could have come.
pub(super) fn in_vain(h: &Over<'_>, sent: &Outstanding) -> bool {
    let long = || sent.last.time.since(sent.first.time) >= NO_ANSWER || watched_since(h, sent.last.time) >= PATIENCE;
    sent.copies >= 3 && !sent.sacked && long()
}

/// The last packet that brought something new.
pub(in crate::handshake) fn progress(flow: &FlowFacts) -> Mark {
    let data = Side::BOTH.iter().filter_map(|side| flow.side(*side).last_data);
    data.chain(flow.established()).max().unwrap_or(flow.first)
}

/// Whose turn it was.
pub(in crate::handshake) fn owing(h: &Over<'_>) -> Side {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Endpoint, FlowKey, Path, Transport};
    use crate::handshake::facts::{EncryptedRecord, Located, Resumption};
    use crate::tls::server_hello::ServerHello;
    use crate::transport::Roles;

    fn at(frame: u64) -> Mark {
        Mark { frame, ..Mark::default() }
    }

    #[test]
    fn a_server_that_answers_early_data_takes_its_leave_before_the_clients_finished() {
        let hello = [&[3, 3][..], &[0x22; 32], &[0, 0x13, 0x01, 0, 0, 6, 0, 43, 0, 2, 3, 4]].concat();
        let what = ServerHello::parse(&hello).expect("whole");
        let mut h = Observed { resumption: Some(Resumption::Psk), early_data_records: 1, ..Observed::default() };
        h.server_hello = Some(Located { what, mark: at(4), first: at(4), span: (0, 56) });
        h.finished.server = Some(at(5));
        let end = |last: u8, port| Endpoint::new([192, 0, 2, last].into(), port);
        let (key, low) = FlowKey::new(Transport::Tcp, end(1, 40_000), end(2, 443), 0);
        let flow = FlowFacts::new(key, low, Roles::Handshake, Path::default(), at(1), 0);
        let served = |h: &Observed| Over { observed: h, flow: &flow, close: Close::Ended, closed_at: at(9) }.served_early(at(7));
        assert!(!served(&h), "it said nothing behind its Finished");
        h.encrypted.server.push(EncryptedRecord { content_type: 23, len: 166, mark: at(6) });
        assert!(served(&h));
        assert!(!served(&Observed { early_data_records: 0, ..h.clone() }), "nothing was asked yet");
        assert!(!served(&Observed { resumption: None, ..h }), "the early data was refused");
    }
}
