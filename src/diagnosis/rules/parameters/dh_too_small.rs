//! `dh-too-small`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::tls::registry::AlertDescription as A;

use crate::diagnosis::offer;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::DhTooSmall, against: &[], page: page!("dh-too-small"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let exchange = handshake.server_key_exchange.as_ref()?;
    let bits = exchange.what.dh_bits.filter(|bits| *bits < ENOUGH_BITS)?;
    let shown = format!("ServerKeyExchange with a {bits}-bit DH prime");
    if handshake.outcome == Outcome::Completed {
        let note = Finding::new(
            Cause::DhTooSmall,
            Confidence::Certain,
            format!("The server uses a {bits}-bit Diffie-Hellman prime; 2048 bits are the minimum."),
        );
        return Some(note.weight(Weight::Note).shown_by(exchange.mark, shown));
    }
    if !handshake.outcome.failed() || handshake.client_key_exchange.is_some() {
        return None;
    }
    let alert = offer::alert_from(case, Side::Client);
    let confidence = match alert.map(|(_, description)| description) {
        Some(A::HANDSHAKE_FAILURE | A::INSUFFICIENT_SECURITY | A::ILLEGAL_PARAMETER) if bits <= WEAK_BITS => Confidence::Certain,
        Some(A::HANDSHAKE_FAILURE | A::INSUFFICIENT_SECURITY | A::ILLEGAL_PARAMETER) => Confidence::Strong,
        Some(A::INTERNAL_ERROR | A::DECRYPT_ERROR | A::DECODE_ERROR | A::UNEXPECTED_MESSAGE) if bits <= WEAK_BITS => Confidence::Strong,
        None if handshake.stopped_by == StoppedBy::Client && handshake.deciding_alert().is_none() => Confidence::Likely,
        _ => return None,
    };
    let summary = format!("The server {} uses a {bits}-bit Diffie-Hellman prime, too small for the client.", offer::server(case));
    let mut finding = Finding::new(Cause::DhTooSmall, confidence, summary).shown_by(exchange.mark, shown);
    if let Some((seen, description)) = alert {
        finding = finding.shown_by(seen.mark, format!("client sent alert {}", offer::spoken(description)));
    }
    if confidence == Confidence::Likely {
        finding = finding.or_else(&[Cause::ServerCertificateRejected, Cause::ClientAborted]);
    }
    Some(
        finding
            .advise("On the server, prefer ECDHE, or configure a DH group of 2048 bits or more.")
            .advise("Check the size it uses:")
            .advise(remedy::s_client(handshake, "-tls1_2 -cipher kDHE:@SECLEVEL=0"))
            .advise("Until then, disable DHE on the client:")
            .advise(remedy::curl(handshake, "--ciphers DEFAULT:!DHE")),
    )
}

/// What current stacks ask for (OpenSSL at security level 2).
const ENOUGH_BITS: u32 = 2048;

/// What every stack refuses, or has refused for years.
const WEAK_BITS: u32 = 1024;
