//! What a client speaks through a TURN relay (RFC 8656): an association of DTLS with each peer. The peer, not the relay, is its other side.

use crate::dtls::demux::{self, Relayed};
use crate::dtls::record::handshake_type;
use crate::flow::{Endpoint, FlowKey, Layer, Side, Transport};
use crate::handshake::concluding::conclude;
use crate::handshake::facts::Observed;
use crate::handshake::shared::Shared;
use crate::limits;
use crate::packet::Datagram;
use crate::time::Mark;
use crate::tls::registry::HandshakeType;
use crate::transport::udp::{Hearing, Opening};
use crate::transport::{Close, FlowFacts, Roles};

use super::dtls::{self, Dtls};

/// The associations between a client's port and a relay.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// What the channels were bound to.
    channels: Vec<(u16, Endpoint)>,
    /// In the order in which they began.
    open: Vec<Association>,
    /// Peers of those that are over, with what tells them from later ones.
    settled: Vec<(Option<Endpoint>, Option<u64>)>,
    /// One was there.
    spoke: bool,
}

#[derive(Debug)]
struct Association {
    /// Unknown where its channel was bound before the capture begins.
    peer: Option<Endpoint>,
    flow: FlowFacts,
    observed: Box<Observed>,
    dtls: Dtls,
}

/// Whether a datagram to or from a relay is of interest: it binds a channel, or carries a hello.
pub(super) fn opens(datagram: &Datagram<'_>) -> Option<Opening> {
    let (sender, identity) = match demux::relayed(datagram.payload)? {
        Relayed::Bind { .. } => (Some(Side::Client), None),
        Relayed::Data { sent, data, .. } => {
            handshake_type(data)?;
            (sent, dtls::identity(data))
        }
    };
    Some(Opening { sender, identity })
}

