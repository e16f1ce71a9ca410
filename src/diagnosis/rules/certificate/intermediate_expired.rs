//! `intermediate-expired`: an intermediate in the served chain had expired.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::IntermediateExpired,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::OUTDATED),
    against: &[],
    page: page!("intermediate-expired"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::IntermediateExpired)?;
    let chain = view.chain?;
    let index = chain.expired_intermediates().next()?;
    let intermediate = chain.certificate(index)?;
    let summary = format!(
        "The intermediate {} (certificate {} that {} serves) expired on {}; the server's own certificate is {}",
        intermediate.display_name(),
        index + 1,
        view.target(),
        intermediate.not_after.to_second(),
        if chain.leaf_expired() { "expired too" } else { "still valid" }
    );
    let mut finding = view.finding(Cause::IntermediateExpired, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::IntermediateExpired))
            .advise("Replace the expired intermediate in the server's chain by its current version, and reload the server:")
            .advise(remedy::s_client(case.handshake, "-showcerts"));
        if let Some(url) = intermediate.ca_issuers.first() {
            finding = match remedy::fetch(url, "issuer-of-intermediate.der") {
                Some(command) => finding.advise(command),
                None => finding.advise(format!("The intermediate says that its issuer's certificate is at `{url}`.")),
            };
        }
    }
    Some(finding)
}
