//! `server-version-too-old`.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::contrast;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::offer;
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::tls::registry::{AlertDescription as A, ProtocolVersion};

/// The rule.
pub(super) const RULE: Rule = Rule { cause: Cause::ServerVersionTooOld, against: &[], page: page!("server-version-too-old"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    chosen(case).or_else(|| lacking(case))
}

/// The server chose a version that the client refuses.
fn chosen(case: &Case<'_>) -> Option<Finding> {
    let handshake = case.handshake;
    let answer = handshake.server_hello.as_ref()?;
    let hello = handshake.hello()?;
    let version = answer.what.version();
    if !handshake.outcome.failed() || version.name().is_none() || version.is_tls13() || version.rank() > hello.highest_version().rank() {
        return None;
    }
    let below = hello.lowest_version().is_some_and(|lowest| version.rank() < lowest.rank());
    let by_client = handshake.stopped_by == StoppedBy::Client && handshake.client_key_exchange.is_none();
    let old = version.rank() <= ProtocolVersion::TLS11.rank();
    let alert = offer::alert_from(case, Side::Client);
    let confidence = match alert.map(|(_, description)| description) {
        Some(A::PROTOCOL_VERSION) => Confidence::Certain,
        _ if below => Confidence::Strong,
        // The client got the best that it offered: only its own word can say that it minds.
        _ if version.rank() >= hello.highest_version().rank() => return None,
        Some(A::HANDSHAKE_FAILURE | A::ILLEGAL_PARAMETER | A::INTERNAL_ERROR | A::INSUFFICIENT_SECURITY) if old => Confidence::Likely,
        None if old && by_client && handshake.deciding_alert().is_none() => Confidence::Likely,
        _ => return None,
    };
    let reaction =
        alert.map_or_else(|| "ended the handshake".to_owned(), |(_, description)| format!("sent alert {}", offer::spoken(description)));
    let summary =
        format!("The server {} chose {}, which the client does not accept; the client {reaction}.", offer::server(case), version.spoken());
    let mut finding =
        Finding::new(Cause::ServerVersionTooOld, confidence, summary).shown_by(answer.mark, format!("server chose {}", version.spoken()));
    if let Some(asked) = handshake.last_hello().filter(|_| hello.lists_versions()) {
        finding = finding.shown_by(asked.mark, format!("client offers {}", offer::versions(hello)));
    }
    if let Some((seen, description)) = alert {
        finding = finding.shown_by(seen.mark, format!("client sent alert {}", offer::spoken(description)));
    }
    if confidence <= Confidence::Likely {
        finding = finding.or_else(&[Cause::ServerCertificateRejected, Cause::NoCommonVersion]);
    }
    Some(
        finding
            .advise(format!("Update the server so that it supports TLS 1.2 or 1.3: {} is deprecated.", version.spoken()))
            .advise("Check what it accepts:")
            .advise(remedy::s_client(handshake, "-tls1_2")),
    )
}

/// The client offers TLS 1.3 only, or nothing as old as what the server chose for others, and the server refuses the hello.
fn lacking(case: &Case<'_>) -> Option<Finding> {
    // QUIC has no older version (RFC 9001 section 4.2): a server that answers over it speaks TLS 1.3.
    let refusal = offer::refusal(case).filter(|_| case.handshake.quic.is_none())?;
    let hello = refusal.hello;
    let lowest = contrast::lowest_version(hello)?;
    let known = &case.knowledge.versions;
    let only_older = contrast::parts_versions(hello, known);
    if !(lowest.is_tls13() || only_older) || !offer::grave_defects(hello).is_empty() {
        return None;
    }
    let has13 = known.iter().any(|version| version.is_tls13());
    let narrow = !offer::suspects(hello, case.knowledge).is_empty();
    let confidence = match refusal.alert {
        Some(A::PROTOCOL_VERSION) if !lowest.is_tls13() => Confidence::Strong,
        Some(A::HANDSHAKE_FAILURE | A::INSUFFICIENT_SECURITY) if !lowest.is_tls13() => Confidence::Likely,
        _ if !lowest.is_tls13() => return None,
        Some(A::PROTOCOL_VERSION) if !has13 => Confidence::Certain,
        Some(A::PROTOCOL_VERSION) => Confidence::Likely,
        Some(_) if only_older => Confidence::Strong,
        // What others were given may be all that they asked for, and whoever closes may be ill.
        None if only_older => Confidence::Likely,
        Some(A::HANDSHAKE_FAILURE) if !has13 && !narrow => Confidence::Likely,
        _ => return None,
    };
    let answer = refusal.alert.map_or_else(|| "closed the connection".to_owned(), |alert| format!("sent alert {}", offer::spoken(alert)));
    let summary = format!(
        "The client offers {}, which the server {} does not support: the server {answer}.",
        offer::versions(hello),
        offer::server(case)
    );
    let mut finding = refusal.finding(Cause::ServerVersionTooOld, confidence, summary, format!("client offers {}", offer::versions(hello)));
    if only_older {
        finding =
            finding.noting(format!("this server chose {} for other clients", offer::listed(known.iter().map(|version| version.spoken()))));
    }
    if confidence < Confidence::Strong {
        let others: &[Cause] = if refusal.alert.is_some() {
            &[Cause::NoCommonGroup, Cause::NoCommonSignatureAlgorithm, Cause::HandshakeFailure]
        } else {
            &[Cause::ServerClosed, Cause::ServerReset]
        };
        finding = finding.or_else(others);
    }
    let advice = if lowest.is_tls13() {
        "On the server, enable TLS 1.3; or on the client, offer TLS 1.2 as well."
    } else {
        "On the server, enable TLS 1.2 or 1.3: what it chose for others is deprecated."
    };
    Some(
        finding
            .or_else(&[Cause::NoCommonVersion])
            .advise(advice)
            .advise("Confirm what the server accepts:")
            .advise(remedy::s_client(case.handshake, "-tls1_2")),
    )
}
