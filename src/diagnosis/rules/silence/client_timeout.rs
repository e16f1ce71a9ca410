//! `client-timeout`: the client gave up waiting.

use std::time::Duration;

use crate::diagnosis::against::same_hello_completed;
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{Ending, View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Handshake, StoppedBy};
use crate::time::Mark;
use crate::transport::IcmpNote;
use crate::wording::{counted, times};

use super::SHORTEST_LIMIT;

pub(super) const RULE: Rule = Rule { cause: Cause::ClientTimeout, against: &[], page: page!("client-timeout"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    super::ungreeted::given_up(case).or_else(|| super::dialogue::left_waiting(case)).or_else(|| for_an_answer(case))
}

fn for_an_answer(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if let Some((answer, closed)) = view.gone_before_answer() {
        return Some(over_quic(case, answer, closed));
    }
    if let Some((answer, closed)) = view.gone_before_flight() {
        return Some(over_quic(case, answer, Some(closed)));
    }
    if let Some(limit) = case.connect_limit() {
        return connecting(case, limit);
    }
    if !view.failed_without_words() || !view.hello_begun() {
        return None;
    }
    // Where others like it got through, a queue was full, or packets were lost.
    let overlooked = view.hello_let_through().is_some();
    let ending = view.ended_by(Side::Client).filter(|_| !overlooked || same_hello_completed(case))?;
    let hello = view.hello_mark().filter(|_| view.hello_whole())?;
    if let Some(finding) = unseen(case, view, &ending, hello) {
        return Some(finding);
    }
    // A RST that answers what came after the client's FIN is no second decision.
    let left = view.client().fin.map(|(mark, _)| mark).filter(|fin| *fin < ending.mark).unwrap_or(ending.mark);
    let progress = progress_before(facts, left).unwrap_or(hello);
    // Of a record that is on its way, bytes count.
    let arrived = view.client().heard_before_fin.filter(|mark| *mark < left && view.client().fin.is_some_and(|(fin, _)| fin == left));
    let progress = arrived.map_or(progress, |arrived| arrived.max(progress));
    let trickles = view.trickles();
    let crawls = trickles || view.crawls(Side::Server);
    let late = view.server().last_data.filter(|mark| *mark > left && !flight_was_over(facts, left));
    // Bytes that lead to no message are what it waited through.
    let since = match late {
        _ if trickles => hello,
        Some(_) => progress,
        None => view.last_progress(),
    };
    let waited = left.time.since(since.time);
    let servers_turn = view.awaited_at(left).is_some_and(|awaited| awaited.side == Side::Server) || late.is_some();
    // The server did speak, in words that are not understood here.
    let unread = late.is_none() && view.server_spoke_after_hello() && !view.answer_begun();
    let ran_out = case.ran_out().filter(|_| waited < SHORTEST_LIMIT);
    if !servers_turn || unread || waited < SHORTEST_LIMIT && case.time_limit().is_none() && !case.gave_up_waiting() && ran_out.is_none() {
        return None;
    }
    // What was lost on its way and came again shows no server that waited.
    let repaired = view.filled_late(left).is_some();
    // A short wait may as well have been ended by whoever uses the client.
    let limited = waited >= SHORTEST_LIMIT || case.time_limit().is_some();
    let strong = late.is_some() && !crawls && !repaired && limited && !overlooked;
    let mut finding = Finding::new(
        Cause::ClientTimeout,
        if strong { Confidence::Strong } else { Confidence::Likely },
        format!("{} gave up after waiting {} for {} and closed{}.", facts.client.host(), span_text(waited), facts.server, limit(waited)),
    )
    .weight(if strong { Weight::Explains } else { Weight::Fallback })
    .stopped_by(StoppedBy::Client)
    .shown_by(left, format!("the client's {} after {}", if left == ending.mark { ending.name() } else { "FIN" }, span_text(waited)));
    if let Some(mark) = late {
        let what = if progress == hello { "the server's answer" } else { "the rest of the server's flight" };
        finding = finding.shown_by(mark, format!("{what} arrives after that"));
    }
    if let Some(((total, syn), up)) = ran_out.zip(view.client().syn).zip(facts.flow.established()) {
        let up = up.time.since(syn.first.time);
        finding = finding.noting(format!("it left {} after its SYN, of which the connection took {}", span_text(total), span_text(up)));
        if syn.count > 1 {
            finding = finding.noting(format!("the SYN was sent {}", times(syn.count))).or_else(&[Cause::PacketLoss]);
        }
    }
    if trickles {
        finding = finding.noting(format!(
            "{} came from the server in all that time, piece by piece, and its first message never was whole",
            counted(view.server().delivered, "byte", "bytes")
        ));
    }
    Some(
        finding
            .or_else(if crawls { &[Cause::Throttled] } else { &[] })
            .or_else(if limited { &[] } else { &[Cause::ClientAborted] })
            .or_else(if repaired { &[Cause::PacketLoss, Cause::PathMtuBlackHole] } else { &[] })
            .or_else(match view.client().retransmits + view.server().retransmits {
                0 if trickles => &[Cause::ServerSlow],
                0 => &[Cause::ServerSilent, Cause::ServerSlow],
                _ => &[Cause::PacketLoss, Cause::ServerSilent, Cause::ServerSlow],
            })
            .advise("On the server, find out what it was waiting for before you raise the client's timeout.")
            .advise(remedy::s_client(facts, "")),
    )
}

/// It did not wait for the first answer over QUIC.
fn over_quic(case: &Case<'_>, answer: Mark, closed: Option<&IcmpNote>) -> Finding {
    let facts = case.handshake;
    let view = View::new(facts);
    let took = answer.time.since(facts.flow.first.time);
    let what = if view.server().first_data.is_some_and(|first| first < answer) { "flight" } else { "first answer" };
    let summary = format!(
        "{} had given up when the {what} of {} came, {} after its ClientHello.",
        facts.client.host(),
        view.target(),
        span_text(took)
    );
    let finding = Finding::new(Cause::ClientTimeout, Confidence::Likely, summary)
        .weight(Weight::Fallback)
        .stopped_by(StoppedBy::Client)
        .shown_by(facts.flow.first, "ClientHello")
        .shown_by(answer, format!("the server's {what}, to which the client says nothing"));
    let finding = match closed {
        Some(note) => {
            finding.shown_by(note.mark, format!("ICMP port unreachable from {}: the client's socket has been closed", note.reporter))
        }
        None => finding.noting("a client that waits for an answer repeats its ClientHello after a second, and this one did not"),
    };
    let finding = finding.or_else(&[Cause::ClientAborted, Cause::ServerSlow]);
    let finding = if closed.is_none() { finding.or_else(&[Cause::ServerFlightDropped]) } else { finding };
    finding
        .advise("On the client, compare its time limit with the round trip; on the server, find out why the answer is late if the path is short.")
        .advise(remedy::log(facts, Side::Client, "it says whether it gave up waiting or was ended"))
}

/// The first that the server says is answered by the RST of a system whose program is gone, after a wait: it had left before, and its FIN is stuck behind what
/// was not acknowledged, or lost.
fn unseen(case: &Case<'_>, view: View<'_>, ending: &Ending<'_>, hello: Mark) -> Option<Finding> {
    let answer = case.handshake.server_hello.as_ref().map(|seen| seen.first).filter(|answer| *answer > hello)?;
    let reset = ending.reset.filter(|reset| reset.unknowing && view.client().fin.is_none())?;
    let waited = answer.time.since(hello.time);
    let at_once = reset.mark.frame > answer.frame && reset.mark.time.since(answer.time) <= view.rtt() + AT_ONCE;
    if !at_once || waited < SHORTEST_LIMIT {
        return None;
    }
    let lost = view.client().retransmits > 0;
    let summary = format!(
        "{} had left when the answer of {} came, {} after its ClientHello: its system answers that with a RST.",
        case.handshake.client.host(),
        case.handshake.server,
        span_text(waited)
    );
    let finding = Finding::new(Cause::ClientTimeout, Confidence::Likely, summary)
        .stopped_by(StoppedBy::Client)
        .shown_by(answer, "the server's answer")
        .shown_by(reset.mark, "RST without ACK flag: no program of the client knows the connection any more");
    Some(
        finding
            .or_else(if lost { &[Cause::PacketLoss, Cause::ServerSlow] } else { &[Cause::ServerSlow, Cause::ClientAborted] })
            .advise("On the server, find out what it was waiting for before you raise the client's timeout.")
            .advise(remedy::s_client(case.handshake, "")),
    )
}

/// Its limit for connecting is shorter than the way to the server.
fn connecting(case: &Case<'_>, (took, attempts): (Duration, usize)) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let (syn, answer, reset) = (view.client().syn?, view.server().syn?, view.client().resets.first()?);
    let summary = format!(
        "{} had given up when the SYN-ACK of {} came, less than {} after its SYN, in each of {attempts} attempts: its time limit for connecting is shorter than that.",
        facts.client.host(),
        facts.server,
        span_text(took)
    );
    Some(
        Finding::new(Cause::ClientTimeout, Confidence::Likely, summary)
            .stopped_by(StoppedBy::Client)
            .shown_by(syn.first, "SYN")
            .shown_by(answer.first, format!("SYN-ACK, {} later", span_text(answer.first.time.since(syn.first.time))))
            .shown_by(reset.mark, "the RST of the client's system: no program waits any more")
            .or_else(&[Cause::TcpProbe, Cause::AcceptQueueFull])
            .advise("On the client, raise the time limit for connecting above the time that the SYN-ACK takes; a packet that is lost costs another second.")
            .advise("Find out what makes the path so long: distance, a congested link, or a server whose system answers late.")
            .advise(remedy::port_open(facts)),
    )
}

/// The last that came of the server's flight before a moment.
fn progress_before(facts: &Handshake, moment: Mark) -> Option<Mark> {
    let read = [
        facts.server_hello.as_ref().map(|seen| seen.mark),
        facts.server_chain.as_ref().map(|seen| seen.mark),
        facts.server_key_exchange.as_ref().map(|seen| seen.mark),
    ];
    let sealed = facts.encrypted.server.iter().map(|record| record.mark);
    read.into_iter().flatten().chain(sealed).filter(|mark| *mark < moment).max()
}

/// All of the server's flight had come by then.
fn flight_was_over(facts: &Handshake, moment: Mark) -> bool {
    let began = facts.server_hello.as_ref().is_some_and(|seen| seen.mark < moment);
    began && facts.finished.server.or(facts.server_hello_done).map_or_else(|| facts.server_flight_is_over(), |end| end < moment)
}

/// Which well-known limit a time is near.
fn limit(waited: Duration) -> &'static str {
    match waited.as_millis() {
        4_900..=5_200 => " (5 s is a common timeout of health checks and connection pools)",
        9_900..=10_300 => " (10 s is the timeout of Go's net/http and of F5)",
        29_800..=30_500 => " (30 s is a common timeout of HTTP clients)",
        59_500..=61_000 => " (60 s is nginx's timeout as a proxy)",
        _ => "",
    }
}

/// A system answers at once what it does not know.
const AT_ONCE: Duration = Duration::from_millis(5);
