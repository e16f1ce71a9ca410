//! Rules of the family path: packets die between the two ends, or a side does not take them.

use crate::diagnosis::rule::Rule;

mod black_hole;
mod fragments;
mod icmp_ignored;
mod loss;
mod one_way;
mod zero_window;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[&icmp_ignored::RULE, &black_hole::RULE, &fragments::RULE, &zero_window::RULE, &one_way::RULE, &loss::RULE];
