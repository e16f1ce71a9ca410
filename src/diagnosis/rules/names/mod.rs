//! Rules of the family names.

use crate::diagnosis::cause::Family;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;

mod alpn_no_overlap;
mod sni_missing;
mod sni_unrecognized;
#[cfg(test)]
mod tests;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Names,
    speaks: Signs::UNFINISHED.or(Signs::ALERT).or(Signs::UNUSED),
    rules: Rules::Each(&[&sni_unrecognized::RULE, &sni_missing::RULE, &alpn_no_overlap::RULE]),
};
