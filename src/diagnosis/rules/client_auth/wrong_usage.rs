//! `client-certificate-wrong-usage`: the client's certificate does not allow client authentication.

use super::answer::View;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientCertificateWrongUsage,
    speaks: Signs::UNFINISHED.or(Signs::CLIENT_AUTH),
    against: &[],
    page: page!("client-certificate-wrong-usage"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let confidence = view.chosen(Cause::ClientCertificateWrongUsage)?;
    let summary = match view.chain.and_then(|chain| chain.usage_fault.as_ref()) {
        Some(fault) => format!("{} may not authenticate a client: {fault}", view.certificate()),
        None => format!("{} is not accepted for client authentication", view.certificate()),
    };
    Some(
        view.finding(Cause::ClientCertificateWrongUsage, confidence, &summary)
            .or_else(&[Cause::ClientCertificateRejected])
            .advise("Issue a certificate with extendedKeyUsage clientAuth for the client:")
            .advise(Command::new("openssl x509 -in client.pem -noout -ext keyUsage,extendedKeyUsage")),
    )
}
