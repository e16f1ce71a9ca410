//! `proxy-no-answer`: CONNECT went unanswered.

use super::{proxy, target};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::preamble::Upgrade;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ProxyNoAnswer,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the proxy never answered the request for a tunnel",
    page: Page {
        meaning: "The client asked the proxy for a tunnel and got nothing: the proxy is still trying to reach the server, is stuck or overloaded, waits for something else (TLS to the proxy itself, a PROXY header), or closed \
                  without a word. TLS to the server was never tried.",
        recognised: "CONNECT or a SOCKS request was sent, and not a byte of an answer came before the connection ended or the capture's patience did.",
        confused_with: "Packets that do not arrive: then the request itself is not acknowledged. A proxy that would have answered later than the client waited: compare with the proxy's connect timeout.",
        check: "Ask the proxy for something near, then for the server.\n\n$ curl -v -x http://<proxy>:<port> http://<near-host>/\n\n$ curl -v -x http://<proxy>:<port> https://<host>/",
        fix: &[
            (
                "server behind the proxy is silent",
                "Repair the way from the proxy to it; lower the proxy's connect timeout, so that clients get a 504 instead of silence (Squid: `connect_timeout`).",
            ),
            ("overloaded proxy", "Look at its file descriptors, workers and queue.\n\n$ ss -ltn 'sport = :<port>'"),
            (
                "wrong kind of proxy",
                "A port that wants TLS from the client (https:// proxy) or SOCKS does not answer a plain CONNECT: check the scheme of the proxy's URL.",
            ),
            ("HAProxy in front of the proxy", "A listener with accept-proxy waits for a PROXY header."),
            ("Squid with authentication helpers", "Helpers that hang hold every request.\n\n$ squidclient mgr:negotiateauthenticator"),
        ],
        references: &["RFC 9110 section 9.3.6", "RFC 1928 section 4"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let facts = proxy(handshake).filter(|facts| facts.upgrade == Upgrade::Asked && facts.answer.is_none())?;
    let asked = facts.asked?;
    let view = View::new(handshake);
    // a request that never arrived is the path's affair
    if view.client().acked == 0 && view.client().outstanding.iter().any(|segment| segment.copies >= 2) {
        return None;
    }
    let waited = view.stop().time.since(asked.time);
    let mut finding = Finding::new(
        Cause::ProxyNoAnswer,
        Confidence::Strong,
        format!(
            "The proxy {} did not answer {} {} within {}.",
            handshake.server,
            facts.dialect.request(),
            target(facts),
            span_text(waited)
        ),
    )
    .stopped_by(StoppedBy::Network)
    .shown_by(asked, format!("{} {}", facts.dialect.request(), target(facts)));
    if let Some(ending) = view.first_end() {
        let who = if ending.side == Side::Server { "the proxy" } else { "the client" };
        finding = finding.shown_by(ending.mark, format!("{who} ended the connection ({}) {} later", ending.name(), span_text(waited)));
    }
    Some(
        finding
            .noting("no byte of an answer from the proxy")
            .or_else(&[Cause::ProxyUpstreamFailed])
            .advise("Look into the proxy's log, and try to reach the server from its host: it may be waiting for it.")
            .advise(remedy::curl_or_s_client(handshake, "--connect-timeout 60")),
    )
}
