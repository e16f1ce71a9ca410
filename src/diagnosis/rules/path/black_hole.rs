//! `path-mtu-black-hole`: large packets vanish, small ones pass.

use crate::diagnosis::against::{Contrary, drops, lowers};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Suspect};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{Hole, View, ordinal, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::packet::IcmpKind;

use super::black_hole_udp;

pub(super) const RULE: Rule = Rule {
    cause: Cause::PathMtuBlackHole,
    against: &[drops(Contrary::CopiesAnswered), lowers(Contrary::FullSizePassed)],
    page: page!("path-mtu-black-hole"),
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    if let Some(finding) = black_hole_udp::at_receiver(view).or_else(|| black_hole_udp::at_sender(view)) {
        return Some(advice_over_udp(case, finding));
    }
    if !view.failed_over_tcp() && !view.nearly_stalled(case.policy) {
        return None;
    }
    Side::BOTH
        .into_iter()
        .find_map(|side| at_sender(case, view, side))
        .or_else(|| Side::BOTH.into_iter().find_map(|side| at_receiver(case, view, side)))
}

fn at_sender(case: &Case<'_>, view: View<'_>, side: Side) -> Option<Finding> {
    let segment = view.black_hole(side)?;
    let message = view.message_at(side, segment.offset);
    let passed = view.side(side).largest_acked_segment;
    let finding = Finding::new(
        Cause::PathMtuBlackHole,
        if segment.copies >= 3 { Confidence::Strong } else { Confidence::Likely },
        format!(
            "Full-size packets from the {side} do not arrive: {} bytes of the {message} were sent {} times within {} in vain, while smaller packets pass.",
            segment.ip_len,
            segment.copies,
            span_text(segment.last.time.since(segment.first.time)),
        ),
    )
    .resting_on(Suspect::packet(side, segment.first, segment.len))
    .shown_by(segment.first, format!("{message}: packet of {} bytes, first sent", segment.ip_len))
    .shown_by(segment.last, format!("sent for the {} time, never acknowledged", ordinal(segment.copies)));
    let finding = match view.side(side).outstanding.iter().find(|other| other.sacked) {
        Some(arrived) => {
            finding.shown_by(arrived.first, format!("packet of {} bytes behind it arrived (selective acknowledgment)", arrived.ip_len))
        }
        None if passed > 0 => finding.noting(format!("the largest payload of the {side} that arrived is {passed} bytes")),
        None => finding.noting(format!("the {} signals that something behind it arrived", side.other())),
    };
    let alternatives: &[Cause] =
        if side == Side::Client { &[Cause::SplitClientHello, Cause::PacketLoss] } else { &[Cause::ServerFlightDropped, Cause::PacketLoss] };
    Some(advice(case, finding.or_else(alternatives)))
}

fn at_receiver(case: &Case<'_>, view: View<'_>, side: Side) -> Option<Finding> {
    let hole = view.hole(side).filter(|hole: &Hole| view.hole_is_full_size(side, *hole))?;
    if !view.waited() {
        return None;
    }
    let message = view.message_at(side, view.side(side).highest.saturating_sub(hole.len + hole.stranded));
    let finding = Finding::new(
        Cause::PathMtuBlackHole,
        if view.silence().as_secs() >= 3 { Confidence::Strong } else { Confidence::Likely },
        format!(
            "Full-size packets from the {side} do not arrive: {} bytes of the {message} are missing, only {} behind them came, and {} later nothing had filled the hole.",
            hole.len,
            if hole.stranded > 0 { format!("the {} bytes", hole.stranded) } else { "a FIN".to_owned() },
            span_text(view.silence()),
        ),
    )
    .resting_on(Suspect::packet(side, view.stop(), view.mss(side).saturating_sub(TCP_OPTIONS)))
    .noting(format!("a hole of {} bytes in the {side}'s stream was never filled", hole.len))
    .noting(format!("the largest payload of the {side} that arrived is {} bytes", view.side(side).largest_segment));
    let finding = match view.side(side).last_data {
        Some(mark) => finding.shown_by(mark, "last packet that arrived, behind the hole"),
        None => finding,
    };
    let alternatives: &[Cause] =
        if side == Side::Client { &[Cause::SplitClientHello, Cause::PacketLoss] } else { &[Cause::PacketLoss, Cause::ServerFlightDropped] };
    Some(advice(case, finding.or_else(alternatives)))
}

fn advice_over_udp(case: &Case<'_>, finding: Finding) -> Finding {
    finding
        .stopped_by(StoppedBy::Network)
        .advise("Find the largest packet that passes between the two, and make the datagrams of DTLS smaller than that (SSL_set_mtu, -mtu; an ECDSA certificate and a short chain help):")
        .advise(remedy::ping_mtu(case.handshake.server.address, 1500))
        .advise(Command::new("openssl s_server -dtls -mtu 1200").option("-port", case.handshake.server.port))
}

fn advice(case: &Case<'_>, finding: Finding) -> Finding {
    let reported = case.handshake.flow.icmp.iter().find(|note| matches!(note.kind, IcmpKind::TooBig(_)));
    let finding = match reported {
        Some(note) => finding.shown_by(note.mark, format!("{} reported that the packet is too big", note.reporter)),
        None if case.policy.icmp_filtered => finding.noting("the capture filter excludes ICMP: a report by a router would not be seen"),
        None => finding.noting("no ICMP message about the size was seen"),
    };
    finding
        .stopped_by(StoppedBy::Network)
        .advise("Find the largest packet that passes between the two, and let ICMP fragmentation needed / packet too big through:")
        .advise(remedy::ping_mtu(case.handshake.server.address, 1500))
        .advise(remedy::tracepath(case.handshake))
        .advise("On the router or VPN gateway, clamp the MSS:")
        .advise(remedy::clamp_mss(case.handshake))
}

/// Timestamps and selective acknowledgments take this much of a segment at most.
const TCP_OPTIONS: u32 = 40;
