//! UDP flows, and links with EAPOL, that carry a handshake. Datagrams go in; those of flows that are followed are handed to a [`DatagramSink`].
//!
//! Nothing is kept of a flow until one of its datagrams looks like the beginning of a handshake ([`DatagramSink::opens`], a look at a few
//! bytes). From then on it is *followed* until its sink is settled, it was quiet for [`limits::UDP_IDLE`], or the capture ends; of a settled one
//! a *marker* stays, at which its other datagrams cost a look-up, until it is quiet or a new handshake begins. Like the connections of
//! [`super::Table`], flows end at ticks and in the order of their first frames, so that the result does not depend on how partitions are divided.
//!
//! What is an offset in a TCP stream is one here that the sink makes up for its messages.

mod flow;
mod other_way;
mod sink;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::bounds::TableCounters;
use super::facts::{FlowEvent, FlowEventKind, FlowFacts, IcmpNote, Roles, note_unfinished};
use super::index::{Index, Place};
use super::ledger::Ledger;
use super::roles;
use super::sink::Close;
use super::slab::{List, Slab};
use super::ways::{Lot, Start, Ways};
use crate::flow::{FlowKey, Side};
use crate::limits;
use crate::packet::{Datagram, IcmpError, LostFragments};
use crate::time::Mark;
use crate::traffic::{Row, Volume};
use crate::watch::Watch;
use flow::Flow;

pub use sink::{Answers, DatagramSink, Hearing, Opening};

/// The UDP flows of one partition.
#[derive(Debug)]
pub struct UdpTable<S: DatagramSink> {
    index: Index,
    ways: Ways,
    flows: Slab<Box<Flow<S>>>,
    followed: List,
    /// What these hold.
    ledger: Ledger,
    markers: Slab<Marker>,
    settled: List,
    most: usize,
    counters: TableCounters,
    /// When the sources were heard.
    watch: Arc<Watch>,
}

/// What was there before a flow begins.
#[derive(Debug, Clone, Copy)]
struct Before {
    /// Whether the lesser end was the client in the handshake before this one.
    client_is_low: Option<bool>,
    /// What is known of those with the same ends.
    start: Start,
}

/// What is kept of a flow that is not looked into any more.
#[derive(Debug)]
struct Marker {
    key: FlowKey,
    identity: Option<u64>,
    client_is_low: bool,
    /// Where its datagrams are counted.
    row: Row,
    touched: i64,
}

impl<S: DatagramSink> UdpTable<S> {
    /// An empty table that holds at most so many flows, markers included.
    pub fn new(most: usize) -> Self {
        Self {
            index: Index::new(),
            ways: Ways::new(limits::UDP_WAYS_JOINED),
            flows: Slab::new(),
            followed: List::new(),
            ledger: Ledger::new(limits::UDP_BYTES / limits::PARTITIONS),
            markers: Slab::new(),
            settled: List::new(),
            most,
            counters: TableCounters::default(),
            watch: Arc::default(),
        }
    }

    /// Makes known when the sources of the datagrams were heard: no silence counts while they were not.
    pub fn set_watch(&mut self, watch: &Arc<Watch>) {
        self.watch = Arc::clone(watch);
    }

    /// What was seen and dropped so far.
    pub const fn counters(&self) -> TableCounters {
        self.counters
    }

    /// How many flows are held, markers included.
    pub const fn held(&self) -> usize {
        self.flows.len() + self.markers.len()
    }

    /// The first datagram of the flow with this key, while it is followed.
    pub fn begun(&self, key: &FlowKey) -> Option<Mark> {
        match self.find_by_any_way(key)? {
            Place::Followed(id) => self.flows.get(id).map(|flow| flow.facts.first),
            Place::Marker(_) | Place::HalfOpen(_) => None,
        }
    }

    /// Whether any flow is followed whose first datagram is one of these.
    pub fn follows(&self, wanted: impl Fn(Mark) -> bool) -> bool {
        self.flows.ids().filter_map(|id| self.flows.get(id)).any(|flow| wanted(flow.facts.first))
    }

