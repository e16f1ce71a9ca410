//! `client-aborted`: the client left in the middle.

use std::time::Duration;

use crate::diagnosis::case::{Case, ProgramEnd};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::clock;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{Ending, View, span_text};
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::handshake::greeting::ungreeted;
use crate::preamble::{Dialect, PreambleFacts, Upgrade};
use crate::time::Mark;
use crate::wording::{count, counted};

pub(super) const RULE: Rule = Rule { cause: Cause::ClientAborted, against: &[], page: page!("client-aborted"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if let Some(left) = facts.carried.as_ref().and_then(|carried| carried.left()) {
        return (facts.outcome == Outcome::Closed).then(|| logged_off(facts, left));
    }
    if !view.is_tcp() {
        if view.gone_before_answer().is_some() || view.gone_before_flight().is_some() {
            return None;
        }
        return super::closed_over_udp(case, Cause::ClientAborted, Side::Client);
    }
    let passed_by = passed_by_an_offer(facts);
    // Why it left is told as such.
    if !view.hello_begun() && facts.preamble.as_ref().is_some_and(|preamble| preamble.demands_the_impossible()) {
        return None;
    }
    if !view.failed_without_words() || !(view.hello_begun() || view.upgrade_granted() || passed_by.is_some()) {
        return None;
    }
    let ending = view.ended_by(Side::Client)?;
    if let Some(end) = case.ended_with_its_program() {
        return Some(program_ended(facts, &ending, end));
    }
    if let Some(preamble) = passed_by {
        return Some(left_an_offer(facts, preamble, &ending));
    }
    let awaited = view.awaited_at(ending.mark)?;
    // Waiting in vain for the server is a time limit and told as such; a long silence of the client is a stall, whether a FIN ends it or not.
    if awaited.side == Side::Server && (case.waited() || case.ran_out().is_some() || trickled(view, &ending))
        || facts.outcome == Outcome::Stalled
    {
        return None;
    }
    // What came when it had left is no answer that it did not like.
    let begun = facts.server_hello.as_ref().map(|hello| hello.first).or_else(|| view.server().first_data);
    // Nor is what its FIN does not acknowledge.
    let taken = ending.reset.is_some()
        || facts.server_hello.as_ref().is_none_or(|hello| view.server().acked > hello.span.0 || view.client().sent_sack);
    let answered = view.answer_begun() && taken && begun.is_none_or(|begun| begun < ending.mark);
    let too_late = view.answer_begun() && !answered;
    let soon = if clock::runs(facts) { "right " } else { "" };
    let verb = if ending.reset.is_some() { "reset" } else { "closed" };
    let summary = if answered {
        format!(
            "{} {verb} the connection to {} in the middle of the handshake, without an alert, {} after the last progress.",
            facts.client.host(),
            view.target(),
            span_text(view.silence())
        )
    } else if let Some(part) = facts.partial_client_hello {
        let of = if part.want > part.have { format!(" of {}", count(part.want as u64)) } else { String::new() };
        format!(
            "{} {verb} the connection to {} in the middle of its ClientHello: it sent {}{of} bytes of it and left {} later.",
            facts.client.host(),
            view.target(),
            count(part.have as u64),
            span_text(ending.mark.time.since(view.last_progress().time))
        )
    } else if view.hello_begun() {
        format!("{} {verb} the connection to {} {}after its ClientHello.", facts.client.host(), view.target(), soon)
    } else {
        format!("{} {verb} the connection to {} right after the server's go-ahead to start TLS.", facts.client.host(), view.target())
    };
    let runs = clock::runs(facts);
    let alternatives: &[Cause] = match (answered, runs) {
        _ if too_late => &[Cause::ClientTimeout, Cause::ServerSlow, Cause::UserCanceled],
        (true, true) => &[Cause::ServerCertificateRejected, Cause::UserCanceled],
        (true, false) => &[Cause::ServerCertificateRejected, Cause::ServerStalled, Cause::ClientTimeout],
        (false, true) => &[Cause::UserCanceled],
        (false, false) => &[Cause::ServerSilent, Cause::ClientTimeout, Cause::UserCanceled],
    };
    // Who waits for many round trips may have a short limit.
    let perhaps_waited = awaited.side == Side::Server && view.hello_acked() && view.silence() >= SHORT_LIMIT.max(view.rtt() * 10);
    let alternatives =
        if perhaps_waited && runs { &[Cause::ServerSilent, Cause::ClientTimeout, Cause::UserCanceled] } else { alternatives };
    // What it could not have read yet is not what it left for.
    let ended = case.ended_with_others();
    let why = if ended > 0 {
        "its process ended"
    } else if answered {
        "certificate not accepted, request cancelled, process ended"
    } else {
        "request cancelled, process ended"
    };
    // Nor did a program end what its own system does not know.
    let stranger = view.disowns(&ending);
    // Whoever leaves without a word may have waited for what the capture does not show, or have had another connection.
    let finding = super::noting_stranger(view, Finding::new(Cause::ClientAborted, Confidence::Likely, summary), &ending);
    let finding = if stranger {
        finding
            .or_else(&[Cause::ResetInjected, Cause::IdleTimeout])
            .advise("Capture on the client at the same time: it may have been reset there, by a device on the path or by a NAT that forgot the connection.")
    } else {
        finding
    };
    let finding = if ended > 0 {
        let others = counted(ended as u64, "other connection", "other connections");
        finding.noting(format!("{others} of it to this server ended at the same moment, each after another time: its process ended"))
    } else {
        finding
    };
    let finding = if runs {
        finding
    } else {
        finding.noting("the capture has no times: the client may have left at once, or after it had waited without success")
    };
    Some(
        finding
            .weight(Weight::Fallback)
            .stopped_by(StoppedBy::Client)
            .shown_by(view.last_progress(), "last progress of the handshake")
            .shown_by(
                ending.mark,
                format!("the client's {}, with no alert before it; the next message expected was {}", ending.name(), awaited.what),
            )
            .or_else(alternatives)
            .advise(remedy::log(facts, Side::Client, why)),
    )
}

/// Whatever its program had under way ended with it.
fn program_ended(facts: &Handshake, ending: &Ending<'_>, end: ProgramEnd) -> Finding {
    let view = View::new(facts);
    let (client, target) = (facts.client.host(), view.target());
    let others = |count: usize| counted(count as u64, "other connection", "other connections");
    let summary = match end {
        ProgramEnd::With(count) => format!(
            "{client} ended this connection to {target} and {} to it at one moment, each at another point of its handshake, while the server served more of them: its program ended.",
            others(count)
        ),
        ProgramEnd::LastOf(count) => format!(
            "{client} left this connection to {target} in the middle of the handshake, after the server had served {} of it within two seconds, and made none after it: its program ended.",
            others(count)
        ),
    };
    Finding::new(Cause::ClientAborted, Confidence::Likely, summary)
        .weight(Weight::Fallback)
        .headline("the client's program ended in the middle of it")
        .undecided()
        .stopped_by(StoppedBy::Client)
        .shown_by(view.last_progress(), "last progress of the handshake")
        .shown_by(ending.mark, format!("the client's {}, {} later, with no alert before it", ending.name(), span_text(view.silence())))
        .or_else(&[Cause::UserCanceled])
        .advise("Nothing failed, unless the program was not meant to end: its own log on the client says so.")
}

/// The shortest time limits that services give each other.
const SHORT_LIMIT: Duration = Duration::from_millis(100);

/// It had waited for a message of which a piece came now and then.
fn trickled(view: View<'_>, ending: &Ending<'_>) -> bool {
    view.trickles() && view.hello_mark().is_some_and(|hello| ending.mark.time.since(hello.time) >= super::SHORTEST_LIMIT)
}

/// A supplicant says that it leaves, and not why.
fn logged_off(facts: &Handshake, left: Mark) -> Finding {
    let view = View::new(facts);
    let name = facts.carried.as_ref().and_then(|carried| carried.eap()?.method).map_or("EAP", |(method, _)| method.title());
    let after = span_text(left.time.since(view.last_progress().time));
    let finding = Finding::new(
        Cause::ClientAborted,
        Confidence::Strong,
        format!(
            "The supplicant {} logged off in the middle of {name} with {}, {after} after the last progress.",
            facts.client.host(),
            facts.server
        ),
    );
    let finding = finding
        .weight(Weight::Fallback)
        .stopped_by(StoppedBy::Client)
        .shown_by(view.last_progress(), "last progress of the handshake")
        .shown_by(left, "EAPOL-Logoff of the supplicant, with no alert before it");
    let finding = if view.answer_begun() { finding.or_else(&[Cause::ServerCertificateRejected, Cause::UserCanceled]) } else { finding };
    finding.advise(remedy::log(facts, Side::Client, "it says why it left: a user, another network, a certificate not accepted"))
}

/// The server offered the upgrade, and nothing more was said of it.
fn passed_by_an_offer(facts: &Handshake) -> Option<&PreambleFacts> {
    let offered = |preamble: &&PreambleFacts| {
        let open = preamble.upgrade == Upgrade::NotAsked || left_the_choice(preamble);
        let seen = preamble.listed.is_none_or(|listed| View::new(facts).first_end().is_none_or(|end| listed < end.mark));
        preamble.offered == Some(true) && open && preamble.went_on.is_none() && seen
    };
    // An offer that came when the client had left was not seen.
    let open = facts.client_hellos.is_empty() && facts.partial_client_hello.is_none() && ungreeted(facts).is_none();
    facts.preamble.as_deref().filter(offered).filter(|_| open)
}

/// The client asked for `VeNCrypt` and chose none of the subtypes that the server then named.
fn left_the_choice(preamble: &PreambleFacts) -> bool {
    let last = preamble.lines.last().is_some_and(|line| line.side == Side::Server);
    preamble.dialect == Dialect::Vnc && preamble.upgrade == Upgrade::Asked && preamble.detail.is_some() && last
}

fn left_an_offer(facts: &Handshake, preamble: &PreambleFacts, ending: &Ending<'_>) -> Finding {
    let request = preamble.dialect.request();
    let verb = if ending.reset.is_some() { "reset" } else { "closed" };
    if let (true, Some(list), Some(line)) = (left_the_choice(preamble), &preamble.detail, preamble.lines.last()) {
        let client = facts.client.host();
        let summary = format!("{} offers {list} ({request}), and {client} {verb} the connection without choosing one.", facts.server);
        return Finding::new(Cause::ClientAborted, Confidence::Strong, summary)
            .weight(Weight::Fallback)
            .stopped_by(StoppedBy::Client)
            .shown_by(line.mark, format!("the server's {}", line.text))
            .shown_by(ending.mark, format!("the client's {}", ending.name()))
            .or_else(&[Cause::UserCanceled])
            .advise("Give the VNC client and server a security type in common (TigerVNC: `SecurityTypes` on both sides): the client accepts none of these.");
    }
    let summary = format!(
        "{} offers {request} ({}), and {} {verb} the connection without asking for it.",
        facts.server,
        preamble.dialect.title(),
        facts.client.host()
    );
    let finding = Finding::new(Cause::ClientAborted, Confidence::Likely, summary).weight(Weight::Fallback).stopped_by(StoppedBy::Client);
    let offer = preamble.listed.or_else(|| preamble.lines.iter().rev().find(|line| line.side == Side::Server).map(|line| line.mark));
    let finding = match offer {
        Some(mark) => finding.shown_by(mark, format!("the server's offer of {request}")),
        None => finding,
    };
    finding
        .shown_by(ending.mark, format!("the client's {}", ending.name()))
        .or_else(&[Cause::StarttlsNotOffered, Cause::TcpProbe])
        .advise(
            "Capture on the client at the same time to see whether the offer arrives there: firewalls that inspect the protocol remove it.",
        )
        .advise("On the client, check whether it is configured for TLS at all; a monitor may only want the greeting.")
}

#[cfg(test)]
mod tests {
    use super::super::tests::left_unanswered;
    use super::*;
    use crate::diagnosis::knowledge::{Knowledge, Related, hello_shape};
    use crate::diagnosis::testing::{Scene, at, connected, related, verdict_knowing};
    use crate::tls::registry::ProtocolVersion;

    #[test]
    fn a_program_that_ends_with_connections_under_way_has_not_failed() {
        // Left after this wait, while others were left at these moments and others were answered after these waits.
        let told = |after: i64, left_at: &[i64], answered: &[(Outcome, u64)]| {
            let facts = left_unanswered(after);
            let ended = left_at.iter().map(|at_millis| Related {
                same_endpoint: true,
                outcome: Outcome::Closed,
                gave_up_after: Some(Duration::from_millis(40)),
                left: Some(at(7, *at_millis).time),
                ..related(at(20, 320))
            });
            let served = answered.iter().map(|(outcome, millis)| Related {
                same_endpoint: true,
                outcome: *outcome,
                answered_in: Some(Duration::from_millis(*millis)),
                ..related(at(21, 100))
            });
            let knowledge = Knowledge { related: ended.chain(served).collect(), ..Knowledge::default() };
            verdict_knowing(&facts, &knowledge).cause.map(|finding| (finding.cause, finding.undecided))
        };
        let (completed, closed) = (Outcome::Completed, Outcome::Closed);
        let [ended, left] = [true, false].map(|undecided| Some((Cause::ClientAborted, undecided)));
        assert_eq!(told(200, &[226], &[(completed, 150)]), ended);
        assert_eq!(told(200, &[225, 227, 226], &[(closed, 10), (completed, 150)]), ended);
        assert_eq!(told(200, &[226], &[(completed, 30)]), left, "it had waited for longer than others");
        assert_eq!(told(200, &[226], &[(closed, 150)]), left, "nobody was served");
        assert_eq!(told(200, &[626], &[(completed, 150)]), left, "at another moment");
        assert_eq!(told(200, &[], &[(completed, 150)]), left, "alone");
    }

    #[test]
    fn the_last_of_many_was_left_by_a_program_that_ended() {
        let facts = left_unanswered(120);
        let shape = hello_shape(facts.hello().unwrap());
        // As many were served after this wait, one every 50 ms; then perhaps one more.
        let told = |served: i64, millis: u64, more: Option<Related>| {
            let like = |start: i64| Related {
                same_endpoint: true,
                same_name: true,
                hello_shape: shape,
                answered_in: Some(Duration::from_millis(millis)),
                ..related(Mark { frame: 1, time: at(1, -start * 50).time })
            };
            let knowledge = Knowledge { related: (1..=served).map(like).chain(more).collect(), ..Knowledge::default() };
            verdict_knowing(&facts, &knowledge).cause.map(|finding| (finding.cause, finding.undecided))
        };
        let [ended, left] = [true, false].map(|undecided| Some((Cause::ClientAborted, undecided)));
        assert_eq!(told(24, 80, None), ended);
        assert_eq!(told(12, 80, None), left, "too few to tell");
        assert_eq!(told(24, 30, None), left, "it had waited for longer than others");
        let next = Related { same_endpoint: true, ..related(at(40, 400)) };
        assert_eq!(told(24, 80, Some(next)), left, "its program went on");
        let alerted = Related { same_endpoint: true, outcome: Outcome::Alerted, ..related(at(0, -300)) };
        assert_eq!(told(24, 80, Some(alerted)), left, "something failed there");
        let lossy = Related { same_endpoint: true, resent: true, ..related(at(0, -300)) };
        assert_eq!(told(24, 30, Some(lossy)), ended, "what it waited for may have been lost");
    }

    #[test]
    fn a_program_that_ends_owes_an_answer_of_its_own() {
        let told = |after: i64, shape: u64| {
            let mut facts = Scene::broad().answered(ProtocolVersion::TLS12, 0xc02f, &[]).handshake;
            facts.flow.tcp = connected().flow.tcp;
            facts.flow.sides = left_unanswered(after).flow.sides;
            let server = &mut facts.flow.sides.server;
            (server.highest, server.acked, server.first_data, server.last_data) = (1_400, 1_400, Some(at(5, 27)), Some(at(5, 27)));
            let hello = facts.server_hello.as_mut().unwrap();
            (hello.first, hello.mark) = (at(5, 27), at(5, 27));
            facts.server_hello_done = Some(at(5, 27));
            for hello in &mut facts.client_hellos {
                (hello.first, hello.mark) = (at(4, 25), at(4, 25));
            }
            (facts.outcome, facts.stopped_by, facts.end) = (Outcome::Closed, StoppedBy::Client, Some(at(6, 25 + after)));
            let shape = shape + hello_shape(facts.hello().unwrap());
            let like = |left: Option<i64>, outcome: Outcome| Related {
                same_endpoint: true,
                same_name: true,
                hello_shape: shape,
                outcome,
                left: left.map(|left| at(7, left).time),
                answered_in: Some(Duration::from_millis(2)),
                ..related(at(20, 20))
            };
            let others = vec![like(Some(26 + after), Outcome::Closed), like(None, Outcome::Completed)];
            verdict_knowing(&facts, &Knowledge { related: others, ..Knowledge::default() })
                .cause
                .map(|finding| (finding.cause, finding.undecided))
        };
        assert_eq!(told(40, 0), Some((Cause::ClientAborted, true)), "the client had its own work to do");
        assert_ne!(told(40, 1), Some((Cause::ClientAborted, true)), "none like it took what the server says");
    }
}
