//! `throttled`: the path crawls after this ClientHello.

use std::time::Duration;

use crate::diagnosis::against::{Contrary, lowers};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::transport::FlowEventKind;
use crate::wording::counted;

pub(super) const RULE: Rule =
    Rule { cause: Cause::Throttled, against: &[lowers(Contrary::SameHelloCompleted)], page: page!("throttled"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if !view.is_tcp() || facts.outcome == Outcome::Incomplete || !view.hello_whole() {
        return None;
    }
    let first = facts.server_hello.as_ref()?.first;
    let end = facts.finished.client.max(facts.finished.server).unwrap_or_else(|| view.stop());
    let took = end.time.since(first.time);
    let repeats = facts.flow.events.iter().filter(|event| {
        event.side == Side::Server
            && event.mark.frame > first.frame
            && event.mark.frame <= end.frame
            && matches!(event.kind, FlowEventKind::Retransmission { .. } | FlowEventKind::OutOfOrder { .. })
    });
    let repeats = repeats.count();
    let quick_start = view.rtt() > Duration::ZERO && view.rtt() < QUICK && view.client().syn.is_some_and(|syn| syn.count == 1);
    let progress = view.server().acked > 0 && view.server().delivered > u64::from(view.server().largest_segment);
    let one_sided = view.client().retransmits <= 1;
    let crawls = view.crawls(Side::Server);
    if took < LONG || repeats < MANY && !crawls || !quick_start || !progress || !one_sided || view.black_hole(Side::Server).is_some() {
        return None;
    }
    let others = case.knowledge.completed_other_names;
    let sure = others >= 2 && case.knowledge.completed_same_name == 0;
    let confidence = match (sure, crawls) {
        (true, _) => Confidence::Strong,
        (false, true) => Confidence::Likely,
        (false, false) => Confidence::Hint,
    };
    let how = if crawls {
        let bytes = counted(view.server().delivered, "byte", "bytes");
        format!("{bytes} from the server took {}, one packet after the other", span_text(took))
    } else {
        format!("the server's flight took {} with {}", span_text(took), counted(repeats, "retransmission", "retransmissions"))
    };
    let finding = Finding::new(
        Cause::Throttled,
        confidence,
        format!("After the ClientHello for {}, the connection slowed to a crawl: {how}.", view.target()),
    );
    let finding = if crawls {
        finding.noting(format!(
            "{} came after a pause of {} and more, though the client had acknowledged all that came before, and a round trip takes {}",
            counted(view.server().paced, "packet", "packets"),
            span_text(View::PACE),
            span_text(view.rtt())
        ))
    } else {
        finding
    };
    let mut finding = finding
        .weight(if sure || crawls { Weight::Explains } else { Weight::Note })
        .stopped_by(StoppedBy::Network)
        .shown_by(first, "start of the server's answer");
    if repeats > 0 {
        finding = finding.noting(format!(
            "{} from the server within {}",
            counted(repeats, "retransmitted or out-of-order segment", "retransmitted or out-of-order segments"),
            span_text(took)
        ));
    }
    if others > 0 {
        finding = finding.noting(format!(
            "{others} with the same server for other names completed",
            others = counted(others, "handshake", "handshakes")
        ));
    }
    Some(
        finding
            .or_else(&[Cause::PacketLoss])
            .advise("Compare the speed for this name with that for another name at the same address, with and without a VPN:")
            .advise(
                remedy::curl(facts, "-o /dev/null")
                    .map(|command| command.option("-w", "%{time_connect} %{time_appconnect} %{speed_download}\\n")),
            ),
    )
}

/// A server's flight takes no longer without interference.
const LONG: Duration = Duration::from_secs(4);
/// A TCP handshake on a path that is not slow by itself.
const QUICK: Duration = Duration::from_millis(500);
/// So many repairs are no accident in a flight of a few segments.
const MANY: usize = 6;
