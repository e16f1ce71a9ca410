//! Decodes frames and says which partition each packet belongs to; counts what cannot be decoded; keeps packet time.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use crate::capture::{Account, Inventory};
use crate::condensate::{LATE_PACKETS, LEFT_OUT, LINKED, Late, TOLD_ELSEWHERE, Told};
use crate::frame::{Block, Frame, FrameHead};
use crate::limits;
use crate::packet::{self, Decoder, Found, Packet, Segment, Skip, TcpFlags};
use crate::shard::Shard;
use crate::time::{Mark, Timestamp};
use crate::traffic::{Kind, Traffic};
use crate::watch::GAP;

use super::ahead::Ahead;
use super::batch::{Entry, Routed, Taker};
use super::partition::partition;
use super::sources::{Joined, Sources};

/// The router.
#[derive(Debug)]
pub(super) struct Router {
    decoder: Decoder,
    counts: RouterCounts,
    /// How often timers are looked at, and when the next step of packet time begins, at which every partition does.
    length: Duration,
    tick: Timestamp,
    /// When the sources of a capture from files were heard.
    sources: Option<Sources>,
    /// The shard that is read, if it is one by itself.
    pub(super) shard: Option<Shard>,
    /// The interface and the source of a frame behind which, until the next tick, more of the same change nothing but what was seen last.
    steady: Option<(u32, usize)>,
}

/// What went through.
#[derive(Debug, Clone, Default)]
pub(super) struct RouterCounts {
    pub(super) frames: u64,
    pub(super) bytes: u64,
    pub(super) decoded: u64,
    pub(super) skipped: [u64; Skip::ALL.len()],
    /// What the frames held that gave no packet, as far as it has a name.
    pub(super) unread: Traffic,
    /// Link types that could not be read, with their frames.
    pub(super) unknown_links: BTreeMap<u32, u64>,
    pub(super) first: Option<Timestamp>,
    /// The last frame, with the latest time seen.
    pub(super) last: Mark,
    /// When nothing was captured at all, and how many more times than those.
    pub(super) silences: Vec<(Timestamp, Timestamp)>,
    pub(super) silences_more: u64,
    /// Pairs of inputs that are two points of capture of the same connections.
    pub(super) points: Vec<(usize, usize)>,
}

impl RouterCounts {
    /// Frames that gave no packet for this reason.
    pub(super) fn skipped(&self, reason: Skip) -> u64 {
        let place = Skip::ALL.iter().position(|other| *other == reason);
        place.and_then(|place| self.skipped.get(place)).copied().unwrap_or(0)
    }

    /// Puts what was counted when the capture was condensed in place of what was counted of what is left of it.
    pub(super) fn take_over(&mut self, account: &Account) {
        self.frames = account.frames;
        self.bytes = account.bytes;
        self.decoded = account.decoded;
        for (place, reason) in Skip::ALL.iter().enumerate() {
            if let Some(count) = self.skipped.get_mut(place) {
                *count = account.skipped.get(reason.name()).copied().unwrap_or_default();
            }
        }
        self.unknown_links.clone_from(&account.links);
        self.first = account.times.map(|(first, _)| first);
        if let Some((_, last)) = account.times {
            self.last.time = last;
        }
    }

    #[cold]
    fn skip(&mut self, reason: Skip, frame: &Frame<'_>) {
        let place = Skip::ALL.iter().position(|other| *other == reason);
        if let Some(count) = place.and_then(|place| self.skipped.get_mut(place)) {
            *count = count.saturating_add(1);
        }
        if let Some((bearer, protocol)) = packet::name_skipped(frame, reason) {
            let row = self.unread.row(Kind { bearer, protocol, port: None });
            self.unread.packet(row, frame.head.original_len);
        }
        if reason == Skip::LinkType {
            let frames = self.unknown_links.entry(frame.head.link.0).or_default();
            *frames = frames.saturating_add(1);
        }
    }
}

impl Router {
    /// A router for a file, or for a live capture.
    pub(super) fn new(live: bool) -> Self {
        let length = if live { limits::LIVE_STEP } else { limits::STEP };
        let sources = (!live).then(Sources::new);
        Self {
            decoder: Decoder::default(),
            counts: RouterCounts::default(),
            length,
            tick: Timestamp::MIN,
            sources,
            shard: None,
            steady: None,
        }
    }

    /// Gives a block's packets, with ticks in between.
    #[inline]
    pub(super) fn route(&mut self, block: &Block, taker: &mut impl Taker) {
        self.route_part(block, 0..block.len(), taker);
    }

