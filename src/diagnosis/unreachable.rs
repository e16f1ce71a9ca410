//! What QUIC and DTLS share where ICMP says that nobody is there.

use super::case::Case;
use super::cause::Cause;
use super::finding::{Confidence, Finding, Weight};
use super::view::View;
use crate::handshake::facts::StoppedBy;
use crate::packet::IcmpKind;

/// A datagram that was refused: the cause, by the protocol's name and by what its first packet is called.
pub(super) fn datagram_refused(case: &Case<'_>, cause: Cause, protocol: &str, first: &str) -> Option<Finding> {
    let note = View::new(case.handshake).refused_datagram()?;
    let server = case.handshake.server;
    let by_host = note.reporter == server.address;
    let what = if note.kind == IcmpKind::PortUnreachable { "port unreachable" } else { "unreachable" };
    let summary = if note.kind == IcmpKind::PortUnreachable && by_host {
        format!("Nothing listens for {protocol} on UDP port {} of {}.", server.port, server.address)
    } else {
        format!("{} reported {server} unreachable over UDP (ICMP {what}).", note.reporter)
    };
    Some(
        Finding::new(cause, if by_host { Confidence::Certain } else { Confidence::Strong }, summary)
            .weight(Weight::Overrides)
            .stopped_by(if by_host { StoppedBy::Server } else { StoppedBy::Network })
            .shown_by(case.handshake.flow.first, first)
            .shown_by(note.mark, format!("{} sent ICMP type {} code {}: {what}", note.reporter, note.icmp_type, note.code))
            .or_else(&[Cause::FirewallReject]),
    )
}
