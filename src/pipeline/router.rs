//! Decodes frames and says which partition each packet belongs to; counts what cannot be decoded; keeps packet time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::flow::FlowKey;
use crate::frame::{Block, Frame};
use crate::limits;
use crate::packet::{Decoder, Packet, Skip};
use crate::time::{Mark, Timestamp};

use super::batch::Routed;

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

    /// Decodes a block's frames and gives each packet, with ticks in between.
    pub(super) fn route(&mut self, block: &Block, mut give: impl FnMut(Routed<'_>)) {
        if let Some(frame) = block.frame(0) {
            self.counts.first.get_or_insert(frame.head.time);
        }
        self.counts.frames += block.len() as u64;
        let (mut bytes, mut decoded) = (0, 0);
        for (index, frame) in (0..).zip(block.frames()) {
            let mark = frame.mark();
            bytes += frame.bytes.len() as u64;
            self.counts.last = Mark { frame: mark.frame, time: mark.time.max(self.counts.last.time) };
            self.tick(&mut give);
            let interface = frame.head.interface;
            // By reference, here and below: a segment is too large to be copied from hand to hand.
            if let Some(segment) = &self.decoder.decode_plain(&frame) {
                decoded += 1;
                give(Routed::Segment { partition: partition(&segment.key), interface, segment, plain: Some(index) });
                continue;
            }
            match self.decoder.walk(&frame) {
                Packet::Tcp(segment) => {
                    decoded += 1;
                    give(Routed::Segment { partition: partition(&segment.key), interface, segment: &segment, plain: None });
                }
                Packet::Udp(datagram) => {
                    decoded += 1;
                    give(Routed::Datagram { partition: partition(&datagram.key), interface, datagram: &datagram });
                }
                Packet::IcmpError(error) => {
                    decoded += 1;
                    give(Routed::Icmp { partition: partition(&error.key), error: &error });
                }
                Packet::Skipped(reason) => self.skip(reason, &frame),
            }
        }
        self.counts.bytes += bytes;
        self.counts.decoded += decoded;
    }

    fn skip(&mut self, reason: Skip, frame: &Frame<'_>) {
        let place = Skip::ALL.iter().position(|other| *other == reason);
        if let Some(count) = place.and_then(|place| self.counts.skipped.get_mut(place)) {
            *count += 1;
        }
        if reason == Skip::LinkType {
            *self.counts.unknown_links.entry(frame.head.link.0).or_default() += 1;
        }
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

    fn tick(&mut self, mut give: impl FnMut(Routed<'_>)) {
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

fn partition(key: &FlowKey) -> u16 {
    u16::try_from(key.partition_hash() % limits::PARTITIONS as u64).unwrap_or(0)
}