    /// The same for the frames at these places, which are the next.
    #[inline]
    pub(super) fn route_part(&mut self, block: &Block, places: Range<usize>, taker: &mut impl Taker) {
        if let Some(frame) = block.frame(places.start) {
            self.counts.first.get_or_insert(frame.head.time);
        }
        let frames = places.len() as u64;
        let end = places.end;
        self.counts.frames = self.counts.frames.saturating_add(frames);
        let (mut bytes, mut skipped) = (0u64, 0u64);
        let mut ahead = Ahead::new();
        for place in places {
            if ahead.is_spent() {
                ahead.look(block, place..end);
                taker.coming(&ahead);
            }
            let (Some(plain), Ok(at)) = (ahead.take(), u32::try_from(place)) else {
                if let Some(frame) = block.frame(place) {
                    bytes = bytes.saturating_add(frame.bytes.len() as u64);
                    skipped = skipped.saturating_add(u64::from(self.route_other(&frame, place, taker)));
                }
                continue;
            };
            bytes = bytes.saturating_add(u64::from(plain.captured()));
            self.pass(plain.segment.mark, plain.interface(), taker);
            if let Some(sources) = &mut self.sources {
                saw_segment(sources, plain.interface(), plain.segment);
                if self.steady.is_none()
                    && sources.asks()
                    && let Some(frame) = block.frame(place)
                {
                    saw(sources, &frame, plain.packet, Found::AtOnce);
                }
            }
            taker.plain(plain, at);
        }
        self.counts.bytes = self.counts.bytes.saturating_add(bytes);
        self.counts.decoded = self.counts.decoded.saturating_add(frames.saturating_sub(skipped));
        // If this was the last block of an input, the first frames of the next will show whether it goes on there.
        let Some(sources) = self.sources.as_mut().filter(|_| end == block.len()) else { return };
        self.steady = None;
        for frame in (block.len().saturating_sub(TAIL)..block.len()).filter_map(|place| block.frame(place)) {
            let mut packet = Packet::nothing();
            let found = packet::read(&frame, &mut packet);
            saw(sources, &frame, &packet, found);
        }
    }

    /// Gives what a frame holds that is not of the usual kind. Whether it gave no packet.
    fn route_other(&mut self, frame: &Frame<'_>, place: usize, taker: &mut impl Taker) -> bool {
        let interface = frame.head.interface;
        self.pass(frame.mark(), interface, taker);
        let mut packet = Packet::nothing();
        let found = self.decoder.walk(frame, &mut packet);
        let packet = &packet;
        if let Some(sources) = &mut self.sources {
            if let Packet::Tcp(segment) = packet {
                saw_segment(sources, interface, segment);
            }
            if self.steady.is_none() && sources.asks() {
                saw(sources, frame, packet, found);
                if let Packet::Udp(datagram) = packet {
                    sources.saw(interface, datagram.key.site, datagram.key.site_hash());
                }
            }
        }
        if let Packet::Skipped(reason) = packet {
            self.counts.skip(*reason, frame);
            match frame.head.link {
                LEFT_OUT => self.told(&frame.head),
                LATE_PACKETS => tell_late(frame, taker),
                TOLD_ELSEWHERE => tell_elsewhere(frame, taker),
                _ => {}
            }
            return true;
        }
        if let Some(key) = packet.key() {
            let place = u32::try_from(place).ok().filter(|_| found != Found::Joining);
            // Fragments are in every shard, as nothing tells whose they are before the last.
            if place.is_some() || self.shard.is_none_or(|shard| shard.holds(key)) {
                taker.take(Routed::Packet { partition: partition(key), interface, packet, place });
            }
        }
        false
    }

    /// A frame is at hand, and what has waited for too long at that moment is told of before the tick, which may end the flow that it is of.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once a packet")]
    fn pass(&mut self, mark: Mark, interface: u32, taker: &mut impl Taker) {
        self.decoder.pass(mark.time);
        if self.decoder.has_lost() {
            self.unfinished(taker);
        }
        if let Some((known, source)) = self.steady
            && known == interface
            && mark.time >= self.counts.last.time
            && mark.time < self.tick
        {
            self.counts.last = mark;
            if let Some(sources) = &mut self.sources {
                sources.hear_on(source, mark);
            }
            return;
        }
        self.arrive(mark, interface, taker);
    }

    /// The next frame is at hand: time goes on, and whoever fell silent before it is told of before the tick.
    #[inline(never)]
    fn arrive(&mut self, mark: Mark, interface: u32, taker: &mut impl Taker) {
        let before = self.counts.last.time;
        // A clock that was set back stays so: its later frames are no moment that never ends.
        let back = before > mark.time.after(GAP);
        self.counts.last = Mark { frame: mark.frame, time: if back { mark.time } else { mark.time.max(before) } };
        if back {
            self.tick = mark.time;
        }
        if let Some(sources) = &mut self.sources {
            if mark.time >= self.tick {
                sources.lapse(mark.time);
            }
            sources.hear(interface, mark);
            if let Some(watch) = sources.news() {
                taker.take(Routed::Watch(&watch));
            }
        }
        self.tick(taker);
        self.steady = self.sources.as_ref().map_or(Some(0), |sources| sources.steady(interface)).map(|source| (interface, source));
    }

