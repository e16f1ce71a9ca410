//! `chain-misordered`: the served chain is in the wrong order or holds strangers.

use super::standing::{Standing, View};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::ChainFacts;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::tls::certificate::Certificate;

pub(super) const RULE: Rule = Rule {
    cause: Cause::ChainMisordered,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::IRREGULAR),
    against: &[],
    title: "the served chain is in the wrong order or holds certificates that do not belong",
    page: Page {
        meaning: "The first certificate of the message must be the server's own: its key signs the handshake. The others should follow, each certifying the one before it (TLS 1.3 only asks that clients cope). \
                  A wrong first certificate breaks every client; a wrong order among the others, or strangers, only old and simple ones.\n\n\
                  An intermediate of the right name but with another key (an older or newer issue of it) belongs to this cause too: its key does not verify the leaf's signature.",
        recognised: "The chain is visible: the first certificate is an authority while a later one is the server's; the path from the leaf does not run through the certificates in their order; \
                     some are not on the path at all; or a signature does not verify with the key of the served issuer. \
                     With a wrong first certificate, the signature over the key exchange fails at the client: OpenSSL sends decrypt_error (51).",
        confused_with: "A certificate whose private key is another's gives decrypt_error too, with the chain in good order. Most clients sort a chain that is merely out of order and go on.",
        check: "Print the chain as served and compare issuer and subject from line to line.",
        fix: &[
            (
                "any server",
                "Write the file in this order: server certificate, the intermediate that signed it, the next intermediate. Leave the root out.",
            ),
            ("openssl", "$ openssl crl2pkcs7 -nocrl -certfile <fullchain.pem> | openssl pkcs7 -print_certs -noout"),
            (
                "nginx",
                "ssl_certificate must name the file with the server certificate first; nginx refuses to start when the key does not match the first one.",
            ),
            (
                "Apache httpd",
                "From 2.4.8 on put the intermediates into SSLCertificateFile behind the server certificate; SSLCertificateChainFile is obsolete.",
            ),
            ("HAProxy", "Key, server certificate, then intermediates in one PEM."),
            ("Java", "Import the whole chain in one PKCS #7 or PKCS #12 file under the alias of the key, so that keytool orders it."),
        ],
        references: &["RFC 8446 section 4.4.2", "RFC 5246 section 7.4.2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::ChainMisordered);
    let chain = view.chain?;
    // Strangers alone stop nobody.
    let Some(standing) = standing else { return strangers(&view, chain) };
    let summary = format!("The chain that {} serves is not in order: {}", view.target(), fault(chain));
    let mut finding = view.finding(Cause::ChainMisordered, standing, summary);
    if let Standing::Chosen(_) = standing {
        finding = finding.or_else(&view.alternatives(Cause::ChainMisordered));
    }
    Some(
        finding
            .advise("Serve the server's own certificate first, then each one's issuer; leave out the root and what does not belong.")
            .advise(remedy::s_client(case.handshake, "-showcerts")),
    )
}

fn fault(chain: &ChainFacts) -> String {
    let name = |index: usize| chain.certificate(index).map_or_else(String::new, Certificate::display_name);
    if chain.leaf != 0 {
        return format!(
            "the first certificate is the authority {}, the server's own ({}) comes as number {}",
            name(0),
            name(chain.leaf),
            chain.leaf + 1
        );
    }
    if let Some((certificate, issuer)) = chain.bad_signatures.first() {
        if certificate == issuer {
            return format!("the signature of {} does not verify with its own key", name(*certificate));
        }
        return format!(
            "{} (number {}) has the name of the issuer of {}, but its key does not verify the signature",
            name(*issuer),
            issuer + 1,
            name(*certificate)
        );
    }
    let order: Vec<String> = chain.path.iter().map(|index| (index + 1).to_string()).collect();
    format!("the path from the server's certificate upwards runs through the served ones in the order {}", order.join(", "))
}

fn strangers(view: &View<'_>, chain: &ChainFacts) -> Option<Finding> {
    if chain.unverified().is_some() {
        return None;
    }
    let seen = view.case.handshake.server_chain.as_ref()?;
    let beside: Vec<usize> = chain.strangers.iter().chain(&chain.duplicates).copied().collect();
    let first = chain.certificate(*beside.first()?)?;
    let summary = format!(
        "{} serves {} certificate{} that {} not belong to its chain, {} among them.",
        view.target(),
        beside.len(),
        if beside.len() == 1 { "" } else { "s" },
        if beside.len() == 1 { "does" } else { "do" },
        first.display_name()
    );
    Some(
        Finding::new(Cause::ChainMisordered, Confidence::Hint, summary)
            .weight(Weight::Note)
            .shown_by(seen.mark, format!("server sent {} certificates", chain.certificates.len()))
            .advise("Leave out what is not on the way from the server's certificate to the root."),
    )
}
