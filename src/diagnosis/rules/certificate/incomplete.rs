//! `chain-incomplete`: an intermediate is missing from what the server serves.

use super::standing::{Source, Standing, View};
use super::words::sentence;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::PathEnd;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;
use crate::tls::certificate::Certificate;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ChainIncomplete,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::NO_ISSUER),
    against: &[],
    title: "an intermediate certificate is missing from what the server serves",
    page: Page {
        meaning: "A server must send its own certificate and every intermediate up to, not including, the root. It sends less, so that a client which does not happen to have the missing one cannot reach a root it trusts.\n\n\
                  This is the fault that works in browsers, which fetch or remember intermediates, and fails in curl, Java, Go, Python and on phones.",
        recognised: "The chain is visible and ends in a certificate that is not self-signed, whose issuer is no root of the store and was not sent; it names a place to fetch the issuer from (caIssuers), \
                     or its issuer is called an intermediate or issuing authority. Clients say unknown_ca (48), bad_certificate (42: Go, GnuTLS) or certificate_unknown (46: JSSE). \
                     In TLS 1.3 without keys, an encrypted Certificate of the size of one certificate points to it.",
        confused_with: "A private authority that issues servers' certificates directly from a root the client does not have: then nothing is missing and certificate-untrusted-ca applies. The store used here decides what counts as a root.",
        check: "Count what the server sends. One certificate, issued by something that is not a root, is one too few.",
        fix: &[
            ("any server", "Serve the full chain:\n$ cat leaf.pem intermediate.pem > fullchain.pem"),
            ("certbot, acme clients", "Use fullchain.pem, not cert.pem."),
            ("nginx", "ssl_certificate fullchain.pem;"),
            ("Apache httpd", "SSLCertificateFile fullchain.pem (2.4.8 and later); before that SSLCertificateChainFile intermediate.pem."),
            ("HAProxy", "Key, certificate and intermediates in one PEM in the crt of the bind line."),
            (
                "Java",
                "Import the chain, not only the certificate, under the key's alias:\n$ keytool -importcert -alias <alias> -file <chain.p7b> -keystore <keystore> -trustcacerts",
            ),
            ("Node.js", "The option `cert` takes the chain: leaf and intermediates in one PEM. `ca` does not serve anything."),
            ("Go", "tls.LoadX509KeyPair reads all certificates of the file: give it the full chain."),
            ("Kubernetes", "tls.crt of the secret must hold the full chain; cert-manager does so, hand-made secrets often do not."),
            ("IIS", "Install the intermediate in the computer's Intermediate Certification Authorities store and restart the site."),
        ],
        references: &["RFC 8446 section 4.4.2", "RFC 5246 section 7.4.2", "RFC 5280 section 4.2.2.1"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::ChainIncomplete)?;
    let chosen = matches!(standing, Standing::Chosen(_));
    let (summary, fetch) = match view.chain.map(|chain| (chain, &chain.end)) {
        Some((chain, PathEnd::MissingIssuer { issuer, ca_issuers, .. })) if view.is_true(Cause::ChainIncomplete) => {
            let served = match chain.path.len() {
                1 => "only its own certificate".to_owned(),
                count => format!("{count} certificates of its chain"),
            };
            let last = chain.path.last().and_then(|index| chain.certificate(*index)).map_or_else(String::new, Certificate::display_name);
            let parts = [&*view.target(), " serves ", &served, ", but not the intermediate ", issuer, " that issued ", &last];
            (sentence(&parts), ca_issuers.first().cloned())
        }
        _ => (
            format!(
                "{} seems to serve only its own certificate without the intermediate: its encrypted Certificate has the size of one",
                view.target()
            ),
            None,
        ),
    };
    let mut finding = view.finding(Cause::ChainIncomplete, standing, summary);
    if chosen {
        finding = finding
            .or_else(&view.alternatives(Cause::ChainIncomplete))
            .advise("Put the intermediate behind the server's certificate in the file that the server serves, and reload the server.");
        if let Some(url) = fetch {
            finding = match remedy::fetch(&url, "intermediate.der") {
                Some(command) => finding.advise(command),
                None => finding.advise(format!("The certificate says that its issuer's is at `{url}`.")),
            };
        }
        finding = finding.advise(remedy::s_client(case.handshake, "-showcerts"));
        if view.source == Source::Hidden {
            finding = finding.advise("The chain was encrypted: the command above shows it.");
        }
    }
    Some(finding)
}
