//! `psk-mismatch`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, Protocol, StoppedBy};
use crate::tls::registry::AlertDescription as A;
use crate::wording::counted;

use super::uses_psk;

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::PskMismatch, against: &[], page: page!("psk-mismatch"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    if !case.handshake.outcome.failed() {
        return None;
    }
    let finding = bad_binder(case).or_else(|| bad_finished(case)).or_else(|| ignored_finished(case))?;
    Some(finding.advise("On the server, check that it knows the identity that the client sends; then compare the keys of both sides in hexadecimal and provision the same one.").advise(remedy::psk(case.handshake)))
}

/// TLS 1.3: the binder does not verify.
fn bad_binder(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let hello = handshake.last_hello().filter(|hello| hello.what.psk_identities() > 0)?;
    let (seen, alert) = offer::alert_from(case, Side::Server)?;
    let clean = offer::grave_defects(&hello.what).is_empty();
    if !clean || handshake.server_hello.is_some() || !matches!(alert, A::ILLEGAL_PARAMETER | A::DECRYPT_ERROR | A::BAD_RECORD_MAC) {
        return None;
    }
    let external = hello.what.psk_is_external();
    let confidence = if external || alert == A::DECRYPT_ERROR { Confidence::Strong } else { Confidence::Likely };
    let kind = if external { "pre-shared key" } else { "ticket" };
    let summary = format!(
        "The server {} cannot verify the client's {kind}: the two sides have different keys for the same identity.",
        offer::server(case)
    );
    Some(
        Finding::new(Cause::PskMismatch, confidence, summary)
            .shown_by(hello.mark, format!("client offers {} in pre_shared_key", identities(hello.what.psk_identities())))
            .shown_by(seen.mark, format!("server sent alert {}", offer::spoken(alert)))
            .or_else(&[Cause::PskUnknownIdentity, Cause::ClientProtocolViolation]),
    )
}

/// TLS 1.2 and below: the Finished cannot be decrypted.
fn bad_finished(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let exchanged = handshake.client_key_exchange.filter(|_| uses_psk(case))?;
    let seen = handshake.deciding_alert()?;
    let alert = seen.alert?.description;
    if !matches!(alert, A::BAD_RECORD_MAC | A::DECRYPT_ERROR | A::DECRYPTION_FAILED | A::DECODE_ERROR) {
        return None;
    }
    let suite = handshake.cipher().map_or_else(String::new, |suite| format!(" ({suite})"));
    let summary = format!(
        "The {} cannot decrypt what follows the PSK key exchange{suite}: the two sides have different keys, or the server does not know the identity and hides that, as RFC 4279 section 2 recommends.",
        seen.from
    );
    Some(
        Finding::new(Cause::PskMismatch, Confidence::Strong, summary)
            .shown_by(exchanged, "ClientKeyExchange with a PSK identity")
            .shown_by(seen.mark, format!("{} sent alert {}", seen.from, offer::spoken(alert)))
            .or_else(&[Cause::PskUnknownIdentity, Cause::RecordCorrupted]),
    )
}

/// The server never answers the client's Finished, or closes.
fn ignored_finished(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let exchanged = handshake.client_key_exchange.filter(|_| uses_psk(case))?;
    let sent = handshake.change_cipher_spec.client?;
    let datagram = handshake.protocol == Protocol::Dtls;
    let unanswered =
        handshake.finished.server.is_none() && handshake.change_cipher_spec.server.is_none() && handshake.deciding_alert().is_none();
    let fits = match handshake.outcome {
        Outcome::Stalled => datagram,
        Outcome::Closed | Outcome::Reset => handshake.stopped_by == StoppedBy::Server || datagram,
        _ => false,
    };
    if !(unanswered && fits) {
        return None;
    }
    let summary = format!(
        "The server {} does not answer the client's Finished after a PSK key exchange: most often the two sides have different keys, or the server does not know the identity.",
        offer::server(case)
    );
    // A server that cannot read a datagram drops it: nothing on the way did.
    let finding = Finding::new(Cause::PskMismatch, Confidence::Likely, summary);
    let finding = if datagram { finding.stopped_by(StoppedBy::Server) } else { finding };
    Some(
        finding
            .shown_by(exchanged, "ClientKeyExchange with a PSK identity")
            .shown_by(sent, "client starts encryption and sends its Finished")
            .noting("no Finished from the server")
            .or_else(&[Cause::PskUnknownIdentity, Cause::ServerStalled]),
    )
}

fn identities(number: usize) -> String {
    counted(number, "identity", "identities")
}
