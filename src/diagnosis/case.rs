//! What a rule is given: one handshake, and what is known beside it.

use std::time::Duration;

use crate::flow::{Side, Transport};
use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::time::Mark;
use crate::transport::Close;

use super::cause::Cause;
use super::chain::ChainFacts;
use super::clock;
use super::knowledge::{Knowledge, Related, hello_shape};
use super::policy::Policy;
use super::view::{View, Wait};

/// What a rule is given.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The handshake.
    pub handshake: &'a Handshake,
    /// What the served chain is worth at the handshake's time; present when certificates are known.
    pub chain: Option<&'a ChainFacts>,
    /// The same for the client's chain.
    pub client_chain: Option<&'a ChainFacts>,
    /// What the capture knows of this server and client from other handshakes.
    pub knowledge: &'a Knowledge,
    /// Thresholds.
    pub policy: &'a Policy,
}

impl<'a> Case<'a> {
    /// The server completes handshakes under other names, and none under this one.
    pub fn refused_by_name(&self) -> bool {
        let knowledge = self.knowledge;
        self.handshake.server_name().is_some() && knowledge.completed_other_names > 0 && knowledge.completed_same_name == 0
    }

    /// After a Version Negotiation the same client began another QUIC handshake with this server, from another port: it knew a version by then.
    pub fn went_on_after_the_list(&self) -> Option<&'a Related> {
        let quic = self.handshake.quic.as_ref().filter(|quic| quic.no_common_version())?;
        let (list, _) = quic.negotiation.as_ref()?;
        let next = |other: &&Related| {
            other.same_endpoint
                && other.transport == Transport::Udp
                && other.hello_len > 0
                && other.start > *list
                && other.start.time.since(list.time) <= AT_ONCE
        };
        self.knowledge.related.iter().filter(next).min_by_key(|other| other.start)
    }

    /// Over QUIC the client's last word says most likely that it closes: by its size and its time, or because the same client with the same hello was seen to
    /// close a moment before.
    pub fn left_over_quic(&self) -> Option<Mark> {
        let view = View::new(self.handshake);
        let closed = |mark: &Mark| {
            let shape = self.handshake.hello().map(hello_shape);
            let like = |other: &&Related| {
                other.same_endpoint
                    && other.same_name
                    && other.transport == Transport::Udp
                    && other.start < *mark
                    && Some(other.hello_shape) == shape
            };
            let mut others = self.knowledge.related.iter().filter(like).peekable();
            others.peek().is_some() && others.all(|other| other.outcome == Outcome::Alerted && other.answered_in.is_some())
        };
        view.left_over_quic().or_else(|| view.perhaps_left_over_quic().filter(closed))
    }

    /// The server's system took no notice of the client's SYN at first, and that was no loss on the path: seen at the server, the SYN had arrived; or it was
    /// one of several in a row that went unanswered, while the packets of others between the two hosts all arrived.
    pub fn syn_was_passed_over(&self) -> bool {
        let (view, crowd) = (View::new(self.handshake), self.knowledge.crowd);
        let (Some(syn), Some(answer)) = (view.client().syn, view.server().syn) else { return false };
        // The first copy is answered, if late; or its answer was lost, and not the SYN.
        let unanswered = syn.count > 1 && !syn.first_arrived && answer.count == 1 && answer.first.frame > syn.last.frame;
        // A client that resets in between was told something else, as of an old connection with the same ports.
        let reset = view.client().resets.iter().any(|reset| reset.mark.frame < answer.first.frame);
        let unnoticed = unanswered && !reset && answer.first.time.since(syn.first.time) >= LATE;
        let whole = Side::BOTH.into_iter().all(|side| view.side(side).retransmits == 0);
        // What is in a queue that stays full from one SYN to the next waits as long. Where those that came up did not, somebody else drops SYNs: a
        // limit of new connections by the second, say.
        let lasting = syn.count > 2 || crowd.asked_twice > 0;
        let drained = lasting && crowd.slowest < LATE;
        let in_a_row = crowd.up >= CROWD && crowd.asked_again >= IN_A_ROW && crowd.resent == 0 && whole && !drained;
        let near = view.near_side() == Some(Side::Server) && crowd.asked_again > 0;
        unnoticed && !self.knowledge.is_flooded() && (in_a_row || near || self.at_the_servers_host())
    }

    /// The capture was taken on the server's own host, where what it sends is not cut into segments yet. A hop counter that is still full tells no more than
    /// that no router lies between: on a wire of the server's network a SYN may be lost behind the capture.
    pub fn at_the_servers_host(&self) -> bool {
        let view = View::new(self.handshake);
        view.near_side() == Some(Side::Server) && view.server().above_mss > 0
    }

    /// It was a wait: long by any measure, or as long as the client's limit is, or one on a server that does not answer.
    pub fn waited(&self) -> bool {
        View::new(self.handshake).waited() || self.time_limit().is_some() || self.gave_up_waiting()
    }

    /// The client left a server that had taken in all that it said and owed it an answer, after less than a second, and it is the server that shows
    /// to be slow: it answered when the client had left, leaves others of this client without an answer, or was silent for longer than one in order is.
    /// Where a program ends, all its connections end at one moment, however long each had waited.
    pub fn gave_up_waiting(&self) -> bool {
        let view = View::new(self.handshake);
        let Some((own, ending)) = view.gave_up_after().zip(view.ended_by(Side::Client)) else { return false };
        let client = view.client();
        if !clock::runs(self.handshake) || client.acked < client.highest {
            return false;
        }
        let late = view.server().last_data.is_some_and(|last| last > ending.mark) && view.filled_late(ending.mark).is_none();
        let unserved = |cause: Cause| matches!(cause, Cause::ServerSilent | Cause::ServerStalled | Cause::AcceptQueueFull);
        let mut others = self.knowledge.related.iter().filter(|other| other.same_endpoint);
        let kept = others.any(|other| other.left_waiting || other.cause.is_some_and(unserved));
        // Who waits in vain closes; a RST is as often meant to break off.
        let closed = ending.reset.is_none();
        (kept || closed && (late || own >= QUIET.max(view.rtt() * 10))) && self.ended_with_others() == 0
    }

    /// Other connections of this client to this server that it ended at the same moment, each when it had waited for another time.
    pub fn ended_with_others(&self) -> usize {
        let view = View::new(self.handshake);
        let Some(ending) = view.ended_by(Side::Client).filter(|_| clock::runs(self.handshake)) else { return 0 };
        let own = view.gave_up_after();
        let with_it = |other: &&Related| {
            let at_once = other.left.is_some_and(|left| left.apart(ending.mark.time) <= TIMER);
            let same = own.zip(other.gave_up_after).is_some_and(|(own, other)| is_same_limit(own, other));
            other.same_endpoint && at_once && !same
        };
        self.knowledge.related.iter().filter(with_it).count()
    }

    /// The server repeats its SYN-ACK while the client repeats its hello, and meanwhile another connection between the two came up at once: the client's packets
    /// without data arrive, and a system that waits for data before it takes a connection (deferred accept) repeats its SYN-ACK until some come.
    pub fn waits_for_data(&self) -> bool {
        let view = View::new(self.handshake);
        let Some(hello) = view.hello_first().filter(|_| view.server().syn.is_some_and(|syn| syn.count > 1)) else { return false };
        let last = view.client().outstanding.iter().map(|segment| segment.last).max().unwrap_or(hello);
        let with_it = |start: Mark| start > hello && start < last;
        let up = |other: &Related| other.hello_len > 0 && !other.asked_again && !other.server_unseen;
        // Or this one came up while an earlier one was repeating its hello.
        let at_once = view.client().syn.is_some_and(|syn| syn.count == 1);
        let waits =
            |other: &Related| at_once && other.start < hello && other.hello_len > 0 && other.resent && other.outcome == Outcome::Stalled;
        self.knowledge.related.iter().any(|other| other.same_endpoint && (with_it(other.start) && up(other) || waits(other)))
    }

    /// The client's program ended and nothing failed: it left this handshake without a word, and others at the same moment, while the server served more of
    /// them, and this one had not waited for longer than those; or it had made connections without a pause, and made none after this one.
    pub fn ended_with_its_program(&self) -> Option<ProgramEnd> {
        let view = View::new(self.handshake);
        let left = view.is_tcp() && view.failed_without_words() && view.hello_begun() && self.handshake.outcome != Outcome::Stalled;
        let ending = view.ended_by(Side::Client).filter(|_| left)?;
        let end = match self.ended_with_others() {
            0 => ProgramEnd::LastOf(self.was_last_of_many()?),
            others => ProgramEnd::With(others),
        };
        let served = self.knowledge.related.iter().filter(|other| other.same_endpoint && other.outcome == Outcome::Completed);
        // What a busy client takes for its own part is no wait for the server. Whatever that had said, others like it took it.
        let own_turn = view.awaited_at(ending.mark).is_some_and(|awaited| awaited.side == Side::Client);
        if own_turn {
            let shape = hello_shape(self.handshake.hello()?);
            let took = served.clone().any(|other| other.same_name && other.hello_shape == shape);
            return (took && view.silence() < A_LIMIT).then_some(end);
        }
        let slowest = served.filter_map(|other| other.answered_in).max()?;
        // On a path that loses packets of others, what it waited for may have been lost.
        let lost = self.knowledge.related.iter().any(|other| other.same_endpoint && (other.resent || other.asked_again));
        let patience = if lost { QUIET } else { Duration::ZERO };
        (view.silence() <= (slowest.max(view.rtt()) * 2).max(patience)).then_some(end)
    }

    /// The client had made connections like this one to the server without a pause, all of which were served, and made none after it had left this one.
    /// How many those were.
    fn was_last_of_many(&self) -> Option<usize> {
        let ending = View::new(self.handshake).ended_by(Side::Client)?;
        self.last_of_many(ending.mark, Some(hello_shape(self.handshake.hello()?)))
    }

    /// The same of a connection on which nothing was said, whose client is known to be gone at this moment.
    pub fn last_of_many(&self, gone: Mark, shape: Option<u64>) -> Option<usize> {
        let others = self.knowledge.related.iter().filter(|other| other.same_endpoint);
        if !clock::runs(self.handshake) || others.clone().any(|other| other.start > gone || other.outcome == Outcome::Alerted) {
            return None;
        }
        let with_it = |other: &&Related| {
            let before = gone.time.since(other.start.time) <= WITHOUT_A_PAUSE;
            let alike = shape.is_none_or(|shape| other.same_name && other.hello_shape == shape);
            before && other.outcome == Outcome::Completed && alike
        };
        let count = others.filter(with_it).count();
        (count >= MANY).then_some(count)
    }

    /// In another attempt of this client at this server a side could not decrypt what the other had sent.
    pub fn others_met_changed_bytes(&self) -> bool {
        self.knowledge.related.iter().any(|other| other.same_endpoint && other.cause == Some(Cause::RecordCorrupted))
    }

    /// The client's only SYN was not answered, and as it did not send it again when systems do, it had given up.
    pub fn gave_up_its_syn(&self) -> bool {
        let facts = self.handshake;
        let view = View::new(facts);
        let (Some(syn), server) = (view.client().syn.filter(|syn| syn.count == 1), view.server()) else { return false };
        let alone = view.is_tcp() && server.packets == 0 && view.client().packets <= 1 && facts.flow.icmp.is_empty();
        let overdue = if syn.timestamp.is_some() { OVERDUE } else { OVERDUE_ANYWHERE };
        let watched = facts.flow.unheard_from.is_none() && facts.close != Close::Evicted;
        alone
            && watched
            && view.made_by_a_system()
            && clock::runs(facts)
            && facts.closed_at.time.since(syn.first.time) >= overdue
            && self.knowledge.hears_both_sides
            && !self.knowledge.other_family
    }

    /// The client's limit for connecting is shorter than the way to the server: again and again it had given up when the SYN-ACK came, nothing of its
    /// was served meanwhile, and it had no other way. How long the SYN-ACK took, and how many attempts ended so.
    pub fn connect_limit(&self) -> Option<(Duration, usize)> {
        let took = View::new(self.handshake).gave_up_connecting()?;
        let start = self.handshake.flow.first.time;
        let alike =
            self.knowledge.related.iter().filter(|other| other.same_endpoint && other.too_late && other.start.time.apart(start) >= TIMER);
        let count = alike.count();
        (count >= LIKE_IT && !self.knowledge.other_family && !self.was_spare()).then_some((took, count + 1))
    }

    /// Another connection of this client to this server was under way when this one began, and was served.
    pub fn was_spare(&self) -> bool {
        let start = self.handshake.flow.first.time;
        let with_it = |other: &Related| other.start.time.after(AHEAD) >= start && start.after(BEHIND) >= other.start.time;
        self.knowledge.related.iter().any(|other| other.same_endpoint && other.outcome == Outcome::Completed && with_it(other))
    }

    /// The connection came up and its client said nothing, and so did all its other connections to this server that began around it.
    pub fn is_one_of_mute(&self) -> bool {
        let view = View::new(self.handshake);
        let mute = view.is_mute() && view.silence() >= OVERDUE.max(view.rtt() * 10) && clock::runs(self.handshake);
        let mut others = self.knowledge.related.iter().filter(|other| other.same_endpoint);
        mute && others.clone().filter(|other| other.mute).count() >= LIKE_IT && others.all(|other| other.mute || other.went_unanswered)
    }

    /// The client left when its time limit was over, however short that is: others of its connections to this server, which it began one after the other,
    /// it left after the same time, each when the server owed it an answer.
    pub fn time_limit(&self) -> Option<Duration> {
        let own = View::new(self.handshake).gave_up_after()?;
        let start = self.handshake.flow.first.time;
        let alike = |other: &&Related| {
            let same = other.gave_up_after.is_some_and(|other| is_same_limit(own, other));
            other.same_endpoint && same && other.start.time.apart(start) >= own
        };
        (self.knowledge.related.iter().filter(alike).count() >= LIKE_IT).then_some(own)
    }

    /// What was over when the client left is a limit for the connection and the handshake together: to connect took most of the time, and no answer to the
    /// hello was there; or others of its connections ended the same time after their SYN, at different moments. How long it had.
    pub fn ran_out(&self) -> Option<Duration> {
        let facts = self.handshake;
        let view = View::new(facts);
        let ending = view.ended_by(Side::Client).filter(|_| view.is_owed_at_the_end() && clock::runs(facts))?;
        let answer =
            facts.server_hello.as_ref().map(|hello| hello.first).or_else(|| view.server().first_data.filter(|_| view.answer_begun()));
        let (syn, up) = view.client().syn.zip(facts.flow.established())?;
        let unanswered = answer.is_none_or(|answer| answer > ending.mark);
        let (left, start) = (ending.mark.time, syn.first.time);
        let own = left.since(start);
        let alike = |other: &&Related| {
            let theirs = other.left.filter(|_| other.owed && other.same_endpoint).map(|at| (at, at.since(other.start.time)));
            theirs.is_some_and(|(at, after)| after.abs_diff(own) <= TIMER && at.apart(left) > TIMER * 2)
        };
        let connecting = up.time.since(start);
        let most = unanswered && own >= A_LIMIT && connecting * 2 >= own;
        (most || own >= SHORTEST && self.knowledge.related.iter().filter(alike).count() >= LIKE_IT).then_some(own)
    }

    /// Packets of the server are lost before they reach the capture, in this handshake or in others with the same server: the message that it was
    /// waited for so long may have been sent in time.
    pub fn may_have_been_lost(&self, wait: &Wait) -> bool {
        let view = View::new(self.handshake);
        let elsewhere = self.knowledge.causes.iter().any(|(cause, count)| *cause == Cause::PacketLoss && *count >= 2);
        (elsewhere || view.loses_unseen(Side::Server)) && !view.is_sent_first(wait)
    }
}