    /// Takes in a datagram that was seen at this interface.
    pub fn datagram(&mut self, shared: &mut S::Shared, interface: u32, datagram: &Datagram<'_>) {
        let place = if self.held() == 0 { None } else { self.find(&datagram.key) };
        match place {
            Some(Place::Followed(id)) => self.followed(shared, interface, datagram, id),
            Some(Place::Marker(id)) => self.marked(shared, interface, datagram, id),
            Some(Place::HalfOpen(_)) => {}
            None => self.unknown(shared, interface, datagram),
        }
    }

    /// A datagram of no flow that is known by its key.
    fn unknown(&mut self, shared: &mut S::Shared, interface: u32, datagram: &Datagram<'_>) {
        let opening = S::opens(datagram);
        let other = self.find_by_other_way(datagram, opening);
        match (other, opening) {
            (Ok(Place::Followed(id)), _) => self.followed(shared, interface, datagram, id),
            (Ok(Place::Marker(id)), _) => self.marked(shared, interface, datagram, id),
            (Ok(Place::HalfOpen(_)), _) => {}
            (Err(start), Some(opening)) => self.begin(shared, interface, datagram, opening, Before { client_is_low: None, start }),
            (Err(_), None) => S::pass_by(shared, datagram),
        }
    }

    /// Takes in an ICMP error. One that quotes a flow which is not followed tells nothing.
    pub fn icmp(&mut self, error: &IcmpError) {
        if self.held() == 0 {
            return;
        }
        let Some(Place::Followed(id)) = self.find_by_any_way(&error.key).or_else(|| self.find_quoted(&error.key)) else { return };
        let Some(flow) = self.flows.get_mut(id) else { return };
        let facts = &mut flow.facts;
        let about = if error.quoted_from_low == facts.client_is_low { Side::Client } else { Side::Server };
        let note = IcmpNote::of(error, about);
        if facts.icmp.len() >= limits::ICMP_NOTES || facts.icmp.last().is_some_and(|last| last.is_copied_by(&note)) {
            return;
        }
        facts.last = facts.last.max(error.mark);
        facts.icmp.push(note);
        let index = u8::try_from(facts.icmp.len() - 1).unwrap_or(u8::MAX);
        event(facts, FlowEvent { mark: error.mark, side: about, kind: FlowEventKind::Icmp { index } });
    }

    /// Whether anything is kept of the flow with this key.
    pub fn knows(&self, key: &FlowKey) -> bool {
        self.held() > 0 && self.find_by_any_way(key).is_some()
    }

    /// Takes in how many datagrams of a flow were left out up to this second of packet time because it is not looked into any more. False for one that
    /// is not known.
    pub fn left_out(&mut self, shared: &mut S::Shared, key: &FlowKey, late: Volume, second: i64) -> bool {
        let place = if self.held() == 0 { None } else { self.find_by_any_way(key) };
        if let Some(Place::Marker(id)) = place
            && let Some(marker) = self.markers.get_mut(id)
        {
            self.counters.settled_packets = self.counters.settled_packets.saturating_add(late.packets);
            S::count_late(shared, marker.row, late);
            marker.touched = marker.touched.max(second);
            self.markers.touch(&mut self.settled, id);
        }
        place.is_some()
    }

    /// Takes note of a datagram that came in fragments and never became whole. One of a flow that is not followed tells nothing.
    pub fn unfinished(&mut self, lost: &LostFragments) {
        if self.held() > 0
            && let Some(Place::Followed(id)) = self.find_by_any_way(&lost.key)
            && let Some(flow) = self.flows.get_mut(id)
        {
            let side = if lost.from_low == flow.facts.client_is_low { Side::Client } else { Side::Server };
            note_unfinished(flow.facts.sides.of_mut(side), lost);
        }
    }

    /// Ends the flows that were quiet for too long. `now` is a step of packet time, the same in every partition.
    pub fn tick(&mut self, shared: &mut S::Shared, now: Mark) {
        let second = now.time.seconds();
        let idle = i64::try_from(limits::UDP_IDLE.as_secs()).unwrap_or(i64::MAX);
        let quiet = |touched: i64| second.saturating_sub(touched) >= idle;
        while let Some(id) = self.settled.oldest().filter(|id| self.markers.get(*id).is_some_and(|marker| quiet(marker.touched))) {
            self.forget(id);
        }
        let mut due: Vec<(u64, u32)> = Vec::new();
        let mut next = self.followed.oldest();
        while let Some((id, flow)) = next.and_then(|id| Some((id, self.flows.get(id)?))).filter(|(_, flow)| quiet(flow.touched)) {
            due.push((flow.facts.first.frame, id));
            next = self.flows.after(id);
        }
        if S::watches(shared) {
            self.watch(shared, next, now);
        }
        due.sort_unstable();
        for (_, id) in due {
            self.close(shared, id, Close::Idle, now);
        }
    }

