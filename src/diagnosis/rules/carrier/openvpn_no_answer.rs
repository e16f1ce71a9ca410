//! `openvpn-no-answer`: the client begins again and again, and nothing comes back.

use std::time::Duration;

use crate::carriers::openvpn::Wrapping;
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{CarriedFacts, OpenVpnFacts, Outcome, StoppedBy};
use crate::preamble::{PreambleFacts, Upgrade};
use crate::wording::times;

pub(super) const RULE: Rule = Rule { cause: Cause::OpenvpnNoAnswer, against: &[], page: page!("openvpn-no-answer"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    if let Some(preamble) = super::openvpn_over_tcp(facts) {
        return over_tcp(case, preamble);
    }
    let carried = facts.carried.as_ref()?;
    let openvpn = carried.openvpn()?;
    if !matches!(facts.outcome, Outcome::Stalled | Outcome::Refused) {
        return None;
    }
    if openvpn.renews() {
        return no_new_keys(case, carried, openvpn);
    }
    if carried.datagrams.server.count > 0 {
        return None;
    }
    let waiting = view.unanswered_datagrams(Side::Client)?;
    let server = facts.server;
    if let Some(note) = view.refused_datagram() {
        let by_host = note.reporter == server.address;
        let summary = if by_host {
            format!("Nothing listens for OpenVPN on UDP port {} of {}.", server.port, server.address)
        } else {
            format!("{} reports that the OpenVPN server {server} cannot be reached.", note.reporter)
        };
        return Some(
            Finding::new(Cause::OpenvpnNoAnswer, Confidence::Strong, summary)
                .stopped_by(if by_host { StoppedBy::Server } else { StoppedBy::Network })
                .shown_by(waiting.first, "client begins (P_CONTROL_HARD_RESET_CLIENT)")
                .shown_by(note.mark, format!("{} sent ICMP type {} code {}", note.reporter, note.icmp_type, note.code))
                .advise("On the server, start OpenVPN, and check the protocol (UDP or TCP) and the port that it listens on:")
                .advise(remedy::ss_listen_udp(server.port)),
        );
    }
    let tries = times(openvpn.resets.client.count);
    let span = span_text(waiting.span());
    let sure = openvpn.resets.client.count >= 3 && case.knowledge.hears_both_sides;
    let mut finding = Finding::new(
        Cause::OpenvpnNoAnswer,
        if sure { Confidence::Strong } else { Confidence::Likely },
        format!(
            "The OpenVPN server {server} never answered: the client began {tries} within {span} (`TLS key negotiation failed to occur`)."
        ),
    )
    .stopped_by(StoppedBy::Network)
    .shown_by(waiting.first, "client begins (P_CONTROL_HARD_RESET_CLIENT)")
    .shown_by(waiting.last, format!("the same, the last of {}; no answer, no ICMP message", openvpn.resets.client.count))
    .or_else(&[Cause::ServerFlightDropped]);
    finding = if openvpn.wrapping == Wrapping::None {
        finding
            .noting("no tls-auth or tls-crypt protects this client's packets: a server that demands one discards them without a word")
            .advise("On the server, check whether its configuration has `tls-auth` or `tls-crypt`, which this client's lacks.")
    } else {
        let name = openvpn.wrapping.name();
        finding
            .noting(format!("{name} protects the client's packets: a server with another key, or none, discards them without a word"))
            .advise(format!(
                "Compare the {name} key of client and server, and for tls-auth the key direction (0 on one, 1 on the other) and `auth`."
            ))
            .advise(remedy::log(facts, Side::Server, "it says `packet HMAC authentication failed` or `tls-crypt unwrap error`"))
    };
    Some(
        finding
            .advise("On the server, check that the packets arrive: if not, a firewall or NAT drops this UDP port.")
            .advise(remedy::show_lines(facts))
            .advise(remedy::ss_listen_udp(server.port)),
    )
}

/// Over TCP the connection came up, and what begins the session is not answered: the server closes, or says nothing.
fn over_tcp(case: &Case<'_>, preamble: &PreambleFacts) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let asked = preamble.asked.filter(|_| preamble.upgrade == Upgrade::Asked && facts.outcome.failed())?;
    let (client, server) = (view.client(), view.server());
    // Only what was taken is not answered.
    if server.bytes_seen > 0 || server.gap_bytes > 0 || client.outstanding.iter().any(|segment| segment.copies >= 2) {
        return None;
    }
    let wrapping = preamble.detail.as_deref().unwrap_or_default();
    let target = facts.server;
    let closed = view.first_end().filter(|ending| ending.side == Side::Server);
    let waited = facts.flow.elapsed(asked, view.stop());
    let summary = match &closed {
        Some(ending) => format!(
            "{target} {} the connection {} after the client's first packet of OpenVPN, without an answer.",
            if ending.reset.is_some() { "reset" } else { "closed" },
            span_text(waited)
        ),
        None if waited >= PATIENCE => {
            let tries = preamble.lines.iter().filter(|line| line.side == Side::Client).count();
            format!(
                "{target} took the connection and never answered: the OpenVPN client began {} within {}.",
                times(tries),
                span_text(waited)
            )
        }
        None => return None,
    };
    let finding = Finding::new(Cause::OpenvpnNoAnswer, Confidence::Likely, summary)
        .stopped_by(StoppedBy::Server)
        .shown_by(asked, "client begins (P_CONTROL_HARD_RESET_CLIENT)");
    let finding = match (&closed, view.first_end()) {
        (Some(ending), _) => finding.shown_by(ending.mark, format!("the server's {}, with no packet before it", ending.name())),
        (None, Some(ending)) => finding.shown_by(ending.mark, format!("the client gives up ({})", ending.name())),
        (None, None) => finding.shown_by(facts.closed_at, "still no answer"),
    };
    let finding = finding.or_else(if closed.is_some() { &[Cause::ServerClosed] } else { &[Cause::ServerSilent] });
    let finding = if wrapping == Wrapping::None.name() {
        finding
            .noting("no tls-auth or tls-crypt protects this client's packets: over TCP a server that demands one closes without a word")
            .advise("On the server, check whether its configuration has `tls-auth` or `tls-crypt`, which this client's lacks.")
    } else {
        finding
            .noting(format!("{wrapping} protects the client's packets: over TCP a server with another key, or none, closes without a word"))
            .advise(format!(
                "Compare the {wrapping} key of client and server, and for tls-auth the key direction (0 on one, 1 on the other) and `auth`."
            ))
    };
    Some(
        finding
            .advise(remedy::log(
                facts,
                Side::Server,
                "it says `packet HMAC authentication failed`, `tls-crypt unwrap error` or `cannot locate HMAC`",
            ))
            .advise("On the server, check that it is OpenVPN with `proto tcp` that listens on this port.")
            .advise(remedy::show_lines(facts)),
    )
}

/// A side asks for new keys, and the other does not answer.
fn no_new_keys(case: &Case<'_>, carried: &CarriedFacts, openvpn: &OpenVpnFacts) -> Option<Finding> {
    let facts = case.handshake;
    let asker = openvpn.begun_by();
    let asked = openvpn.resets.of(asker);
    let silent = asker.other();
    let (first, last) = (asked.first?, asked.last?);
    if carried.datagrams.of(silent).count > 0 || carried.datagrams.of(asker).count > asked.count || asked.count < 2 {
        return None;
    }
    let goes_on = *openvpn.old_tunnel.of(silent);
    let sure = asked.count >= 3 && case.knowledge.hears_both_sides && goes_on > 0;
    let name = |side: Side| match side {
        Side::Client => format!("the OpenVPN client {}", facts.client.address),
        Side::Server => format!("the OpenVPN server {}", facts.server),
    };
    let tail = if goes_on > 0 {
        "though it goes on using the tunnel under the old keys: its control packets do not get there"
    } else {
        "nor anything else: it does not know the session any more, or nothing gets there"
    };
    let summary = format!(
        "To get new keys {} began a handshake {} within {} (soft reset), and {} did not answer, {tail}.",
        name(asker),
        times(asked.count),
        span_text(last.time.since(first.time)),
        name(silent)
    );
    let finding = Finding::new(Cause::OpenvpnNoAnswer, if sure { Confidence::Strong } else { Confidence::Likely }, summary)
        .stopped_by(StoppedBy::Network)
        .shown_by(first, format!("{asker} asks for new keys (P_CONTROL_SOFT_RESET_V1, keys {})", openvpn.key))
        .shown_by(last, format!("the same, the last of {}", asked.count));
    let finding = if goes_on > 0 {
        finding.advise("On the path, look for a device that lets packets of the tunnel pass and drops OpenVPN's control packets; capture on both sides of it.")
    } else {
        finding
            .advise(format!("On the {silent}, check whether OpenVPN was started anew since the session began, or gave this session up."))
            .advise(remedy::log(facts, silent, "it says when it began, and `Unroutable control packet` for what it does not know"))
            .advise("Set `keepalive 10 60` on the server: both sides then find out within a minute that the other says nothing any more, and begin anew.")
            .advise("If several servers share the address, let the balancer send all packets of a client to one of them.")
    };
    Some(finding.advise(remedy::show_lines(facts)))
}

/// A server that answers does so sooner.
const PATIENCE: Duration = Duration::from_secs(3);
