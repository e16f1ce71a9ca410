//! One thread that captures: packets out of the kernel's ring into blocks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender};
use pcap::{Active, BreakLoop, Capture};

use super::{LiveOptions, Losses, open_one, socket};
use crate::frame::{Block, FrameHead, LinkType};
use crate::limits;
use crate::site::Site;
use crate::time::{Clock, Timestamp};

/// What is counted of a feed, readable by all.
#[derive(Debug, Default)]
pub(super) struct FeedCounters {
    /// Packets given to the pipeline.
    pub(super) frames: AtomicU64,
    pub(super) bytes: AtomicU64,
    /// Packets that the kernel's filter let through, dropped ones included.
    pub(super) received: AtomicU64,
    /// Packets that found the ring full, and those that the interface itself had no room for.
    pub(super) dropped: AtomicU64,
    /// Packets that the kernel took and nobody looked at, because the run was to end.
    pub(super) unread: AtomicU64,
    pub(super) down: AtomicBool,
}

/// Ends the wait of a thread that captures.
pub(super) type Breaker = Arc<Mutex<Option<BreakLoop>>>;

/// How a thread that captures is told to end.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    /// Take no more from the network, read what is in the ring.
    pub(super) stop: Arc<AtomicBool>,
    /// Nobody reads any more.
    pub(super) abandoned: Arc<AtomicBool>,
}

/// A thread that captures on one interface, or on its share of one.
pub(super) struct Feed {
    pub(super) capture: Capture<Active>,
    pub(super) name: String,
    pub(super) options: LiveOptions,
    /// The fanout group it belongs to.
    pub(super) group: Option<u16>,
    pub(super) breaker: Breaker,
    pub(super) line: Line,
}

/// Where its packets go.
pub(super) struct Line {
    /// Its number among all feeds.
    pub(super) index: usize,
    /// The interface's index in the inventory.
    pub(super) interface: u32,
    pub(super) site: Site,
    pub(super) link: LinkType,
    /// Packets taken so far.
    pub(super) number: u64,
    pub(super) counters: Arc<FeedCounters>,
    pub(super) losses: Losses,
    pub(super) ending: Ending,
    /// When it was first seen that the run is to end.
    pub(super) stopped: Option<Timestamp>,
    pub(super) out: Sender<(usize, Block)>,
    pub(super) recycled: Receiver<Block>,
    pub(super) clock: Clock,
}

impl Feed {
    /// Captures until it is told to stop, and then reads what is left.
    pub(super) fn run(mut self) {
        let mut tally = Tally::default();
        let mut polled = self.line.clock.now();
        while !self.line.is_over() {
            let (block, taken) = self.line.take(&mut self.capture);
            let gone = match taken {
                Ok(()) | Err(pcap::Error::TimeoutExpired) => None,
                Err(_) if self.line.is_over() => None,
                Err(error) => Some(super::reason(error)),
            };
            if !block.is_empty() {
                self.line.counters.down.store(false, Ordering::Relaxed);
            }
            let now = self.line.clock.now();
            if block.len() < limits::LIVE_BATCH / 2 || now.since(polled) >= POLL {
                self.line.count(&mut self.capture, &mut tally, polled);
                polled = now;
            }
            if !block.is_empty() {
                self.line.deliver(block);
            }
            if let Some(why) = gone {
                self.line.counters.down.store(true, Ordering::Relaxed);
                thread::sleep(RETRY);
                // An interface that is only down goes on by itself; one that was removed must be opened anew when it is back.
                if why.contains("disappeared") || why.contains("No such device") {
                    if !self.reopen() {
                        return;
                    }
                    self.line.link = link_of(&self.capture);
                    tally = Tally::default();
                }
            }
        }
        self.line.count(&mut self.capture, &mut tally, polled);
        self.line.drain(self.capture, &mut tally);
    }

    /// Waits for the interface to be there again. False when it is time to stop.
    fn reopen(&mut self) -> bool {
        while !self.line.is_over() {
            if let Ok(mut capture) = open_one(&self.name, &self.options, self.group) {
                *self.breaker.lock().unwrap_or_else(PoisonError::into_inner) = Some(capture.breakloop_handle());
                self.capture = capture;
                self.line.counters.down.store(false, Ordering::Relaxed);
                return true;
            }
            thread::sleep(RETRY);
        }
        false
    }
}

