//! `tcp-probe`: connected, said nothing, closed.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

pub(super) const RULE: Rule = Rule {
    cause: Cause::TcpProbe,
    speaks: Signs::UNFINISHED,
    title: "connected and closed without a byte: a health check or scan",
    page: Page {
        meaning: "The client opened the TCP connection and closed it without sending anything. That is what load balancers and monitors do to see \
                  whether a port is open, what port scanners do, and what browsers do with a spare connection they did not need. TLS did not fail: it was not tried.",
        recognised: "The TCP handshake completes, the client sends no payload, and the client closes or resets first.",
        confused_with: "A client that gave up while something on the path swallowed its ClientHello: at the server that looks the same (compare with a capture at the client).",
        check: "See whether it comes from the address of a load balancer or monitor, and at regular intervals.",
        fix: &[
            (
                "nothing is wrong",
                "No action is needed. If the server's log fills with `SSL handshake failed` or `unexpected eof`, let the check speak TLS.",
            ),
            (
                "HAProxy",
                "Use `option ssl-hello-chk` or `check ssl verify none sni str(<name>)` instead of a bare TCP check, and `option dontlognull` on the server side.",
            ),
            ("AWS and other load balancers", "Set the target group's health check to HTTPS instead of TCP."),
            ("Kubernetes", "Use an httpGet probe with `scheme: HTTPS` instead of a tcpSocket probe."),
        ],
        references: &["RFC 9293 section 3.6"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if !view.failed_over_tcp() || !view.is_up() || view.spoke(Side::Client) || facts.preamble.is_some() || !facts.tcp.saw_start() {
        return None;
    }
    // A RST without a byte before it can also be forged; that rule looks at hop counters.
    let ending = view.ended_by(Side::Client)?;
    if crate::diagnosis::rules::silence::waits_for_greeting(case).is_some() {
        return None;
    }
    let up = facts.tcp.established.unwrap_or(facts.tcp.first);
    Some(
        Finding::new(
            Cause::TcpProbe,
            Confidence::Strong,
            format!(
                "{} connected to {} and closed {} later without a byte: a health check or scan.",
                facts.client.address,
                facts.server,
                span_text(ending.mark.time.since(up.time))
            ),
        )
        .stopped_by(StoppedBy::Client)
        .shown_by(up, "TCP connection up")
        .shown_by(ending.mark, format!("the client's {}, no payload before it", ending.name()))
        .advise("Nothing to do if this is a health check. Let the check speak TLS if the server's log complains."),
    )
}
