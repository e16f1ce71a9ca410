//! `client-certificate-revoked`: the client's certificate is revoked.

use super::answer::View;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::page::page;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientCertificateRevoked,
    speaks: Signs::UNFINISHED.or(Signs::CLIENT_AUTH),
    against: &[],
    page: page!("client-certificate-revoked"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let confidence = view.chosen(Cause::ClientCertificateRevoked)?;
    let serial = view.chain.and_then(ChainFacts::leaf).map_or_else(String::new, |leaf| format!(" (serial number {})", leaf.serial));
    let summary = format!("{}{serial} is revoked, as the server says", view.certificate());
    Some(
        view.finding(Cause::ClientCertificateRevoked, confidence, &summary)
            .or_else(&[Cause::ClientCertificateRejected])
            .advise("Get a new certificate with a new key for this client; if the revocation is a mistake, correct the server's CRL."),
    )
}
