//! Sees packets on their way to the pipeline, and asks about the ends of connections that begin.
//!
//! The client's socket is there with its SYN. The server's own socket for a connection is there once a process accepted it, which is when the
//! server speaks; it is asked for when the client has spoken too, for a server that never does.

use std::sync::Arc;

use super::desk::{Desk, Shared};
use crate::flow::FlowKey;
use crate::frame::Block;
use crate::packet::{self, Datagram, Packet, Segment};
use crate::time::Timestamp;

/// Looks at packets, on the thread that brings them.
#[derive(Debug)]
pub struct Tap {
    shared: Arc<Shared>,
    opens: Opens,
    /// What is awaited of connections that began lately, by their hash. One that takes another's place costs the other a question.
    lately: Vec<Slot>,
}

/// Whether a datagram begins a handshake, and is not known to be the server's.
pub type Opens = fn(&Datagram<'_>) -> bool;

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    hash: u64,
    /// When it began, in seconds.
    at: i64,
    /// Who sent the SYN is the low end.
    client_is_low: bool,
    /// Sides whose first payload is awaited.
    client: bool,
    server: bool,
}

impl Tap {
    /// Asks at this desk.
    pub fn new(desk: &Desk, opens: Opens) -> Self {
        Self { shared: Arc::clone(desk.shared()), opens, lately: vec![Slot::default(); SLOTS] }
    }

    /// Looks through a block.
    pub fn look(&mut self, block: &Block) {
        for frame in block.frames() {
            let mut packet = Packet::nothing();
            packet::read(&frame, &mut packet);
            match &packet {
                Packet::Tcp(segment) => self.segment(segment),
                Packet::Udp(datagram) => self.datagram(datagram),
                Packet::Eapol(_) | Packet::IcmpError(_) | Packet::Skipped(_) => {}
            }
        }
    }

    fn segment(&mut self, segment: &Segment<'_>) {
        let (key, now) = (&segment.key, segment.mark.time);
        if segment.flags.syn() {
            if !segment.flags.ack() && self.shared.begin(key, now, Some(segment.seq), &[segment.source()]) {
                let begun = Slot { client_is_low: segment.from_low, client: true, server: true, ..Slot::of(key, now) };
                self.put(begun);
            }
            return;
        }
        if segment.payload_len == 0 {
            return;
        }
        let Some(slot) = self.slot(key.site_hash()) else { return };
        if slot.hash == key.site_hash() {
            let from_client = segment.from_low == slot.client_is_low;
            let server = if from_client { segment.destination() } else { segment.source() };
            let awaited = if from_client { &mut slot.client } else { &mut slot.server };
            if std::mem::take(awaited) {
                self.shared.go_on(key, server);
            }
        } else if begins_handshake(segment.payload) {
            // It began before the run.
            self.shared.begin(key, now, None, &[key.low, key.high]);
            self.put(Slot::of(key, now));
        }
    }

    fn datagram(&mut self, datagram: &Datagram<'_>) {
        if !(self.opens)(datagram) {
            return;
        }
        let begun = Slot::of(&datagram.key, datagram.mark.time);
        let known = self.slot(begun.hash).is_some_and(|slot| slot.hash == begun.hash && begun.at.saturating_sub(slot.at) < AGAIN);
        if known {
            return;
        }
        self.shared.begin(&datagram.key, datagram.mark.time, None, &[datagram.key.low, datagram.key.high]);
        self.put(begun);
    }

    fn put(&mut self, begun: Slot) {
        if let Some(slot) = self.slot(begun.hash) {
            *slot = begun;
        }
    }

    fn slot(&mut self, hash: u64) -> Option<&mut Slot> {
        self.lately.get_mut(usize::try_from(hash & SLOTS_MASK).ok()?)
    }
}

impl Slot {
    /// A connection of which nothing is awaited.
    fn of(key: &FlowKey, now: Timestamp) -> Self {
        Self { hash: key.site_hash(), at: now.seconds(), ..Self::default() }
    }
}

/// A record of TLS with a `ClientHello`.
const fn begins_handshake(payload: &[u8]) -> bool {
    matches!(payload, [0x16, 0x03, _, _, _, 0x01, ..])
}

/// Connections whose first payload is awaited; they take 2 MB.
const SLOTS: usize = 1 << 16;
const SLOTS_MASK: u64 = SLOTS as u64 - 1;
/// Seconds after which a datagram that begins a handshake begins another.
const AGAIN: i64 = 30;
