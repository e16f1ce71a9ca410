//! `must-staple-missing`: the certificate demands a stapled status and none was served.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::MustStapleMissing,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::STAPLE),
    against: &[],
    title: "a stapled certificate status was demanded and not served",
    page: Page {
        meaning: "The certificate carries the TLS feature extension with status_request (must-staple): the server promises to send a fresh OCSP answer with it. It did not, and a client that holds it to that refuses. \
                  A client may also demand a staple on its own (curl --cert-status).",
        recognised: "Up to TLS 1.2: the certificate has the extension, the client offered status_request, and no CertificateStatus follows. The client sends bad_certificate_status_response (113) or bad_certificate (42), \
                     or completes the handshake and closes without data (curl).",
        confused_with: "A staple that is out of date or says revoked. Most clients ignore must-staple, so that the same server works for others.",
        check: "Ask for the status several times: servers fetch it lazily, and the first answer after a restart comes without.",
        fix: &[
            (
                "nginx",
                "ssl_stapling on; ssl_stapling_verify on; a resolver, and ssl_trusted_certificate with the issuer. nginx fetches only after the first request: preload with ssl_stapling_file if the certificate is must-staple.",
            ),
            ("Apache httpd", "SSLUseStapling on; SSLStaplingCache shmcb:…; or mod_md, which keeps staples ahead of time (MDStapling on)."),
            (
                "HAProxy",
                "Put the OCSP answer beside the PEM as <file>.ocsp, or let `ocsp-update on` in the crt-list do it (2.8 and later).",
            ),
            (
                "the authority has no OCSP any more",
                "Let's Encrypt ended OCSP in 2025 and must-staple with it: issue again without must-staple.",
            ),
            ("certbot", "Drop `--must-staple` (must_staple = True in the renewal file) and renew."),
            ("outgoing firewall", "The server must reach the responder named in the certificate over HTTP."),
        ],
        references: &["RFC 7633", "RFC 6066 section 8", "RFC 8446 section 4.4.2.1"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::MustStapleMissing)?;
    let summary = match (view.leaf().filter(|leaf| leaf.must_staple), &case.handshake.staple) {
        (Some(_), None) => format!("{} demands a stapled OCSP answer, and the server sent none", view.certificate()),
        (_, Some(_)) => {
            format!("The client refused the OCSP answer that {} stapled: out of date, or not for this certificate", view.target())
        }
        (None, None) => format!("The client demanded a stapled OCSP answer from {} and got none that it accepts", view.target()),
    };
    let mut finding = view.finding(Cause::MustStapleMissing, standing, summary);
    if let Some(staple) = &case.handshake.staple {
        finding = finding.shown_by(staple.mark, "server stapled an OCSP answer");
    }
    if matches!(standing, Standing::Chosen(_)) {
        let responder = view.leaf().and_then(|leaf| leaf.ocsp_urls.first());
        finding = finding
            .or_else(&view.alternatives(Cause::MustStapleMissing))
            .advise("Make the server staple a fresh OCSP answer, or reissue the certificate without must-staple.")
            .advise(
                remedy::s_client(case.handshake, "-status")
                    .map(|command| command.without_errors().pipe(Command::new("grep -A3").operand("OCSP response"))),
            );
        if let Some(responder) = responder {
            finding = match remedy::fetch(responder, "/dev/null") {
                Some(command) => finding
                    .advise("On the server, see whether its OCSP responder can be reached (any HTTP status will do):")
                    .advise(command.option("-w", "%{http_code}\\n")),
                None => finding.advise(format!("See whether the server can reach its OCSP responder, `{responder}`.")),
            };
        }
    }
    Some(finding)
}
