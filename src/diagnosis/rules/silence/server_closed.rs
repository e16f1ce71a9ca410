//! `server-closed`: a FIN in answer to the ClientHello.

use super::BrokenOff;
use crate::diagnosis::against::{Contrary, told};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::clear::or_clear;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::Located;
use crate::tls::client_hello::ClientHello;
use crate::tls::registry::CipherSuite;

pub(super) const RULE: Rule =
    Rule { cause: Cause::ServerClosed, against: &[told(Contrary::OthersCompleted)], page: page!("server-closed"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if facts.quic.is_some() && !view.answer_begun() {
        return super::closed_over_udp(case, Cause::ServerClosed, Side::Server);
    }
    let end = BrokenOff::of(case, false)?;
    let ending = &end.ending;
    let silently = if end.unheard > 0 { "" } else { ", without an alert" };
    let summary = format!("{} closed {}{silently}.", view.target(), super::when(view, ending.mark));
    let finding = end.finding(case, Cause::ServerClosed, summary);
    // It had not seen a byte of it: nothing that the ClientHello offers can be the reason.
    if view.hello_first().is_some_and(|hello| ending.mark.frame < hello.frame) {
        return Some(
            finding
                .shown_by(ending.mark, format!("the server's {}, before the ClientHello", ending.name()))
                .or_else(&[Cause::LoadBalancerNoBackend, Cause::AccessDenied, Cause::ServerTimeout])
                .advise("On the server, check its limits of connections (nginx: worker_connections; Apache: MaxRequestWorkers; `ulimit -n`) and what bans clients (fail2ban, TCP wrappers).")
                .advise(remedy::log(facts, Side::Server, "if a load balancer is in front, check its log too")),
        );
    }
    let finding = super::or_proxy(case, finding);
    let finding = or_clear(case, finding.shown_by(ending.mark, format!("the server's {}, with no TLS record before it", ending.name())));
    let finding = super::noting_names(case, finding);
    // A name that was refused in another handshake, too, was not refused for what this one offers.
    let finding =
        if case.refused_by_name() && case.knowledge.attempts_same_name > 0 { finding.or_else(&[Cause::SniUnrecognized]) } else { finding };
    let finding = super::or_no_cipher(case, super::or_narrow(case, finding));
    // Servers that close without an alert do so on versions, too.
    let old = facts.last_hello().map(|hello| &hello.what).filter(|hello| !hello.highest_version().is_tls13());
    let finding = match old.filter(|hello| !case.knowledge.versions.iter().any(|version| hello.offers(*version))) {
        Some(hello) => finding.noting(format!("the ClientHello offers {}", offer::versions(hello))).or_else(&[Cause::ClientVersionTooOld]),
        None => finding,
    };
    let finding = finding.or_else(&super::broken_off_for(case, false)).or_else(&[Cause::NoCommonVersion]);
    let falls_back = |hello: &Located<ClientHello>| hello.what.cipher_suites().any(|suite| suite == CipherSuite::FALLBACK_SCSV);
    let finding = if facts.last_hello().is_some_and(falls_back) {
        finding
            .noting("the ClientHello says by TLS_FALLBACK_SCSV that it offers less than the client can")
            .or_else(&[Cause::InappropriateFallback])
    } else {
        finding
    };
    let finding = super::noting_time_limit(view, ending, finding);
    Some(
        super::or_split(case, finding)
            .advise(remedy::log(facts, Side::Server, "if a load balancer is in front, check its log too"))
            .advise("Then vary name and version:")
            .advise(remedy::s_client(facts, "-tls1_2"))
            .advise(remedy::s_client(facts, "-noservername")),
    )
}
