//! Rules of the family path: packets die between the two ends, or a side does not take them.

use crate::diagnosis::cause::Cause;
use crate::diagnosis::rule::{Case, Rule};
use crate::diagnosis::view::View;
use crate::flow::Side;

mod black_hole;
mod black_hole_udp;
mod fragments;
mod icmp_ignored;
mod loss;
mod one_way;
#[cfg(test)]
mod tests;
mod zero_window;

/// The family's rules; earlier wins a tie.
pub const RULES: &[&Rule] = &[&icmp_ignored::RULE, &black_hole::RULE, &fragments::RULE, &zero_window::RULE, &one_way::RULE, &loss::RULE];

/// Packets of the server are lost before they reach the capture, in this handshake or in others with the same server: a late message may have
/// been sent in time.
pub(super) fn lost_before_capture(case: &Case<'_>, view: View<'_>) -> bool {
    let elsewhere = case.knowledge.causes.iter().any(|(cause, count)| *cause == Cause::PacketLoss && *count >= 2);
    elsewhere || view.loses_unseen(Side::Server)
}
