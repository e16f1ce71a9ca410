//! `path-mtu-icmp-ignored`: the sender was told and goes on.

use crate::diagnosis::against::{Contrary, lowers};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Suspect};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, ordinal};
use crate::handshake::facts::StoppedBy;
use crate::packet::IcmpKind;

pub(super) const RULE: Rule = Rule {
    cause: Cause::PathMtuIcmpIgnored,
    speaks: Signs::UNFINISHED,
    against: &[lowers(Contrary::FullSizePassed)],
    title: "the sender ignores the reports that its packets are too big",
    page: Page {
        meaning: "A router told the sender by ICMP which packet size its next link passes, and the sender goes on with larger packets, all of \
                  which are lost. The message did not reach the sender's TCP: its own firewall, a NAT or a load balancer dropped it or could not relate it.",
        recognised: "ICMP fragmentation needed or ICMPv6 packet too big quotes this connection, and segments above the reported size are sent after it, again and again.",
        confused_with: "A path MTU black hole without reports (`path-mtu-black-hole`). Packets that were already under way when the report came.",
        check: "Look at the sender's firewall for dropped ICMP, and at whether its kernel learnt the size.\n\n$ ip route get <other-address>\n\n$ nstat -az IcmpInDestUnreachs Icmp6InPktTooBigs",
        fix: &[
            (
                "host firewall",
                "Accept ICMP type 3 code 4 and ICMPv6 type 2 ahead of every drop rule.\n\n$ iptables -I INPUT -p icmp --icmp-type fragmentation-needed -j ACCEPT\n\n$ ip6tables -I INPUT -p icmpv6 --icmpv6-type packet-too-big -j ACCEPT",
            ),
            (
                "load balancer, anycast, ECMP",
                "The report is hashed to another machine than the connection. Let the balancer follow the quoted packet, copy reports to all machines, or lower the MSS (`advmss 1220`).",
            ),
            ("NAT", "The device must translate the packet that the ICMP message quotes. Until it does, clamp the MSS on it."),
            (
                "Linux",
                "A kernel that must not trust ICMP can probe by itself.\n\n$ sysctl net.ipv4.ip_no_pmtu_disc\n\n$ sysctl -w net.ipv4.tcp_mtu_probing=1",
            ),
            (
                "cloud security groups",
                "Allow ICMP `destination unreachable, fragmentation needed` inbound; a rule for TCP 443 alone does not admit it everywhere.",
            ),
        ],
        references: &["RFC 1191 section 6", "RFC 8201 section 4", "RFC 7690 (path MTU discovery behind ECMP)"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    if !view.failed_over_tcp() {
        return None;
    }
    let too_big = |kind: IcmpKind| matches!(kind, IcmpKind::TooBig(_));
    let note = case.handshake.tcp.icmp.iter().filter(|note| too_big(note.kind) && note.ignored > 0).max_by_key(|note| note.ignored)?;
    let sender = note.about;
    // Packets that were on their way when the report came do not count: only what is still repeated in vain does.
    let victim = view.repeated_in_vain(sender).find(|segment| segment.last.frame > note.mark.frame)?;
    let IcmpKind::TooBig(mtu) = note.kind else { return None };
    if mtu > 0 && victim.ip_len <= mtu {
        return None;
    }
    let size = if mtu > 0 { format!("at most {mtu} bytes") } else { "smaller packets".to_owned() };
    Some(
        Finding::new(
            Cause::PathMtuIcmpIgnored,
            if note.ignored >= 2 { Confidence::Certain } else { Confidence::Strong },
            format!("{} told the {sender} to send {size}, but the {sender} goes on with {} bytes.", note.reporter, victim.ip_len),
        )
        .stopped_by(StoppedBy::Network)
        .resting_on(Suspect::packet(sender, victim.first, victim.len))
        .shown_by(
            note.mark,
            format!("{} reports that a packet of {} bytes is too big, next link passes {mtu}", note.reporter, note.quoted_len),
        )
        .shown_by(victim.last, format!("the {sender} sends {} bytes again, for the {} time", victim.ip_len, ordinal(victim.copies)))
        .or_else(&[Cause::PathMtuBlackHole])
        .advise(format!("Let the {sender}'s firewall, NAT or load balancer pass ICMP fragmentation needed and ICMPv6 packet too big:"))
        .advise(if note.reporter.is_ipv4() {
            Command::new("iptables -I INPUT -p icmp --icmp-type fragmentation-needed -j ACCEPT")
        } else {
            Command::new("ip6tables -I INPUT -p icmpv6 --icmpv6-type packet-too-big -j ACCEPT")
        }),
    )
}
