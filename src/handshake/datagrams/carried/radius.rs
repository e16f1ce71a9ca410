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
use super::conversations::{Around, Conversations};

/// The conversations between two ports.
#[derive(Debug, Default)]
pub(in crate::handshake::datagrams) struct Radius {
    conversations: Conversations<Exchange>,
    /// Requests of those that the server ended.
    ended: VecDeque<Asked>,
    /// An EAP packet in the making.
    joined: Vec<u8>,
}

/// A request: its number and its authenticator, which no other has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    identifier: u8,
    authenticator: [u8; 16],
}

/// The last request of a conversation and its answer.
#[derive(Debug)]
struct Exchange {
    asked: Asked,
    answered: bool,
    /// What the server wants to get back with the next request.
    state: Box<[u8]>,
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
        size_of::<Self>() + self.conversations.held_bytes() + self.joined.capacity() + self.ended.capacity() * size_of::<Asked>()
    }

    pub(in crate::handshake::datagrams) fn datagram(&mut self, shared: &mut Shared, whole: &FlowFacts, datagram: &Datagram<'_>) -> Hearing {
        let Some(packet) = Packet::parse(datagram.payload, datagram.payload_len) else { return Hearing::Foreign };
        let around = &mut Around { shared, whole, now: datagram.mark };
        self.conversations.expire(around);
        let mut joined = std::mem::take(&mut self.joined);
        packet.eap(&mut joined);
        let eap = Eap::parse(&joined);
        let new = match packet.code {
            Code::Request => self.request(around, datagram, &packet, eap.as_ref()),
            Code::Challenge | Code::Accept | Code::Reject => self.answer(around, datagram, &packet, eap.as_ref()),
        };
        self.joined = joined;
        if new { Hearing::New } else { Hearing::Nothing }
    }

    /// A request: of a conversation whose State it returns, or the first of one. True when it is new.
    fn request(&mut self, around: &mut Around<'_>, datagram: &Datagram<'_>, packet: &Packet<'_>, eap: Option<&Eap<'_>>) -> bool {
        let asked = Asked { identifier: packet.identifier, authenticator: *packet.authenticator };
        let repeated = self.conversations.place(|open| open.own.asked == asked);
        if let Some(open) = repeated.and_then(|place| self.conversations.at(place)) {
            open.conversation.count(Side::Client, datagram, true, false);
            return false;
        }
        if self.ended.contains(&asked) {
            return false;
        }
        let state = packet.value(attribute::STATE).unwrap_or_default();
        let known = self.conversations.place(|open| !state.is_empty() && *open.own.state == *state);
        let place = known.unwrap_or_else(|| self.begin(around, datagram, packet, asked));
        let Some(open) = self.conversations.at(place) else { return false };
        (open.own.asked, open.own.answered) = (asked, false);
        open.conversation.count(Side::Client, datagram, true, true);
        if let Some(eap) = eap {
            open.conversation.take(around.shared, eap, datagram.mark);
        }
        self.weigh(place);
        true
    }

    /// A conversation begins. Gives its place.
    fn begin(&mut self, around: &mut Around<'_>, datagram: &Datagram<'_>, packet: &Packet<'_>, asked: Asked) -> usize {
        let station = packet.value(attribute::CALLING_STATION).filter(|station| !station.is_empty()).map(text);
        // A supplicant has one conversation at a time: that it begins another ends the one before.
        let before = self.conversations.place(|open| station.is_some() && open.conversation.eap().station == station);
        if let Some(place) = before {
            self.close(around, place, Close::Reused);
        }
        let roles = if packet.value(attribute::STATE).is_none() { Roles::Handshake } else { Roles::Guessed };
        let mut path = datagram.path;
        path.push(Layer::Radius);
        let flow = FlowFacts::new(datagram.key, datagram.from_low, roles, path, datagram.mark, around.whole.interface);
        let mut conversation = Conversation::new(around.shared, flow);
        let facts = conversation.eap_mut();
        facts.station = station;
        facts.called = packet.value(attribute::CALLED_STATION).map(text);
        facts.authenticator = packet.value(attribute::NAS_IDENTIFIER).map(text).or_else(|| {
            let address = packet.value(attribute::NAS_ADDRESS)?.first_chunk::<4>()?;
            Some(std::net::Ipv4Addr::from(*address).to_string())
        });
        self.conversations.begin(around, conversation, Exchange { asked, answered: false, state: Box::default() })
    }

    /// An answer, to the request of its number. True when it is new.
    fn answer(&mut self, around: &mut Around<'_>, datagram: &Datagram<'_>, packet: &Packet<'_>, eap: Option<&Eap<'_>>) -> bool {
        // Numbers come round: the latest request of this number is meant.
        let place = self.conversations.place(|open| open.own.asked.identifier == packet.identifier);
        let Some((place, open)) = place.and_then(|place| Some((place, self.conversations.at(place)?))) else { return false };
        let new = !open.own.answered;
        open.conversation.count(Side::Server, datagram, packet.code == Code::Challenge, new);
        if !new {
            return false;
        }
        open.own.answered = true;
        open.own.state = packet.value(attribute::STATE).unwrap_or_default().into();
        if let Some(eap) = eap {
            open.conversation.take(around.shared, eap, datagram.mark);
        }
        let result = match packet.code {
            Code::Accept => Some(EapResult::Accepted),
            Code::Reject => Some(EapResult::Rejected),
            Code::Request | Code::Challenge => None,
        };
        if let Some(result) = result {
            open.conversation.decide(result, datagram.mark);
            self.close(around, place, Close::Ended);
        } else {
            self.weigh(place);
        }
        true
    }

    fn weigh(&mut self, place: usize) {
        let state = self.conversations.at(place).map_or(0, |open| open.own.state.len());
        self.conversations.weigh(place, state);
    }

    fn close(&mut self, around: &mut Around<'_>, place: usize, close: Close) {
        let Some(exchange) = self.conversations.close(around, place, close) else { return };
        if self.ended.len() >= limits::EAP_ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back(exchange.asked);
    }

    /// Time goes on, and someone watches.
    pub(in crate::handshake::datagrams) fn tick(&mut self, shared: &mut Shared, whole: &FlowFacts, now: Mark) {
        self.conversations.tick(&mut Around { shared, whole, now });
    }

    /// The flow is over, and so are its conversations.
    pub(in crate::handshake::datagrams) fn finish(self, shared: &mut Shared, whole: &FlowFacts, close: Close, now: Mark) {
        self.conversations.finish(&mut Around { shared, whole, now }, close);
    }
}
