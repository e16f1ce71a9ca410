//! TCP connections whose directions come by several ways; see [`ways`](crate::transport::ways).

use std::time::Duration;

use super::{Marker, Table};
use crate::flow::{FlowKey, Side};
use crate::packet::{Segment, tcp_options};
use crate::time::Timestamp;
use crate::transport::connection::Connection;
use crate::transport::half_open::HalfOpen;
use crate::transport::index::Place;
use crate::transport::sink::FlowSink;
use crate::transport::stream::First;
use crate::transport::ways::{self, Alike, COPIED, Kin, Kinship, List, Lot, Meeting, Names, Start, Unknown, Ways};

/// How one side of a connection began.
#[derive(Debug, Clone, Copy)]
struct Beginning {
    /// Its initial sequence number.
    isn: Option<u32>,
    /// Its first bytes.
    first: First,
    /// What it acknowledged last.
    acked: Option<u32>,
    at: Timestamp,
}

/// Whether another connection began in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Same {
    Yes,
    No,
    /// Nothing was seen yet that would tell.
    NotYet,
}

impl<S: FlowSink> Table<S> {
    /// The same, whichever of its ways a flow is named by.
    pub(super) fn find_by_any_way(&self, hash: u64) -> Option<Place> {
        self.find(hash).or_else(|| self.find(self.ways.joined_either(hash)?))
    }

    /// Where the state of the only flow is that has these ends, in another tunnel: what speaks of a packet comes back by the way of the answers.
    pub(super) fn find_quoted(&self, key: &FlowKey, hash: u64) -> Option<Place> {
        let list = if key.path != 0 || self.ways.any() { self.alike(key, hash) } else { List::new() };
        list.first().filter(|_| list.len() == 1).map(|one| one.place)
    }

    /// Where the state of the flow is that a segment belongs to which came by another way than the rest of it; or what becomes of it.
    #[inline]
    pub(super) fn find_by_other_way(&mut self, segment: &Segment<'_>, hash: u64) -> Result<Place, Start> {
        if segment.key.path == 0 && !self.ways.any() {
            return Err(Start::ALONE);
        }
        let (begins, last) = (segment.flags.syn(), segment.flags.rst());
        ways::look_for_other_way(self, segment, &Unknown { key: segment.key, hash, from_low: segment.from_low, begins, last })
    }

    /// The flow that a half-open connection answers, which was one of several before this segment of it.
    pub(super) fn answered_by(&self, id: u32, segment: &Segment<'_>) -> Option<u64> {
        let record = self.half_open.get(id).filter(|record| record.is_all_from(segment.from_low))?;
        let opening = record.opening().retell(record.key, self.paths.path(record.path), record.first);
        let alike = self.alike(&record.key, record.hash);
        let kin = |one: &Alike| match [&opening, segment].map(|one_of| self.kin(one.place, one_of)) {
            [Kin::Perhaps | Kin::Answer, kin @ (Kin::Perhaps | Kin::Answer)] => kin,
            _ => Kin::Stranger,
        };
        let kin: Kinship = alike.iter().map(kin).collect();
        match ways::choose(&kin, false) {
            Lot::Way(way) => alike.get(way).map(|one| one.names.own),
            _ => None,
        }
    }

    /// A half-open connection turned out at this segment to be the answer to that flow: its packets go there.
    pub(super) fn answer(&mut self, shared: &mut S::Shared, interface: u32, segment: &Segment<'_>, id: u32, asked: u64) {
        let Some(hash) = self.half_open.get(id).map(|record| record.hash) else { return };
        if !self.join(hash, segment.from_low, asked) {
            if let Some(record) = self.half_open.get_mut(id) {
                record.answers = false;
            }
            return self.half_open(shared, interface, segment, id);
        }
        let Some(record) = self.take_half_open(id) else { return };
        Names::of(&self.index, &record.key, hash).remove(&mut self.index, Place::HalfOpen(id));
        self.room.counters.flows = self.room.counters.flows.saturating_sub(1);
        let path = self.paths.path(record.path);
        let steps = self.clock_steps_back(asked);
        for bare in record.packets() {
            if let Some(place) = self.find(asked) {
                self.set_unclear(place, false);
                self.segment_of(shared, interface, &bare.retell(record.key, path, record.first), place);
            }
        }
        // That they are late is not the clock's doing.
        if let (Some(steps), Some(Place::Followed(id))) = (steps, self.find(asked))
            && let Some(connection) = self.connections.get_mut(id)
        {
            connection.facts.clock_steps_back = steps;
        }
        if let Some(place) = self.find(asked) {
            self.note_other_way(place, segment.key.path);
            self.segment_of(shared, interface, segment, place);
        }
    }

