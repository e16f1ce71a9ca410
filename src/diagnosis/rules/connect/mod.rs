//! Rules of the family connect: the transport never came up, or came up for nothing.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::{Cause, Family};
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::Outcome;
use crate::packet::IcmpKind;
use crate::transport::{IcmpNote, SynFacts};

mod accept_queue;
mod fast_open;
mod firewall_reject;
mod half_open;
mod probe;
mod prohibited;
mod refused;
mod syn_flood;
mod syn_unanswered;
#[cfg(test)]
mod tests;
mod unreachable;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Connect,
    speaks: Signs::UNFINISHED.or(Signs::SYN_AGAIN),
    rules: Rules::Each(&[
        &prohibited::RULE,
        &unreachable::RULE,
        &firewall_reject::RULE,
        &refused::RULE,
        &syn_flood::RULE,
        &accept_queue::RULE,
        &syn_unanswered::RULE,
        &half_open::RULE,
        &fast_open::RULE,
        &probe::RULE,
    ]),
};

/// A SYN was sent and the server's address sent nothing at all.
fn syn_ignored(view: View<'_>) -> bool {
    view.client().syn.is_some() && view.server().packets == 0 && !view.spoke(Side::Client)
}

/// The SYN was sent to die on its way, and did: systems give their packets 64 hops and more, traceroute as few as it asks about.
fn died_as_meant<'a>(case: &Case<'a>) -> Option<&'a IcmpNote> {
    let view = View::new(case.handshake);
    let expired = |note: &&IcmpNote| note.kind == IcmpKind::TimeExceeded && note.code == 0 && note.about == Side::Client;
    // Nor does it send one again with as many: that is a system's own, which died in a loop.
    let meant = |syn: &SynFacts| syn.ttl < FEWEST_HOPS && syn.count == 1;
    let syn = view.client().syn.filter(|syn| meant(syn) && view.server().packets == 0 && !view.spoke(Side::Client))?;
    case.handshake.flow.icmp.iter().find(expired).filter(|note| note.mark >= syn.first)
}

/// Hops of which a packet that began with 64 has left more wherever it is captured.
const FEWEST_HOPS: u8 = 30;

/// The client repeated its SYN: Linux and others do after a second.
fn syn_repeated(view: View<'_>) -> bool {
    view.client().syn.is_some_and(|syn| syn.count >= 2)
}

/// The same server took other connections and never answered their hello: its application does not accept.
fn accepts_without_serving(case: &Case<'_>) -> bool {
    let unserved = |cause: Cause| matches!(cause, Cause::ServerSilent | Cause::AcceptQueueFull | Cause::ClientTimeout);
    let known = case.knowledge.causes.iter().any(|(cause, _)| unserved(*cause));
    // An attempt that is not judged yet counts when it stalled after its hello.
    let related = case.knowledge.related.iter().filter(|other| other.same_endpoint).any(|other| {
        match other.cause.filter(|cause| cause.family() != Family::Capture) {
            Some(cause) => other.hello_len > 0 && unserved(cause),
            None => other.hello_len > 0 && other.outcome == Outcome::Stalled || other.left_waiting,
        }
    });
    (known || related) && case.knowledge.completed == 0
}
