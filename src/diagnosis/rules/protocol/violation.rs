//! What the two rules on protocol violations share: which alerts speak of one, and how an anomaly reads.

use crate::anomaly::{Anomaly, AnomalyKind};
use crate::diagnosis::rule::Case;
use crate::flow::Side;
use crate::tls::registry::{AlertDescription as A, HandshakeType};

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

/// The first anomaly of a side that breaks a rule, and what it is in words. Plaintext in TLS's place is another family's.
pub(super) fn anomaly_of<'a>(case: &Case<'a>, side: Side) -> Option<(&'a Anomaly, String)> {
    let anomalies = case.handshake.anomalies.iter().filter(|anomaly| anomaly.side == side);
    anomalies.into_iter().find_map(|anomaly| describe(&anomaly.kind).map(|text| (anomaly, text)))
}

fn describe(kind: &AnomalyKind) -> Option<String> {
    let message = |value: &u8| HandshakeType(*value);
    Some(match kind {
        AnomalyKind::RecordTooLong { len } => format!("a record of {len} bytes, longer than any version allows (RFC 8446 section 5.1)"),
        AnomalyKind::MessageTooLong { message: kind, len } => format!("a {} message of {len} bytes", message(kind)),
        AnomalyKind::Malformed { message: kind } => format!("a {} message that cannot be read (RFC 8446 section 4)", message(kind)),
        AnomalyKind::Defect { field, rule } => format!("{field}: {rule}"),
        AnomalyKind::OutOfOrder { message: kind, expected } => format!("{} where {expected} was due (RFC 8446 section 4)", message(kind)),
        AnomalyKind::MalformedAlert { len } => format!("an alert of {len} bytes (RFC 8446 section 6)"),
        AnomalyKind::UnknownContentType { content_type } => {
            format!("a record of the unknown content type {content_type} (RFC 8446 section 5)")
        }
        _ => return None,
    })
}
