//! `quic-client-moved`: the client's packets come from another port from some moment of the handshake on.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::handshake::facts::{Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule { cause: Cause::QuicClientMoved, against: &[], page: page!("quic-client-moved"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let moved = case.knowledge.moved.filter(|moved| facts.outcome != Outcome::Completed && !moved.is_answered_elsewhere(facts.server))?;
    let view = View::new(facts);
    let from = if moved.client.address == facts.client.address {
        format!("port {} instead of {}", moved.client.port, facts.client.port)
    } else {
        format!("{} instead of {}", moved.client, facts.client)
    };
    let end = if moved.is_used {
        "The handshake went on there, and both sides used the connection."
    } else {
        "Nothing shows that the handshake was completed there."
    };
    let summary = format!(
        "In the middle of the handshake with {} the client's packets began to come from {from}: a NAT forgot the client, or spreads its packets. {end}",
        view.target()
    );
    let finding = Finding::new(Cause::QuicClientMoved, Confidence::Strong, summary)
        .weight(if moved.is_used { Weight::Note } else { Weight::Overrides })
        .stopped_by(StoppedBy::Network)
        .shown_by(facts.flow.last, format!("the last packet between the server and port {}", facts.client.port))
        .shown_by(moved.since, "a Handshake packet from elsewhere, sent to the connection identifier that this server gave itself");
    let finding = finding
        .advise("On the NAT or firewall in front of the client, let mappings of UDP last for 30 seconds at least, and let one client keep its address and port.");
    Some(if moved.is_used { finding } else { finding.advise(remedy::show_lines(facts)) })
}
