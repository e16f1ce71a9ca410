//! Rules of the family path: packets die between the two ends, or a side does not take them.

use crate::diagnosis::cause::Family;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;

mod black_hole;
mod black_hole_udp;
mod fragments;
mod icmp_ignored;
mod loss;
mod one_way;
mod probed;
#[cfg(test)]
mod tests;
mod zero_window;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Path,
    speaks: Signs::UNFINISHED.or(Signs::LOSS).or(Signs::SLOW).or(Signs::ZERO_WINDOW),
    rules: Rules::Each(&[&icmp_ignored::RULE, &black_hole::RULE, &fragments::RULE, &zero_window::RULE, &one_way::RULE, &loss::RULE]),
};
