//! `certificate-untrusted-ca`: the chain ends in an authority that the client does not trust.

use super::standing::{Source, Standing, View};
use super::words::sentence;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::{PathEnd, Trust, Unverified};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateUntrustedCa,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::UNTRUSTED),
    against: &[],
    page: page!("certificate-untrusted-ca"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateUntrustedCa)?;
    // The other causes of the same kind say it better.
    let better = [Cause::ChainIncomplete, Cause::CertificateSelfSigned];
    if standing == Standing::AlsoTrue && better.iter().any(|cause| view.is_true(*cause)) {
        return None;
    }
    let root = view.chain.map(|chain| match &chain.end {
        PathEnd::ServedRoot { index, .. } => (chain, chain.certificate(*index).map_or("", |root| root.subject.as_str())),
        PathEnd::Anchor { name } => (chain, name.as_str()),
        PathEnd::MissingIssuer { issuer, .. } => (chain, issuer.as_str()),
        PathEnd::SelfSignedLeaf => (chain, chain.leaf().map_or("", |leaf| leaf.subject.as_str())),
    });
    let summary = match &root {
        Some((chain, root)) if chain.trust == Trust::Trusted => {
            format!(
                "The client does not trust the authority {root} behind the certificate of {}, though the store used here does: the client's store is older or smaller, or it pins",
                view.target()
            )
        }
        Some((chain, root)) if chain.unverified().is_some() => {
            let (target, why) = (view.target(), chain.unverified().map_or("", Unverified::why));
            sentence(&[
                "The client does not trust the certificate of ",
                &target,
                ", issued under ",
                root,
                "; it was not verified here, for ",
                why,
            ])
        }
        Some((_, root)) => {
            let target = view.target();
            sentence(&["The certificate of ", &target, " leads to the authority ", root, ", which the trust store used here does not hold"])
        }
        None => format!("The client does not know the authority behind the certificate of {}", view.target()),
    };
    let mut finding = view.finding(Cause::CertificateUntrustedCa, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding.or_else(&view.alternatives(Cause::CertificateUntrustedCa));
        if case.knowledge.one_key_for_many || case.knowledge.other_issuer_for_name.is_some() {
            finding = finding.or_else(&[Cause::TlsInterception]);
        }
        if let Some(other) = &case.knowledge.other_issuer_for_name {
            finding = finding.noting(format!("the same name was served with a certificate issued by {other} elsewhere in the capture"));
        }
        if case.handshake.server_name().is_none() {
            finding = finding.or_else(&[Cause::SniMissing]);
        }
        finding = finding
            .advise("Give the client the root of this authority, if it is one that you trust:")
            .advise(remedy::s_client(case.handshake, "-showcerts -CAfile root.pem"))
            .advise(remedy::curl(case.handshake, "--cacert root.pem"));
        if view.source == Source::Hidden {
            finding = finding.advise("The chain was encrypted: -showcerts tells whether it is complete.");
        }
    }
    Some(finding)
}
