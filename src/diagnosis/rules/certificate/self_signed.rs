//! `certificate-self-signed`: the server's certificate is signed by itself.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateSelfSigned,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::UNTRUSTED),
    against: &[],
    page: page!("certificate-self-signed"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateSelfSigned)?;
    let summary = format!("{} is self-signed: no authority vouches for it", view.certificate());
    let mut finding = view.finding(Cause::CertificateSelfSigned, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateSelfSigned))
            .advise("Install a certificate from an authority that the client trusts, or make this one trusted at the client:")
            .advise(remedy::x509(case.handshake, "-out server.pem"))
            .advise(remedy::curl(case.handshake, "--cacert server.pem"));
    }
    Some(finding)
}
