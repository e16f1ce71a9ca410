//! `certificate-constraints`: name constraints, path length or CA flag violated in the chain.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateConstraints,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::IRREGULAR),
    against: &[],
    page: page!("certificate-constraints"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateConstraints)?;
    let chain = view.chain?;
    let strict = chain.strict_fault.as_ref();
    let (index, violation) = chain.violations.first().or(strict)?;
    let issuer = chain.certificate(*index)?;
    let summary = format!("In the chain of {}, {} (certificate {}) {}", view.target(), issuer.display_name(), index + 1, clause(violation));
    let mut finding = view.finding(Cause::CertificateConstraints, standing, summary);
    if chain.violations.is_empty() {
        finding = finding
            .noting("most clients do not mind this; OpenSSL's strict mode does, which Python sets from 3.13 on (VERIFY_X509_STRICT)");
    }
    for (index, violation) in chain.violations.iter().skip(1).take(3) {
        finding = finding.noting(format!("certificate {} {}", index + 1, clause(violation)));
    }
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateConstraints))
            .advise("Issue the chain again within its limits; the page of this cause says how for each kind of limit.")
            .advise(remedy::s_client(case.handshake, "-showcerts"));
    }
    Some(finding)
}

/// Violations are phrased to follow the certificate's name; those that begin with a noun need a verb.
fn clause(violation: &str) -> String {
    if violation.starts_with("is ") || violation.starts_with("has ") {
        violation.to_owned()
    } else {
        format!("violates a limit: {violation}")
    }
}
