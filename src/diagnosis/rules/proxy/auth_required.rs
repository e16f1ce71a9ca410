//! `proxy-auth-required`: the proxy wants to know who asks.

use super::{proxy, quoting, target};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::preamble::{Dialect, Upgrade};

pub(super) const RULE: Rule = Rule {
    cause: Cause::ProxyAuthRequired,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the proxy wants credentials",
    page: Page {
        meaning: "The proxy answers the request for a tunnel with 407, or in SOCKS5 accepts none of the offered logins: it wants to know who asks. TLS was never tried. A first 407 is the normal beginning of a login; \
                  it is the end when the client has no credentials, the wrong ones, or none of the schemes the proxy takes.",
        recognised: "Status 407 with Proxy-Authenticate, which names the schemes (Basic, Digest, NTLM, Negotiate); in SOCKS5 method 0xff, or a login answered with another status than 0.",
        confused_with: "A refusal for another reason (`proxy-refused`). Where another connection with credentials follows at once and succeeds, nothing is wrong.",
        check: "Try with credentials, and look which schemes the proxy names.\n\n$ curl -v -x http://<proxy>:<port> --proxy-user <user> https://<host>/\n\n$ curl -v -x http://<proxy>:<port> --proxy-negotiate --proxy-user : https://<host>/",
        fix: &[
            (
                "client",
                "Give it credentials: HTTPS_PROXY=http://<user>:<password>@<proxy>:<port>, with special characters percent-encoded.",
            ),
            ("services without a user", "Have the proxy exempt their address, or run a local relay that adds credentials (cntlm, px)."),
            (
                "Java",
                "Basic is switched off for tunnels since 8u111: set `-Djdk.http.auth.tunneling.disabledSchemes=\"\"` and an Authenticator.",
            ),
            ("Go", "net/http sends credentials from the proxy URL with CONNECT, Basic only: NTLM and Negotiate need a relay."),
            (
                "Kubernetes, Docker",
                "The daemon pulls images, not the shell: set its proxy with credentials in its systemd unit or daemon.json.",
            ),
            (
                "Negotiate and NTLM",
                "The client needs a valid ticket for HTTP/<proxy's full name>: address the proxy by that name, not by its address.\n\n$ klist",
            ),
            ("SOCKS5", "Give user name and password (RFC 1929): socks5h://<user>:<password>@<proxy>:<port>."),
        ],
        references: &["RFC 9110 section 15.5.8", "RFC 9110 section 11.7.1", "RFC 1928 section 3", "RFC 1929"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let facts = proxy(handshake).filter(|facts| facts.upgrade == Upgrade::AuthRequired)?;
    let answer = facts.answer.as_deref().unwrap_or("credentials are required");
    let followed = case.knowledge.related.iter().any(|other| other.same_endpoint && other.outcome == Outcome::Completed);
    let confidence = if followed { Confidence::Likely } else { Confidence::Certain };
    let finding = Finding::new(
        Cause::ProxyAuthRequired,
        confidence,
        format!("The proxy {} wants credentials before it connects to {}: `{answer}`.", handshake.server, target(facts)),
    )
    .stopped_by(StoppedBy::Network);
    let finding = quoting(finding, facts);
    if followed {
        return Some(
            finding
                .noting("another attempt of the same client through this proxy succeeded: this one may be the first step of a login")
                .advise("Nothing to do where the client then comes with its credentials: proxies that ask for a login answer the first request so."),
        );
    }
    Some(if facts.dialect == Dialect::HttpConnect {
        finding
            .advise("Give the client credentials for the proxy, of a kind that Proxy-Authenticate names.")
            .advise(remedy::curl(handshake, "--proxy-anyauth --proxy-user <user>"))
    } else {
        finding
            .or_else(&[Cause::SocksRefused])
            .advise("Give the client a user name and password that the SOCKS proxy accepts.")
            .advise(remedy::curl(handshake, "--proxy-user <user>"))
    })
}
