//! `certificate-untrusted-ca`: the chain ends in an authority that the client does not trust.

use super::standing::{Source, Standing, View};
use super::words::sentence;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::{PathEnd, Trust, Unverified};
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Finding, Page, Rule};
use crate::diagnosis::signs::Signs;

pub(super) const RULE: Rule = Rule {
    cause: Cause::CertificateUntrustedCa,
    speaks: Signs::UNFINISHED.or(Signs::UNUSED).or(Signs::UNTRUSTED),
    against: &[],
    title: "the chain ends in an authority that the client does not trust",
    page: Page {
        meaning: "The server's chain is in order but leads to a root that is not in the client's trust store: a private authority that this client was never given, a root that its old store does not have yet or no longer has, \
                  or a proxy on the path that signs certificates of its own.",
        recognised: "The client says unknown_ca (48). Or it says bad_certificate (42: Go, GnuTLS) or certificate_unknown (46: JSSE, Chromium), nothing else is wrong with the chain, and its root is not among the anchors of the store used here. \
                     That store is not the client's: what the client did decides, and a chain unknown here is no fault as long as clients go on.",
        confused_with: "A missing intermediate (chain-incomplete) and a self-signed certificate give the same alerts. In TLS 1.3 without keys an unknown_ca in clear can be any of the three. \
                        Pinning in an application looks the same too: other clients of the same server succeed.",
        check: "Find out which root the chain needs, and whether the client has it. Many programs have a store of their own: Java, Node.js, Python's certifi, Firefox, containers without ca-certificates.",
        fix: &[
            (
                "curl, openssl",
                "$ curl --cacert <root.pem> https://<name>/\n$ openssl s_client -connect <name>:443 -servername <name> -CAfile <root.pem> </dev/null",
            ),
            ("Debian, Ubuntu", "$ cp <root.crt> /usr/local/share/ca-certificates/ && update-ca-certificates"),
            ("Red Hat family", "$ cp <root.pem> /etc/pki/ca-trust/source/anchors/ && update-ca-trust"),
            (
                "Java",
                "$ keytool -importcert -cacerts -alias <name> -file <root.pem>\nOr point -Djavax.net.ssl.trustStore at a store that has it.",
            ),
            ("Node.js", "NODE_EXTRA_CA_CERTS=<root.pem>, or the option `ca`; from 22 on --use-system-ca."),
            ("Python", "REQUESTS_CA_BUNDLE or SSL_CERT_FILE=<bundle.pem>; requests uses certifi, not the system's store."),
            ("Go", "SSL_CERT_FILE or SSL_CERT_DIR, or RootCAs in tls.Config."),
            (
                "containers",
                "Install the package ca-certificates in the image, and the private root with it; distroless and scratch images have none.",
            ),
            ("Kubernetes", "Mount the authority's ca.crt (cert-manager's trust-manager distributes bundles)."),
            ("nginx, HAProxy as client", "proxy_ssl_trusted_certificate, or `ca-file` on the server line."),
            ("behind an inspecting proxy", "Install the proxy's root at the client, or exempt this destination from inspection."),
        ],
        references: &["RFC 8446 section 6.2", "RFC 5280 section 6.1"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case)?;
    let standing = view.standing(Cause::CertificateUntrustedCa)?;
    // The other causes of the same kind say it better.
    let better = [Cause::ChainIncomplete, Cause::CertificateSelfSigned];
    if standing == Standing::AlsoTrue && better.iter().any(|cause| view.is_true(*cause)) {
        return None;
    }
    let root = view.chain.map(|chain| match &chain.end {
        PathEnd::ServedRoot { index, .. } => (chain, chain.certificate(*index).map_or("", |root| root.subject.as_str())),
        PathEnd::Anchor { name } => (chain, name.as_str()),
        PathEnd::MissingIssuer { issuer, .. } => (chain, issuer.as_str()),
        PathEnd::SelfSignedLeaf => (chain, chain.leaf().map_or("", |leaf| leaf.subject.as_str())),
    });
    let summary = match &root {
        Some((chain, root)) if chain.trust == Trust::Trusted => {
            format!(
                "The client does not trust the authority {root} behind the certificate of {}, though the store used here does: the client's store is older or smaller, or it pins",
                view.target()
            )
        }
        Some((chain, root)) if chain.unverified().is_some() => {
            let (target, why) = (view.target(), chain.unverified().map_or("", Unverified::why));
            sentence(&[
                "The client does not trust the certificate of ",
                &target,
                ", issued under ",
                root,
                "; it was not verified here, for ",
                why,
            ])
        }
        Some((_, root)) => {
            let target = view.target();
            sentence(&["The certificate of ", &target, " leads to the authority ", root, ", which the trust store used here does not hold"])
        }
        None => format!("The client does not know the authority behind the certificate of {}", view.target()),
    };
    let mut finding = view.finding(Cause::CertificateUntrustedCa, standing, summary);
    if matches!(standing, Standing::Chosen(_)) {
        finding = finding.or_else(&view.alternatives(Cause::CertificateUntrustedCa));
        if case.knowledge.one_key_for_many || case.knowledge.other_issuer_for_name.is_some() {
            finding = finding.or_else(&[Cause::TlsInterception]);
        }
        if let Some(other) = &case.knowledge.other_issuer_for_name {
            finding = finding.noting(format!("the same name was served with a certificate issued by {other} elsewhere in the capture"));
        }
        if case.handshake.server_name().is_none() {
            finding = finding.or_else(&[Cause::SniMissing]);
        }
        finding = finding
            .advise("Give the client the root of this authority, if it is one that you trust:")
            .advise(remedy::s_client(case.handshake, "-showcerts -CAfile root.pem"))
            .advise(remedy::curl(case.handshake, "--cacert root.pem"));
        if view.source == Source::Hidden {
            finding = finding.advise("The chain was encrypted: -showcerts tells whether it is complete.");
        }
    }
    Some(finding)
}
