//! `path-mtu-black-hole`: large packets vanish, small ones pass.

use crate::diagnosis::against::{Contrary, drops, lowers};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Suspect};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{Hole, View, ordinal, span_text};
use crate::flow::Side;
use crate::handshake::facts::StoppedBy;
use crate::packet::IcmpKind;

use super::black_hole_udp;

pub(super) const RULE: Rule = Rule {
    cause: Cause::PathMtuBlackHole,
    speaks: Signs::UNFINISHED,
    against: &[drops(Contrary::CopiesAnswered), lowers(Contrary::FullSizePassed)],
    title: "full-size packets are lost on the path (path MTU black hole)",
    page: Page {
        meaning: "Some link between client and server passes smaller packets than both ends believe, and the message that should say so (ICMP \
                  fragmentation needed, ICMPv6 packet too big) does not arrive. Small packets pass, full-size ones vanish however often they are \
                  repeated. TCP comes up, and the handshake hangs at its first large message: mostly the server's certificates, with a post-quantum key share already the ClientHello.",
        recognised: "Near the sender: the same full-size segment is sent again with growing pauses while smaller segments are acknowledged or selectively acknowledged. \
                     Near the receiver: a hole of at least one full-size segment that is never filled, with a short segment behind it.",
        confused_with: "Plain loss hits segments of any size and is repaired by the first or second repetition. A device that drops the second part of a long \
                        ClientHello (`split-client-hello`) lets the full-size first part pass. Where the receiver cannot say what it got, a server that never answered (`server-silent`) looks the same.",
        check: "Find the largest packet that passes, in both directions; 1472 bytes of payload make 1500 bytes.\n\n$ ping -M do -s 1472 <server-address>\n\n$ tracepath -n <server-address>",
        fix: &[
            (
                "the lasting repair",
                "Let ICMP type 3 code 4 and ICMPv6 type 2 through every firewall between the two ends, the hosts' own included.",
            ),
            (
                "Linux router, VPN gateway",
                "Make TCP announce what the tunnel passes.\n\n$ iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu\n\n$ nft add rule inet filter forward tcp flags syn tcp option maxseg size set rt mtu",
            ),
            (
                "Linux host",
                "Let TCP find the size by itself, or set it on the route.\n\n$ sysctl -w net.ipv4.tcp_mtu_probing=1\n\n$ ip route replace <network> via <gateway> mtu 1400",
            ),
            (
                "WireGuard, OpenVPN, IPsec",
                "WireGuard: `MTU = 1380` or less in the interface section. OpenVPN: `mssfix 1360`. strongSwan and IPsec gateways: clamp the MSS to 1360 or less on the tunnel interface.",
            ),
            (
                "Kubernetes and Docker",
                "The overlay's MTU must be smaller than the node's: 50 bytes for VXLAN, 60 for WireGuard. Calico: `veth_mtu`, flannel: the backend's MTU, Docker: `{\"mtu\": 1400}` in daemon.json.",
            ),
            (
                "cloud",
                "AWS jumbo frames (9001) end at the VPC's edge, Google Cloud's default is 1460, VPN gateways pass about 1400: lower the instances' MTU and allow ICMP in the security groups.",
            ),
            (
                "DTLS",
                "It has no path MTU discovery of its own in most programs: set the datagram size (`SSL_set_mtu`, `-mtu 1200`), and prefer small certificates.",
            ),
            ("DSL with PPPoE", "The link passes 1492: switch MSS clamping on in the router."),
        ],
        references: &["RFC 1191", "RFC 8201", "RFC 4821", "RFC 2923 section 2.1"],
    },
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
    let reported = case.handshake.tcp.icmp.iter().find(|note| matches!(note.kind, IcmpKind::TooBig(_)));
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
