//! What rules ask of a handshake's packets: one definition of each notion, so that all rules mean the same by it.
//!
//! A [`View`] borrows the facts and costs nothing to make; each answer is a short walk over bounded lists.

use std::time::Duration;

use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::preamble::Upgrade;
use crate::time::Mark;
use crate::transport::{Close, FlowEventKind, Outstanding, Reset, SideFacts};
use crate::wording::counted;

use super::clock;
use super::policy::Policy;

pub mod datagrams;
mod near;
mod sizes;
#[cfg(test)]
mod tests;
pub mod timing;
mod unknown;

pub use sizes::ETHERNET_MTU;
pub use timing::{LossDelay, Wait};

/// The facts of one handshake, with the questions that rules share.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    handshake: &'a Handshake,
}

/// A FIN or RST.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// Whose packet it is, by its address.
    pub side: Side,
    /// Where.
    pub mark: Mark,
    /// The RST; `None` for a FIN.
    pub reset: Option<&'a Reset>,
    /// The FIN is not in the capture: what is there acknowledges it.
    pub unseen: bool,
}

impl Ending<'_> {
    /// `FIN` or `RST`.
    pub const fn name(&self) -> &'static str {
        match (self.reset, self.unseen) {
            (Some(_), _) => "RST",
            (None, false) => "FIN",
            (None, true) => "FIN, which this acknowledges and the capture lacks",
        }
    }
}

/// What had to come next when a handshake came to a halt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Awaited {
    /// Whose turn it was.
    pub side: Side,
    /// The message, in RFC words.
    pub what: &'static str,
}

/// A hole in a side's bytes that nothing ever filled, as the receiver of those bytes sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// Bytes missing.
    pub len: u64,
    /// Bytes that arrived behind it; none where only a FIN did.
    pub stranded: u64,
}

impl<'a> View<'a> {
    /// A view of these facts.
    pub const fn new(handshake: &'a Handshake) -> Self {
        Self { handshake }
    }

