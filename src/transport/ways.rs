//! Connections whose directions come by several ways: taps, mirror ports of routed interfaces and firewalls that let packets through may tag each
//! direction with a VLAN or a network number of its own, and show one direction at two places.
//!
//! Addresses and ports in two tunnels are two networks until a packet shows that they are one connection: it *answers* one of whose other side nothing
//! was seen, by its numbers or by what is in it, or it *repeats* the first bytes of one. From then on what its sender says by this way belongs to that
//! connection, as if there were no tunnels. Where a packet answers several alike, nothing is joined until a later one tells, and what is said of
//! them is no more certain than that.
//!
//! A flow in a tunnel is in its table's index by two hashes: that of its key, and the one that the key would have outside of tunnels, by which
//! flows with the same ends find one another ([`Names`]).

use std::collections::VecDeque;
use std::time::Duration;

use foldhash::quality::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::facts::FlowFacts;
use super::index::{Index, Place};
use crate::flow::FlowKey;
use crate::limits;
use crate::time::Timestamp;

/// What is known of the ways of a table's flows, which are named by the hashes of their keys.
#[derive(Debug)]
pub(super) struct Ways {
    /// A flow came in a tunnel.
    any: bool,
    /// The flow that one direction of another belongs to: by the hash of that one and its direction.
    joined: HashMap<u64, u64, RandomState>,
    /// So many are let in before those are looked for whose flow is gone.
    look_at: usize,
    /// So many at most.
    most: usize,
    /// How many were not let in since.
    refused: usize,
    /// Flows that began with the number of another, and when: copies, unless they turn out to be more.
    suspects: VecDeque<(Timestamp, u64)>,
}

/// The hashes by which a flow is in the index: of its key, and of the key without its tunnels, where it has any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Names {
    /// Of its key.
    pub(super) own: u64,
    /// Of the key without tunnels; the same where there are none.
    pub(super) bare: u64,
}

/// A flow with the same ends as another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alike {
    /// The frame with which it began; 0 where that is not known any more.
    pub(super) first: u64,
    pub(super) names: Names,
    pub(super) place: Place,
}

/// How a packet of a flow that is not known is related to one with the same ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kin {
    /// In no way.
    Stranger,
    /// Its sender began that one, too, with the same number: it is a copy, or two networks are very much alike.
    Namesake,
    /// It is one of the packets there, or has the first bytes of its sender there.
    Copy,
    /// It may answer, and so may what has nothing to do with it.
    Doubtful,
    /// It answers, as far as can be told.
    Perhaps,
    /// It answers, or goes on where its sender left off.
    Answer,
}

/// What is to be done with a packet of a flow that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lot {
    /// It begins one of its own.
    Alone,
    /// The same, which may turn out to be a copy.
    Suspect,
    /// The same, which may turn out to be the answer to one of several.
    Unclear,
    /// It belongs to the flow with this place in the list.
    Way(usize),
}

/// How a flow begins among those with the same ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) lot: Lot,
    /// One that is not to be found by its ends any more: there are too many.
    pub(super) crowded_out: Option<Alike>,
}

impl Start {
    /// There are no others.
    pub(super) const ALONE: Self = Self { lot: Lot::Alone, crowded_out: None };

    /// One begins among these, the oldest first.
    pub(super) fn among(alike: &[Alike], lot: Lot) -> Self {
        let in_tunnels = || alike.iter().filter(|one| one.names.own != one.names.bare);
        Self { lot, crowded_out: in_tunnels().next().filter(|_| in_tunnels().count() >= ALIKE).copied() }
    }
}

/// A table of flows that may come by several ways.
pub(super) trait Meeting {
    /// What comes by one of them.
    type Packet<'a>;

    /// What is known of the ways, and how many there was no room for.
    fn ways(&mut self) -> (&mut Ways, &mut u64);

    /// Where the state of the flow is whose key has this hash.
    fn find_hashed(&self, hash: u64) -> Option<Place>;

    /// Flows with the same ends, the oldest first, but for the one with this hash.
    fn alike(&self, key: &FlowKey, hash: u64) -> List;

