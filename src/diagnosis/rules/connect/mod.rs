//! Rules of the family connect: the transport never came up, or came up for nothing.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::{Cause, Family};
use crate::diagnosis::clock;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::packet::IcmpKind;
use crate::preamble::services::{Service, Use};
use crate::transport::{IcmpNote, Reset, SynFacts};

mod accept_queue;
mod checks;
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
    // Nor does it send one again with as many as soon as a system does: that died in a loop.
    let alone = |syn: &SynFacts| syn.count == 1 && view.server().packets == 0;
    let meant = |syn: &SynFacts| syn.ttl < FEWEST_HOPS && (alone(syn) || is_hasty(case.handshake));
    let syn = view.client().syn.filter(|syn| meant(syn) && !view.spoke(Side::Client))?;
    case.handshake.flow.icmp.iter().find(expired).filter(|note| note.mark >= syn.first)
}

/// It came again sooner than systems send one again: a tool's, and not that of a client that wants to connect.
fn is_hasty(handshake: &Handshake) -> bool {
    let Some(syn) = View::new(handshake).client().syn else { return false };
    let repeats = syn.count.saturating_sub(1);
    repeats > 0 && clock::runs(handshake) && syn.last.time.since(syn.first.time) < SOONEST_REPEAT.saturating_mul(repeats)
}

/// Systems wait for a second before they send a SYN again (RFC 6298), or for most of one.
const SOONEST_REPEAT: Duration = Duration::from_millis(250);

/// The client answers each SYN-ACK with a RST, and asks again all the same: every one arrived, and none is what it wanted.
fn refuses_answers(view: View<'_>) -> Option<&Reset> {
    let (answer, client) = (view.server().syn?, view.client());
    let resets = (client.resets.len() as u64).saturating_add(client.resets_dropped.into());
    // Where anybody says something, RSTs answer copies, or another connection under the same addresses.
    let silent = view.client().bytes_seen == 0 && view.server().bytes_seen == 0;
    let each = silent && answer.count >= 2 && resets >= answer.count.into() && view.server().resets.is_empty();
    client.resets.first().filter(|reset| each && reset.seq_distance == 0 && view.client().syn.is_some_and(|syn| syn.count >= 2))
}

/// The port is for a service that begins in clear, and nothing shows that this one speaks TLS.
fn may_be_meant_in_clear(case: &Case<'_>, mut finding: Finding) -> Finding {
    let port = case.handshake.server.port;
    match Service::at(port) {
        Some((service, Use::Clear)) if !case.knowledge.speaks_tls => {
            finding.confidence = finding.confidence.min(Confidence::Likely);
            finding.noting(format!(
                "port {port} is for {name}, which begins in clear: whether TLS was to follow is not known",
                name = service.name
            ))
        }
        _ => finding,
    }
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
