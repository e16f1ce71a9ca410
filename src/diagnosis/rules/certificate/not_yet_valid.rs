//! `certificate-not-yet-valid`: the certificate's validity had not begun, or the client's clock is behind.

use super::standing::{Source, Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateNotYetValid,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::OUTDATED),
    against: &[],
    title: "the server's certificate was not yet valid",
    page: Page {
        meaning: "The certificate's notBefore lies in the future as seen at the time of the handshake. Either it was installed too early, or a clock is wrong: the authority's when it issued, \
                  the client's when it checked, or the capturing host's when it stamped the frames.",
        recognised: "The certificate is visible and its notBefore lies after the time of the frame that carries it. OpenSSL and Go clients send bad_certificate (42), \
                     JSSE and Mbed TLS certificate_unknown (46), rustls certificate_expired (45).",
        confused_with: "A client whose clock is behind looks the same from the client's side, but then the certificate is valid at the frame's time. In TLS 1.3 an alert 42 in clear can as well mean a name mismatch.",
        check: "Look at notBefore, then at the clocks of the client, the server and the host that captured. Machines without a battery clock wake up in 1970 or at the date of their firmware.",
        fix: &[
            (
                "clock of the client",
                "$ timedatectl status\n$ chronyc tracking\nLet the clock be set before anything speaks TLS: after boot, after resume, in containers that fake the time.",
            ),
            (
                "certificate of one's own authority",
                "Issue with notBefore some minutes to an hour in the past; that is what public authorities do for the sake of clocks that are slightly behind.",
            ),
            ("installed too early", "Put the previous certificate back until the new one's validity begins."),
            ("Kubernetes with cert-manager", "Check the clocks of the nodes; cert-manager signs with the clock of the node it runs on."),
        ],
        references: &["RFC 5280 section 4.1.2.5"],
    },
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