    fn clock_steps_back(&self, hash: u64) -> Option<u32> {
        match self.find(hash)? {
            Place::Followed(id) => self.connections.get(id).map(|connection| connection.facts.clock_steps_back),
            Place::HalfOpen(_) | Place::Marker(_) => None,
        }
    }

    /// Looks whether a connection of which only this side was seen is a copy of another's, now that it has said something.
    #[cold]
    pub(super) fn settle_lonely(&mut self, id: u32, low: bool) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let Some(beginning) = connection.beginning(low) else {
            connection.lonely &= connection.is_alone();
            return;
        };
        let (key, hash) = (connection.facts.key, connection.hash);
        let (mut copied, mut waits) = (None, false);
        for one in self.alike(&key, hash) {
            match self.is_same(one.place, low, beginning) {
                Same::Yes => copied = copied.or(Some(one.names.own)),
                Same::NotYet => waits = true,
                Same::No => {}
            }
        }
        if let Some(copied) = copied {
            self.drop_copied(id, low, Some(copied));
        } else if let Some(connection) = self.connections.get_mut(id) {
            connection.lonely = waits;
        }
    }

    fn is_same(&self, place: Place, low: bool, beginning: Beginning) -> Same {
        let same = match place {
            Place::HalfOpen(id) => {
                self.half_open.get(id).map(|record| if record.begins_with(low, beginning.isn) { Same::NotYet } else { Same::No })
            }
            Place::Followed(id) => self.connections.get(id).map(|connection| match connection.first(low) {
                Some(first) if first == beginning.first => Same::Yes,
                None if connection.isn(low).is_some_and(|isn| beginning.isn == Some(isn)) => Same::NotYet,
                _ => Same::No,
            }),
            Place::Marker(id) => self.markers.get(id).map(|marker| if marker.began(low, beginning) { Same::Yes } else { Same::No }),
        };
        same.unwrap_or(Same::No)
    }

    /// Flows that began with the number of another are copies if by this time nothing else came of them.
    pub(super) fn settle_suspects(&mut self, now: Timestamp) {
        while let Some(hash) = self.ways.next_suspect(now) {
            match self.find(hash) {
                Some(Place::HalfOpen(id)) if self.half_open.get(id).is_some_and(HalfOpen::is_copy) => self.drop_copied_half_open(id),
                Some(Place::HalfOpen(id)) => {
                    if let Some(record) = self.half_open.get_mut(id) {
                        record.suspect = false;
                    }
                    self.drop_namesakes(hash);
                }
                Some(Place::Followed(id)) => self.settle_suspect(id, hash),
                Some(Place::Marker(_)) => self.drop_namesakes(hash),
                None => {}
            }
        }
    }

    fn settle_suspect(&mut self, id: u32, hash: u64) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if !connection.is_alone() {
            connection.lonely = false;
            return self.drop_namesakes(hash);
        }
        let side = Side::BOTH.into_iter().find(|side| connection.facts.side(*side).packets > 0).unwrap_or(Side::Client);
        let (low, mute) = ((side == Side::Client) == connection.facts.client_is_low, connection.facts.side(side).data_packets == 0);
        if mute && connection.lonely {
            self.drop_copied(id, low, None);
        }
    }

    /// A flow that began with the number of others is more than they are, of which only that was seen: they are the copies.
    fn drop_namesakes(&mut self, hash: u64) {
        let isns = |isn: &dyn Fn(bool) -> Option<u32>| [true, false].map(isn);
        let Some((bare, [low, high])) = self.find(hash).and_then(|place| match place {
            Place::HalfOpen(id) => {
                self.half_open.get(id).map(|one| (Names::of(&self.index, &one.key, hash).bare, isns(&|low| one.isn(low))))
            }
            Place::Followed(id) => {
                self.connections.get(id).map(|one| (Names::of(&self.index, &one.facts.key, hash).bare, isns(&|low| one.isn(low))))
            }
            Place::Marker(id) => self.markers.get(id).map(|one| (one.bare, one.isn)),
        }) else {
            return;
        };
        let namesake = |place: Place| {
            let Place::HalfOpen(id) = place else { return None };
            let record = self.half_open.get(id).filter(|record| record.hash != hash && !record.was_refused())?;
            let same_ends = Names::of(&self.index, &record.key, record.hash).bare == bare;
            let from_low =
                [(true, low), (false, high)].into_iter().find(|(end, isn)| record.is_all_from(*end) && record.begins_with(*end, *isn))?.0;
            same_ends.then_some((id, record.hash, from_low))
        };
        let namesakes: Vec<(u32, u64, bool)> = self.index.all(bare).filter_map(namesake).collect();
        for (id, way, low) in namesakes {
            self.join(way, low, hash);
            self.drop_copied_half_open(id);
        }
    }

    /// A half-open connection is a copy of part of another.
    pub(super) fn drop_copied_half_open(&mut self, id: u32) {
        let Some(record) = self.half_open.get(id) else { return };
        self.room.counters.duplicates = self.room.counters.duplicates.saturating_add(record.packets().count() as u64);
        self.room.counters.flows = self.room.counters.flows.saturating_sub(1);
        self.drop_half_open(id);
    }

    /// A connection is a copy of what this end says in another, as far as that is known.
    fn drop_copied(&mut self, id: u32, low: bool, of: Option<u64>) {
        let Some(hash) = self.connections.get(id).map(|connection| connection.hash) else { return };
        if of.is_some_and(|of| !self.join(hash, low, of)) {
            return;
        }
        let Some(mut connection) = self.connections.remove(&mut self.followed, id) else { return };
        let first_frame = connection.facts.first.frame;
        self.ledger.note(&mut connection.noted, 0, first_frame, id);
        self.bare -= usize::from(connection.bare);
        Names::of(&self.index, &connection.facts.key, hash).remove(&mut self.index, Place::Followed(id));
        let packets = connection.give_back(&mut self.room);
        self.room.counters.flows = self.room.counters.flows.saturating_sub(1);
        self.room.counters.duplicates = self.room.counters.duplicates.saturating_add(packets.into());
        if let Some(Place::Followed(id)) = of.and_then(|of| self.find(of))
            && let Some(original) = self.connections.get_mut(id)
        {
            original.add_copies(low, packets);
        }
    }
}

