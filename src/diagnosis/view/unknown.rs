//! RSTs by which a system says that it does not know a connection.

use std::time::Duration;

use super::{Ending, View};
use crate::flow::Side;
use crate::transport::Reset;

impl<'a> View<'a> {
    /// The first RST of a side, where no program of it need have caused it: it answers a packet of the other side as one of a connection that is not
    /// known (RFC 9293 section 3.10.7.1), and this side had ended nothing before.
    pub fn disowned(&self, side: Side) -> Option<&'a Reset> {
        let facts = self.side(side);
        let reset = facts.resets.first().filter(|reset| reset.unknowing && !reset.to_syn)?;
        facts.fin.is_none_or(|(fin, _)| fin > reset.mark).then_some(reset)
    }

    /// This RST is that one, or one of those that follow it, for it answers each packet.
    pub fn disowns(&self, ending: &Ending<'_>) -> bool {
        ending.reset.is_some_and(|reset| reset.unknowing) && self.disowned(ending.side).is_some()
    }

    /// How much of the other side's stream whoever ended it had acknowledged by then; `None` where that does not show.
    pub fn heard_by(&self, ending: &Ending<'_>) -> Option<u64> {
        let other = self.side(ending.side.other());
        // What was acknowledged later may have arrived later.
        let later = other.acked_at.is_some_and(|acked| acked > ending.mark);
        if later || ending.unseen || self.side(ending.side).packets == 0 {
            return None;
        }
        let beyond = ending.reset.and_then(|reset| reset.ack_distance).unwrap_or(0);
        Some(other.acked.saturating_add(u64::try_from(beyond).unwrap_or(0)))
    }

    /// Bytes that whoever ended it had said before and that are not here, as the number of its end tells: of a FIN, which stands behind them, or of a RST that
    /// is its own, for it has the hop counter of its other packets, acknowledges what they did, and is its last word.
    pub fn unheard_before(&self, ending: &Ending<'_>) -> u64 {
        let facts = self.side(ending.side);
        let own = |reset: &Reset| {
            let acknowledges = reset.ack_distance.is_some_and(|distance| distance >= 0) && !reset.unknowing;
            facts.ttl == Some(reset.ttl) && acknowledges && reset.in_window && !reset.to_syn && reset.packets_after == 0
        };
        match ending.reset {
            Some(reset) if own(reset) => u64::try_from(reset.seq_distance).unwrap_or(0),
            None if !ending.unseen => facts.lost_at_end(),
            _ => 0,
        }
    }

    /// The client gave up after a while, and the server's system answers its FIN as one of a connection that it does not know: the server had ended it
    /// before, unseen here. A host that hangs acknowledges the FIN.
    pub fn forgotten_before_end(&self) -> Option<(Ending<'a>, &'a Reset)> {
        let ending = self.ended_by(Side::Client).filter(|ending| ending.reset.is_none())?;
        let reset = self.disowned(Side::Server)?;
        let at_once = reset.mark.frame > ending.mark.frame && reset.mark.time.since(ending.mark.time) <= AT_ONCE.max(self.rtt() * 2);
        let own = self.ttl_distance(Side::Server, reset.ttl) == 0;
        (at_once && own && self.waited() && self.hello_acked() && self.near_side() != Some(Side::Server)).then_some((ending, reset))
    }
}

/// An answer comes within this or two round trips.
const AT_ONCE: Duration = Duration::from_millis(50);
