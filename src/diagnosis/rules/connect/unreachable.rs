//! `icmp-unreachable`: a router or the host said that there is no way.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Weight};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy::{self, Command};
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::packet::IcmpKind;
use crate::transport::IcmpNote;

pub(super) const RULE: Rule = Rule { cause: Cause::IcmpUnreachable, against: &[], page: page!("icmp-unreachable"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let view = View::new(case.handshake);
    if !view.failed_over_tcp() || view.answer_begun() || super::died_as_meant(case).is_some() {
        return None;
    }
    let note = case.handshake.flow.icmp.iter().find(|note| {
        matches!(note.kind, IcmpKind::Unreachable | IcmpKind::PortUnreachable) || note.kind == IcmpKind::TimeExceeded && note.code == 0
    })?;
    // A packet that had few hops left when it was first seen was sent so.
    let short = view.side(note.about).syn.map(|syn| syn.ttl).filter(|ttl| note.kind == IcmpKind::TimeExceeded && *ttl < super::FEWEST_HOPS);
    let sender = if note.about == Side::Client { case.handshake.client } else { case.handshake.server };
    let what = match note.kind {
        IcmpKind::PortUnreachable => "port unreachable",
        IcmpKind::TimeExceeded if short.is_some() => "TTL exceeded",
        IcmpKind::TimeExceeded => "TTL exceeded, a routing loop",
        _ if note.icmp_type == ICMP_UNREACHABLE && note.code == 0 => "network unreachable",
        _ if note.icmp_type == ICMP_UNREACHABLE && note.code == 1 => "host unreachable",
        _ if note.icmp_type == ICMPV6_UNREACHABLE && note.code == 0 => "no route",
        _ if note.icmp_type == ICMPV6_UNREACHABLE && note.code == 3 => "address unreachable",
        _ => "unreachable",
    };
    let up = view.is_up();
    // One for each copy of what is sent in vain says where all of them go.
    let same = |other: &&IcmpNote| (other.kind, other.code, other.about) == (note.kind, note.code, note.about);
    let count = case.handshake.flow.icmp.iter().filter(same).count();
    let each = up && count >= EACH && note.about == Side::Client && view.client().acked == 0;
    let by_host = note.about == Side::Client && note.reporter == case.handshake.server.address;
    let target = if note.about == Side::Client { case.handshake.server } else { case.handshake.client };
    // A system answers a SYN to a port where nobody listens with a RST: what says so by ICMP is a rule.
    let by_rule = note.kind == IcmpKind::PortUnreachable && by_host && !up;
    let served = case.knowledge.related.iter().any(|other| other.same_endpoint && other.outcome == Outcome::Completed);
    let finding = Finding::new(
        Cause::IcmpUnreachable,
        match (up, each) {
            (false, _) => Confidence::Certain,
            (true, true) => Confidence::Strong,
            (true, false) => Confidence::Likely,
        },
        match (by_rule, served) {
            (true, false) => format!("A rule of {}'s packet filter rejects {} (ICMP {what}).", target.address, sender.address),
            (true, true) => format!(
                "A rule of {}'s packet filter rejects {}, which was served before (ICMP {what}): perhaps it was banned.",
                target.address, sender.address
            ),
            _ => format!(
                "{} reported {target} unreachable (ICMP {what}).",
                if by_host { "The server itself".to_owned() } else { note.reporter.to_string() }
            ),
        },
    )
    .weight(if up && !each { Weight::Explains } else { Weight::Overrides })
    .stopped_by(if by_host { StoppedBy::Server } else { StoppedBy::Network })
    .shown_by(note.mark, format!("{} sent ICMP type {} code {}: {what}", note.reporter, note.icmp_type, note.code));
    let finding = if each {
        finding
            .noting(format!("{count} such reports about packets from the client that were never acknowledged"))
            .or_else(&[Cause::OneWayPath])
    } else {
        finding
    };
    if let Some(ttl) = short {
        let too_few =
            format!("the {}'s packets have TTL {ttl} where they were captured: {} sends them with too few", note.about, sender.address);
        return Some(
            finding
                .noting(too_few)
                .advise(format!(
                    "On {}, set the TTL (hop limit) of its packets to 64, and look for a firewall rule that changes it:",
                    sender.address
                ))
                .advise(Command::new("sysctl net.ipv4.ip_default_ttl net.ipv6.conf.all.hop_limit"))
                .advise(remedy::traceroute(case.handshake, target)),
        );
    }
    let finding = if note.kind == IcmpKind::PortUnreachable { finding.or_else(&[Cause::FirewallReject]) } else { finding };
    if by_rule {
        return Some(
            finding
                .noting("no system answers a SYN so by itself: it sends a RST where nobody listens")
                .advise(format!(
                    "On {}, look for the rule that refuses {}: bans (fail2ban-client status), ufw, firewalld, `reject` in nft or iptables:",
                    target.address, sender.address
                ))
                .advise(Command::new("nft list ruleset")),
        );
    }
    // Between the two ends nobody has ports to miss: it is a rule that answers so.
    if note.kind == IcmpKind::PortUnreachable && note.reporter != target.address {
        return Some(
            finding
                .advise(format!(
                    "On {}, look for the firewall rule that refuses {target} (nft or iptables `reject`; in Kubernetes, a Service without endpoints).",
                    note.reporter
                ))
                .advise(remedy::port_open(case.handshake)),
        );
    }
    Some(
        finding
            .advise(format!(
                "On {}, check the route, the ARP or neighbour entry and the firewall rules for {}:",
                note.reporter, target.address
            ))
            .advise(remedy::route_to(target.address))
            .advise(remedy::traceroute(case.handshake, target)),
    )
}

/// One may be about a packet that went astray.
const EACH: usize = 2;
/// ICMP type destination unreachable (RFC 792).
const ICMP_UNREACHABLE: u8 = 0x03;
/// ICMPv6 type destination unreachable (RFC 4443).
const ICMPV6_UNREACHABLE: u8 = 0x01;
