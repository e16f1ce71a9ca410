//! `radius-no-answer`: the authenticator repeats its Access-Request, and the server does not answer.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{EapRoad, Outcome, StoppedBy};
use crate::wording::times;

pub(super) const RULE: Rule = Rule { cause: Cause::RadiusNoAnswer, against: &[], page: page!("radius-no-answer"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let carried = facts.carried.as_ref()?;
    carried.eap().filter(|eap| eap.road == EapRoad::Radius)?;
    // An answer of which only some fragments came is one.
    if view.server().unfinished.is_some() {
        return None;
    }
    let waiting = view.unanswered_datagrams(Side::Client).filter(|_| matches!(facts.outcome, Outcome::Stalled | Outcome::Refused))?;
    let never = carried.datagrams.server.count == 0;
    let sent = times(waiting.count);
    let span = span_text(waiting.span());
    let server = facts.server;
    let largest = carried.largest.client;
    let summary = if never {
        format!("The RADIUS server {server} never answered: the authenticator sent its Access-Request {sent} within {span}.")
    } else {
        format!("The RADIUS server {server} answered before, but not the last Access-Request, sent {sent} within {span}.")
    };
    let sure = waiting.count >= 3 && (case.knowledge.hears_both_sides || !never);
    let who = if never { StoppedBy::Network } else { StoppedBy::Server };
    let finding = Finding::new(Cause::RadiusNoAnswer, if sure { Confidence::Strong } else { Confidence::Likely }, summary)
        .stopped_by(who)
        .shown_by(waiting.first, "Access-Request")
        .shown_by(waiting.last, format!("the same Access-Request, the last of {}; no answer, no ICMP message", waiting.count));
    if let Some(note) = view.refused_datagram() {
        let by_host = note.reporter == server.address;
        let summary = if by_host {
            format!("Nothing listens for RADIUS on UDP port {} of {}.", server.port, server.address)
        } else {
            format!("{} reports that the RADIUS server {server} cannot be reached.", note.reporter)
        };
        return Some(
            Finding::new(Cause::RadiusNoAnswer, Confidence::Strong, summary)
                .stopped_by(if by_host { StoppedBy::Server } else { StoppedBy::Network })
                .shown_by(waiting.first, "Access-Request")
                .shown_by(note.mark, format!("{} sent ICMP type {} code {}", note.reporter, note.icmp_type, note.code))
                .advise("On the server, start the RADIUS service, and check the port that it listens on:")
                .advise(remedy::ss_listen_udp(server.port)),
        );
    }
    // Some servers take seconds, where another one stands behind them.
    let finding = if waiting.count < 3 { finding.or_else(&[Cause::CaptureEnded]) } else { finding };
    // A request with a certificate in it is often the first that does not fit into one packet.
    let finding = if largest >= LARGE && !never {
        finding
            .noting(format!("the request has {largest} bytes, which may take IP fragments on the way"))
            .or_else(&[Cause::IpFragmentsDropped, Cause::ServerFlightDropped])
    } else {
        finding.or_else(&[Cause::ServerFlightDropped])
    };
    Some(
        finding
            .advise("A RADIUS server discards without a word what comes from an address that is not among its clients, or was made with another shared secret. On the server, check the client entry for this address and its secret:")
            .advise(remedy::log(facts, Side::Server, "it says `unknown client`, or that the Message-Authenticator is not right"))
            .advise("On the server, check that the request arrives and which program listens:")
            .advise(remedy::show_lines(facts))
            .advise(remedy::ss_listen_udp(facts.server.port)),
    )
}

/// Bytes of UDP payload from which on a packet may not fit a path with tunnels.
const LARGE: u32 = 1_200;
