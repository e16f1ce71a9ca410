//! `server-reset`: a RST in answer to the ClientHello.

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
    cause: Cause::ServerReset,
    speaks: Signs::UNFINISHED,
    against: &[told(Contrary::OthersCompleted)],
    page: page!("server-reset"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if !view.failed_without_words()
        || view.answer_begun()
        || facts.plaintext.server.is_some()
        || facts.preamble.is_some() && !view.hello_begun()
    {
        return None;
    }
    let ending = view.ended_by(Side::Server).filter(|ending| ending.reset.is_some_and(|reset| !reset.to_syn))?;
    let silent = !view.spoke(Side::Client);
    // Before the ClientHello only a side that closes at once is meant: later is a time limit, and after a greeting another dialogue.
    let at_once = silent && !view.waited() && !view.spoke(Side::Server);
    if !at_once && (silent || !view.hello_begun()) {
        return None;
    }
    let crossed = view.crossed(&ending);
    let summary = if silent {
        let up = facts.flow.established().unwrap_or(ending.mark);
        let took = span_text(ending.mark.time.since(up.time));
        format!("{} reset the connection {took} after it came up, before the client said anything.", facts.server)
    } else if crossed {
        format!("{} reset the connection before the ClientHello had reached it.", view.target())
    } else {
        format!("{} reset the connection {}.", view.target(), super::when(view, ending.mark))
    };
    let mut finding = Finding::new(Cause::ServerReset, if silent { Confidence::Likely } else { Confidence::Strong }, summary)
        .weight(Weight::Fallback)
        .stopped_by(StoppedBy::Server);
    if let Some(hello) = view.hello_mark() {
        finding = finding.shown_by(hello, "ClientHello");
    }
    let finding = finding.shown_by(ending.mark, "RST, no TLS record before it");
    if crossed {
        return Some(
            finding
                .noting("the RST was sent before the ClientHello can have arrived, and acknowledges nothing of it")
                .or_else(&[Cause::ServerTimeout, Cause::LoadBalancerNoBackend, Cause::ResetInjected])
                .advise(
                    "The hello has nothing to do with it: look in the server's log and at its limit for silent connections at that time.",
                ),
        );
    }
    let finding = super::or_no_cipher(case, finding).or_else(&[
        Cause::ResetInjected,
        Cause::ProxyProtocolMissing,
        Cause::LoadBalancerNoBackend,
        Cause::SniUnrecognized,
    ]);
    Some(
        super::or_split(case, finding)
            .advise("Capture at the server to see whether it sent the RST itself, and look in its log at that time; then vary name and version:")
            .advise(remedy::s_client(facts, "-tls1_2"))
            .advise(remedy::s_client(facts, "-servername other.example")),
    )
}