/// How it shows that a client's program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramEnd {
    /// So many other connections of it ended at the same moment.
    With(usize),
    /// It was the last of so many that it had made and not left.
    LastOf(usize),
}

/// A program's limit, met twice.
fn is_same_limit(one: Duration, other: Duration) -> bool {
    other.abs_diff(one) <= (one / 20).max(TIMER)
}

/// A server in order has answered before, or its system is about to say so.
const QUIET: Duration = Duration::from_millis(350);
/// Systems send a SYN again after a second (RFC 6298 section 2), those of today.
const OVERDUE: Duration = Duration::from_millis(1_100);
/// Older ones after three.
const OVERDUE_ANYWHERE: Duration = Duration::from_millis(3_600);
/// A program that opens a second connection, in case the first does not come up, has opened the first so much before.
const AHEAD: Duration = Duration::from_secs(1);
/// Or opens both at once.
const BEHIND: Duration = Duration::from_millis(300);
/// Programs give a connection and its handshake a second and more, or say so.
const A_LIMIT: Duration = Duration::from_millis(950);
/// Nobody gives a connection and its handshake less.
const SHORTEST: Duration = Duration::from_millis(250);
/// Others that show a limit.
const LIKE_IT: usize = 2;
/// How exact a time limit is, with the time that a program takes.
const TIMER: Duration = Duration::from_millis(20);
/// Who makes so many connections within so long makes them without a pause.
const MANY: usize = 20;
const WITHOUT_A_PAUSE: Duration = Duration::from_secs(2);
/// A SYN is sent again no sooner.
const LATE: Duration = Duration::from_millis(200);
/// So many connections of one client at once may be more than a short queue takes.
const CROWD: u32 = 4;
/// Besides this one, SYNs of theirs that went unanswered.
const IN_A_ROW: u32 = 2;
/// A library that opens another socket for another version does so right away.
const AT_ONCE: Duration = Duration::from_secs(3);
