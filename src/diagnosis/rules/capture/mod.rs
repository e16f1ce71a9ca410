//! Rules of the family capture: what the capture lacks must be known before anybody is blamed for it.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Family;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::offer;
use crate::diagnosis::rule::{RuleFamily, Rules};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::View;
use crate::handshake::facts::{Outcome, StoppedBy};

mod ended;
mod gaps;
mod one_direction;
mod out_of_step;
mod snaplen;
mod started_late;
#[cfg(test)]
mod tests;

/// The family; an earlier rule wins a tie.
pub const FAMILY: RuleFamily = RuleFamily {
    family: Family::Capture,
    speaks: Signs::UNFINISHED.or(Signs::NO_HELLO),
    rules: Rules::Each(&[&out_of_step::RULE, &one_direction::RULE, &snaplen::RULE, &started_late::RULE, &gaps::RULE, &ended::RULE]),
};

/// Its packets were picked out by what they carry: what is not there was not lost, nor did the capture begin too late, just in front of the first message.
fn filtered(case: &Case<'_>) -> bool {
    let (facts, view) = (case.handshake, View::new(case.handshake));
    facts.outcome == Outcome::Incomplete && facts.flow.is_picked_out() && (view.hello_begun() || view.server_hello_begun())
}

/// The other side may be in the capture, in another tunnel, and nothing tells whether it is.
const fn unclear(case: &Case<'_>) -> bool {
    case.handshake.flow.unclear
}

/// What is said of it.
const ELSEWHERE: &str = "packets between the same addresses and ports in another tunnel or VLAN may be the other direction, or another connection; nothing in them tells";

/// What the capture lacks, for its place in the verdict: of a handshake whose end is not in the capture it is the cause, and of one that failed it
/// is the reserve, for then the end is known and only the reason may be missing.
fn lacking(case: &Case<'_>, finding: Finding) -> Finding {
    if case.handshake.outcome == Outcome::Incomplete {
        return finding.weight(Weight::Overrides).stopped_by(StoppedBy::Capture);
    }
    let finding = Finding { confidence: finding.confidence.min(Confidence::Likely), ..finding }.weight(Weight::Fallback);
    let alert = case.handshake.deciding_alert().and_then(|seen| Some((seen, seen.alert?.description)));
    match alert {
        Some((seen, alert)) => finding.shown_by(seen.mark, format!("{} sent alert {}", seen.from, offer::spoken(alert))),
        None => finding,
    }
}
