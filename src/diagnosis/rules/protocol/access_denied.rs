//! `access-denied`.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule};
use crate::diagnosis::rules::parameters::offer;
use crate::diagnosis::signs::Signs;
use crate::tls::registry::AlertDescription;

/// The rule.
pub(super) const RULE: Rule = Rule {
    cause: Cause::AccessDenied,
    speaks: Signs::UNFINISHED,
    against: &[],
    title: "the peer was refused by policy",
    page: Page {
        meaning: "The sender of the alert says that the other side is technically fine, even with a valid certificate, but not allowed: an access list of addresses, names, fingerprints or certificate subjects.",
        recognised: "Alert access_denied.",
        confused_with: "Some stacks use the code for a client certificate that they do not accept; then a certificate was asked for before. Filters on the path send it too: look at TTL and timing.",
        check: "The access rules of the side that sent the alert, and its log at that time.",
        fix: &[
            ("the server, in general", "Find the rule that refuses this client, name or certificate, and change it if it should not."),
            (
                "Envoy, Istio",
                "RBAC and AuthorizationPolicy act after the handshake; a filter chain without a match closes, and a TLS inspector rule may deny.",
            ),
            ("HAProxy", "tcp-request session reject closes without an alert; ssl_fc_sni rules and Lua may send one."),
            ("stunnel", "sni, OCSP and libwrap (hosts.deny) rules."),
            ("nginx", "stream module: ssl_preread and njs; allow and deny act after the handshake."),
            ("firewall, TLS inspection", "A category or country rule: ask its operator for the rule that matched the server name."),
            ("Java", "A custom X509TrustManager or SNIMatcher that refuses."),
        ],
        references: &["RFC 8446 section 6.2"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let seen = handshake.deciding_alert().filter(|_| handshake.outcome.failed())?;
    let alert = seen.alert?.description;
    if alert != AlertDescription::ACCESS_DENIED {
        return None;
    }
    let asked = handshake.certificate_request.is_some() || handshake.hidden.certificate_requested.happened();
    let name = handshake.server_name().map_or_else(String::new, |name| format!(" for {name}"));
    let summary = format!("The {} refuses the other side{name} by policy (access_denied).", seen.from);
    let mut finding = Finding::new(Cause::AccessDenied, if asked { Confidence::Likely } else { Confidence::Strong }, summary);
    if let Some(hello) = handshake.last_hello() {
        finding = finding.shown_by(hello.mark, format!("ClientHello from {}{name}", handshake.client.address));
    }
    finding = finding.shown_by(seen.mark, format!("{} sent alert {}", seen.from, offer::spoken(alert)));
    if asked {
        finding = finding.or_else(&[Cause::ClientCertificateRejected, Cause::ClientCertificateMissing]);
    }
    Some(
        finding
            .advise(format!("Look for an access rule at the {} that hits {}{name}.", seen.from, handshake.client.address))
            .advise(remedy::s_client(handshake, "")),
    )
}
