//! What a certificate may be used for: `certificate-wrong-usage`, `certificate-constraints`.

use super::Fault;
use super::reaction::Reaction;
use super::view::{CertificateView, Source, Standing};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::handshake::stack::Stack;
use crate::tls::registry::AlertDescription;

/// Key usage or extended key usage does not allow a server.
pub(super) const WRONG_USAGE: Fault = Fault {
    rank: Some(50),
    said_by: Some(AlertDescription::UNSUPPORTED_CERTIFICATE),
    firm: true,
    ..Fault::new(
        Cause::CertificateWrongUsage,
        page!("certificate-wrong-usage"),
        |view| view.chain.is_some_and(|chain| !chain.usage_ok || (view.is_seen() && view.signs_without_leave(chain))),
        |view, standing| Some(wrong_usage(view, standing)),
    )
};

fn wrong_usage(view: &CertificateView<'_>, standing: Standing) -> Finding {
    let summary = match view.chain.and_then(|chain| chain.usage_fault.as_ref()) {
        Some(fault) => format!("{} is not valid for a server: {fault}", view.certificate()),
        None if view.is_seen() && view.chain.is_some_and(|chain| view.signs_without_leave(chain)) => {
            format!(
                "{} is not valid for signatures: its keyUsage lacks digitalSignature, and this key exchange needs a signature",
                view.certificate()
            )
        }
        None => format!(
            "The client does not accept the certificate of {} for server authentication, most often because its extendedKeyUsage lacks serverAuth",
            view.target()
        ),
    };
    let mut finding = view.finding(Cause::CertificateWrongUsage, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateWrongUsage))
            .advise("Have the certificate reissued for server authentication (extendedKeyUsage serverAuth, keyUsage digitalSignature):")
            .advise(remedy::x509(view.case.handshake, "-noout -ext keyUsage,extendedKeyUsage"));
        if view.source == Source::Hidden {
            finding = finding.advise(format!("Check its extensions with the command above: the certificate {}.", view.hidden()));
        }
    }
    finding
}

/// Name constraints, path length or CA flag violated in the chain.
pub(super) const CONSTRAINTS: Fault = Fault {
    rank: Some(60),
    firm: true,
    doubtful: |view, alert| {
        alert == Some(AlertDescription::CERTIFICATE_UNKNOWN) && view.chain.is_some_and(|chain| chain.violations.is_empty())
    },
    ..Fault::new(Cause::CertificateConstraints, page!("certificate-constraints"), violates, constraints)
};

fn violates(view: &CertificateView<'_>) -> bool {
    // What only strict clients mind is a fault to one that says so.
    let strict =
        || matches!(view.reaction, Reaction::Alert { alert: AlertDescription::CERTIFICATE_UNKNOWN, .. }) && view.is(&[Stack::OpenSsl]);
    view.verified().is_some_and(|chain| !chain.violations.is_empty() || chain.strict_fault.is_some() && strict())
}

fn constraints(view: &CertificateView<'_>, standing: Standing) -> Option<Finding> {
    let chain = view.chain?;
    let strict = chain.strict_fault.as_ref();
    let (index, violation) = chain.violations.first().or(strict)?;
    let issuer = chain.certificate(*index)?;
    let summary =
        format!("In the chain of {0}, certificate {2} ({1}) {3}", view.target(), issuer.display_name(), index + 1, clause(violation));
    let mut finding = view.finding(Cause::CertificateConstraints, standing, summary);
    if chain.violations.is_empty() {
        finding = finding
            .noting("most clients accept this; OpenSSL's strict mode (VERIFY_X509_STRICT), the default in Python from 3.13 on, does not");
    }
    for (index, violation) in chain.violations.iter().skip(1).take(3) {
        finding = finding.noting(format!("certificate {} {}", index + 1, clause(violation)));
    }
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateConstraints))
            .advise("Have the chain reissued within these limits; `handshark explain certificate-constraints` says how for each of them.")
            .advise(remedy::s_client(view.case.handshake, "-showcerts"));
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
