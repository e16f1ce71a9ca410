//! `dtls-no-answer`: the ClientHello is repeated, nothing comes back.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, ordinal, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::wording::times;

pub(super) const RULE: Rule = Rule { cause: Cause::DtlsNoAnswer, against: &[], page: page!("dtls-no-answer"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    let dtls = view.failed_over_dtls()?;
    if !view.unanswered() || case.handshake.outcome != Outcome::Stalled || view.refused_datagram().is_some() || !view.hello_begun() {
        return None;
    }
    let (tries, span) = view.hello_tries();
    let summary = if tries > 1 {
        format!("{} never answered the ClientHello, sent {tries} within {}.", view.target(), span_text(span), tries = times(tries))
    } else {
        format!("{} did not answer the ClientHello.", view.target())
    };
    // Where the capture shows no side but the client's of anything, it may lack the answers.
    let sure = tries >= 3 && case.knowledge.hears_both_sides;
    let finding = Finding::new(Cause::DtlsNoAnswer, if sure { Confidence::Strong } else { Confidence::Likely }, summary)
        .stopped_by(StoppedBy::Network)
        .shown_by(case.handshake.flow.first, "first ClientHello");
    let finding = match view.repeats(Side::Client) {
        Some(repeats) => finding
            .shown_by(repeats.last, format!("ClientHello sent for the {} time; no record from the server, no ICMP error", ordinal(tries))),
        None => finding,
    };
    let finding =
        if dtls.fragmented.client > 0 { finding.noting("the ClientHello is fragmented, which some servers cannot read") } else { finding };
    Some(
        finding
            .or_else(&[Cause::ServerFlightDropped, Cause::DtlsRefused])
            .advise("Capture on the server at the same time. If the ClientHello arrives there, check the server and the way back; if not, the firewalls on the path.")
            .advise(remedy::show_lines(case.handshake))
            .advise(remedy::s_client(case.handshake, "")),
    )
}
