//! `path-mtu-icmp-ignored`: the sender was told and goes on.

use crate::diagnosis::against::{Contrary, lowers};
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Suspect};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, ordinal};
use crate::handshake::facts::StoppedBy;
use crate::packet::IcmpKind;
use crate::wording::counted;

pub(super) const RULE: Rule =
    Rule { cause: Cause::PathMtuIcmpIgnored, against: &[lowers(Contrary::FullSizePassed)], page: page!("path-mtu-icmp-ignored"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    if !view.failed_over_tcp() {
        return None;
    }
    let too_big = |kind: IcmpKind| matches!(kind, IcmpKind::TooBig(_));
    let note = case.handshake.flow.icmp.iter().filter(|note| too_big(note.kind) && note.ignored > 0).max_by_key(|note| note.ignored)?;
    let sender = note.about;
    // Packets that were on their way when the report came do not count: only what is still repeated in vain does.
    let victim = view.repeated_in_vain(sender).find(|segment| segment.last.frame > note.mark.frame)?;
    let IcmpKind::TooBig(mtu) = note.kind else { return None };
    if mtu > 0 && victim.ip_len <= mtu {
        return None;
    }
    let size = if mtu > 0 { format!("packets of at most {}", counted(mtu, "byte", "bytes")) } else { "smaller packets".to_owned() };
    Some(
        Finding::new(
            Cause::PathMtuIcmpIgnored,
            if note.ignored >= 2 { Confidence::Certain } else { Confidence::Strong },
            format!(
                "{} told the {sender} to send {size}, but the {sender} keeps sending packets of {}.",
                note.reporter,
                counted(victim.ip_len, "byte", "bytes")
            ),
        )
        .stopped_by(StoppedBy::Network)
        .resting_on(Suspect::packet(sender, victim.first, victim.len))
        .shown_by(
            note.mark,
            format!(
                "{} reported that a packet of {} is too big; MTU of the next link: {mtu}",
                note.reporter,
                counted(note.quoted_len, "byte", "bytes")
            ),
        )
        .shown_by(
            victim.last,
            format!("the {sender} sends a packet of {} for the {} time", counted(victim.ip_len, "byte", "bytes"), ordinal(victim.copies)),
        )
        .or_else(&[Cause::PathMtuBlackHole])
        .advise(format!("On the {sender}'s firewall, NAT or load balancer, allow ICMP fragmentation needed and ICMPv6 packet too big:"))
        .advise(if note.reporter.is_ipv4() {
            Command::new("iptables -I INPUT -p icmp --icmp-type fragmentation-needed -j ACCEPT")
        } else {
            Command::new("ip6tables -I INPUT -p icmpv6 --icmpv6-type packet-too-big -j ACCEPT")
        }),
    )
}
