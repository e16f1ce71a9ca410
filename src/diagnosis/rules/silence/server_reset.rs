//! `server-reset`: a RST in answer to the ClientHello.

use crate::diagnosis::against::{Contrary, told};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ServerReset,
    speaks: Signs::UNFINISHED,
    against: &[told(Contrary::OthersCompleted)],
    title: "the server reset the connection right after the ClientHello",
    page: Page {
        meaning: "A RST came instead of an answer, and nothing speaks against its being the server's own. Servers reset when they close with unread data (an application that refuses the client, \
                  a crash), when a front end finds no backend or does not know the name, or when they expect a PROXY header and got a ClientHello.",
        recognised: "ClientHello, then a RST with the hop counter of the server's own packets and no TLS record before it.",
        confused_with: "A forged RST of a device on the path with the same hop counter: an equal counter proves nothing. A capture at the server shows whether it sent the RST.",
        check: "Capture at the server: did it send the RST? Then look in its log at that time.\n\n$ tcpdump -ni any 'tcp port 443 and tcp[tcpflags] & tcp-rst != 0'",
        fix: &[
            ("server's log", "A crash or an abort of the worker is there: `journalctl -u <service>`, `dmesg | grep -i segfault`."),
            (
                "PROXY protocol",
                "nginx with `listen … proxy_protocol` resets a bare ClientHello: let the load balancer send the header or switch it off.",
            ),
            (
                "load balancer",
                "F5, AWS NLB and others reset when the backend is down or the connection table was flushed: look at target health and at `reset-on-fin` or drain settings.",
            ),
            (
                "limits",
                "Connection limits reset: nginx `limit_conn`, HAProxy `maxconn` and `reject`, Envoy overload manager, service mesh without a peer policy (Istio strict mTLS resets plain and unknown clients).",
            ),
            ("firewall in between", "See `reset-injected`; compare with another name to the same address."),
        ],
        references: &["RFC 9293 section 3.6.1", "RFC 8446 section 6.2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if !view.failed_without_words()
        || view.answer_begun()
        || facts.plaintext.server.is_some()
        || facts.preamble.is_some() && !view.hello_begun()
    {
        return None;
    }
    let ending = view.ended_by(Side::Server).filter(|ending| ending.reset.is_some_and(|reset| !reset.to_syn))?;
    let silent = !view.spoke(Side::Client);
    // Before the ClientHello only a side that closes at once is meant: later is a time limit, and after a greeting another dialogue.
    let at_once = silent && !view.waited() && !view.spoke(Side::Server);
    if !at_once && (silent || !view.hello_begun()) {
        return None;
    }
    let crossed = view.crossed(&ending);
    let summary = if silent {
        let up = facts.tcp.established.unwrap_or(ending.mark);
        let took = span_text(ending.mark.time.since(up.time));
        format!("{} reset the connection {took} after it came up, before the client said anything.", facts.server)
    } else if crossed {
        format!("{} reset the connection before the ClientHello had reached it.", view.target())
    } else {
        format!("{} reset the connection {}.", view.target(), super::when(view, ending.mark))
    };
    let mut finding = Finding::new(Cause::ServerReset, if silent { Confidence::Likely } else { Confidence::Strong }, summary)
        .weight(Weight::Fallback)
        .stopped_by(StoppedBy::Server);
    if let Some(hello) = view.hello_mark() {
        finding = finding.shown_by(hello, "ClientHello");
    }
    let finding = finding.shown_by(ending.mark, "RST, no TLS record before it");
    if crossed {
        return Some(
            finding
                .noting("the RST was sent before the ClientHello can have arrived, and acknowledges nothing of it")
                .or_else(&[Cause::ServerTimeout, Cause::LoadBalancerNoBackend, Cause::ResetInjected])
                .advise(
                    "The hello has nothing to do with it: look in the server's log and at its limit for silent connections at that time.",
                ),
        );
    }
    let finding = super::or_no_cipher(case, finding).or_else(&[
        Cause::ResetInjected,
        Cause::ProxyProtocolMissing,
        Cause::LoadBalancerNoBackend,
        Cause::SniUnrecognized,
    ]);
    Some(
        super::or_split(case, finding)
            .advise("Capture at the server to see whether it sent the RST itself, and look in its log at that time; then vary name and version:")
            .advise(remedy::s_client(facts, "-tls1_2"))
            .advise(remedy::s_client(facts, "-servername other.example")),
    )
}
