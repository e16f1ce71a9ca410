//! One of the two points at which a handshake was captured.

use super::vantage::Vantage;
use crate::report::{Cause, Confidence, Handshake, Outcome, Protocol, StoppedBy};

/// One point's view of a handshake: its report, if it gave one, and its packets.
#[derive(Debug)]
pub struct Point<'a> {
    /// The report.
    pub report: Option<&'a Handshake<'a>>,
    /// The packets.
    pub view: &'a Vantage,
}

impl Point<'_> {
    pub(super) fn completed(&self) -> bool {
        self.report.is_some_and(|report| report.handshake.outcome == Outcome::Completed)
    }

    pub(super) fn cause(&self) -> Option<Cause> {
        self.report.and_then(|report| report.diagnosis.cause)
    }

    pub(super) fn confidence(&self) -> Option<Confidence> {
        self.report.and_then(|report| report.diagnosis.confidence)
    }

    pub(super) fn blames_path(&self) -> Option<(Cause, Confidence)> {
        self.report.filter(|report| report.diagnosis.stopped_by == StoppedBy::Network).and_then(|_| self.cause().zip(self.confidence()))
    }

    /// Its capture lacks packets of the connection.
    pub(super) fn has_gaps(&self) -> bool {
        self.report.is_some_and(|report| {
            let quality = report.capture.quality;
            quality.gap || quality.drops || quality.lossy || quality.picked_out
        })
    }

    pub(super) fn is_quic(&self) -> bool {
        self.report.is_some_and(|report| report.network.protocol == Protocol::Quic)
    }

    pub(super) fn saw_nothing(&self) -> bool {
        self.view.packets.is_empty()
    }
}
