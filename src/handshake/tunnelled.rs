//! TLS within TLS: a tunnel through a proxy that is itself reached over TLS (HTTP CONNECT, SOCKS, WebSocket), or a handshake right inside another, where
//! the records around it are opened with keys. Through a connection of HTTP/2 there may be several.
//!
//! What the outer connection carries is read as if it were a connection, with facts of its own, and is a handshake of its own in the end. Its offsets
//! are those of the outer records, lest what was acknowledged be held against them.

use crate::flow::{Layer, Path, PerSide, Side};
use crate::limits;
use crate::preamble::Dialect;
use crate::preamble::http2::{Http2, Outlook, Word};
use crate::time::Mark;
use crate::transport::{Close, Data, FlowFacts, Interest, Reset};

use super::concluding::conclude;
use super::contents::Content;
use super::facts::{Observed, Protocol};
use super::following::Following;
use super::messages::Place;
use super::relayed::Relayed;
use super::shared::Shared;

/// What is spoken inside records that were opened.
#[derive(Debug)]
pub(super) struct Tunnelled {
    road: Road,
    /// Bytes read.
    read: usize,
    /// No more is wanted of it.
    over: bool,
}

#[derive(Debug)]
enum Road {
    /// One tunnel, or a handshake.
    Straight(Box<Tunnel>),
    /// Those of an HTTP/2 connection, by their streams.
    Http2(Box<Http2>, Vec<(u32, Tunnel)>),
}

/// A tunnel, and the TLS in it.
#[derive(Debug)]
struct Tunnel {
    observed: Box<Observed>,
    following: Following,
    /// What goes through it in datagrams.
    relayed: Option<Box<Relayed>>,
    /// The record with which it began.
    began: Place,
    /// Bytes read.
    read: usize,
    state: State,
    /// The first and the last word of each side, and how many bytes it said.
    spoke: PerSide<Option<(Mark, Mark)>>,
    said: PerSide<u64>,
    /// It shares what carries it with others, so that its offsets are its own.
    shares: bool,
    /// Where each side ended it, within what goes on around it, and whether it gave it up.
    ended: PerSide<Option<(Mark, bool)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// More may follow.
    UnderWay,
    /// Nothing more is wanted.
    Settled,
    /// It is no tunnel, or too much is said in it.
    GivenUp,
}

impl Tunnelled {
    /// What begins with this record.
    pub(super) fn new(shared: &Shared, first: &Content) -> Self {
        let road = if Http2::may_begin(first.side, &first.bytes) {
            Road::Http2(Box::default(), Vec::new())
        } else {
            Road::Straight(Box::new(Tunnel::new(shared, first.place, false)))
        };
        Self { road, read: 0, over: false }
    }

    /// What is said later may change what is said of it.
    pub(super) fn is_under_way(&self) -> bool {
        !self.over
    }

    /// A client asked for UDP through a proxy.
    pub(super) fn carries_datagrams(&self) -> bool {
        let asks = |tunnel: &Tunnel| {
            let asked = || tunnel.observed.plaintext.client.as_ref().is_some_and(|said| said.what.protocol == Dialect::ConnectUdp.title());
            tunnel.following.relays() || asked()
        };
        match &self.road {
            Road::Straight(tunnel) => asks(tunnel),
            Road::Http2(_, tunnels) => tunnels.iter().any(|(_, tunnel)| asks(tunnel)),
        }
    }

    /// Nothing is being said in it that is not over, though another tunnel may be opened.
    pub(super) fn rests(&self) -> bool {
        match &self.road {
            Road::Straight(_) => false,
            Road::Http2(_, tunnels) => tunnels.iter().all(|(_, tunnel)| tunnel.state != State::UnderWay),
        }
    }

