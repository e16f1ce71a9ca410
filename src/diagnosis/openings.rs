//! Openings that met nobody: SYNs that nobody answered where they were sent, and SYN-ACKs to SYNs that were sent to somebody else.

use super::aged::Aged;
use super::knowledge::StrayAnswer;
use crate::flow::{Endpoint, Side, Transport};
use crate::handshake::Handshake;
use crate::site::Site;
use crate::time::Mark;
use crate::transport::SideFacts;

/// The latest of them, by their client and its initial sequence number: these 32 bits no other connection of that address and port shares.
#[derive(Debug)]
pub(super) struct Openings(Aged<(Site, Endpoint, u32), Opening>);

#[derive(Debug, Default)]
struct Opening {
    /// Where the SYN went, and nothing came back.
    asked: Option<(Endpoint, Mark)>,
    /// Where its answer came from, and nothing had gone to.
    answered: Option<(Endpoint, Mark)>,
}

impl Default for Openings {
    fn default() -> Self {
        Self(Aged::new(MOST))
    }
}

impl Openings {
    /// Enters a connection that one side opened by itself.
    pub(super) fn enter(&mut self, connection: &Handshake) {
        let Some((side, isn, mark)) = opening(connection) else { return };
        let known = self.0.touch(&(connection.flow.key.site, connection.client, isn));
        let half = if side == Side::Client { &mut known.asked } else { &mut known.answered };
        *half = Some((connection.server, mark));
    }

    /// Such a connection with its other half.
    pub(super) fn other_half(&self, connection: &Handshake) -> Option<StrayAnswer> {
        let (_, isn, _) = opening(connection)?;
        let known = self.0.get(&(connection.flow.key.site, connection.client, isn))?;
        let ((asked, syn), (answered, answer)) = known.asked.zip(known.answered)?;
        (asked != answered).then_some(StrayAnswer { asked, syn, answered, answer })
    }
}

/// The side whose opening found no other half, the client's initial sequence number, and when.
fn opening(connection: &Handshake) -> Option<(Side, u32, Mark)> {
    let flow = &connection.flow;
    let (client, server) = (flow.side(Side::Client), flow.side(Side::Server));
    if flow.key.transport != Transport::Tcp {
        return None;
    }
    match (client.syn, server.syn) {
        (Some(syn), None) if server.packets == 0 && client.packets == syn.count => Some((Side::Client, syn.isn, syn.first)),
        // What the client says to that is a RST, if anything.
        (None, Some(syn)) if server.data_packets == 0 && only_resets(client) => Some((Side::Server, syn.answers?, syn.first)),
        _ => None,
    }
}

/// It said nothing else: no acknowledgment, no payload, no FIN.
fn only_resets(side: &SideFacts) -> bool {
    let resets = side.resets.len().saturating_add(side.resets_dropped as usize);
    side.packets as usize <= resets && side.data_packets == 0
}

/// Openings that are remembered.
const MOST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{at, connection, syn};

    fn half(server: &str, side: Side, isn: u32) -> Handshake {
        let mut half = connection(server);
        for side in Side::BOTH {
            let side = half.flow.sides.of_mut(side);
            (side.packets, side.syn) = (0, None);
        }
        let seen = half.flow.sides.of_mut(side);
        seen.packets = 3;
        seen.syn = Some(syn(at(1, 0), at(3, 3000), 3, 64));
        if let Some(syn) = &mut seen.syn {
            if side == Side::Client { syn.isn = isn } else { syn.answers = Some(isn) }
        }
        half
    }

    #[test]
    fn an_answer_finds_what_it_answers() {
        let (asked, answered) = (half("192.0.2.1:443", Side::Client, 77), half("192.0.2.9:443", Side::Server, 77));
        let mut openings = Openings::default();
        openings.enter(&asked);
        assert_eq!(openings.other_half(&asked), None);
        openings.enter(&answered);
        let found = openings.other_half(&asked).unwrap();
        assert_eq!((found.asked, found.answered), (asked.server, answered.server));
        assert_eq!(openings.other_half(&answered), Some(found));
        assert_eq!(openings.other_half(&half("192.0.2.9:443", Side::Server, 78)), None, "of another SYN");
    }
}
