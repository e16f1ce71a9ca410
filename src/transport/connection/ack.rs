//! Acknowledgments: cumulative, duplicate and selective.

use std::time::Duration;

use super::{Connection, Step};
use crate::packet::Segment;
use crate::transport::facts::TcpEventKind;
use crate::transport::options;
use crate::transport::sink::FlowSink;

impl<S: FlowSink> Connection<S> {
    /// The ACK flag is set: what it says of the other side's bytes.
    pub(super) fn acknowledgment(&mut self, shared: &mut S::Shared, segment: &Segment<'_>) -> Step {
        let low = segment.from_low;
        let mark = segment.mark;
        let own = self.stream(low);
        let repeated = own.last_ack == Some(segment.ack) && own.window == segment.window;
        own.last_ack = Some(segment.ack);
        own.window = segment.window;
        let pure = segment.payload_len == 0 && !segment.flags.syn() && !segment.flags.fin();

        let (stream, facts) = self.both(!low);
        if stream.origin.is_none() {
            stream.origin = Some(segment.ack);
            stream.provisional = true;
        }
        // an acknowledgment of what was never sent comes from another connection, or from nobody
        let offset = stream.offset(segment.ack, facts.acked.max(facts.delivered)).and_then(|offset| u64::try_from(offset).ok());
        let Some(offset) = offset.filter(|offset| *offset <= facts.highest.max(facts.acked).saturating_add(FARTHEST)) else {
            return Step::Continue(());
        };
        if let Some(syn) = &mut facts.syn
            && syn.acked.is_none()
        {
            syn.acked = Some(mark);
        }
        let mut end = offset;
        if let Some((_, fin)) = facts.fin
            && offset > fin
        {
            stream.fin_acked = true;
            end = fin;
        }
        let mut worth_telling = false;
        let mut duplicate = false;
        if end > facts.acked {
            let (largest, waited) = stream.acknowledged(end, mark);
            worth_telling = facts.acked == 0 || stream.resent || waited >= PAUSE;
            stream.resent = false;
            facts.largest_acked_segment = facts.largest_acked_segment.max(largest);
            facts.acked = end;
            facts.acked_at = Some(mark);
        } else if end == facts.acked {
            duplicate = pure && repeated && facts.highest > end;
        }
        if duplicate {
            let own = self.side_facts(low);
            own.duplicate_acks = own.duplicate_acks.saturating_add(1);
        }
        self.selective(segment);
        self.watch_hole(!low, mark.time);
        self.establish(shared, segment)?;
        if worth_telling { self.event(shared, mark, !low, TcpEventKind::Acknowledged { offset: end }) } else { Step::Continue(()) }
    }

    /// SACK blocks (RFC 2018). A block at or below the cumulative acknowledgment reports a duplicate (RFC 2883) and says nothing here.
    fn selective(&mut self, segment: &Segment<'_>) {
        if segment.flags.syn() || options::is_plain(segment.options) {
            return;
        }
        let low = segment.from_low;
        let (stream, facts) = self.both(!low);
        let mut beyond = false;
        for (left, right) in options::decode(segment.options).sack.into_iter().flatten() {
            let near = facts.acked;
            let edges = stream.offset(left, near).zip(stream.offset(right, near));
            let Some((left, right)) = edges.and_then(|(left, right)| Some((u64::try_from(left).ok()?, u64::try_from(right).ok()?))) else {
                continue;
            };
            if left > facts.acked && right > left && right <= facts.highest.max(facts.acked).saturating_add(FARTHEST) {
                beyond = true;
                facts.largest_acked_segment = facts.largest_acked_segment.max(stream.selectively_acknowledged(left, right));
            }
        }
        self.side_facts(low).sent_sack |= beyond;
    }
}

/// How far beyond the last byte seen an acknowledgment is believed: the largest window there is (RFC 7323 section 2.3).
const FARTHEST: u64 = 1 << 30;

/// An acknowledgment that took at least this long is worth an event.
const PAUSE: Duration = Duration::from_secs(1);
