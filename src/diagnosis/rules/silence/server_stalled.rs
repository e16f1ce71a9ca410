//! `server-stalled`: the server began and stopped.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Fact, StoppedBy};

pub(super) const RULE: Rule = Rule { cause: Cause::ServerStalled, against: &[], page: page!("server-stalled"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if !view.is_stuck(case.policy) && !view.stalled_over_udp() || !view.answer_begun() || facts.deciding_alert().is_some() {
        return None;
    }
    let awaited = view.awaited().filter(|awaited| awaited.side == Side::Server)?;
    // What began when the client had left had not stopped before.
    if view.gone_before_answer().is_some()
        || view.ended_by(Side::Client).is_some_and(|ending| view.server().first_data.is_some_and(|first| first > ending.mark))
    {
        return None;
    }
    // A server that the client's last words never reached has nothing to answer.
    if !case.waited()
        || view.ended_by(Side::Server).is_some()
        || view.hole(Side::Server).is_some()
        || view.repeated_in_vain(Side::Client).next().is_some()
        // What it sends again and again is there.
        || view.is_tcp() && view.repeated_in_vain(Side::Server).any(|segment| segment.copies >= 3)
        // A host acknowledges a FIN whatever its programs do.
        || view.client().fins_in_vain >= 2
        || view.forgotten_before_end().is_some()
        // Between two pieces of a trickle nothing has stopped.
        || view.trickles() && view.silence() < LONG
    {
        return None;
    }
    let gave_up = view.ended_by(Side::Client);
    // Records that share messages of TLS 1.3 may be the whole flight; and over UDP what is not answered may have been lost.
    let confidence = if !view.is_tcp() {
        match (view.repeats(Side::Client).is_some(), view.near_side()) {
            (true, Some(Side::Server)) | (false, _) => Confidence::Likely,
            (true, _) => Confidence::Hint,
        }
    } else if facts.is_tls13() && facts.hidden.server_flight_done == Fact::Unseen
        // Within a message there is nothing to wait for: the rest of it may as well be lost. And a slow server takes seconds.
        || facts.partial_server_message.is_some()
        || view.silence() < LONG
    {
        Confidence::Likely
    } else {
        Confidence::Strong
    };
    let mut finding = Finding::new(
        Cause::ServerStalled,
        confidence,
        format!(
            "{} stopped in the middle of the handshake: {} never arrived, after {} of silence.",
            view.target(),
            awaited.what,
            span_text(view.silence())
        ),
    )
    .weight(Weight::Fallback)
    .stopped_by(StoppedBy::Server)
    .shown_by(view.last_progress(), format!("last progress; {} was expected next", awaited.what));
    finding = match gave_up {
        Some(ending) => finding.shown_by(ending.mark, format!("the client gives up ({})", ending.name())),
        None => finding.shown_by(facts.closed_at, "still nothing"),
    };
    // One that knows the handshake answers a flight that is repeated (RFC 6347 section 4.2.4).
    if facts.dtls.is_some() && view.repeats(Side::Client).is_some() {
        finding = finding.advise(
            "On the server, check whether it was started anew at this time, and on a balancer whether it sends the client's packets to another server: one that does not know the handshake discards them without a word.",
        );
    }
    Some(
        finding
            .or_else(&[Cause::ClientTimeout, Cause::PathMtuBlackHole, Cause::PacketLoss])
            .advise(format!("On the server, check the log and a thread dump for what it waits for before {}: key store, OCSP, client certificate lookup, CPU.", awaited.what))
            .advise(remedy::s_client(facts, "-msg")),
    )
}

/// No server in order takes so long for a part of its flight.
const LONG: Duration = Duration::from_secs(5);
