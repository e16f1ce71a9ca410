//! `capture-out-of-step`: the two directions were captured by clocks that differ.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::wording::counted;

pub(super) const RULE: Rule = Rule { cause: Cause::CaptureOutOfStep, against: &[], page: page!("capture-out-of-step"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let late = facts.flow.out_of_step;
    if late == 0 || facts.outcome != Outcome::Incomplete {
        return None;
    }
    let summary = format!(
        "The clocks of the two directions differ in this capture: what was sent stands behind what answers it. Who ended the handshake with {}, and whether it failed, does not show.",
        View::new(facts).target()
    );
    Some(
        Finding::new(Cause::CaptureOutOfStep, Confidence::Strong, summary)
            .weight(Weight::Overrides)
            .stopped_by(StoppedBy::Capture)
            .noting(format!("{} behind what answers or acknowledges them", counted(late, "packet stands", "packets stand")))
            .advise("Capture both directions on one clock: on a host, or with a mirror port that carries both; or set the clocks of both taps by the same source (PTP)."),
    )
}
