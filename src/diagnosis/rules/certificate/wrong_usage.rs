//! `certificate-wrong-usage`: key usage or extended key usage does not allow a server.

use super::standing::{Source, Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateWrongUsage,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::IRREGULAR),
    against: &[],
    page: page!("certificate-wrong-usage"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateWrongUsage)?;
    let summary = match view.chain.and_then(|chain| chain.usage_fault.as_ref()) {
        Some(fault) => format!("{} may not serve a server: {fault}", view.certificate()),
        None if view.source == Source::Seen && view.chain.is_some_and(|chain| view.signs_without_leave(chain)) => {
            format!("{} may not sign: its keyUsage lacks digitalSignature, and this key exchange needs a signature", view.certificate())
        }
        None => format!(
            "The client does not accept the certificate of {} for a server, most often because its extendedKeyUsage lacks serverAuth",
            view.target()
        ),
    };
    let mut finding = view.finding(Cause::CertificateWrongUsage, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateWrongUsage))
            .advise("Reissue the certificate for server authentication (extendedKeyUsage serverAuth, keyUsage digitalSignature):")
            .advise(remedy::x509(case.handshake, "-noout -ext keyUsage,extendedKeyUsage"));
        if view.source == Source::Hidden {
            finding = finding.advise("The certificate was encrypted: its extensions were not seen.");
        }
    }
    Some(finding)
}