    /// How a packet of a flow with the same ends is related to the one at this place.
    fn kin(&self, place: Place, packet: &Self::Packet<'_>) -> Kin;

    /// Packets of the flow at this place came by this way, too.
    fn note_other_way(&mut self, place: Place, path: u32);

    /// A packet may answer this flow or another.
    fn set_unclear(&mut self, place: Place, unclear: bool);

    /// What this end says by this way belongs to a flow from now on. False where there is no room.
    fn join(&mut self, way: u64, from_low: bool, flow: u64) -> bool {
        let mut ways = std::mem::replace(self.ways().0, Ways::new(0));
        let joined = ways.join(way, from_low, flow, |flow| self.find_hashed(flow).is_some());
        let (place, apart) = self.ways();
        *place = ways;
        *apart += u64::from(!joined);
        joined
    }
}

/// A packet's flow, which is not known, and what the packet is in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unknown {
    pub(super) key: FlowKey,
    /// Of the key.
    pub(super) hash: u64,
    pub(super) from_low: bool,
    /// It may begin a flow of its own by a way on which the other end is known.
    pub(super) begins: bool,
    /// No other packet of its sender will follow that could tell.
    pub(super) last: bool,
}

/// Where the state of the flow is that a packet belongs to which came by another way than the rest of it; or what becomes of it.
#[cold]
pub(super) fn look_for_other_way<T: Meeting>(table: &mut T, packet: &T::Packet<'_>, unknown: &Unknown) -> Result<Place, Start> {
    let Unknown { key, hash, from_low, begins, last } = *unknown;
    if let Some(place) = table.ways().0.joined(hash, from_low).and_then(|flow| table.find_hashed(flow)) {
        table.note_other_way(place, key.path);
        return Ok(place);
    }
    if let Some((flow, place)) = table.ways().0.joined(hash, !from_low).and_then(|flow| Some((flow, table.find_hashed(flow)?)))
        && (!begins || table.kin(place, packet) != Kin::Stranger)
        && table.join(hash, from_low, flow)
    {
        table.note_other_way(place, key.path);
        return Ok(place);
    }
    let alike = table.alike(&key, hash);
    let kin: Kinship = alike.iter().map(|one| table.kin(one.place, packet)).collect();
    match choose(&kin, last) {
        Lot::Way(way) => {
            let one = alike.get(way).copied().filter(|one| table.join(hash, from_low, one.names.own));
            let Some(one) = one else { return Err(Start::among(&alike, Lot::Unclear)) };
            table.set_unclear(one.place, false);
            table.note_other_way(one.place, key.path);
            Ok(one.place)
        }
        Lot::Unclear => {
            for (one, _) in alike.iter().zip(&kin).filter(|(_, kin)| matches!(kin, Kin::Doubtful | Kin::Perhaps | Kin::Answer)) {
                table.set_unclear(one.place, true);
            }
            Err(Start::among(&alike, Lot::Unclear))
        }
        lot => Err(Start::among(&alike, lot)),
    }
}

impl Names {
    /// Those of a key whose hash is known.
    #[inline]
    pub(super) fn of(index: &Index, key: &FlowKey, own: u64) -> Self {
        Self { own, bare: if key.path == 0 { own } else { bare_hash(index, key) } }
    }

    /// Those of a key with the same ends as one with this bare hash.
    #[inline]
    pub(super) const fn alike(bare: u64, key: &FlowKey, own: u64) -> Self {
        Self { own, bare: if key.path == 0 { own } else { bare } }
    }

    /// Enters a flow.
    pub(super) fn enter(self, index: &mut Index, place: Place) {
        index.insert(self.own, place);
        if self.own != self.bare {
            index.insert(self.bare, place);
        }
    }

    /// Says that a flow's state has moved.
    pub(super) fn replace(self, index: &mut Index, old: Place, new: Place) {
        index.replace(self.own, old, new);
        if self.own != self.bare {
            index.replace(self.bare, old, new);
        }
    }

