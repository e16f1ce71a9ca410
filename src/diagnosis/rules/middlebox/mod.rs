//! Rules of the family middlebox.

use crate::diagnosis::rule::Rule;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[];
