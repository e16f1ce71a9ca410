//! Rules of the family path.

use crate::diagnosis::rule::Rule;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[];