    /// Forgets a flow.
    pub(super) fn remove(self, index: &mut Index, place: Place) {
        index.remove(self.own, place);
        if self.own != self.bare {
            index.remove(self.bare, place);
        }
    }
}

/// The hash of a flow's key outside of its tunnels.
pub(super) fn bare_hash(index: &Index, key: &FlowKey) -> u64 {
    index.hash(&FlowKey { path: 0, ..*key })
}

/// Two flows have the same ends.
pub(super) fn have_same_ends(one: &FlowKey, other: &FlowKey) -> bool {
    FlowKey { path: 0, ..*one } == FlowKey { path: 0, ..*other }
}

/// What a packet belongs to that is related to flows with the same ends like this, the oldest first. `last`: no other packet of its sender will follow that
/// could tell.
pub(super) fn choose(kin: &[Kin], last: bool) -> Lot {
    let place = |wanted: Kin| kin.iter().position(|one| *one == wanted);
    let only = |wanted: Kin| place(wanted).filter(|_| kin.iter().filter(|one| **one == wanted).count() == 1);
    if let Some(way) = place(Kin::Copy).or_else(|| only(Kin::Answer)) {
        return Lot::Way(way);
    }
    let (several, doubtful) = (place(Kin::Answer).or_else(|| place(Kin::Perhaps)), place(Kin::Doubtful));
    let alone = only(Kin::Perhaps).filter(|_| place(Kin::Answer).or(doubtful).is_none());
    let way = if last { alone.or(several) } else { alone };
    match way {
        Some(way) => Lot::Way(way),
        None if several.or(doubtful).is_some() => Lot::Unclear,
        None if place(Kin::Namesake).is_some() => Lot::Suspect,
        None => Lot::Alone,
    }
}

impl Ways {
    /// Nothing is known. At most so many ways are joined.
    pub(super) fn new(most: usize) -> Self {
        Self { any: false, joined: HashMap::default(), look_at: FIRST_LOOK, most, refused: 0, suspects: VecDeque::new() }
    }

    /// Flows came in tunnels.
    #[inline]
    pub(super) const fn any(&self) -> bool {
        self.any
    }

    /// A flow in a tunnel begins.
    #[inline]
    pub(super) const fn began(&mut self) {
        self.any = true;
    }

    /// The flow that what this end says by this way belongs to.
    #[inline]
    pub(super) fn joined(&self, way: u64, from_low: bool) -> Option<u64> {
        if self.joined.is_empty() { None } else { self.joined.get(&directed(way, from_low)).copied() }
    }

    /// The flow that either end belongs to by this way.
    pub(super) fn joined_either(&self, way: u64) -> Option<u64> {
        self.joined(way, true).or_else(|| self.joined(way, false))
    }

    /// What this end says by this way belongs to a flow. `lives` tells of which flows there is still something. False where there is no room.
    pub(super) fn join(&mut self, way: u64, from_low: bool, flow: u64, lives: impl Fn(u64) -> bool) -> bool {
        if self.joined.len() >= self.look_at {
            if self.refused == 0 {
                self.joined.retain(|_, flow| lives(*flow));
                self.look_at = (self.joined.len() * 2).clamp(FIRST_LOOK, self.most);
            }
            if self.joined.len() >= self.look_at {
                self.refused = (self.refused + 1) % (self.most / 8).max(1);
                return false;
            }
            self.refused = 0;
        }
        self.joined.insert(directed(way, from_low), flow);
        true
    }

    /// This flow may be a copy.
    pub(super) fn suspect(&mut self, now: Timestamp, flow: u64) {
        if self.suspects.len() >= limits::WAYS_SUSPECTED {
            self.suspects.pop_front();
        }
        self.suspects.push_back((now, flow));
    }

    /// The next flow that would have turned out by now to be more than a copy.
    pub(super) fn next_suspect(&mut self, now: Timestamp) -> Option<u64> {
        let (_, flow) = self.suspects.front().copied().filter(|(since, _)| now.since(*since) > COPIED)?;
        self.suspects.pop_front();
        Some(flow)
    }
}

