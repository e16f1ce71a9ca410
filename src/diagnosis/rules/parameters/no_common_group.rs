//! `no-common-group`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::tls::registry::AlertDescription as A;

use crate::diagnosis::offer;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::NoCommonGroup, against: &[], page: page!("no-common-group"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let refusal = offer::refusal(case)?;
    // Besides what means it, JSSE's and others' words for it, which mean much else too.
    let fits = matches!(
        refusal.alert?,
        A::HANDSHAKE_FAILURE | A::INSUFFICIENT_SECURITY | A::UNEXPECTED_MESSAGE | A::ILLEGAL_PARAMETER | A::MISSING_EXTENSION
    );
    if !fits {
        return None;
    }
    let (suspect, others) = offer::prime_suspect(case, &refusal, Cause::NoCommonGroup)?;
    let summary = format!("The server {} accepts none of the client's key exchange groups; {}.", offer::server(case), suspect.why);
    let finding = refusal.finding(Cause::NoCommonGroup, suspect.confidence(), summary, suspect.why);
    Some(
        finding
            .or_else(&others)
            .advise("On both sides, enable x25519 or secp256r1 (P-256).")
            .advise("Try one group at a time:")
            .advise(remedy::s_client(case.handshake, "-groups X25519"))
            .advise(remedy::s_client(case.handshake, "-groups P-256")),
    )
}
