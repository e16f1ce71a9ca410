//! `inappropriate-fallback`.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::rules::parameters::offer;
use crate::diagnosis::signs::Signs;
use crate::flow::Side;
use crate::tls::registry::{AlertDescription, CipherSuite};

/// The rule.
pub(super) const RULE: Rule = Rule {
    cause: Cause::InappropriateFallback,
    speaks: Signs::UNFINISHED.or(Signs::ALERT),
    against: &[],
    title: "a retry with a lower version was refused, as the server knows a newer one",
    page: Page {
        meaning: "The client had failed with its newest version, tried again with an older one and said so with TLS_FALLBACK_SCSV. The server knows a newer version and refuses, so that nobody can force a downgrade. This refusal is right: the trouble is whatever made the first attempt fail.",
        recognised: "Alert inappropriate_fallback from the server; the ClientHello carries the signalling suite TLS_FALLBACK_SCSV (0x5600).",
        confused_with: "Nothing. A client that is fixed to an older version and sends the signal all the same (openssl s_client -fallback_scsv) gets the same alert without an earlier attempt.",
        check: "The attempt before this one: same client, same server, higher version. Its end is the cause to look for: lost packets, a timeout, a reset, an intolerant device.",
        fix: &[
            ("in general", "Find out why the first attempt failed. Do not switch the protection off."),
            (
                "the client",
                "Modern clients do not retry with lower versions. Remove fallback code, and fallback settings in old browsers and Java agents.",
            ),
            ("a client fixed to an older version", "Remove the signal: it must not be sent with a first attempt."),
        ],
        references: &["RFC 7507 sections 3 and 4"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let (seen, description) =
        offer::alert_from(case, Side::Server).filter(|(_, alert)| *alert == AlertDescription::INAPPROPRIATE_FALLBACK)?;
    let hello = case.handshake.last_hello()?;
    let signalled = hello.what.cipher_suites().any(|suite| suite == CipherSuite::FALLBACK_SCSV);
    let highest = hello.what.highest_version().spoken();
    let summary = format!(
        "The client retried with {highest} at most, and the server {} refused it, as it knows a newer version.",
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
            .advise("Look at the attempt before this one: its failure is the real trouble. Leave the protection on.")
            .advise(remedy::s_client(case.handshake, "-tls1_3")),
    )
}
