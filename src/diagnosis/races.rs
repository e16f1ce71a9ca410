//! Clients that try QUIC and TCP for one server at about the same time: which attempt served them, and what they did with the other.

use std::time::Duration;

use super::case::Case;
use super::knowledge::Related;
use super::view::View;
use crate::flow::{Side, Transport};
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::time::Timestamp;
use crate::transport::Close;

/// The attempt over the other transport that completed, where the client ended this one in the middle.
pub fn dropped_for<'a>(case: &Case<'a>) -> Option<&'a Related> {
    let facts = case.handshake;
    let view = View::new(facts);
    let ended = matches!(facts.outcome, Outcome::Reset | Outcome::Closed) && facts.stopped_by == StoppedBy::Client;
    let begun = facts.alerts.is_empty() && view.hello_whole() && view.server().packets > 0;
    let named = facts.server_name().is_some() && !view.waited();
    let (transport, began) = (facts.flow.key.transport, facts.flow.first.time);
    let won = |other: &&Related| {
        let served = other.transport != transport && other.same_name && other.outcome == Outcome::Completed;
        served && other.start.time.apart(began) <= RACE
    };
    case.knowledge.related.iter().filter(|_| ended && begun && named).find(won)
}

/// The attempt over TCP that this client was served by, while this one over QUIC lay as it was: answered, and the client did not care. It sent nothing
/// that answers the server, and nothing at all once TCP was ready.
pub fn overtaken<'a>(case: &Case<'a>) -> Option<&'a Related> {
    let facts = case.handshake;
    let view = View::new(facts);
    let quic = facts.quic.as_deref()?;
    let left = match facts.outcome {
        Outcome::Reset | Outcome::Closed => facts.stopped_by == StoppedBy::Client,
        Outcome::Stalled | Outcome::Incomplete => true,
        _ => false,
    };
    let cared = quic.acked.server.is_some() || quic.token.is_some() || quic.handshakes.client.count + quic.shorts.client.count > 0;
    let answer = view.server().first_data.filter(|_| left && !cared && facts.alerts.is_empty())?.time;
    let began = facts.flow.first.time;
    // Where answers leave rather than arrive, only attempts that were made at once are a race: a client that lacks the answer turns to TCP, too.
    let arrives = view.near_side() == Some(Side::Client);
    served_over_tcp(case).find(|winner| {
        let between = winner.start.time.apart(began);
        let at_once = !arrives && between <= AT_ONCE;
        between <= RACE && fell_silent(view, winner) && (at_once || ready(winner) <= answer)
    })
}

/// The attempt over TCP that this client was served by, while nothing answered this one over QUIC: it gave QUIC up, so that a longer capture would show no more.
pub fn turned_to_tcp<'a>(case: &Case<'a>) -> Option<&'a Related> {
    let facts = case.handshake;
    let view = View::new(facts);
    let quic = facts.quic.as_deref()?;
    let silent = view.unanswered() && quic.strange.is_none() && quic.closes.is_empty() && facts.flow.icmp.is_empty();
    if facts.outcome != Outcome::Incomplete || facts.close != Close::EndOfCapture || !silent {
        return None;
    }
    served_over_tcp(case).find(|other| {
        let usual = other.answered_in.unwrap_or_default() * 10;
        let since = ready(other).max(facts.flow.last.time);
        facts.flow.first <= other.start && fell_silent(view, other) && facts.closed_at.time.since(since) >= usual.max(UNANSWERED)
    })
}

/// Attempts of this client over TCP for the same name that completed; or with the same server, where the capture cut the hello, and both sides went on.
fn served_over_tcp<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a Related> + use<'a> {
    let named = case.handshake.server_name().is_some();
    let served = |other: &&Related| {
        let went_on = other.passed.client > 0 && other.passed.server > 0;
        let cut = other.hello_len == 0 && other.outcome == Outcome::Incomplete && went_on;
        other.transport == Transport::Tcp && (other.same_name && other.outcome == Outcome::Completed || cut)
    };
    case.knowledge.related.iter().filter(move |_| named).filter(served)
}

/// The client sent nothing more here once the other was ready; what was on its way then may come later.
fn fell_silent(view: View<'_>, other: &Related) -> bool {
    view.client().last_packet.is_none_or(|last| last.time.since(ready(other)) <= AT_ONCE)
}

/// When an attempt was answered, at the earliest.
fn ready(other: &Related) -> Timestamp {
    other.start.time.after(other.hello_after + other.answered_in.unwrap_or_default())
}

/// Attempts that a client makes at a time begin within this.
const RACE: Duration = Duration::from_secs(1);
/// Paths of two transports differ by no more, nor do attempts of which none waited for the other.
const AT_ONCE: Duration = Duration::from_millis(100);
/// Nobody waits longer for the first answer who has another way.
const UNANSWERED: Duration = Duration::from_millis(150);
