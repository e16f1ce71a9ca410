//! Rules of the family silence: a side said nothing, stopped, left or took its time. Most of them say what happened and leave the reason to
//! others: they are the cause only where nothing else explains the end.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::{Cause, Family};
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::offer;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{Ending, View, span_text};
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{Located, Outcome, StoppedBy};
use crate::packet::IcmpKind;
use crate::preamble::Upgrade;
use crate::quic::close;
use crate::time::Mark;
use crate::tls::client_hello::ClientHello;
use crate::wording::counted;

mod cancelled;
mod client_aborted;
mod client_silent;
mod client_slow;
mod client_stalled;
mod client_timeout;
mod close_notify;
mod dialogue;
mod server_aborted;
mod server_closed;
mod server_reset;
mod server_silent;
mod server_slow;
mod server_stalled;
mod server_timeout;
#[cfg(test)]
mod tests;
mod ungreeted;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Silence,
    speaks: Signs::UNFINISHED.or(Signs::SLOW),
    rules: Rules::Each(&[
        &cancelled::RULE,
        &close_notify::RULE,
        &server_silent::RULE,
        &server_stalled::RULE,
        &client_silent::RULE,
        &client_stalled::RULE,
        &server_closed::RULE,
        &server_reset::RULE,
        &server_aborted::RULE,
        &client_aborted::RULE,
        &client_timeout::RULE,
        &server_timeout::RULE,
        &server_slow::RULE,
        &client_slow::RULE,
    ]),
};

/// A hello of more than one segment is never excluded where nothing of it was answered: every current client sends one, so its size is no more
/// than another thing to try.
fn or_split(case: &Case<'_>, finding: Finding) -> Finding {
    let view = View::new(case.handshake);
    if !view.hello_is_large() {
        return finding;
    }
    let finding = finding.or_else(&[Cause::SplitClientHello]);
    // Who waits for seconds before it ends what it has acknowledged has a time limit, and a system that does not know the connection read nothing.
    let ending = view.ended_by(Side::Server);
    let explained = ending.is_some_and(|ending| view.disowns(&ending) || time_limit(view, &ending).is_some());
    if explained {
        return finding;
    }
    finding
        .advise("Try a ClientHello that fits into one packet, in case the server cannot read a longer one:")
        .advise(remedy::s_client(case.handshake, "-groups X25519"))
}

/// Behind a proxy's go-ahead: it is the proxy that is seen to end the connection or to be silent, for itself or because the server behind it does.
fn or_proxy(case: &Case<'_>, finding: Finding) -> Finding {
    let facts = case.handshake;
    if !through_proxy(facts) {
        return finding;
    }
    let proxy = facts.server;
    let mut finding = finding
        .noting(format!("{proxy} is a proxy that had granted the tunnel: what it does may be its own doing, or that of the server behind it"))
        .advise(format!("On the proxy {proxy}, check the log first, and try to reach the server from there: some proxies grant a tunnel before they have one."))
        .advise(remedy::reach(facts.preamble.as_ref().and_then(|preamble| preamble.target.as_deref())));
    finding.confidence = finding.confidence.min(Confidence::Likely);
    finding.alternatives.insert(0, Cause::ProxyUpstreamFailed);
    finding
}

/// It stands behind a proxy's go-ahead.
fn through_proxy(facts: &Handshake) -> bool {
    facts.preamble.as_ref().is_some_and(|preamble| preamble.upgrade == Upgrade::Granted && preamble.dialect.is_proxy())
}

/// What else may be behind a server that breaks off on a ClientHello without a word, likeliest first.
fn broken_off_for(case: &Case<'_>, injected: bool) -> Vec<Cause> {
    let knowledge = case.knowledge;
    let by_name = case.refused_by_name();
    // Who completes others without a header expects none.
    let header = knowledge.completed <= knowledge.completed_with_proxy_header;
    let all = [
        (injected, Cause::ResetInjected),
        (by_name, Cause::SniUnrecognized),
        (header && injected, Cause::ProxyProtocolMissing),
        (true, Cause::LoadBalancerNoBackend),
        (header && !injected, Cause::ProxyProtocolMissing),
        (!by_name, Cause::SniUnrecognized),
    ];
    all.into_iter().filter_map(|(fits, cause)| fits.then_some(cause)).collect()
}

/// Says of a RST that it is that of a system which does not know the connection.
fn noting_stranger(view: View<'_>, finding: Finding, ending: &Ending<'_>) -> Finding {
    if !view.disowns(ending) {
        return finding;
    }
    finding.noting("the RST has no ACK flag: whoever sent it does not know the connection, as after a restart, or where a NAT or balancer changed its path or its port; or it is a firewall's")
}

/// Says that somebody next to the client may have spoken in the server's place.
fn noting_next_door(case: &Case<'_>, finding: Finding) -> Finding {
    match View::new(case.handshake).answered_next_door() {
        Some(note) => finding.noting(note).advise("If a transparent proxy or a firewall of the client's own network takes its connections, look there first: its log says what it wanted from the server behind it."),
        None => finding,
    }
}

