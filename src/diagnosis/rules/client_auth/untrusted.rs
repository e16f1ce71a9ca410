//! `client-certificate-untrusted`: the server does not trust the issuer of the client's certificate.

use super::answer::View;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::{ChainFacts, PathEnd};
use crate::diagnosis::remedy::Command;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientCertificateUntrusted,
    speaks: Signs::UNFINISHED.or(Signs::CLIENT_AUTH),
    against: &[],
    title: "the server does not trust the issuer of the client's certificate",
    page: Page {
        meaning: "The client sent a certificate from an authority that the server does not accept for clients: another environment's, an old authority's, or one whose intermediate the client did not send along.",
        recognised: "The server answers the client's certificate with unknown_ca (48); or with bad_certificate (42: Go, GnuTLS) or certificate_unknown (46: JSSE) while nothing else is wrong with it; \
                     or the certificate's issuer is not among the authorities that the server named in its CertificateRequest.",
        confused_with: "A client that sends only its own certificate and not the intermediate: the authority is right, the chain is short. In TLS 1.3 without keys only a refusal is seen (client-certificate-rejected).",
        check: "Compare the issuer of the client's certificate with the names that the server accepts.",
        fix: &[
            (
                "see what the server accepts",
                "$ openssl s_client -connect <name>:443 -servername <name> </dev/null | sed -n '/Acceptable client/,/Requested/p'",
            ),
            (
                "client",
                "Use the certificate of the right environment, and send its intermediates with it: `cat client.pem intermediate.pem`.",
            ),
            ("check a certificate as the server would", "$ openssl verify -CAfile <authorities.pem> -purpose sslclient <client.pem>"),
            (
                "nginx",
                "ssl_client_certificate must hold the issuing authority, and its root; ssl_verify_depth is 1 by default: raise it for chains with an intermediate.",
            ),
            ("Apache httpd", "SSLCACertificateFile and SSLVerifyDepth."),
            ("HAProxy", "ca-file on the bind line."),
            ("Java", "The server's trust store must hold the authority."),
            ("Go", "tls.Config.ClientCAs (RootCAs is for servers' certificates)."),
            ("Kubernetes", "--client-ca-file of the API server; for ingress-nginx the annotation auth-tls-secret with ca.crt."),
        ],
        references: &["RFC 8446 sections 4.2.4 and 6.2", "RFC 5246 section 7.4.4"],
    },
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
