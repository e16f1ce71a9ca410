//! `server-timeout`: the server gave up waiting.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

pub(super) const RULE: Rule = Rule { cause: Cause::ServerTimeout, against: &[], page: page!("server-timeout"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    super::ungreeted::closed_unspoken(case).or_else(|| for_the_client(case))
}

fn for_the_client(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if !view.failed_without_words() || !view.is_up() || facts.preamble.is_some() && !view.hello_begun() {
        return None;
    }
    let ending = view.ended_by(Side::Server)?;
    let answers_to_the_end = facts.alerts.iter().any(|alert| alert.from == Side::Client && alert.consequence);
    let late = view.client().last_data.filter(|mark| mark.frame > ending.mark.frame && !answers_to_the_end);
    let awaited = view.awaited_at(ending.mark).filter(|awaited| awaited.side == Side::Client);
    let crossed = view.crossed(&ending);
    let waited = match view.hello_first().filter(|_| crossed) {
        Some(hello) => view.pause_until(hello),
        None => view.silence(),
    };
    let unheard = view.left_unheard(&ending);
    let waited = unheard.unwrap_or(waited);
    let least = match unheard {
        Some(_) => LEAST_UNHEARD,
        None if crossed => LEAST_CROSSED,
        None => LEAST,
    };
    if awaited.is_none() && late.is_none() && !crossed && unheard.is_none() || waited < least {
        return None;
    }
    let mut finding = Finding::new(
        Cause::ServerTimeout,
        if late.is_some() && unheard.is_none_or(|waited| waited >= LEAST) || crossed && waited >= LEAST {
            Confidence::Strong
        } else {
            Confidence::Likely
        },
        format!(
            "{} gave up after waiting {} for {} and closed.",
            facts.server,
            span_text(waited),
            awaited.filter(|_| unheard.is_none()).map_or(if crossed { "the ClientHello" } else { "the client" }, |awaited| awaited.what)
        ),
    )
    .weight(if late.is_some() || crossed || unheard.is_some() { Weight::Explains } else { Weight::Fallback })
    .stopped_by(StoppedBy::Server)
    .shown_by(ending.mark, format!("the server's {} after {}", ending.name(), span_text(waited)));
    if let Some(hello) = view.hello_first().filter(|_| crossed) {
        finding = finding.shown_by(hello, "the ClientHello, already under way when the server gave up");
    }
    if let Some(waited) = unheard {
        let how = if waited < view.rtt() {
            format!("a round trip takes {}, longer than the server waited", span_text(view.rtt()))
        } else {
            "the server's FIN does not acknowledge it".to_owned()
        };
        finding = finding.noting(format!("what the client answers was on its way: {how}")).or_else(&[Cause::ServerAborted]);
    }
    if let Some(mark) = late {
        finding = finding.shown_by(mark, "the client's next bytes arrive after that");
    }
    let alternative = if view.hello_begun() { Cause::ClientStalled } else { Cause::ClientSilent };
    Some(finding.or_else(&[alternative]).advise(
        "On the client, find out why it was silent; on the server, raise the handshake timeout only if healthy clients need longer.",
    ))
}

/// One that closes before an answer can have come had waited for it; an end by accident falls into so short a time seldom.
const LEAST_UNHEARD: Duration = Duration::from_millis(100);
/// A server that closes while the hello is on its way had waited for it, however short its limit.
const LEAST_CROSSED: Duration = Duration::from_millis(500);
/// A shorter wait is no time limit: one of a second may have begun with the message before.
const LEAST: Duration = Duration::from_millis(950);
