//! `proxy-protocol-missing`: the server waits for a PROXY header.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ProxyProtocolMissing,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the server may expect a PROXY protocol header that the client does not send",
    page: Page {
        meaning: "A listener that is told to expect a PROXY header drops every connection that begins with something else, a ClientHello among it: without an alert, often with a RST. That happens when clients reach the server past \
                  its load balancer, when the balancer was not told to send the header, or when health checks come without it.",
        recognised: "The server closes or resets right after a bare ClientHello without a byte. The packets show no more than that; what makes it this cause is the server's configuration, or other connections to it that begin with a header.",
        confused_with: "Every other reason to drop a client without a word (`server-closed`, `server-reset`): access lists, a crashed worker, a balancer without a backend.",
        check: "Send a header and see whether the handshake goes through.\n\n$ curl -vk --haproxy-protocol https://<server>/\n\nnginx writes `broken header: … while reading PROXY protocol` into its error log.",
        fix: &[
            ("client", "Go through the load balancer, not past it."),
            (
                "load balancer",
                "Let it send the header: HAProxy `send-proxy-v2` on the server line; AWS NLB proxy_protocol_v2.enabled=true; and the same for health checks (`check-send-proxy`).",
            ),
            (
                "nginx",
                "Take `proxy_protocol` from the listen line, or give direct clients another port.\n\n$ nginx -T | grep -n 'listen.*proxy_protocol'",
            ),
            (
                "HAProxy",
                "Take `accept-proxy` from the bind line; `tcp-request connection expect-proxy layer4 if { src <balancer> }` expects it from the balancer only.",
            ),
            ("Apache", "`RemoteIPProxyProtocolExceptions <network>` exempts direct clients."),
            (
                "Kubernetes",
                "ingress-nginx with use-proxy-protocol and a Service whose load balancer sends none: make the annotation agree. Pods that use the external name inside the cluster skip the balancer (hairpin) and fail.",
            ),
            (
                "Postfix, Dovecot",
                "Give direct clients a service without smtpd_upstream_proxy_protocol, or an inet_listener without haproxy.",
            ),
        ],
        references: &["The PROXY protocol, versions 1 and 2 (HAProxy: doc/proxy-protocol.txt), section 2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let view = View::new(handshake);
    if !view.failed_over_tcp() || !view.hello_begun() || handshake.preamble.is_some() || view.answer_begun() || view.server().bytes_seen > 0
    {
        return None;
    }
    // a server that completes others without a header expects none
    let with_header = case.knowledge.completed_with_proxy_header;
    if case.knowledge.completed > with_header {
        return None;
    }
    let ending = view.ended_by(Side::Server)?;
    let after = ending.mark.time.since(view.hello_mark()?.time);
    if after > view.rtt() * 2 + PROMPT {
        return None;
    }
    let finding = if with_header > 0 {
        Finding::new(
            Cause::ProxyProtocolMissing,
            if with_header >= 2 { Confidence::Strong } else { Confidence::Likely },
            format!(
                "{} dropped a ClientHello that came without a PROXY header after {}, and completes the handshakes that begin with one.",
                handshake.server,
                span_text(after)
            ),
        )
        .noting(format!("handshakes with this server that completed: {with_header}, all of them behind a PROXY header"))
        .or_else(&[if ending.reset.is_some() { Cause::ServerReset } else { Cause::ServerClosed }])
    } else {
        Finding::new(
            Cause::ProxyProtocolMissing,
            Confidence::Hint,
            format!(
                "{} dropped a ClientHello without a word after {}, as a listener does that expects a PROXY header.",
                handshake.server,
                span_text(after)
            ),
        )
        .weight(Weight::Note)
    };
    Some(
        finding
            .stopped_by(StoppedBy::Server)
            .shown_by(ending.mark, format!("the server's {} without a byte before it", ending.name()))
            .advise("If a load balancer belongs in front of this server, see whether the listener expects the PROXY protocol:")
            .advise(remedy::curl(handshake, "-k --haproxy-protocol")),
    )
}

/// A server drops what it cannot read as soon as it has read it.
const PROMPT: std::time::Duration = std::time::Duration::from_millis(500);
