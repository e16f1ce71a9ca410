//! `psk-unknown-identity`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::tls::registry::AlertDescription as A;
use crate::wording::counted;

use super::uses_psk;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::PskUnknownIdentity, against: &[], page: page!("psk-unknown-identity"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    if !handshake.outcome.failed() {
        return None;
    }
    let (seen, alert) = offer::alert_from(case, Side::Server)?;
    let hello = handshake.last_hello()?;
    let external = hello.what.psk_is_external();
    let after_key_exchange = uses_psk(case) && handshake.client_key_exchange.is_some();
    let confidence = match alert {
        A::UNKNOWN_PSK_IDENTITY => Confidence::Certain,
        A::ILLEGAL_PARAMETER if after_key_exchange => Confidence::Likely,
        A::HANDSHAKE_FAILURE if external && handshake.server_hello.is_none() => Confidence::Likely,
        _ => return None,
    };
    let summary = format!("The server {} does not know the identity of the client's pre-shared key.", offer::server(case));
    let mut finding = Finding::new(Cause::PskUnknownIdentity, confidence, summary);
    finding = match handshake.client_key_exchange {
        Some(mark) => finding.shown_by(mark, "client sends its identity in the ClientKeyExchange"),
        None => finding
            .shown_by(hello.mark, format!("client offers {}", counted(hello.what.psk_identities(), "pre-shared key", "pre-shared keys"))),
    };
    finding = finding.shown_by(seen.mark, format!("server sent alert {}", offer::spoken(alert)));
    if confidence < Confidence::Certain {
        finding = finding.or_else(&[Cause::PskMismatch, Cause::HandshakeFailure]);
    }
    Some(finding.advise("On the server, add the identity and reload; or on the client, correct it.").advise(remedy::psk(handshake)))
}
