//! `server-reset`: a RST in answer to the ClientHello.

use super::BrokenOff;
use crate::diagnosis::against::{Contrary, told};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::clear::or_clear;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;

pub(super) const RULE: Rule =
    Rule { cause: Cause::ServerReset, against: &[told(Contrary::OthersCompleted)], page: page!("server-reset"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    super::ungreeted::reset_unspoken(case).or_else(|| in_the_middle(case))
}

fn in_the_middle(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let end = BrokenOff::of(case, true)?;
    let ending = &end.ending;
    let crossed = view.crossed(ending);
    let summary = if crossed {
        format!("{} reset the connection before the ClientHello reached it.", view.target())
    } else {
        format!("{} reset the connection {}.", view.target(), super::when(view, ending.mark))
    };
    let finding = end.finding(case, Cause::ServerReset, summary);
    let shown = if end.unheard > 0 { "RST, with a number behind bytes that are not here" } else { "RST, with no TLS record before it" };
    let finding = super::noting_stranger(view, finding.shown_by(ending.mark, shown), ending);
    if crossed {
        return Some(
            finding
                .noting("the RST was sent before the ClientHello can have arrived, and acknowledges none of it")
                .or_else(&[Cause::ServerTimeout, Cause::LoadBalancerNoBackend, Cause::ResetInjected])
                .advise("On the server, check the log and the timeout for silent connections: the ClientHello is not the reason."),
        );
    }
    let finding = super::or_proxy(case, finding);
    let other_machine = end.silent && view.disowns(ending);
    let finding = if other_machine { finding.or_else(&[Cause::LoadBalancerNoBackend, Cause::AcceptQueueFull]) } else { finding };
    let finding = if other_machine { finding } else { or_clear(case, finding) };
    let limited = super::time_limit(view, ending).is_some();
    let finding = if limited { finding.or_else(&[Cause::LoadBalancerNoBackend, Cause::ServerTimeout]) } else { finding };
    let finding =
        super::noting_names(case, super::or_no_cipher(case, super::or_narrow(case, finding))).or_else(&super::broken_off_for(case, true));
    let finding = super::noting_time_limit(view, ending, finding);
    let finding = if other_machine {
        finding.advise("If several machines answer at this address (anycast, several routes, a balancer that works packet by packet), find out whether all packets of a connection reach the same one.")
    } else {
        finding
    };
    Some(
        super::or_split(case, finding)
            .advise("Capture on the server to see whether it sent the RST itself.")
            .advise(remedy::log(facts, Side::Server, "it may record the reason"))
            .advise("Then vary name and version:")
            .advise(remedy::s_client(facts, "-tls1_2"))
            .advise(remedy::s_client(facts, "-servername other.example")),
    )
}
