//! What counts as a failure.

use super::HandshakeReport;

impl HandshakeReport {
    /// Whether it failed: neither completed, nor cut off by the capture, nor a mere probe that wanted no handshake.
    pub fn failed(&self) -> bool {
        !matches!(self.handshake.outcome.as_str(), "completed" | "incomplete") && self.diagnosis.cause.as_deref() != Some(PROBE)
    }
}

/// Connected and left without a byte.
const PROBE: &str = "tcp-probe";
