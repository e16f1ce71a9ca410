//! `intermediate-expired`: an intermediate in the served chain had expired.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::IntermediateExpired,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::OUTDATED),
    against: &[],
    title: "an intermediate certificate in the served chain had expired",
    page: Page {
        meaning: "The server's own certificate is valid, but a certificate between it and the root is not any more. Clients that know another way to a trusted root go on; \
                  those that take the served chain as it stands stop. It happens when only the leaf is replaced at renewal and the old intermediate file stays, \
                  and for whole populations of old clients when a cross-signed root expires (AddTrust in 2020, DST Root CA X3 in 2021).",
        recognised: "The chain is visible and a certificate on the path above the leaf, not a self-signed root, has a notAfter before the time of the frame. OpenSSL clients send certificate_expired (45) for it as for a leaf.",
        confused_with: "An expired leaf (certificate-expired). In TLS 1.3 without keys the two cannot be told apart by the alert.",
        check: "Print the dates of every certificate the server sends, not only of the first.",
        fix: &[
            ("any server", "Install the intermediates that came with the current certificate, leave out the expired one, reload."),
            (
                "cross-signed chain",
                "Serve the chain that ends in the newer root, or none of the cross-signed certificate at all: clients have the root themselves.",
            ),
            (
                "old OpenSSL 1.0.2 clients",
                "They prefer the served path even when a shorter trusted one exists: update, or let them verify with the flag X509_V_FLAG_TRUSTED_FIRST.",
            ),
            ("nginx, HAProxy", "Build the file anew from leaf and current intermediates: `cat leaf.pem intermediate.pem > fullchain.pem`."),
            ("Java", "Delete the expired intermediate from the key store's chain: import the full new chain under the key's alias."),
        ],
        references: &["RFC 5280 section 6.1", "RFC 8446 section 4.4.2"],
    },
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
