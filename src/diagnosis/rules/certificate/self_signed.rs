//! `certificate-self-signed`: the server's certificate is signed by itself.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateSelfSigned,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::UNTRUSTED),
    against: &[],
    title: "the server's certificate is signed by itself",
    page: Page {
        meaning: "No authority vouches for this certificate: it names itself as its issuer. A client accepts it only when this very certificate was installed as trusted. \
                  Appliances, test set-ups and services inside clusters come with such certificates.",
        recognised: "The chain is visible: subject and issuer of the server's certificate are the same and its signature verifies with its own key. OpenSSL sends unknown_ca (48), JSSE and Chromium certificate_unknown (46), Go and GnuTLS bad_certificate (42).",
        confused_with: "A private authority (certificate-untrusted-ca): there the issuer is another certificate. A proxy on the path that answers with a certificate of its own making (tls-interception).",
        check: "Is it the server's own certificate at all? Compare its SHA-256 fingerprint with the file on the server.",
        fix: &[
            ("public service", "Get a certificate from a public authority (ACME: certbot, acme.sh, Caddy, cert-manager)."),
            ("internal service", "Issue from one private authority and install that authority's root at the clients, once."),
            (
                "this very certificate is to be trusted",
                "Give it to the client: `curl --cacert <cert.pem>`, `openssl s_client -CAfile <cert.pem>`, NODE_EXTRA_CA_CERTS, `keytool -importcert -alias <name> -file <cert.pem> -keystore <truststore>`, x509.CertPool in Go. It must still cover the name.",
            ),
            ("Debian, Ubuntu", "$ cp <cert.crt> /usr/local/share/ca-certificates/ && update-ca-certificates"),
            ("Red Hat family", "$ cp <cert.pem> /etc/pki/ca-trust/source/anchors/ && update-ca-trust"),
            (
                "Kubernetes with cert-manager",
                "A SelfSigned issuer is meant to bootstrap a CA issuer: sign services with the latter and distribute its ca.crt.",
            ),
        ],
        references: &["RFC 5280 section 3.2", "RFC 8446 section 6.2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateSelfSigned)?;
    let summary = format!("{} is self-signed: no authority vouches for it", view.certificate());
    let mut finding = view.finding(Cause::CertificateSelfSigned, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateSelfSigned))
            .advise("Install a certificate from an authority that the client trusts, or make this one trusted at the client:")
            .advise(remedy::x509(case.handshake, "-out server.pem"))
            .advise(remedy::curl(case.handshake, "--cacert server.pem"));
    }
    Some(finding)
}
