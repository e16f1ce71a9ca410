//! `server-closed`: a FIN in answer to the ClientHello.

use crate::diagnosis::against::{Contrary, told};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ServerClosed,
    speaks: Signs::UNFINISHED,
    against: &[told(Contrary::OthersCompleted)],
    title: "the server closed right after the ClientHello, without an alert",
    page: Page {
        meaning: "The server (or what stands in its place) closed the connection instead of answering, and did not say why. Old stacks close so when they have no version or cipher suite in common, \
                  front ends when they do not know the name or have no backend, and servers that expect something before the ClientHello, like a PROXY header.",
        recognised: "ClientHello, then the server's FIN without a TLS record before it. An alert of the client after the FIN is a consequence.",
        confused_with: "Windows servers close without an alert for versions, suites and names they refuse (Schannel event 36874 in their log). A proxy that lost its backend does the same.",
        check: "Vary one thing at a time: name, version, suites.\n\n$ openssl s_client -connect <server-address>:443 -servername <name> -tls1_2\n\n$ openssl s_client -connect <server-address>:443 -noservername",
        fix: &[
            (
                "look at the server's log first",
                "nginx: `error_log … info`; HAProxy: `log-error-via-logformat` and `%[ssl_fc_err_str]`; Apache: `LogLevel ssl:debug`; IIS: System log, source Schannel.",
            ),
            ("no backend", "A TCP load balancer or proxy without a healthy backend accepts and closes: look at its health checks."),
            (
                "unknown name",
                "Front ends that route by name close for names they do not know (`ssl_reject_handshake` alerts, `return 444` closes): add the name.",
            ),
            ("PROXY protocol expected", "Let the load balancer send the header, or switch `proxy_protocol` off at the listener."),
            ("version or suites", "Compare what the client offers with what the server allows; see the report's lists."),
            (
                "address filter in the application",
                "TCP wrappers and application allow lists close after accept: /etc/hosts.allow, Postfix and vsftpd rules.",
            ),
        ],
        references: &["RFC 8446 section 6.2 (a fatal alert should be sent)"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if facts.quic.is_some() && !view.answer_begun() {
        return super::closed_over_udp(case, Cause::ServerClosed, Side::Server);
    }
    if !view.failed_without_words()
        || view.answer_begun()
        || facts.plaintext.server.is_some()
        || facts.preamble.is_some() && !view.hello_begun()
    {
        return None;
    }
    let ending = view.ended_by(Side::Server).filter(|ending| ending.reset.is_none())?;
    let silent = !view.spoke(Side::Client);
    // Before the ClientHello only a side that closes at once is meant: later is a time limit, and after a greeting another dialogue.
    let at_once = silent && !view.waited() && !view.spoke(Side::Server);
    if !at_once && (silent || !view.hello_begun()) {
        return None;
    }
    let summary = if silent {
        let up = facts.tcp.established.unwrap_or(ending.mark);
        let took = span_text(ending.mark.time.since(up.time));
        format!("{} closed the connection {took} after it came up, before the client said anything.", facts.server)
    } else {
        format!("{} closed {}, without an alert.", view.target(), super::when(view, ending.mark))
    };
    let mut finding = Finding::new(Cause::ServerClosed, if silent { Confidence::Likely } else { Confidence::Strong }, summary)
        .weight(Weight::Fallback)
        .stopped_by(StoppedBy::Server);
    if let Some(hello) = view.hello_mark() {
        finding = finding.shown_by(hello, "ClientHello");
    }
    let finding = super::or_no_cipher(case, finding.shown_by(ending.mark, "the server's FIN, no TLS record before it")).or_else(&[
        Cause::LoadBalancerNoBackend,
        Cause::ProxyProtocolMissing,
        Cause::SniUnrecognized,
        Cause::NoCommonVersion,
    ]);
    Some(
        super::or_split(case, finding)
            .advise("Look in the server's or load balancer's log for this client and time; then vary name and version:")
            .advise(remedy::s_client(facts, "-tls1_2"))
            .advise(remedy::s_client(facts, "-noservername")),
    )
}
