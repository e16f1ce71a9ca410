//! `server-aborted`: the server left in the middle.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ServerAborted,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the server left in the middle of the handshake without a reason",
    page: Page {
        meaning: "The server had begun to answer and then closed or reset the connection without an alert: a crash, a restart or deployment, a proxy whose other side broke away, \
                  or a stack that refuses what the client sent (its certificate, its key exchange) without saying so.",
        recognised: "ServerHello or more, then the server's FIN or RST before the handshake is complete, and no alert.",
        confused_with: "A forged RST (`reset-injected`); a server that waited too long for the client (`server-timeout`); an encrypted alert of TLS 1.3, which the analysis names when it sees one.",
        check: "Look in the server's log at that very second, and whether other connections ended at the same time.\n\n$ journalctl -u <service> --since '<time>'\n\n$ dmesg -T | grep -i -E 'segfault|oom|killed process'",
        fix: &[
            ("crash or out of memory", "The kernel's log names the process; take a core dump (`coredumpctl`)."),
            (
                "deployment or restart",
                "Drain: stop taking new connections, finish those under way (nginx `quit` instead of `stop`, Kubernetes preStop with a pause longer than the load balancer's deregistration).",
            ),
            (
                "client certificate refused",
                "Mbed TLS, wolfSSL and some JSSE servers close without an alert: see whether the client was asked for a certificate and what it sent.",
            ),
            ("proxy", "A TCP proxy passes on that its backend went away: look at the backend's log."),
        ],
        references: &["RFC 8446 section 6.2", "RFC 5246 section 7.2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let asked_for_cookie = facts.dtls.as_ref().is_some_and(|dtls| dtls.cookie_requests.count > 0);
    if !view.is_tcp() && (view.answer_begun() || asked_for_cookie) {
        return super::closed_over_udp(case, Cause::ServerAborted, Side::Server);
    }
    if !view.failed_without_words() || !view.answer_begun() {
        return None;
    }
    let ending = view.ended_by(Side::Server)?;
    let awaited = view.awaited()?;
    // Waiting in vain for the client is a time limit and told as such.
    if awaited.side == Side::Client && view.waited() {
        return None;
    }
    Some(
        Finding::new(
            Cause::ServerAborted,
            Confidence::Strong,
            format!(
                "{} {} the connection in the middle of the handshake, without an alert, {} after the last progress.",
                view.target(),
                if ending.reset.is_some() { "reset" } else { "closed" },
                span_text(view.silence())
            ),
        )
        .weight(Weight::Fallback)
        .stopped_by(StoppedBy::Server)
        .shown_by(view.last_progress(), "last progress of the handshake")
        .shown_by(ending.mark, format!("the server's {}; due was {}", ending.name(), awaited.what))
        .or_else(if ending.reset.is_some() {
            &[Cause::ResetInjected, Cause::InternalError]
        } else {
            &[Cause::InternalError, Cause::ClientCertificateRejected]
        })
        .advise("Look in the server's log at that second: crash, restart, deployment, backend gone.")
        .advise(remedy::s_client(facts, "")),
    )
}
