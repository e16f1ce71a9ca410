//! How a carried handshake ended: by its own words, by those of its carrier, and by who is silent.

use crate::flow::Side;
use crate::handshake::datagrams::ending::{in_vain, left, refusal};
use crate::handshake::facts::{AlertSeen, CarriedFacts, Outcome, StoppedBy, deciding};
use crate::handshake::outcome::{Ending, Over, PATIENCE, completed_or_rejected, watched_since};
use crate::packet::IcmpKind;

use std::time::Duration;

/// How it ended.
pub(in crate::handshake) fn ending(h: &Over<'_>, carried: &CarriedFacts, alerts: &[AlertSeen], stall_after: Duration) -> Ending {
    if let Some(ending) = completed_or_rejected(h, alerts) {
        return ending;
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
    if carried.gaps || cut {
        return incomplete;
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
    let Some((asker, last)) = carried.unanswered() else { return incomplete };
    // A server is due at once, or the client repeats itself.
    let patience = if asker == Side::Client { PATIENCE.min(stall_after) } else { stall_after };
    if watched_since(h, last.time) >= patience {
        return Ending::new(Outcome::Stalled, asker.other(), None);
    }
    incomplete
}
