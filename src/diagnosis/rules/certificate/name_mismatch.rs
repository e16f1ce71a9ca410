//! `certificate-name-mismatch`: the certificate does not cover the name that was asked for.

use super::standing::{Source, Standing, View};
use super::words::sentence;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Evidence, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateNameMismatch,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::OTHER_NAME),
    against: &[],
    title: "the certificate does not cover the name that was asked for",
    page: Page {
        meaning: "A client compares the host name it wanted with the names in the certificate's subjectAltName. None of them matches. A wildcard stands for exactly one label: *.example.com covers www.example.com, \
                  but neither example.com nor a.b.example.com. An IP address must be there as an iPAddress entry. The common name is not looked at any more by any current client.",
        recognised: "The server name of the ClientHello and the names of the certificate are both visible, and none matches. \
                     OpenSSL clients, Go, rustls, wolfSSL and Mbed TLS send bad_certificate (42), JSSE and Chromium certificate_unknown (46). \
                     curl and Node.js check only after the handshake is done and then close without having sent a request.",
        confused_with: "The server's default certificate (default-certificate); a wrong DNS entry that leads to another server; a captive portal or proxy that answers in the server's place. \
                        In TLS 1.3 without keys an alert 42 in clear from an OpenSSL client most often means this, but also a certificate that is not yet valid or too weak.",
        check: "Read the names in the certificate. Then ask whether the client used the right name, and whether the request reached the right server.",
        fix: &[
            ("certificate lacks the name", "Reissue it with every name that clients use, the bare domain and www among them."),
            (
                "client uses another name",
                "Use a name that the certificate covers, instead of an IP address, a short name or an internal alias.",
            ),
            (
                "connecting by one name to reach another (tunnels, tests)",
                "$ curl --connect-to <name>:443:<address>:443 https://<name>/\nLet the client keep the right name and change only where it connects to.",
            ),
            ("nginx, Apache httpd, HAProxy", "Check which virtual host answers for this name: see default-certificate."),
            (
                "Java",
                "The check is HttpsURLConnection's HostnameVerifier or the endpoint identification algorithm `HTTPS`; do not switch it off, give it the right name.",
            ),
            (
                "Go",
                "`certificate relies on legacy Common Name field`: reissue with subjectAltName. `tls.Config.ServerName` sets the name to expect.",
            ),
            ("Node.js", "The options `servername` and `host` set the name; ERR_TLS_CERT_ALTNAME_INVALID prints both sides."),
            (
                "Kubernetes with cert-manager",
                "Add the name to spec.dnsNames of the Certificate; for in-cluster calls, `<service>.<namespace>.svc`.",
            ),
        ],
        references: &["RFC 9525 section 6", "RFC 6066 section 3"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateNameMismatch)?;
    // The default certificate is a mismatch with a story; it speaks for both.
    if view.is_true(Cause::DefaultCertificate) && standing == Standing::AlsoTrue {
        return None;
    }
    let chosen = matches!(standing, Standing::Chosen(_));
    let summary = match view.chain.filter(|_| view.is_true(Cause::CertificateNameMismatch)) {
        Some(chain) => {
            let only_common_name =
                if chain.common_name_only { "; only its common name matches, which clients no longer look at" } else { "" };
            sentence(&["The client asked for ", &view.target(), ", but the certificate covers ", &chain.covered, only_common_name])
        }
        None => format!(
            "The client refused the certificate served for {} as bad; most often that means that it does not cover this name",
            view.target()
        ),
    };
    let mut finding = view.finding(Cause::CertificateNameMismatch, standing, summary);
    if let Some(hello) = case.handshake.client_hellos.first() {
        let text = if chosen { format!("client asked for {}", view.target()) } else { String::new() };
        finding.evidence.insert(0, Evidence { mark: Some(hello.mark), text });
    }
    if chosen {
        finding = finding
            .or_else(&view.alternatives(Cause::CertificateNameMismatch))
            .advise(format!("Serve a certificate that has {} in its subjectAltName, or use a name that it covers.", view.target()))
            .advise(remedy::x509(case.handshake, "-noout -ext subjectAltName"));
        if view.source == Source::Hidden {
            finding = finding.advise("The certificate was encrypted: give a key log, or run the command above, to see its names.");
        }
    }
    Some(finding)
}
