//! `client-silent`: connected and never spoke.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::handshake::greeting::ungreeted;
use crate::preamble::services::Service;

pub(super) const RULE: Rule = Rule { cause: Cause::ClientSilent, against: &[], page: page!("client-silent"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    if ungreeted(case.handshake).is_some() {
        return super::ungreeted::tls_was_expected(case);
    }
    if let Some((service, waited)) = View::new(case.handshake).waits_for_greeting() {
        return Some(unanswered_patience(case, service, waited));
    }
    let facts = case.handshake;
    let view = View::new(facts);
    // Told to go ahead (STARTTLS, a proxy), and then nothing.
    let granted = view.upgrade_granted();
    let one_of_many = case.is_one_of_mute();
    if !view.is_stuck(case.policy) && !one_of_many
        || !view.is_up()
        || view.hello_begun()
        || !granted && (view.spoke(Side::Client) || facts.preamble.is_some() || view.ended_by(Side::Client).is_some())
    {
        return None;
    }
    // Who was told a window of zero may not send.
    if view.server().zero_window.is_some_and(|window| window.reopened.is_none()) {
        return None;
    }
    if !view.waited() || !facts.flow.saw_start() {
        return None;
    }
    let up = facts.flow.established().unwrap_or(facts.flow.first);
    let closed = view.ended_by(Side::Server);
    let mut finding = Finding::new(
        Cause::ClientSilent,
        if one_of_many && !view.is_stuck(case.policy) { Confidence::Likely } else { Confidence::Strong },
        if granted {
            format!(
                "{} received the go-ahead from {} to start TLS and sent nothing for {}.",
                facts.client.host(),
                facts.server,
                span_text(view.silence())
            )
        } else {
            format!("{} connected to {} and sent nothing for {}.", facts.client.host(), facts.server, span_text(view.silence()))
        },
    )
    .weight(Weight::Fallback)
    .stopped_by(StoppedBy::Client)
    .shown_by(
        if granted { view.last_progress() } else { up },
        if granted { "upgrade granted; a ClientHello was expected next" } else { "TCP connection up; a ClientHello was expected next" },
    );
    if let Some(ending) = closed {
        finding = finding.shown_by(ending.mark, format!("the server gives up ({})", ending.name()));
    } else if let Some(ending) = view.ended_by(Side::Client) {
        finding = finding.shown_by(ending.mark, format!("the client closes ({})", ending.name()));
    }
    if one_of_many {
        finding = finding
            .noting("nor did the other connections that it opened to this server before and after: what it says may be lost on its way");
    }
    let mut alternatives = vec![Cause::ServerTimeout];
    if view.near_side() != Some(Side::Client) {
        alternatives.extend([Cause::ClientHelloDropped, Cause::OneWayPath]);
    }
    Some(
        finding
            .or_else(&alternatives)
            .advise("On the client, check whether it sends anything: a connection pool, a client that waits for a greeting, or a hung process does not.")
            .advise(remedy::show_lines(facts)),
    )
}

fn unanswered_patience(case: &Case<'_>, service: &'static Service, waited: Duration) -> Finding {
    let facts = case.handshake;
    let view = View::new(facts);
    let port = facts.server.port;
    let summary = format!(
        "{} connected to {} and sent nothing for {}, like a client that waits for a greeting: on port {port}, {} starts with TLS, so the server waits as well.",
        facts.client.host(),
        facts.server,
        span_text(waited),
        service.name
    );
    let mut finding = Finding::new(Cause::ClientSilent, Confidence::Likely, summary)
        .stopped_by(facts.stopped_by)
        .shown_by(facts.flow.established().unwrap_or(facts.flow.first), "TCP connection up; a ClientHello was expected next");
    if let Some(ending) = view.first_end() {
        finding = finding.shown_by(ending.mark, format!("the {} gives up ({})", ending.side, ending.name()));
    }
    let clear = service.clear.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    finding
        .or_else(&[Cause::TcpProbe])
        .advise(format!(
            "On the client, choose TLS from the first byte (SSL/TLS, not STARTTLS) for port {port}, or use a port for STARTTLS ({clear})."
        ))
        .advise(remedy::s_client(facts, ""))
}
