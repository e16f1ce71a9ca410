//! `quic-refused`: ICMP says that nobody is there.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::handshake::facts::StoppedBy;
use crate::packet::IcmpKind;

pub(super) const RULE: Rule =
    Rule { cause: Cause::QuicRefused, speaks: Signs::UNFINISHED, against: &[], page: page!("quic-refused"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    view.failed_over_quic()?;
    let note = view.refused_datagram()?;
    let server = case.handshake.server;
    let by_host = note.reporter == server.address;
    let what = if note.kind == IcmpKind::PortUnreachable { "port unreachable" } else { "unreachable" };
    let summary = if note.kind == IcmpKind::PortUnreachable && by_host {
        format!("Nothing listens for QUIC on UDP port {} of {}.", server.port, server.address)
    } else {
        format!("{} says that {server} (UDP) is {what}.", note.reporter)
    };
    Some(
        Finding::new(Cause::QuicRefused, if by_host { Confidence::Certain } else { Confidence::Strong }, summary)
            .weight(Weight::Overrides)
            .stopped_by(if by_host { StoppedBy::Server } else { StoppedBy::Network })
            .shown_by(case.handshake.flow.first, "first Initial packet")
            .shown_by(note.mark, format!("{} sent ICMP type {} code {} ({what})", note.reporter, note.icmp_type, note.code))
            .or_else(&[Cause::FirewallReject])
            .advise("On the server, see what listens on this UDP port; if QUIC is not wanted, stop announcing it (Alt-Svc, HTTPS record):")
            .advise(remedy::ss_listen_udp(server.port))
            .advise(remedy::curl(case.handshake, "--http3-only")),
    )
}
