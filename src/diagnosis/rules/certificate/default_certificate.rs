//! `default-certificate`: the server answered with its default certificate, not one for this name.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::DefaultCertificate,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::OTHER_NAME),
    against: &[],
    page: page!("default-certificate"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::DefaultCertificate)?;
    let chain = view.chain?;
    let leaf = chain.leaf()?;
    let origin = view.default_origin(chain)?;
    let summary = format!("Asked for {}, the server answered with {} instead: {origin}", view.target(), leaf.display_name());
    let mut finding = view.finding(Cause::DefaultCertificate, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&[Cause::CertificateNameMismatch])
            .or_else(if view.is_true(Cause::CertificateUntrustedCa) { &[Cause::CertificateUntrustedCa] } else { &[] })
            .advise(format!("Configure a certificate for {} on the server, and see that it was loaded.", view.target()))
            .advise(remedy::s_client(case.handshake, ""));
    }
    Some(finding)
}
