//! Where a handshake's time went: what each side took, and what loss cost.

use std::time::Duration;

use crate::diagnosis::policy::Policy;
use crate::flow::Side;
use crate::packet::IcmpKind;
use crate::preamble::Upgrade;
use crate::preamble::services::{Service, Use};
use crate::time::Mark;
use crate::transport::{Close, FlowEvent, FlowEventKind};

use super::{Ending, View};

/// The time one side took for its next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Who was waited for.
    pub side: Side,
    /// The frame after which it was this side's turn.
    pub from: Mark,
    /// The frame with its answer.
    pub to: Mark,
    /// The message waited for, in RFC words.
    pub what: &'static str,
}

impl Wait {
    /// How long it took, the network included.
    pub fn span(&self) -> Duration {
        self.to.time.since(self.from.time)
    }
}

/// What loss cost a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossDelay {
    /// All of it.
    pub total: Duration,
    /// The largest part of it.
    pub worst: Duration,
    /// Whose packet was lost there.
    pub side: Side,
    /// What it was.
    pub what: &'static str,
    /// The frame that repaired it.
    pub repaired: Mark,
    /// How many repairs there were that cost time.
    pub repairs: u32,
}

impl View<'_> {
    /// The pause after which [`crate::transport::SideFacts::paced`] counts a segment.
    pub const PACE: Duration = Duration::from_millis(200);

    /// This side's packets come one by one, full, at a small part of the pace that the path's round trip allows: something on the path holds them back. A
    /// program that writes slowly sends small ones.
    pub fn crawls(&self, side: Side) -> bool {
        let sender = self.side(side);
        let full = u64::from(sender.largest_segment) * u64::from(sender.paced) * 3 / 4;
        sender.paced >= PACED
            && sender.largest_segment >= FULL
            && sender.delivered >= full
            && self.side(side.other()).zero_window.is_none()
            && self.rtt() > Duration::ZERO
            && self.rtt() < Self::PACE / 4
    }

    /// The server's first message comes in small pieces, each after a pause, and never is whole: tarpits answer so.
    pub fn trickles(&self) -> bool {
        let facts = self.handshake;
        facts.server_hello.is_none()
            && facts.hello_retry.is_none()
            && self.answer_begun()
            && self.server().paced >= TRICKLED
            && self.server().largest_segment < SMALL
            && facts.deciding_alert().is_none()
    }

    /// How long the client had heard nothing when it left over TCP, where the server owed it an answer to all or a part of its hello; not where it left
    /// sooner than anybody's limit.
    pub fn gave_up_after(&self) -> Option<Duration> {
        self.is_owed_at_the_end().then(|| self.silence()).filter(|silence| *silence >= SHORTEST_LIMIT.max(self.rtt() * 3))
    }

    /// The client left over TCP when the server owed it an answer to all or a part of its hello.
    pub fn is_owed_at_the_end(&self) -> bool {
        // Nearly all handshakes complete, and are asked no further.
        if !(self.failed_without_words() && self.is_tcp() && self.hello_begun()) {
            return false;
        }
        self.ended_by(Side::Client).and_then(|ending| self.awaited_at(ending.mark)).is_some_and(|awaited| awaited.side == Side::Server)
    }

    /// The SYN is a system's, which made it for a program, and its answer was long on the way: when it came, the program had closed. Checks and scans
    /// whose SYNs no program asked for are answered as late on a long path, but do not offer all that systems do; and a RST that acknowledges the SYN-ACK is
    /// that of a program that was still there, and had seen enough. How long it took from the SYN to the RST, which is a round trip and more wherever
    /// that is seen.
    pub fn gave_up_connecting(&self) -> Option<Duration> {
        let syn = self.client().syn.filter(|_| !self.is_up() && self.server().syn.is_some())?;
        let by_system = syn.timestamp.is_some() && syn.window_scale.is_some() && syn.sack;
        let ending = self.left_without_a_word().filter(|ending| by_system && ending.reset.is_some_and(|reset| reset.unknowing))?;
        Some(ending.mark.time.since(syn.first.time)).filter(|took| *took >= LONG_WAY)
    }

    /// The server closed when its own flight was out, sooner than anything of the client's that answers it can have come, or without having had what the client
    /// had answered by then: how long it had waited, as far as the client had not answered at all.
    pub fn left_unheard(&self, ending: &Ending<'_>) -> Option<Duration> {
        let (client, server) = (self.client(), self.server());
        let (_, heard) = self.hello_span().filter(|_| ending.side == Side::Server && ending.reset.is_none() && !ending.unseen)?;
        let flight = server.last_data.filter(|flight| flight.frame < ending.mark.frame && self.answer_begun())?;
        let waited = ending.mark.time.since(flight.time);
        // The FIN itself counts for one.
        let unheard = client.acked <= heard || client.acked_at.is_some_and(|acked| acked < flight);
        let facts = self.handshake;
        let answer = facts.client_key_exchange.or(facts.change_cipher_spec.client).or(facts.finished.client);
        let sent = answer.is_some_and(|answer| answer < ending.mark);
        let on_its_way = sent && client.acked <= heard && waited < super::PATIENCE && !self.answers_nothing(ending);
        (unheard && client.highest > heard && (waited < self.rtt() || on_its_way)).then_some(waited)
    }

    /// The connection came up, and neither side said anything or ended it.
    pub fn is_mute(&self) -> bool {
        let quiet = Side::BOTH.into_iter().all(|side| !self.spoke(side) && self.side(side).lost_at_end() == 0);
        self.is_tcp() && self.is_up() && self.handshake.flow.saw_start() && quiet && self.first_end().is_none()
    }

    /// The client waits for a greeting on a port where TLS begins with the first byte: the service, and how long it waited before either side
    /// gave up. Where it greets in clear, clients that are set to STARTTLS (or to no TLS) say nothing first.
    pub fn waits_for_greeting(&self) -> Option<(&'static Service, Duration)> {
        let facts = self.handshake;
        let (service, port_use) = Service::at(facts.server.port)?;
        let silent =
            self.failed_over_tcp() && self.is_up() && facts.flow.saw_start() && facts.preamble.is_none() && !self.spoke(Side::Client);
        if !silent || !service.greets || port_use != Use::Tls {
            return None;
        }
        let waited = self.first_end()?.mark.time.since(facts.flow.established()?.time);
        (waited >= LONGER_THAN_A_PROBE).then_some((service, waited))
    }

    /// The hello was sent again and again for a second and more, and when a copy was acknowledged at last, the client's FIN, which its system holds back behind what
    /// is not acknowledged, came at once: it had left before. How often the hello was sent, and the copy that got through.
    pub fn hello_let_through(&self) -> Option<(u32, Mark)> {
        let client = self.client();
        let (_, end) = self.hello_span().filter(|_| self.hello_whole())?;
        let (fin, acked) = client.fin.map(|(mark, _)| mark).zip(client.acked_at.filter(|_| client.acked == end))?;
        let copies = self.handshake.flow.events.iter().filter(|event| {
            let again = matches!(event.kind, FlowEventKind::Retransmission { offset, .. } if offset < end);
            event.side == Side::Client && again && event.mark < acked
        });
        let (count, last) = copies.fold((0_u32, None), |(count, _), event| (count.saturating_add(1), Some(event.mark)));
        let last = last.filter(|last: &Mark| last.time.since(self.hello_first().unwrap_or(*last).time) >= Duration::from_secs(1))?;
        let at_once = fin > acked && fin.time.since(acked.time) <= AT_ONCE;
        let unheard = self.server().first_data.is_none_or(|first| first > acked);
        (at_once && unheard && count >= MANY_COPIES).then_some((count.saturating_add(1), last))
    }

    /// The upgrade was granted when the client had left.
    pub fn granted_too_late(&self) -> bool {
        let answered = self.handshake.preamble.as_ref().filter(|facts| facts.upgrade == Upgrade::Granted).and_then(|facts| facts.answered);
        answered.is_some_and(|answered| self.first_end().is_some_and(|end| end.side == Side::Client && end.mark < answered))
    }

    /// Each side's waits in order, as far as the messages were seen.
    pub fn waits(&self) -> impl Iterator<Item = Wait> + use<> {
        let facts = self.handshake;
        let begin = match &facts.preamble {
            Some(preamble) => preamble.answered,
            None => facts.flow.established(),
        };
        let first = facts.client_hellos.first();
        let second = facts.client_hellos.get(1);
        let answer = facts.server_hello.as_ref();
        let retry = facts.hello_retry.as_ref();
        let tls13 = facts.is_tls13();
        let server_done = if tls13 || facts.resumption.is_some() { facts.finished.server } else { facts.server_hello_done };
        let old_reply = if tls13 { None } else { facts.client_key_exchange.or(facts.change_cipher_spec.client) };
        let reply = old_reply.or(facts.finished.client);
        // A change of cipher that goes ahead alone is not of TLS 1.3: behind it the system holds the rest back until it is acknowledged (RFC 1122 section
        // 4.2.3.4).
        let ahead = facts.change_cipher_spec.client.filter(|change| tls13 && server_done.is_some_and(|done| done < *change));
        let begun = ahead.filter(|change| reply.is_none_or(|reply| *change < reply));
        let last_answer = (!tls13 && facts.resumption.is_none()).then_some(facts.finished.server).flatten();
        let asked = if retry.is_some() { second } else { first };
        let steps = [
            (Side::Client, begin, first.map(|seen| seen.first), "ClientHello"),
            // Between the pieces of a message it is its sender's turn.
            (Side::Client, first.map(|seen| seen.first), first.map(|seen| seen.mark), "the rest of its ClientHello"),
            (Side::Server, first.map(|seen| seen.mark), retry.map(|seen| seen.first), "HelloRetryRequest"),
            (Side::Client, retry.map(|seen| seen.mark), second.filter(|_| retry.is_some()).map(|seen| seen.first), "second ClientHello"),
            (Side::Server, asked.map(|seen| seen.mark), answer.map(|seen| seen.first), "ServerHello"),
            (Side::Server, answer.map(|seen| seen.mark), server_done, "rest of the server's flight"),
            (Side::Client, server_done, begun.or(reply), "the client's second flight"),
            (Side::Client, begun, reply, "the client's second flight"),
            (Side::Server, facts.finished.client.or(reply), last_answer, "the server's Finished"),
        ];
        let seen = steps.into_iter().filter_map(|(side, from, to, what)| Some(Wait { side, from: from?, to: to?, what }));
        seen.filter(|wait| wait.to.frame > wait.from.frame)
    }

    /// The longest time that a side itself took, round trip deducted, no loss in it.
    pub fn slowest(&self, side: Side) -> Option<(Wait, Duration)> {
        let flow = &self.handshake.flow;
        let own = self.waits().filter(|wait| wait.side == side && !self.loss_between(wait.from, wait.to) && !flow.is_picked_out());
        own.map(|wait| (wait, flow.elapsed(wait.from, wait.to).saturating_sub(self.rtt()))).max_by_key(|(_, span)| *span)
    }

    /// Something was repeated, missing or held back by a closed window between two frames.
    pub fn loss_between(&self, from: Mark, to: Mark) -> bool {
        self.handshake.flow.events.iter().any(|event| {
            event.mark.frame > from.frame
                && event.mark.frame <= to.frame
                && !self.arrived_unanswered(event)
                && matches!(
                    event.kind,
                    FlowEventKind::SynRepeat
                        | FlowEventKind::Retransmission { .. }
                        | FlowEventKind::OutOfOrder { .. }
                        | FlowEventKind::ZeroWindow
                        | FlowEventKind::Gap { .. }
                )
        })
    }

    /// At its receiver's own point a datagram that comes again, before the receiver said anything, had arrived: it waited there.
    fn arrived_unanswered(self, event: &FlowEvent) -> bool {
        let receiver = event.side.other();
        let unheard = self.side(receiver).first_data.is_none_or(|first| first > event.mark);
        !self.is_tcp() && unheard && matches!(event.kind, FlowEventKind::Retransmission { .. }) && self.near_side() == Some(receiver)
    }

    /// Packets of this side are lost before they reach the capture, as holes in its stream or gaps in the numbers of its QUIC packets show, so that a late message may have been sent in time.
    pub fn loses_unseen(&self, side: Side) -> bool {
        let holes =
            self.handshake.flow.events.iter().any(|event| event.side == side && matches!(event.kind, FlowEventKind::OutOfOrder { .. }));
        let numbered = self.handshake.quic.as_ref().is_some_and(|quic| quic.numbers.of(side).missing() > 0);
        (holes || numbered) && self.near_side() != Some(side)
    }

    /// The flight that ended a wait for the server came back to back. Who sends again what was lost sends one segment (RFC 5681 section 3.1), and the
    /// next when that is acknowledged, a round trip later: it was sent then for the first time.
    pub fn is_sent_first(&self, wait: &Wait) -> bool {
        let facts = self.handshake;
        if !self.is_tcp() || wait.side != Side::Server {
            return false;
        }
        let chain = facts.server_chain.as_ref().map(|seen| seen.mark);
        let records = facts.encrypted.server.iter().map(|record| record.mark);
        let flight = records.chain(chain).chain(facts.server_hello_done).chain(facts.finished.server);
        let answered = facts.client_key_exchange.or(facts.finished.client).or_else(|| facts.client_hellos.get(1).map(|hello| hello.first));
        let mut behind = flight.filter(|mark| mark.frame > wait.to.frame && answered.is_none_or(|answered| *mark < answered));
        behind.any(|mark| facts.flow.elapsed(wait.to, mark) < self.rtt() / 2)
    }

    /// Packets that a side sent between two frames and that never came by here, as the identifications tell that it numbers its packets with.
    pub fn sent_unseen(&self, side: Side, from: Mark, to: Mark) -> Option<u32> {
        let ids = &self.side(side).ids;
        let (mark, count) = ids.widest.filter(|_| ids.in_order())?;
        (mark.frame > from.frame && mark.frame <= to.frame).then_some(u32::from(count))
    }

    /// What loss cost up to the end of the handshake; `None` when it cost nothing to speak of.
    pub fn loss_delay(&self) -> Option<LossDelay> {
        let facts = self.handshake;
        let repairs = |kind: &FlowEventKind| {
            matches!(kind, FlowEventKind::SynRepeat | FlowEventKind::Retransmission { .. } | FlowEventKind::OutOfOrder { .. })
        };
        if !facts.flow.events.iter().any(|event| repairs(&event.kind)) {
            return None;
        }
        let end = facts.finished.client.max(facts.finished.server).unwrap_or_else(|| self.stop());
        let syns = Side::BOTH.into_iter().filter_map(|side| self.side(side).syn).flat_map(|syn| [syn.first, syn.last]);
        let mut known: Vec<Mark> = self.landmarks().chain(facts.flow.events.iter().map(|event| event.mark)).chain(syns).collect();
        known.sort_unstable();
        let least = LEAST_REPAIR.max(self.rtt());
        let mut cost: Option<LossDelay> = None;
        let mut add = |span: Duration, side: Side, what: &'static str, repaired: Mark| {
            if span < least {
                return;
            }
            let sum = cost.get_or_insert(LossDelay { total: Duration::ZERO, worst: Duration::ZERO, side, what, repaired, repairs: 0 });
            sum.total += span;
            sum.repairs = sum.repairs.saturating_add(1);
            if span > sum.worst {
                (sum.worst, sum.side, sum.what, sum.repaired) = (span, side, what, repaired);
            }
        };
        for event in facts.flow.events.iter().filter(|event| event.mark.frame <= end.frame) {
            // The other side's timestamps say that the first copy had arrived: it was slow, and not lost.
            let arrived = event.kind == FlowEventKind::SynRepeat && self.side(event.side).syn.is_some_and(|syn| syn.first_arrived);
            if arrived || self.arrived_unanswered(event) {
                continue;
            }
            let before = known.partition_point(|mark| mark.frame < event.mark.frame);
            match event.kind {
                FlowEventKind::SynRepeat | FlowEventKind::Retransmission { .. } => {
                    let previous = before.checked_sub(1).and_then(|index| known.get(index));
                    let idle = previous.map_or(Duration::ZERO, |previous| facts.flow.elapsed(*previous, event.mark));
                    add(idle, event.side, self.lost_message(event.side, &event.kind), event.mark);
                }
                FlowEventKind::OutOfOrder { .. } => {
                    let next = known.iter().skip(before).find(|mark| mark.frame > event.mark.frame && mark.frame <= end.frame);
                    if let Some(next) = next.filter(|next| !facts.flow.events.iter().any(|other| other.mark.frame == next.frame)) {
                        add(facts.flow.elapsed(event.mark, *next), event.side, self.lost_message(event.side, &event.kind), *next);
                    }
                }
                _ => {}
            }
        }
        cost
    }

    /// The capture ends while a side goes on asking: its next packet was not due yet, and all that time was shorter than a stall is. What it asked
    /// for may have come a moment later.
    pub fn still_asks(&self, policy: &Policy) -> bool {
        let facts = self.handshake;
        let end = facts.closed_at.time;
        let least = (policy.stall_after * 2 / 5).max(self.rtt() * 10);
        // Who doubles its patience each time comes again before as much time has passed as up to then, and a second at the first.
        let asks =
            |first: Mark, last: Mark| end.since(first.time) < least && end.since(last.time) < last.time.since(first.time) + FIRST_PATIENCE;
        let refused = facts.flow.icmp.iter().any(|note| !matches!(note.kind, IcmpKind::TooBig(_)));
        let ended = self.first_end().is_some() || facts.quic.as_ref().is_some_and(|quic| !quic.closes.is_empty());
        if facts.close != Close::EndOfCapture || ended || refused {
            return false;
        }
        if !self.is_tcp() {
            // The last datagram of all is always without an answer, and says nothing of those before.
            let again = |side| self.repeats(side).map(|repeats| repeats.last);
            let unheard = |side| self.unanswered_datagrams(side).map(|asked| asked.last);
            return Side::BOTH.into_iter().flat_map(|side| [again(side), unheard(side)]).flatten().any(|last| asks(facts.flow.first, last));
        }
        let syn = self.client().syn.filter(|_| !self.is_up()).map(|syn| (syn.first, syn.last));
        let data = Side::BOTH.into_iter().flat_map(|side| self.repeated_in_vain(side)).map(|sent| (sent.first, sent.last));
        syn.into_iter().chain(data).any(|(first, last)| asks(first, last))
    }

    /// The message at an offset of a side's stream, as well as it can be named.
    pub fn message_at(&self, side: Side, offset: u64) -> &'static str {
        let facts = self.handshake;
        let within = |span: (u64, u64)| span.0 <= offset && offset < span.1;
        match side {
            Side::Client if facts.client_hellos.iter().any(|seen| within(seen.span)) => "ClientHello",
            Side::Client if facts.client_hellos.is_empty() && facts.preamble.is_none() => "ClientHello",
            Side::Client if facts.client_chain.as_ref().is_some_and(|seen| within(seen.span)) => "client's Certificate",
            Side::Client if facts.client_hellos.first().is_some_and(|seen| offset < seen.span.0) => "client's data before the ClientHello",
            Side::Client => "client's second flight",
            Side::Server if facts.hello_retry.as_ref().is_some_and(|seen| within(seen.span)) => "HelloRetryRequest",
            Side::Server if facts.server_hello.as_ref().is_some_and(|seen| within(seen.span)) => "ServerHello",
            Side::Server if facts.server_chain.as_ref().is_some_and(|seen| within(seen.span)) => "server's Certificate",
            Side::Server if facts.client_key_exchange.is_some() && facts.server_hello.is_none() => "server's answer",
            Side::Server => "server's flight",
        }
    }

    fn lost_message(self, side: Side, kind: &FlowEventKind) -> &'static str {
        match kind {
            FlowEventKind::Retransmission { offset, .. } => self.message_at(side, *offset),
            FlowEventKind::OutOfOrder { offset, .. } => self.message_at(side, offset.saturating_sub(1)),
            _ if side == Side::Client => "SYN",
            _ => "SYN-ACK",
        }
    }
}

/// Programs that mean to connect wait longer for a server nearby.
const LONG_WAY: Duration = Duration::from_millis(200);
/// No program limits a handshake to less.
const SHORTEST_LIMIT: Duration = Duration::from_millis(100);
/// So many packets one by one are no accident in a flight of some dozen.
const PACED: u16 = 6;
/// So many pieces after pauses are a manner.
const TRICKLED: u16 = 3;
/// No ServerHello is shorter than this.
const SMALL: u32 = 48;
/// A packet that a program did not make small: the least that every path carries.
const FULL: u32 = 536;
/// The first time that a side waits for an answer is no longer than this.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);
/// Repairs quicker than this (fast retransmit, tail loss probe) are not felt.
const LEAST_REPAIR: Duration = Duration::from_millis(150);
/// Health checks and scans are gone sooner.
const LONGER_THAN_A_PROBE: Duration = Duration::from_secs(2);
/// A system sends what it has held back as soon as it may.
const AT_ONCE: Duration = Duration::from_millis(5);
/// So many copies are not lost by chance, with the first.
const MANY_COPIES: u32 = 3;
