//! What time and the bounds end.

use std::time::Duration;

use super::Table;
use crate::limits;
use crate::time::{Mark, Timestamp};
use crate::transport::half_open::HalfOpen;
use crate::transport::sink::{Close, FlowSink};
use crate::transport::slab::List;

/// A connection whose time has come.
#[derive(Debug, Clone, Copy)]
enum Due {
    Waiting(u32),
    Refused(u32),
    Followed(u32),
}

impl<S: FlowSink> Table<S> {
    /// A step of packet time ([`crate::transport::TableLimits::step`]) has passed: looks at all timers. Connections are looked at in the order of their first frames.
    pub fn tick(&mut self, shared: &mut S::Shared, now: Mark) {
        self.forget_markers(now.time.seconds());
        self.settle_suspects(now.time);
        let bounds = self.room.limits;
        if let Some(watch) = bounds.half_open_watch {
            self.watch_half_open(shared, now, watch);
        }
        let step = now.time.steps(bounds.step);
        let mut due = Vec::new();
        self.quiet_half_open(self.waiting, now.time, bounds.half_open_idle, |id, record| due.push((record.first.frame, Due::Waiting(id))));
        self.quiet_half_open(self.refused, now.time, bounds.linger, |id, record| due.push((record.first.frame, Due::Refused(id))));
        while let Some(entry) = self.wheel.first_entry().filter(|entry| *entry.key() <= step) {
            let (armed, ids) = entry.remove_entry();
            for id in ids {
                if let Some(connection) = self.connections.get_mut(id).filter(|connection| connection.armed == armed) {
                    connection.armed = i64::MIN;
                    due.push((connection.facts.first.frame, Due::Followed(id)));
                }
            }
        }
        due.sort_unstable_by_key(|(frame, _)| *frame);
        for (_, due) in due {
            match due {
                Due::Waiting(id) => self.finish_half_open(shared, id, Close::Idle, now),
                Due::Refused(id) => self.finish_half_open(shared, id, Close::Ended, now),
                Due::Followed(id) => self.look(shared, id, now),
            }
        }
    }

    /// The capture has ended: closes everything. The table is empty afterwards.
    pub fn end(&mut self, shared: &mut S::Shared, now: Mark) {
        for (_, id) in self.end_but_syns(shared, now) {
            self.end_syn(shared, id, now);
        }
    }

    /// The same, in the order of the first frames, but for SYNs that nothing answered and that are to be told: a report takes far more than what is
    /// held of one, and there may be very many. Gives their first frames and numbers, in order; [`Table::end_syn`] is to be called for each.
    pub fn end_but_syns(&mut self, shared: &mut S::Shared, now: Mark) -> Vec<(u64, u32)> {
        self.settle_suspects(Timestamp::MAX);
        let mut syns = Vec::new();
        let half_open = self.half_open.ids().filter_map(|id| Some((self.half_open.get(id)?.first.frame, Due::Waiting(id))));
        let followed = self.connections.ids().filter_map(|id| Some((self.connections.get(id)?.facts.first.frame, Due::Followed(id))));
        let mut all: Vec<(u64, Due)> = half_open.chain(followed).collect();
        all.sort_unstable_by_key(|(frame, _)| *frame);
        for (frame, due) in all {
            match due {
                Due::Waiting(id) | Due::Refused(id) => match self.sum_up(shared, id, u64::MAX) {
                    Some(true) => {}
                    Some(false) => syns.push((frame, id)),
                    None => self.tell_half_open(shared, id, false, Close::EndOfCapture, now),
                },
                Due::Followed(id) => self.close(shared, id, Close::EndOfCapture, now, None),
            }
        }
        while let Some(id) = self.settled.oldest().or_else(|| self.ended.oldest()) {
            self.forget_marker(id);
        }
        self.index.clear();
        self.wheel.clear();
        self.buffering.clear();
        syns
    }

    /// Ends a SYN's connection that [`Table::end_but_syns`] left.
    pub fn end_syn(&mut self, shared: &mut S::Shared, id: u32, now: Mark) {
        self.tell_half_open(shared, id, true, Close::EndOfCapture, now);
    }

