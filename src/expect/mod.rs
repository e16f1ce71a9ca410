//! Beside the floors: what should be true of captures, and whether it is. A file of expectations and sightings go in, what holds and what does not
//! comes out.
//!
//! Invariant: what was not observed is told apart from what does not hold. A certificate that TLS 1.3 hides is neither right nor wrong.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

mod check;
mod file;
mod learn;
#[cfg(test)]
mod tests;

pub use check::{CheckResult, Checker, Example, Found, Outcome, ServiceResult, Status};
pub use file::{Expectations, Mistake, Service};
pub use learn::Learner;

/// What can be expected of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Handshakes are seen at all.
    Handshakes,
    /// Versions completed with.
    Versions,
    /// Groups completed with.
    Groups,
    /// Suites completed with.
    Ciphers,
    /// Issuers of leaf certificates.
    Issuers,
    /// Days for which leaf certificates are still valid.
    DaysToExpiry,
    /// The share of handshakes that fail.
    FailureRate,
    /// The causes that are found.
    Causes,
}

impl What {
    /// Its key in the file.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Handshakes => "handshakes",
            Self::Versions => "versions",
            Self::Groups => "groups",
            Self::Ciphers => "ciphers",
            Self::Issuers => "issuers",
            Self::DaysToExpiry => "days_to_expiry",
            Self::FailureRate => "failure_rate",
            Self::Causes => "causes",
        }
    }
}
