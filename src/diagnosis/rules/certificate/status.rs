//! Revocation: `certificate-revoked`, `must-staple-missing`.

use super::Fault;
use super::view::{CertificateView, Standing};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::{self, Command};
use crate::handshake::facts::Located;
use crate::tls::client_hello::ClientHello;
use crate::tls::message::{OcspStaple, OcspStatus};
use crate::tls::registry::AlertDescription;

/// Revoked, by staple or by alert.
pub(super) const REVOKED: Fault = Fault {
    rank: Some(40),
    said_by: Some(AlertDescription::CERTIFICATE_REVOKED),
    firm: true,
    ..Fault::new(
        Cause::CertificateRevoked,
        page!("certificate-revoked"),
        |view| view.is_seen() && revoking(view).is_some(),
        |view, standing| Some(revoked(view, standing)),
    )
};

fn revoked(view: &CertificateView<'_>, standing: Standing) -> Finding {
    let staple = revoking(view);
    let serial = view.leaf().map_or_else(String::new, |leaf| format!(", serial number {},", leaf.serial));
    let summary = match staple {
        Some(staple) => {
            let when = staple.what.revoked_at.map_or_else(String::new, |at| format!(" on {}", at.to_second()));
            format!("{}{serial} was revoked{when}, according to the OCSP response that the server stapled", view.certificate())
        }
        None => format!(
            "{}{serial} has been revoked, according to the client, which learned it from a CRL or an OCSP responder",
            view.certificate()
        ),
    };
    let mut finding = view.finding(Cause::CertificateRevoked, standing, summary);
    if let Some(staple) = staple {
        finding = finding.shown_by(staple.mark, "stapled OCSP response: revoked");
    }
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding.or_else(&view.alternatives(Cause::CertificateRevoked));
    }
    finding
        .advise("On the server, install a new certificate with a new key: a revocation cannot be undone.")
        .advise(remedy::s_client(view.case.handshake, "-status"))
}

/// The stapled status that says so.
fn revoking<'a>(view: &CertificateView<'a>) -> Option<&'a Located<OcspStaple>> {
    view.case.handshake.staple.as_deref().filter(|staple| staple.what.status == Some(OcspStatus::Revoked))
}

/// The certificate demands a stapled status and none was served.
pub(super) const STAPLE_MISSING: Fault = Fault {
    rank: Some(130),
    ..Fault::new(Cause::MustStapleMissing, page!("must-staple-missing"), lacks_staple, |view, standing| {
        Some(staple_missing(view, standing))
    })
};

fn lacks_staple(view: &CertificateView<'_>) -> bool {
    view.no_staple_came()
        && view.leaf().is_some_and(|leaf| leaf.must_staple)
        && view.case.handshake.hello().is_some_and(ClientHello::status_request)
}

fn staple_missing(view: &CertificateView<'_>, standing: Standing) -> Finding {
    let summary = match (view.leaf().filter(|leaf| leaf.must_staple), &view.case.handshake.staple) {
        (Some(_), None) => format!("{} requires a stapled OCSP response, and the server sent none", view.certificate()),
        (_, Some(_)) => match view.staple_is_old() {
            Some(until) => {
                format!("The client refused the OCSP response that {} stapled: it was good until {} only", view.target(), until.to_second())
            }
            None => {
                format!(
                    "The client refused the OCSP response that {} stapled: it is out of date, or not for this certificate",
                    view.target()
                )
            }
        },
        (None, None) => format!("The client required a stapled OCSP response from {} and got none that it accepts", view.target()),
    };
    let mut finding = view.finding(Cause::MustStapleMissing, standing, summary);
    if let Some(staple) = &view.case.handshake.staple {
        finding = finding.shown_by(staple.mark, "server stapled an OCSP response");
    }
    if matches!(standing, Standing::Chosen(_)) {
        let responder = view.leaf().and_then(|leaf| leaf.ocsp_urls.first());
        finding = finding
            .or_else(&view.alternatives(Cause::MustStapleMissing))
            .advise("On the server, enable OCSP stapling and refresh the response; or have the certificate reissued without must-staple.")
            .advise(
                remedy::s_client(view.case.handshake, "-status")
                    .map(|command| command.without_errors().pipe(Command::new("grep -A3").operand("OCSP response"))),
            );
        if let Some(responder) = responder {
            finding = match remedy::fetch(responder, "/dev/null") {
                Some(command) => finding
                    .advise("On the server, check whether the OCSP responder can be reached (any HTTP status will do):")
                    .advise(command.option("-w", "%{http_code}\\n")),
                None => finding.advise(format!("On the server, check whether the OCSP responder `{responder}` can be reached.")),
            };
        }
    }
    finding
}
