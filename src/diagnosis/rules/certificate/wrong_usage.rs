//! `certificate-wrong-usage`: key usage or extended key usage does not allow a server.

use super::standing::{Source, Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateWrongUsage,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::IRREGULAR),
    against: &[],
    title: "the certificate's usage does not allow a server",
    page: Page {
        meaning: "A certificate can say what it is for. With extendedKeyUsage present, serverAuth must be in it; with keyUsage present, it needs digitalSignature (for TLS 1.3 and every ephemeral key exchange) \
                  or keyEncipherment (for RSA key transport). A client certificate, a code-signing certificate or a CA's own certificate does not do for a server.",
        recognised: "The certificate is visible and its keyUsage or extendedKeyUsage lacks what a server needs. OpenSSL and Mbed TLS clients send unsupported_certificate (43), Go and GnuTLS bad_certificate (42), \
                     JSSE and Chromium certificate_unknown (46).",
        confused_with: "unsupported_certificate (43) also stands for a kind of key that the client does not know. An authority above can restrict its subordinates' uses as well; that shows in the authority's certificate.",
        check: "Read both extensions of the served certificate, and those of the authorities above it.",
        fix: &[
            (
                "any authority",
                "Issue the certificate again from a server template: keyUsage digitalSignature (and keyEncipherment for RSA), extendedKeyUsage serverAuth, with clientAuth only where it is used for both.",
            ),
            (
                "openssl",
                "$ openssl x509 -in <cert.pem> -noout -purpose\nIn the extension file: `keyUsage=critical,digitalSignature,keyEncipherment` and `extendedKeyUsage=serverAuth`.",
            ),
            ("Microsoft AD CS", "Use the Web Server template or a copy of it, not User or Computer (client) templates."),
            (
                "Kubernetes with cert-manager",
                "Set spec.usages of the Certificate to `server auth` (with `digital signature` and `key encipherment`); the default is without extended usages other than server auth.",
            ),
            ("Java", "$ keytool -gencert -alias <ca> -ext ku:c=dig,keyEncipherment -ext eku=serverAuth -infile <csr> -outfile <cert>"),
            ("Go", "ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} in the template."),
        ],
        references: &["RFC 5280 sections 4.2.1.3 and 4.2.1.12", "RFC 8446 section 4.4.2.2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateWrongUsage)?;
    let summary = match view.chain.and_then(|chain| chain.usage_fault.as_ref()) {
        Some(fault) => format!("{} may not serve a server: {fault}", view.certificate()),
        None if view.source == Source::Seen && view.chain.is_some_and(|chain| view.signs_without_leave(chain)) => {
            format!("{} may not sign: its keyUsage lacks digitalSignature, and this key exchange needs a signature", view.certificate())
        }
        None => format!(
            "The client does not accept the certificate of {} for a server, most often because its extendedKeyUsage lacks serverAuth",
            view.target()
        ),
    };
    let mut finding = view.finding(Cause::CertificateWrongUsage, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateWrongUsage))
            .advise("Reissue the certificate for server authentication (extendedKeyUsage serverAuth, keyUsage digitalSignature):")
            .advise(remedy::x509(case.handshake, "-noout -ext keyUsage,extendedKeyUsage"));
        if view.source == Source::Hidden {
            finding = finding.advise("The certificate was encrypted: its extensions were not seen.");
        }
    }
    Some(finding)
}
