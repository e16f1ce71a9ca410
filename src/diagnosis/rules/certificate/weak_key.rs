//! `certificate-weak-key`: key too small, or of a kind the client refuses.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateWeakKey,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::WEAK),
    against: &[],
    title: "the certificate's key is too small",
    page: Page {
        meaning: "RSA keys below 2048 bits and elliptic curves below 224 bits are refused by current clients: OpenSSL from security level 2 (Debian's and others' default) wants 112 bits of security, \
                  browsers and JSSE have limits of their own. Old devices and appliances are the usual owners of such keys.",
        recognised: "The certificate is visible and its key, or an authority's key on the path, is smaller than 2048 bits (RSA, DSA) or 224 bits (EC). \
                     In TLS 1.3 the size of the encrypted CertificateVerify gives a 1024-bit RSA key away. OpenSSL sends bad_certificate (42) or insufficient_security (71), rustls decrypt_error (51), JSSE certificate_unknown (46).",
        confused_with: "A weak signature on the certificate (certificate-weak-signature): old devices often have both. A Diffie-Hellman group that is too small is a different thing (dh-too-small).",
        check: "Read the key's size in the certificate and in each intermediate.",
        fix: &[
            (
                "any server",
                "Make a new key, RSA with 2048 or 3072 bits or ECDSA on P-256, and have it certified:\n$ openssl req -new -newkey rsa:2048 -nodes -keyout <key.pem> -out <request.csr>",
            ),
            (
                "device that cannot be changed, OpenSSL clients",
                "As a stopgap, and for this one connection only, lower the security level: `openssl s_client -cipher DEFAULT@SECLEVEL=0`, `curl --ciphers DEFAULT@SECLEVEL=0`.",
            ),
            (
                "Java clients",
                "jdk.certpath.disabledAlgorithms and jdk.tls.disabledAlgorithms in java.security hold the limit (RSA keySize < 1024 by default, 2048 in hardened systems).",
            ),
            ("Red Hat family", "The system-wide policy LEGACY accepts 1024 bits: `update-crypto-policies --set LEGACY`. Prefer a new key."),
            (
                "Kubernetes with cert-manager",
                "spec.privateKey.algorithm and spec.privateKey.size of the Certificate, with rotationPolicy: Always.",
            ),
        ],
        references: &["NIST SP 800-57 part 1", "RFC 9325 section 4.3", "CA/Browser Forum Baseline Requirements section 6.1.5"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateWeakKey)?;
    let weak = view.chain.and_then(|chain| chain.certificate(*chain.weak_keys.first()?));
    let summary = match (weak, view.weak_key_by_size()) {
        (Some(certificate), _) if view.leaf().is_some_and(|leaf| leaf.sha256 == certificate.sha256) => {
            format!("{} has a key that clients find too weak: {}", view.certificate(), certificate.key_name())
        }
        (Some(certificate), _) => {
            format!(
                "In the chain of {}, the authority {} has a key that clients find too weak: {}",
                view.target(),
                certificate.display_name(),
                certificate.key_name()
            )
        }
        (None, Some(bits)) => format!(
            "The certificate of {} has an RSA key of {bits} bits, as the size of the encrypted CertificateVerify shows",
            view.target()
        ),
        (None, None) => return None,
    };
    let mut finding = view.finding(Cause::CertificateWeakKey, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateWeakKey))
            .advise("Make a new key (RSA with 2048 bits or more, or ECDSA on P-256) and have it certified.")
            .advise(
                remedy::x509(case.handshake, "-noout -text")
                    .map(|command| command.pipe(Command::new("grep -A1").operand("Public Key Algorithm"))),
            );
    }
    Some(finding)
}
