//! `quic-blocked`: UDP gets no answer, TCP to the same server does.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, ordinal, span_text};
use crate::flow::Transport;
use crate::handshake::facts::{Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule {
    cause: Cause::QuicBlocked,
    speaks: Signs::UNFINISHED,
    title: "QUIC (UDP) is dropped on the way; TCP to the same server works",
    page: Page {
        meaning: "The client's Initial packets are never answered, while the same client reaches the same server over TCP within seconds. A firewall drops UDP 443, \
                  on purpose or because its rule was written for TCP only. Users feel a delay until the client falls back.",
        recognised: "Initial packets repeated with growing pauses (0.2, 0.4, 0.8 s…), no datagram from the server, no ICMP message; and a completed TLS handshake over TCP with the same address or name.",
        confused_with: "A server that announces h3 and does not listen (`quic-refused` when it says so). Datagrams that are too large for the path (`quic-mtu`): Initial packets have 1200 bytes at least and must not be fragmented.",
        check: "Try QUIC alone; then see at the server whether the datagrams arrive.\n\n$ curl -v --http3-only https://<name>/\n\n$ tcpdump -ni any 'udp port 443 and host <client-address>'",
        fix: &[
            (
                "firewall or security group",
                "Allow UDP 443 out and the answers in (state for UDP, 30 s or more), or reject it with ICMP port unreachable, so that clients fall back at once.",
            ),
            (
                "own server",
                "Open UDP 443 in the security group or firewall: rules for TCP 443 do not cover it.\n\n$ nft add rule inet filter input udp dport 443 accept",
            ),
            (
                "QUIC is not wanted",
                "Switch it off at the clients by policy (Chrome and Edge: `QuicAllowed` false) or at the server (no Alt-Svc), instead of dropping.",
            ),
            (
                "web filters, antivirus",
                "Products that inspect TLS drop QUIC so that browsers fall back to TCP: that is intended; reject instead of drop to spare the delay.",
            ),
        ],
        references: &["RFC 9000 section 14.1", "RFC 9308 section 2 (fallback)", "RFC 9312 section 4.10 (blocking)"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    view.failed_over_quic()?;
    if !view.unanswered() || !case.handshake.tcp.icmp.is_empty() || case.handshake.outcome != Outcome::Stalled {
        return None;
    }
    let fallback = case.knowledge.related.iter().find(|other| other.transport == Transport::Tcp && other.outcome == Outcome::Completed)?;
    let (tries, span) = view.hello_tries();
    let spent = fallback.start.time.since(case.handshake.tcp.first.time);
    let worked = case.knowledge.completed > 0;
    let finding = Finding::new(
        Cause::QuicBlocked,
        if worked || tries < 3 { Confidence::Likely } else { Confidence::Strong },
        format!(
            "QUIC to {} gets no answer ({tries} datagrams within {}), but the same client completed TLS over TCP with it: UDP port {} is dropped.",
            view.target(),
            span_text(span),
            case.handshake.server.port
        ),
    )
    .stopped_by(StoppedBy::Network)
    .shown_by(case.handshake.tcp.first, "first Initial packet");
    let finding = match view.repeats(crate::flow::Side::Client) {
        Some(repeats) => finding.shown_by(repeats.last, format!("Initial packet sent for the {} time; nothing came back", ordinal(tries))),
        None => finding,
    };
    let finding = finding.shown_by(fallback.start, "the client's TCP connection to the same server, completed");
    let finding = if spent.is_zero() { finding } else { finding.noting(format!("the fallback to TCP came {} later", span_text(spent))) };
    Some(
        finding
            .or_else(&[Cause::QuicServerSilent, Cause::QuicMtu])
            .advise("Allow UDP to this port, or reject it with ICMP port unreachable so that clients fall back at once; test QUIC alone:")
            .advise(remedy::curl(case.handshake, "--http3-only"))
            .advise(remedy::show_lines(case.handshake)),
    )
}