impl Line {
    fn is_over(&self) -> bool {
        [&self.ending.stop, &self.ending.abandoned].iter().any(|flag| flag.load(Ordering::Relaxed))
    }

    /// Takes what the ring has, but not too much.
    fn take(&mut self, capture: &mut Capture<Active>) -> (Block, Result<(), pcap::Error>) {
        let mut block = self.recycled.try_recv().unwrap_or_default();
        block.clear();
        let (number, link, interface, site) = (&mut self.number, self.link, self.interface, self.site);
        let taken = capture.dispatch(Some(limits::LIVE_BATCH), |packet| {
            *number = u64::saturating_add(*number, 1);
            let time = Timestamp::from_parts(packet.header.ts.tv_sec, u32::try_from(packet.header.ts.tv_usec).unwrap_or_default());
            block.push(FrameHead { number: *number, time, link, interface, site, original_len: packet.header.len }, packet.data);
        });
        (block, taken.map(drop))
    }

    /// Waits for room; when the run is to end, not for long.
    fn deliver(&mut self, mut block: Block) {
        let packets = block.len() as u64;
        loop {
            match self.out.send_timeout((self.index, block), RETRY) {
                Ok(()) => return,
                Err(SendTimeoutError::Timeout((_, back))) if !self.is_late() => block = back,
                Err(_) => break,
            }
        }
        self.leave(packets);
    }

    /// Counts packets that nobody will look at.
    fn leave(&self, packets: u64) {
        self.counters.unread.fetch_add(packets, Ordering::Relaxed);
        let now = self.clock.now();
        self.losses.add(self.interface, self.stopped.unwrap_or(now), now, packets);
    }

    /// The run is to end, and what is left in the ring can no longer be looked at.
    fn is_late(&mut self) -> bool {
        if self.ending.abandoned.load(Ordering::Relaxed) {
            return true;
        }
        if !self.is_over() {
            return false;
        }
        let now = self.clock.now();
        now.since(*self.stopped.get_or_insert(now)) >= DRAIN
    }

    /// Lets nothing more into the ring and reads what is in it; counts what there is no time for.
    fn drain(mut self, mut capture: Capture<Active>, tally: &mut Tally) {
        let closed = self.clock.now();
        self.stopped.get_or_insert(closed);
        let _ = socket::close(&capture);
        capture = match capture.setnonblock() {
            Ok(capture) => capture,
            Err(_) => return,
        };
        loop {
            let (block, _) = self.take(&mut capture);
            let waited = self.clock.now().since(closed);
            if block.is_empty() {
                self.count(&mut capture, tally, closed);
                // A block of the ring that is not full is given out after its time.
                if tally.kept == self.number || waited >= SETTLED {
                    break;
                }
                thread::sleep(BREATH);
            } else if self.is_late() {
                self.leave(block.len() as u64);
            } else {
                self.deliver(block);
            }
            if waited >= LAST {
                break;
            }
        }
        self.count(&mut capture, tally, closed);
    }

    /// Reads the kernel's counters; `before` is when they were last read.
    fn count(&self, capture: &mut Capture<Active>, tally: &mut Tally, before: Timestamp) {
        let Ok(stats) = capture.stats() else { return };
        let received = tally.received.advance(stats.received);
        let full = tally.dropped.advance(stats.dropped);
        let dropped = full.saturating_add(tally.if_dropped.advance(stats.if_dropped));
        tally.kept = tally.kept.saturating_add(received).saturating_sub(full);
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
    /// Packets that the ring took.
    kept: u64,
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

/// How long what is left in the ring is read, once the run is to end.
const DRAIN: Duration = Duration::from_secs(2);
/// Beyond this the rest is not even counted one by one.
const LAST: Duration = Duration::from_millis(2600);
/// After this no packet comes out of the ring that was not in it: twice what the kernel keeps one, and what a busy machine adds.
const SETTLED: Duration = Duration::from_millis(300);
const BREATH: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::Wrapping;

    #[test]
    fn a_counter_that_wraps_goes_on() {
        let mut counter = Wrapping::default();
        assert_eq!([5, 5, u32::MAX, 3].map(|now| counter.advance(now)), [5, 0, u64::from(u32::MAX) - 5, 4]);
    }
}
