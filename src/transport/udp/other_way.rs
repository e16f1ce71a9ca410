//! UDP flows whose directions come by several ways; see [`ways`](crate::transport::ways).

use std::time::Duration;

use super::flow::{Flow, fingerprint};
use super::{Answers, Before, DatagramSink, Marker, Opening, UdpTable};
use crate::flow::{Endpoint, FlowKey, Side};
use crate::packet::Datagram;
use crate::time::Timestamp;
use crate::transport::index::Place;
use crate::transport::ways::{self, Alike, COPIED, Kin, List, Meeting, Names, Start, Unknown, Ways};

impl<S: DatagramSink> UdpTable<S> {
    /// The same, whichever of its ways a flow is named by.
    pub(super) fn find_by_any_way(&self, key: &FlowKey) -> Option<Place> {
        self.find(key).or_else(|| self.find_hashed(self.ways.joined_either(self.index.hash(key))?))
    }

    /// Where the state of the only flow is that has these ends, in another tunnel: what speaks of a packet comes back by the way of the answers.
    pub(super) fn find_quoted(&self, key: &FlowKey) -> Option<Place> {
        let list = if key.path != 0 || self.ways.any() { self.alike(key, self.index.hash(key)) } else { List::new() };
        list.first().filter(|_| list.len() == 1).map(|one| one.place)
    }

    /// Another handshake begins in a flow with this key, whose client was [`FlowKey::low`] or was not, by whichever of its ways.
    pub(super) fn begin_anew(
        &mut self,
        shared: &mut S::Shared,
        interface: u32,
        datagram: &Datagram<'_>,
        opening: Opening,
        (key, client_is_low): (FlowKey, bool),
    ) {
        let before = Before { client_is_low: Some(client_is_low), start: Start::ALONE };
        self.begin(shared, interface, &Datagram { key, ..*datagram }, opening, before);
        if let Some(place) = self.find(&key) {
            self.note_other_way(place, datagram.key.path);
        }
    }

    fn key_at(&self, place: Place) -> Option<&FlowKey> {
        match place {
            Place::Followed(id) => self.flows.get(id).map(|flow| &flow.facts.key),
            Place::Marker(id) => self.markers.get(id).map(|marker| &marker.key),
            Place::HalfOpen(_) => None,
        }
    }

    /// The hashes by which a flow is found.
    pub(super) fn names(&self, key: &FlowKey) -> Names {
        Names::of(&self.index, key, self.index.hash(key))
    }

    /// Where the state of the flow is that a datagram belongs to which came by another way than the rest of it; or what becomes of it.
    #[inline]
    pub(super) fn find_by_other_way(&mut self, datagram: &Datagram<'_>, opening: Option<Opening>) -> Result<Place, Start> {
        let known = self.held() > 0 && (datagram.key.path != 0 || self.ways.any());
        if !known {
            return Err(Start::ALONE);
        }
        let hash = self.index.hash(&datagram.key);
        let unknown = Unknown { key: datagram.key, hash, from_low: datagram.from_low, begins: false, last: false };
        ways::look_for_other_way(self, &(datagram, opening), &unknown)
    }
}

impl<S: DatagramSink> Meeting for UdpTable<S> {
    type Packet<'a> = (&'a Datagram<'a>, Option<Opening>);

    fn ways(&mut self) -> (&mut Ways, &mut u64) {
        (&mut self.ways, &mut self.counters.ways_apart)
    }

    fn find_hashed(&self, hash: u64) -> Option<Place> {
        self.index.find(hash, |place| self.key_at(place).is_some_and(|key| self.index.hash(key) == hash))
    }

    fn alike(&self, key: &FlowKey, hash: u64) -> List {
        let bare = Names::of(&self.index, key, hash).bare;
        let one = |place: Place| {
            let known = self.key_at(place).filter(|known| ways::have_same_ends(known, key))?;
            let first = if let Place::Followed(id) = place { self.flows.get(id)?.facts.first.frame } else { 0 };
            Some(Alike { first, names: self.names(known), place }).filter(|one| one.names.own != hash)
        };
        let mut list: List = self.index.all(bare).filter_map(one).collect();
        list.sort_unstable_by_key(|one| one.first);
        list
    }

    fn kin(&self, place: Place, (datagram, opening): &Self::Packet<'_>) -> Kin {
        let kin = match place {
            Place::Followed(id) => self.flows.get(id).map(|flow| flow.kin(datagram)),
            Place::Marker(id) => self.markers.get(id).map(|marker| marker.kin(datagram, *opening)),
            Place::HalfOpen(_) => None,
        };
        kin.unwrap_or(Kin::Stranger)
    }

    fn note_other_way(&mut self, place: Place, path: u32) {
        if let Place::Followed(id) = place
            && let Some(flow) = self.flows.get_mut(id)
        {
            flow.facts.note_other_way(path);
        }
    }

    fn set_unclear(&mut self, place: Place, unclear: bool) {
        if let Place::Followed(id) = place
            && let Some(flow) = self.flows.get_mut(id)
        {
            flow.facts.unclear = unclear;
        }
    }
}

impl<S: DatagramSink> Flow<S> {
    /// How a datagram of a flow with the same ends is related to it.
    fn kin(&self, datagram: &Datagram<'_>) -> Kin {
        let from_server = datagram.from_low != self.facts.client_is_low;
        let side = if from_server { Side::Server } else { Side::Client };
        let now = datagram.mark.time;
        let print = fingerprint(datagram);
        let known = self.recent.of(side).iter().any(|(known, _)| *known == print) || *self.first_print.of(side) == Some(print);
        if known && now.since(self.latest) <= COPIED {
            return Kin::Copy;
        }
        let asked = from_server && self.facts.sides.server.packets == 0;
        if !asked || now.since(self.latest) > ANSWERED {
            return Kin::Stranger;
        }
        match self.sink.is_answered_by(datagram) {
            Answers::Yes => Kin::Answer,
            Answers::No => Kin::Stranger,
            // Of two clients whose systems choose their ports, hardly any two have the same at a time.
            Answers::Perhaps if is_chosen(self.facts.ends()) => Kin::Perhaps,
            Answers::Perhaps => Kin::Doubtful,
        }
    }
}

impl Marker {
    fn kin(&self, datagram: &Datagram<'_>, opening: Option<Opening>) -> Kin {
        let identity = opening.and_then(|opening| opening.identity);
        let same = identity.is_some() && identity == self.identity;
        if same && self.is_recent(datagram.mark.time) { Kin::Copy } else { Kin::Stranger }
    }

    fn is_recent(&self, now: Timestamp) -> bool {
        now.seconds().saturating_sub(self.touched) <= i64::try_from(COPIED.as_secs()).unwrap_or(i64::MAX)
    }
}

/// The client's port is one that its system chose.
const fn is_chosen((client, server): (Endpoint, Endpoint)) -> bool {
    client.port >= 1024 && client.port != server.port
}

/// An answer comes no later than this: a client repeats itself sooner.
const ANSWERED: Duration = Duration::from_secs(5);