    /// Looks at the flows that are quiet, from this one on: those that are over end.
    fn watch(&mut self, shared: &mut S::Shared, mut next: Option<u32>, now: Mark) {
        let mut over: Vec<(u64, u32, Option<u64>)> = Vec::new();
        while let Some(id) = next {
            next = self.flows.after(id);
            let Some(flow) = self.flows.get_mut(id).filter(|flow| flow.touched < now.time.seconds()) else { break };
            if let Hearing::Settled(identity) = flow.sink.tick(shared, &flow.facts, now) {
                over.push((flow.facts.first.frame, id, identity));
            }
        }
        over.sort_unstable();
        for (_, id, identity) in over {
            self.settle(shared, id, identity, Close::Idle, now);
        }
    }

    /// The capture has ended: ends every flow in the order of the first frames. The table is empty afterwards.
    pub fn end(&mut self, shared: &mut S::Shared, now: Mark) {
        let mut all: Vec<(u64, u32)> = self.flows.ids().filter_map(|id| Some((self.flows.get(id)?.facts.first.frame, id))).collect();
        all.sort_unstable();
        for (_, id) in all {
            self.close(shared, id, Close::EndOfCapture, now);
        }
        while let Some(id) = self.settled.oldest() {
            self.forget(id);
        }
        self.index.clear();
    }

    fn find(&self, key: &FlowKey) -> Option<Place> {
        self.index.find(self.index.hash(key), |place| match place {
            Place::Followed(id) => self.flows.get(id).is_some_and(|flow| flow.facts.key == *key),
            Place::Marker(id) => self.markers.get(id).is_some_and(|marker| marker.key == *key),
            Place::HalfOpen(_) => false,
        })
    }

    fn begin(&mut self, shared: &mut S::Shared, interface: u32, datagram: &Datagram<'_>, opening: Opening, before: Before) {
        let Before { client_is_low: before, start } = before;
        if self.held() >= self.most {
            if let Some(id) = self.settled.oldest() {
                self.forget(id);
            } else if let Some(id) = self.followed.oldest() {
                self.counters.evicted += 1;
                self.close(shared, id, Close::Evicted, datagram.mark);
            }
        }
        self.counters.flows += 1;
        let names = self.names(&datagram.key);
        if datagram.key.path != 0 {
            self.ways.began();
            if let Some(one) = start.crowded_out {
                self.index.remove(one.names.bare, one.place);
            }
        }
        let (source, destination) =
            if datagram.from_low { (datagram.key.low, datagram.key.high) } else { (datagram.key.high, datagram.key.low) };
        let as_before = before.map(|client_is_low| client_is_low == datagram.from_low);
        let guess = || as_before.unwrap_or_else(|| roles::sender_is_client(source, destination));
        let sent_by_client = opening.sender.map_or_else(guess, |side| side == Side::Client);
        let roles = if opening.sender == Some(Side::Client) || before.is_some() { Roles::Handshake } else { Roles::Guessed };
        let mut facts = FlowFacts::new(datagram.key, datagram.from_low == sent_by_client, roles, datagram.path, datagram.mark, interface);
        facts.successor = before.is_some();
        facts.unclear = start.lot == Lot::Unclear;
        let flow = Flow::new(facts, S::new(shared, datagram), datagram.mark.time);
        if let Some(id) = self.flows.insert(&mut self.followed, Box::new(flow)) {
            names.enter(&mut self.index, Place::Followed(id));
            self.counters.peak_flows = self.counters.peak_flows.max(self.held() as u64);
            self.followed(shared, interface, datagram, id);
        }
    }