    /// Bytes that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.road {
                Road::Straight(tunnel) => tunnel.held_bytes(),
                Road::Http2(wire, tunnels) => {
                    wire.held_bytes() + tunnels.iter().map(|(_, tunnel)| size_of::<u32>() + tunnel.held_bytes()).sum::<usize>()
                }
            }
    }

    /// The content of one more record.
    pub(super) fn read(&mut self, shared: &mut Shared, outer: &FlowFacts, content: &Content) {
        if self.over {
            return;
        }
        let Content { side, bytes, place } = content;
        self.read = self.read.saturating_add(bytes.len());
        match &mut self.road {
            Road::Straight(tunnel) => {
                tunnel.read(shared, (outer, None), *side, bytes, place);
                self.over = tunnel.state != State::UnderWay;
            }
            Road::Http2(wire, tunnels) => {
                let mut over = Vec::new();
                let outlook = wire.feed(*side, bytes, &mut |stream, word| {
                    let at = tunnels.iter().position(|(key, _)| *key == stream).unwrap_or_else(|| {
                        tunnels.push((stream, Tunnel::new(shared, *place, true)));
                        tunnels.len() - 1
                    });
                    if word == Word::Over {
                        over.push(tunnels.swap_remove(at));
                        return;
                    }
                    let Some((_, tunnel)) = tunnels.get_mut(at) else { return };
                    match word {
                        Word::Bytes(bytes) => tunnel.read(shared, (outer, Some(stream)), *side, bytes, place),
                        Word::Ended => tunnel.end(*side, place.mark, false),
                        // Who has no use for it any more says so in this way (RFC 9113 section 7).
                        Word::Reset(code) => tunnel.end(*side, place.mark, !matches!(code, NO_ERROR | CANCEL)),
                        Word::Over => {}
                    }
                });
                for (stream, tunnel) in over {
                    let end = (Close::Ended, place.mark);
                    if let Some((observed, flow)) = tunnel.finish(shared, outer, end, false, Some(stream)) {
                        conclude(observed, flow, shared, end.0, end.1);
                    }
                }
                self.over = outlook != Outlook::Open || self.read > limits::TUNNELS_BYTES;
                if self.over {
                    for (_, tunnel) in tunnels.iter_mut().filter(|(_, tunnel)| tunnel.state == State::UnderWay && !tunnel.is_shut()) {
                        tunnel.state = State::GivenUp;
                        shared.tunnels_dropped = shared.tunnels_dropped.saturating_add(1);
                    }
                }
            }
        }
    }

    /// What is to be said of it, the outer connection being over: facts as of connections of their own. Where content was lost, only of what was over
    /// before.
    pub(super) fn finish(
        self,
        shared: &mut Shared,
        outer: &FlowFacts,
        (close, now): (Close, Mark),
        lost: bool,
    ) -> Vec<(Box<Observed>, Box<FlowFacts>)> {
        let cut = lost || close == Close::Settled;
        let end = (close, now);
        match self.road {
            Road::Straight(tunnel) => tunnel.finish(shared, outer, end, cut, None).into_iter().collect(),
            Road::Http2(wire, mut tunnels) => {
                shared.tunnels_dropped = shared.tunnels_dropped.saturating_add(wire.dropped());
                tunnels.sort_by_key(|(stream, _)| *stream);
                tunnels.into_iter().filter_map(|(stream, tunnel)| tunnel.finish(shared, outer, end, cut, Some(stream))).collect()
            }
        }
    }
}

impl Tunnel {
    fn new(shared: &Shared, began: Place, shares: bool) -> Self {
        Self {
            observed: Box::default(),
            following: Following::of_a_tunnel(shared),
            relayed: None,
            began,
            read: 0,
            state: State::UnderWay,
            spoke: PerSide::default(),
            said: PerSide::default(),
            shares,
            ended: PerSide::default(),
        }
    }

    fn held_bytes(&self) -> usize {
        size_of::<Self>()
            + self.observed.weight()
            + self.following.held_bytes()
            + self.relayed.as_ref().map_or(0, |relayed| relayed.held_bytes())
    }

