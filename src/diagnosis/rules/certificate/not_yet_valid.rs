//! `certificate-not-yet-valid`: the certificate's validity had not begun, or the client's clock is behind.

use super::standing::{Source, Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateNotYetValid,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::OUTDATED),
    against: &[],
    page: page!("certificate-not-yet-valid"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateNotYetValid)?;
    let Some(leaf) = view.leaf().filter(|_| view.is_true(Cause::CertificateNotYetValid)) else {
        let summary = match view.leaf() {
            Some(leaf) => format!(
                "{} is valid since {} and covers the name, but to a client like this one bad_certificate most often means that it is not yet valid: the client's clock is behind",
                view.certificate(),
                leaf.not_before.to_second()
            ),
            None => format!(
                "The client refused the encrypted certificate of {} as bad; a client like this one, which compares names only later, most often means that it is not yet valid, or too weak",
                view.target()
            ),
        };
        let finding =
            view.finding(Cause::CertificateNotYetValid, standing, summary).or_else(&view.alternatives(Cause::CertificateNotYetValid));
        return Some(
            finding
                .advise("Compare the client's clock with the time of this capture, and with the certificate's dates:")
                .advise(remedy::x509(case.handshake, "-noout -dates")),
        );
    };
    let seen_at = case.handshake.server_chain.as_ref().map(|seen| seen.mark.time);
    let against = seen_at.map_or_else(String::new, |at| format!("; this handshake took place at {}", at.to_second()));
    let summary = format!("{} is valid only from {}{against}", view.certificate(), leaf.not_before.to_second());
    let mut finding = view.finding(Cause::CertificateNotYetValid, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateNotYetValid))
            .advise(
                "Check the clocks of the client, of the authority that issued the certificate and of the capturing host, in this order.",
            )
            .advise(remedy::x509(case.handshake, "-noout -dates"));
        if view.source != Source::Seen {
            finding = finding.advise("The certificate was encrypted in this handshake: give a key log to be sure.");
        }
    }
    Some(finding)
}
