//! `client-timeout`: the client gave up waiting.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Handshake, StoppedBy};
use crate::time::Mark;
use crate::wording::counted;

pub(super) const RULE: Rule = Rule { cause: Cause::ClientTimeout, against: &[], page: page!("client-timeout"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    super::ungreeted::given_up(case).or_else(|| for_an_answer(case))
}

fn for_an_answer(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if !view.failed_without_words() || !view.hello_begun() {
        return None;
    }
    let ending = view.ended_by(Side::Client)?;
    let hello = view.hello_mark().filter(|_| view.hello_whole())?;
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
    let servers_turn = view.awaited().is_some_and(|awaited| awaited.side == Side::Server) || late.is_some();
    // The server did speak, in words that are not understood here.
    let unread = late.is_none() && view.server_spoke_after_hello() && !view.answer_begun();
    if !servers_turn || unread || waited < LEAST && case.time_limit().is_none() {
        return None;
    }
    // What was lost on its way and came again shows no server that waited.
    let repaired = view.filled_late(left).is_some();
    let strong = late.is_some() && !crawls && !repaired;
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
    if trickles {
        finding = finding.noting(format!(
            "{} came from the server in all that time, piece by piece, and its first message never was whole",
            counted(view.server().delivered, "byte", "bytes")
        ));
    }
    Some(
        finding
            .or_else(if crawls { &[Cause::Throttled] } else { &[] })
            .or_else(if repaired { &[Cause::PacketLoss, Cause::PathMtuBlackHole] } else { &[] })
            .or_else(match view.client().retransmits + view.server().retransmits {
                0 if trickles => &[Cause::ServerSlow],
                0 => &[Cause::ServerSilent, Cause::ServerSlow],
                _ => &[Cause::PacketLoss, Cause::ServerSilent, Cause::ServerSlow],
            })
            .advise("On the server, find out what it was waiting for before you raise the client's timeout.")
            .advise(crate::diagnosis::remedy::s_client(facts, "")),
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

/// A shorter wait is no time limit.
pub(super) const LEAST: Duration = Duration::from_secs(1);
