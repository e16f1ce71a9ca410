//! `record-corrupted`.

use crate::anomaly::AnomalyKind;
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::tls::registry::{AlertDescription as A, CipherSuite, ExtensionType, KeyExchange, ProtocolVersion};

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::RecordCorrupted, against: &[], page: page!("record-corrupted"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    if !handshake.outcome.failed() {
        return None;
    }
    if let Some(finding) = downgraded(case) {
        return Some(finding);
    }
    let overlap = handshake.anomalies.iter().find(|anomaly| matches!(anomaly.kind, AnomalyKind::DifferingOverlap { .. }));
    let broken = handshake.anomalies.iter().find(|anomaly| matches!(anomaly.kind, AnomalyKind::RecordNotDecrypted { .. }));
    let seen = handshake.deciding_alert();
    let alert = seen.and_then(|seen| seen.alert).map(|alert| alert.description);
    let signed = handshake.server_key_exchange.is_some() && handshake.client_key_exchange.is_none();
    let from_client = seen.is_some_and(|seen| seen.from == Side::Client);
    let answered = handshake.server_hello.is_some();
    let psk = handshake.cipher().is_some_and(|suite| {
        matches!(suite.key_exchange(), KeyExchange::Psk | KeyExchange::DhePsk | KeyExchange::EcdhePsk | KeyExchange::RsaPsk)
    });
    let (confidence, weight, what) = match alert {
        Some(A::BAD_RECORD_MAC | A::DECRYPTION_FAILED | A::DECRYPT_ERROR) if psk && handshake.client_key_exchange.is_some() => return None,
        Some(A::BAD_RECORD_MAC | A::DECRYPTION_FAILED | A::DECRYPT_ERROR | A::DECODE_ERROR | A::UNEXPECTED_MESSAGE) if broken.is_some() => {
            (Confidence::Certain, Weight::Explains, "cannot decrypt a record, and neither can handshark with the same keys")
        }
        Some(A::BAD_RECORD_MAC | A::DECRYPTION_FAILED) => (Confidence::Strong, Weight::Explains, "cannot decrypt a record"),
        Some(A::DECRYPT_ERROR) if from_client && signed => {
            (Confidence::Likely, Weight::Explains, "found that the signature of the key exchange does not match")
        }
        Some(A::DECRYPT_ERROR) if answered => {
            (Confidence::Likely, Weight::Explains, "found that a signature or the Finished message does not match")
        }
        Some(A::UNEXPECTED_MESSAGE) if from_client && signed && !out_of_order(case) && !long_request(case) => {
            (Confidence::Likely, Weight::Explains, "does not accept the signature of the key exchange")
        }
        Some(A::DECODE_ERROR | A::DECOMPRESSION_FAILURE) if answered => (Confidence::Likely, Weight::Fallback, "cannot read a message"),
        _ if broken.is_some() => (Confidence::Strong, Weight::Explains, "received a record that its keys do not decrypt"),
        _ if overlap.is_some() => (Confidence::Likely, Weight::Explains, "received something other than was sent"),
        // Whoever cannot decrypt the server's flight may say so in a record that nobody else can read.
        None if from_client && case.others_met_changed_bytes() => (
            Confidence::Likely,
            Weight::Explains,
            "broke off in answer to what the server sent, as it did elsewhere for a record that it could not decrypt",
        ),
        _ => return None,
    };
    // A chain with faults that clients answer with decrypt_error explains it better.
    let bad_chain = case.chain.is_some_and(|chain| {
        chain.misordered || !chain.weak_keys.is_empty() || !chain.weak_signatures.is_empty() || !chain.bad_signatures.is_empty()
    });
    let weight = if bad_chain && from_client && overlap.is_none() && broken.is_none() { Weight::Fallback } else { weight };
    let confidence = if overlap.is_some() { confidence.max(Confidence::Strong) } else { confidence };
    let who = seen.map_or("A side", |seen| if seen.from == Side::Client { "The client" } else { "The server" });
    let summary = format!("{who} {what}: bytes between the client and the server {} were changed on the path.", offer::server(case));
    let mut finding = Finding::new(Cause::RecordCorrupted, confidence, summary).weight(weight);
    if let Some(anomaly) = overlap {
        finding = finding.shown_by(anomaly.mark, format!("segments from the {} with different bytes for the same range", anomaly.side));
    }
    if let Some(anomaly) = broken {
        finding = finding.shown_by(anomaly.mark, format!("a record from the {} that the connection's keys do not decrypt", anomaly.side));
    }
    if let Some(exchange) = handshake.server_key_exchange.as_ref().filter(|_| from_client && signed) {
        finding = finding.shown_by(exchange.mark, "ServerKeyExchange, whose signature covers both randoms");
    }
    if let (Some(seen), Some(description)) = (seen, alert) {
        finding = finding.shown_by(seen.mark, format!("{} sent alert {}", seen.from, offer::spoken(description)));
    }
    Some(
        finding
            .or_else(if seen.is_some_and(|seen| seen.from == Side::Server) {
                &[Cause::ClientProtocolViolation]
            } else {
                &[Cause::ServerProtocolViolation, Cause::ServerCertificateRejected]
            })
            .advise(
                "Compare captures from both ends byte by byte (`handshark match`); for a test, take proxies and offloads out of the path.",
            )
            .advise("Check whether it happens every time:")
            .advise(remedy::s_client(handshake, "")),
    )
}

