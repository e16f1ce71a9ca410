//! UDP flows whose directions come by two ways; see [`Ways`](crate::transport::table::ways::Ways).

use std::iter;

use super::{DatagramSink, Opening, UdpTable};
use crate::flow::{FlowKey, Side};
use crate::packet::Datagram;
use crate::transport::table::index::Place;

impl<S: DatagramSink> UdpTable<S> {
    /// The same, whichever of its ways a flow is named by.
    pub(super) fn find_by_any_way(&self, key: &FlowKey) -> Option<Place> {
        self.find(key).or_else(|| self.find_hashed(self.ways.joined_either(self.index.hash(key))?))
    }

    /// Where the state of the flow is whose key has this hash.
    fn find_hashed(&self, hash: u64) -> Option<Place> {
        self.index.find(hash, |place| match place {
            Place::Followed(id) => self.flows.get(id).is_some_and(|flow| self.index.hash(&flow.facts.key) == hash),
            Place::Marker(id) => self.markers.get(id).is_some_and(|marker| self.index.hash(&marker.key) == hash),
            Place::HalfOpen(_) => false,
        })
    }

    /// Where the state of the flow is that a datagram belongs to which came by another way than the rest of it: an answer to a handshake that began just
    /// now, and of whose server nothing else was seen.
    #[cold]
    pub(super) fn find_by_other_way(&mut self, datagram: &Datagram<'_>, opening: Option<Opening>) -> Option<Place> {
        let (hash, low) = (self.index.hash(&datagram.key), datagram.from_low);
        if let Some(place) = self.ways.joined(hash, low).and_then(|other| self.find_hashed(other)) {
            self.ways.keep(hash);
            self.note_other_way(place, datagram.key.path);
            return Some(place);
        }
        opening.filter(|opening| opening.sender != Some(Side::Client))?;
        let bare = self.bare_hash(&datagram.key);
        let answered = |place: &Place| match *place {
            Place::Followed(id) => self.flows.get(id).is_some_and(|flow| flow.is_answered_by(datagram)),
            Place::Marker(_) | Place::HalfOpen(_) => false,
        };
        let mut ways = iter::once(bare).chain(self.ways.alike(bare)).filter(|other| *other != hash);
        let (other, place) = ways.find_map(|other| Some((other, self.find_hashed(other).filter(answered)?)))?;
        self.ways.join(hash, low, other);
        self.note_other_way(place, datagram.key.path);
        Some(place)
    }

    fn note_other_way(&mut self, place: Place, path: u32) {
        if let Place::Followed(id) = place
            && let Some(flow) = self.flows.get_mut(id)
        {
            flow.facts.other_path = Some(path);
        }
    }

    /// The hash of a flow's key outside of its tunnels.
    pub(super) fn bare_hash(&self, key: &FlowKey) -> u64 {
        self.index.hash(&FlowKey { path: 0, ..*key })
    }
}