    /// Tells the flows of the packets that came in fragments and never became whole.
    #[cold]
    fn unfinished(&mut self, taker: &mut impl Taker) {
        for lost in self.decoder.take_lost() {
            taker.take(Routed::Unfinished(&lost));
        }
    }

    /// The capture is over. Gives its last moment, after the last that is to be told of it.
    pub(super) fn end(&mut self, inventory: &Inventory, taker: &mut impl Taker) -> Mark {
        let last = self.counts.last;
        // It ended at its last frame, or later where it is known that nothing more came.
        let end = Mark { time: inventory.quiet_until.map_or(last.time, |until| until.max(last.time)), ..last };
        self.decoder.finish(end.time);
        self.unfinished(taker);
        if let Some(sources) = &mut self.sources {
            sources.end(inventory, end);
            let (silences, more) = sources.silences();
            self.counts.silences = silences.to_vec();
            self.counts.silences_more = more;
            self.counts.points = sources.points(inventory);
            if let Some(watch) = sources.news() {
                taker.take(Routed::Watch(&watch));
            }
        }
        end
    }

    /// Packet time goes on while no packet comes: `now` is the present of a live capture.
    pub(super) fn idle(&mut self, now: Timestamp, taker: &mut impl Taker) {
        // Packets stay in the kernel for a moment; time must not overtake them.
        let now = now.before(LATEST_PACKETS);
        if self.counts.frames == 0 || now <= self.counts.last.time {
            return;
        }
        self.counts.last.time = now;
        self.tick(taker);
    }

    /// What a frame that was left out of a condensate had shown: that its interface goes on where another left off.
    #[cold]
    fn told(&mut self, head: &FrameHead) {
        if let (Some(sources), Some(before)) = (&mut self.sources, (head.original_len & !LINKED).checked_sub(1)) {
            self.steady = None;
            sources.told(head.interface, before, head.original_len & LINKED != 0);
        }
    }

    /// Which interfaces were found to go on where others left off since the last call.
    pub(super) fn joined(&mut self) -> Vec<Joined> {
        self.sources.as_mut().map(Sources::take_joined).unwrap_or_default()
    }

    fn tick(&mut self, taker: &mut impl Taker) {
        let now = self.counts.last;
        if now.time >= self.tick {
            self.tick = now.time.next_step(self.length);
            taker.take(Routed::Tick(now));
        }
    }

    pub(super) fn counts(&self) -> &RouterCounts {
        &self.counts
    }

    pub(super) fn into_counts(self) -> RouterCounts {
        self.counts
    }
}

/// Gives what a condensate has left out of flows.
#[cold]
fn tell_late(frame: &Frame<'_>, taker: &mut impl Taker) {
    let mut bytes = frame.bytes;
    while let Some(late) = Late::read(&mut bytes, frame.head.site) {
        taker.take(Routed::Late { late: &late, second: frame.head.time.seconds() });
    }
}

/// Gives what is told of a handshake of another shard. Its mark names the interface that saw it in the place of one that it goes on with.
#[cold]
fn tell_elsewhere(frame: &Frame<'_>, taker: &mut impl Taker) {
    if let Some(told) = Told::read(frame.bytes) {
        let interface = frame.head.original_len.saturating_sub(1);
        taker.take(Routed::Told(&Entry { frame: frame.head.number, interface, site: frame.head.site, told }));
    }
}

/// An interface saw a segment, which may begin a connection.
#[inline]
fn saw_segment(sources: &mut Sources, interface: u32, segment: &Segment<'_>) {
    if segment.flags.0 & (TcpFlags::SYN | TcpFlags::ACK) == TcpFlags::SYN {
        sources.saw_begin(interface, segment.key.site, segment.key.site_hash());
    }
}

/// An interface saw a frame: its flow, where it is of the usual kind, and its stations tell whether another saw the same.
#[cold]
fn saw(sources: &mut Sources, frame: &Frame<'_>, packet: &Packet<'_>, found: Found) {
    let interface = frame.head.interface;
    if let (Some(key), Found::AtOnce) = (packet.key(), found) {
        sources.saw(interface, key.site, key.site_hash());
    }
    if let Some(stations) = packet::stations(frame) {
        sources.saw_stations(interface, frame.head.site, stations);
    }
}

/// Last frames of a block whose flows are remembered: on a quiet link all there are, on a busy one enough connections to know it by.
const TAIL: usize = 64;

/// How late a live packet may come: what the kernel holds it back, twice, and some.
const LATEST_PACKETS: Duration = Duration::from_millis(300);
