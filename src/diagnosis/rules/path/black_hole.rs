//! `path-mtu-black-hole`: large packets vanish, small ones pass.

use crate::diagnosis::against::{Contrary, drops, lowers};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Suspect};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{ETHERNET_MTU, Hole, View, ordinal, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::packet::IcmpKind;
use crate::transport::Outstanding;
use crate::wording::{count, counted, times};

use super::{black_hole_udp, probed};

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
    if let Some(finding) = Side::BOTH.into_iter().find_map(|side| probed::got_round(case.handshake, side)) {
        return Some(advice(case, finding));
    }
    if !view.failed_over_tcp() && !view.nearly_stalled(case.policy) {
        return None;
    }
    Side::BOTH
        .into_iter()
        .find_map(|side| at_sender(case, view, side).or_else(|| oversized(case, view, side)))
        .or_else(|| Side::BOTH.into_iter().find_map(|side| at_receiver(case, view, side)))
}

fn at_sender(case: &Case<'_>, view: View<'_>, side: Side) -> Option<Finding> {
    let segment = view.black_hole(side)?;
    let message = view.message_at(side, segment.offset);
    let passed = view.side(side).largest_acked_segment;
    // What holds the name may be dropped for the name.
    let named = side == Side::Client && holds_name(case, view, segment);
    if named && case.knowledge.passed.client >= segment.len {
        return None;
    }
    let finding = Finding::new(
        Cause::PathMtuBlackHole,
        if segment.copies >= 3 && !named { Confidence::Strong } else { Confidence::Likely },
        format!("Full-size packets from the {side} do not arrive: {} with the {message} were sent {} in {} and never acknowledged, while smaller packets pass.", counted(segment.ip_len, "byte", "bytes"), times(segment.copies), span_text(segment.last.time.since(segment.first.time))),
    )
    .resting_on(Suspect::packet(side, segment.first, segment.len))
    .shown_by(segment.first, format!("{message}: a packet of {}, first sent", counted(segment.ip_len, "byte", "bytes")))
    .shown_by(segment.last, format!("sent for the {} time, never acknowledged", ordinal(segment.copies)));
    let finding = match view.side(side).outstanding.iter().find(|other| other.sacked) {
        Some(arrived) => finding.shown_by(
            arrived.first,
            format!("a later packet of {} arrived (selective acknowledgment)", counted(arrived.ip_len, "byte", "bytes")),
        ),
        None if passed > 0 => finding
            .noting(format!("the largest payload from the {side} that arrived is {passed}", passed = counted(passed, "byte", "bytes"))),
        None => finding.noting(format!("the {} acknowledges that something later arrived", side.other())),
    };
    let alternatives: &[Cause] = match side {
        Side::Client if named => &[Cause::ClientHelloDropped, Cause::SplitClientHello, Cause::PacketLoss],
        Side::Client => &[Cause::SplitClientHello, Cause::PacketLoss],
        Side::Server => &[Cause::ServerFlightDropped, Cause::PacketLoss],
    };
    let finding = advice(case, finding.or_else(alternatives));
    Some(if named {
        finding
            .advise("To tell this from a filter that drops the packet for the name in it, try the same name with a ClientHello that fits into one small packet: if that fails too, it is the name.")
            .advise(remedy::s_client(case.handshake, "-groups X25519"))
    } else {
        finding
    })
}

/// Both hosts send larger packets than Ethernet carries by default, and something between them does not.
fn oversized(case: &Case<'_>, view: View<'_>, side: Side) -> Option<Finding> {
    let segment = view.oversized(side)?;
    let message = view.message_at(side, segment.offset);
    let mss = view.mss(side);
    let finding = Finding::new(
        Cause::PathMtuBlackHole,
        Confidence::Likely,
        format!("Packets from the {side} that are larger than {} bytes do not arrive: {} with the {message} were sent {} in {} and never acknowledged, while the small packets that opened the connection passed.", count(u64::from(ETHERNET_MTU)), counted(segment.ip_len, "byte", "bytes"), times(segment.copies), span_text(segment.last.time.since(segment.first.time))),
    )
    .resting_on(Suspect::packet(side, segment.first, segment.len))
    .shown_by(segment.first, format!("{message}: one packet of {}, first sent", counted(segment.ip_len, "byte", "bytes")))
    .shown_by(segment.last, format!("sent for the {} time, never acknowledged", ordinal(segment.copies)))
    .noting(format!("the {} announces an MSS of {}: its own link carries jumbo frames, which says nothing of the links in between", side.other(), count(u64::from(mss))));
    let alternatives: &[Cause] = match side {
        Side::Client => &[Cause::ClientHelloDropped, Cause::OneWayPath],
        Side::Server => &[Cause::ServerFlightDropped, Cause::OneWayPath],
    };
    let finding = advice(case, finding.or_else(alternatives)).advise("If the first size passes and this one does not, enable jumbo frames on every switch and router in between, or set the hosts' MTU to what passes:");
    Some(finding.advise(remedy::ping_mtu(case.handshake.server.address, segment.ip_len)))
}