/// The evidence by names, where there is any.
fn noting_names(case: &Case<'_>, finding: Finding) -> Finding {
    let others = case.knowledge.completed_other_names;
    if !case.refused_by_name() {
        return finding;
    }
    finding
        .noting(format!("{} with this server for other names completed, and none for this one", counted(others, "handshake", "handshakes")))
}

/// The server chose suites for others, and this client offers none of them: what closes without a word may have had nothing to choose from.
fn or_no_cipher(case: &Case<'_>, finding: Finding) -> Finding {
    let chosen = &case.knowledge.ciphers;
    let none = |hello: &Located<ClientHello>| !hello.what.cipher_suites().any(|suite| chosen.contains(&suite));
    if chosen.is_empty() || !case.handshake.last_hello().is_some_and(none) {
        return finding;
    }
    finding.noting("this server has only ever chosen suites that this ClientHello does not offer").or_else(&[Cause::NoCommonCipher])
}

/// What few servers have of what this client offers: one that breaks off without an alert may have found nothing to choose.
fn or_narrow(case: &Case<'_>, finding: Finding) -> Finding {
    let Some(hello) = case.handshake.last_hello() else { return finding };
    let narrow = offer::suspects(&hello.what, case.knowledge).into_iter().filter(|suspect| suspect.narrowness >= FEW_WOULD_DO);
    narrow.fold(finding, |finding, suspect| finding.noting(suspect.why).or_else(&[suspect.cause]))
}

/// The server ended the connection, by RST or by FIN, before it said anything of TLS.
struct BrokenOff<'a> {
    ending: Ending<'a>,
    /// The client had not said anything.
    silent: bool,
    /// Bytes of the server's in front of its end that are not here.
    unheard: u64,
}

impl<'a> BrokenOff<'a> {
    fn of(case: &Case<'a>, by_reset: bool) -> Option<Self> {
        let facts = case.handshake;
        let view = View::new(facts);
        let other_dialogue = facts.plaintext.server.is_some() || facts.preamble.is_some() && !view.hello_begun();
        if !view.failed_without_words() || view.answer_begun() || other_dialogue {
            return None;
        }
        let meant = |ending: &Ending<'_>| ending.reset.map_or(!by_reset, |reset| by_reset && !reset.to_syn);
        let ending = view.ended_by(Side::Server).filter(meant)?;
        // What it said to a server that had closed came too late, and need not all be here.
        let late = view.client().first_data.is_some_and(|first| first > ending.mark) && !view.hello_begun();
        let silent = late || !view.spoke(Side::Client);
        // Before the ClientHello only a side that closes at once is meant: later is a time limit, and after a greeting another dialogue.
        let at_once = silent && !view.waited() && !view.spoke(Side::Server);
        (at_once || !silent && view.hello_begun()).then_some(Self { unheard: view.unheard_before(&ending), ending, silent })
    }

    /// What it looks like; `summary` says it where the client had spoken.
    fn finding(&self, case: &Case<'_>, cause: Cause, summary: String) -> Finding {
        let facts = case.handshake;
        let (confidence, summary) = if self.silent {
            let up = facts.flow.established().unwrap_or(self.ending.mark);
            let took = span_text(self.ending.mark.time.since(up.time));
            let verb = if self.ending.reset.is_some() { "reset" } else { "closed" };
            let text = format!("{} {verb} the connection {took} after it came up, before the client sent anything.", facts.server);
            (Confidence::Likely, text)
        } else {
            // Who does not know the connection has not read the hello.
            let stranger = View::new(facts).disowns(&self.ending);
            (if stranger || self.unheard > 0 { Confidence::Likely } else { Confidence::Strong }, summary)
        };
        let finding = Finding::new(cause, confidence, summary).weight(Weight::Fallback).stopped_by(StoppedBy::Server);
        let finding = match View::new(facts).hello_mark() {
            Some(hello) => finding.shown_by(hello, "ClientHello"),
            None => finding,
        };
        let finding = if self.unheard > 0 {
            finding
                .noting(format!(
                    "the number of the {} tells that the server had sent {} before it, which are not here: they were lost on their way, or the capture lacks them",
                    self.ending.name(),
                    counted(self.unheard, "byte", "bytes")
                ))
                .or_else(&[Cause::PacketLoss])
        } else {
            finding
        };
        noting_next_door(case, finding)
    }
}

/// When the server ended it, seen from the ClientHello: `12 ms after the ClientHello`, `before the end of the ClientHello`.
fn when(view: View<'_>, end: Mark) -> String {
    let (Some(last), Some(first)) = (view.hello_mark(), view.hello_first()) else { return "before the ClientHello".to_owned() };
    if end.frame < first.frame {
        "before the ClientHello".to_owned()
    } else if end.frame < last.frame {
        format!("{} after the first part of the ClientHello, before the rest arrived", span_text(end.time.since(first.time)))
    } else {
        format!("{} after the ClientHello", span_text(end.time.since(last.time)))
    }
}

