//! `client-certificate-revoked`: the client's certificate is revoked.

use super::answer::View;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientCertificateRevoked,
    speaks: Signs::UNFINISHED.or(Signs::CLIENT_AUTH),
    against: &[],
    title: "the client's certificate is revoked",
    page: Page {
        meaning: "The server checks the revocation of client certificates (by CRL or OCSP) and found this one revoked: the device was retired, the key reported lost, or the wrong serial number was entered.",
        recognised: "The server answers the client's certificate with certificate_revoked (44). nginx answers inside the tunnel with HTTP 400 instead; Go and others use codes of their own.",
        confused_with: "A CRL that is itself out of date: many servers refuse every client certificate then, OpenSSL with certificate_expired (45) or unknown_ca (48).",
        check: "Find the certificate's serial number in the CRL that the server uses, and look at that CRL's nextUpdate.",
        fix: &[
            (
                "any server",
                "$ openssl crl -in <crl.pem> -noout -text | grep -A2 <SERIAL>\n$ openssl crl -in <crl.pem> -noout -lastupdate -nextupdate",
            ),
            ("client", "Get a new certificate with a new key; a revocation is final."),
            ("nginx", "ssl_crl must hold the CRLs of all authorities of the chain; reload after each update."),
            ("HAProxy", "crl-file on the bind line."),
            ("Apache httpd", "SSLCARevocationFile with SSLCARevocationCheck."),
        ],
        references: &["RFC 5280 section 5", "RFC 6960"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let confidence = view.chosen(Cause::ClientCertificateRevoked)?;
    let serial = view.chain.and_then(ChainFacts::leaf).map_or_else(String::new, |leaf| format!(" (serial number {})", leaf.serial));
    let summary = format!("{}{serial} is revoked, as the server says", view.certificate());
    Some(
        view.finding(Cause::ClientCertificateRevoked, confidence, &summary)
            .or_else(&[Cause::ClientCertificateRejected])
            .advise("Get a new certificate with a new key for this client; if the revocation is a mistake, correct the server's CRL."),
    )
}
