//! TLS within TLS: a tunnel through a proxy that is itself reached over TLS (HTTP CONNECT, SOCKS), or a handshake right inside another, where the
//! records around it are opened with keys.
//!
//! What the outer connection carries is read as if it were a connection, with facts of its own, and is a handshake of its own in the end. Its offsets
//! are those of the outer records, lest what was acknowledged be held against them.

use crate::flow::Layer;
use crate::limits;
use crate::transport::{Close, Data, FlowFacts, Interest};

use super::contents::Content;
use super::facts::{Observed, Protocol};
use super::following::Following;
use super::messages::Place;
use super::shared::Shared;

/// A tunnel, and the TLS in it.
#[derive(Debug)]
pub(super) struct Tunnelled {
    observed: Box<Observed>,
    following: Following,
    /// The record with which it began.
    began: Place,
    /// Bytes read.
    read: usize,
    state: State,
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
    /// One that begins with this record.
    pub(super) fn new(shared: &Shared, began: Place) -> Self {
        Self { observed: Box::default(), following: Following::of_a_tunnel(shared), began, read: 0, state: State::UnderWay }
    }

    /// What is said later may change what is said of it.
    pub(super) fn is_under_way(&self) -> bool {
        self.state == State::UnderWay
    }

    /// Bytes that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.observed.weight() + self.following.held_bytes()
    }

    /// The content of one more record.
    pub(super) fn read(&mut self, shared: &mut Shared, content: &Content) {
        if self.state != State::UnderWay {
            return;
        }
        let Content { side, bytes, place } = content;
        self.read = self.read.saturating_add(bytes.len());
        let data = Data { side: *side, offset: place.span.0, bytes, mark: &place.mark };
        let interest = self.following.tunnelled(&mut self.observed, shared, &data);
        let in_clear = self.observed.plaintext.client.is_some() && self.observed.protocol == Protocol::Other;
        self.state = match interest {
            Interest::More if !in_clear && self.read <= limits::TUNNELLED_BYTES => State::UnderWay,
            Interest::Settled => State::Settled,
            // Who is who is certain where the outer handshake is, and a tunnel in which so much is said before TLS is over is none.
            Interest::More | Interest::Swap => State::GivenUp,
        };
    }

    /// What is to be said of it, the outer connection being over: facts as of a connection of its own.
    pub(super) fn finish(self, shared: &mut Shared, outer: &FlowFacts, close: Close) -> Option<(Box<Observed>, Box<FlowFacts>)> {
        let Self { mut observed, mut following, began, state, .. } = self;
        if state == State::GivenUp || state == State::UnderWay && close == Close::Settled {
            return None;
        }
        let mut flow = Box::new(outer.clone());
        flow.first = began.first;
        flow.path.push(Layer::Tls);
        following.finish(&mut observed, shared, &flow);
        let turned_away = observed.preamble.as_ref().is_some_and(|facts| facts.dialect.is_proxy() && facts.denied());
        (observed.protocol != Protocol::Other || turned_away).then_some((observed, flow))
    }
}
