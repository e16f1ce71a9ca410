//! What rules ask of a handshake over UDP: who was heard, what was repeated in vain.

use std::time::Duration;

use crate::flow::Side;
use crate::handshake::facts::{ClosedBy, DtlsFacts, Outcome, QuicFacts, Unanswered};
use crate::packet::IcmpKind;
use crate::time::Mark;
use crate::transport::{Close, IcmpNote};

use super::{LONG_WAIT, View};

/// What a side sent again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeats {
    /// How often, the first time not counted.
    pub count: u32,
    /// The first repetition.
    pub first: Mark,
    /// The last.
    pub last: Mark,
}

impl<'a> View<'a> {
    /// The facts of a QUIC handshake that failed.
    pub fn failed_over_quic(&self) -> Option<&'a QuicFacts> {
        self.handshake.quic.as_deref().filter(|_| self.handshake.outcome.failed())
    }

    /// The facts of a DTLS handshake that failed.
    pub fn failed_over_dtls(&self) -> Option<&'a DtlsFacts> {
        self.handshake.dtls.as_deref().filter(|_| self.handshake.outcome.failed())
    }

    /// It runs over UDP, and came to a halt without a word why.
    pub fn stalled_over_udp(&self) -> bool {
        self.handshake.flow.is_udp() && self.handshake.outcome == Outcome::Stalled
    }

    /// It runs over UDP, and nothing of the protocol came back.
    pub fn unanswered(&self) -> bool {
        match (&self.handshake.quic, &self.handshake.dtls) {
            (Some(_), _) => self.server().packets == 0,
            (None, Some(dtls)) => dtls.datagrams.server.count == 0,
            (None, None) => self.handshake.carried.as_ref().is_some_and(|carried| carried.datagrams.server.count == 0),
        }
    }

    /// The client goes on as only one that was answered does, and no datagram of the server is in the capture.
    pub fn answered_unseen(&self) -> bool {
        let quic = self.handshake.quic.as_ref().is_some_and(|quic| quic.acked.server.is_some() || quic.shorts.client.count > 0);
        let dtls = self.handshake.dtls.as_ref().is_some_and(|dtls| dtls.hellos_with_cookie.count > 0);
        self.server().packets == 0 && (quic || dtls)
    }

    /// What a side sent again over UDP.
    pub fn repeats(&self, side: Side) -> Option<Repeats> {
        let (count, span) = match (&self.handshake.quic, &self.handshake.dtls) {
            (Some(quic), _) => (*quic.repeats.of(side), *quic.repeated.of(side)),
            (None, Some(dtls)) => (*dtls.repeats.of(side), *dtls.repeated.of(side)),
            (None, None) => {
                self.handshake.carried.as_ref().map_or((0, None), |carried| (*carried.repeats.of(side), *carried.repeated.of(side)))
            }
        };
        span.map(|(first, last)| Repeats { count, first, last })
    }

    /// Over QUIC the client's last word is a lone Handshake packet too small for a Finished, and came so long behind the server's flight that it does not
    /// acknowledge it, which is done at once (RFC 9000 section 13.2.1): where the capture ends with it, it says most likely that the client closes.
    pub fn left_over_quic(&self) -> Option<Mark> {
        let facts = self.handshake;
        let quic = facts.quic.as_deref().filter(|quic| quic.opened.client + quic.opened.server == 0 && quic.shorts.client.count == 0)?;
        let (len, mark) = quic.last_alone.client.filter(|_| facts.outcome == Outcome::Incomplete && !facts.provisional)?;
        let flight = quic.handshakes.server.last.filter(|last| *last < mark)?;
        let is_last = Side::BOTH.into_iter().all(|side| self.side(side).last_packet.is_none_or(|last| last <= mark));
        let late = mark.time.since(flight.time) >= facts.server_hello_time()?.max(AT_ONCE);
        (is_last && late && len < QuicFacts::LEAST_FINISHED && facts.close == Close::EndOfCapture).then_some(mark)
    }

    /// Over QUIC the client's last word, which nobody can read, is a lone Handshake packet behind the server's flight, and the capture ends with it: it may be
    /// the client's Finished, or say that it closes.
    pub fn perhaps_left_over_quic(&self) -> Option<Mark> {
        let facts = self.handshake;
        let quic = facts.quic.as_deref().filter(|quic| quic.opened.client + quic.opened.server == 0 && quic.shorts.client.count == 0)?;
        let (len, mark) = quic.last_alone.client.filter(|_| facts.outcome == Outcome::Incomplete && !facts.provisional)?;
        let answers = quic.handshakes.server.last.is_some_and(|last| last < mark);
        let is_last = Side::BOTH.into_iter().all(|side| self.side(side).last_packet.is_none_or(|last| last <= mark));
        (answers && is_last && len > QuicFacts::LARGEST_ACK && facts.close == Close::EndOfCapture).then_some(mark)
    }

    /// Over QUIC the client had gone when the server's first answer came: it never said a word to it, its host says that the port is closed, or it did not
    /// repeat itself in the time in which a client that lacks the answer does (RFC 9002 section 6.2.2). The server's first answer, and the ICMP message.
    pub fn gone_before_answer(&self) -> Option<(Mark, Option<&'a IcmpNote>)> {
        let facts = self.handshake;
        let quic = facts.quic.as_deref().filter(|_| facts.outcome.failed() && facts.alerts.is_empty() && facts.flow.out_of_step == 0)?;
        let hello = facts.server_hello.as_ref().map(|hello| hello.first);
        let answer = hello.or_else(|| self.server().first_data.filter(|_| self.answer_begun()))?;
        let cared = quic.acked.server.is_some() || quic.token.is_some() || quic.handshakes.client.count + quic.shorts.client.count > 0;
        let spoke = self.client().last_packet.is_none_or(|last| last > answer);
        let unasked = quic.closes.is_empty() && self.repeats(Side::Client).is_none() && facts.hello_retry.is_none();
        if cared || spoke || !unasked {
            return None;
        }
        let closed = facts.flow.icmp.iter().find(|note| note.about == Side::Server && note.kind == IcmpKind::PortUnreachable);
        let overdue = facts.closed_at.time.since(facts.flow.first.time) >= PROBE_OVERDUE;
        (closed.is_some() || overdue).then_some((answer, closed))
    }

    /// Over QUIC the client's socket was closed when the server's flight began to come, of which it had had no more than an acknowledgment, and that took longer
    /// than from a server in order. What drew the ICMP message that says so, and that message.
    pub fn gone_before_flight(&self) -> Option<(Mark, &'a IcmpNote)> {
        let facts = self.handshake;
        let quic =
            facts.quic.as_deref().filter(|_| facts.outcome == Outcome::Closed && self.ended_by_icmp() && facts.flow.out_of_step == 0)?;
        let note = facts.flow.icmp.iter().find(|note| note.about == Side::Server && note.kind == IcmpKind::PortUnreachable)?;
        let last = self.client().last_packet.filter(|last| *last < note.mark)?;
        let had = [quic.handshakes.server.first, quic.shorts.server.first, facts.server_hello.as_ref().map(|hello| hello.first)];
        let unheard = had.iter().flatten().all(|mark| *mark > last);
        let waited = note.mark.time.since(facts.flow.first.time);
        let drew = had.into_iter().flatten().min().filter(|mark| *mark < note.mark).or_else(|| self.server().first_data)?;
        (unheard && quic.closes.is_empty() && waited >= LONG_WAIT.max(self.rtt() * 3)).then_some((drew, note))
    }

    /// A ServerHello or part of one was seen.
    pub fn server_hello_begun(&self) -> bool {
        self.handshake.server_hello.is_some() || self.handshake.hello_retry.is_some() || self.handshake.partial_server_message.is_some()
    }

    /// Datagrams of a side over UDP since the other was last heard.
    pub fn unanswered_datagrams(&self, side: Side) -> Option<Unanswered> {
        let talk = match (&self.handshake.quic, &self.handshake.dtls) {
            (Some(quic), _) => quic.talk,
            (None, Some(dtls)) => dtls.talk,
            (None, None) => self.handshake.carried.as_ref()?.talk,
        };
        *talk.unanswered.of(side)
    }

    /// The end is an ICMP message: a side's host says that nobody listens there any more. No packet of that side says so.
    pub fn ended_by_icmp(&self) -> bool {
        let flow = &self.handshake.flow;
        flow.is_udp() && flow.icmp.iter().any(|note| Some(note.mark) == self.handshake.end)
    }

    /// What ended a connection without an alert, in the words of its protocol.
    pub fn closing_word(&self, reset: bool) -> &'static str {
        match (&self.handshake.quic, &self.handshake.carried, reset) {
            (Some(_), ..) => "CONNECTION_CLOSE",
            (None, Some(carried), _) => carried.closing_word(),
            (None, None, true) => "RST",
            (None, None, false) if self.first_end().is_some_and(|ending| ending.unseen) => "FIN, which the capture lacks,",
            (None, None, false) if self.is_tcp() => "FIN",
            (None, None, false) => "close_notify",
        }
    }

    /// An ICMP message that says that a UDP port or host is not there, about the client's datagrams.
    pub fn refused_datagram(&self) -> Option<&'a IcmpNote> {
        let says_so =
            |note: &&IcmpNote| note.about == Side::Client && matches!(note.kind, IcmpKind::PortUnreachable | IcmpKind::Unreachable);
        // Who has a cookie was answered, in the capture or not.
        let unanswered = self.unanswered() && !self.answered_unseen();
        self.handshake.flow.icmp.iter().find(says_so).filter(|_| unanswered && self.handshake.outcome.failed())
    }

    /// A QUIC endpoint ended it with a code that is no alert.
    pub fn closed_by_code(&self, side: Side) -> Option<&'a ClosedBy> {
        let quic = self.failed_over_quic().filter(|_| self.handshake.outcome == Outcome::Closed)?;
        quic.closes.first().filter(|close| close.from == side)
    }

    /// The server's flight over DTLS has large datagrams and is repeated, and the client, which got a small one before, only repeats its hello.
    pub fn large_flight_unheard(&self) -> bool {
        let Some(dtls) = self.failed_over_dtls().filter(|_| self.stalled_over_udp() && self.answer_begun()) else { return false };
        dtls.hellos_with_cookie.count > 0
            && (dtls.hole.is_none() || self.server().snaplen_cut > 0)
            && *dtls.largest.of(Side::Server) >= FULL_SIZE
            && self.repeats(Side::Client).is_some_and(|hello| hello.count >= 2)
            && self.repeats(Side::Server).is_some()
    }

    /// From the first to the last datagram with a hello.
    pub fn hello_tries(&self) -> (u32, Duration) {
        let repeats = self.repeats(Side::Client);
        let span = repeats.map_or(Duration::ZERO, |repeats| repeats.last.time.since(self.handshake.flow.first.time));
        (repeats.map_or(1, |repeats| repeats.count.saturating_add(1)), span)
    }
}

/// Bytes of a datagram from which on it may be too large for a path with tunnels.
pub const FULL_SIZE: u32 = 500;
/// A client that knows no round trip yet repeats its Initial after a second.
const PROBE_OVERDUE: Duration = Duration::from_millis(1_300);
/// No acknowledgment of a Handshake packet is held back so long; to verify a certificate takes that.
const AT_ONCE: Duration = Duration::from_millis(3);