impl FlowFacts {
    /// The keys of packets that came by other ways than [`FlowFacts::packets_key`] says.
    pub fn other_packets_keys(&self) -> impl Iterator<Item = FlowKey> {
        self.other_paths.iter().map(|path| FlowKey { path: *path, ..self.packets_key() })
    }

    /// Packets came by this way, too.
    pub(super) fn note_other_way(&mut self, path: u32) {
        if self.other_paths.len() < OTHER_WAYS && path != self.key.path && !self.other_paths.contains(&path) {
            self.other_paths.push(path);
        }
    }
}

const fn directed(way: u64, from_low: bool) -> u64 {
    way ^ from_low as u64
}

/// Flows in tunnels with the same ends that are found by these: before and behind some routers.
const ALIKE: usize = 4;

/// A list of those and of one outside, and how a packet is related to them.
pub(super) type List = SmallVec<[Alike; ALIKE + 1]>;
pub(super) type Kinship = SmallVec<[Kin; ALIKE + 1]>;

/// Ways of one flow, besides its own, that are told.
const OTHER_WAYS: usize = 4;

/// Joined ways before any is looked for whose flow is gone.
const FIRST_LOOK: usize = 64;

/// A copy is captured no later than this: as long as a way may be.
pub(super) const COPIED: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joined_way_is_known_as_long_as_its_flow() {
        let mut ways = Ways::new(limits::WAYS_JOINED);
        for flow in 0..10 * limits::WAYS_JOINED as u64 {
            assert!(ways.join(2 * flow, true, flow, |old| old + 100 > flow || old == 0), "those whose flow is gone make room");
        }
        assert_eq!(
            (ways.joined(0, true), ways.joined(0, false), ways.joined_either(0)),
            (Some(0), None, Some(0)),
            "one that lives is kept"
        );
        assert!(ways.joined.len() <= limits::WAYS_JOINED);
    }

    #[test]
    fn what_there_is_no_room_for_is_refused_and_let_in_later() {
        let mut ways = Ways::new(limits::WAYS_JOINED);
        let more = 4 * limits::WAYS_JOINED as u64;
        let let_in = (0..more).filter(|flow| ways.join(2 * flow, false, *flow, |_| true)).count();
        assert_eq!(let_in, limits::WAYS_JOINED);
        assert!((0..more).any(|flow| ways.join(2 * (more + flow), false, flow, |_| false)));
    }

    #[test]
    fn one_answer_is_taken_and_of_several_none() {
        use Kin::{Answer, Copy, Doubtful, Namesake, Perhaps, Stranger};
        for (kin, lot) in [
            (&[][..], Lot::Alone),
            (&[Stranger, Stranger], Lot::Alone),
            (&[Stranger, Perhaps], Lot::Way(1)),
            (&[Perhaps, Perhaps], Lot::Unclear),
            (&[Perhaps, Answer, Perhaps], Lot::Way(1)),
            (&[Answer, Answer, Perhaps], Lot::Unclear),
            (&[Namesake, Stranger], Lot::Suspect),
            (&[Namesake, Perhaps], Lot::Way(1)),
            (&[Namesake, Copy, Perhaps], Lot::Way(1)),
            (&[Doubtful], Lot::Unclear),
            (&[Doubtful, Perhaps], Lot::Unclear),
            (&[Doubtful, Answer], Lot::Way(1)),
        ] {
            assert_eq!(choose(kin, false), lot, "{kin:?}");
        }
        assert_eq!(choose(&[Stranger, Perhaps, Perhaps], true), Lot::Way(1));
    }

    #[test]
    fn suspects_are_looked_at_in_time_and_their_number_is_bounded() {
        let mut ways = Ways::new(limits::WAYS_JOINED);
        let at = |second: i64| Timestamp::from_nanos(second * 1_000_000_000);
        for flow in 0..2 * limits::WAYS_SUSPECTED as u64 {
            ways.suspect(at(0), flow);
        }
        assert_eq!((ways.next_suspect(at(3)), ways.next_suspect(at(4))), (None, Some(limits::WAYS_SUSPECTED as u64)));
    }
}
