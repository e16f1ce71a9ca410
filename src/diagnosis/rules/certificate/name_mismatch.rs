//! `certificate-name-mismatch`: the certificate does not cover the name that was asked for.

use super::standing::{Source, Standing, View};
use super::words::sentence;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Evidence, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateNameMismatch,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::OTHER_NAME),
    against: &[],
    page: page!("certificate-name-mismatch"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateNameMismatch)?;
    // The default certificate is a mismatch with a story; it speaks for both.
    if view.is_true(Cause::DefaultCertificate) && standing == Standing::AlsoTrue {
        return None;
    }
    let chosen = matches!(standing, Standing::Chosen(_));
    let summary = match view.chain.filter(|_| view.is_true(Cause::CertificateNameMismatch)) {
        Some(chain) => {
            let only_common_name =
                if chain.common_name_only { "; only its common name matches, which clients no longer look at" } else { "" };
            sentence(&["The client asked for ", &view.target(), ", but the certificate covers ", &chain.covered, only_common_name])
        }
        None => format!(
            "The client refused the certificate served for {} as bad; most often that means that it does not cover this name",
            view.target()
        ),
    };
    let mut finding = view.finding(Cause::CertificateNameMismatch, standing, summary);
    if let Some(hello) = case.handshake.client_hellos.first() {
        let text = if chosen { format!("client asked for {}", view.target()) } else { String::new() };
        finding.evidence.insert(0, Evidence { mark: Some(hello.mark), text });
    }
    if chosen {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateNameMismatch))
            .advise(format!("Serve a certificate that has {} in its subjectAltName, or use a name that it covers.", view.target()))
            .advise(remedy::x509(case.handshake, "-noout -ext subjectAltName"));
        if view.source == Source::Hidden {
            finding = finding.advise("The certificate was encrypted: give a key log, or run the command above, to see its names.");
        }
    }
    Some(finding)
}
