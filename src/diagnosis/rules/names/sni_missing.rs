//! `sni-missing`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::preamble::Dialect;
use crate::preamble::services::Service;
use crate::tls::registry::AlertDescription as A;
use crate::wording::counted;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::SniMissing, against: &[], page: page!("sni-missing"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let hello = handshake.last_hello()?;
    if hello.what.server_name().is_some() || hello.what.is_sslv2() || !handshake.outcome.failed() {
        return None;
    }
    let advised = |finding: Finding| {
        finding
            .advise("On the client, connect by name, not by address, so that it sends the server name. On a proxy, switch it on: `proxy_ssl_server_name on;` in nginx, `sni` on HAProxy's server line, auto_sni in Envoy.")
            .advise("Check that a name makes the difference:")
            .advise(remedy::s_client(handshake, "-servername <name>"))
    };
    let server = handshake.server;
    if let Some(refusal) = offer::refusal(case) {
        let broad = offer::suspects(refusal.hello, case.knowledge).is_empty()
            && offer::grave_defects(refusal.hello).is_empty()
            && refusal.hello.psk_identities() == 0
            && !offer::is_outdated(refusal.hello, case.knowledge);
        let named_work = case.knowledge.completed_other_names > 0;
        // Most servers have a default for who names nobody. Where that is all that shows, one or two suites are as good a reason.
        let wide = refusal.hello.cipher_suites().filter(|suite| !suite.is_grease() && !suite.is_signal()).count() > NARROW;
        let confidence = match refusal.alert {
            Some(A::UNRECOGNIZED_NAME) => Confidence::Certain,
            Some(A::HANDSHAKE_FAILURE | A::ACCESS_DENIED | A::INTERNAL_ERROR) if named_work && broad => Confidence::Strong,
            Some(A::HANDSHAKE_FAILURE) if broad && wide && !serves_one(handshake) => Confidence::Likely,
            None if named_work && broad => Confidence::Likely,
            _ => return None,
        };
        let summary = format!("The client sent no server name (SNI), and the server {server} refused the handshake.");
        let mut finding = refusal.finding(Cause::SniMissing, confidence, summary, "ClientHello without server_name".to_owned());
        if named_work {
            finding = finding.noting(format!(
                "{} with this server that had a server name completed",
                counted(case.knowledge.completed_other_names, "handshake", "handshakes")
            ));
        }
        if confidence < Confidence::Certain {
            finding = finding.or_else(&[Cause::HandshakeFailure, Cause::NoCommonCipher]);
        }
        return Some(advised(finding));
    }
    rejected_default(case).map(advised)
}

/// A service that is reached by a dialogue in clear has one certificate as a rule, and its clients often send no name.
fn serves_one(handshake: &Handshake) -> bool {
    let by_port = || Service::at(handshake.server.port).and_then(|(service, _)| service.dialect());
    let dialect = handshake.preamble.as_ref().map(|facts| facts.dialect).filter(|dialect| dialect.is_starttls()).or_else(by_port);
    dialect.is_some_and(|dialect| dialect != Dialect::HttpUpgrade)
}

/// The server answered a nameless hello with some certificate, and the client rejected it.
fn rejected_default(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let hello = handshake.last_hello()?;
    let (seen, alert) = offer::alert_from(case, Side::Client)?;
    if handshake.server_hello.is_none() || !matches!(alert, A::BAD_CERTIFICATE | A::CERTIFICATE_UNKNOWN | A::UNRECOGNIZED_NAME) {
        return None;
    }
    let chain = case.chain;
    let otherwise_bad = chain.is_some_and(|chain| {
        !chain.expired.is_empty() || !chain.not_yet_valid.is_empty() || !chain.usage_ok || !chain.violations.is_empty()
    });
    let default = chain.is_some_and(|chain| chain.default_certificate.is_some());
    let confidence = match () {
        () if otherwise_bad => return None,
        () if default || case.knowledge.completed_other_names > 0 => Confidence::Likely,
        () => Confidence::Hint,
    };
    let leaf = handshake.leaf().map_or_else(String::new, |leaf| format!(", {},", leaf.subject));
    let summary =
        format!("The client sent no server name (SNI), got the default certificate{leaf} of {} and rejected it.", handshake.server);
    Some(
        Finding::new(Cause::SniMissing, confidence, summary)
            .shown_by(hello.mark, "ClientHello without server_name")
            .shown_by(seen.mark, format!("client sent alert {}", offer::spoken(alert)))
            .or_else(&[Cause::CertificateNameMismatch, Cause::DefaultCertificate, Cause::CertificateUntrustedCa]),
    )
}

/// A list of suites that is this short was made so by hand.
const NARROW: usize = 2;