    /// Looks at one connection whose time has come.
    fn look(&mut self, shared: &mut S::Shared, id: u32, now: Mark) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        match connection.tick(shared, &mut self.room, now) {
            Some(close) => self.close(shared, id, close, now, None),
            None => self.arm(id, now.time),
        }
    }

    /// Sets the step at which a connection is looked at next, unless it is to be looked at before that anyway.
    pub(super) fn arm(&mut self, id: u32, now: Timestamp) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let at = connection.next_look(&self.room, now);
        let length = self.room.limits.step;
        let step = at.before(Duration::from_nanos(1)).steps(length).max(now.steps(length)).saturating_add(1);
        if connection.armed == i64::MIN || step < connection.armed {
            connection.armed = step;
            self.wheel.entry(step).or_default().push(id);
        }
    }

    /// Makes whole connections of those that nobody has answered for so long, as far as there is room to watch them.
    fn watch_half_open(&mut self, shared: &mut S::Shared, now: Mark, watch: Duration) {
        while self.bare < limits::WATCHED_HALF_OPEN
            && let Some(id) = self.waiting.oldest()
            && self.half_open.get(id).is_some_and(|record| now.time.since(record.first.time) >= watch)
        {
            self.promote(shared, id, now);
        }
    }

    /// Makes room for one more connection: of those that are least of use, the one that was quiet for longest.
    pub(super) fn evict(&mut self, shared: &mut S::Shared, now: Mark) {
        if let Some(id) = self.ended.oldest().or_else(|| self.settled.oldest()) {
            self.forget_marker(id);
        } else if let Some(id) = self.followed.oldest() {
            self.close(shared, id, Close::Evicted, now, None);
        } else {
            self.evict_half_open(shared, now);
        }
    }

    /// Notes what a connection takes.
    pub(super) fn weigh(&mut self, id: u32) {
        if let Some(connection) = self.connections.get_mut(id) {
            let (bytes, first_frame) = (connection.weight(), connection.facts.first.frame);
            self.ledger.note(&mut connection.noted, bytes, first_frame, id);
        }
    }

    /// All connections together take too much: the largest goes, and where none is larger than others, the one that was quiet for longest.
    #[cold]
    pub(super) fn shed(&mut self, shared: &mut S::Shared, now: Mark) {
        while self.ledger.is_over()
            && let Some(id) = self.ledger.largest().or_else(|| self.followed.oldest())
        {
            self.room.counters.evicted_for_bytes += 1;
            self.close(shared, id, Close::Evicted, now, None);
        }
    }

    /// Makes room for one more half-open connection.
    pub(super) fn evict_half_open(&mut self, shared: &mut S::Shared, now: Mark) {
        let oldest = self.waiting.oldest().or_else(|| self.refused.oldest());
        if let Some((id, record)) = oldest.and_then(|id| Some((id, self.half_open.get(id)?))) {
            self.room.counters.half_open += 1;
            self.room.counters.evicted_half_open += 1;
            S::evicted_half_open(shared, record.ended(now.frame));
            self.drop_half_open(id);
            // In a flood the next one goes soon, and has left the cache long ago.
            if let Some(next) = self.waiting.oldest() {
                self.half_open.prefetch(next);
            }
        }
    }

    /// Too many bytes wait in all: those that began to wait first are given up.
    pub(super) fn relieve(&mut self, shared: &mut S::Shared, now: Mark) {
        while self.room.buffered > self.room.limits.buffered_total
            && let Some((id, first)) = self.buffering.pop_front()
        {
            let Some(connection) = self.connections.get_mut(id).filter(|connection| connection.facts.first.frame == first) else {
                continue;
            };
            connection.queued = false;
            if connection.give_up_all(shared, &mut self.room, now).is_break() {
                self.close(shared, id, Close::Settled, now, None);
            }
        }
        // entries of connections that are gone
        if self.buffering.len() > 2 * self.connections.len() + SLACK {
            let connections = &self.connections;
            self.buffering.retain(|(id, first)| connections.get(*id).is_some_and(|connection| connection.facts.first.frame == *first));
        }
    }

    /// How long a half-open connection was quiet while its source was heard.
    fn quiet(&self, record: &HalfOpen, now: Timestamp) -> Duration {
        let last = record.last();
        now.since(last.time).saturating_sub(self.room.watch.unheard(record.interface, last.frame, now))
    }

    fn forget_markers(&mut self, second: i64) {
        let spans = [self.room.limits.idle, LATE_PACKETS];
        for (is_ended, span) in [false, true].into_iter().zip(spans) {
            let span = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
            loop {
                let oldest = if is_ended { self.ended.oldest() } else { self.settled.oldest() };
                let Some(id) = oldest else { break };
                if self.markers.get(id).is_some_and(|marker| second.saturating_sub(marker.touched) < span) {
                    break;
                }
                self.forget_marker(id);
            }
        }
    }

    /// Calls `each` for the half-open connections at the head of a list that were quiet for `span`.
    fn quiet_half_open(&self, list: List, now: Timestamp, span: Duration, mut each: impl FnMut(u32, &HalfOpen)) {
        let mut next = list.oldest();
        while let Some((id, record)) =
            next.and_then(|id| Some((id, self.half_open.get(id)?))).filter(|(_, record)| self.quiet(record, now) >= span)
        {
            each(id, record);
            next = self.half_open.after(id);
        }
    }
}

/// How long packets of a connection that has ended may still come, and are then no new connection: TIME-WAIT of most systems.
const LATE_PACKETS: Duration = Duration::from_secs(60);

/// Entries of the queue of buffering connections that are not worth a search for those that are gone.
const SLACK: usize = 1024;
