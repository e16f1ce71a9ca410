//! RADIUS between an authenticator's port and a server: many conversations of EAP at a time, told apart by the number of the request (RFC 2865
//! section 3) and by the State that the server gives and the client returns (section 5.24).

use std::collections::VecDeque;

use crate::carriers::eap::Eap;
use crate::carriers::radius::{Code, Packet, attribute};
use crate::flow::{Layer, Side};
use crate::handshake::facts::EapResult;
use crate::handshake::shared::Shared;
use crate::limits;
use crate::packet::Datagram;
use crate::time::Mark;
use crate::transport::udp::{Hearing, Opening};
use crate::transport::{Close, FlowFacts, Roles};

use super::conversation::{Conversation, text};

/// The conversations between two ports.
#[derive(Debug, Default)]
pub(in crate::handshake::datagrams) struct Radius {
    /// In the order in which they began.
    open: Vec<Open>,
    /// Requests of those that are over.
    ended: VecDeque<Asked>,
    /// An EAP packet in the making.
    joined: Vec<u8>,
    /// Bytes of the conversations.
    held: usize,
}

/// A request: its number and its authenticator, which no other has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    identifier: u8,
    authenticator: [u8; 16],
}

#[derive(Debug)]
struct Open {
    conversation: Conversation,
    asked: Asked,
    answered: bool,
    /// What the server wants to get back with the next request.
    state: Box<[u8]>,
    weight: usize,
}

/// Whether a datagram is an authentication by EAP.
pub(in crate::handshake::datagrams) fn opens(datagram: &Datagram<'_>) -> Option<Opening> {
    let packet = Packet::parse(datagram.payload, datagram.payload_len)?;
    let eap = packet.value(attribute::EAP_MESSAGE)?;
    let (sender, fits) = match packet.code {
        Code::Request => (Side::Client, matches!(eap.first(), Some(2))),
        Code::Challenge => (Side::Server, matches!(eap.first(), Some(1))),
        Code::Accept | Code::Reject => return None,
    };
    fits.then_some(Opening { sender: Some(sender), identity: None })
}