impl<S: FlowSink> Meeting for Table<S> {
    type Packet<'a> = Segment<'a>;

    fn ways(&mut self) -> (&mut Ways, &mut u64) {
        (&mut self.ways, &mut self.room.counters.ways_apart)
    }

    fn find_hashed(&self, hash: u64) -> Option<Place> {
        self.find(hash)
    }

    fn alike(&self, key: &FlowKey, hash: u64) -> List {
        let bare = Names::of(&self.index, key, hash).bare;
        let one = |place: Place| {
            let (first, names) = match place {
                Place::HalfOpen(id) => {
                    let record = self.half_open.get(id).filter(|record| ways::have_same_ends(&record.key, key))?;
                    (record.first.frame, Names::alike(bare, &record.key, record.hash))
                }
                Place::Followed(id) => {
                    let connection = self.connections.get(id).filter(|connection| ways::have_same_ends(&connection.facts.key, key))?;
                    (connection.facts.first.frame, Names::alike(bare, &connection.facts.key, connection.hash))
                }
                Place::Marker(id) => {
                    let marker = self.markers.get(id).filter(|marker| marker.bare == bare)?;
                    (0, Names { own: marker.hash, bare: marker.bare })
                }
            };
            Some(Alike { first, names, place }).filter(|one| one.names.own != hash)
        };
        let mut list: List = self.index.all(bare).filter_map(one).collect();
        list.sort_unstable_by_key(|one| one.first);
        list
    }

    fn kin(&self, place: Place, segment: &Segment<'_>) -> Kin {
        let kin = match place {
            Place::HalfOpen(id) => self.half_open.get(id).map(|record| record.kin(segment)),
            Place::Followed(id) => self.connections.get(id).map(|connection| connection.kin(segment)),
            Place::Marker(id) => self.markers.get(id).map(|marker| marker.kin(segment)),
        };
        kin.unwrap_or(Kin::Stranger)
    }

    fn note_other_way(&mut self, place: Place, path: u32) {
        match place {
            Place::HalfOpen(id) => {
                if let Some(record) = self.half_open.get_mut(id) {
                    record.other_path.get_or_insert(path);
                }
            }
            Place::Followed(id) => {
                if let Some(connection) = self.connections.get_mut(id) {
                    connection.facts.note_other_way(path);
                }
            }
            Place::Marker(_) => {}
        }
    }

