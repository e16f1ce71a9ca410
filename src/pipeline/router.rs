//! Decodes frames and says which partition each packet belongs to; counts what cannot be decoded; keeps packet time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::frame::{Block, Frame};
use crate::limits;
use crate::packet::{Decoder, Packet, Skip};
use crate::time::{Mark, Timestamp};

use super::batch::{Routed, partition};

/// The router.
#[derive(Debug)]
pub(super) struct Router {
    decoder: Decoder,
    counts: Counts,
    /// How often timers are looked at, and when the next step of packet time begins, at which every partition does.
    length: Duration,
    tick: Timestamp,
}

/// What went through.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) frames: u64,
    pub(super) bytes: u64,
    pub(super) decoded: u64,
    pub(super) skipped: [u64; Skip::ALL.len()],
    /// Link types that could not be read, with their frames.
    pub(super) unknown_links: BTreeMap<u32, u64>,
    pub(super) first: Option<Timestamp>,
    /// The last frame, with the latest time seen.
    pub(super) last: Mark,
}

impl Router {
    /// A router for a file, or for a live capture.
    pub(super) fn new(live: bool) -> Self {
        let length = if live { limits::LIVE_STEP } else { limits::STEP };
        Self { decoder: Decoder::default(), counts: Counts::default(), length, tick: Timestamp::MIN }
    }

    /// Gives a block's packets, with ticks in between. A frame is given undecoded; where `give` finds no segment of the usual kind in it and says
    /// so, what it holds is decoded and given, too.
    pub(super) fn route<'b>(&mut self, block: &'b Block, mut give: impl FnMut(Routed<'_, 'b>) -> bool) {
        if let Some(frame) = block.frame(0) {
            self.counts.first.get_or_insert(frame.head.time);
        }
        self.counts.frames = self.counts.frames.saturating_add(block.len() as u64);
        let (mut bytes, mut skipped) = (0u64, 0u64);
        for (place, frame) in (0..).zip(block.frames()) {
            let mark = frame.mark();
            bytes = bytes.saturating_add(frame.bytes.len() as u64);
            self.counts.last = Mark { frame: mark.frame, time: mark.time.max(self.counts.last.time) };
            self.tick(&mut give);
            self.decoder.pass(mark.time);
            if give(Routed::Frame { frame: &frame, place }) {
                continue;
            }
            let interface = frame.head.interface;
            match self.decoder.walk(&frame) {
                // By reference, here and below: a segment is too large to be copied from hand to hand.
                Packet::Tcp(segment) => give(Routed::Segment { partition: partition(&segment.key), interface, segment: &segment }),
                Packet::Udp(datagram) => give(Routed::Datagram { partition: partition(&datagram.key), interface, datagram: &datagram }),
                Packet::IcmpError(error) => give(Routed::Icmp { partition: partition(&error.key), error: &error }),
                Packet::Skipped(reason) => {
                    skipped = skipped.saturating_add(1);
                    self.skip(reason, &frame);
                    continue;
                }
            };
        }
        self.counts.bytes = self.counts.bytes.saturating_add(bytes);
        self.counts.decoded = self.counts.decoded.saturating_add((block.len() as u64).saturating_sub(skipped));
    }

    fn skip(&mut self, reason: Skip, frame: &Frame<'_>) {
        let place = Skip::ALL.iter().position(|other| *other == reason);
        if let Some(count) = place.and_then(|place| self.counts.skipped.get_mut(place)) {
            *count = count.saturating_add(1);
        }
        if reason == Skip::LinkType {
            let frames = self.counts.unknown_links.entry(frame.head.link.0).or_default();
            *frames = frames.saturating_add(1);
        }
    }

    /// Packet time goes on while no packet comes: `now` is the present of a live capture.
    pub(super) fn idle<'b>(&mut self, now: Timestamp, mut give: impl FnMut(Routed<'_, 'b>) -> bool) {
        // Packets stay in the kernel for a moment; time must not overtake them.
        let now = now.before(LATEST_PACKETS);
        if self.counts.frames == 0 || now <= self.counts.last.time {
            return;
        }
        self.counts.last.time = now;
        self.tick(&mut give);
    }

    fn tick<'b>(&mut self, mut give: impl FnMut(Routed<'_, 'b>) -> bool) {
        let now = self.counts.last;
        if now.time >= self.tick {
            self.tick = now.time.next_step(self.length);
            give(Routed::Tick(now));
        }
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// How late a live packet may come: what the kernel holds it back, twice, and some.
const LATEST_PACKETS: Duration = Duration::from_millis(300);