    /// What one side sent.
    pub fn side(&self, side: Side) -> &'a SideFacts {
        self.handshake.flow.side(side)
    }

    /// What the client sent.
    pub fn client(&self) -> &'a SideFacts {
        self.side(Side::Client)
    }

    /// What the server sent.
    pub fn server(&self) -> &'a SideFacts {
        self.side(Side::Server)
    }

    /// It runs over TCP.
    pub fn is_tcp(&self) -> bool {
        !self.handshake.flow.is_udp()
    }

    /// It runs over TCP, was never completed, and that is not for want of capture.
    pub fn failed_over_tcp(&self) -> bool {
        self.is_tcp() && self.handshake.outcome.failed()
    }

    /// It runs over TCP and failed, and no alert or plaintext says how: for rules that judge by silence, FIN and RST.
    pub fn failed_without_words(&self) -> bool {
        self.failed_over_tcp() && !matches!(self.handshake.outcome, Outcome::Alerted | Outcome::Plaintext)
    }

    /// Failed without words, or the capture ended when nothing had come for so long that it was as good as stalled.
    pub fn is_stuck(&self, policy: &Policy) -> bool {
        self.failed_without_words() || self.nearly_stalled(policy)
    }

    /// The capture ended sooner than the stall limit, but after a silence that is long by any measure, and lacks nothing before it.
    pub fn nearly_stalled(&self, policy: &Policy) -> bool {
        let facts = self.handshake;
        let whole = |side| self.side(side).packets > 0 && self.side(side).snaplen_cut == 0 && self.side(side).gap_bytes_acked == 0;
        facts.outcome == Outcome::Incomplete
            && facts.close == Close::EndOfCapture
            && self.is_tcp()
            && self.is_up()
            && facts.flow.saw_start()
            && Side::BOTH.into_iter().all(whole)
            && if clock::runs(facts) {
                self.silence() >= (policy.stall_after * 2 / 5).max(self.rtt() * 10)
            } else {
                Side::BOTH.into_iter().any(|side| self.repeated_in_vain(side).any(|segment| segment.copies >= LONG_IN_VAIN))
            }
    }

    /// The TCP connection came up: the client's acknowledgment of the SYN-ACK was seen, or payload, which implies it.
    pub fn is_up(&self) -> bool {
        let flow = &self.handshake.flow;
        flow.established().is_some()
            || self.server().data_packets > 0
            || (self.server().syn.is_some() || !flow.saw_start()) && self.client().data_packets > 0
    }

    /// The side sent payload.
    pub fn spoke(&self, side: Side) -> bool {
        self.side(side).data_packets > 0 || self.side(side).highest > 0
    }

    /// An upgrade or a proxied connection was asked for and granted, and no ClientHello followed.
    pub fn upgrade_granted(&self) -> bool {
        !self.hello_begun()
            && self.handshake.plaintext.client.is_none()
            && self.handshake.preamble.as_ref().is_some_and(|facts| facts.upgrade == Upgrade::Granted && !facts.dialect.is_proxy_header())
            && !self.granted_too_late()
    }

    /// A ClientHello was seen, whole or in part.
    pub fn hello_begun(&self) -> bool {
        !self.handshake.client_hellos.is_empty() || self.handshake.partial_client_hello.is_some()
    }

    /// A whole ClientHello was seen.
    pub fn hello_whole(&self) -> bool {
        !self.handshake.client_hellos.is_empty()
    }

    /// The frame with the last byte of the last ClientHello, or with the first byte of one that stayed partial.
    pub fn hello_mark(&self) -> Option<Mark> {
        self.handshake.last_hello().map(|seen| seen.mark).or_else(|| self.handshake.partial_client_hello.map(|part| part.mark))
    }

    /// The frame with the first byte of the last ClientHello, or of one that stayed partial.
    pub fn hello_first(&self) -> Option<Mark> {
        self.handshake.last_hello().map(|seen| seen.first).or_else(|| self.handshake.partial_client_hello.map(|part| part.mark))
    }

    /// The frame that began the message whose last byte is the last new payload of a side: a message of several packets is one act.
    pub fn last_message(&self, side: Side) -> Option<Mark> {
        let last = self.side(side).last_data?;
        let facts = self.handshake;
        let spans = |seen: Option<(Mark, Mark)>| seen.filter(|(first, end)| first.frame <= last.frame && last.frame <= end.frame);
        let hello =
            facts.last_hello().map(|seen| (seen.first, seen.mark)).or_else(|| facts.partial_client_hello.map(|part| (part.mark, last)));
        let answer = facts.server_hello.as_ref().or(facts.hello_retry.as_deref()).map(|seen| seen.first);
        let flight = facts.server_hello_done.or_else(|| facts.server_chain.as_ref().map(|seen| seen.mark)).or(facts.finished.server);
        let message = match side {
            Side::Client => spans(hello),
            Side::Server => spans(answer.zip(flight)),
        };
        Some(message.map_or(last, |(first, _)| first))
    }

    /// A FIN or RST that was on its way when the ClientHello was sent: it came sooner than a round trip, and acknowledges nothing of it.
    pub fn crossed(&self, ending: &Ending<'_>) -> bool {
        let Some(hello) = self.hello_first().filter(|hello| hello.frame < ending.mark.frame) else { return false };
        let Some(leg) = self.handshake.flow.leg(ending.side).filter(|leg| *leg >= LEAST_LEG) else { return false };
        // What answers a packet crosses nothing.
        let unheard = ending.reset.is_none_or(|reset| reset.answers.is_none()) && !self.disowns(ending) && self.hello_unacked();
        // What is captured near the server has no time to cross anything.
        ending.side == Side::Server && unheard && ending.mark.time.since(hello.time) < leg * 9 / 10
    }

    /// Offsets of the last ClientHello in the client's stream. Of a partial one: from the start to what was seen.
    pub fn hello_span(&self) -> Option<(u64, u64)> {
        self.handshake.last_hello().map(|seen| seen.span).or_else(|| {
            self.handshake.partial_client_hello.map(|part| (self.client().highest.saturating_sub(part.have as u64), self.client().highest))
        })
    }

    /// Bytes of the ClientHello on the stream, record headers included; of a partial one what its length field promises.
    pub fn hello_len(&self) -> u64 {
        match (self.handshake.last_hello(), self.handshake.partial_client_hello) {
            (Some(seen), _) => seen.span.1.saturating_sub(seen.span.0),
            (None, Some(part)) => part.want.max(part.have) as u64 + RECORD_AND_MESSAGE_HEADER,
            (None, None) => 0,
        }
    }

    /// The ClientHello takes more than one segment.
    pub fn hello_is_split(&self) -> bool {
        let len = self.hello_len();
        len > u64::from(self.mss(Side::Client)) || len > u64::from(self.client().largest_segment) && self.client().largest_segment > 0
    }

    /// The ClientHello needs two full segments on a path of ordinary size, as those with a post-quantum key share do.
    pub fn hello_is_large(&self) -> bool {
        self.hello_len() > u64::from(self.mss(Side::Client)).min(ORDINARY_SEGMENT)
    }

    /// The other side acknowledged the whole ClientHello.
    pub fn hello_acked(&self) -> bool {
        self.hello_span().is_some_and(|(_, end)| self.client().acked >= end)
    }

    /// The other side acknowledged nothing of the ClientHello.
    pub fn hello_unacked(&self) -> bool {
        self.hello_span().is_some_and(|(start, _)| self.client().acked <= start)
            && !self.client().outstanding.iter().any(|segment| segment.sacked)
            && !self.handshake.flow.arrived_behind_hole(Side::Client)
    }

    /// How often the first segment of the ClientHello was sent (0 when it was acknowledged).
    pub fn hello_copies(&self) -> u32 {
        let Some((start, end)) = self.hello_span() else { return 0 };
        let listed =
            self.client().outstanding.iter().filter(|segment| segment.offset < end && segment.offset + u64::from(segment.len) > start);
        listed.map(|segment| segment.copies).max().unwrap_or(0)
    }

    /// The server began a TLS answer: any message, record or alert of its own.
    pub fn answer_begun(&self) -> bool {
        let facts = self.handshake;
        facts.server_hello.is_some()
            || facts.hello_retry.is_some()
            || facts.partial_server_message.is_some()
            || facts.server_chain.is_some()
            || facts.finished.server.is_some()
            || !facts.encrypted.server.is_empty()
            || facts.alerts.iter().any(|alert| alert.from == Side::Server && !alert.consequence)
    }

    /// The server sent payload after the ClientHello, whatever it was.
    pub fn server_spoke_after_hello(&self) -> bool {
        let Some(hello) = self.hello_mark() else { return false };
        self.server().last_data.is_some_and(|last| last.frame > hello.frame)
    }

    /// Nothing of the server's came since the hello, and the number of a bare packet of it is ahead of all that did: it answered, and the answer is not
    /// here. Where that shows, and how many bytes.
    pub fn flight_unarrived(&self) -> Option<(Mark, Hole)> {
        let server = self.server();
        let (mark, _) = server.reached_at.zip(self.hello_mark()).filter(|(mark, hello)| mark.frame > hello.frame)?;
        let nothing_came = server.bytes_seen == 0 && server.acked == 0 && !self.answer_begun();
        let hole = self.hole(Side::Server).filter(|hole| hole.stranded == 0 && hole.len >= LEAST_ANSWER)?;
        nothing_came.then_some((mark, hole))
    }

    /// Largest payload a side may send in one segment: the MSS the other side announced, 1460 when unknown.
    pub fn mss(&self, side: Side) -> u32 {
        self.side(side.other()).syn.and_then(|syn| syn.mss).map_or(DEFAULT_MSS, u32::from)
    }

    /// The first FIN, or RST that its receiver must have believed.
    pub fn first_end(&self) -> Option<Ending<'a>> {
        let fins = Side::BOTH.into_iter().filter_map(|side| {
            let unseen = self.handshake.flow.unseen_fin(side);
            let mark = unseen.or_else(|| self.side(side).fin.map(|(mark, _)| mark))?;
            Some(Ending { side, mark, reset: None, unseen: unseen.is_some() })
        });
        let resets = Side::BOTH.into_iter().flat_map(|side| {
            let all = self.side(side).resets.iter().filter(|reset| reset.in_window || reset.seq_distance == 0 || reset.to_syn);
            all.map(move |reset| Ending { side, mark: reset.mark, reset: Some(reset), unseen: false })
        });
        // What acknowledges an end that the capture lacks comes behind it.
        fins.chain(resets).min_by_key(|ending| (ending.mark.frame, !ending.unseen))
    }

    /// The client looked in and left first without a byte: it closed the connection that had come up, or reset it in answer to the SYN-ACK,
    /// which therefore arrived. A client that lets seconds pass until then waited for something.
    pub fn left_without_a_word(&self) -> Option<Ending<'a>> {
        let facts = self.handshake;
        if !self.failed_over_tcp() || self.spoke(Side::Client) || facts.preamble.is_some() {
            return None;
        }
        let asked = self.client().syn?;
        if self.is_up() {
            // What the server says of the end is no greeting.
            let greeted = |ending: &Ending<'_>| self.server().first_data.is_some_and(|first| first.frame < ending.mark.frame);
            // Its end stands behind bytes that it said and that are not here, or the server's does.
            let lost = self.client().lost_at_end() > 0 || self.server().lost_at_end() > 0;
            // A RST of a system that does not know the connection any more is not its first word either.
            let spoke_unseen = |ending: &Ending<'_>| lost || ending.reset.is_some_and(|reset| reset.seq_distance > 0 || reset.unknowing);
            let own = |ending: &Ending<'_>| {
                !greeted(ending) && !spoke_unseen(ending) && !self.is_foreign(ending) && !self.answers_nothing(ending)
            };
            return self.first_end().filter(|ending| ending.side == Side::Client && own(ending));
        }
        let answered = self.server().syn?;
        let reset = self.client().resets.first()?;
        // Who asks anew behind its RST begins anew. A server that resets did not know what the client said: there was something.
        let once = asked.count == 1 || asked.last.frame > reset.mark.frame;
        // A first RST that was lost is sent again to the next SYN-ACK.
        let answers = answered.count == 1 || answered.count == 2 && reset.unknowing && reset.mark > answered.last;
        if !once || !answers || !self.server().resets.is_empty() {
            return None;
        }
        let at_once = answered.first.time.since(asked.first.time) <= PATIENCE && reset.mark.time.since(answered.last.time) <= PATIENCE;
        let ending = Ending { side: Side::Client, mark: reset.mark, reset: Some(reset), unseen: false };
        let foreign = self.made_by_a_system() && self.is_foreign(&ending);
        (at_once && reset.seq_distance == 0 && !foreign).then_some(ending)
    }

    /// The side that closed or reset first, unless a fatal alert of anybody (or plaintext) came before: then that is the end.
    pub fn ended_by(&self, side: Side) -> Option<Ending<'a>> {
        let ending = self.first_end().filter(|ending| ending.side == side)?;
        if matches!(self.handshake.outcome, Outcome::Alerted | Outcome::Plaintext) {
            return None;
        }
        let alerted = self.handshake.deciding_alert().is_some_and(|alert| alert.mark.frame <= ending.mark.frame);
        (!alerted).then_some(ending)
    }

    /// Nobody ended it before it was given up.
    pub fn ended_by_nobody(&self) -> bool {
        self.first_end().is_none() && self.handshake.deciding_alert().is_none()
    }

    /// When it stopped being followed: the first FIN or RST, else the frame at which it was given up.
    pub fn stop(&self) -> Mark {
        self.first_end().map_or(self.handshake.closed_at, |ending| ending.mark)
    }

    /// The last new payload, or the moment the connection came up, before [`View::stop`].
    pub fn last_progress(&self) -> Mark {
        let stop = self.stop();
        let farewell = self.handshake.farewell();
        let progress = self.landmarks().filter(|mark| mark.frame < stop.frame && farewell != Some(*mark));
        progress.max_by_key(|mark| mark.frame).unwrap_or(self.handshake.flow.first)
    }

    /// How long nothing new had come when it stopped.
    pub fn silence(&self) -> Duration {
        self.handshake.flow.elapsed(self.last_progress(), self.stop())
    }

    /// The silence was long enough for a wait: a second, and many round trips. Where the capture has no times, so long that something was sent
    /// again, or that a server's kernel acknowledged a hello to which the server said nothing.
    pub fn waited(&self) -> bool {
        if !clock::runs(self.handshake) {
            let again = Side::BOTH.into_iter().any(|side| self.side(side).retransmits > 1);
            return again || self.hello_acked() && !self.answer_begun();
        }
        self.silence() >= PATIENCE.max(self.rtt() * 4)
    }

    /// The network's round trip, the shortest seen; zero when unknown.
    pub fn rtt(&self) -> Duration {
        self.handshake.flow.least_rtt().unwrap_or_default()
    }

    /// What had to come next. `None` for a completed handshake.
    pub fn awaited(&self) -> Option<Awaited> {
        let facts = self.handshake;
        let next = |side, what| Some(Awaited { side, what });
        if facts.outcome == Outcome::Completed {
            return None;
        }
        if facts.partial_client_hello.is_some() {
            return next(Side::Client, "the rest of the ClientHello");
        }
        if facts.client_hellos.is_empty() {
            return next(Side::Client, "the ClientHello");
        }
        let Some(server_hello) = &facts.server_hello else {
            return match facts.awaited_second_hello() {
                Some(hello) => next(Side::Client, hello),
                None => next(Side::Server, "the ServerHello"),
            };
        };
        if facts.partial_server_message.is_some() {
            return next(Side::Server, "the rest of the server's flight");
        }
        if server_hello.what.version().is_tls13() {
            return match (facts.server_flight_is_over(), facts.finished.client.is_some()) {
                (false, false) => next(Side::Server, "the rest of the server's flight"),
                (true, false) => next(Side::Client, "the client's Finished"),
                (_, true) => next(Side::Server, "the server's first data after the client's Finished"),
            };
        }
        if facts.resumption.is_some() {
            return if facts.finished.server.is_none() {
                next(Side::Server, "the server's Finished")
            } else {
                next(Side::Client, "the client's Finished")
            };
        }
        if facts.server_hello_done.is_none() && facts.client_key_exchange.is_none() && facts.change_cipher_spec.client.is_none() {
            return next(Side::Server, "the rest of the server's flight up to ServerHelloDone");
        }
        if facts.client_key_exchange.is_none() && facts.change_cipher_spec.client.is_none() {
            return next(Side::Client, "the ClientKeyExchange");
        }
        if facts.finished.client.is_none() {
            return next(Side::Client, "the client's Finished");
        }
        next(Side::Server, "the server's Finished")
    }

    /// What had to come next at this moment, of which a client may have sent the next message only later.
    pub fn awaited_at(&self, moment: Mark) -> Option<Awaited> {
        let facts = self.handshake;
        let next = |side, what| Some(Awaited { side, what });
        if self.hello_whole() && facts.server_hello.as_ref().is_some_and(|hello| hello.mark > moment) {
            return next(Side::Server, "the ServerHello");
        }
        if facts.finished.server.or(facts.server_hello_done).is_some_and(|done| done > moment) && self.server().fin.is_none() {
            return next(Side::Server, "the rest of the server's flight");
        }
        let reply = facts.client_key_exchange.or_else(|| *facts.change_cipher_spec.of(Side::Client)).or(facts.finished.client);
        let later = reply.is_some_and(|reply| reply > moment) && facts.server_hello.as_ref().is_some_and(|hello| hello.mark < moment);
        if later { next(Side::Client, "the client's second flight") } else { self.awaited() }
    }

    /// Segments of a side that were sent again and never acknowledged, in any way.
    pub fn repeated_in_vain(&self, side: Side) -> impl Iterator<Item = &'a Outstanding> {
        self.side(side).outstanding.iter().filter(|segment| segment.copies >= 2 && !segment.sacked && segment.len > 0)
    }

    /// Bytes of this side that never came into view though later ones did.
    pub fn hole(&self, side: Side) -> Option<Hole> {
        let facts = self.side(side);
        if facts.stranded_bytes == 0 {
            // A FIN or a bare acknowledgment stands behind the last byte sent.
            let tail = facts.lost_at_end();
            return (tail > 0).then_some(Hole { len: tail, stranded: 0 });
        }
        let unseen = facts.highest.saturating_sub(facts.bytes_seen).saturating_sub(facts.gap_bytes_acked);
        (unseen > 0).then_some(Hole { len: unseen, stranded: facts.stranded_bytes })
    }

    /// All that this side sends again has a wrong checksum: its receiver drops it. Where it was sent nearby, a network card may yet fill it in.
    pub fn arrives_damaged(&self, side: Side) -> bool {
        let sender = self.side(side);
        let came_far = self.ttl(side).is_some_and(|ttl| !self.is_fresh(ttl));
        came_far && sender.retransmits > 0 && sender.damaged >= sender.retransmits
    }

    /// The connection was captured at two points, and packets of this side were seen at one of them only: they were lost in between.
    pub fn lost_between_points(&self, side: Side) -> bool {
        let (own, other) = (self.side(side), self.side(side.other()));
        own.copies > 0 && other.copies > 0 && other.copies >= other.packets / 2 && own.copies < own.packets.div_ceil(2)
    }

    /// The SYN was answered with two initial sequence numbers: who may have done so.
    pub fn answered_by_two(&self) -> Option<String> {
        let syn = self.server().syn?;
        let ttl = syn.renumbered?;
        Some(if ttl == syn.ttl {
            "the SYN-ACKs have two different initial sequence numbers: two machines answer, or one that does not keep half-open connections (SYN cookies, a SYN proxy)".to_owned()
        } else {
            format!(
                "the SYN-ACKs have two different initial sequence numbers, and TTL {} and {ttl}: two machines answer (a SYN proxy, a load balancer, or one SYN-ACK is forged)",
                syn.ttl
            )
        })
    }

    /// The hop counter of a side's own packets.
    pub fn ttl(&self, side: Side) -> Option<u8> {
        self.side(side).ttl.or_else(|| self.side(side).syn.map(|syn| syn.ttl))
    }

    /// Its hop counter is that of more than one SYN.
    pub fn ttl_is_known(&self, side: Side) -> bool {
        self.side(side).ttl.is_some() || side == Side::Server && self.side(side).syn.is_some()
    }

    /// By how much a hop counter differs from those of a side's own packets: the least difference to the SYN's and to later ones. Zero when
    /// nothing is known.
    pub fn ttl_distance(&self, side: Side, ttl: u8) -> u8 {
        let known = [self.side(side).ttl, self.side(side).syn.map(|syn| syn.ttl)];
        known.into_iter().flatten().map(|own| own.abs_diff(ttl)).min().unwrap_or(0)
    }

    /// The pause before a segment was first sent, counted from the last packet known before it.
    pub fn pause_before(&self, segment: &Outstanding) -> Duration {
        self.pause_until(segment.first)
    }

    /// The pause that ended at a frame, counted from the last packet known before it. What overtook the frame ended the same pause.
    pub fn pause_until(&self, mark: Mark) -> Duration {
        let sides = Side::BOTH.into_iter().flat_map(|side| [self.side(side).acked_at, self.side(side).last_packet]);
        let events = &self.handshake.flow.events;
        let sent = sides.flatten().chain(events.iter().map(|event| event.mark));
        let known: Vec<Mark> = self.landmarks().chain(sent).collect();
        let before = |mark: Mark| known.iter().filter(|known| known.frame < mark.frame).max_by_key(|known| known.frame);
        let overtook = |early: Mark| {
            let ahead = |kind| matches!(kind, FlowEventKind::OutOfOrder { .. } | FlowEventKind::Overtook { .. });
            events.iter().any(|event| event.mark.frame == early.frame && ahead(event.kind))
        };
        let mut end = mark;
        while let Some(early) = before(end).filter(|early| end.time.since(early.time) < OVERTAKEN && overtook(**early)) {
            end = *early;
        }
        before(end).map_or(Duration::ZERO, |known| end.time.since(known.time))
    }

    /// The name asked for, or the server's address when none is known: for summaries.
    pub fn target(&self) -> String {
        match self.handshake.server_name() {
            Some(name) => format!("{name} ({})", self.handshake.server),
            None => self.handshake.aim().into_owned(),
        }
    }

    /// Frames at which something new was said or decided, in no order.
    fn landmarks(self) -> impl Iterator<Item = Mark> + use<'a> {
        let facts = self.handshake;
        let messages = [
            facts.server_hello.as_ref().map(|seen| (seen.first, seen.mark)),
            facts.hello_retry.as_ref().map(|seen| (seen.first, seen.mark)),
            facts.server_chain.as_ref().map(|seen| (seen.first, seen.mark)),
            facts.client_chain.as_ref().map(|seen| (seen.first, seen.mark)),
        ];
        let hellos = facts.client_hellos.iter().map(|seen| (seen.first, seen.mark));
        let spans = messages.into_iter().flatten().chain(hellos).flat_map(|(first, last)| [first, last]);
        let of_both = [facts.flow.established(), facts.server_hello_done, facts.client_key_exchange];
        let of_each = Side::BOTH.into_iter().flat_map(move |side| {
            let own = self.side(side);
            let syn = own.syn.map(|syn| syn.last);
            [own.first_data, own.last_data, *facts.change_cipher_spec.of(side), *facts.finished.of(side), syn]
        });
        spans.chain(of_both.into_iter().chain(of_each).flatten())
    }
}

