//! `client-hello-dropped`: the ClientHello never arrives.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, ordinal, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

use super::{hello_lost, paused_before_hello};

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientHelloDropped,
    speaks: Signs::UNFINISHED,
    title: "the ClientHello never reaches the server",
    page: Page {
        meaning: "TCP came up without trouble, but the ClientHello is sent again and again and never acknowledged. It is small enough for any path, so \
                  its size is no reason. Something on the path reads ClientHellos and drops this one: mostly a filter by server name, sometimes by protocol version, fingerprint or Encrypted ClientHello.",
        recognised: "The segment with the ClientHello is repeated with growing pauses, nothing acknowledges it, and the server does not repeat its SYN-ACK: it knows the connection.",
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

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    if !view.failed_over_tcp() {
        return None;
    }
    let copies = hello_lost(view)?;
    let segment = view.repeated_in_vain(Side::Client).next()?;
    let others = case.knowledge.completed_other_names;
    let confidence = if others > 0 || copies >= 3 { Confidence::Strong } else { Confidence::Likely };
    // Size or a pause explain it better, when there are any: then this stands back.
    let explained = view.hello_is_large() || paused_before_hello(view);
    let mut finding = Finding::new(
        Cause::ClientHelloDropped,
        if explained { Confidence::Likely } else { confidence },
        format!(
            "The ClientHello for {} never arrives: sent {copies} times within {}, never acknowledged, though TCP is up and it has only {} bytes.",
            view.target(),
            span_text(segment.last.time.since(segment.first.time)),
            view.hello_len()
        ),
    )
    .weight(if explained { Weight::Fallback } else { Weight::Explains })
    .stopped_by(StoppedBy::Network)
    .shown_by(segment.first, format!("ClientHello, packet of {} bytes", segment.ip_len))
    .shown_by(segment.last, format!("ClientHello again, for the {} time; the server acknowledged nothing", ordinal(copies)));
    if others > 0 {
        finding = finding.noting(format!("{others} handshakes for other names with the same server completed"));
    }
    Some(
        finding
            .or_else(&[Cause::OneWayPath, Cause::AcceptQueueFull, Cause::Tls13Dropped])
            .advise("Try another server name to the same address: if that is answered, a filter on the path drops this name.")
            .advise(remedy::s_client(case.handshake, "-servername other.example"))
            .advise("Try without TLS 1.3, to see whether the version is the reason:")
            .advise(remedy::s_client(case.handshake, "-tls1_2")),
    )
}
