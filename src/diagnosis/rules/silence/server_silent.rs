//! `server-silent`: the ClientHello arrived, nothing came back; or the connection came up, and no greeting.

use crate::diagnosis::against::{Contrary, told};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::clear::or_clear;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::parts::Piece;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::preamble::{Dialect, Upgrade};
use crate::wording::times;

pub(super) const RULE: Rule =
    Rule { cause: Cause::ServerSilent, against: &[told(Contrary::OthersCompleted)], page: page!("server-silent"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    super::ungreeted::never_greeted(case).or_else(|| to_upgrade(case)).or_else(|| to_hello(case))
}

/// The request for the upgrade (STARTTLS and the like) was received and never answered.
fn to_upgrade(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let preamble = facts.preamble.as_ref().filter(|preamble| preamble.upgrade == Upgrade::Asked && preamble.dialect.is_starttls())?;
    if preamble.dialect == Dialect::OpenVpn {
        return None;
    }
    let asked = preamble.asked.filter(|_| facts.outcome == Outcome::Stalled && !view.hello_begun())?;
    let client = view.client();
    if client.outstanding.iter().any(|segment| segment.copies >= 2) || view.server().last_data.is_some_and(|last| last > asked) {
        return None;
    }
    let request = preamble.dialect.request();
    let waited = span_text(view.stop().time.since(asked.time));
    let finding = Finding::new(
        Cause::ServerSilent,
        Confidence::Strong,
        format!("{} received the {} request {request} and stayed silent for {waited}.", view.target(), preamble.dialect.title()),
    )
    .weight(Weight::Fallback)
    .stopped_by(StoppedBy::Server)
    .shown_by(asked, format!("client asks for TLS ({request})"));
    let finding = match view.first_end() {
        Some(ending) => finding.shown_by(ending.mark, format!("the {} ends the connection ({})", ending.side, ending.name())),
        None => finding.shown_by(facts.closed_at, "still no answer"),
    };
    Some(
        finding
            .or_else(&[Cause::ClientTimeout, Cause::StarttlsUnavailable])
            .advise(remedy::log(facts, Side::Server, "a mail server may wait for its certificate or its TLS process"))
            .advise(remedy::s_client(facts, "")),
    )
}

fn to_hello(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if !view.is_stuck(case.policy)
        || !view.hello_whole()
        || view.answer_begun()
        || view.server_spoke_after_hello()
        || view.hole(Side::Server).is_some()
        || facts.plaintext.server.is_some()
    {
        return None;
    }
    let gave_up = view.ended_by(Side::Client);
    // A system that does not know the connection any more is no process that hangs.
    if view.forgotten_before_end().is_some() {
        return None;
    }
    if view.ended_by(Side::Server).is_some() || !case.waited() || gave_up.is_none() && !view.ended_by_nobody() {
        return None;
    }
    // Repeated in vain means that the server never got it, and other rules say so.
    let acked = view.hello_acked();
    if !acked && view.hello_copies() >= 2 {
        return None;
    }
    let hello = view.hello_mark()?;
    let client_end_acked = view.client().fins_in_vain == 0;
    // A host on which a process hangs goes on acknowledging.
    let fins = Some(view.client().fins_in_vain).filter(|fins| *fins >= FINS);
    // The number of what acknowledges the client's end tells whether the server had said something that is not here.
    let alive = acked && view.waited() && client_end_acked && view.disowned(Side::Server).is_none();
    // What takes the hello behind a proxy's word that it is connected is the proxy; whether the server ever got it does not show.
    let through = super::through_proxy(facts);
    let silence = span_text(view.silence());
    let mut finding = Finding::new(
        Cause::ServerSilent,
        if alive && !through { Confidence::Strong } else { Confidence::Likely },
        if through {
            let behind = facts.server_name().unwrap_or_else(|| "the server behind it".to_owned());
            format!("The proxy {} took the ClientHello for {behind} and passed no answer back for {silence}.", facts.server)
        } else {
            format!("{} received the ClientHello and stayed silent for {silence}.", view.target())
        },
    )
    .weight(Weight::Fallback)
    .stopped_by(StoppedBy::Server)
    .shown_by(hello, "ClientHello");
    if let Some(mark) = view.client().acked_at.filter(|_| acked) {
        let whose = if through { "proxy" } else { "server" };
        finding = finding.shown_by(mark, format!("the {whose}'s kernel acknowledged it"));
    }
    finding = match gave_up {
        Some(ending) => finding.shown_by(ending.mark, format!("the client gives up ({})", ending.name())),
        None => finding.shown_by(facts.closed_at, "still no answer"),
    };
    if let Some(fins) = fins {
        finding = finding
            .noting(format!("the client's FIN, sent {}, was never acknowledged: the host or the path may be dead by then", times(fins)))
            .or_else(&[Cause::OneWayPath]);
    }
    if let Some(limit) = case.time_limit().filter(|_| !view.waited()) {
        finding =
            finding.noting(format!("the client left others of its connections after the same time, {}: a time limit", span_text(limit)));
    }
    if !view.waited() && case.time_limit().is_none() {
        finding = finding
            .noting("a server in order answers within a few round trips; the client waited longer, if less than a second")
            .or_else(&[Cause::ClientAborted]);
    }
    let alternatives: &[Cause] = if view.near_side() == Some(Side::Server) {
        &[Cause::ClientTimeout, Cause::AcceptQueueFull]
    } else {
        &[Cause::ClientTimeout, Cause::ServerFlightDropped, Cause::PathMtuBlackHole]
    };
    let finding = or_clear(case, super::or_proxy(case, finding)).or_else(alternatives);
    Some(
        super::or_split(case, finding)
            .advise("On the server itself, try the same. If it hangs there too, check the process (thread dump, CPU, workers); if not, the load balancer or the way back.")
            .advise(remedy::s_client(facts, ""))
            .advise(Command::new("ss -tnp").operand([Piece::Fixed("sport = :"), Piece::Number(facts.server.port.into())])),
    )
}

/// A FIN that is sent again was not acknowledged within the time that its sender takes for long.
const FINS: u32 = 2;
