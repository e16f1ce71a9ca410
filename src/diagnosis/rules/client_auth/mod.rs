//! Rules of the family client-auth: the server asked for a certificate and was not content with the answer.
//!
//! The client's answer is a fact ([`answer`]): none, or a chain that can be seen up to TLS 1.2 or with keys. What the server did then picks the cause.

use crate::diagnosis::rule::Rule;

mod answer;
mod expired;
mod missing;
mod rejected;
mod revoked;
#[cfg(test)]
mod tests;
mod untrusted;
mod wrong_usage;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[&missing::RULE, &expired::RULE, &revoked::RULE, &wrong_usage::RULE, &untrusted::RULE, &rejected::RULE];
