//! `tcp-refused`: the port is closed.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::handshake::facts::StoppedBy;
use crate::transport::Reset;

pub(super) const RULE: Rule = Rule { cause: Cause::TcpRefused, against: &[], page: page!("tcp-refused"), check };

/// The server's RST that answered the SYN.
pub(super) fn refusal<'a>(case: &Case<'a>) -> Option<&'a Reset> {
    let view = View::new(case.handshake);
    if !view.failed_over_tcp() || view.server().syn.is_some() || view.spoke(crate::flow::Side::Server) {
        return None;
    }
    view.server().resets.iter().find(|reset| reset.to_syn)
}

fn check(case: &Case<'_>) -> Option<Finding> {
    let reset = refusal(case)?;
    let server = case.handshake.server;
    // Of others the capture may show no more than that the server's payload was taken.
    let serves = case.knowledge.related.iter().any(|other| other.same_endpoint && other.passed.server > 0);
    // Its packets came from another distance: from a device before it, or from a container behind its address.
    let genuine = &case.knowledge.server_ttls;
    let from_elsewhere = !genuine.is_empty() && !genuine.contains(&reset.ttl);
    let (confidence, summary) = if case.knowledge.completed > 0 || serves {
        (
            Confidence::Likely,
            format!("{server} refused the connection, though it accepts others: it was down for a while, or it refuses this client."),
        )
    } else {
        let confidence = if from_elsewhere { Confidence::Likely } else { Confidence::Strong };
        (confidence, format!("{server} refused the connection: nothing listens on port {}.", server.port))
    };
    Some(
        Finding::new(Cause::TcpRefused, confidence, summary)
            .weight(Weight::Overrides)
            .stopped_by(StoppedBy::Server)
            .shown_by(reset.mark, "server answered the SYN with a RST")
            .or_else(&[Cause::FirewallReject])
            .advise("On the server, check what listens on this port and on which addresses:")
            .advise(remedy::ss_listen(server.port))
            .advise(remedy::port_open(case.handshake)),
    )
}
