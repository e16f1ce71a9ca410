//! `tls-interception`: a proxy on the path re-signs certificates.

use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::{Trust, inspection};
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::tls::certificate::Certificate;
use crate::tls::registry::AlertDescription;

pub(super) const RULE: Rule = Rule { cause: Cause::TlsInterception, against: &[], page: page!("tls-interception"), check };

/// Why a certificate may have been re-signed on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suspicion<'a> {
    /// The issuer has the name of an inspection product's authority.
    Product { signs_for_all: bool },
    /// The same name was served with another issuer; `trusted`: by a public authority or one of the store.
    SecondIssuer { other: &'a str, trusted: bool },
    /// Certificates for unrelated names on several addresses were made for one key.
    OneKey,
    /// The issuer signs for unrelated names, and this client refused it.
    Refused,
}

/// What speaks for a proxy on the path. A private authority that signs for many names is normal: a company's own does so. What a public
/// authority signed, or one that was public once, was not made on the path.
fn suspicion<'a>(case: &Case<'a>, leaf: &Certificate) -> Option<Suspicion<'a>> {
    let knowledge = case.knowledge;
    let signs_for_all = knowledge.resigning_issuer.is_some();
    let own_site = || case.handshake.name().is_some_and(|name| inspection::is_vendors_own(&name));
    if case.chain.map_or_else(|| inspection::is_product(&leaf.issuer), |chain| chain.inspected) && !own_site() {
        return Some(Suspicion::Product { signs_for_all });
    }
    let at = case.handshake.flow.first.time;
    let public = leaf.scts > 0 || leaf.public_policy || case.chain.is_some_and(|chain| chain.public) || at > leaf.not_after;
    if public {
        return None;
    }
    if let Some(other) = knowledge.other_issuer_for_name.as_deref().filter(|other| *other != leaf.issuer) {
        return Some(Suspicion::SecondIssuer { other, trusted: knowledge.other_issuer_trusted });
    }
    let internal = case.handshake.name().is_none_or(|name| is_internal(&name));
    let fresh = at.since(leaf.not_before) <= FRESH;
    if internal || !fresh || knowledge.client_took_issuer {
        return None;
    }
    let says = || offer::alert_from(case, Side::Client).map(|(_, alert)| alert);
    let refused = case.handshake.outcome == Outcome::Alerted && says() == Some(AlertDescription::UNKNOWN_CA);
    match (knowledge.one_key_for_many, signs_for_all && refused) {
        (true, _) => Some(Suspicion::OneKey),
        (false, true) => Some(Suspicion::Refused),
        (false, false) => None,
    }
}

/// A name that no public authority signs for: without a dot, or under a suffix kept for private use (RFC 6761, RFC 6762, RFC 8375, RFC 9476).
fn is_internal(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let suffix = name.rsplit('.').next().unwrap_or_default();
    !name.contains('.') || PRIVATE.contains(&suffix) || name.parse::<std::net::IpAddr>().is_ok()
}

/// Top-level names for private use, and those that companies took for it.
const PRIVATE: [&str; 14] =
    ["local", "localhost", "internal", "intern", "intranet", "corp", "home", "lan", "private", "arpa", "test", "example", "invalid", "alt"];

/// A proxy makes its certificates when they are asked for, and keeps them for some time.
const FRESH: Duration = Duration::from_secs(400 * 86_400);

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if facts.outcome == Outcome::Incomplete {
        return None;
    }
    let leaf = match case.chain {
        Some(chain) => chain.certificates.get(chain.leaf)?.as_ref(),
        None => facts.leaf()?,
    };
    if matches!(case.chain.map(|chain| &chain.trust), Some(Trust::Trusted)) || leaf.self_issued {
        return None;
    }
    let suspicion = suspicion(case, leaf)?;
    let (confidence, why) = match suspicion {
        Suspicion::Product { signs_for_all: true } => {
            (Confidence::Certain, "the issuer's name is that of a TLS inspection product, and it issues for unrelated servers".to_owned())
        }
        Suspicion::Product { signs_for_all: false } => {
            (Confidence::Strong, "the issuer's name is that of a TLS inspection authority".to_owned())
        }
        Suspicion::SecondIssuer { other, trusted: true } => {
            (Confidence::Strong, format!("elsewhere the same name was served with a certificate from the trusted authority {other}"))
        }
        Suspicion::OneKey => (Confidence::Likely, "it issued certificates for unrelated servers, all with the same key".to_owned()),
        Suspicion::SecondIssuer { other, trusted: false } => {
            (Confidence::Hint, format!("elsewhere the same name was served with a certificate from {other}"))
        }
        Suspicion::Refused => (Confidence::Likely, "it issues for unrelated servers, and this client does not know it".to_owned()),
    };
    let completed = facts.outcome == Outcome::Completed;
    // When the client rejects the certificate, that is told by the certificate's rules; this says where it comes from.
    let (weight, confidence) = match (confidence, completed) {
        (Confidence::Hint, _) => (Weight::Note, confidence),
        (_, true) => (Weight::Explains, confidence),
        (_, false) => (Weight::Explains, confidence.min(Confidence::Likely)),
    };
    if !completed && facts.server_chain.is_none() {
        return None;
    }
    let mut finding = Finding::new(
        Cause::TlsInterception,
        confidence,
        format!("A proxy on the path replaces the certificate of {} with one issued by {}: {why}.", view.target(), leaf.issuer),
    )
    .weight(weight);
    if completed {
        finding = finding.stopped_by(StoppedBy::Nobody);
    }
    if let Some(chain) = &facts.server_chain {
        finding = finding.shown_by(chain.mark, format!("certificate for {} issued by {}", leaf.subject, leaf.issuer));
    }
    Some(
        finding
            .or_else(&[Cause::CertificateUntrustedCa])
            .advise("On the client, add the proxy's authority to the trust store; or on the proxy, exempt the name from inspection. Compare the issuer from outside the network:")
            .advise(remedy::x509(facts, "-noout -issuer")),
    )
}
