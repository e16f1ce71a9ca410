//! `capture-out-of-step`: the two directions were captured by clocks that differ.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::wording::counted;

pub(super) const RULE: Rule = Rule { cause: Cause::CaptureOutOfStep, against: &[], page: page!("capture-out-of-step"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let late = facts.flow.out_of_step;
    if late == 0 || facts.outcome == Outcome::Completed {
        return None;
    }
    // What can be read for all that says more, if it says anything.
    let open = facts.outcome == Outcome::Incomplete;
    // Times that run back show that frames do not stand in their order, whatever the clocks are.
    let unsorted = facts.flow.clock_steps_back > 0;
    let why = if unsorted {
        "The packets do not stand in the order of their times in this capture"
    } else {
        "The clocks of the two directions differ in this capture"
    };
    let summary = format!(
        "{why}: what was sent stands behind what answers it. Who ended the handshake with {}, and whether it failed, does not show.",
        View::new(facts).target()
    );
    let sort = "Sort the file by time and read it again, as of directions that were captured apart and put one behind the other; if it says the same then, the clocks of the two differ:";
    let finding = Finding::new(Cause::CaptureOutOfStep, if open { Confidence::Strong } else { Confidence::Hint }, summary);
    let finding = if unsorted { finding.advise(sort).advise(Command::new("reordercap unsorted.pcap sorted.pcap")) } else { finding };
    Some(
        finding
            .weight(if open { Weight::Overrides } else { Weight::Fallback })
            .stopped_by(if open { StoppedBy::Capture } else { facts.stopped_by })
            .noting(format!("{} behind what answers or acknowledges them", counted(late, "packet stands", "packets stand")))
            .advise("Capture both directions on one clock: on a host, or with a mirror port that carries both; or set the clocks of both taps by the same source (PTP)."),
    )
}
