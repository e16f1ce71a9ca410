//! The connections of one partition, and the way of a segment to its own.

mod approach;
mod expiry;
mod other_way;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod way_tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::bounds::{TableCounters, TableLimits};
use super::connection::{Connection, Reuse, Room, Step};
use super::half_open::HalfOpen;
use super::index::{Index, Paths, Place};
use super::ledger::Ledger;
use super::sink::{Close, FlowSink};
use super::slab::{List, Slab};
use super::ways::{Lot, Names, Start, Ways};
use crate::flow::FlowKey;
use crate::limits;
use crate::packet::{IcmpError, LostFragments, Segment, TcpFlags};
use crate::time::Mark;
use crate::traffic::{Row, Volume};
use crate::watch::Watch;
pub(crate) use approach::{Ask, Expected};

/// The connections of one partition. See the [module](super) for what becomes of them.
#[derive(Debug)]
pub struct Table<S: FlowSink> {
    index: Index,
    paths: Paths,
    ways: Ways,
    half_open: Slab<HalfOpen>,
    /// Half-open connections without a RST, and with one.
    waiting: List,
    refused: List,
    connections: Slab<Box<Connection<S>>>,
    followed: List,
    /// What these hold.
    ledger: Ledger,
    /// Connections among these that got no further than half-open ones.
    bare: usize,
    markers: Slab<Marker>,
    /// Markers of connections that go on, and of those that ended.
    settled: List,
    ended: List,
    /// Connections to look at, by the step of packet time at which. An entry counts when the connection is still armed for that step.
    wheel: BTreeMap<i64, Vec<u32>>,
    /// Connections with bytes that wait, by number and first frame, in the order in which they began to.
    buffering: VecDeque<(u32, u64)>,
    room: Room,
}

/// What is kept of a connection that is not looked into any more.
#[derive(Debug)]
struct Marker {
    /// Of the flow's key, which is not kept: a busy minute leaves hundreds of thousands of markers, and no two of them share these 64 bits.
    hash: u64,
    /// The same outside of tunnels.
    bare: u64,
    /// The initial sequence numbers of [`crate::flow::FlowKey::low`] and its `high`.
    isn: [Option<u32>; 2],
    /// Their FINs were seen.
    fin: [bool; 2],
    reset: bool,
    /// It is in the list of ended connections.
    is_ended: bool,
    /// Where its packets are counted.
    row: Row,
    /// The second of packet time of its last packet.
    touched: i64,
}

impl<S: FlowSink> Table<S> {
    /// An empty table.
    pub fn new(limits: TableLimits) -> Self {
        Self {
            index: Index::new(),
            paths: Paths::new(),
            ways: Ways::new(limits::WAYS_JOINED),
            half_open: Slab::new(),
            waiting: List::new(),
            refused: List::new(),
            connections: Slab::new(),
            followed: List::new(),
            ledger: Ledger::new(limits.followed_bytes),
            bare: 0,
            markers: Slab::new(),
            settled: List::new(),
            ended: List::new(),
            wheel: BTreeMap::new(),
            buffering: VecDeque::new(),
            room: Room { limits, counters: TableCounters::default(), buffered: 0, watch: Arc::default() },
        }
    }

    /// What was seen and dropped so far.
    pub const fn counters(&self) -> TableCounters {
        self.room.counters
    }

    /// How many connections are held, half-open and settled ones included.
    pub const fn held(&self) -> usize {
        self.half_open.len() + self.connections.len() + self.markers.len()
    }

    /// Bytes that the connections take that are followed, with all that they hold.
    pub const fn followed_bytes(&self) -> usize {
        self.ledger.total()
    }

    /// Out-of-order bytes that wait, with what it costs to hold them.
    pub const fn buffered(&self) -> usize {
        self.room.buffered
    }

    /// Makes known when the sources of the segments were heard: no silence counts while they were not.
    pub fn set_watch(&mut self, watch: &Arc<Watch>) {
        self.room.watch = Arc::clone(watch);
    }

