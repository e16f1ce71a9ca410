//! `certificate-constraints`: name constraints, path length or CA flag violated in the chain.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateConstraints,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::IRREGULAR),
    against: &[],
    title: "a constraint in the chain is violated",
    page: Page {
        meaning: "Authorities can be limited: to certain host names (nameConstraints), to a number of authorities below them (pathLenConstraint), and every one of them must be marked as an authority at all (cA, keyCertSign). \
                  A certificate in this chain oversteps such a limit.",
        recognised: "The chain is visible: an issuer on the path lacks cA or keyCertSign, has more authorities below it than its path length allows, or its name constraints exclude or do not permit a name of the leaf. \
                     OpenSSL sends unknown_ca (48) for a missing CA flag or an exceeded path length, JSSE certificate_unknown (46), Go and GnuTLS bad_certificate (42).",
        confused_with: "An unknown authority: with alert 48 the two look alike until the extensions are read. In TLS 1.3 without keys they cannot be told apart.",
        check: "Print basicConstraints, keyUsage and nameConstraints of every certificate above the leaf.",
        fix: &[
            (
                "authority not marked as one",
                "Issue the intermediate again with basicConstraints=critical,CA:TRUE and keyUsage=critical,keyCertSign,cRLSign. A server's certificate cannot sign others.",
            ),
            ("path length", "Issue from an authority higher up, or reissue the upper one with a larger pathlen."),
            (
                "name constraints",
                "Use a name inside the permitted domain, an authority that may issue for this name, or reissue the constrained authority.",
            ),
            ("openssl", "$ openssl verify -show_chain -CAfile <root.pem> -untrusted <intermediates.pem> <leaf.pem>"),
            (
                "Kubernetes with cert-manager",
                "An Issuer of kind CA needs a certificate with isCA: true; check spec.isCA of the Certificate behind it.",
            ),
            ("Go", "IsCA and BasicConstraintsValid must both be true in the template of an authority."),
        ],
        references: &["RFC 5280 sections 4.2.1.9, 4.2.1.10 and 6.1.4"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateConstraints)?;
    let chain = view.chain?;
    let strict = chain.strict_fault.as_ref();
    let (index, violation) = chain.violations.first().or(strict)?;
    let issuer = chain.certificate(*index)?;
    let summary = format!("In the chain of {}, {} (certificate {}) {}", view.target(), issuer.display_name(), index + 1, clause(violation));
    let mut finding = view.finding(Cause::CertificateConstraints, standing, summary);
    if chain.violations.is_empty() {
        finding = finding
            .noting("most clients do not mind this; OpenSSL's strict mode does, which Python sets from 3.13 on (VERIFY_X509_STRICT)");
    }
    for (index, violation) in chain.violations.iter().skip(1).take(3) {
        finding = finding.noting(format!("certificate {} {}", index + 1, clause(violation)));
    }
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateConstraints))
            .advise("Issue the chain again within its limits; the page of this cause says how for each kind of limit.")
            .advise(remedy::s_client(case.handshake, "-showcerts"));
    }
    Some(finding)
}

/// Violations are phrased to follow the certificate's name; those that begin with a noun need a verb.
fn clause(violation: &str) -> String {
    if violation.starts_with("is ") || violation.starts_with("has ") {
        violation.to_owned()
    } else {
        format!("violates a limit: {violation}")
    }
}
