//! `client-hello-dropped`: the ClientHello never arrives.

use crate::diagnosis::against::{Contrary, drops};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Suspect, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, ordinal, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

use super::{hello_lost, paused_before_hello};

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientHelloDropped,
    speaks: Signs::UNFINISHED,
    against: &[drops(Contrary::SameHelloCompleted), drops(Contrary::CopiesAnswered)],
    title: "the ClientHello never reaches the server",
    page: Page {
        meaning: "TCP came up without trouble, but the ClientHello is sent again and again and never acknowledged. Something on the path reads ClientHellos and drops this one: mostly a filter by server name, sometimes by protocol version, fingerprint or Encrypted ClientHello.",
        recognised: "The segment with the ClientHello is repeated with growing pauses, nothing acknowledges it, and the server does not repeat its SYN-ACK: it knows the connection. Behind a device that acknowledged the ClientHello and kept it: what follows the hello is sent again, the hello is not.",
        confused_with: "A path that lost one direction altogether (`one-way-path`), a full accept queue (there the server repeats its SYN-ACK), or a SYN proxy on a firewall that accepted for a server which it cannot reach.",
        check: "Repeat with another server name, or without one, to the same address. If that is answered, the name is filtered.\n\n$ openssl s_client -connect <server-address>:443 -servername other.example\n\n$ openssl s_client -connect <server-address>:443 -noservername",
        fix: &[
            (
                "own firewall or filter",
                "Look for the name in the logs of web filter, application control and DNS security with the action drop, and exempt it. Products often log only the end of the session.",
            ),
            (
                "provider or country",
                "Compare with another network or a VPN. Encrypted ClientHello hides the name where both ends support it, but some filters drop exactly that: then try without.",
            ),
            ("SYN proxy, DDoS protection", "The device answers the SYN itself and forwards later: see whether it can reach the server."),
            (
                "Kubernetes",
                "NetworkPolicies of some plugins (Cilium with `toFQDNs` or L7 rules) drop by name after TCP is up: `hubble observe --verdict DROPPED`.",
            ),
            ("cloud", "AWS Network Firewall and Azure Firewall with TLS SNI rules drop silently: look in their alert log for the name."),
        ],
        references: &["RFC 6066 section 3", "RFC 9505 (survey of filtering techniques), section 4.2"],
    },
    check,
};

/// Seen behind a device that acknowledged the ClientHello itself and kept it: the client sends again what follows, and never the hello, though TCP
/// always sends again what comes first of what is not acknowledged.
fn swallowed(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let client = view.client();
    let hole = view.hole(Side::Client).filter(|hole| !view.hole_is_full_size(Side::Client, *hole))?;
    let behind = view.repeated_in_vain(Side::Client).find(|segment| segment.copies >= 3 && segment.offset == hole.len)?;
    if client.delivered > 0 || client.acked > 0 || client.bytes_seen != u64::from(behind.len) {
        return None;
    }
    let finding = Finding::new(
        Cause::ClientHelloDropped,
        Confidence::Likely,
        format!(
            "The client's first {} bytes never arrive at {} and are not sent again, though what follows them is: somebody on the way acknowledged them to the client and kept them.",
            hole.len,
            case.handshake.server
        ),
    )
    .stopped_by(StoppedBy::Network)
    .shown_by(behind.first, format!("{} bytes of the client from byte {} on; what comes before never came", behind.len, hole.len))
    .shown_by(behind.last, format!("the same for the {} time", ordinal(behind.copies)))
    .or_else(&[Cause::PacketLoss]);
    Some(super::try_otherwise(case, finding))
}

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    if !view.failed_over_tcp() {
        return None;
    }
    if let Some(finding) = swallowed(case, view) {
        return Some(finding);
    }
    let copies = hello_lost(view)?;
    let segment = view.repeated_in_vain(Side::Client).next()?;
    let others = case.knowledge.completed_other_names;
    let large = view.hello_is_large();
    let confidence = if others > 0 && !large || copies >= 3 { Confidence::Strong } else { Confidence::Likely };
    // A pause explains it better, when there is one: then this stands back.
    let explained = paused_before_hello(view);
    let mut finding = Finding::new(
        Cause::ClientHelloDropped,
        if explained { Confidence::Likely } else { confidence },
        format!(
            "The ClientHello for {} never arrives: sent {copies} times within {}, never acknowledged, though TCP is up{}.",
            view.target(),
            span_text(segment.last.time.since(segment.first.time)),
            if large { String::new() } else { format!(" and it has only {} bytes", view.hello_len()) }
        ),
    )
    .weight(if explained { Weight::Fallback } else { Weight::Explains })
    .stopped_by(StoppedBy::Network)
    .shown_by(segment.first, format!("ClientHello, packet of {} bytes", segment.ip_len))
    .shown_by(segment.last, format!("ClientHello again, for the {} time; the server acknowledged nothing", ordinal(copies)));
    if others > 0 {
        finding = finding.noting(format!("{others} handshakes for other names with the same server completed"));
    }
    let finding = finding
        .resting_on(Suspect::packet(Side::Client, segment.first, segment.len))
        .or_else(if large { &[Cause::SplitClientHello, Cause::PathMtuBlackHole] } else { &[] })
        .or_else(&[Cause::OneWayPath, Cause::AcceptQueueFull, Cause::Tls13Dropped]);
    Some(super::try_otherwise(case, finding))
}