/// A server that has a whole ClientHello answers it at once; one that ends after a round time has waited, most often for somebody behind it. How long.
fn time_limit(view: View<'_>, ending: &Ending<'_>) -> Option<Duration> {
    let hello = view.hello_mark().filter(|_| view.hello_whole() && view.hello_acked())?;
    let after = ending.mark.time.since(hello.time);
    is_round(after, view.rtt()).then_some(after)
}

/// What follows from that.
fn noting_time_limit(view: View<'_>, ending: &Ending<'_>, finding: Finding) -> Finding {
    let Some(after) = time_limit(view, ending) else { return finding };
    finding
        .noting(format!("the ClientHello arrived, and {} is a time limit: the server waited for something", span_text(after)))
        .advise("If a load balancer or a proxy is in front, check there whether its backends answer within its time limits.")
}

/// A whole number of seconds, as exactly as timers are.
fn is_round(span: Duration, rtt: Duration) -> bool {
    let behind = Duration::from_nanos(u64::from(span.subsec_nanos()));
    span.as_secs() > 0 && behind <= TIMER_SLACK + rtt.min(MOST_ROUND_TRIP)
}

/// Over UDP: a QUIC endpoint closed with a code that is no alert, or a side's process is simply gone.
fn closed_over_udp(case: &Case<'_>, cause: Cause, side: Side) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let target = view.target();
    let other = if side == Side::Client { format!(" with {target}") } else { format!(" with {}", facts.client.host()) };
    let who = if side == Side::Client { facts.client.host().to_string() } else { target };
    let (mark, summary, shown, advice) = if let Some(close) = view.closed_by_code(side) {
        let name = if close.application { format!("application code 0x{:x}", close.code) } else { close::name(close.code).into_owned() };
        let reason = if close.reason.is_empty() { String::new() } else { format!(" (\"{}\")", close.reason) };
        let refuses = close.code == close::CONNECTION_REFUSED && !close.application;
        let (summary, advice) = if refuses {
            (
                format!("{who} refuses the QUIC connection{other}: {name}{reason}. The reason is a limit or a policy of this endpoint."),
                format!("On the {side}, check the limits (connections, rate, retry, allowed addresses) and the log."),
            )
        } else {
            (
                format!("{who} closed the QUIC connection{other} before it was complete: {name}{reason}."),
                remedy::log(facts, side, "it records the reason"),
            )
        };
        (close.mark, summary, format!("CONNECTION_CLOSE {name}"), advice)
    } else {
        let gone = |note: &&crate::transport::IcmpNote| note.about == side.other() && note.kind == IcmpKind::PortUnreachable;
        let note = facts.flow.icmp.iter().find(gone).filter(|_| facts.outcome == Outcome::Closed && view.ended_by_icmp())?;
        let summary = match side {
            Side::Client => {
                format!("{who} closed its socket before the handshake{other} was complete: its host reports the port as unreachable.")
            }
            Side::Server => {
                format!(
                    "{who} disappeared in the middle of the handshake{other}: it had answered before, then its host reported the port as unreachable."
                )
            }
        };
        let shown = format!("ICMP port unreachable from {}: the socket has been closed", note.reporter);
        (note.mark, summary, shown, remedy::log(facts, side, "the process ended: crash, restart, timeout"))
    };
    // Of a client that was not heard to be answered, other things may be true.
    // Nor does one that closes after seconds without any progress say whether it decided to, or gave up waiting.
    let waited = view.waited() && view.closed_by_code(side).is_some();
    // What had come before the client was gone, or was on its way as long, does not show where it said nothing to any of it.
    let (client, server) = (view.client(), view.server());
    let silent = side == Side::Client
        && view.closed_by_code(side).is_none()
        && client.last_packet.zip(server.first_data).is_none_or(|(last, first)| last < first);
    let waited = waited || silent;
    let confidence = if view.unanswered() || waited { Confidence::Likely } else { Confidence::Strong };
    let gave_up: &[Cause] = match side {
        _ if !waited => &[],
        Side::Client => &[Cause::ClientTimeout],
        Side::Server => &[Cause::ServerTimeout],
    };
    let finding = Finding::new(cause, confidence, summary).weight(Weight::Fallback).stopped_by(side.into()).shown_by(mark, shown);
    Some(finding.or_else(gave_up).advise(advice))
}

/// An offer as narrow as this few servers would do with (see [`offer::Suspect`]).
const FEW_WOULD_DO: u8 = 3;
/// A client that waits for less has no time limit.
const SHORTEST_LIMIT: Duration = Duration::from_secs(1);
/// How exact a time limit is.
const TIMER_SLACK: Duration = Duration::from_millis(30);
/// Of a longer round trip anything would be a whole number.
const MOST_ROUND_TRIP: Duration = Duration::from_millis(100);
