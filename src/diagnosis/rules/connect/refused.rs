//! `tcp-refused`: the port is closed.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::handshake::facts::StoppedBy;
use crate::transport::Reset;

pub(super) const RULE: Rule = Rule {
    cause: Cause::TcpRefused,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the server refused the TCP connection (RST to the SYN)",
    page: Page {
        meaning: "The address answered and said that nothing listens on this port. TLS never began. Clients report `connection refused`.",
        recognised: "A RST in answer to the SYN, with no SYN-ACK before it.",
        confused_with: "A firewall that rejects with a RST (`firewall-reject`): it looks the same, unless the RST's hop counter differs from other packets of the server.",
        check: "See on the server whether something listens on this address and port; a service bound to 127.0.0.1 or to IPv4 only refuses others.\n\n$ ss -ltnp 'sport = :443'",
        fix: &[
            ("service not running", "Start it and look why it stopped.\n\n$ systemctl status <service>\n\n$ journalctl -u <service> -n 50"),
            (
                "bound to the wrong address",
                "Bind to the address the clients use: `listen 443 ssl;` and `listen [::]:443 ssl;` in nginx, `bind :::443 v4v6` in HAProxy.",
            ),
            ("wrong port or old address", "Compare with what the name resolves to now: `dig +short <name> A; dig +short <name> AAAA`."),
            ("IPv6 refused, IPv4 works", "The service listens on IPv4 only: let it listen on both, or take the AAAA record out."),
            (
                "containers and Kubernetes",
                "Compare the published port or the service's targetPort with the port the process listens on inside.\n\n$ kubectl describe service <service>",
            ),
            (
                "during a deployment",
                "The old process closed before the new one listened: use socket activation, SO_REUSEPORT or a readiness check ahead of the switch.",
            ),
        ],
        references: &["RFC 9293 section 3.10.7.1 (segment for a closed port)"],
    },
    check,
};

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
    let (confidence, summary) = if case.knowledge.completed > 0 || serves {
        (
            Confidence::Likely,
            format!("{server} refused the connection, though it takes others: it was down for a while, or refuses this client."),
        )
    } else {
        (Confidence::Strong, format!("{server} refused the connection: nothing listens on port {}.", server.port))
    };
    Some(
        Finding::new(Cause::TcpRefused, confidence, summary)
            .weight(Weight::Overrides)
            .stopped_by(StoppedBy::Server)
            .shown_by(reset.mark, "the server answered the SYN with a RST")
            .or_else(&[Cause::FirewallReject])
            .advise("On the server, see what listens on this port and on which addresses:")
            .advise(remedy::ss_listen(server.port))
            .advise(remedy::port_open(case.handshake)),
    )
}