    fn read(&mut self, shared: &mut Shared, (outer, stream): (&FlowFacts, Option<u32>), side: Side, bytes: &[u8], place: &Place) {
        if self.state != State::UnderWay {
            return;
        }
        self.read = self.read.saturating_add(bytes.len());
        let spoke = self.spoke.of_mut(side);
        *spoke = Some((spoke.map_or(place.mark, |(first, _)| first), place.mark));
        // A client that asks again, in another stream, has not ended it.
        if side == Side::Client && self.ended.server.is_some() && [&b"CONNECT "[..], b"GET "].iter().any(|asks| bytes.starts_with(asks)) {
            self.ended = PerSide::default();
        }
        let said = self.said.of_mut(side);
        let data = Data { side, offset: if self.shares { *said } else { place.span.0 }, bytes, mark: &place.mark };
        *said = said.saturating_add(bytes.len() as u64);
        let mut interest = self.following.tunnelled(&mut self.observed, shared, &data);
        if self.following.relays() && interest == Interest::More {
            interest = self.relayed.get_or_insert_default().hear(shared, &mut self.following, outer, road(outer, stream));
        }
        let in_clear = self.observed.plaintext.client.is_some()
            && self.observed.protocol == Protocol::Other
            && !self.following.may_go_on_in_frames(&self.observed);
        self.state = match interest {
            Interest::More if !in_clear && self.read <= limits::TUNNELLED_BYTES => State::UnderWay,
            Interest::Settled => State::Settled,
            // Who is who is certain where the outer handshake is, and a tunnel in which so much is said before TLS is over is none.
            Interest::More | Interest::Swap => State::GivenUp,
        };
    }

    /// A side says no more, or gives it up.
    fn end(&mut self, side: Side, mark: Mark, reset: bool) {
        if self.state == State::UnderWay {
            self.ended.of_mut(side).get_or_insert((mark, reset));
        }
    }

    /// Nothing more can be said in it.
    fn is_shut(&self) -> bool {
        let gave_up = |side: Side| self.ended.of(side).is_some_and(|(_, reset)| reset);
        gave_up(Side::Client) || gave_up(Side::Server) || self.ended.client.is_some() && self.ended.server.is_some()
    }

    fn finish(
        self,
        shared: &mut Shared,
        outer: &FlowFacts,
        end: (Close, Mark),
        cut: bool,
        stream: Option<u32>,
    ) -> Option<(Box<Observed>, Box<FlowFacts>)> {
        if self.state == State::GivenUp || self.state == State::UnderWay && cut && !self.is_shut() {
            return None;
        }
        let flow = Box::new(self.flow(outer, stream));
        let Self { mut observed, mut following, relayed, .. } = self;
        if let Some(relayed) = relayed {
            relayed.finish(shared, outer, end, cut);
        }
        following.finish(&mut observed, shared, &flow);
        let turned_away = observed.preamble.as_ref().is_some_and(|facts| facts.dialect.is_proxy() && facts.denied());
        (observed.protocol != Protocol::Other || turned_away).then_some((observed, flow))
    }

    /// The facts of the connection around it, with those of its own where it has any.
    fn flow(&self, outer: &FlowFacts, stream: Option<u32>) -> FlowFacts {
        let mut flow = outer.clone();
        flow.first = self.began.first;
        flow.path = road(outer, stream);
        if stream.is_none() {
            return flow;
        }
        for side in Side::BOTH {
            let facts = flow.sides.of_mut(side);
            let spoke = *self.spoke.of(side);
            (facts.first_data, facts.last_data) = (spoke.map(|(first, _)| first), spoke.map(|(_, last)| last));
            let said = *self.said.of(side);
            (facts.highest, facts.acked, facts.delivered, facts.bytes_seen) = (said, said, said, said);
            (facts.reached, facts.stranded_bytes, facts.gap_bytes_acked) = (0, 0, 0);
            let Some((mark, reset)) = *self.ended.of(side) else {
                facts.fin = facts.fin.map(|(mark, _)| (mark, said));
                continue;
            };
            facts.resets.clear();
            facts.fin = (!reset).then_some((mark, facts.highest));
            if reset {
                facts.resets.push(Reset::fitting(mark, facts.ttl.unwrap_or_default()));
            }
        }
        flow
    }
}

/// What a tunnel in a connection travels in.
fn road(outer: &FlowFacts, stream: Option<u32>) -> Path {
    let mut path = outer.path;
    path.push(Layer::Tls);
    if let Some(stream) = stream {
        path.push(Layer::Http2(stream));
    }
    path
}

/// Error codes of HTTP/2 that mean no error.
const NO_ERROR: u32 = 0;
const CANCEL: u32 = 8;
