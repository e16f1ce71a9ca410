//! `quic-refused`: ICMP says that nobody is there.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::handshake::facts::StoppedBy;
use crate::packet::IcmpKind;

pub(super) const RULE: Rule = Rule {
    cause: Cause::QuicRefused,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "nothing answers QUIC there (ICMP port or host unreachable)",
    page: Page {
        meaning: "The client's Initial packets were answered by an ICMP message: no process listens on this UDP port, or the host cannot be reached. \
                  Browsers then use TCP and remember it, other clients fail.",
        recognised: "ICMP destination unreachable (port, host or network; ICMPv6 type 1) that quotes the client's datagram, and no QUIC packet of the server.",
        confused_with: "A firewall that rejects: `REJECT` in iptables sends port unreachable too, and from the server's own address when it runs there. `quic-blocked` is the same without an answer.",
        check: "See on the server whether something listens on the UDP port; TCP 443 says nothing about it.\n\n$ ss -lunp 'sport = :443'",
        fix: &[
            (
                "QUIC is wanted",
                "Switch it on: nginx `listen 443 quic reuseport;`, Caddy has it on, HAProxy `bind quic4@:443 ssl crt …`, and publish the UDP port of the container (`-p 443:443/udp`).",
            ),
            (
                "QUIC is not wanted",
                "Stop announcing it: remove the `Alt-Svc` header and `alpn=\"h3\"` from HTTPS records. Clients keep an announcement for its `ma` seconds.\n\n$ curl -sI https://<name>/ | grep -i alt-svc\n\n$ dig +short <name> HTTPS",
            ),
            ("load balancer", "Many balance TCP only: add a UDP listener, or announce h3 only where one is."),
            ("firewall on the server", "Look for a rule that rejects.\n\n$ iptables -L INPUT -n -v | grep -i reject"),
        ],
        references: &["RFC 9000 section 21.1", "RFC 9114 section 3.1", "RFC 7838 (Alt-Svc)"],
    },
    check,
};

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
            .shown_by(case.handshake.tcp.first, "first Initial packet")
            .shown_by(note.mark, format!("{} sent ICMP type {} code {} ({what})", note.reporter, note.icmp_type, note.code))
            .or_else(&[Cause::FirewallReject])
            .advise("On the server, see what listens on this UDP port; if QUIC is not wanted, stop announcing it (Alt-Svc, HTTPS record):")
            .advise(remedy::ss_listen_udp(server.port))
            .advise(remedy::curl(case.handshake, "--http3-only")),
    )
}
