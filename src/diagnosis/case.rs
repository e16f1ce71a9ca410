//! What a rule is given: one handshake, and what is known beside it.

use std::time::Duration;

use crate::flow::{Side, Transport};
use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::time::Mark;

use super::cause::Cause;
use super::chain::ChainFacts;
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
        let in_a_row = crowd.up >= CROWD && crowd.asked_again >= IN_A_ROW && crowd.resent == 0 && whole;
        let near = view.near_side() == Some(Side::Server) && crowd.asked_again > 0;
        unnoticed && !self.knowledge.is_flooded() && (in_a_row || near || self.at_the_servers_host())
    }

    /// The capture was taken on the server's own host, where what it sends is not cut into segments yet. A hop counter that is still full tells no more than
    /// that no router lies between: on a wire of the server's network a SYN may be lost behind the capture.
    pub fn at_the_servers_host(&self) -> bool {
        let view = View::new(self.handshake);
        view.near_side() == Some(Side::Server) && view.server().above_mss > 0
    }

    /// It was a wait: long by any measure, or as long as the client's limit is.
    pub fn waited(&self) -> bool {
        View::new(self.handshake).waited() || self.time_limit().is_some()
    }

    /// The client left when its time limit was over, however short that is: others of its connections to this server, which it began one after the other,
    /// it left after the same time, each when the server owed it an answer.
    pub fn time_limit(&self) -> Option<Duration> {
        let own = View::new(self.handshake).gave_up_after()?;
        let start = self.handshake.flow.first.time;
        let alike = |other: &&Related| {
            let apart = other.start.time.since(start).max(start.since(other.start.time));
            let same = other.gave_up_after.is_some_and(|other| other.abs_diff(own) <= (own / 20).max(TIMER));
            other.same_endpoint && same && apart >= own
        };
        (self.knowledge.related.iter().filter(alike).count() >= LIKE_IT).then_some(own)
    }

    /// Packets of the server are lost before they reach the capture, in this handshake or in others with the same server: the message that it was
    /// waited for so long may have been sent in time.
    pub fn may_have_been_lost(&self, wait: &Wait) -> bool {
        let view = View::new(self.handshake);
        let elsewhere = self.knowledge.causes.iter().any(|(cause, count)| *cause == Cause::PacketLoss && *count >= 2);
        (elsewhere || view.loses_unseen(Side::Server)) && !view.is_sent_first(wait)
    }
}

/// Others that show a limit.
const LIKE_IT: usize = 2;
/// How exact a time limit is, with the time that a program takes.
const TIMER: Duration = Duration::from_millis(20);
/// A SYN is sent again no sooner.
const LATE: Duration = Duration::from_millis(200);
/// So many connections of one client at once may be more than a short queue takes.
const CROWD: u32 = 4;
/// Besides this one, SYNs of theirs that went unanswered.
const IN_A_ROW: u32 = 2;
/// A library that opens another socket for another version does so right away.
const AT_ONCE: Duration = Duration::from_secs(3);
