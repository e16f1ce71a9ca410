//! `capture-one-direction`: the packets of one side are not in the capture.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::wording::counted;

use super::{ELSEWHERE, lacking, unclear};

pub(super) const RULE: Rule = Rule { cause: Cause::CaptureOneDirection, against: &[], page: page!("capture-one-direction"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let elsewhere = case.knowledge.moved.is_some_and(|moved| moved.is_answered_elsewhere(case.handshake.server));
    if case.knowledge.stray_answer.is_some() || elsewhere {
        return None;
    }
    let view = View::new(case.handshake);
    if let Some(finding) = like_all_others(case, view).or_else(|| over_udp(case, view)) {
        return Some(finding);
    }
    if !view.is_tcp() || case.handshake.outcome == Outcome::Completed {
        return None;
    }
    let seen = Side::BOTH.into_iter().find(|side| view.side(*side).packets > 0 && view.side(side.other()).packets == 0)?;
    let missing = seen.other();
    let acknowledged = view.side(missing).acked > 0;
    // Data after a SYN that was sent once, or a SYN-ACK, show that the other side did speak.
    let spoke_on = view.side(seen).data_packets > 0 && view.side(seen).syn.is_none_or(|syn| syn.count == 1);
    // And a socket that waits for the answer to its SYN sends no RST of its own.
    let left = seen == Side::Client && view.client().resets.iter().any(|reset| reset.seq_distance == 0);
    let answers = left || seen == Side::Server && view.server().syn.is_some();
    let incomplete = case.handshake.outcome == Outcome::Incomplete;
    // Of an alert all alone the sender and the code are known, and nothing of what it answers.
    let alone = case.handshake.outcome == Outcome::Alerted;
    if !(acknowledged || (incomplete || alone) && (spoke_on || answers)) {
        return None;
    }
    let finding = Finding::new(
        Cause::CaptureOneDirection,
        if left && !acknowledged || unclear(case) { Confidence::Likely } else { Confidence::Certain },
        format!("Only the {seen}'s packets were captured on the connection to {}; what the {missing} sent is unknown.", view.target()),
    );
    let finding = if acknowledged {
        finding.noting(format!(
            "the {seen} acknowledges {} from the {missing} that the capture lacks",
            counted(view.side(missing).acked, "byte", "bytes")
        ))
    } else {
        finding.noting(format!("{} from the {seen}, none from the {missing}", counted(view.side(seen).packets, "packet", "packets")))
    };
    let finding = if unclear(case) { finding.noting(ELSEWHERE) } else { finding };
    Some(
        lacking(case, finding)
            .advise("Capture both directions: mirror both directions of the switch port, or capture on a host with a filter that names no direction.")
            .advise(remedy::capture_here(case.handshake, "-w both.pcap")),
    )
}

/// Over UDP a client without a server may have got no answer: but then it repeats its hello within a second or two.
fn over_udp(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let seen = Side::BOTH.into_iter().find(|side| view.side(*side).packets > 0 && view.side(side.other()).packets == 0)?;
    // Its keys are of both sides' making.
    let tunnelled = facts.carried.as_ref().and_then(|carried| carried.openvpn()).is_some_and(|openvpn| *openvpn.tunnel.of(seen) > 0);
    let udp = facts.quic.is_some() || facts.dtls.is_some() || tunnelled;
    let ended = matches!(facts.outcome, Outcome::Incomplete | Outcome::Alerted | Outcome::Closed);
    if !udp || !ended {
        return None;
    }
    let went_on = tunnelled || view.answered_unseen();
    let incomplete = case.handshake.outcome == Outcome::Incomplete;
    if incomplete && seen == Side::Client && !went_on && !view.waited() {
        return None;
    }
    let finding = Finding::new(
        Cause::CaptureOneDirection,
        if (seen == Side::Server || went_on) && !unclear(case) { Confidence::Strong } else { Confidence::Likely },
        format!(
            "Only the {seen}'s datagrams were captured on the connection to {}; what the {} sent is unknown.",
            view.target(),
            seen.other()
        ),
    );
    let finding = if unclear(case) { finding.noting(ELSEWHERE) } else { finding };
    Some(
        lacking(case, finding)
            .noting(if tunnelled {
                format!("the {seen} uses the tunnel, whose keys both sides make")
            } else if went_on {
                "the client acknowledges packets that the capture lacks".to_owned()
            } else {
                format!("{} from the {seen}, none from the {}, and no retransmission", counted(view.side(seen).packets, "datagram", "datagrams"), seen.other())
            })
            .advise("Capture both directions: mirror both directions of the switch port, or capture on a host with a filter that names no direction."),
    )
}

/// A silence of one server means nothing where none is heard: of other connections the client's packets show that they were answered, and no
/// answer is in the capture.
fn like_all_others(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let unheard = case.knowledge.unheard.filter(|_| view.client().packets > 0 && view.server().packets == 0)?;
    let silent = matches!(case.handshake.outcome, Outcome::Stalled | Outcome::Refused | Outcome::Incomplete);
    if !silent || !case.handshake.flow.icmp.is_empty() {
        return None;
    }
    Some(
        Finding::new(
            Cause::CaptureOneDirection,
            if view.server().acked > 0 { Confidence::Certain } else { Confidence::Strong },
            format!("Only the client's packets to {} were captured, as on every other connection here; what the server sent is unknown.", view.target()),
        )
        .weight(Weight::Overrides)
        .stopped_by(StoppedBy::Capture)
        .noting(format!("the clients of {unheard} on this interface acknowledge answers, yet the capture holds no packet from a server", unheard = counted(unheard, "other connection", "other connections")))
        .advise("Capture both directions: mirror both directions of the switch port, or capture on a host with a filter that names no direction."),
    )
}
