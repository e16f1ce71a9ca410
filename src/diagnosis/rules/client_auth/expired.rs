//! `client-certificate-expired`: the client's certificate had expired.

use super::answer::{View, day};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientCertificateExpired,
    speaks: Signs::UNFINISHED.or(Signs::CLIENT_AUTH),
    against: &[],
    page: page!("client-certificate-expired"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let confidence = view.chosen(Cause::ClientCertificateExpired)?;
    let expired = view.chain.filter(|chain| chain.leaf_expired()).and_then(ChainFacts::leaf);
    let summary = match (expired, view.chain.and_then(ChainFacts::leaf)) {
        (Some(leaf), _) => format!("{} expired on {}", view.certificate(), day(leaf.not_after)),
        (None, Some(leaf)) => format!(
            "{} is valid until {}, but the server says that it has expired: its clock is ahead, its revocation list has expired, or an authority above the certificate has",
            view.certificate(),
            day(leaf.not_after)
        ),
        (None, None) => format!("{} has expired, as the server says", view.certificate()),
    };
    let sound = expired.is_none() && view.chain.is_some();
    let finding = view
        .finding(Cause::ClientCertificateExpired, confidence, &summary)
        .or_else(&[Cause::ClientCertificateUntrusted, Cause::ClientCertificateRejected]);
    let finding = if sound {
        // Nothing that was sent has expired: renewing it would change nothing.
        finding
            .advise("Do not renew it: renew the revocation list that the server uses (CRL), and compare the server's clock with the time of this capture.")
            .advise("See when the server's list expires:")
            .advise(Command::new("openssl crl -in crl.pem -noout -lastupdate -nextupdate"))
    } else {
        finding.advise("Renew the client's certificate, replace certificate and key together, and restart the client:")
    };
    Some(finding.advise(Command::new("openssl x509 -in client.pem -noout -subject -issuer -dates")))
}
