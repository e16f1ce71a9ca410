//! `certificate-revoked`: revoked, by staple or by alert.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::tls::message::OcspStatus;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateRevoked,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::STAPLE),
    against: &[],
    title: "the server's certificate has been revoked",
    page: Page {
        meaning: "The authority has taken the certificate back before its end: its key leaked, it was issued in error, or the owner asked for it. Clients that check must refuse it.",
        recognised: "The server staples an OCSP answer that says revoked (CertificateStatus is in clear up to TLS 1.2); or the client sends certificate_revoked (44); \
                     or a client refuses the staple with bad_certificate_status_response (113). A client that found out by itself, from a CRL or an OCSP responder, shows only the alert.",
        confused_with: "A staple that is merely out of date or of another certificate gives alert 113 as well. GnuTLS and Go say bad_certificate (42) for a revoked certificate.",
        check: "Ask for the staple and read it; find the certificate's serial number in the authority's CRL.",
        fix: &[
            (
                "any server",
                "Order a new certificate with a new key, install it, reload. A revocation cannot be undone (but for certificateHold in private authorities).",
            ),
            ("revoked by mistake", "Ask the authority why: mass revocations are announced to the account's contact address."),
            (
                "own authority",
                "Look at the CRL's entry and the reason; publish a fresh CRL after a correction, as clients cache it until nextUpdate.",
            ),
            ("Let's Encrypt", "$ certbot renew --force-renewal --cert-name <name>"),
        ],
        references: &["RFC 5280 section 5.3.1", "RFC 6960", "RFC 6066 section 8"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateRevoked)?;
    let staple = case.handshake.staple.as_ref().filter(|staple| staple.what.status == Some(OcspStatus::Revoked));
    let serial = view.leaf().map_or_else(String::new, |leaf| format!(", serial number {},", leaf.serial));
    let summary = match staple {
        Some(staple) => {
            let when = staple.what.revoked_at.map_or_else(String::new, |at| format!(" since {}", at.to_second()));
            format!("{}{serial} is revoked{when}, as the status that the server itself staples says", view.certificate())
        }
        None => format!("{}{serial} has been revoked, as the client says; it knows from a CRL or an OCSP responder", view.certificate()),
    };
    let mut finding = view.finding(Cause::CertificateRevoked, standing, summary);
    if let Some(staple) = staple {
        finding = finding.shown_by(staple.mark, "stapled OCSP answer: revoked");
    }
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding.or_else(&view.alternatives(Cause::CertificateRevoked));
    }
    Some(
        finding
            .advise("Get a new certificate with a new key and install it; the revoked one cannot be made valid again.")
            .advise(remedy::s_client(case.handshake, "-status")),
    )
}
