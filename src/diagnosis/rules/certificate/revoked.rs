//! `certificate-revoked`: revoked, by staple or by alert.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;
use crate::tls::message::OcspStatus;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateRevoked,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::STAPLE),
    against: &[],
    page: page!("certificate-revoked"),
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
