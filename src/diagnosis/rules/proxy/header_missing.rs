//! `proxy-protocol-missing`: the server waits for a PROXY header.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

pub(super) const RULE: Rule = Rule { cause: Cause::ProxyProtocolMissing, against: &[], page: page!("proxy-protocol-missing"), check };

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
                "{} dropped a ClientHello without a PROXY header after {}, and completes the handshakes that start with one.",
                handshake.server,
                span_text(after)
            ),
        )
        .noting(format!("completed handshakes with this server: {with_header}, all of them after a PROXY header"))
        .or_else(&[if ending.reset.is_some() { Cause::ServerReset } else { Cause::ServerClosed }])
    } else {
        Finding::new(
            Cause::ProxyProtocolMissing,
            Confidence::Hint,
            format!(
                "{} dropped a ClientHello without an answer after {}, like a listener that expects a PROXY header.",
                handshake.server,
                span_text(after)
            ),
        )
        .weight(Weight::Note)
    };
    Some(
        finding
            .stopped_by(StoppedBy::Server)
            .shown_by(ending.mark, format!("the server's {}, with no byte before it", ending.name()))
            .advise(
                "If a load balancer belongs in front of this server, check on the server whether the listener expects the PROXY protocol:",
            )
            .advise(remedy::curl(handshake, "-k --haproxy-protocol")),
    )
}

/// A server drops what it cannot read as soon as it has read it.
const PROMPT: std::time::Duration = std::time::Duration::from_millis(500);
