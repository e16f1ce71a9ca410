//! `certificate-unsupported`: critical extension, curve or format that the client does not know.

use super::standing::{Standing, View};
use super::words::sentence;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateUnsupported,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::UNUSUAL),
    against: &[],
    title: "the certificate holds something the client does not know",
    page: Page {
        meaning: "A client must refuse a certificate with a critical extension it does not understand, and cannot use one whose key, curve or encoding it does not know. \
                  Private authorities that mark their own extensions critical, exotic curves (secp256k1, brainpool, P-521 for browsers), Ed448, GOST or SM2 keys and hand-made encodings are the usual finds.",
        recognised: "The certificate is visible and has an unknown critical extension, an extension or a whole that does not parse, or a kind of key that common clients do not take; and the client refused it: \
                     with unsupported_certificate (43), OpenSSL with certificate_unknown (46) for a critical extension, others with bad_certificate (42) or decode_error (50).",
        confused_with: "A usage that does not fit (certificate-wrong-usage) gives alert 43 as well. When the client's offer excludes the certificate's kind of key, the server gives up first: no-common-signature-algorithm, certificate-type-mismatch.",
        check: "Dump the certificate and look for `critical` and for the key's algorithm; parse it with a second tool.",
        fix: &[
            (
                "critical extension",
                "Reissue with that extension not critical; only extensions of RFC 5280 may be critical if everybody is to use the certificate.",
            ),
            (
                "kind of key",
                "Use ECDSA on P-256 or P-384, or RSA, for clients of all sorts; keep other keys for clients that are known to take them.",
            ),
            (
                "encoding",
                "Issue again with an ordinary tool; common slips are a negative serial number, a non-DER length, a name constraint or a time in the wrong form.",
            ),
            ("openssl", "$ openssl x509 -in <cert.pem> -noout -text\n$ openssl asn1parse -in <cert.pem>"),
            ("Go", "`x509: unhandled critical extension` names no number: look for it in the dump."),
            ("Java", "`Certificate contains unsupported critical extensions: [<OID>]` names it."),
        ],
        references: &["RFC 5280 section 4.2", "RFC 8422 section 5.1.1"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateUnsupported)?;
    let what = view.chain.and_then(|chain| chain.unsupported.as_ref());
    let summary = match what {
        Some(odd) => sentence(&["The certificate of ", &view.target(), " cannot be used by every client: ", &odd.what]),
        None => format!("The client does not support the certificate of {}, though nothing unusual is seen in it", view.target()),
    };
    let mut finding = view.finding(Cause::CertificateUnsupported, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateUnsupported))
            .advise("Reissue the certificate without what the client does not know.")
            .advise(remedy::x509(case.handshake, "-noout -text"));
    }
    Some(finding)
}
