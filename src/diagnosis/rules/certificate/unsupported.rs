//! `certificate-unsupported`: critical extension, curve or format that the client does not know.

use super::standing::{Standing, View};
use super::words::sentence;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateUnsupported,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::UNUSUAL),
    against: &[],
    page: page!("certificate-unsupported"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateUnsupported)?;
    let what = view.chain.and_then(|chain| chain.unsupported.as_ref());
    let summary = match what {
        Some(odd) => sentence(&["The certificate of ", &view.target(), " cannot be used by every client: ", &odd.what]),
        None => format!("The client does not support the certificate of {}, though nothing unusual is seen in it", view.target()),
    };
    let mut finding = view.finding(Cause::CertificateUnsupported, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateUnsupported))
            .advise("Reissue the certificate without what the client does not know.")
            .advise(remedy::x509(case.handshake, "-noout -text"));
    }
    Some(finding)
}
