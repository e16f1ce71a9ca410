//! `capture-started-late`: the connection was under way when the capture began.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::handshake::facts::{Outcome, StoppedBy};

use super::{ELSEWHERE, filtered, lacking, unclear};

pub(super) const RULE: Rule = Rule { cause: Cause::CaptureStartedLate, against: &[], page: page!("capture-started-late"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    // Of a side of which no datagram is there at all, none came too early.
    let unseen = !view.is_tcp() && view.client().packets == 0;
    if case.handshake.flow.saw_start() || view.hello_whole() || unseen || filtered(case) {
        return explained_by_nothing_else(case, view);
    }
    let finding = Finding::new(
        Cause::CaptureStartedLate,
        if unclear(case) { Confidence::Likely } else { Confidence::Certain },
        format!("The capture lacks the start of the connection to {}: its ClientHello is missing.", view.target()),
    );
    let finding = if unclear(case) { finding.noting(ELSEWHERE) } else { finding };
    let finding = if case.handshake.outcome == Outcome::Completed {
        finding.weight(Weight::Note).stopped_by(StoppedBy::Nobody)
    } else {
        lacking(case, finding)
    };
    Some(shown(case, finding.or_else(&[Cause::CaptureGaps])))
}

fn shown(case: &Case<'_>, finding: Finding) -> Finding {
    finding
        .shown_by(case.handshake.flow.first, "first captured packet of the connection, and not the one that opened it")
        .advise("Start the capture first, then make the client connect again.")
}

/// What would explain its end may stand in what is missing of its start: the client's SYN, or the datagram that opened it.
fn explained_by_nothing_else(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let lacks_start = if view.is_tcp() { view.client().syn.is_none() && view.client().packets > 0 } else { !facts.flow.saw_start() };
    if !lacks_start || !facts.outcome.failed() {
        return None;
    }
    let finding = Finding::new(
        Cause::CaptureStartedLate,
        Confidence::Hint,
        format!(
            "The capture lacks the first packets of the connection to {}, and what it holds does not show why it ended.",
            view.target()
        ),
    );
    Some(shown(case, finding.weight(Weight::Fallback)))
}
