//! `client-certificate-missing`: the server demands a client certificate and got none.

use std::time::Duration;

use super::answer::{Answer, Reaction, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::flow::Side;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientCertificateMissing,
    speaks: Signs::UNFINISHED.or(Signs::CLIENT_AUTH),
    against: &[],
    title: "the server demands a client certificate and got none",
    page: Page {
        meaning: "The server uses mutual TLS: it asked for a certificate and the client had none to send, or none from the authorities that the server named. In TLS 1.3 the client has finished by then and its program \
                  was already told that the connection stands: it sees the error at its first read.",
        recognised: "The server sends CertificateRequest, the client answers with an empty Certificate message, and the server ends the handshake. In TLS 1.3 all of this is encrypted but has telling sizes: an empty Certificate \
                     takes 25 bytes (41 from JSSE), and the server's alert follows instead of tickets.\n\n\
                     Servers say certificate_required (116, TLS 1.3), handshake_failure (40: OpenSSL, HAProxy), bad_certificate (42: Go, JSSE), decode_error (50: GnuTLS in TLS 1.2), or just close (Mbed TLS, wolfSSL).",
        confused_with: "Optional client authentication: the server asks, gets nothing and goes on; then the application may answer with HTTP 400 or 403 inside the tunnel (nginx).",
        check: "Does the client have a certificate and its key configured for this server? Which authorities does the server name in its request? A client sends nothing when none of its certificates comes from one of those.",
        fix: &[
            ("curl", "$ curl --cert <client.pem> --key <client.key> https://<name>/"),
            (
                "openssl",
                "$ openssl s_client -connect <name>:443 -servername <name> -cert <client.pem> -cert_chain <client.pem> -key <client.key> </dev/null\nIt prints the authorities that the server accepts.",
            ),
            (
                "Java",
                "-Djavax.net.ssl.keyStore=<file> and keyStorePassword; the key manager sends nothing when no alias fits the names that the server lists.",
            ),
            ("Go", "tls.Config.Certificates or GetClientCertificate; the former is filtered by the server's list of authorities."),
            ("Node.js", "The options cert and key (or pfx)."),
            (
                "browser",
                "Import the certificate with its key (PKCS #12) into the store that this browser uses; a user who dismisses the dialogue sends nothing.",
            ),
            ("nginx in between", "proxy_ssl_certificate and proxy_ssl_certificate_key for the connection to the upstream."),
            (
                "server should not demand it",
                "nginx: ssl_verify_client off or optional. Apache httpd: SSLVerifyClient none or optional. HAProxy: `verify optional`. Go: tls.VerifyClientCertIfGiven.",
            ),
            (
                "the list of authorities is too long or wrong",
                "nginx: ssl_client_certificate decides the names that are sent; ssl_trusted_certificate trusts without sending.",
            ),
        ],
        references: &["RFC 8446 sections 4.3.2, 4.4.2 and 6.2", "RFC 5246 section 7.4.6"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    if view.answer != Answer::Nothing {
        return None;
    }
    if view.reaction == Reaction::WentOn {
        let summary = format!("{} asked for a client certificate and the client had none", view.target());
        // A server that hangs up at once most likely minds.
        let weight = if hung_up(case) { Weight::Fallback } else { Weight::Note };
        let finding = view.finding(Cause::ClientCertificateMissing, Confidence::Strong, &summary).weight(weight);
        return Some(finding.advise("The application may still refuse the request inside the tunnel (HTTP 400, 401 or 403)."));
    }
    let confidence = view.chosen(Cause::ClientCertificateMissing)?;
    let summary = format!("{} asked for a client certificate and the client sent none", view.target());
    let mut finding = view.finding(Cause::ClientCertificateMissing, confidence, &summary);
    if let Some(request) = &case.handshake.certificate_request
        && let Some(first) = request.what.authorities.first()
    {
        let more = request.what.authorities_total.saturating_sub(1);
        finding = finding.noting(if more == 0 {
            format!("the server accepts certificates from {first}")
        } else {
            format!("the server accepts certificates from {first} and {more} more")
        });
    }
    if confidence < Confidence::Certain {
        finding = if confidence == Confidence::Likely {
            finding.or_else(&[Cause::ClientCertificateRejected, Cause::AccessDenied])
        } else {
            finding.or_else(&[Cause::AccessDenied])
        };
    }
    Some(
        finding
            .advise("Give the client a certificate and key from an authority that the server accepts, its intermediates in the same file. To try them (`-k` leaves the server's certificate out of it):")
            .advise(remedy::curl(case.handshake, "-k --cert client.pem --key client.key"))
            .advise(remedy::s_client(case.handshake, "-cert client.pem -cert_chain client.pem -key client.key")),
    )
}

/// The server ended the connection soon after the handshake, and before the client did.
fn hung_up(case: &Case<'_>) -> bool {
    let done = case.handshake.finished.client;
    let end = crate::diagnosis::view::View::new(case.handshake).first_end().filter(|ending| ending.side == Side::Server);
    done.zip(end).is_some_and(|(done, end)| end.mark.time.since(done.time) <= SOON)
}

/// A connection that is put to use lives longer.
const SOON: Duration = Duration::from_secs(1);
