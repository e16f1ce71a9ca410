//! `inappropriate-fallback`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::tls::registry::{AlertDescription, CipherSuite};

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::InappropriateFallback, against: &[], page: page!("inappropriate-fallback"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let (seen, description) =
        offer::alert_from(case, Side::Server).filter(|(_, alert)| *alert == AlertDescription::INAPPROPRIATE_FALLBACK)?;
    let hello = case.handshake.last_hello()?;
    let signalled = hello.what.cipher_suites().any(|suite| suite == CipherSuite::FALLBACK_SCSV);
    let highest = hello.what.highest_version().spoken();
    let summary = format!(
        "The client retried with at most {highest}, and the server {} refused it because it supports a newer version.",
        offer::server(case)
    );
    let offered = if signalled {
        format!("client offers at most {highest} with TLS_FALLBACK_SCSV")
    } else {
        format!("client offers at most {highest}")
    };
    let mut finding = Finding::new(Cause::InappropriateFallback, Confidence::Certain, summary)
        .shown_by(hello.mark, offered)
        .shown_by(seen.mark, format!("server sent alert {}", offer::spoken(description)));
    let rank = hello.what.highest_version().rank();
    if let Some(first) = case
        .knowledge
        .related
        .iter()
        .find(|other| other.same_endpoint && other.highest_version.is_some_and(|version| version.rank() > rank))
    {
        let cause = first.cause.map_or_else(String::new, |cause| format!(" ({cause})"));
        finding = finding.shown_by(first.start, format!("an attempt with a newer version ended {}{cause}", first.outcome.name()));
        finding = finding.or_else(first.cause.as_slice());
    }
    Some(
        finding
            .advise("Find out why the attempt before this one failed: that is the real problem. Leave the downgrade protection on.")
            .advise(remedy::s_client(case.handshake, "-tls1_3")),
    )
}
