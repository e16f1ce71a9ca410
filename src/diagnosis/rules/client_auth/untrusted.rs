//! `client-certificate-untrusted`: the server does not trust the issuer of the client's certificate.

use super::answer::View;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::{ChainFacts, PathEnd};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::rule::{Case, Finding, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientCertificateUntrusted,
    speaks: Signs::UNFINISHED.or(Signs::CLIENT_AUTH),
    against: &[],
    page: page!("client-certificate-untrusted"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let confidence = view.chosen(Cause::ClientCertificateUntrusted)?;
    let issuer = view.chain.and_then(ChainFacts::leaf).map(|leaf| leaf.issuer.clone());
    let summary = match &issuer {
        Some(issuer) => format!("{} comes from {issuer}, which {} does not accept for clients", view.certificate(), view.target()),
        None => format!("{} comes from an authority that {} does not accept for clients", view.certificate(), view.target()),
    };
    let mut finding = view.finding(Cause::ClientCertificateUntrusted, confidence, &summary);
    if view.issuer_not_asked_for().is_some()
        && let Some(request) = &case.handshake.certificate_request
    {
        let names = request.what.authorities.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("; ");
        finding = finding.shown_by(request.mark, format!("server accepts only: {names}"));
    }
    if let Some(PathEnd::MissingIssuer { issuer, .. }) = view.chain.filter(|chain| chain.unverified().is_none()).map(|chain| &chain.end) {
        finding = finding.noting(format!(
            "the client did not send the certificate of {issuer}; if that is an intermediate, the server may only lack it"
        ));
    }
    Some(
        finding
            .or_else(&[Cause::ClientCertificateRejected, Cause::ClientCertificateRevoked])
            .advise("Use a client certificate from an authority that the server accepts, or add this authority to the server's list:")
            .advise(Command::new("openssl verify -CAfile authorities.pem -purpose sslclient client.pem")),
    )
}
