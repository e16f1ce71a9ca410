//! `internal-error`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::quality::Quality;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::tls::registry::{AlertDescription, ProtocolVersion};

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::InternalError, against: &[], page: page!("internal-error"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let seen = handshake.deciding_alert().filter(|_| handshake.outcome.failed())?;
    let alert = seen.alert?.description;
    // Whatever code a client chooses before it has said anything, it speaks of the client.
    let read = handshake.client_hellos.is_empty() && handshake.server_hello.is_none();
    // What the capture cut or missed may have been a hello.
    let quality = Quality::of(handshake);
    let whole = !(quality.snaplen || quality.gap || quality.one_direction || quality.midstream);
    let first = seen.from == Side::Client && read && whole && is_own(alert);
    if alert != AlertDescription::INTERNAL_ERROR && !first {
        return None;
    }
    let outdated = handshake.hello().is_some_and(|hello| offer::is_outdated(hello, case.knowledge));
    let for_the_hello = seen.from == Side::Server && handshake.server_hello.is_none() && handshake.carried.is_none();
    let (confidence, summary) = match seen.from {
        Side::Client if first => (
            Confidence::Certain,
            "The client could not build a ClientHello from its own settings: its first record is an alert.".to_owned(),
        ),
        // In the place of a ServerHello it may mean the version, or a name that was never served here.
        Side::Server if outdated || for_the_hello && case.knowledge.completed_same_name == 0 => {
            (Confidence::Likely, format!("The server {} reports an internal error.", offer::server(case)))
        }
        Side::Server => (Confidence::Strong, format!("The server {} reports an error of its own (internal_error).", offer::server(case))),
        // Many codes of an answer that is not in the capture hide behind this one.
        Side::Client if handshake.server_hello.is_none() => (
            Confidence::Likely,
            "The client reports an error of its own (internal_error); the message that it answers is not in the capture.".to_owned(),
        ),
        // Supplicants say so when their own check of the server's name or certificate fails.
        Side::Client if handshake.carried.is_some() && handshake.server_chain.is_some() => {
            (Confidence::Likely, "The supplicant reports an error of its own (internal_error) behind the server's certificate.".to_owned())
        }
        // Nor is it known what it can do of itself.
        Side::Client if handshake.client_hellos.is_empty() => (
            Confidence::Likely,
            "The client reports an error of its own (internal_error); its ClientHello is not in the capture.".to_owned(),
        ),
        Side::Client => (Confidence::Strong, "The client reports an error of its own (internal_error).".to_owned()),
    };
    // OpenSSL's security level says so of a version that is too old for it.
    let old_answer = seen.from == Side::Client
        && handshake.server_hello.as_ref().is_some_and(|hello| hello.what.version().rank() <= ProtocolVersion::TLS11.rank());
    // What a client says behind the server's flight is most often about the certificate, and any rule that can say what explains it better.
    let behind_flight = seen.from == Side::Client && (handshake.server_hello_done.is_some() || handshake.server_flight_is_over());
    // Go's servers say so of a name that they have no certificate for.
    let by_name = for_the_hello && case.refused_by_name();
    let weight = if old_answer || behind_flight || by_name { Weight::Fallback } else { Weight::Explains };
    let mut finding = Finding::new(Cause::InternalError, confidence, summary).weight(weight);
    if let Some(hello) = handshake.last_hello() {
        finding = finding.shown_by(hello.mark, format!("client offers {}", offer::versions(&hello.what)));
    }
    finding = finding.shown_by(seen.mark, format!("{} sent alert {}", seen.from, offer::spoken(alert)));
    if outdated {
        finding = finding.or_else(&[Cause::ClientVersionTooOld]);
    }
    if for_the_hello {
        finding = finding.or_else(&[if handshake.server_name().is_some() { Cause::SniUnrecognized } else { Cause::SniMissing }]);
    }
    finding = finding.advise(remedy::log(handshake, seen.from, "it records the reason"));
    if first {
        return Some(finding.advise("On the client, check the TLS configuration: its versions, groups, signature algorithms and security level must leave something to offer."));
    }
    Some(finding.advise(remedy::s_client(handshake, "")))
}

/// Codes with which stacks give up before their `ClientHello`.
const fn is_own(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(alert, A::INTERNAL_ERROR | A::HANDSHAKE_FAILURE | A::PROTOCOL_VERSION | A::INSUFFICIENT_SECURITY)
}
