//! EAPOL on a link: one conversation of EAP for each supplicant. Who is who is told by what is said, for on a wire both sides may speak to the
//! group address that only their port hears (IEEE 802.1X-2020 section 11.1.1).

use crate::carriers::eap::{Body, Code, Eap};
use crate::carriers::eapol::Frame;
use crate::flow::{Endpoint, FlowKey, Mac, Side, Transport, mac_text};
use crate::handshake::facts::{EapResult, EapRoad};
use crate::handshake::shared::Shared;
use crate::packet::Datagram;
use crate::time::Mark;
use crate::transport::udp::{Hearing, Opening};
use crate::transport::{Close, FlowFacts, Roles};

use super::conversation::Conversation;
use super::conversations::{Around, Conversations};

/// The conversations of a link.
#[derive(Debug, Default)]
pub(in crate::handshake::datagrams) struct Eapol {
    conversations: Conversations<Stations>,
}

/// Who talks, and what was said last.
#[derive(Debug, Default)]
struct Stations {
    /// Unknown as long as only the authenticator was heard, to the group address.
    supplicant: Option<Mac>,
    /// Unknown as long as only the supplicant was heard, to the group address.
    authenticator: Option<Mac>,
    /// Number and length of the last request.
    asked: Option<(u8, usize)>,
    /// The same of the last response.
    answered: Option<(u8, usize)>,
}

/// A packet of EAP.
#[derive(Debug, Clone, Copy)]
struct Heard<'a> {
    datagram: &'a Datagram<'a>,
    from: Mac,
    /// The station it is for; none where that is whoever listens.
    to: Option<Mac>,
    eap: &'a Eap<'a>,
    /// Its number and length.
    said: (u8, usize),
}

/// Whether a frame begins to be of interest: a request or a response of EAP.
pub(in crate::handshake::datagrams) fn opens(datagram: &Datagram<'_>) -> Option<Opening> {
    let Frame::Packet(bytes) = Frame::parse(datagram.payload)? else { return None };
    match Eap::parse(bytes)?.code {
        Code::Request | Code::Response => Some(Opening { sender: None, identity: None }),
        Code::Success | Code::Failure => None,
    }
}