    /// The first packet of the connection with this key, while it is half open or followed.
    pub fn begun(&self, key: &FlowKey) -> Option<Mark> {
        match self.find_by_any_way(self.index.hash(key))? {
            Place::HalfOpen(id) => self.half_open.get(id).map(|record| record.first),
            Place::Followed(id) => self.connections.get(id).map(|connection| connection.facts.first),
            Place::Marker(_) => None,
        }
    }

    /// Whether the connection with this key is not looked into any more, only whether it ends.
    pub fn is_settled(&self, key: &FlowKey) -> bool {
        matches!(self.find_by_any_way(self.index.hash(key)), Some(Place::Marker(_)))
    }

    /// Whether any connection is half open or followed whose first packet is one of these.
    pub fn follows(&self, wanted: impl Fn(Mark) -> bool) -> bool {
        let half_open = self.half_open.ids().filter_map(|id| self.half_open.get(id)).any(|record| wanted(record.first));
        half_open || self.connections.ids().filter_map(|id| self.connections.get(id)).any(|connection| wanted(connection.facts.first))
    }

    /// Takes in a segment that was seen at this interface.
    pub fn segment(&mut self, shared: &mut S::Shared, interface: u32, segment: &Segment<'_>) {
        let hash = self.index.hash(&segment.key);
        self.segment_at(shared, interface, segment, (hash, self.find(hash)));
    }

    /// Takes in a segment of the flow whose key has this hash and whose state is there.
    #[inline]
    fn segment_at(&mut self, shared: &mut S::Shared, interface: u32, segment: &Segment<'_>, (hash, place): (u64, Option<Place>)) {
        match place.map_or_else(|| self.find_by_other_way(segment, hash), Ok) {
            Ok(place) => self.segment_of(shared, interface, segment, place),
            Err(start) => self.begin(shared, interface, segment, hash, start),
        }
    }

    /// Takes in a segment of the flow whose state is there.
    #[inline]
    fn segment_of(&mut self, shared: &mut S::Shared, interface: u32, segment: &Segment<'_>, place: Place) {
        match place {
            Place::Followed(id) => self.followed(shared, interface, segment, id),
            Place::Marker(id) => self.marked(shared, interface, segment, id),
            Place::HalfOpen(id) => self.half_open(shared, interface, segment, id),
        }
    }

    /// Takes in an ICMP error. One that quotes a connection which is not followed tells nothing.
    pub fn icmp(&mut self, shared: &mut S::Shared, error: &IcmpError) {
        let hash = self.index.hash(&error.key);
        let id = match self.find_by_any_way(hash).or_else(|| self.find_quoted(&error.key, hash)) {
            Some(Place::Followed(id)) => Some(id),
            Some(Place::HalfOpen(id)) => self.promote(shared, id, error.mark),
            Some(Place::Marker(_)) | None => None,
        };
        if let Some(id) = id
            && let Some(connection) = self.connections.get_mut(id)
            && connection.icmp(shared, error).is_break()
        {
            self.close(shared, id, Close::Settled, error.mark, None);
        }
    }

    /// Takes note of a packet that came in fragments and never became whole. One of a connection that is not followed tells nothing.
    pub fn unfinished(&mut self, lost: &LostFragments) {
        if let Some(Place::Followed(id)) = self.find_by_any_way(self.index.hash(&lost.key))
            && let Some(connection) = self.connections.get_mut(id)
        {
            connection.unfinished(lost);
        }
    }

    /// Takes in how many packets of a connection were left out up to this second of packet time because it is not looked into any more. Those of one
    /// that is not known belonged to none.
    pub fn left_out(&mut self, shared: &mut S::Shared, key: &FlowKey, late: Volume, second: i64) {
        let Some(Place::Marker(id)) = self.find_by_any_way(self.index.hash(key)) else { return };
        let Some(marker) = self.markers.get_mut(id) else { return };
        self.room.counters.settled_packets = self.room.counters.settled_packets.saturating_add(late.packets);
        S::count_late(shared, marker.row, late);
        marker.touched = marker.touched.max(second);
        let list = if marker.is_ended { &mut self.ended } else { &mut self.settled };
        self.markers.touch(list, id);
    }

