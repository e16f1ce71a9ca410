//! `client-version-too-old`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::tls::registry::{AlertDescription as A, ProtocolVersion};

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::ClientVersionTooOld, against: &[], page: page!("client-version-too-old"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let refusal = offer::refusal(case)?;
    let hello = refusal.hello;
    let highest = hello.highest_version();
    if highest.is_tls13() || highest == ProtocolVersion::SSL2 || highest.rank() == 0 || !offer::grave_defects(hello).is_empty() {
        return None;
    }
    let accepted = case.knowledge.versions.iter().any(|version| hello.offers(*version));
    let outdated = offer::is_outdated(hello, case.knowledge);
    let newer_only = !case.knowledge.versions.is_empty() && !accepted;
    let lowest_counts = hello.lowest_version().is_some_and(|lowest| lowest.rank() >= ProtocolVersion::TLS12.rank());
    let confidence = match refusal.alert {
        Some(A::PROTOCOL_VERSION) if accepted => Confidence::Likely,
        // A client that refuses older versions as well may have met a server that has nothing else.
        Some(A::PROTOCOL_VERSION) if lowest_counts && !newer_only => Confidence::Strong,
        Some(A::PROTOCOL_VERSION) => Confidence::Certain,
        Some(A::INTERNAL_ERROR | A::INSUFFICIENT_SECURITY) if outdated => Confidence::Strong,
        // Of a version most say protocol_version; of suites that fit no certificate of theirs all say this. That others, who offer TLS 1.3 as well, are
        // given that is no sign that older ones are refused.
        Some(A::HANDSHAKE_FAILURE) if outdated || newer_only && offer::suspects(hello, case.knowledge).is_empty() => Confidence::Likely,
        Some(A::ILLEGAL_PARAMETER | A::DECODE_ERROR | A::UNEXPECTED_MESSAGE) | None if outdated => Confidence::Likely,
        _ => return None,
    };
    let answer = refusal.alert.map_or_else(|| "closed the connection".to_owned(), |alert| format!("sent alert {}", offer::spoken(alert)));
    let summary = format!(
        "The client offers {}; the server {} {answer}: it accepts newer versions only.",
        offer::versions(hello),
        offer::server(case)
    );
    let mut finding = refusal.finding(Cause::ClientVersionTooOld, confidence, summary, format!("client offers {}", offer::versions(hello)));
    if newer_only {
        finding = finding.noting(format!(
            "this server chose {} for other clients",
            offer::listed(case.knowledge.versions.iter().map(|version| version.spoken()))
        ));
    }
    if confidence < Confidence::Certain {
        finding =
            finding.or_else(if lowest_counts { &[Cause::ServerVersionTooOld] } else { &[Cause::NoCommonCipher, Cause::NoCommonVersion] });
    }
    let tried = if highest == ProtocolVersion::TLS12 { "-tls1_3" } else { "-tls1_2" };
    Some(
        finding
            .advise(format!("Update the client, or enable a newer version than {} on it.", highest.spoken()))
            .advise("Confirm that the server accepts a newer version:")
            .advise(remedy::s_client(case.handshake, tried)),
    )
}
