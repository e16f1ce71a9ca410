//! `icmp-prohibited`: a firewall said no and signed it.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::packet::IcmpKind;

pub(super) const RULE: Rule = Rule {
    cause: Cause::IcmpProhibited,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "a firewall refused the connection (ICMP administratively prohibited)",
    page: Page {
        meaning: "A router or firewall on the way answered with an ICMP message which says that its rules do not allow this connection. The \
                  message's source address names the device.",
        recognised: "ICMP destination unreachable with code 9, 10 or 13, or ICMPv6 type 1 code 1, 5 or 6, quoting this connection's packet.",
        confused_with: "ICMP host or port unreachable (`icmp-unreachable`), which some firewalls send for the same purpose (`REJECT` in iptables sends port unreachable).",
        check: "Find the device by the address that sent the message, and the rule that matches client, server and port.\n\n$ ip route get <server-address>\n\n$ traceroute -T -p 443 <server-address>",
        fix: &[
            (
                "iptables, nftables",
                "Look for the rule that rejects, above the one that should accept.\n\n$ iptables -L -n -v --line-numbers | grep -i reject\n\n$ nft list ruleset | grep -n reject",
            ),
            (
                "firewalld",
                "The zone's default answer is host prohibited. Open the service.\n\n$ firewall-cmd --zone=public --add-service=https --permanent && firewall-cmd --reload",
            ),
            (
                "router access lists",
                "A deny entry with `ip unreachables` gives code 13. Permit the flow ahead of it (`show access-lists` counts the hits).",
            ),
            (
                "Kubernetes",
                "A NetworkPolicy of some plugins (Calico with `Reject`) answers so. Allow the port from the client's namespace.",
            ),
            ("IPv6", "Code 5 says that the source address fails the ingress policy: the client uses the wrong source address or prefix."),
        ],
        references: &["RFC 792", "RFC 1812 section 5.2.7.1", "RFC 4443 section 3.1"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let refused_datagram = view.unanswered() && case.handshake.outcome.failed();
    if !(view.failed_over_tcp() || refused_datagram) || view.answer_begun() {
        return None;
    }
    let note = case.handshake.tcp.icmp.iter().find(|note| note.kind == IcmpKind::Prohibited)?;
    let up = view.is_up();
    let whose = note.about;
    Some(
        Finding::new(
            Cause::IcmpProhibited,
            if up { Confidence::Strong } else { Confidence::Certain },
            format!("{} refused the {whose}'s packets to {}: administratively prohibited.", note.reporter, other_end(case, whose)),
        )
        .weight(if up { Weight::Explains } else { Weight::Overrides })
        .stopped_by(StoppedBy::Network)
        .shown_by(
            note.mark,
            format!("{} sent ICMP type {} code {} (administratively prohibited)", note.reporter, note.icmp_type, note.code),
        )
        .advise(format!(
            "Look at the rules of {}: client {}, server {}.",
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
