//! Rules of the family names.

use crate::diagnosis::rule::Rule;

mod alpn_no_overlap;
mod sni_missing;
mod sni_unrecognized;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[&sni_unrecognized::RULE, &sni_missing::RULE, &alpn_no_overlap::RULE];
