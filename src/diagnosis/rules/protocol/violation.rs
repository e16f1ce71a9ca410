//! What the two rules on protocol violations share: which alerts speak of one, and how an anomaly reads.

use crate::anomaly::{Anomaly, AnomalyKind};
use crate::diagnosis::case::Case;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::offer;
use crate::flow::Side;
use crate::tls::client_hello::Defect;
use crate::tls::registry::{AlertDescription as A, HandshakeType};
use crate::transport::{FlowEvent, FlowEventKind};
use crate::wording::counted;

/// The sender of this alert says that the peer broke the protocol.
pub(super) const fn accuses(alert: A) -> bool {
    matches!(
        alert,
        A::UNEXPECTED_MESSAGE
            | A::RECORD_OVERFLOW
            | A::ILLEGAL_PARAMETER
            | A::DECODE_ERROR
            | A::MISSING_EXTENSION
            | A::UNSUPPORTED_EXTENSION
    )
}

/// With which alerts stacks answer such a defect (RFC 8446 sections 4.1, 4.2 and 6.2). An alert that accuses the peer proves a defect only when
/// it is one that says so.
pub(super) fn fits(alert: A, defect: &Defect) -> bool {
    match alert {
        A::UNSUPPORTED_EXTENSION => ["did not send", "does not belong", "listed twice"].iter().any(|words| defect.rule.contains(words)),
        A::MISSING_EXTENSION => defect.rule.starts_with("missing") || defect.rule.contains("without"),
        A::PROTOCOL_VERSION => matches!(defect.field, "version" | "supported_versions" | "legacy_version" | "random"),
        // They speak of records and of messages, not of what a hello holds.
        A::RECORD_OVERFLOW | A::UNEXPECTED_MESSAGE => false,
        // Broken values, broken encodings and handshake_failure, which stacks do not tell apart, and codes that say nothing of the kind.
        _ => true,
    }
}

/// The defect to name: the first that the alert speaks of, else the first; and how sure it is that it was minded.
pub(super) fn named(defects: &[Defect], alert: Option<A>, confidence: Confidence) -> Option<(&Defect, Confidence)> {
    let fitting = defects.iter().find(|defect| alert.is_none_or(|alert| fits(alert, defect)));
    Some((fitting.or_else(|| defects.first())?, weighed(confidence, fitting.is_some())))
}

/// An alert that speaks of something else leaves it at likely.
pub(super) fn weighed(confidence: Confidence, fits: bool) -> Confidence {
    if fits { confidence } else { confidence.min(Confidence::Likely) }
}

/// The same of an anomaly.
pub(super) fn fits_anomaly(alert: A, kind: &AnomalyKind) -> bool {
    match (alert, kind) {
        (A::RECORD_OVERFLOW, kind) => matches!(kind, AnomalyKind::RecordTooLong { .. } | AnomalyKind::MessageTooLong { .. }),
        (A::UNEXPECTED_MESSAGE, kind) => !matches!(kind, AnomalyKind::Defect { .. } | AnomalyKind::RecordTooLong { .. }),
        (alert, AnomalyKind::Defect { field, rule }) => fits(alert, &Defect { field, rule }),
        (A::UNSUPPORTED_EXTENSION | A::MISSING_EXTENSION, _) => false,
        _ => true,
    }
}

/// Adds how this side answered what it would not take.
pub(super) fn answered(case: &Case<'_>, side: Side, finding: Finding) -> Finding {
    match (offer::alert_from(case, side), case.handshake.end) {
        (Some((seen, alert)), _) => finding.shown_by(seen.mark, format!("{side} sent alert {}", offer::spoken(alert))),
        (None, Some(mark)) => finding.shown_by(mark, format!("{side} ended the connection")),
        (None, None) => finding,
    }
}

/// The first anomaly of a side that breaks a rule, and what it is in words. Plaintext in TLS's place is another family's.
pub(super) fn anomaly_of<'a>(case: &Case<'a>, side: Side) -> Option<(&'a Anomaly, String)> {
    let missing = |event: &&FlowEvent| event.side == side && matches!(event.kind, FlowEventKind::Gap { .. });
    let hole = case.handshake.flow.events.iter().find(missing).map(|event| event.mark);
    // Behind bytes that the capture lacks, what follows is not known for what it is.
    // What one side says to the other in which order does not show where the clocks of the two differ.
    let in_step = |kind: &AnomalyKind| case.handshake.flow.out_of_step == 0 || !matches!(kind, AnomalyKind::OutOfOrder { .. });
    let anomalies = case.handshake.anomalies.iter();
    // A server marks its random because of the hello that it got: which may not be the one that was sent.
    let marked = |kind: &AnomalyKind| matches!(kind, AnomalyKind::Defect { field: "random", .. });
    let anomalies = anomalies.filter(|anomaly| !marked(&anomaly.kind));
    let anomalies =
        anomalies.filter(|anomaly| anomaly.side == side && in_step(&anomaly.kind) && hole.is_none_or(|hole| anomaly.mark < hole));
    anomalies.into_iter().find_map(|anomaly| describe(&anomaly.kind).map(|text| (anomaly, text)))
}

fn describe(kind: &AnomalyKind) -> Option<String> {
    let message = |value: &u8| HandshakeType(*value);
    Some(match kind {
        AnomalyKind::RecordTooLong { len } => {
            format!("a record of {len}, longer than any version allows (RFC 8446 section 5.1)", len = counted(*len, "byte", "bytes"))
        }
        AnomalyKind::MessageTooLong { message: kind, len } => {
            format!("a {} message of {len}", message(kind), len = counted(*len, "byte", "bytes"))
        }
        AnomalyKind::Malformed { message: kind } => format!("a {} message that cannot be read (RFC 8446 section 4)", message(kind)),
        AnomalyKind::Defect { field, rule } => format!("{field}: {rule}"),
        AnomalyKind::OutOfOrder { message: kind, expected } => {
            format!("{} where {expected} was expected (RFC 8446 section 4)", message(kind))
        }
        AnomalyKind::EchoedHello => "the client's own ClientHello".to_owned(),
        AnomalyKind::MalformedAlert { len } => format!("an alert of {len} (RFC 8446 section 6)", len = counted(*len, "byte", "bytes")),
        AnomalyKind::UnknownContentType { content_type } => {
            format!("a record of the unknown content type {content_type} (RFC 8446 section 5)")
        }
        _ => return None,
    })
}

/// Broken rules listed as evidence.
pub(super) const MOST_DEFECTS: usize = 4;
