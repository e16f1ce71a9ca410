//! `plaintext-injected`: a block page in answer to a ClientHello.

use crate::diagnosis::against::{Contrary, lowers, told};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::handshake::facts::StoppedBy;

use super::captive_portal::names_a_portal;

pub(super) const RULE: Rule = Rule {
    cause: Cause::PlaintextInjected,
    against: &[lowers(Contrary::OthersAnsweredAlike), told(Contrary::SameHelloCompleted)],
    page: page!("plaintext-injected"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let answer = facts.plaintext.server.as_ref().filter(|seen| seen.what.protocol == "HTTP")?;
    if !view.failed_over_tcp() || !view.hello_begun() || facts.server_hello.is_some() {
        return None;
    }
    // What came before the hello answers something else, a CONNECT that the capture lacks.
    if facts.client_hellos.first().is_some_and(|hello| answer.first < hello.first) {
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
        (true, _, _, _) => (Confidence::Strong, "the same server speaks TLS with other clients"),
        (_, true, _, _) => (Confidence::Strong, "its TTL differs from that of the server's SYN-ACK"),
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
        .shown_by(answer.first, format!("HTTP response to a ClientHello: `{}`", answer.what.first))
        .noting(why)
        .or_else(&[Cause::ServerSpeaksPlaintext, Cause::CaptivePortal])
        .advise("On the web filter that sent this page, exempt the name; or on the client, use the network's proxy.")
        .advise(crate::diagnosis::remedy::curl_or_s_client(facts, "")),
    )
}

/// Words of block pages in status lines and Location headers.
const BLOCK_WORDS: [&str; 8] = ["blocked", "blockpage", "block.", "/block", "webfilter", "forbidden by", "denied", "warning."];
/// RFC 7725.
const UNAVAILABLE_FOR_LEGAL_REASONS: u16 = 451;
