//! `openvpn-no-answer`: the client begins again and again, and nothing comes back.

use crate::carriers::openvpn::Wrapping;
use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::wording::times;

pub(super) const RULE: Rule = Rule { cause: Cause::OpenvpnNoAnswer, against: &[], page: page!("openvpn-no-answer"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let view = View::new(facts);
    let carried = facts.carried.as_ref()?;
    let openvpn = carried.openvpn()?;
    if carried.datagrams.server.count > 0 || !matches!(facts.outcome, Outcome::Stalled | Outcome::Refused) {
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
