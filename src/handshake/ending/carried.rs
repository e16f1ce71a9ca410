//! How a carried handshake ended: by its own words, by those of its carrier, and by who is silent.

use std::time::Duration;

use super::datagrams::{in_vain, left, refusal};
use super::finished::completed_or_rejected;
use super::over::{Ending, Over, PATIENCE, owing, watched_since};
use crate::flow::Side;
use crate::handshake::facts::{AlertSeen, CarriedFacts, EapRoad, OpenVpnFacts, Outcome, StoppedBy, deciding};
use crate::packet::IcmpKind;
use crate::transport::Close;

/// How it ended.
pub(super) fn ending(h: &Over<'_>, carried: &CarriedFacts, alerts: &[AlertSeen], stall_after: Duration) -> Ending {
    if let Some(ending) = completed_or_rejected(h, alerts) {
        return ending;
    }
    // Who uses the tunnel has its keys, whatever was seen of their negotiation.
    if carried.openvpn().is_some_and(OpenVpnFacts::is_done) {
        return Ending::new(Outcome::Completed, StoppedBy::Nobody, h.flow.last);
    }
    if let Some(alert) = deciding(alerts) {
        return Ending::new(Outcome::Alerted, alert.from, alert.mark);
    }
    if let Some(note) = refusal(h) {
        let by_host = note.kind == IcmpKind::PortUnreachable && note.reporter == h.flow.ends().1.address;
        return Ending::new(Outcome::Refused, if by_host { StoppedBy::Server } else { StoppedBy::Network }, note.mark);
    }
    let incomplete = Ending::new(Outcome::Incomplete, StoppedBy::Capture, None);
    let cut = Side::BOTH.into_iter().any(|side| h.flow.side(side).snaplen_cut > 0);
    // Who uses a tunnel has its keys, to which the other side has contributed; and who acknowledges packets has them.
    let heard = |openvpn: &OpenVpnFacts, side: Side| *openvpn.tunnel.of(side) > 0 || *openvpn.acknowledged.of(side) > 0 || openvpn.renewed;
    let alone = |side: Side| carried.datagrams.of(side.other()).count == 0 && carried.openvpn().is_some_and(|openvpn| heard(openvpn, side));
    if carried.gaps || cut || Side::BOTH.into_iter().any(alone) {
        return incomplete;
    }
    if let Some(mark) = carried.left() {
        return Ending::new(Outcome::Closed, Side::Client, mark);
    }
    // Who turns a client away that does not answer any more says nothing else by it.
    if carried.rejected().is_some() && carried.given_up() {
        return Ending::new(Outcome::Stalled, Side::Client, None);
    }
    if let Some(mark) = carried.rejected() {
        return Ending::new(Outcome::Closed, Side::Server, mark);
    }
    // The server is content, and what both finished with was not seen.
    if carried.is_over() {
        return incomplete;
    }
    if left(h) {
        let mark = h.flow.icmp.iter().find(|note| note.about == Side::Server).map(|note| note.mark);
        return Ending::new(Outcome::Closed, Side::Client, mark);
    }
    if let Some((who, mark)) = in_vain(h) {
        return Ending::new(Outcome::Stalled, who, mark);
    }
    // An authenticator asks again by a timer of seconds, and a server of RADIUS answers in milliseconds.
    let radius = carried.eap().is_some_and(|eap| eap.road == EapRoad::Radius);
    if radius && carried.talk.unanswered.client.is_some_and(|asked| asked.count > 1 && asked.span() >= ASKS_AGAIN) {
        let who = if carried.datagrams.server.count > 0 { StoppedBy::Server } else { StoppedBy::Network };
        return Ending::new(Outcome::Stalled, who, None);
    }
    let opaque = carried.openvpn().is_some_and(|openvpn| openvpn.wrapping.is_opaque());
    let abandoned = carried.openvpn().and_then(|openvpn| openvpn.abandoned);
    let (silent, since) = match carried.unanswered() {
        Some((asker, last)) => (asker.other(), last),
        // All is acknowledged, and the handshake is not over; of one that is encrypted nobody knows.
        None if !opaque && !h.client_hellos.is_empty() => (owing(h), h.flow.last),
        None => return incomplete,
    };
    // A server is due at once, or the client repeats itself. One that begins anew has given up.
    let soon = silent == Side::Server || h.close == Close::Reused;
    let patience = if soon { PATIENCE.min(stall_after) } else { stall_after };
    if watched_since(h, since.time) >= patience {
        return Ending::new(Outcome::Stalled, silent, None);
    }
    match abandoned {
        Some((side, mark)) => Ending::new(Outcome::Closed, side, mark),
        None => incomplete,
    }
}

/// Authenticators wait for so long, and mostly longer, before they ask again (RFC 5080 section 2.2.1).
const ASKS_AGAIN: Duration = Duration::from_secs(2);
