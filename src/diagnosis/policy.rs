//! Thresholds of the judgement.

use std::time::Duration;

/// Thresholds, set by the user or by default.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// No progress for longer than this is a stall.
    pub stall_after: Duration,
    /// A completed handshake in which one side took longer than this is slow.
    pub slow_after: Duration,
    /// A certificate that expires within this is worth mentioning.
    pub expiry_warning: Duration,
    /// The capture filter excluded ICMP, so that its absence proves nothing.
    pub icmp_filtered: bool,
    /// Asks every family, whatever the signs: it changes nothing but the time it takes, which is what a test needs it for.
    pub ask_all: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            stall_after: Duration::from_secs(10),
            slow_after: Duration::from_secs(2),
            expiry_warning: Duration::from_secs(14 * 86_400),
            icmp_filtered: false,
            ask_all: false,
        }
    }
}
