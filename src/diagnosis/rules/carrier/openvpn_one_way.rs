//! `openvpn-one-way`: the server answers, and the client begins again and again as if it did not.

use crate::diagnosis::case::Case;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding};
use crate::diagnosis::page::page;
use crate::diagnosis::remedy;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};

pub(super) const RULE: Rule = Rule { cause: Cause::OpenvpnOneWay, against: &[], page: page!("openvpn-one-way"), check };

fn check(case: &Case<'_>) -> Option<Finding> {
    let facts = case.handshake;
    let carried = facts.carried.as_ref()?;
    let openvpn = carried.openvpn()?;
    let (client, server) = (openvpn.resets.client, openvpn.resets.server);
    // One that heard the answer acknowledges it or goes on.
    let unheard = carried.datagrams.client.count == client.count && client.count >= 2;
    let answered = server.first.filter(|first| client.last.is_some_and(|last| last > *first))?;
    if openvpn.renews() || !unheard || facts.outcome != Outcome::Stalled || View::new(facts).hello_begun() {
        return None;
    }
    let last = client.last?;
    Some(
        Finding::new(
            Cause::OpenvpnOneWay,
            if client.count >= 3 { Confidence::Strong } else { Confidence::Likely },
            format!(
                "The OpenVPN server {} answers, and the client goes on as if it did not: the answers do not reach it, or it discards them.",
                facts.server
            ),
        )
        .stopped_by(StoppedBy::Network)
        .shown_by(answered, "server answers (P_CONTROL_HARD_RESET_SERVER_V2)")
        .shown_by(last, format!("the client still begins, for the {} time", crate::diagnosis::view::ordinal(client.count)))
        .or_else(&[Cause::ServerFlightDropped])
        .advise("On the client's host and on the path back to it, check firewalls and NAT for UDP from the server's address and port: answers of a server with several addresses must come from the one that was asked (`multihome`).")
        .advise(remedy::show_lines(facts))
        .advise(remedy::log(facts, Side::Client, "it names packets that it discards: other address, HMAC, key direction")),
    )
}
