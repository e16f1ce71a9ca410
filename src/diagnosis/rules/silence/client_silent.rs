//! `client-silent`: connected and never spoke.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientSilent,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the client connected and never sent a ClientHello",
    page: Page {
        meaning: "The TCP connection came up and the client said nothing until the server closed it or the time was over. Spare connections of pools and browsers do this, clients that wait for the \
                  server to speak first, clients that hang, and slow attacks that hold connections. It can also be a ClientHello that was lost on the way.",
        recognised: "The connection is established, no payload of the client was seen, and the silence lasts a second or more; the client does not close first.",
        confused_with: "A ClientHello that never arrives: at the client one sees it repeated (`client-hello-dropped`, `path-mtu-black-hole`), at the server this. A health check closes by itself and soon (`tcp-probe`).",
        check: "Capture at the client: does it send anything? If it does, the path loses it.\n\n$ ss -tnpo 'dst <server-address>'",
        fix: &[
            (
                "client waits for a greeting",
                "It speaks SMTP, FTP or another protocol in which the server begins: use the port without implicit TLS, or the client's implicit TLS mode.",
            ),
            ("connection pools and preconnect", "Harmless. Let the pool connect when it needs to."),
            (
                "proxy or load balancer in front",
                "It opens backend connections ahead of use: HAProxy `http-reuse`, AWS load balancers keep spare ones.",
            ),
            (
                "protection of the server",
                "Give the handshake a time limit: nginx `client_header_timeout` (TLS uses it), HAProxy `timeout http-request` and `timeout client`, Apache `RequestReadTimeout handshake=5`, Go `ReadHeaderTimeout`. Single-threaded servers must not wait for one client.",
            ),
        ],
        references: &["RFC 9293 section 3.5"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    // Told to go ahead (STARTTLS, a proxy), and then nothing.
    let granted = view.upgrade_granted();
    if !view.is_stuck(case.policy)
        || !view.is_up()
        || view.hello_begun()
        || !granted && (view.spoke(Side::Client) || facts.preamble.is_some() || view.ended_by(Side::Client).is_some())
    {
        return None;
    }
    if !view.waited() || !facts.tcp.saw_start() {
        return None;
    }
    let up = facts.tcp.established.unwrap_or(facts.tcp.first);
    let closed = view.ended_by(Side::Server);
    let mut finding = Finding::new(
        Cause::ClientSilent,
        Confidence::Strong,
        if granted {
            format!(
                "{} was told by {} to begin TLS and sent nothing for {}.",
                facts.client.address,
                facts.server,
                span_text(view.silence())
            )
        } else {
            format!("{} connected to {} and sent nothing for {}.", facts.client.address, facts.server, span_text(view.silence()))
        },
    )
    .weight(Weight::Fallback)
    .stopped_by(StoppedBy::Client)
    .shown_by(
        if granted { view.last_progress() } else { up },
        if granted { "the upgrade is granted; the ClientHello is due" } else { "TCP connection up; the ClientHello is due" },
    );
    if let Some(ending) = closed {
        finding = finding.shown_by(ending.mark, format!("the server gives up ({})", ending.name()));
    } else if let Some(ending) = view.ended_by(Side::Client) {
        finding = finding.shown_by(ending.mark, format!("the client closes ({})", ending.name()));
    }
    let mut alternatives = vec![Cause::ServerTimeout];
    if view.near_side() != Some(Side::Client) {
        alternatives.extend([Cause::ClientHelloDropped, Cause::OneWayPath]);
    }
    Some(
        finding
            .or_else(&alternatives)
            .advise("See at the client whether it sends anything; a pool, a client that waits for a greeting, or a hung process does not.")
            .advise(remedy::show_lines(facts)),
    )
}