/// The server marks its random as one that knows TLS 1.3 and was not offered it, and the client, which offered it, refuses: so the hello was changed on its
/// way, or somebody in between passes on what he had from the server. Near the server the hello still has what goes with TLS 1.3, and not the offer.
fn downgraded(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let (hello, answer) = handshake.last_hello().zip(handshake.server_hello.as_ref())?;
    let marked = answer.what.downgrade_sentinel() == Some(ProtocolVersion::TLS12) && !answer.what.version().is_tls13();
    let offered = hello.what.offers(ProtocolVersion::TLS13);
    let stripped = !offered && hello.what.has(ExtensionType::KEY_SHARE) && hello.what.cipher_suites().any(CipherSuite::is_tls13);
    let (seen, alert) = offer::alert_from(case, Side::Client)?;
    let minds = matches!(alert, A::ILLEGAL_PARAMETER | A::INAPPROPRIATE_FALLBACK | A::PROTOCOL_VERSION);
    if !marked || !(offered || stripped) || !minds || handshake.client_key_exchange.is_some() {
        return None;
    }
    let server = offer::server(case);
    let summary = format!(
        "A device between the client and the server {server} took the offer of TLS 1.3 out of the ClientHello, or ends TLS itself and passes on what the server said: the server's random says that it knows TLS 1.3 and was not offered it, and the client refuses that."
    );
    Some(
        Finding::new(Cause::RecordCorrupted, Confidence::Likely, summary)
            .shown_by(hello.mark, if offered { "ClientHello that offers TLS 1.3" } else { "ClientHello with a key share and suites of TLS 1.3, and without supported_versions" })
            .shown_by(answer.mark, "ServerHello of TLS 1.2 whose random ends with the downgrade sentinel (RFC 8446 section 4.1.3)")
            .shown_by(seen.mark, format!("client sent alert {}", offer::spoken(alert)))
            .or_else(&[Cause::TlsInterception, Cause::ServerProtocolViolation])
            .advise("Find the proxy, firewall or filter that inspects or changes TLS between the two, and update it or take it out of the path. A capture at each end shows the change (`handshark match`).")
            .advise(remedy::s_client(handshake, "-tls1_3")),
    )
}

/// The client gave up at a CertificateRequest longer than the limits of common stacks (32 KiB in JSSE, which says so with this code).
fn long_request(case: &Case<'_>) -> bool {
    let handshake = case.handshake;
    let whole = handshake.certificate_request.as_ref().map_or(0, |seen| seen.span.1.saturating_sub(seen.span.0));
    let part = handshake.partial_server_message.filter(|part| part.message == Some(13)).map_or(0, |part| part.want as u64);
    whole.max(part) >= 32 << 10
}

/// The server sent a message out of order: then `unexpected_message` means what it says.
fn out_of_order(case: &Case<'_>) -> bool {
    case.handshake.anomalies.iter().any(|anomaly| anomaly.side == Side::Server && matches!(anomaly.kind, AnomalyKind::OutOfOrder { .. }))
}
