//! `plaintext-injected`: a block page in answer to a ClientHello.

use crate::diagnosis::against::{Contrary, lowers, told};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::handshake::facts::StoppedBy;

use super::captive_portal::names_a_portal;

pub(super) const RULE: Rule = Rule {
    cause: Cause::PlaintextInjected,
    speaks: Signs::UNFINISHED,
    against: &[lowers(Contrary::OthersAnsweredAlike), told(Contrary::SameHelloCompleted)],
    title: "a filter answered the ClientHello with a page in clear text",
    page: Page {
        meaning: "The client began TLS and got an HTTP answer, a block page or a redirect, in the server's name. A filter on the path wrote it: it knows no other way to \
                  tell the user. Clients show `wrong version number` or `first record does not look like a TLS handshake`.",
        recognised: "HTTP bytes where the ServerHello is due, while the same server speaks TLS with others, or in packets whose hop counter is not the server's, or with the words of a block page.",
        confused_with: "A server that really speaks HTTP on this port (`server-speaks-plaintext`): it answers 400 to bytes it cannot read, and does so to everybody.",
        check: "Read the first line and the Location header that the report quotes; try another name to the same address.\n\n$ curl -v --resolve other.example:443:<server-address> https://other.example/",
        fix: &[
            (
                "web filter",
                "Exempt the name or repair its category. The host in the Location header, or the page's text, names the product.",
            ),
            (
                "explicit proxy required",
                "The network wants clients to use a proxy: configure it.\n\n$ curl -v -x http://<proxy>:3128 https://<name>/",
            ),
            ("provider", "Use another route, or ask the provider for the reason."),
        ],
        references: &["RFC 7725 (status 451)", "RFC 7754 section 4"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let answer = facts.plaintext.server.as_ref().filter(|seen| seen.what.protocol == "HTTP")?;
    if !view.failed_over_tcp() || !view.hello_begun() || facts.server_hello.is_some() {
        return None;
    }
    let status = answer.what.http_status;
    let location = answer.what.location.as_deref();
    if location.is_some_and(names_a_portal) {
        return None;
    }
    let page = format!("{} {}", answer.what.first, location.unwrap_or_default()).to_ascii_lowercase();
    let block_words = BLOCK_WORDS.iter().any(|word| page.contains(word)) || status == Some(UNAVAILABLE_FOR_LEGAL_REASONS);
    let foreign = match (view.server().syn.map(|syn| syn.ttl), view.server().ttl) {
        (Some(greeting), Some(own)) => greeting.abs_diff(own) >= 2 && !case.knowledge.server_ttls.contains(&own),
        _ => false,
    };
    let redirected = matches!(status, Some(301..=303 | 307 | 308));
    let speaks_tls = case.knowledge.speaks_tls && case.knowledge.completed > 0;
    let (confidence, why) = match (speaks_tls, foreign, block_words, redirected) {
        (true, _, _, _) => (Confidence::Strong, "the same server speaks TLS with others"),
        (_, true, _, _) => (Confidence::Strong, "its hop counter is not that of the server's SYN-ACK"),
        (_, _, true, _) => (Confidence::Strong, "it is a block page"),
        (_, _, _, true) => (Confidence::Hint, "it redirects elsewhere"),
        _ => return None,
    };
    let to = location.map_or_else(String::new, |location| format!(" to {location}"));
    Some(
        Finding::new(
            Cause::PlaintextInjected,
            confidence,
            format!("A filter answered the ClientHello for {} with `{}`{to}: {why}.", view.target(), answer.what.first),
        )
        .weight(if confidence == Confidence::Strong { Weight::Overrides } else { Weight::Note })
        .stopped_by(StoppedBy::Network)
        .shown_by(answer.first, format!("HTTP in answer to a ClientHello: `{}`", answer.what.first))
        .noting(why)
        .or_else(&[Cause::ServerSpeaksPlaintext, Cause::CaptivePortal])
        .advise("Find the web filter that wrote this page and exempt the name, or use the network's proxy.")
        .advise(crate::diagnosis::remedy::curl_or_s_client(facts, "")),
    )
}

/// Words of block pages in status lines and Location headers.
const BLOCK_WORDS: [&str; 8] = ["blocked", "blockpage", "block.", "/block", "webfilter", "forbidden by", "denied", "warning."];
/// RFC 7725.
const UNAVAILABLE_FOR_LEGAL_REASONS: u16 = 451;
