//! Names: `default-certificate`, `certificate-name-mismatch`.

use super::Fault;
use super::view::{CertificateView, Source, Standing};
use super::words::sentence;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Evidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::time::Timestamp;

/// The server answered with its default certificate, not one for this name.
pub(super) const DEFAULT: Fault = Fault {
    rank: Some(100),
    firm: true,
    ..Fault::new(
        Cause::DefaultCertificate,
        page!("default-certificate"),
        |view| view.chain.is_some_and(|chain| view.covers_name(chain) == Some(false) && view.default_origin(chain).is_some()),
        default_certificate,
    )
};

fn default_certificate(view: &CertificateView<'_>, standing: Standing) -> Option<Finding> {
    let chain = view.chain?;
    let leaf = chain.leaf()?;
    let origin = view.default_origin(chain)?;
    let summary = format!("The client asked for {}; the server answered with {} instead, {origin}", view.target(), leaf.display_name());
    let mut finding = view.finding(Cause::DefaultCertificate, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding
            .or_else(&[Cause::CertificateNameMismatch])
            .or_else(if view.is_true(Cause::CertificateUntrustedCa) { &[Cause::CertificateUntrustedCa] } else { &[] })
            .advise(format!("On the server, configure a certificate for {}, and check that it was loaded.", view.host()))
            .advise(remedy::s_client(view.case.handshake, ""));
    }
    Some(finding)
}

/// The certificate does not cover the name that was asked for.
pub(super) const MISMATCH: Fault = Fault {
    rank: Some(110),
    firm: true,
    ..Fault::new(Cause::CertificateNameMismatch, page!("certificate-name-mismatch"), is_mismatch, mismatch)
};

fn is_mismatch(view: &CertificateView<'_>) -> bool {
    view.chain.is_some_and(|chain| {
        view.covers_name(chain) == Some(false) && !(chain.common_name_only && view.at().is_some_and(|at| at < COMMON_NAME_IGNORED))
    })
}

fn mismatch(view: &CertificateView<'_>, standing: Standing) -> Option<Finding> {
    // The default certificate is a mismatch with a story; it speaks for both.
    if view.is_true(Cause::DefaultCertificate) && standing == Standing::AlsoTrue {
        return None;
    }
    let chosen = matches!(standing, Standing::Chosen(_));
    let summary = match view.chain.filter(|_| view.is_true(Cause::CertificateNameMismatch)) {
        Some(chain) => {
            let only_common_name = if chain.common_name_only { "; only its common name matches, which clients now ignore" } else { "" };
            sentence(&["The client asked for ", &view.target(), ", but the certificate covers ", &chain.covered, only_common_name])
        }
        None => format!(
            "The client refused the certificate served for {} as bad; most often the certificate does not cover the name",
            view.target()
        ),
    };
    let mut finding = view.finding(Cause::CertificateNameMismatch, standing, summary);
    if let Some(hello) = view.case.handshake.client_hellos.first() {
        let text = if chosen { format!("client asked for {}", view.target()) } else { String::new() };
        finding.evidence.insert(0, Evidence { mark: Some(hello.mark), text });
    }
    if chosen {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateNameMismatch))
            .advise(format!("On the server, install a certificate with {} in its subjectAltName; or on the client, use a name that the certificate covers.", view.host()))
            .advise(remedy::x509(view.case.handshake, "-noout -ext subjectAltName"));
        if view.source == Source::Hidden {
            finding = finding.advise(format!(
                "Run the command above to see the names, or {}: the certificate {}.",
                view.to_read_it(),
                view.hidden()
            ));
        }
    }
    Some(finding)
}

/// 2017-04-01, when browsers had begun to overlook the common name.
const COMMON_NAME_IGNORED: Timestamp = Timestamp::from_parts(1_491_004_800, 0);