impl Radius {
    /// Bytes that it holds.
    pub(in crate::handshake::datagrams) fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.held + self.joined.capacity() + self.ended.capacity() * size_of::<Asked>()
    }

    pub(in crate::handshake::datagrams) fn datagram(&mut self, shared: &mut Shared, whole: &FlowFacts, datagram: &Datagram<'_>) -> Hearing {
        let Some(packet) = Packet::parse(datagram.payload, datagram.payload_len) else { return Hearing::Foreign };
        self.expire(shared, whole, datagram.mark);
        let mut joined = std::mem::take(&mut self.joined);
        packet.eap(&mut joined);
        let eap = Eap::parse(&joined);
        let new = match packet.code {
            Code::Request => self.request(shared, whole, datagram, &packet, eap.as_ref()),
            Code::Challenge | Code::Accept | Code::Reject => self.answer(shared, whole, datagram, &packet, eap.as_ref()),
        };
        self.joined = joined;
        if new { Hearing::New } else { Hearing::Nothing }
    }

    /// A request: of a conversation whose State it returns, or the first of one. True when it is new.
    fn request(
        &mut self,
        shared: &mut Shared,
        whole: &FlowFacts,
        datagram: &Datagram<'_>,
        packet: &Packet<'_>,
        eap: Option<&Eap<'_>>,
    ) -> bool {
        let asked = Asked { identifier: packet.identifier, authenticator: *packet.authenticator };
        if let Some(open) = self.open.iter_mut().find(|open| open.asked == asked) {
            open.conversation.count(Side::Client, datagram, true, false);
            return false;
        }
        if self.ended.contains(&asked) {
            return false;
        }
        let state = packet.value(attribute::STATE).unwrap_or_default();
        let known = self.open.iter().position(|open| !state.is_empty() && *open.state == *state);
        let place = known.unwrap_or_else(|| self.begin(shared, whole, datagram, packet, asked));
        let Some(open) = self.open.get_mut(place) else { return false };
        (open.asked, open.answered) = (asked, false);
        open.conversation.count(Side::Client, datagram, true, true);
        if let Some(eap) = eap {
            open.conversation.take(shared, eap, datagram.mark);
        }
        self.weigh(place);
        true
    }

    /// A conversation begins. Gives its place.
    fn begin(&mut self, shared: &mut Shared, whole: &FlowFacts, datagram: &Datagram<'_>, packet: &Packet<'_>, asked: Asked) -> usize {
        let station = packet.value(attribute::CALLING_STATION).filter(|station| !station.is_empty()).map(text);
        // A supplicant has one conversation at a time: that it begins another ends the one before.
        let before = self.open.iter_mut().position(|open| station.is_some() && open.conversation.eap_mut().station == station);
        if let Some(place) = before {
            self.close(shared, whole, place, Close::Reused, datagram.mark);
        }
        if self.open.len() >= limits::EAP_CONVERSATIONS {
            self.close(shared, whole, 0, Close::Evicted, datagram.mark);
        }
        let roles = if packet.value(attribute::STATE).is_none() { Roles::Handshake } else { Roles::Guessed };
        let mut path = datagram.path;
        path.push(Layer::Radius);
        let mut flow = FlowFacts::new(datagram.key, datagram.from_low, roles, path, datagram.mark, whole.interface);
        flow.client_is_low = datagram.from_low;
        let mut conversation = Conversation::new(shared, flow);
        let facts = conversation.eap_mut();
        facts.station = station;
        facts.called = packet.value(attribute::CALLED_STATION).map(text);
        facts.authenticator = packet.value(attribute::NAS_IDENTIFIER).map(text).or_else(|| {
            let address = packet.value(attribute::NAS_ADDRESS)?.first_chunk::<4>()?;
            Some(std::net::Ipv4Addr::from(*address).to_string())
        });
        self.open.push(Open { conversation, asked, answered: false, state: Box::default(), weight: 0 });
        self.open.len().saturating_sub(1)
    }

    /// An answer, to the request of its number. True when it is new.
    fn answer(
        &mut self,
        shared: &mut Shared,
        whole: &FlowFacts,
        datagram: &Datagram<'_>,
        packet: &Packet<'_>,
        eap: Option<&Eap<'_>>,
    ) -> bool {
        // Numbers come round: the latest request of this number is meant.
        let place = self.open.iter().rposition(|open| open.asked.identifier == packet.identifier);
        let Some((place, open)) = place.and_then(|place| Some((place, self.open.get_mut(place)?))) else { return false };
        let new = !open.answered;
        open.conversation.count(Side::Server, datagram, packet.code == Code::Challenge, new);
        if !new {
            return false;
        }
        open.answered = true;
        open.state = packet.value(attribute::STATE).unwrap_or_default().into();
        if let Some(eap) = eap {
            open.conversation.take(shared, eap, datagram.mark);
        }
        let result = match packet.code {
            Code::Accept => Some(EapResult::Accepted),
            Code::Reject => Some(EapResult::Rejected),
            Code::Request | Code::Challenge => None,
        };
        if let Some(result) = result {
            open.conversation.decide(result, datagram.mark);
            self.close(shared, whole, place, Close::Ended, datagram.mark);
        } else {
            self.weigh(place);
        }
        true
    }

    fn weigh(&mut self, place: usize) {
        if let Some(open) = self.open.get_mut(place) {
            let weight = open.conversation.weight() + open.state.len() + size_of::<Open>();
            self.held = self.held.saturating_sub(open.weight) + weight;
            open.weight = weight;
        }
    }

    fn close(&mut self, shared: &mut Shared, whole: &FlowFacts, place: usize, close: Close, now: Mark) {
        if place >= self.open.len() {
            return;
        }
        let open = self.open.remove(place);
        self.held = self.held.saturating_sub(open.weight);
        if self.ended.len() >= limits::EAP_ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back(open.asked);
        open.conversation.finish(shared, whole, close, now);
    }

    /// Ends what was quiet for too long.
    fn expire(&mut self, shared: &mut Shared, whole: &FlowFacts, now: Mark) {
        while let Some(place) = self.open.iter().position(|open| open.conversation.quiet(now) >= limits::EAP_IDLE) {
            self.close(shared, whole, place, Close::Idle, now);
        }
    }

    /// Time goes on, and someone watches.
    pub(in crate::handshake::datagrams) fn tick(&mut self, shared: &mut Shared, whole: &FlowFacts, now: Mark) {
        self.expire(shared, whole, now);
        for open in &mut self.open {
            open.conversation.watch(shared, now);
        }
    }

    /// The flow is over, and so are its conversations.
    pub(in crate::handshake::datagrams) fn finish(mut self, shared: &mut Shared, whole: &FlowFacts, close: Close, now: Mark) {
        for open in self.open.drain(..) {
            open.conversation.finish(shared, whole, close, now);
        }
    }
}
