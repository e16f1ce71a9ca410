//! `tls-interception`: a proxy on the path re-signs certificates.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::chain::{Trust, inspection};
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::handshake::facts::{Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule {
    cause: Cause::TlsInterception,
    speaks: Signs::UNFINISHED.or(Signs::INSPECTION),
    title: "a proxy on the path terminates TLS and re-signs certificates",
    page: Page {
        meaning: "The certificate was not made by the server's authority but by an inspecting proxy: a firewall, a secure web gateway or virus protection on the client's host. \
                  Clients that trust the proxy's authority work and are read along; those with their own trust store or pinned certificates fail.",
        recognised: "The issuer is the authority of a known inspection product, or one that is not public and signs for unrelated names in this capture, or the same name is served with \
                     another issuer elsewhere in the capture. In TLS 1.3 the certificate is visible only with keys.",
        confused_with: "A company's own authority for its own servers: it does not sign for public names. A self-signed or default certificate.",
        check: "Compare the issuer inside and outside of the network.\n\n$ openssl s_client -connect <name>:443 -servername <name> </dev/null 2>/dev/null | openssl x509 -noout -issuer",
        fix: &[
            (
                "system trust store",
                "Debian: put the proxy's authority into /usr/local/share/ca-certificates/ as .crt, then `update-ca-certificates`. Red Hat: /etc/pki/ca-trust/source/anchors/, then `update-ca-trust`.",
            ),
            (
                "Java",
                "`keytool -importcert -cacerts -alias proxy -file proxy-ca.pem`, or `-Djavax.net.ssl.trustStoreType=Windows-ROOT` on Windows.",
            ),
            (
                "Node.js, Python, Git, Go",
                "`NODE_EXTRA_CA_CERTS=proxy-ca.pem`; `REQUESTS_CA_BUNDLE` or `SSL_CERT_FILE`; `git config --global http.sslCAInfo`; Go reads the system store or `SSL_CERT_FILE`.",
            ),
            ("containers", "Images have their own store: add the authority when building, or mount it."),
            ("pinned applications", "They cannot be inspected: put their names on the proxy's bypass list."),
            ("not wanted", "Exempt the server in the proxy's decryption policy, or remove the virus protection's HTTPS scanning."),
        ],
        references: &["RFC 9325 section 7.1", "CA/Browser Forum Baseline Requirements (for public names)"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if facts.outcome == Outcome::Incomplete {
        return None;
    }
    let leaf = match case.chain {
        Some(chain) => chain.certificates.get(chain.leaf)?.as_ref(),
        None => facts.leaf()?,
    };
    if matches!(case.chain.map(|chain| &chain.trust), Some(Trust::Trusted)) || leaf.self_issued {
        return None;
    }
    let product = case.chain.map_or_else(|| inspection::is_product(&leaf.issuer), |chain| chain.inspected);
    let resigns = case.knowledge.resigning_issuer.as_deref() == Some(leaf.issuer.as_str());
    let other = case.knowledge.other_issuer_for_name.as_deref().filter(|other| *other != leaf.issuer);
    let (confidence, why) = match (product, resigns, other) {
        (true, true, _) => (Confidence::Certain, "its name is that of an inspection product and it signs for unrelated servers".to_owned()),
        (_, true, _) => (Confidence::Strong, "it is no public authority and signs for unrelated servers".to_owned()),
        (true, false, _) => (Confidence::Strong, "its name is that of an inspection authority".to_owned()),
        (false, false, Some(other)) => (Confidence::Hint, format!("the same name was served elsewhere with the issuer {other}")),
        (false, false, None) => return None,
    };
    let completed = facts.outcome == Outcome::Completed;
    // When the client rejects the certificate, that is told by the certificate's rules; this says where it comes from.
    let (weight, confidence) = match (confidence, completed) {
        (Confidence::Hint, _) => (Weight::Note, confidence),
        (_, true) => (Weight::Explains, confidence),
        (_, false) => (Weight::Explains, confidence.min(Confidence::Likely)),
    };
    if !completed && facts.server_chain.is_none() {
        return None;
    }
    let mut finding = Finding::new(
        Cause::TlsInterception,
        confidence,
        format!("A proxy on the path re-signs the certificate of {}: issuer {}; {why}.", view.target(), leaf.issuer),
    )
    .weight(weight);
    if completed {
        finding = finding.stopped_by(StoppedBy::Nobody);
    }
    if let Some(chain) = &facts.server_chain {
        finding = finding.shown_by(chain.mark, format!("certificate for {} issued by {}", leaf.subject, leaf.issuer));
    }
    Some(
        finding
            .or_else(&[Cause::CertificateUntrustedCa])
            .advise("Install the proxy's authority where this client looks for it, or exempt the name from inspection. Compare the issuer from outside:")
            .advise(remedy::x509(facts, "-noout -issuer")),
    )
}