impl Turn {
    /// Bytes that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        let held = |one: &Association| size_of::<Association>() + one.observed.weight() + one.dtls.held_bytes();
        size_of::<Self>()
            + self.open.iter().map(held).sum::<usize>()
            + self.channels.capacity() * size_of::<(u16, Endpoint)>()
            + self.settled.capacity() * size_of::<(Option<Endpoint>, Option<u64>)>()
    }

    /// DTLS was spoken.
    pub(super) const fn spoke(&self) -> bool {
        self.spoke
    }

    /// A datagram of this side of the flow to the relay: the client of the relay, or the relay.
    pub(super) fn datagram(&mut self, shared: &mut Shared, whole: &FlowFacts, side: Side, datagram: &Datagram<'_>) -> Hearing {
        let Some(relayed) = demux::relayed(datagram.payload) else { return Hearing::Foreign };
        let (peer, data) = match relayed {
            Relayed::Bind { channel, peer } => {
                self.channels.retain(|(known, _)| *known != channel);
                if self.channels.len() >= limits::TURN_CHANNELS {
                    self.channels.remove(0);
                }
                self.channels.push((channel, peer));
                return Hearing::Nothing;
            }
            Relayed::Data { channel: Some(channel), data, .. } => {
                (self.channels.iter().find(|(known, _)| *known == channel).map(|(_, peer)| *peer), data)
            }
            Relayed::Data { peer, data, .. } => (peer, data),
        };
        let (client, relay) = whole.ends();
        let ends = [client, peer.unwrap_or(relay)];
        let [from, to] = if side == Side::Client { ends } else { [ends[1], ends[0]] };
        let (key, from_low) = FlowKey::new(Transport::Udp, from, to, datagram.key.path);
        let mut path = datagram.path;
        path.push(Layer::Turn);
        let payload_len = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let inner = Datagram { key: key.at(datagram.key.site), from_low, path, payload: data, payload_len, ..*datagram };
        self.hear(shared, whole, peer, &inner)
    }

    fn hear(&mut self, shared: &mut Shared, whole: &FlowFacts, peer: Option<Endpoint>, datagram: &Datagram<'_>) -> Hearing {
        let identity = dtls::identity(datagram.payload);
        let over = self.settled.iter().rev().find(|(known, _)| *known == peer);
        if over.is_some_and(|(_, known)| identity.is_none() || identity == *known) {
            return Hearing::Nothing;
        }
        let place = match self.open.iter().position(|one| one.peer == peer) {
            Some(place) => place,
            None if handshake_type(datagram.payload).is_none() => return Hearing::Foreign,
            None => self.begin(shared, whole, peer, datagram),
        };
        let Some(one) = self.open.get_mut(place) else { return Hearing::Foreign };
        let side = if datagram.from_low == one.flow.client_is_low { Side::Client } else { Side::Server };
        match one.dtls.datagram(&mut one.observed, shared, &mut one.flow, side, datagram) {
            Hearing::Foreign => return Hearing::Foreign,
            Hearing::Anew => {
                self.close(shared, place, Close::Reused, datagram.mark);
                let place = self.begin(shared, whole, peer, datagram);
                let Some(one) = self.open.get_mut(place) else { return Hearing::Foreign };
                one.dtls.datagram(&mut one.observed, shared, &mut one.flow, Side::Client, datagram);
                one.flow.count_datagram(Side::Client, datagram, true);
            }
            Hearing::Swap => {
                one.flow.swap_sides();
                one.flow.count_datagram(side.other(), datagram, true);
            }
            Hearing::Settled(known) => {
                one.flow.count_datagram(side, datagram, true);
                self.close(shared, place, Close::Settled, datagram.mark);
                self.settle(peer, known);
            }
            news => one.flow.count_datagram(side, datagram, news == Hearing::New),
        }
        Hearing::New
    }

    /// An association begins. Gives its place.
    fn begin(&mut self, shared: &mut Shared, whole: &FlowFacts, peer: Option<Endpoint>, datagram: &Datagram<'_>) -> usize {
        if self.open.len() >= limits::TURN_CHANNELS {
            self.close(shared, 0, Close::Evicted, datagram.mark);
        }
        self.spoke = true;
        let asks = handshake_type(datagram.payload) == Some(HandshakeType::CLIENT_HELLO.0);
        let roles = if asks { Roles::Handshake } else { Roles::Guessed };
        let client_is_low = datagram.from_low == asks;
        let mut flow = FlowFacts::new(datagram.key, client_is_low, roles, datagram.path, datagram.mark, whole.interface);
        flow.carried_by = Some(Box::new(whole.key));
        let mut observed = Box::<Observed>::default();
        let dtls = Dtls::new(&mut observed, shared);
        if let Some(facts) = observed.dtls.as_mut().filter(|_| peer.is_some()) {
            facts.relay = Some(whole.ends().1);
        }
        self.open.push(Association { peer, flow, observed, dtls });
        self.open.len().saturating_sub(1)
    }

    fn settle(&mut self, peer: Option<Endpoint>, identity: Option<u64>) {
        self.settled.retain(|(known, _)| *known != peer);
        if self.settled.len() >= limits::TURN_CHANNELS {
            self.settled.remove(0);
        }
        self.settled.push((peer, identity));
    }

    fn close(&mut self, shared: &mut Shared, place: usize, close: Close, now: Mark) {
        if place < self.open.len() {
            self.open.remove(place).finish(shared, close, now);
        }
    }

    /// Time goes on, and someone watches: what is quiet for long is over.
    pub(super) fn tick(&mut self, shared: &mut Shared, now: Mark) {
        let patience = shared.stall_after().max(limits::LIVE_LINGER);
        while let Some(place) = self.open.iter().position(|one| now.time.since(one.flow.last.time) >= patience) {
            let one = self.open.remove(place);
            self.settle(one.peer, one.observed.hello().map(|hello| super::number_of(hello.random())));
            one.finish(shared, Close::Idle, now);
        }
    }

    /// The flow to the relay is over, and so is what went through it.
    pub(super) fn finish(self, shared: &mut Shared, whole: &FlowFacts, close: Close, now: Mark) {
        for mut one in self.open {
            one.flow.unheard_from = whole.unheard_from;
            let since = one.flow.first;
            one.flow.icmp = whole.icmp.iter().filter(|note| note.mark >= since).copied().collect();
            one.finish(shared, close, now);
        }
    }
}

impl Association {
    fn finish(self, shared: &mut Shared, close: Close, now: Mark) {
        let Self { mut flow, mut observed, dtls, .. } = self;
        dtls.finish(&mut observed, shared, &mut flow);
        conclude(observed, Box::new(flow), shared, close, now);
    }
}
