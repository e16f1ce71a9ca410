//! `icmp-unreachable`: a router or the host said that there is no way.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::packet::IcmpKind;

pub(super) const RULE: Rule = Rule {
    cause: Cause::IcmpUnreachable,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "a router or host reported the server as unreachable",
    page: Page {
        meaning: "The connection did not come up because a device on the way, or the server itself, answered with an ICMP message: no route, \
                  no answer from the host on its last link, a closed port, or a routing loop. The message's source address says who.",
        recognised: "ICMP destination unreachable (codes 0 to 3, 5 to 8, 11, 12), ICMPv6 type 1 (codes 0, 2, 3, 4) or time exceeded, quoting this connection's SYN.",
        confused_with: "A firewall that hides behind port or host unreachable: iptables' `REJECT` sends port unreachable unless told otherwise. \
                        A TCP stack answers a closed port with a RST, so port unreachable for TCP is nearly always a firewall.",
        check: "See which address sent the message. The last router before the server says host unreachable when the server does not answer ARP or neighbour discovery.\n\n$ ip route get <server-address>\n\n$ traceroute -T -p 443 <server-address>",
        fix: &[
            (
                "host unreachable",
                "The server is down, has another address, or its VLAN or security group cuts it off from its router. Check ARP there: `ip neigh show <server-address>`.",
            ),
            (
                "network unreachable, no route",
                "Add or repair the route on the device that reports it; on a client without IPv6, remove the AAAA record or give it a route.",
            ),
            ("port unreachable", "A firewall rejects. Look for it on the reporting address.\n\n$ iptables -L -n -v | grep -i reject"),
            ("time exceeded", "Packets run in a circle: compare the routing tables of the last two hops of a traceroute."),
            (
                "VPN and tunnels",
                "The route to the server points into a tunnel that is down: `ip route get <server-address>` names the device.",
            ),
            (
                "Kubernetes",
                "A service without ready endpoints is rejected by kube-proxy with port unreachable.\n\n$ kubectl get endpointslices -l kubernetes.io/service-name=<service>",
            ),
        ],
        references: &["RFC 792", "RFC 4443 sections 3.1 and 3.3", "RFC 1122 section 4.2.3.9"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    if !view.failed_over_tcp() || view.answer_begun() {
        return None;
    }
    let note = case.handshake.tcp.icmp.iter().find(|note| {
        matches!(note.kind, IcmpKind::Unreachable | IcmpKind::PortUnreachable) || note.kind == IcmpKind::TimeExceeded && note.code == 0
    })?;
    let what = match note.kind {
        IcmpKind::PortUnreachable => "port unreachable",
        IcmpKind::TimeExceeded => "hop limit exceeded (a routing loop)",
        _ if note.icmp_type == ICMP_UNREACHABLE && note.code == 0 => "network unreachable",
        _ if note.icmp_type == ICMP_UNREACHABLE && note.code == 1 => "host unreachable",
        _ if note.icmp_type == ICMPV6_UNREACHABLE && note.code == 0 => "no route",
        _ if note.icmp_type == ICMPV6_UNREACHABLE && note.code == 3 => "address unreachable",
        _ => "unreachable",
    };
    let up = view.is_up();
    let by_host = note.about == Side::Client && note.reporter == case.handshake.server.address;
    let target = if note.about == Side::Client { case.handshake.server } else { case.handshake.client };
    let finding = Finding::new(
        Cause::IcmpUnreachable,
        if up { Confidence::Likely } else { Confidence::Certain },
        format!("{} says of {target}: {what}.", if by_host { "The server itself".to_owned() } else { note.reporter.to_string() }),
    )
    .weight(if up { Weight::Explains } else { Weight::Overrides })
    .stopped_by(if by_host { StoppedBy::Server } else { StoppedBy::Network })
    .shown_by(note.mark, format!("{} sent ICMP type {} code {} ({what})", note.reporter, note.icmp_type, note.code));
    let finding = if note.kind == IcmpKind::PortUnreachable { finding.or_else(&[Cause::FirewallReject]) } else { finding };
    Some(
        finding
            .advise(format!("Ask {} why: its route, ARP entry or firewall rule for {}.", note.reporter, target.address))
            .advise(remedy::route_to(target.address))
            .advise(remedy::traceroute(case.handshake, target)),
    )
}

/// ICMP type destination unreachable (RFC 792).
const ICMP_UNREACHABLE: u8 = 0x03;
/// ICMPv6 type destination unreachable (RFC 4443).
const ICMPV6_UNREACHABLE: u8 = 0x01;
