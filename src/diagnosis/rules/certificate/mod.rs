//! Rules of the family certificate.

use crate::diagnosis::rule::Rule;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[];
