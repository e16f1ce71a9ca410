//! `icmp-prohibited`: a firewall said no and signed it.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::packet::IcmpKind;

pub(super) const RULE: Rule = Rule { cause: Cause::IcmpProhibited, against: &[], page: page!("icmp-prohibited"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let refused_datagram = view.unanswered() && case.handshake.outcome.failed();
    if !(view.failed_over_tcp() || refused_datagram) || view.answer_begun() {
        return None;
    }
    let note = case.handshake.flow.icmp.iter().find(|note| note.kind == IcmpKind::Prohibited)?;
    let up = view.is_up();
    let whose = note.about;
    Some(
        Finding::new(
            Cause::IcmpProhibited,
            if up { Confidence::Strong } else { Confidence::Certain },
            format!("{} rejected the {whose}'s packets to {} (ICMP administratively prohibited).", note.reporter, other_end(case, whose)),
        )
        .weight(if up { Weight::Explains } else { Weight::Overrides })
        .stopped_by(StoppedBy::Network)
        .shown_by(
            note.mark,
            format!("{} sent ICMP type {} code {} (administratively prohibited)", note.reporter, note.icmp_type, note.code),
        )
        .advise(format!(
            "On {}, check the firewall rules for client {} and server {}.",
            note.reporter, case.handshake.client.address, case.handshake.server
        ))
        .advise(remedy::traceroute(case.handshake, case.handshake.server)),
    )
}

fn other_end(case: &Case<'_>, side: Side) -> crate::flow::Endpoint {
    match side {
        Side::Client => case.handshake.server,
        Side::Server => case.handshake.client,
    }
}
