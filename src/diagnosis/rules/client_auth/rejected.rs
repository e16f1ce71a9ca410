//! `client-certificate-rejected`: the server refused the client's certificate, the reason is hidden.

use super::answer::{Reaction, View, day};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ClientCertificateRejected,
    speaks: Signs::UNFINISHED.or(Signs::CLIENT_AUTH),
    against: &[],
    title: "the server refused the client's certificate; why is not visible",
    page: Page {
        meaning: "The client sent a certificate and proved its key, and the server ended the connection. In TLS 1.3 the certificate and the alert are encrypted: who stopped and when is seen, not why. \
                  The client's program believed the connection to stand and meets the error at its first read.",
        recognised: "After the client's Certificate, CertificateVerify and Finished, known by their sizes, the server sends one record of an alert's size and closes, instead of tickets or data. \
                     Or the server's alert is of a general kind and nothing is wrong with the certificate as far as it can be seen.",
        confused_with: "A signature that the server cannot verify (decrypt_error, 51: key and certificate do not belong together, or a scheme the server does not take). A refusal by policy after a valid certificate (access-denied).",
        check: "The server's log has the reason: nginx at level info, OpenSSL's error queue, Go's `remote error` on the client and `tls:` lines on the server.",
        fix: &[
            (
                "server log",
                "nginx: `error_log … info;` shows `client SSL certificate verify error`. HAProxy: %[ssl_c_err] in the log format. Apache httpd: LogLevel ssl:info.",
            ),
            (
                "check the certificate as the server would",
                "$ openssl verify -CAfile <authorities.pem> -purpose sslclient -untrusted <intermediates.pem> <client.pem>",
            ),
            (
                "key and certificate belong together?",
                "$ openssl x509 -in <client.pem> -noout -pubkey | openssl sha256\n$ openssl pkey -in <client.key> -pubout | openssl sha256",
            ),
            (
                "make the reason visible",
                "Give a key log of the client (SSLKEYLOGFILE), or let it offer no more than TLS 1.2 for one attempt.",
            ),
        ],
        references: &["RFC 8446 sections 4.4.2, 4.4.3 and 6.2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let confidence = view.chosen(Cause::ClientCertificateRejected)?;
    let not_yet = view.chain.is_some_and(ChainFacts::leaf_not_yet_valid);
    let summary = if let (Some(leaf), true, false) = (view.chain.and_then(ChainFacts::leaf), view.of_the_future(), not_yet) {
        format!(
            "{} is valid since {}, but the server says bad_certificate, which to a server like {} most often means that it is not yet valid: the server's clock is behind",
            view.certificate(),
            day(leaf.not_before),
            view.target()
        )
    } else if not_yet {
        format!("{} is not yet valid, or the server refused it for another reason", view.certificate())
    } else if matches!(view.reaction, Reaction::Alert { code: 51, .. }) {
        format!("{} was sent, but its proof of the key did not verify at {}", view.certificate(), view.target())
    } else {
        format!("{} was refused by {}", view.certificate(), view.target())
    };
    Some(
        view.finding(Cause::ClientCertificateRejected, confidence, &summary)
            .or_else(&[
                Cause::ClientCertificateUntrusted,
                Cause::ClientCertificateExpired,
                Cause::ClientCertificateWrongUsage,
                Cause::ClientCertificateRevoked,
            ])
            .advise(if view.of_the_future() {
                "Compare the server's clock with the time of this capture first."
            } else {
                "See whether the server's clock is right."
            })
            .advise("The server's log has the reason. Check the client's certificate as the server would:")
            .advise(Command::new("openssl verify -CAfile authorities.pem -purpose sslclient client.pem"))
            .advise(remedy::s_client(case.handshake, "-cert client.pem -key client.key")),
    )
}
