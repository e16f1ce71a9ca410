//! `dtls-refused`: ICMP says that nobody is there.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::handshake::facts::StoppedBy;
use crate::packet::IcmpKind;

pub(super) const RULE: Rule = Rule {
    cause: Cause::DtlsRefused,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "nothing answers DTLS there (ICMP port or host unreachable)",
    page: Page {
        meaning: "The ClientHello was answered by an ICMP message: no process listens on this UDP port, or the host cannot be reached.",
        recognised: "ICMP destination unreachable (port, host or network; ICMPv6 type 1) that quotes the ClientHello, and no DTLS record of the server.",
        confused_with: "A firewall that rejects with port unreachable. A service that listens on TCP only under the same port.",
        check: "See on the server whether something listens on this UDP port and address.\n\n$ ss -lunp 'sport = :<port>'",
        fix: &[
            (
                "service not running",
                "Start it and look why it stopped: RADIUS over DTLS 2083, CoAP 5684, syslog 6514, STUN and TURN 5349, OpenConnect and AnyConnect 443 (UDP).",
            ),
            ("bound to the wrong address", "Bind to the address the clients use, in both IP versions."),
            (
                "VPN that falls back to TLS",
                "Open the UDP port beside the TCP one: OpenConnect, AnyConnect and FortiGate work without it, but slower.",
            ),
            ("containers", "Publish the port for UDP: `-p 5684:5684/udp`; a Kubernetes service needs `protocol: UDP`."),
            ("WebRTC", "The peer closed its socket: see the ICE state and the order of the signalling messages."),
        ],
        references: &["RFC 6347 section 4.1.1", "RFC 792", "RFC 4443 section 3.1"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    view.failed_over_dtls()?;
    let note = view.refused_datagram()?;
    let server = case.handshake.server;
    let by_host = note.reporter == server.address;
    let what = if note.kind == IcmpKind::PortUnreachable { "port unreachable" } else { "unreachable" };
    let summary = if note.kind == IcmpKind::PortUnreachable && by_host {
        format!("Nothing listens for DTLS on UDP port {} of {}.", server.port, server.address)
    } else {
        format!("{} says that {server} (UDP) is {what}.", note.reporter)
    };
    Some(
        Finding::new(Cause::DtlsRefused, if by_host { Confidence::Certain } else { Confidence::Strong }, summary)
            .weight(Weight::Overrides)
            .stopped_by(if by_host { StoppedBy::Server } else { StoppedBy::Network })
            .shown_by(case.handshake.tcp.first, "ClientHello")
            .shown_by(note.mark, format!("{} sent ICMP type {} code {} ({what})", note.reporter, note.icmp_type, note.code))
            .or_else(&[Cause::FirewallReject])
            .advise("On the server, see what listens on this UDP port and on which addresses:")
            .advise(remedy::ss_listen_udp(server.port))
            .advise(remedy::s_client(case.handshake, "")),
    )
}