impl Eapol {
    /// Bytes that it holds.
    pub(in crate::handshake::datagrams) const fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.conversations.held_bytes()
    }

    pub(in crate::handshake::datagrams) fn datagram(&mut self, shared: &mut Shared, whole: &FlowFacts, datagram: &Datagram<'_>) -> Hearing {
        let Some((from, to)) = datagram.stations else { return Hearing::Foreign };
        let Some(frame) = Frame::parse(datagram.payload) else { return Hearing::Foreign };
        let around = &mut Around { shared, whole, now: datagram.mark };
        self.conversations.expire(around);
        let new = match frame {
            Frame::Packet(bytes) => {
                let Some(eap) = &Eap::parse(bytes) else { return Hearing::Foreign };
                let heard = Heard { datagram, from, to: one(to), eap, said: (eap.identifier, bytes.len()) };
                if eap.code == Code::Response { self.response(around, &heard) } else { self.request(around, &heard) }
            }
            Frame::Start => self.leave(around, datagram, from, None),
            Frame::Logoff => self.leave(around, datagram, from, Some(EapResult::LoggedOff)),
        };
        if new { Hearing::New } else { Hearing::Nothing }
    }

    /// The authenticator speaks. True when it says something new.
    fn request(&mut self, around: &mut Around<'_>, heard: &Heard<'_>) -> bool {
        let Heard { datagram, from, to, eap, said } = *heard;
        let mut place = self.conversations.place(|open| {
            let Stations { supplicant, authenticator, .. } = open.own;
            authenticator.is_none_or(|known| known == from) && (to.is_none() || supplicant.is_none() || supplicant == to)
        });
        // Whoever asks for the name again, though it was told, begins anew.
        let anew = |open: &Stations| {
            open.asked != Some(said) && matches!(eap.body, Body::Identity(_)) && eap.code == Code::Request && open.answered.is_some()
        };
        if let Some(known) = place.filter(|known| self.conversations.at(*known).is_some_and(|open| anew(&open.own))) {
            self.conversations.close(around, known, Close::Reused);
            place = None;
        }
        let ends = matches!(eap.code, Code::Success | Code::Failure);
        let place = match place {
            Some(place) => place,
            None if ends => return false,
            None => self.begin(around, datagram, Stations { supplicant: to, authenticator: Some(from), ..Stations::default() }, eap),
        };
        let Some(open) = self.conversations.at(place) else { return false };
        open.own.authenticator = Some(from);
        open.own.supplicant = open.own.supplicant.or(to);
        name(&mut open.conversation, &open.own);
        let new = ends || open.own.asked != Some(said);
        open.own.asked = Some(said);
        open.conversation.count(Side::Server, datagram, !ends, new);
        if new {
            open.conversation.take(around.shared, eap, datagram.mark);
        }
        if ends {
            self.conversations.close(around, place, Close::Ended);
        } else {
            self.conversations.weigh(place, 0);
        }
        new
    }

    /// A supplicant speaks. True when it says something new.
    fn response(&mut self, around: &mut Around<'_>, heard: &Heard<'_>) -> bool {
        let Heard { datagram, from, to, eap, said } = *heard;
        let mut place = self.conversations.place(|open| open.own.supplicant.is_none_or(|known| known == from));
        // One that asks another authenticator has left the one before.
        let elsewhere = |open: &Stations| to.is_some() && open.authenticator.is_some() && open.authenticator != to;
        if let Some(known) = place.filter(|known| self.conversations.at(*known).is_some_and(|open| elsewhere(&open.own))) {
            self.conversations.close(around, known, Close::Reused);
            place = None;
        }
        let place = match place {
            Some(place) => place,
            None => self.begin(around, datagram, Stations { supplicant: Some(from), authenticator: to, ..Stations::default() }, eap),
        };
        let Some(open) = self.conversations.at(place) else { return false };
        open.own.supplicant = Some(from);
        open.own.authenticator = open.own.authenticator.or(to);
        name(&mut open.conversation, &open.own);
        let new = open.own.answered != Some(said);
        open.own.answered = Some(said);
        open.conversation.count(Side::Client, datagram, true, new);
        if new {
            open.conversation.take(around.shared, eap, datagram.mark);
        }
        self.conversations.weigh(place, 0);
        new
    }

    /// A supplicant begins anew or leaves, which ends what it is in the middle of. True when there was something.
    fn leave(&mut self, around: &mut Around<'_>, datagram: &Datagram<'_>, from: Mac, result: Option<EapResult>) -> bool {
        let Some(place) = self.conversations.place(|open| open.own.supplicant == Some(from)) else { return false };
        let Some(open) = self.conversations.at(place) else { return false };
        match result {
            Some(result) => {
                open.conversation.count(Side::Client, datagram, false, true);
                open.conversation.decide(result, datagram.mark);
                self.conversations.close(around, place, Close::Ended);
            }
            // Both often begin at the same time, each by its own means.
            None if open.conversation.has_method() => {
                self.conversations.close(around, place, Close::Reused);
            }
            None => return false,
        }
        true
    }

    fn begin(&mut self, around: &mut Around<'_>, datagram: &Datagram<'_>, stations: Stations, eap: &Eap<'_>) -> usize {
        let roles = if matches!(eap.body, Body::Identity(_)) { Roles::Handshake } else { Roles::Guessed };
        let (key, client_is_low) = stations.key(&datagram.key);
        let mut flow = FlowFacts::new(key, client_is_low, roles, datagram.path, datagram.mark, around.whole.interface);
        flow.carried_by = Some(Box::new(datagram.key));
        let mut conversation = Conversation::new(around.shared, flow);
        conversation.eap_mut().road = EapRoad::Eapol;
        self.conversations.begin(around, conversation, stations)
    }

    /// Time goes on, and someone watches.
    pub(in crate::handshake::datagrams) fn tick(&mut self, shared: &mut Shared, whole: &FlowFacts, now: Mark) {
        self.conversations.tick(&mut Around { shared, whole, now });
    }

    /// The link is not heard any more, and so its conversations are over.
    pub(in crate::handshake::datagrams) fn finish(self, shared: &mut Shared, whole: &FlowFacts, close: Close, now: Mark) {
        self.conversations.finish(&mut Around { shared, whole, now }, close);
    }
}

/// An address of one station; none where it is a group's, or nobody's.
fn one(mac: Mac) -> Option<Mac> {
    let [first, ..] = mac;
    (first & 1 == 0 && mac != [0; 6]).then_some(mac)
}

impl Stations {
    /// The key of a conversation between these, and whether the supplicant is the lesser end. `link` is that of the frames.
    fn key(&self, link: &FlowKey) -> (FlowKey, bool) {
        let end = |mac: Option<Mac>| Endpoint::station(mac.unwrap_or(GROUP));
        let (key, client_is_low) = FlowKey::new(Transport::Eapol, end(self.supplicant), end(self.authenticator), link.path);
        (key.at(link.site), client_is_low)
    }
}

/// Enters who talks.
fn name(conversation: &mut Conversation, stations: &Stations) {
    let eap = conversation.eap_mut();
    if eap.station.is_some() && eap.authenticator.is_some() {
        return;
    }
    eap.station = stations.supplicant.map(mac_text);
    eap.authenticator = stations.authenticator.map(mac_text);
    let flow = &mut conversation.flow;
    (flow.key, flow.client_is_low) = stations.key(&flow.key);
}

/// PAE group address: whoever is at the other end of the link.
const GROUP: Mac = [0x01, 0x80, 0xc2, 0, 0, 0x03];
