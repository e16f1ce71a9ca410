//! `syn-flood`: the server drowns in SYNs and this client is a victim.

use std::time::Duration;

use crate::diagnosis::cause::Cause;
use crate::diagnosis::remedy::Command;
use crate::diagnosis::remedy::parts::Piece;
use crate::diagnosis::rule::{Case, Confidence, Finding, Page, Rule, Weight};
use crate::diagnosis::signs::Signs;
use crate::diagnosis::view::{View, span_text};
use crate::handshake::facts::{Outcome, StoppedBy};

use super::{flooded, syn_ignored};

pub(super) const RULE: Rule = Rule {
    cause: Cause::SynFlood,
    speaks: Signs::UNFINISHED.or(Signs::SYN_AGAIN),
    against: &[],
    title: "the server is under a SYN flood",
    page: Page {
        meaning: "Very many SYNs from sources that never complete the handshake fill the server's queue of half-open connections. The SYNs of \
                  honest clients are dropped, or answered late.",
        recognised: "This client had to repeat its SYN while the capture holds dozens of half-open connections to the same server in the same seconds.",
        confused_with: "A server whose application does not accept (`accept-queue-full`), or a firewall that drops this client: neither comes with many half-open connections.",
        check: "On the server: many sockets in SYN-RECV from unrelated addresses, and the kernel's notice.\n\n$ ss -tn state syn-recv | wc -l\n\n$ dmesg | grep -i 'possible SYN flooding'\n\n$ nstat -az TcpExtTCPReqQFullDrop TcpExtSyncookiesSent",
        fix: &[
            (
                "Linux",
                "Switch SYN cookies on: then the queue can no longer be exhausted.\n\n$ sysctl -w net.ipv4.tcp_syncookies=1 net.ipv4.tcp_max_syn_backlog=8192 net.ipv4.tcp_synack_retries=2",
            ),
            (
                "firewall",
                "Let a SYN proxy answer in the server's place (`nft … synproxy`, `iptables -j SYNPROXY`), or limit SYNs per source network when the sources are few.",
            ),
            (
                "cloud and providers",
                "Put the address behind the provider's DDoS protection; volumetric floods must be stopped before they reach your link.",
            ),
            ("load balancer", "F5: SYN check threshold; HAProxy on Linux: as above, with `backlog` raised."),
        ],
        references: &["RFC 4987", "Linux Documentation/networking/ip-sysctl: tcp_syncookies"],
    },
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if let Some(finding) = member(case, view) {
        return Some(finding);
    }
    if !view.is_tcp() || !flooded(case) || facts.outcome == Outcome::Incomplete {
        return None;
    }
    let syn = view.client().syn.filter(|syn| syn.count >= 2)?;
    let delay = view.server().syn.map_or(syn.last, |answer| answer.first).time.since(syn.first.time);
    let answered = view.server().packets > 0;
    if facts.outcome == Outcome::Completed && delay < NOTICEABLE || !answered && !syn_ignored(view) {
        return None;
    }
    if facts.outcome != Outcome::Completed && view.is_up() {
        return None;
    }
    let half_open = case.knowledge.flood_half_open;
    let summary = if answered {
        format!(
            "{} is under a SYN flood ({half_open} half-open connections around that time): it answered this client only after {}.",
            facts.server,
            span_text(delay)
        )
    } else {
        format!(
            "{} is under a SYN flood ({half_open} half-open connections around that time) and did not answer this client's {} SYNs.",
            facts.server, syn.count
        )
    };
    Some(
        Finding::new(Cause::SynFlood, Confidence::Strong, summary)
            .weight(if answered { Weight::Explains } else { Weight::Overrides })
            .stopped_by(StoppedBy::Network)
            .shown_by(syn.first, "first SYN of this client")
            .shown_by(syn.last, format!("SYN number {}", syn.count))
            .noting(format!("{half_open} half-open connections to this server from sources that never complete"))
            .or_else(&[Cause::TcpSynUnanswered])
            .advise("On the server, switch SYN cookies on and look at the sources:")
            .advise(Command::new("sysctl -w net.ipv4.tcp_syncookies=1"))
            .advise(Command::new("ss -tn state syn-recv").operand([Piece::Fixed("sport = :"), Piece::Number(facts.server.port.into())])),
    )
}

/// A connection of the flood itself: one SYN, and whether or not it was answered, nothing more from its sender.
fn member(case: &Case<'_>, view: View<'_>) -> Option<Finding> {
    let syn = view.client().syn.filter(|syn| syn.count == 1 && view.client().packets == 1)?;
    if !view.is_tcp() || !flooded(case) || view.is_up() || !case.handshake.tcp.icmp.is_empty() || !view.server().resets.is_empty() {
        return None;
    }
    let answer = if view.server().syn.is_some() { "the SYN-ACK was never acknowledged" } else { "nothing came back" };
    let half_open = case.knowledge.flood_half_open;
    Some(
        Finding::new(
            Cause::SynFlood,
            Confidence::Likely,
            format!(
                "One of more than {half_open} connections to {} that were never completed around that time: a SYN flood.",
                case.handshake.server
            ),
        )
        .weight(Weight::Overrides)
        .stopped_by(StoppedBy::Network)
        .shown_by(syn.first, format!("SYN, sent once; {answer}"))
        .advise("On the server, switch SYN cookies on and look at the sources:")
        .advise(Command::new("sysctl -w net.ipv4.tcp_syncookies=1"))
        .advise(
            Command::new("ss -tn state syn-recv").operand([Piece::Fixed("sport = :"), Piece::Number(case.handshake.server.port.into())]),
        ),
    )
}

/// A delay that users notice.
const NOTICEABLE: Duration = Duration::from_millis(900);
