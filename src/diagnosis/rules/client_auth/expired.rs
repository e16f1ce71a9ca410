//! `client-certificate-expired`: the client's certificate had expired.

use super::answer::{View, day};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientCertificateExpired,
    speaks: Signs::UNFINISHED.or(Signs::CLIENT_AUTH),
    against: &[],
    title: "the client's certificate had expired",
    page: Page {
        meaning: "The client authenticated with a certificate beyond its notAfter, and the server refused it. Client certificates live on machines that nobody watches, and their renewal is often by hand.",
        recognised: "Up to TLS 1.2, or with keys, the client's certificate is visible and its notAfter lies before the time of the frame. OpenSSL servers answer certificate_expired (45), Go bad_certificate (42). \
                     In TLS 1.3 without keys only a refusal is seen (client-certificate-rejected).",
        confused_with: "A server whose clock is ahead. An intermediate of the client's chain that expired while the certificate itself is valid.",
        check: "Print the dates of the certificate that the client really uses, which need not be the newest file on its disk.",
        fix: &[
            (
                "any client",
                "$ openssl x509 -in <client.pem> -noout -dates\nRenew it, replace certificate and key together, restart what read the old one.",
            ),
            ("Kubernetes nodes and kubectl", "$ kubeadm certs check-expiration\n$ kubeadm certs renew all"),
            ("Kubernetes with cert-manager", "Let pods reload the mounted secret: it is renewed under them at two thirds of its life."),
            ("Java", "Import the renewed chain under the same alias as the key."),
            ("devices", "Renew over EST (RFC 7030) or SCEP while the old certificate still works."),
        ],
        references: &["RFC 5280 section 4.1.2.5", "RFC 8446 section 6.2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let confidence = view.chosen(Cause::ClientCertificateExpired)?;
    let expired = view.chain.filter(|chain| chain.leaf_expired()).and_then(ChainFacts::leaf);
    let summary = match (expired, view.chain.and_then(ChainFacts::leaf)) {
        (Some(leaf), _) => format!("{} expired on {}", view.certificate(), day(leaf.not_after)),
        (None, Some(leaf)) => format!(
            "{} is valid until {}, but the server says that it has expired: its clock is ahead, its revocation list has expired, or an authority above the certificate has",
            view.certificate(),
            day(leaf.not_after)
        ),
        (None, None) => format!("{} has expired, as the server says", view.certificate()),
    };
    let sound = expired.is_none() && view.chain.is_some();
    let finding = view
        .finding(Cause::ClientCertificateExpired, confidence, &summary)
        .or_else(&[Cause::ClientCertificateUntrusted, Cause::ClientCertificateRejected]);
    let finding = if sound {
        // Nothing that was sent has expired: renewing it would change nothing.
        finding
            .advise("Do not renew it: renew the revocation list that the server uses (CRL), and compare the server's clock with the time of this capture.")
            .advise("See when the server's list expires:")
            .advise(Command::new("openssl crl -in crl.pem -noout -lastupdate -nextupdate"))
    } else {
        finding.advise("Renew the client's certificate, replace certificate and key together, and restart the client:")
    };
    Some(finding.advise(Command::new("openssl x509 -in client.pem -noout -subject -issuer -dates")))
}
