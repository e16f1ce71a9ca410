//! RADIUS between an authenticator's port and a server: many conversations of EAP at a time, told apart by the number of the request (RFC 2865
//! section 3) and by the State that the server gives and the client returns (section 5.24).

use std::collections::VecDeque;

use crate::carriers::eap::{Body, Eap};
use crate::carriers::radius::{Code, Packet, attribute};
use crate::flow::{Layer, Side};
use crate::handshake::facts::EapResult;
use crate::handshake::shared::Shared;
use crate::limits;
use crate::packet::Datagram;
use crate::time::Mark;
use crate::transport::udp::{Answers, Hearing, Opening};
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
    /// What the server wants to get back with the next request; unknown where the snapshot length cut it off.
    state: Option<Box<[u8]>>,
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

    /// Whether this datagram may answer a request: its number is that of one. What signs it is a secret of both ends.
    pub(in crate::handshake::datagrams) fn is_answered_by(&self, datagram: &Datagram<'_>) -> Answers {
        let answer = Packet::parse(datagram.payload, datagram.payload_len).filter(|packet| packet.code != Code::Request);
        let asked = |identifier: u8| self.conversations.place(|open| !open.own.answered && open.own.asked.identifier == identifier);
        if answer.is_some_and(|packet| asked(packet.identifier).is_some()) { Answers::Perhaps } else { Answers::No }
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
        let state = packet.state().filter(|state| !state.is_empty());
        let known = self.conversations.place(|open| state.is_some() && open.own.state.as_deref() == state);
        let known = known.or_else(|| self.place_by_number(packet, eap?));
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

    /// Where the snapshot length cut off a State, the numbers of EAP tell which request is answered.
    fn place_by_number(&self, packet: &Packet<'_>, eap: &Eap<'_>) -> Option<usize> {
        let unseen = packet.is_cut() && packet.state().is_none();
        if matches!(eap.body, Body::Identity(_)) || !unseen && packet.state().is_none() {
            return None;
        }
        let station = packet.value(attribute::CALLING_STATION).map(text);
        self.conversations.place(|open| {
            let facts = open.conversation.eap();
            let same = facts.station.is_none() || station.is_none() || facts.station == station;
            open.own.answered && (unseen || open.own.state.is_none()) && open.conversation.asked() == Some(eap.identifier) && same
        })
    }

    /// A conversation begins. Gives its place.
    fn begin(&mut self, around: &mut Around<'_>, datagram: &Datagram<'_>, packet: &Packet<'_>, asked: Asked) -> usize {
        let station = packet.value(attribute::CALLING_STATION).filter(|station| !station.is_empty()).map(text);
        // A supplicant has one conversation at a time: that it begins another ends the one before.
        let before = self.conversations.place(|open| station.is_some() && open.conversation.eap().station == station);
        if let Some(place) = before {
            self.close(around, place, Close::Reused);
        }
        let roles = if packet.state().is_none() && !packet.is_cut() { Roles::Handshake } else { Roles::Guessed };
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
        self.conversations.begin(around, conversation, Exchange { asked, answered: false, state: Some(Box::default()) })
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
        open.own.state = match packet.state() {
            None if packet.is_cut() => None,
            state => Some(state.unwrap_or_default().into()),
        };
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
        let state = self.conversations.at(place).and_then(|open| open.own.state.as_ref()).map_or(0, |state| state.len());
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
