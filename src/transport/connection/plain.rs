//! The short way, which nearly all segments take: a segment that goes on where its side left off, of a connection with which nothing is amiss.
//!
//! It says the same as the long way and looks at less: a property test holds both to it.

use super::{Connection, Step};
use crate::count::low_bits;
use crate::limits;
use crate::packet::{Segment, TcpFlags, tcp_options_are_plain};
use crate::transport::facts::{FlowEventKind, SideFacts};
use crate::transport::sink::{Data, FlowSink};
use crate::transport::stream::{First, Stream, digest};

impl<S: FlowSink> Connection<S> {
    /// Takes in a segment if it may take the short way. `None` when it has to take the long one, and nothing was done.
    pub(super) fn go_on(&mut self, shared: &mut S::Shared, segment: &Segment<'_>) -> Option<Step> {
        if !self.calm || !is_plain(segment) || segment.mark.time < self.latest {
            return None;
        }
        let low = segment.from_low;
        let (own, other) = (self.side(low), self.side(!low));
        let (facts, others) = (self.facts.sides.of(own), self.facts.sides.of(other));
        let goes_on = facts.delivered == facts.highest
            && facts.acked <= facts.highest
            && self.streams.of(own).origin?.wrapping_add(low_bits(facts.delivered)) == segment.seq;
        let more_acked = segment.ack.wrapping_sub(self.streams.of(other).origin?.wrapping_add(low_bits(others.acked)));
        let acknowledged = others.acked.saturating_add(u64::from(more_acked));
        // A stream that begins with a few bytes, and an alert, are looked at more closely.
        let small_start = segment.payload.len() <= limits::ASIDE && (facts.highest == 0 || segment.payload.first() == Some(&ALERT));
        let small_start = small_start && !segment.payload.is_empty();
        // Of what goes the long way it is asked there.
        if !goes_on || small_start || acknowledged > others.highest || self.doubt(segment).is_some() {
            return None;
        }
        self.count_any(segment);
        let stream = self.streams.of_mut(own);
        let repeated = stream.note_ack(segment);
        if self.acknowledge(segment, acknowledged, repeated && segment.payload_len == 0)
            && let step = self.event(shared, segment.mark, !low, FlowEventKind::Acknowledged { offset: acknowledged })
            && step.is_break()
        {
            return Some(step);
        }
        let side = self.side(low);
        let (stream, facts) = (self.streams.of_mut(side), self.facts.sides.of_mut(side));
        if segment.payload.is_empty() {
            if !stream.ttl_of_data {
                facts.ttl = Some(segment.ip.ttl);
            }
            return Some(Step::Continue(()));
        }
        let bytes = segment.payload;
        let offset = facts.delivered;
        stream.begins_tls |= offset == 0 && bytes.first() == Some(&HANDSHAKE);
        let end = offset.saturating_add(bytes.len() as u64);
        let digest = digest(bytes);
        stream.sent(offset, end, segment, Some(digest));
        stream.ttl_of_data = true;
        facts.ttl = Some(segment.ip.ttl);
        if facts.first_data.is_none() {
            facts.first_data = Some(segment.mark);
            stream.first = Some(First::with(segment, digest));
        }
        facts.last_data = Some(segment.mark);
        facts.highest = end;
        facts.bytes_seen = facts.bytes_seen.saturating_add(bytes.len() as u64);
        facts.delivered = end;
        let interest = self.sink.data(shared, &self.facts, Data { side, offset, bytes, mark: &segment.mark });
        Some(self.heed(interest))
    }

    /// Makes the next segment take the long way.
    #[cfg(test)]
    pub(in crate::transport) fn distrust(&mut self) {
        self.calm = false;
    }

    /// Nothing is amiss: segments may take the short way until one of them takes the long one.
    pub(super) fn is_calm(&self) -> bool {
        let (streams, sides) = (&self.streams, &self.facts.sides);
        self.facts.established().is_some()
            && self.facts.icmp.is_empty()
            && is_calm(&streams.client, &sides.client)
            && is_calm(&streams.server, &sides.server)
    }
}

fn is_calm(stream: &Stream, facts: &SideFacts) -> bool {
    stream.origin.is_some()
        && !stream.provisional
        && !stream.window_closed
        && stream.far_ack.is_none()
        && stream.hole_acked.is_none()
        && stream.assembler.is_empty()
        && stream.aside.is_none()
        && stream.doubted.is_empty()
        && facts.delivered >= stream.cut_until
        && facts.resets.is_empty()
        && facts.fin.is_none()
        && facts.syn.is_none_or(|syn| syn.acked.is_some())
}

/// Captured whole, with nothing but an acknowledgment and payload.
fn is_plain(segment: &Segment<'_>) -> bool {
    segment.flags.0 & (TcpFlags::FIN | TcpFlags::SYN | TcpFlags::RST | TcpFlags::ACK) == TcpFlags::ACK
        && segment.window != 0
        && !segment.ip.was_fragmented
        && segment.payload.len() == segment.payload_len as usize
        && tcp_options_are_plain(segment.options)
}

/// The record type of handshake messages.
pub(super) const HANDSHAKE: u8 = 22;
/// The record type of alerts.
pub(super) const ALERT: u8 = 21;
