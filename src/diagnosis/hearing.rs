//! What the interfaces of a capture hear, and what they lose.

use crate::flow::Side;
use crate::handshake::Handshake;

use super::quality::Quality;
use super::view::View;

/// What one connection says of the interface that saw it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    pub(super) both_sides: bool,
    /// It lacks packets that arrived.
    pub(super) gap: bool,
    /// Its server answered, as what its client sent shows, and was not seen.
    pub(super) unheard: bool,
}

impl Heard {
    pub(super) fn of(handshake: &Handshake) -> Self {
        let server = handshake.flow.side(Side::Server);
        Self {
            both_sides: both_sides(handshake),
            gap: Quality::of(handshake).gap,
            unheard: server.packets == 0 && (server.acked > 0 || View::new(handshake).answered_unseen()),
        }
    }
}

/// Packets of both sides were seen.
pub(super) fn both_sides(connection: &Handshake) -> bool {
    Side::BOTH.into_iter().all(|side| connection.flow.side(side).packets > 0)
}

/// What one interface hears and loses.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    connections: u32,
    /// Of those, how many lack packets that arrived.
    with_holes: u32,
    /// Of those, how many show packets of both sides.
    of_both_sides: u32,
    /// Of those of which only the client was seen, how many were answered.
    unheard: u32,
}

impl Hearing {
    /// More than here and there a packet.
    pub(super) const fn loses(&self) -> bool {
        self.with_holes >= 3 && self.with_holes.saturating_mul(20) >= self.connections
    }

    /// How many servers answered unheard, where none is heard.
    pub(super) fn unheard(&self) -> Option<u32> {
        (self.unheard >= 3 && self.of_both_sides == 0).then_some(self.unheard)
    }

    pub(super) const fn hears_both_sides(&self) -> bool {
        self.of_both_sides > 0
    }

    /// A connection went by.
    pub(super) fn hear(&mut self, both_sides: bool) {
        self.of_both_sides = self.of_both_sides.saturating_add(u32::from(both_sides));
    }

    /// A handshake went by.
    pub(super) fn enter(&mut self, heard: Heard) {
        self.hear(heard.both_sides);
        self.connections = self.connections.saturating_add(1);
        self.with_holes = self.with_holes.saturating_add(u32::from(heard.gap));
        self.unheard = self.unheard.saturating_add(u32::from(heard.unheard));
    }
}
