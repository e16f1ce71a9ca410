//! `backend-inconsistent`: one of several servers behind the name serves another, bad certificate.

use super::standing::{Source, Standing, View};
use super::words::day;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Rule, Weight};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::BackendInconsistent,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::OUTDATED).or(Signs::OTHER_NAME),
    against: &[],
    page: page!("backend-inconsistent"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let known = &case.knowledge.chains;
    match view.source {
        // This handshake got the bad one while others got a sound one: the fault itself is the cause, this is its story.
        Source::Seen => {
            let chain = view.chain?;
            let leaf = chain.leaf()?;
            let fault = fault(chain)?;
            let other = known
                .iter()
                .find(|other| other.leaf().is_some_and(|other| other.sha256 != leaf.sha256) && self::fault(other).is_none())?
                .leaf()?;
            let seen = case.handshake.server_chain.as_ref()?;
            let summary = format!(
                "{} serves different certificates: this one {fault}, others got one valid until {}; not every server behind the name was renewed.",
                view.target(),
                day(other.not_after)
            );
            Some(
                Finding::new(Cause::BackendInconsistent, Confidence::Strong, summary)
                    .weight(Weight::Note)
                    .shown_by(seen.mark, format!("server sent {} (serial number {})", leaf.display_name(), leaf.serial))
                    .noting(format!("other handshakes of this capture show serial number {}", other.serial))
                    .advise("Compare what every backend serves; install the sound certificate on all of them.")
                    .advise(remedy::x509(case.handshake, "-noout -serial -enddate")),
            )
        }
        // The certificate is hidden and has the size of the bad one: others got a sound one.
        Source::Known { .. } => {
            let chain = view.chain?;
            let bad = (chain.leaf()?, fault(chain)?);
            let good = known.iter().find(|chain| fault(chain).is_none() && chain.leaf().is_some_and(|leaf| leaf.sha256 != bad.0.sha256))?;
            let (_, confidence) = view.choose()?;
            let summary = format!(
                "{} serves different certificates: one {}, another is valid until {}; this client got the bad one, by its size",
                view.target(),
                bad.1,
                good.leaf().map_or_else(String::new, |leaf| day(leaf.not_after))
            );
            let finding = view.finding(Cause::BackendInconsistent, Standing::Chosen(confidence.min(Confidence::Likely)), summary);
            Some(
                finding
                    .or_else(&[Cause::CertificateExpired, Cause::ServerCertificateRejected])
                    .advise("Compare what every backend serves."),
            )
        }
        Source::Hidden => None,
    }
}

/// What is wrong with a chain so that no client takes it, in a verb phrase.
fn fault(chain: &ChainFacts) -> Option<String> {
    let leaf = chain.leaf()?;
    if chain.leaf_expired() {
        Some(format!("expired on {}", day(leaf.not_after)))
    } else if chain.leaf_not_yet_valid() {
        Some(format!("is not valid before {}", day(leaf.not_before)))
    } else if chain.expired_intermediates().next().is_some() {
        Some("has an expired intermediate".to_owned())
    } else if chain.covers_name == Some(false) {
        Some("does not cover the name".to_owned())
    } else {
        None
    }
}
