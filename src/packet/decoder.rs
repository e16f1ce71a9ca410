//! The decoder: a walk for each frame, and the fragments that wait for their like.

use crate::flow::FlowKey;
use crate::frame::Frame;
use crate::packet::cursor::Cursor;
use crate::packet::direct;
use crate::packet::fragments::{FragmentCounters, Fragments, Joined, LostFragments};
use crate::packet::state::{LinkHeader, Next, Unread, Walk};
use crate::packet::{Packet, Skip};
use crate::time::Timestamp;

/// How a frame's packet was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// In one step: the frame is of the usual kind.
    AtOnce,
    /// By a walk through its headers.
    Walking,
    /// By joining it with the fragments in other frames.
    Joining,
}

/// Decodes frames. Holds nothing but IP fragments, so frames of one IP packet must come to the same decoder.
#[derive(Debug, Default)]
pub struct Decoder {
    fragments: Fragments,
    joined: Vec<u8>,
    joined_frames: Vec<u64>,
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes a frame to its innermost packet. The packet borrows from the frame or, when this frame completed a fragmented IP packet, from
    /// the decoder.
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Packet<'a> {
        let mut packet = Packet::nothing();
        self.pass(frame.head.time);
        self.read(frame, &mut packet);
        packet
    }

    /// Packet time goes on: fragments that have waited too long are given up.
    #[inline]
    pub(crate) fn pass(&mut self, now: Timestamp) {
        if self.fragments.due(now) {
            self.fragments.expire(now);
        }
    }

    /// Decodes a frame for a caller who has a place for its packet: one is too large to be handed from place to place for each frame. Where it was
    /// found without joining, [`read`] says the same of it.
    #[inline]
    pub(crate) fn read<'a>(&'a mut self, frame: &Frame<'a>, into: &mut Packet<'a>) -> Found {
        if direct::read(frame, into).is_some() { Found::AtOnce } else { self.walk(frame, into) }
    }

    /// The same for a frame that is [not plain](super::read_plain).
    #[inline(never)]
    pub(crate) fn walk<'a>(&'a mut self, frame: &Frame<'a>, into: &mut Packet<'a>) -> Found {
        let mut walk = Walk::new(frame);
        *into = match walk.advance(Next::Link(frame.head.link)) {
            Ok(last) => walk.finish(last),
            Err(Skip::Fragment) => {
                *into = self.join(&walk);
                return Found::Joining;
            }
            Err(skip) => Packet::Skipped(skip),
        };
        Found::Walking
    }

    /// The frames that carried the packet of the last call, when that call joined one from fragments: [`IpFacts::was_fragmented`].
    ///
    /// [`IpFacts::was_fragmented`]: super::IpFacts::was_fragmented
    pub fn joined_frames(&self) -> &[u64] {
        &self.joined_frames
    }

    /// The frames of packets given up since the last call, by the flow that their first fragments name; bounded like [`Self::take_lost`].
    pub fn take_lost_frames(&mut self) -> Vec<(FlowKey, Vec<u64>)> {
        self.fragments.take_lost_frames()
    }

    /// What became of fragmented packets so far.
    pub const fn fragment_counters(&self) -> FragmentCounters {
        self.fragments.counters
    }

    /// The fragmented packets given up since the last call whose flow is known, at most [`crate::limits::FRAGMENT_LOST`].
    pub fn take_lost(&mut self) -> Vec<LostFragments> {
        self.fragments.take_lost()
    }

    /// Whether [`Decoder::take_lost`] has something to give.
    #[inline]
    pub(crate) fn has_lost(&self) -> bool {
        self.fragments.has_lost()
    }

    /// Gives up all packets still waiting for fragments: the capture ends at `now`.
    pub fn finish(&mut self, now: Timestamp) {
        self.fragments.expire_all(now);
    }

    /// Adds a fragment and, when its packet is whole, walks on. What is in it may again be a fragment: of a tunnel's inner packet.
    fn join<'a>(&'a mut self, walk: &Walk<'_>) -> Packet<'a> {
        let Some(mut joined) = walk.piece.and_then(|piece| self.fragments.add(walk, piece)) else { return Packet::Skipped(Skip::Fragment) };
        loop {
            if joined.around.depth > crate::limits::TUNNEL_DEPTH {
                return Packet::Skipped(Skip::TooDeep);
            }
            let mut inner = resume(&joined);
            if inner.advance(Next::Payload(joined.protocol)) != Err(Skip::Fragment) {
                break;
            }
            let Some(next) = inner.piece.and_then(|piece| self.fragments.add(&inner, piece)) else {
                return Packet::Skipped(Skip::Fragment);
            };
            joined = next;
        }
        self.joined = std::mem::take(&mut joined.bytes);
        self.joined_frames = std::mem::take(&mut joined.frames);
        let rest = Cursor::new(&self.joined, joined.wire);
        Walk { rest, around: joined.around, piece: None, unread: Unread::Nothing, link: LinkHeader::Nothing }
            .run(Next::Payload(joined.protocol))
    }
}

fn resume(joined: &Joined) -> Walk<'_> {
    Walk {
        rest: Cursor::new(&joined.bytes, joined.wire),
        around: joined.around,
        piece: None,
        unread: Unread::Nothing,
        link: LinkHeader::Nothing,
    }
}

/// Decodes a frame whose packet lies in it alone. A fragment is skipped.
#[inline]
pub(crate) fn read<'a>(frame: &Frame<'a>, into: &mut Packet<'a>) -> Found {
    if direct::read(frame, into).is_some() {
        return Found::AtOnce;
    }
    walk(frame, into);
    Found::Walking
}

/// The same for a frame that is [not plain](super::read_plain).
#[inline(never)]
pub(crate) fn walk<'a>(frame: &Frame<'a>, into: &mut Packet<'a>) {
    *into = Walk::new(frame).run(Next::Link(frame.head.link));
}