/// A span of time for people: `230 ms`, `4.15 s`, `2 min 5 s`; to the same digit as the evidence beside it has it.
pub fn span_text(span: Duration) -> String {
    let millis = span.as_millis();
    match millis {
        0 => format!("{} µs", span.as_micros()),
        1..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{:02} s", millis / 1_000, millis % 1_000 / 10),
        60_000..3_600_000 => format!("{} min {} s", millis / 60_000, millis / 1_000 % 60),
        3_600_000..86_400_000 => format!("{} h {} min", millis / 3_600_000, millis / 60_000 % 60),
        _ => format!("{} {} h", counted(millis / 86_400_000, "day", "days"), millis / 3_600_000 % 24),
    }
}

/// `1st`, `2nd`, `3rd`, `4th`, `11th`.
pub fn ordinal(number: u32) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// A segment that was sent so often was waited for during seconds: each time twice as long.
const LONG_IN_VAIN: u32 = 5;
/// An alert is shorter.
const LEAST_ANSWER: u64 = 32;
/// No device forgets a connection within this time.
pub const SHORT_PAUSE: Duration = Duration::from_secs(3);
/// On a shorter leg the clock of the capture decides nothing.
const LEAST_LEG: Duration = Duration::from_millis(2);
/// A shorter wait says nothing: retransmissions and busy servers take that long. A time limit of a second began a little before what is seen last.
const PATIENCE: Duration = Duration::from_millis(950);
/// A server in order answers sooner, and no client decides so late what it does not wait for.
pub const LONG_WAIT: Duration = Duration::from_millis(500);
/// Record header and handshake header in bytes.
const RECORD_AND_MESSAGE_HEADER: u64 = 9;
/// What IPv4 hosts assume on Ethernet when the SYN was not seen.
const DEFAULT_MSS: u32 = 1460;
/// Payload of a segment that every ordinary path passes whole, timestamps and tunnels considered.
const ORDINARY_SEGMENT: u64 = 1_400;
/// Packets of one burst overtake each other by no more than this.
const OVERTAKEN: Duration = Duration::from_millis(50);