/// The segment is the beginning of a ClientHello with a server name under which no handshake completed, and no other of full size is known to be
/// lost.
fn holds_name(case: &Case<'_>, view: View<'_>, segment: &Outstanding) -> bool {
    let others = || view.repeated_in_vain(Side::Client).filter(|other| view.is_full_size(Side::Client, other)).count() > 1;
    segment.offset == 0 && case.handshake.server_name().is_some() && case.knowledge.completed_same_name == 0 && !others()
}

fn at_receiver(case: &Case<'_>, view: View<'_>, side: Side) -> Option<Finding> {
    let reset = view.first_end().filter(|ending| ending.side == side && ending.reset.is_some());
    let before_reset = reset.map(|ending| view.unheard_before(&ending)).filter(|len| *len > 0).map(|len| Hole { len, stranded: 0 });
    let hole = view.hole(side).or(before_reset).filter(|hole: &Hole| view.hole_is_full_size(side, *hole))?;
    if !case.waited() {
        return None;
    }
    let message = view.message_at(side, view.side(side).highest.saturating_sub(hole.len + hole.stranded));
    let behind = match view.side(side).fin {
        _ if hole.stranded > 0 => format!("the {}", counted(hole.stranded, "byte", "bytes")),
        None if before_reset.is_some() => "a RST".to_owned(),
        Some(_) => "a FIN".to_owned(),
        None => "a bare acknowledgment".to_owned(),
    };
    let finding = Finding::new(
        Cause::PathMtuBlackHole,
        // Where no packet of it arrived with data, it need not be the size.
        if view.silence().as_secs() >= 3 && view.spoke(side) && before_reset.is_none() { Confidence::Strong } else { Confidence::Likely },
        format!("Full-size packets from the {side} do not arrive: the {message} lacks {}, only {} after that arrived, and {} later the gap was still open.", counted(hole.len, "byte", "bytes"), behind, span_text(view.silence())),
    )
    .resting_on(Suspect::packet(side, view.stop(), view.mss(side).saturating_sub(TCP_OPTIONS)))
    .noting(format!("a gap of {} in the {side}'s stream was never filled", counted(hole.len, "byte", "bytes")))
    .noting(format!("the largest payload from the {side} that arrived is {}", counted(view.side(side).largest_segment, "byte", "bytes")));
    let finding = match view.side(side).last_data {
        Some(mark) => finding.shown_by(mark, "last packet that arrived, beyond the gap"),
        None => finding,
    };
    let alternatives: &[Cause] =
        if side == Side::Client { &[Cause::SplitClientHello, Cause::PacketLoss] } else { &[Cause::PacketLoss, Cause::ServerFlightDropped] };
    Some(advice(case, finding.or_else(alternatives)))
}

fn advice_over_udp(case: &Case<'_>, finding: Finding) -> Finding {
    finding
        .stopped_by(StoppedBy::Network)
        .advise("On the server, make the DTLS datagrams smaller than the largest packet that passes (SSL_set_mtu, -mtu; an ECDSA certificate and a short chain help). Find that size with:")
        .advise(remedy::ping_mtu(case.handshake.server.address, 1500))
        .advise(Command::new("openssl s_server -dtls -mtu 1200").option("-port", case.handshake.server.port))
}

fn advice(case: &Case<'_>, finding: Finding) -> Finding {
    let reported = case.handshake.flow.icmp.iter().find(|note| matches!(note.kind, IcmpKind::TooBig(_)));
    let finding = match reported {
        Some(note) => finding.shown_by(note.mark, format!("{} reported that the packet is too big (ICMP)", note.reporter)),
        None if case.policy.icmp_filtered => finding.noting("the capture filter excludes ICMP, so a router's report would be missing"),
        None => finding.noting("no ICMP message about the size was captured"),
    };
    finding
        .stopped_by(StoppedBy::Network)
        .advise("On every firewall on the path, allow ICMP fragmentation needed and ICMPv6 packet too big; find the largest packet that passes:")
        .advise(remedy::ping_mtu(case.handshake.server.address, 1500))
        .advise(remedy::tracepath(case.handshake))
        .advise("On the router or VPN gateway, clamp the MSS:")
        .advise(remedy::clamp_mss(case.handshake))
}

/// Timestamps and selective acknowledgments take this much of a segment at most.
const TCP_OPTIONS: u32 = 40;
