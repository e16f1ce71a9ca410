//! Rules of the family capture: what the capture lacks must be known before anybody is blamed for it.

use crate::diagnosis::rule::Rule;

mod ended;
mod gaps;
mod one_direction;
mod snaplen;
mod started_late;
#[cfg(test)]
mod tests;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[&one_direction::RULE, &snaplen::RULE, &started_late::RULE, &gaps::RULE, &ended::RULE];
