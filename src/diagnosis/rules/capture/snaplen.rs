//! `capture-snaplen`: the packets were cut.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::Outcome;
use crate::transport::SideFacts;
use crate::wording::counted;

use super::lacking;

pub(super) const RULE: Rule = Rule { cause: Cause::CaptureSnaplen, against: &[], page: page!("capture-snaplen"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let sum = |count: fn(&SideFacts) -> u32| Side::BOTH.into_iter().map(|side| count(view.side(side))).fold(0, u32::saturating_add);
    let cut = sum(|side| side.snaplen_cut);
    if cut == 0 || case.handshake.outcome == Outcome::Completed {
        return None;
    }
    let packets = counted(cut, "packet", "packets");
    let before = sum(|side| side.cut_before) > 0;
    let (summary, shown, advice) = if before {
        (
            format!(
                "{packets} of this handshake with {} had been cut before the capture saw them; the bytes that were cut off are lost.",
                view.target()
            ),
            format!("{packets} with payload: the frame ends before the IP packet that its header announces"),
            "Switch off slicing, truncation or a snapshot length in the mirror session or packet broker that sends these frames, and capture again:",
        )
    } else {
        (
            format!("The capture truncated {packets} of this handshake with {}; the bytes it cut off are lost.", view.target()),
            format!("{packets} with payload: shorter in the file than on the wire"),
            "Capture again with whole packets:",
        )
    };
    let finding = lacking(case, Finding::new(Cause::CaptureSnaplen, Confidence::Certain, summary)).noting(shown);
    Some(finding.advise(advice).advise(remedy::capture_here(case.handshake, "-w whole.pcap")))
}
