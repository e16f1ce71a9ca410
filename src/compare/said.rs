//! What a point's own report says, as the types it was made from.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::rule::Confidence;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::report::HandshakeReport;

pub(super) fn completed(report: &HandshakeReport) -> bool {
    report.handshake.outcome == Outcome::Completed.name()
}

pub(super) fn cause(report: &HandshakeReport) -> Option<Cause> {
    report.diagnosis.cause.as_deref()?.parse().ok()
}

pub(super) fn confidence(report: &HandshakeReport) -> Option<Confidence> {
    let word = report.diagnosis.confidence.as_deref()?;
    Confidence::ALL.into_iter().find(|confidence| confidence.name() == word)
}

pub(super) fn is_stopped_by(report: &HandshakeReport, who: StoppedBy) -> bool {
    report.diagnosis.stopped_by == who.name()
}

pub(super) fn is_quic(report: &HandshakeReport) -> bool {
    report.network.protocol == "quic"
}

/// Cause and confidence of a report that blames the path.
pub(super) fn blames_path(report: &HandshakeReport) -> Option<(Cause, Confidence)> {
    if is_stopped_by(report, StoppedBy::Network) { cause(report).zip(confidence(report)) } else { None }
}