    fn set_unclear(&mut self, place: Place, unclear: bool) {
        match place {
            Place::HalfOpen(id) => self.half_open.get_mut(id).map(|record| &mut record.unclear),
            Place::Followed(id) => self.connections.get_mut(id).map(|connection| &mut connection.facts.unclear),
            Place::Marker(_) => None,
        }
        .map(|known| std::mem::replace(known, unclear));
    }
}

impl HalfOpen {
    /// How a segment of a flow with the same ends is related to it.
    fn kin(&self, segment: &Segment<'_>) -> Kin {
        if self.is_answered_by(segment) {
            return if self.is_echoed_by(segment) { Kin::Answer } else { Kin::Perhaps };
        }
        let soon = segment.mark.time.since(self.first.time) <= COPIED;
        let begins = segment.flags.syn() && !segment.flags.rst();
        match self.twin_of(segment) {
            Some(sure) if soon && begins => {
                if sure {
                    Kin::Copy
                } else {
                    Kin::Namesake
                }
            }
            _ => Kin::Stranger,
        }
    }
}

impl<S: FlowSink> Connection<S> {
    /// How a segment of a flow with the same ends is related to it.
    fn kin(&self, segment: &Segment<'_>) -> Kin {
        let low = segment.from_low;
        if self.is_answered_by(segment) {
            return if self.is_echoed_by(segment) || self.is_acknowledged_by(segment) { Kin::Answer } else { Kin::Perhaps };
        }
        if self.goes_on_with(segment) {
            return Kin::Answer;
        }
        let known = self.facts.side(self.side(low));
        let begins = segment.flags.syn() && !segment.flags.rst();
        let soon = known.syn.is_some_and(|syn| syn.isn == segment.seq && segment.mark.time.since(syn.last.time) <= COPIED);
        if begins && soon {
            let set = tcp_options(segment.options).timestamps.map(|(own, _)| own);
            let sure = set.is_some() && known.syn.and_then(|syn| syn.timestamp) == set || self.was_shown(segment);
            if sure { Kin::Copy } else { Kin::Namesake }
        } else if segment.payload_len > 0 && self.first(low).is_some_and(|first| first == First::of(segment)) {
            Kin::Copy
        } else {
            Kin::Stranger
        }
    }

    /// How this side began, if nothing was seen of the other.
    fn beginning(&self, low: bool) -> Option<Beginning> {
        let first = self.first(low).filter(|_| self.is_alone())?;
        Some(Beginning { isn: self.isn(low), first, acked: self.last_ack(low), at: self.facts.last.time })
    }

    fn isn(&self, low: bool) -> Option<u32> {
        self.facts.side(self.side(low)).syn.map(|syn| syn.isn)
    }

    /// Of one of its sides nothing was seen.
    fn is_alone(&self) -> bool {
        Side::BOTH.into_iter().any(|side| self.facts.side(side).packets == 0)
    }
}

impl Marker {
    fn kin(&self, segment: &Segment<'_>) -> Kin {
        let [low, high] = self.isn;
        let same = Some(segment.seq) == if segment.from_low { low } else { high };
        let begins = segment.flags.syn() && !segment.flags.rst();
        if begins && same && self.is_recent(segment.mark.time) { Kin::Namesake } else { Kin::Stranger }
    }

    /// It began like this, by the numbers of both sides.
    fn began(&self, low: bool, beginning: Beginning) -> bool {
        let (own, other) = if low { (self.isn[0], self.isn[1]) } else { (self.isn[1], self.isn[0]) };
        let near = |acked: u32, isn: u32| acked.wrapping_sub(isn) <= NEAR;
        own.is_some()
            && own == beginning.isn
            && beginning.acked.zip(other).is_some_and(|(acked, isn)| near(acked, isn))
            && self.is_recent(beginning.at)
    }

    fn is_recent(&self, now: Timestamp) -> bool {
        let span = i64::try_from((COPIED + Duration::from_secs(1)).as_secs()).unwrap_or(i64::MAX);
        now.seconds().saturating_sub(self.touched) <= span
    }
}

/// Bytes that one side acknowledges of the other's beginning, at most.
const NEAR: u32 = 1 << 20;
