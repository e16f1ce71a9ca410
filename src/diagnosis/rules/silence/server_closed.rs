//! `server-closed`: a FIN in answer to the ClientHello.

use crate::diagnosis::against::{Contrary, told};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ServerClosed,
    speaks: Signs::UNFINISHED,
    against: &[told(Contrary::OthersCompleted)],
    page: page!("server-closed"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if facts.quic.is_some() && !view.answer_begun() {
        return super::closed_over_udp(case, Cause::ServerClosed, Side::Server);
    }
    if !view.failed_without_words()
        || view.answer_begun()
        || facts.plaintext.server.is_some()
        || facts.preamble.is_some() && !view.hello_begun()
    {
        return None;
    }
    let ending = view.ended_by(Side::Server).filter(|ending| ending.reset.is_none())?;
    let silent = !view.spoke(Side::Client);
    // Before the ClientHello only a side that closes at once is meant: later is a time limit, and after a greeting another dialogue.
    let at_once = silent && !view.waited() && !view.spoke(Side::Server);
    if !at_once && (silent || !view.hello_begun()) {
        return None;
    }
    let summary = if silent {
        let up = facts.flow.established().unwrap_or(ending.mark);
        let took = span_text(ending.mark.time.since(up.time));
        format!("{} closed the connection {took} after it came up, before the client said anything.", facts.server)
    } else {
        format!("{} closed {}, without an alert.", view.target(), super::when(view, ending.mark))
    };
    let mut finding = Finding::new(Cause::ServerClosed, if silent { Confidence::Likely } else { Confidence::Strong }, summary)
        .weight(Weight::Fallback)
        .stopped_by(StoppedBy::Server);
    if let Some(hello) = view.hello_mark() {
        finding = finding.shown_by(hello, "ClientHello");
    }
    let finding = super::or_no_cipher(case, finding.shown_by(ending.mark, "the server's FIN, no TLS record before it")).or_else(&[
        Cause::LoadBalancerNoBackend,
        Cause::ProxyProtocolMissing,
        Cause::SniUnrecognized,
        Cause::NoCommonVersion,
    ]);
    Some(
        super::or_split(case, finding)
            .advise("Look in the server's or load balancer's log for this client and time; then vary name and version:")
            .advise(remedy::s_client(facts, "-tls1_2"))
            .advise(remedy::s_client(facts, "-noservername")),
    )
}