    #[cfg(test)]
    fn take_the_long_way(&mut self) {
        for id in self.connections.ids().collect::<Vec<_>>() {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.distrust();
            }
        }
    }

    /// Where the state of the flow is whose key has this hash, of which the index compares the half.
    #[inline]
    fn find(&self, hash: u64) -> Option<Place> {
        self.index.find(hash, |place| self.holds(place, hash))
    }

    /// The state at this place is that of the flow with this hash.
    #[inline]
    fn holds(&self, place: Place, hash: u64) -> bool {
        match place {
            Place::HalfOpen(id) => self.half_open.get(id).is_some_and(|record| record.hash == hash),
            Place::Followed(id) => self.connections.get(id).is_some_and(|connection| connection.hash == hash),
            Place::Marker(id) => self.markers.get(id).is_some_and(|marker| marker.hash == hash),
        }
    }

    /// A segment of no connection that is known.
    fn begin(&mut self, shared: &mut S::Shared, interface: u32, segment: &Segment<'_>, hash: u64, start: Start) {
        let flags = segment.flags;
        let begins = flags.syn() && !flags.rst() && !flags.fin();
        // a single byte without PSH is a keep-alive of a connection that is idle, or a hello cut into the smallest pieces
        let keep_alive = segment.payload_len == 1 && flags.0 & TcpFlags::PSH == 0 && segment.payload.first() != Some(&HANDSHAKE_RECORD);
        if !begins && (segment.payload_len == 0 || flags.rst() || flags.syn() || keep_alive) {
            self.room.counters.stray += 1;
            return;
        }
        if self.held() >= self.room.limits.flows {
            self.evict(shared, segment.mark);
        }
        self.room.counters.flows += 1;
        let names = Names::of(&self.index, &segment.key, hash);
        if segment.key.path != 0 {
            self.ways.began();
            if let Some(one) = start.crowded_out {
                self.index.remove(one.names.bare, one.place);
            }
        }
        if start.lot == Lot::Suspect {
            self.ways.suspect(segment.mark.time, hash);
        }
        let record = self.paths.number(segment.path).filter(|_| begins).and_then(|path| HalfOpen::new(segment, hash, interface, path));
        if let Some(record) = record.map(|record| record.with_lot(start.lot)) {
            if self.half_open.len() >= self.room.limits.half_open {
                self.evict_half_open(shared, segment.mark);
            }
            if let Some(id) = self.half_open.insert(&mut self.waiting, record) {
                names.enter(&mut self.index, Place::HalfOpen(id));
            }
        } else {
            let mut connection = Connection::begun(shared, segment, interface, hash);
            connection.facts.unclear = start.lot == Lot::Unclear;
            connection.lonely = start.lot != Lot::Alone;
            if let Some(id) = self.connections.insert(&mut self.followed, connection) {
                names.enter(&mut self.index, Place::Followed(id));
                self.weigh(id);
                self.feed(shared, segment, id);
            }
        }
        self.room.counters.peak_flows = self.room.counters.peak_flows.max(self.held() as u64);
    }

    /// A segment of a connection that is half open.
    fn half_open(&mut self, shared: &mut S::Shared, interface: u32, segment: &Segment<'_>, id: u32) {
        let crowded = self.half_open.len() + self.bare > self.room.limits.half_open / 2;
        let Some(record) = self.half_open.get_mut(id) else { return };
        if record.is_replaced_by(segment) {
            self.finish_half_open(shared, id, Close::Reused, segment.mark);
            return self.begin(shared, interface, segment, self.index.hash(&segment.key), Start::ALONE);
        }
        if record.answers
            && let Some(asked) = self.answered_by(id, segment)
        {
            return self.answer(shared, interface, segment, id, asked);
        }
        let Some(record) = self.half_open.get_mut(id) else { return };
        let was_refused = record.was_refused();
        if record.push(segment) || (crowded && record.count(segment)) {
            match (was_refused, record.was_refused()) {
                (false, true) => self.half_open.transfer(&mut self.waiting, &mut self.refused, id),
                (false, false) => self.half_open.touch(&mut self.waiting, id),
                (true, _) => self.half_open.touch(&mut self.refused, id),
            }
        } else if let Some(id) = self.promote(shared, id, segment.mark) {
            self.followed(shared, interface, segment, id);
        }
    }

    /// A segment of a connection that is followed.
    #[inline]
    fn followed(&mut self, shared: &mut S::Shared, interface: u32, segment: &Segment<'_>, id: u32) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        match connection.reuse(segment) {
            Reuse::No => self.feed(shared, segment, id),
            Reuse::Yes => {
                self.close(shared, id, Close::Reused, segment.mark, None);
                self.begin(shared, interface, segment, self.index.hash(&segment.key), Start::ALONE);
            }
            Reuse::Since(syn, first) => {
                let (key, path) = (connection.facts.key, connection.facts.path);
                self.close(shared, id, Close::Reused, segment.mark, None);
                let syn = syn.retell(key, path, first);
                self.begin(shared, interface, &syn, self.index.hash(&key), Start::ALONE);
                self.segment(shared, interface, segment);
            }
        }
    }

    /// A segment of a connection that is not looked into any more.
    fn marked(&mut self, shared: &mut S::Shared, interface: u32, segment: &Segment<'_>, id: u32) {
        let Some(marker) = self.markers.get_mut(id) else { return };
        let [low, high] = marker.isn;
        let flags = segment.flags;
        let other_number = Some(segment.seq) != if segment.from_low { low } else { high };
        let long_ago = segment.mark.time.seconds().saturating_sub(marker.touched) >= LONG_AGO;
        if flags.syn() && !flags.rst() && (other_number || long_ago && !flags.ack()) {
            self.forget_marker(id);
            return self.begin(shared, interface, segment, self.index.hash(&segment.key), Start::ALONE);
        }
        self.room.counters.settled_packets += 1;
        S::count_late(shared, marker.row, Volume::packet(segment.payload_len));
        let was_ended = marker.is_ended;
        marker.note(segment);
        let second = segment.mark.time.seconds();
        let moved = marker.touched != second;
        marker.touched = second;
        let is_ended = marker.is_ended;
        match (was_ended, is_ended) {
            (false, true) => self.markers.transfer(&mut self.settled, &mut self.ended, id),
            (true, false) => self.markers.transfer(&mut self.ended, &mut self.settled, id),
            (false, false) if moved => self.markers.touch(&mut self.settled, id),
            (true, true) if moved => self.markers.touch(&mut self.ended, id),
            _ => {}
        }
    }

    /// Gives a segment to its connection, and does what follows from it.
    fn feed(&mut self, shared: &mut S::Shared, segment: &Segment<'_>, id: u32) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let lonely = connection.lonely;
        if connection.segment(shared, &mut self.room, segment).is_break() {
            return self.close(shared, id, Close::Settled, segment.mark, Some(segment));
        }
        if !segment.payload.is_empty() || connection.grew {
            connection.grew = false;
            let bytes = connection.weight();
            if bytes != connection.noted {
                let first_frame = connection.facts.first.frame;
                self.ledger.note(&mut connection.noted, bytes, first_frame, id);
            }
        }
        let second = segment.mark.time.seconds();
        let moved = connection.touched != second;
        connection.touched = second;
        if connection.bare && connection.got_beyond_syn() {
            connection.bare = false;
            self.bare -= 1;
        }
        let starts_buffering = !connection.queued && connection.has_waiting();
        connection.queued |= starts_buffering;
        // armed for a distant moment: it was quiet for long, and is no more
        let distant = |armed: i64| armed > segment.mark.time.after(SOON).steps(self.room.limits.step);
        let rearm = connection.armed == i64::MIN || (moved && distant(connection.armed));
        if moved {
            self.connections.touch(&mut self.followed, id);
        }
        if rearm {
            self.arm(id, segment.mark.time);
        }
        if starts_buffering {
            let first = self.connections.get(id).map_or(0, |connection| connection.facts.first.frame);
            self.buffering.push_back((id, first));
        }
        if self.room.buffered > self.room.limits.buffered_total {
            self.relieve(shared, segment.mark);
        }
        if self.ledger.is_over() {
            self.shed(shared, segment.mark);
        }
        if lonely {
            self.settle_lonely(id, segment.from_low);
        }
    }

    /// Makes a whole connection of a half-open one. `None` when its sink had seen enough at once.
    fn promote(&mut self, shared: &mut S::Shared, id: u32, now: Mark) -> Option<u32> {
        let (record, from) = (self.take_half_open(id)?, Place::HalfOpen(id));
        let (mut connection, step) = self.revive(shared, &record);
        let time = connection.facts.last.time;
        self.bare += 1;
        connection.bare = true;
        let id = self.connections.insert(&mut self.followed, connection)?;
        Names::of(&self.index, &record.key, record.hash).replace(&mut self.index, from, Place::Followed(id));
        self.weigh(id);
        if step.is_break() {
            self.close(shared, id, Close::Settled, now, None);
            return None;
        }
        self.arm(id, time);
        Some(id)
    }

    /// Ends a half-open connection with a report.
    fn finish_half_open(&mut self, shared: &mut S::Shared, id: u32, close: Close, now: Mark) {
        if self.half_open.get(id).is_some_and(HalfOpen::is_copy) {
            return self.drop_copied_half_open(id);
        }
        let summed_up = self.sum_up(shared, id, now.frame);
        if summed_up != Some(true) {
            self.tell_half_open(shared, id, summed_up.is_some(), close, now);
        }
    }

    /// Whether a half-open connection that ends at this frame is only summed up, which it then is. `None` where it is more than a SYN: its sink
    /// will decide.
    fn sum_up(&mut self, shared: &mut S::Shared, id: u32, at: u64) -> Option<bool> {
        let record = self.half_open.get(id).filter(|record| record.is_unanswered_syn())?;
        let copied = !record.is_lone() && record.is_copied(self.paths.path(record.path));
        let repeated = record.is_counted() || !record.is_lone() && !copied;
        let summed_up = S::unanswered(shared, record.ended(at), repeated);
        if summed_up {
            self.room.counters.half_open += 1;
            self.room.counters.duplicates += u64::from(copied);
            self.drop_half_open(id);
        }
        Some(summed_up)
    }

    /// Ends a half-open connection with a report, which may be `decided` on.
    fn tell_half_open(&mut self, shared: &mut S::Shared, id: u32, decided: bool, close: Close, now: Mark) {
        let Some(record) = self.take_half_open(id) else { return };
        Names::of(&self.index, &record.key, record.hash).remove(&mut self.index, Place::HalfOpen(id));
        let (mut connection, step) = self.revive(shared, &record);
        if decided {
            connection.sink.is_told();
        }
        let close = if step.is_break() { Close::Settled } else { close };
        connection.finish(shared, &mut self.room, close, now);
    }

    /// Takes a record out, which stays in the index.
    fn take_half_open(&mut self, id: u32) -> Option<HalfOpen> {
        let refused = self.half_open.get(id)?.was_refused();
        let list = if refused { &mut self.refused } else { &mut self.waiting };
        self.half_open.remove(list, id)
    }

    /// Forgets a half-open connection: a flood ends so many that not even their records are copied.
    fn drop_half_open(&mut self, id: u32) {
        let Some(record) = self.half_open.get(id) else { return };
        let (names, refused) = (Names::of(&self.index, &record.key, record.hash), record.was_refused());
        let list = if refused { &mut self.refused } else { &mut self.waiting };
        self.half_open.discard(list, id);
        names.remove(&mut self.index, Place::HalfOpen(id));
    }

    /// The connection that the packets of a record make.
    fn revive(&mut self, shared: &mut S::Shared, record: &HalfOpen) -> (Box<Connection<S>>, Step) {
        let path = self.paths.path(record.path);
        let mut step = Step::Continue(());
        let opening = record.opening().retell(record.key, path, record.first);
        let mut connection = Connection::begun(shared, &opening, record.interface, record.hash);
        connection.facts.other_paths.extend(record.other_path);
        connection.facts.unclear = record.unclear;
        connection.lonely = record.answers || record.suspect;
        for bare in record.packets() {
            if step.is_continue() {
                step = connection.segment(shared, &mut self.room, &bare.retell(record.key, path, record.first));
            }
        }
        let [low, high] = record.repeats;
        connection.add_syn_repeats(true, low);
        connection.add_syn_repeats(false, high);
        (connection, step)
    }

    /// Ends a connection. A marker stays where late packets are to be expected; `last` is the segment at which the sink had seen enough.
    fn close(&mut self, shared: &mut S::Shared, id: u32, close: Close, now: Mark, last: Option<&Segment<'_>>) {
        let Some(mut connection) = self.connections.remove(&mut self.followed, id) else { return };
        let first_frame = connection.facts.first.frame;
        self.ledger.note(&mut connection.noted, 0, first_frame, id);
        let (names, from) = (Names::of(&self.index, &connection.facts.key, connection.hash), Place::Followed(id));
        self.bare -= usize::from(connection.bare);
        let marker = matches!(close, Close::Settled | Close::Ended).then(|| {
            let mut marker = Marker::of(&connection, names, now);
            if let Some(segment) = last {
                marker.note(segment);
            }
            marker.is_ended |= close == Close::Ended;
            marker
        });
        let row = connection.finish(shared, &mut self.room, close, now);
        if let Some(marker) = marker {
            let marker = Marker { row, ..marker };
            let list = if marker.is_ended { &mut self.ended } else { &mut self.settled };
            match self.markers.insert(list, marker) {
                Some(id) => names.replace(&mut self.index, from, Place::Marker(id)),
                None => names.remove(&mut self.index, from),
            }
        } else {
            names.remove(&mut self.index, from);
        }
    }

    fn forget_marker(&mut self, id: u32) {
        let Some(is_ended) = self.markers.get(id).map(|marker| marker.is_ended) else { return };
        let list = if is_ended { &mut self.ended } else { &mut self.settled };
        if let Some(marker) = self.markers.remove(list, id) {
            Names { own: marker.hash, bare: marker.bare }.remove(&mut self.index, Place::Marker(id));
        }
    }
}