    fn followed(&mut self, shared: &mut S::Shared, interface: u32, datagram: &Datagram<'_>, id: u32) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let side = if datagram.from_low == flow.facts.client_is_low { Side::Client } else { Side::Server };
        if flow.is_duplicate(side, datagram) {
            flow.facts.duplicates = flow.facts.duplicates.saturating_add(1);
            self.counters.duplicates += 1;
            return;
        }
        let hearing = flow.sink.datagram(shared, &mut flow.facts, side, datagram);
        if hearing == Hearing::Anew {
            let before = (flow.facts.key, flow.facts.client_is_low);
            self.close(shared, id, Close::Reused, datagram.mark);
            if let Some(opening) = S::opens(datagram) {
                self.begin_anew(shared, interface, datagram, opening, before);
            }
            return;
        }
        if hearing == Hearing::Foreign {
            S::pass_by(shared, datagram);
            return;
        }
        let side = if hearing == Hearing::Swap {
            flow.facts.swap_sides();
            flow.recent.swap();
            flow.first_print.swap();
            side.other()
        } else {
            side
        };
        flow.count(side, datagram, hearing != Hearing::Nothing);
        let second = datagram.mark.time.seconds();
        let moved = flow.touched != second;
        flow.touched = second;
        let (bytes, first_frame) = (flow.weight(), flow.facts.first.frame);
        self.ledger.note(&mut flow.noted, bytes, first_frame, id);
        if moved {
            self.flows.touch(&mut self.followed, id);
        }
        if let Hearing::Settled(identity) = hearing {
            self.settle(shared, id, identity, Close::Settled, datagram.mark);
        }
        while self.ledger.is_over()
            && let Some(id) = self.ledger.largest().or_else(|| self.followed.oldest())
        {
            self.counters.evicted += 1;
            self.counters.evicted_for_bytes += 1;
            self.close(shared, id, Close::Evicted, datagram.mark);
        }
    }

    /// Ends a flow; a marker stays, lest its late datagrams be a new one.
    fn settle(&mut self, shared: &mut S::Shared, id: u32, identity: Option<u64>, close: Close, now: Mark) {
        let Some((key, client_is_low)) = self.flows.get(id).map(|flow| (flow.facts.key, flow.facts.client_is_low)) else { return };
        let row = self.close(shared, id, close, now);
        if let Some(id) = self.markers.insert(&mut self.settled, Marker { key, identity, client_is_low, row, touched: now.time.seconds() })
        {
            self.names(&key).enter(&mut self.index, Place::Marker(id));
        }
    }

    fn marked(&mut self, shared: &mut S::Shared, interface: u32, datagram: &Datagram<'_>, id: u32) {
        let Some(marker) = self.markers.get_mut(id) else { return };
        self.counters.settled_packets += 1;
        if let Some(opening) = S::opens(datagram).filter(|opening| opening.identity.is_some() && opening.identity != marker.identity) {
            let before = (marker.key, marker.client_is_low);
            self.forget(id);
            return self.begin_anew(shared, interface, datagram, opening, before);
        }
        S::count_late(shared, marker.row, Volume::packet(datagram.payload_len));
        let second = datagram.mark.time.seconds();
        if marker.touched != second {
            marker.touched = second;
            self.markers.touch(&mut self.settled, id);
        }
    }

    fn close(&mut self, shared: &mut S::Shared, id: u32, close: Close, now: Mark) -> Row {
        let Some(mut flow) = self.flows.remove(&mut self.followed, id) else { return Row::NONE };
        let first_frame = flow.facts.first.frame;
        self.ledger.note(&mut flow.noted, 0, first_frame, id);
        self.names(&flow.facts.key).remove(&mut self.index, Place::Followed(id));
        if close != Close::Settled {
            flow.facts.unheard_from = self.watch.lapse(flow.facts.interface, flow.facts.last.frame);
        }
        let row = flow.sink.count(shared, &flow.facts);
        flow.sink.finish(shared, flow.facts, close, now);
        row
    }

    fn forget(&mut self, id: u32) {
        if let Some(marker) = self.markers.remove(&mut self.settled, id) {
            self.names(&marker.key).remove(&mut self.index, Place::Marker(id));
        }
    }
}

/// Adds an event within the bound.
pub fn event(facts: &mut FlowFacts, event: FlowEvent) {
    facts.eventful |= !event.kind.is_plain();
    if facts.events.len() < limits::FLOW_EVENTS {
        facts.events.push(event);
    } else {
        facts.events_dropped = facts.events_dropped.saturating_add(1);
    }
}
