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

use super::may_be_meant_in_clear;

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
    // A public address that answers over the client's own link: a gateway or a device on it speaks for the server.
    let next_door = View::new(case.handshake).is_next_door(reset.ttl);
    let (confidence, summary) = if case.knowledge.completed > 0 || serves {
        (
            Confidence::Likely,
            format!("{server} refused the connection, though it accepts others: it was down for a while, or it refuses this client."),
        )
    } else {
        let confidence = if from_elsewhere || next_door { Confidence::Likely } else { Confidence::Strong };
        let or_gateway = if next_door { ", or a gateway refuses in its place" } else { "" };
        (confidence, format!("{server} refused the connection: nothing listens on port {}{or_gateway}.", server.port))
    };
    let finding = Finding::new(Cause::TcpRefused, confidence, summary);
    // A gateway that leads to its login page in clear refuses what it cannot redirect.
    let led = case.knowledge.led.iter().rev().find(|led| next_door && led.by == server.address);
    let portal = led.is_some();
    let finding = match led {
        Some(led) => led.beside(finding),
        None => finding,
    };
    let finding = if next_door {
        finding.noting(format!(
            "the RST has TTL {}, which no router has lowered, though {} is not an address of the client's network: a gateway may have sent it",
            reset.ttl, server.address
        ))
    } else {
        finding
    };
    let finding = may_be_meant_in_clear(case, finding);
    Some(
        finding
            .weight(Weight::Overrides)
            .stopped_by(StoppedBy::Server)
            .shown_by(reset.mark, "server answered the SYN with a RST")
            .or_else(&[Cause::FirewallReject])
            .or_else(if portal { &[Cause::CaptivePortal] } else { &[] })
            .advise("On the server, check what listens on this port and on which addresses:")
            .advise(remedy::ss_listen(server.port))
            .advise(remedy::port_open(case.handshake)),
    )
}
