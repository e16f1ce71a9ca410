//! `certificate-weak-key`: key too small, or of a kind the client refuses.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateWeakKey,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::WEAK),
    against: &[],
    page: page!("certificate-weak-key"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateWeakKey)?;
    let weak = view.chain.and_then(|chain| chain.certificate(*chain.weak_keys.first()?));
    let summary = match (weak, view.weak_key_by_size()) {
        (Some(certificate), _) if view.leaf().is_some_and(|leaf| leaf.sha256 == certificate.sha256) => {
            format!("{} has a key that clients find too weak: {}", view.certificate(), certificate.key_name())
        }
        (Some(certificate), _) => {
            format!(
                "In the chain of {}, the authority {} has a key that clients find too weak: {}",
                view.target(),
                certificate.display_name(),
                certificate.key_name()
            )
        }
        (None, Some(bits)) => format!(
            "The certificate of {} has an RSA key of {bits} bits, as the size of the encrypted CertificateVerify shows",
            view.target()
        ),
        (None, None) => return None,
    };
    let mut finding = view.finding(Cause::CertificateWeakKey, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateWeakKey))
            .advise("Make a new key (RSA with 2048 bits or more, or ECDSA on P-256) and have it certified.")
            .advise(
                remedy::x509(case.handshake, "-noout -text")
                    .map(|command| command.pipe(Command::new("grep -A1").operand("Public Key Algorithm"))),
            );
    }
    Some(finding)
}
