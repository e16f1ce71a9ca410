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
use crate::wording::counted;

use super::lacking;

pub(super) const RULE: Rule = Rule { cause: Cause::CaptureSnaplen, against: &[], page: page!("capture-snaplen"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let cut: u32 = Side::BOTH.into_iter().map(|side| view.side(side).snaplen_cut).fold(0, u32::saturating_add);
    if cut == 0 || case.handshake.outcome == Outcome::Completed {
        return None;
    }
    let finding = Finding::new(
        Cause::CaptureSnaplen,
        Confidence::Certain,
        format!(
            "The capture truncated {cut} of this handshake with {}; the bytes it cut off are lost.",
            view.target(),
            cut = counted(cut, "packet", "packets")
        ),
    );
    Some(
        lacking(case, finding)
            .noting(format!("{cut} with payload: shorter in the file than on the wire", cut = counted(cut, "packet", "packets")))
            .advise("Capture again with whole packets:")
            .advise(remedy::capture_here(case.handshake, "-w whole.pcap")),
    )
}
