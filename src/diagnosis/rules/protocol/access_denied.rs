//! `access-denied`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::tls::registry::AlertDescription;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::AccessDenied, against: &[], page: page!("access-denied"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let seen = handshake.deciding_alert().filter(|_| handshake.outcome.failed())?;
    let alert = seen.alert?.description;
    if alert != AlertDescription::ACCESS_DENIED {
        return None;
    }
    // A server that was shown a certificate, and had not come to anything else that it could deny, denies that one.
    let shown = handshake.client_chain.as_ref().is_some_and(|chain| !chain.what.certificates.is_empty());
    if shown && seen.from == Side::Server && handshake.finished.server.is_none() {
        return None;
    }
    let asked = handshake.certificate_request.is_some() || handshake.hidden.certificate_requested.happened();
    let name = handshake.server_name().map_or_else(String::new, |name| format!(" for {name}"));
    let summary = format!("The {} rejects the other side{name} by policy (access_denied).", seen.from);
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
            .advise(format!("On the {}, find the access rule that matches {}{name}.", seen.from, handshake.client.address))
            .advise(remedy::s_client(handshake, "")),
    )
}
