//! `tcp-syn-unanswered`: nothing came back.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::handshake::facts::StoppedBy;
use crate::wording::counted;

use super::{accepts_without_serving, may_be_meant_in_clear, syn_ignored, syn_repeated};

pub(super) const RULE: Rule = Rule { cause: Cause::TcpSynUnanswered, against: &[], page: page!("tcp-syn-unanswered"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    if !view.is_tcp()
        || case.knowledge.stray_answer.is_some()
        || !syn_ignored(view)
        || view.client().packets > view.client().syn.map_or(0, |syn| syn.count)
    {
        return None;
    }
    // One SYN alone tells little: its sender left, or the capture lacks the answer. Several such connections bear each other out.
    let again = case.knowledge.related.iter().filter(|other| other.same_endpoint && other.went_unanswered).count() + 1;
    let given_up = case.gave_up_its_syn();
    if !syn_repeated(view) && !given_up && (again < 3 || case.knowledge.speaks_tls || case.handshake.flow.unheard_from.is_some()) {
        return None;
    }
    let syn = view.client().syn?;
    let server = case.handshake.server;
    let arrived = !view.is_fresh(syn.ttl);
    let span = syn.last.time.since(syn.first.time);
    // A client that repeats its SYN got no SYN-ACK. Where nothing shows that the capture hears anybody but clients, it may lack what was sent
    // instead: an ICMP error, or a SYN-ACK that was lost behind this point.
    let unheard = !case.knowledge.hears_both_sides
        || case.knowledge.icmp_unread
        || case.knowledge.related.iter().any(|other| other.same_endpoint && other.server_unseen);
    let confidence = match (syn_repeated(view), unheard || case.knowledge.is_flooded() || accepts_without_serving(case)) {
        (true, false) => Confidence::Certain,
        _ => Confidence::Likely,
    };
    let summary = if syn.count > 1 {
        format!("{server} never answered {} within {}.", counted(syn.count, "SYN", "SYNs"), span_text(span))
    } else if again < 3 || case.knowledge.speaks_tls {
        format!(
            "{server} did not answer the SYN of {}, which gave up before it would have been sent again, a second later.",
            case.handshake.client.host()
        )
    } else {
        format!(
            "{server} answered none of {again} from {}; this one sent a single SYN.",
            case.handshake.client.address,
            again = counted(again, "connection", "connections")
        )
    };
    // A server that serves others lost this SYN, or its system did.
    let alive = given_up && syn.count == 1 && case.knowledge.speaks_tls;
    let finding = may_be_meant_in_clear(case, Finding::new(Cause::TcpSynUnanswered, confidence, summary));
    let finding = if alive {
        finding.advise("Give the client a time limit for connecting of more than three seconds: a SYN that is lost, or that a full accept queue drops, is sent again after one.")
    } else {
        finding
    };
    Some(
        finding
            .weight(Weight::Overrides)
            .stopped_by(StoppedBy::Network)
            .shown_by(syn.first, "first SYN")
            .shown_by(syn.last, format!("SYN no. {}; no packet from the server, no RST, no ICMP error", syn.count))
            .or_else(&[Cause::AcceptQueueFull])
            .or_else(if alive { &[Cause::PacketLoss, Cause::ClientTimeout] } else { &[Cause::CaptureOneDirection] })
            .advise(if arrived {
                "Check what lies beyond the capture point, which the SYN reached (its TTL is no longer the initial one): the server's accept queue, its own firewall and its route back."
            } else {
                "Capture on the server at the same time to see whether the SYN arrives; check the firewalls and routes in between."
            })
            .advise(remedy::traceroute(case.handshake, case.handshake.server))
            .advise(remedy::port_open(case.handshake)),
    )
}