impl Marker {
    fn of<S: FlowSink>(connection: &Connection<S>, names: Names, now: Mark) -> Self {
        let facts = &connection.facts;
        let by_end = |low: bool| facts.side(connection.side(low));
        Self {
            hash: names.own,
            bare: names.bare,
            isn: [true, false].map(|low| by_end(low).syn.map(|syn| syn.isn)),
            fin: [true, false].map(|low| by_end(low).fin.is_some()),
            reset: false,
            is_ended: connection.has_ended(),
            row: Row::NONE,
            touched: now.time.seconds(),
        }
    }

    /// Follows FIN and RST, as far as a marker does. After a RST that was not the end, new payload comes.
    fn note(&mut self, segment: &Segment<'_>) {
        let [low, high] = &mut self.fin;
        let fin = if segment.from_low { low } else { high };
        *fin |= segment.flags.fin();
        if segment.flags.rst() {
            self.reset = true;
        } else if segment.payload_len > 0 {
            self.reset = false;
        }
        self.is_ended = self.reset || self.fin == [true, true];
    }
}

/// How far ahead a connection that has become lively may be armed.
const SOON: std::time::Duration = std::time::Duration::from_secs(2);

/// Seconds of quiet after which a SYN is never a late copy of one seen before.
const LONG_AGO: i64 = 130;

/// The first byte of a record that holds handshake messages.
const HANDSHAKE_RECORD: u8 = 22;
