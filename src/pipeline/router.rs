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

use super::ahead::{Ahead, Plain};
use super::batch::{Entry, Routed, foretell, partition};
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
    /// Who is given the packets takes them in, and is told of what comes.
    foretells: bool,
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
            foretells: false,
        }
    }

    /// Tells of segments that come in a moment, too.
    pub(super) fn foretelling(mut self) -> Self {
        self.foretells = true;
        self
    }

    /// Gives a block's packets, with ticks in between.
    #[inline]
    pub(super) fn route(&mut self, block: &Block, give: impl FnMut(Routed<'_>)) {
        self.route_part(block, 0..block.len(), give);
    }

    /// The same for the frames at these places, which are the next.
    #[inline]
    pub(super) fn route_part(&mut self, block: &Block, places: Range<usize>, mut give: impl FnMut(Routed<'_>)) {
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
                if self.foretells {
                    foretell(&mut ahead, &mut give);
                }
            }
            let (Some(frame), Ok(at)) = (ahead.take(), u32::try_from(place)) else {
                if let Some(frame) = block.frame(place) {
                    bytes = bytes.saturating_add(frame.bytes.len() as u64);
                    skipped = skipped.saturating_add(u64::from(self.route_other(&frame, place, &mut give)));
                }
                continue;
            };
            let Plain { packet, segment, partition, interface, captured, expected } = frame;
            bytes = bytes.saturating_add(u64::from(captured));
            self.pass(segment.mark, interface, &mut give);
            if let Some(sources) = &mut self.sources {
                saw_segment(sources, interface, segment);
                if sources.asks()
                    && let Some(frame) = block.frame(place)
                {
                    saw(sources, &frame, packet, Found::AtOnce);
                }
            }
            give(Routed::Packet { partition, interface, packet, place: Some(at), expected });
        }
        self.counts.bytes = self.counts.bytes.saturating_add(bytes);
        self.counts.decoded = self.counts.decoded.saturating_add(frames.saturating_sub(skipped));
        // If this was the last block of an input, the first frames of the next will show whether it goes on there.
        let Some(sources) = self.sources.as_mut().filter(|_| end == block.len()) else { return };
        for frame in (block.len().saturating_sub(TAIL)..block.len()).filter_map(|place| block.frame(place)) {
            let mut packet = Packet::nothing();
            let found = packet::read(&frame, &mut packet);
            saw(sources, &frame, &packet, found);
        }
    }

    /// Gives what a frame holds that is not of the usual kind. Whether it gave no packet.
    fn route_other(&mut self, frame: &Frame<'_>, place: usize, give: &mut impl FnMut(Routed<'_>)) -> bool {
        let interface = frame.head.interface;
        self.pass(frame.mark(), interface, give);
        let mut packet = Packet::nothing();
        let found = self.decoder.walk(frame, &mut packet);
        let packet = &packet;
        if let Some(sources) = &mut self.sources {
            if let Packet::Tcp(segment) = packet {
                saw_segment(sources, interface, segment);
            }
            if sources.asks() {
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
                LATE_PACKETS => tell_late(frame, give),
                TOLD_ELSEWHERE => tell_elsewhere(frame, give),
                _ => {}
            }
            return true;
        }
        if let Some(key) = packet.key() {
            let place = u32::try_from(place).ok().filter(|_| found != Found::Joining);
            // Fragments are in every shard, as nothing tells whose they are before the last.
            if place.is_some() || self.shard.is_none_or(|shard| shard.holds(key)) {
                give(Routed::Packet { partition: partition(key), interface, packet, place, expected: None });
            }
        }
        false
    }

    /// A frame is at hand, and what has waited for too long at that moment is told of before the tick, which may end the flow that it is of.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once a packet")]
    fn pass(&mut self, mark: Mark, interface: u32, give: &mut impl FnMut(Routed<'_>)) {
        self.decoder.pass(mark.time);
        if self.decoder.has_lost() {
            self.unfinished(give);
        }
        self.arrive(mark, interface, give);
    }

    /// The next frame is at hand: time goes on, and whoever fell silent before it is told of before the tick.
    #[inline]
    fn arrive(&mut self, mark: Mark, interface: u32, give: &mut impl FnMut(Routed<'_>)) {
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
                give(Routed::Watch(&watch));
            }
        }
        self.tick(give);
    }

    /// Tells the flows of the packets that came in fragments and never became whole.
    #[cold]
    fn unfinished(&mut self, give: &mut impl FnMut(Routed<'_>)) {
        for lost in self.decoder.take_lost() {
            give(Routed::Unfinished(&lost));
        }
    }

    /// The capture is over. Gives its last moment, after the last that is to be told of it.
    pub(super) fn end(&mut self, inventory: &Inventory, mut give: impl FnMut(Routed<'_>)) -> Mark {
        let last = self.counts.last;
        // It ended at its last frame, or later where it is known that nothing more came.
        let end = Mark { time: inventory.quiet_until.map_or(last.time, |until| until.max(last.time)), ..last };
        self.decoder.finish(end.time);
        self.unfinished(&mut give);
        if let Some(sources) = &mut self.sources {
            sources.end(inventory, end);
            let (silences, more) = sources.silences();
            self.counts.silences = silences.to_vec();
            self.counts.silences_more = more;
            self.counts.points = sources.points(inventory);
            if let Some(watch) = sources.news() {
                give(Routed::Watch(&watch));
            }
        }
        end
    }

    /// Packet time goes on while no packet comes: `now` is the present of a live capture.
    pub(super) fn idle(&mut self, now: Timestamp, mut give: impl FnMut(Routed<'_>)) {
        // Packets stay in the kernel for a moment; time must not overtake them.
        let now = now.before(LATEST_PACKETS);
        if self.counts.frames == 0 || now <= self.counts.last.time {
            return;
        }
        self.counts.last.time = now;
        self.tick(&mut give);
    }

    /// What a frame that was left out of a condensate had shown: that its interface goes on where another left off.
    #[cold]
    fn told(&mut self, head: &FrameHead) {
        if let (Some(sources), Some(before)) = (&mut self.sources, (head.original_len & !LINKED).checked_sub(1)) {
            sources.told(head.interface, before, head.original_len & LINKED != 0);
        }
    }

    /// Which interfaces were found to go on where others left off since the last call.
    pub(super) fn joined(&mut self) -> Vec<Joined> {
        self.sources.as_mut().map(Sources::take_joined).unwrap_or_default()
    }

    fn tick(&mut self, mut give: impl FnMut(Routed<'_>)) {
        let now = self.counts.last;
        if now.time >= self.tick {
            self.tick = now.time.next_step(self.length);
            give(Routed::Tick(now));
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
fn tell_late(frame: &Frame<'_>, give: &mut impl FnMut(Routed<'_>)) {
    let mut bytes = frame.bytes;
    while let Some(late) = Late::read(&mut bytes, frame.head.site) {
        give(Routed::Late { late: &late, second: frame.head.time.seconds() });
    }
}

/// Gives what is told of a handshake of another shard. Its mark names the interface that saw it in the place of one that it goes on with.
#[cold]
fn tell_elsewhere(frame: &Frame<'_>, give: &mut impl FnMut(Routed<'_>)) {
    if let Some(told) = Told::read(frame.bytes) {
        let interface = frame.head.original_len.saturating_sub(1);
        give(Routed::Told(&Entry { frame: frame.head.number, interface, site: frame.head.site, told }));
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
