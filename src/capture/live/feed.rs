//! One thread that captures: packets out of the kernel's ring into blocks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender};
use pcap::{Active, BreakLoop, Capture};

use super::{LiveOptions, Losses, open_one};
use crate::frame::{Block, FrameHead, LinkType};
use crate::limits;
use crate::time::{Clock, Timestamp};

/// What a thread that captures counts, readable by all.
#[derive(Debug, Default)]
pub(super) struct FeedCounters {
    pub(super) frames: AtomicU64,
    pub(super) bytes: AtomicU64,
    /// Packets that the kernel's filter let through, dropped ones included.
    pub(super) received: AtomicU64,
    /// Packets that found the ring full, and those that the interface itself had no room for.
    pub(super) dropped: AtomicU64,
    pub(super) down: AtomicBool,
}

/// Ends the wait of a thread that captures.
pub(super) type Breaker = Arc<Mutex<Option<BreakLoop>>>;

/// A thread that captures on one interface, or on its share of one.
pub(super) struct Feed {
    pub(super) capture: Capture<Active>,
    pub(super) name: String,
    pub(super) options: LiveOptions,
    /// Its number among all feeds.
    pub(super) index: usize,
    /// The interface's index in the inventory.
    pub(super) interface: u32,
    /// The fanout group it belongs to.
    pub(super) group: Option<u16>,
    pub(super) counters: Arc<FeedCounters>,
    pub(super) losses: Losses,
    pub(super) breaker: Breaker,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) out: Sender<(usize, Block)>,
    pub(super) recycled: Receiver<Block>,
    pub(super) clock: Clock,
}

impl Feed {
    /// Captures until it is told to stop.
    pub(super) fn run(mut self) {
        let mut link = link_of(&self.capture);
        let mut tally = Tally::default();
        let mut number = 0;
        let mut polled = self.clock.now();
        while !self.stop.load(Ordering::Relaxed) {
            let mut block = self.recycled.try_recv().unwrap_or_default();
            block.clear();
            let interface = self.interface;
            let taken = self.capture.dispatch(Some(limits::LIVE_BATCH), |packet| {
                number = u64::saturating_add(number, 1);
                let time = Timestamp::from_parts(packet.header.ts.tv_sec, u32::try_from(packet.header.ts.tv_usec).unwrap_or_default());
                block.push(FrameHead { number, time, link, interface, original_len: packet.header.len }, packet.data);
            });
            let gone = match taken {
                Ok(_) | Err(pcap::Error::TimeoutExpired) => None,
                Err(_) if self.stop.load(Ordering::Relaxed) => None,
                Err(error) => Some(super::reason(error)),
            };
            if !block.is_empty() {
                self.counters.frames.fetch_add(block.len() as u64, Ordering::Relaxed);
                self.counters.bytes.fetch_add(block.byte_len() as u64, Ordering::Relaxed);
                self.counters.down.store(false, Ordering::Relaxed);
            }
            let now = self.clock.now();
            if block.len() < limits::LIVE_BATCH / 2 || now.since(polled) >= POLL {
                self.count(&mut tally, polled);
                polled = now;
            }
            if !block.is_empty() && !self.deliver(block) {
                return;
            }
            if let Some(why) = gone {
                self.counters.down.store(true, Ordering::Relaxed);
                thread::sleep(RETRY);
                // An interface that is only down goes on by itself; one that was removed must be opened anew when it is back.
                if why.contains("disappeared") || why.contains("No such device") {
                    if !self.reopen() {
                        return;
                    }
                    link = link_of(&self.capture);
                    tally = Tally::default();
                }
            }
        }
        self.count(&mut tally, polled);
    }

    /// False when it is time to stop.
    fn deliver(&self, mut block: Block) -> bool {
        loop {
            match self.out.send_timeout((self.index, block), RETRY) {
                Ok(()) => return true,
                Err(SendTimeoutError::Timeout((_, back))) if !self.stop.load(Ordering::Relaxed) => block = back,
                Err(_) => return false,
            }
        }
    }

    /// Waits for the interface to be there again. False when it is time to stop.
    fn reopen(&mut self) -> bool {
        while !self.stop.load(Ordering::Relaxed) {
            if let Ok(mut capture) = open_one(&self.name, &self.options, self.group) {
                *self.breaker.lock().unwrap_or_else(PoisonError::into_inner) = Some(capture.breakloop_handle());
                self.capture = capture;
                self.counters.down.store(false, Ordering::Relaxed);
                return true;
            }
            thread::sleep(RETRY);
        }
        false
    }

    /// Reads the kernel's counters; `before` is when they were last read.
    fn count(&mut self, tally: &mut Tally, before: Timestamp) {
        let Ok(stats) = self.capture.stats() else { return };
        let received = tally.received.advance(stats.received);
        let dropped = tally.dropped.advance(stats.dropped).saturating_add(tally.if_dropped.advance(stats.if_dropped));
        self.counters.received.fetch_add(received, Ordering::Relaxed);
        self.counters.dropped.fetch_add(dropped, Ordering::Relaxed);
        self.losses.add(self.interface, before, self.clock.now(), dropped);
    }
}

/// libpcap's counters have 32 bits and wrap.
#[derive(Debug, Default)]
struct Tally {
    received: Wrapping,
    dropped: Wrapping,
    if_dropped: Wrapping,
}

#[derive(Debug, Default)]
struct Wrapping(u32);

impl Wrapping {
    /// How much it rose since the last look.
    fn advance(&mut self, now: u32) -> u64 {
        u64::from(now.wrapping_sub(std::mem::replace(&mut self.0, now)))
    }
}

pub(super) fn link_of(capture: &Capture<Active>) -> LinkType {
    // The numbers inside libpcap and those in files differ for raw IP.
    match capture.get_datalink().0 {
        12 | 14 => LinkType(101),
        other => LinkType(u32::try_from(other).unwrap_or(u32::MAX)),
    }
}

/// How often a feed that never rests asks for the kernel's counters.
const POLL: Duration = Duration::from_millis(250);

/// How long to wait before trying again.
const RETRY: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::Wrapping;

    #[test]
    fn a_counter_that_wraps_goes_on() {
        let mut counter = Wrapping::default();
        assert_eq!([5, 5, u32::MAX, 3].map(|now| counter.advance(now)), [5, 0, u64::from(u32::MAX) - 5, 4]);
    }
}
