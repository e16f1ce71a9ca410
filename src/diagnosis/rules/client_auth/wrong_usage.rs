//! `client-certificate-wrong-usage`: the client's certificate does not allow client authentication.

use super::answer::View;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientCertificateWrongUsage,
    speaks: Signs::UNFINISHED.or(Signs::CLIENT_AUTH),
    against: &[],
    title: "the client's certificate does not allow client authentication",
    page: Page {
        meaning: "The certificate's extendedKeyUsage lacks clientAuth, or its keyUsage lacks digitalSignature. Server certificates reused for clients are the usual case: \
                  public authorities no longer put clientAuth into server certificates (from 2025 and 2026 on), so that what worked for years stops at a renewal.",
        recognised: "The client's certificate is visible and its usage does not fit, and the server refuses it: OpenSSL with unsupported_certificate (43), Go with bad_certificate (42). In TLS 1.3 without keys only a refusal is seen.",
        confused_with: "A kind of key that the server does not know gives alert 43 as well.",
        check: "Print the two extensions of the client's certificate.",
        fix: &[
            (
                "any authority",
                "Issue a certificate with extendedKeyUsage clientAuth (and keyUsage digitalSignature) from a private authority that the server trusts.",
            ),
            ("openssl", "$ openssl x509 -in <client.pem> -noout -ext keyUsage,extendedKeyUsage"),
            ("Let's Encrypt and other public authorities", "Their certificates are for servers only: use a private authority for clients."),
            ("Kubernetes with cert-manager", "spec.usages: [client auth, digital signature]"),
            ("Microsoft AD CS", "Use a template with Client Authentication among its application policies."),
        ],
        references: &["RFC 5280 sections 4.2.1.3 and 4.2.1.12"],
    },
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
