//! Packets that do not pass for their size.

use super::{Hole, SHORT_PAUSE, View};
use crate::flow::Side;
use crate::time::Mark;
use crate::transport::{FlowEventKind, Outstanding};

impl<'a> View<'a> {
    /// A full-size segment of this side that was sent again and again in vain, while smaller ones arrived. `None` when nothing of this side
    /// arrived, or when a segment as large did.
    pub fn black_hole(&self, side: Side) -> Option<&'a Outstanding> {
        // Of what is damaged, every size is dropped.
        if self.arrives_damaged(side) {
            return None;
        }
        let sender = self.side(side);
        let victim = self.repeated_in_vain(side).filter(|segment| self.is_full_size(side, segment)).max_by_key(|segment| segment.copies)?;
        if sender.largest_acked_segment >= victim.len {
            return None;
        }
        let smaller_passed = sender.largest_acked_segment > 0
            || sender.outstanding.iter().any(|segment| segment.sacked)
            || self.side(side.other()).sent_sack
            || self.side(side.other()).duplicate_acks > 0;
        smaller_passed.then_some(victim)
    }

    /// The segment is as large as a path of ordinary size must carry but a tunnel may not: a host has to pass 576 bytes, links pass 1500.
    pub fn is_full_size(&self, side: Side, segment: &Outstanding) -> bool {
        segment.ip_len >= FULL_SIZE_PACKET || segment.ip_len > MINIMUM_MTU && segment.len + TCP_OPTIONS_MOST >= self.mss(side)
    }

    /// The first segment of this side that was sent again and again in vain, where it is larger than what Ethernet carries by default: both hosts
    /// announced such sizes, and what lies between them need not pass them. The packets that opened the connection were small, and passed.
    pub fn oversized(&self, side: Side) -> Option<&'a Outstanding> {
        let sender = self.side(side);
        let victim = self.repeated_in_vain(side).min_by_key(|segment| segment.offset)?;
        let announced = self.side(side.other()).syn.and_then(|syn| syn.mss).map(u32::from)?;
        // What is larger than the peer takes was cut up behind the capture point.
        let on_the_wire = victim.ip_len > ETHERNET_MTU && victim.len <= announced;
        let unheard = victim.offset >= sender.acked && sender.largest_acked_segment < victim.len;
        (on_the_wire && unheard && victim.copies >= 3 && self.pause_before(victim) < SHORT_PAUSE).then_some(victim)
    }

    /// What came of the server when the client had left filled a hole: all that lies behind it had come before, and the server had waited for nothing. A hole
    /// that the client had acknowledged before it left was none any more.
    pub fn filled_late(&self, left: Mark) -> Option<Mark> {
        let late = self.server().last_data.filter(|late| *late > left)?;
        let (flow, server) = (&self.handshake.flow, self.server());
        let behind = |from: u64| {
            let ahead = |kind: FlowEventKind| matches!(kind, FlowEventKind::OutOfOrder { offset, .. } if offset >= from);
            flow.events.iter().any(|event| event.side == Side::Server && event.mark <= left && ahead(event.kind))
        };
        let whole = server.acked > 0 && server.acked_at.is_some_and(|acked| acked <= left) && !behind(server.acked);
        (!whole && (self.client().sent_sack || behind(0) && flow.arrived_behind_hole(Side::Server))).then_some(late)
    }

    /// Whether a hole can only have held segments larger than all that arrived from this side, and of full size.
    pub fn hole_is_full_size(&self, side: Side, hole: Hole) -> bool {
        let largest = u64::from(self.side(side).largest_segment);
        // The hole is a whole number of full segments, and nothing of that size arrived.
        let full = u64::from(self.mss(side));
        let multiple = [full, full.saturating_sub(TIMESTAMPS)]
            .into_iter()
            .any(|full| full >= FULL_SIZE_HOLE && hole.len.is_multiple_of(full) && largest.saturating_add(NOTABLY_SMALLER) <= full);
        if multiple {
            return true;
        }
        // Of one packet: larger than all that arrived.
        let single = hole.len <= full && hole.len >= largest.saturating_add(MUCH_SMALLER);
        // Of several, of which none arrived: the last was smaller, and is lost as well.
        let short_tail = |full: u64| hole.len > full && hole.len.checked_rem(full).is_some_and(|tail| tail > 0 && tail < PASSES_ANYWHERE);
        let not_by_size = largest == 0 && [full, full.saturating_sub(TIMESTAMPS)].into_iter().all(short_tail);
        hole.len >= full.saturating_sub(u64::from(TCP_OPTIONS_MOST)).min(PASSES_ANYWHERE)
            && (largest < FULL_SIZE_HOLE || single)
            && hole.len > largest
            && !not_by_size
    }
}

/// Timestamps and selective acknowledgments take this much of a segment at most.
const TCP_OPTIONS_MOST: u32 = 40;
/// From this length an IP packet may exceed what a tunnel passes (IPv6's least MTU is 1280, some links have less).
const FULL_SIZE_PACKET: u32 = 1_000;
/// What every IPv4 host must accept (RFC 791).
const MINIMUM_MTU: u32 = 576;
/// Bytes that the timestamps option takes of each segment.
const TIMESTAMPS: u64 = 12;
/// A segment that is smaller than a full one by this much passes where that does not: tunnels take from 20 bytes on.
const NOTABLY_SMALLER: u64 = 20;
/// The same, where nothing shows how large full ones are.
const MUCH_SMALLER: u64 = 100;
/// A hole smaller than this was not made by a full-size segment.
const FULL_SIZE_HOLE: u64 = 1_000;
/// Payload in a packet of 1,280 bytes behind the headers of IPv6 and TCP and a timestamp: whatever IPv6 runs over carries it (RFC 8200 section 5), tunnels
/// included.
const PASSES_ANYWHERE: u64 = 1_208;
/// The largest packet that an Ethernet carries whose links were not set to more.
pub const ETHERNET_MTU: u32 = 1_500;
