//! Rules of the family proxy.

use crate::diagnosis::rule::Rule;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[];
