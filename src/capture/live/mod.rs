//! Live interfaces, through libpcap: a ring shared with the kernel (`TPACKET_V3` on Linux), one thread for each interface or more.
//!
//! The threads hand blocks of packets to the pipeline over a bounded channel. When the pipeline falls behind they wait; what comes meanwhile
//! stays in the ring, and what finds the ring full is counted by the kernel. So there is one number for what was lost, and it is the kernel's.
//!
//! Immediate mode is never asked for: with it libpcap falls back to `TPACKET_V2`, which costs a system call and several microseconds a packet.

mod feed;
mod interfaces;
mod order;
mod socket;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use pcap::{Active, Capture, Precision};

use self::feed::{Breaker, Ending, Feed, FeedCounters, Line};
use self::order::Order;
use super::{FrameSource, Input, Interface, Inventory, Losses};
use crate::count::Count;
use crate::error::{Error, Result};
use crate::frame::Block;
use crate::limits;
use crate::site::Site;
use crate::time::Clock;

pub use interfaces::{InterfaceInfo, interfaces};

/// What is captured when nothing else is asked for: everything that a verdict may need (TCP, UDP, ICMP, fragments, tags and tunnels), without
/// the commonest traffic that never carries TLS.
pub const DEFAULT_FILTER: &str = "not (arp or (udp and (port 53 or port 67 or port 68 or port 123 or port 5353)))";

/// How to capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOptions {
    /// Interfaces by name, or `any`.
    pub interfaces: Vec<String>,
    /// A capture filter instead of [`DEFAULT_FILTER`].
    pub filter: Option<String>,
    /// Bytes taken of each packet.
    pub snaplen: u32,
    /// Bytes of each ring: 1 MiB to 2 GiB.
    pub buffer: usize,
    /// Take packets that are not for this machine, too.
    pub promiscuous: bool,
    /// Threads for each interface.
    pub threads: usize,
    /// The address space that they belong to.
    pub site: Site,
    /// Packets are wanted at once, though that wakes the program more often: somebody looks what they came from, which is there for a moment only.
    pub prompt: bool,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            filter: None,
            snaplen: 262_144,
            buffer: 64 << 20,
            promiscuous: false,
            threads: 1,
            site: Site::NONE,
            prompt: false,
        }
    }
}

/// Interfaces that are open and do not yet run: what needs privileges is done.
pub struct Opened {
    options: LiveOptions,
    feeds: Vec<(Capture<Active>, usize, Option<u16>)>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("options", &self.options).field("feeds", &self.feeds.len()).finish()
    }
}

/// What a live capture is doing, readable while it runs.
#[derive(Debug, Clone)]
pub struct LiveStatus {
    names: Vec<String>,
    /// Those of which the system tells whether they are up.
    told: Vec<bool>,
    /// By feed: the interface's place, and its counters.
    feeds: Vec<(usize, Arc<FeedCounters>)>,
}

/// One interface of a [`LiveStatus`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InterfaceStatus {
    /// Its name.
    pub name: String,
    /// Packets delivered to the pipeline.
    pub frames: Count,
    /// Bytes of those, as captured.
    pub bytes: Count,
    /// Packets that passed the kernel's filter.
    pub received: Count,
    /// Of those, dropped for want of room.
    pub dropped: Count,
    /// Packets that were captured and not looked at, because the run was to end.
    pub unread: Count,
    /// It is down or was removed, and is waited for.
    pub down: bool,
}

impl LiveStatus {
    /// Packets of a feed were given to the pipeline.
    fn given(&self, feed: usize, packets: u64, bytes: u64) {
        if let Some((_, counters)) = self.feeds.get(feed) {
            counters.frames.fetch_add(packets, Ordering::Relaxed);
            counters.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Packets of a feed will not be looked at.
    fn left(&self, feed: usize, packets: u64) {
        if let Some((_, counters)) = self.feeds.get(feed) {
            counters.unread.fetch_add(packets, Ordering::Relaxed);
        }
    }

    /// The interfaces in the order given.
    pub fn interfaces(&self) -> Vec<InterfaceStatus> {
        let mut out: Vec<InterfaceStatus> =
            self.names.iter().map(|name| InterfaceStatus { name: name.clone(), ..Default::default() }).collect();
        for (place, counters) in &self.feeds {
            let Some(status) = out.get_mut(*place) else { continue };
            status.frames += counters.frames.load(Ordering::Relaxed);
            status.bytes += counters.bytes.load(Ordering::Relaxed);
            status.received += counters.received.load(Ordering::Relaxed);
            status.dropped += counters.dropped.load(Ordering::Relaxed);
            status.unread += counters.unread.load(Ordering::Relaxed);
            status.down |= counters.down.load(Ordering::Relaxed);
        }
        for (status, told) in out.iter_mut().zip(&self.told) {
            // libpcap says nothing of an interface that is only taken down.
            status.down |= *told && interfaces::is_up(&status.name) != Some(true);
        }
        out
    }
}

/// Opens the interfaces: the part that needs privileges. No thread is started.
pub fn open_live(options: &LiveOptions) -> Result<Opened> {
    let mut feeds = Vec::new();
    for (place, name) in options.interfaces.iter().enumerate() {
        let group = (options.threads > 1).then(|| group(place));
        for _ in 0..options.threads.max(1) {
            feeds.push((open_one(name, options, group)?, place, group));
        }
    }
    Ok(Opened { options: options.clone(), feeds })
}

impl Opened {
    /// Starts to capture. Once `stop` is set nothing more is taken from the network, and the source ends when what the kernel holds was read, or
    /// some seconds later; once `hurry` is set it ends at once. What was captured and not read is counted.
    pub fn start(self, clock: &Clock, stop: Arc<AtomicBool>, hurry: Arc<AtomicBool>) -> (Box<dyn FrameSource>, LiveStatus) {
        let Self { options, feeds } = self;
        let (out, batches) = bounded(limits::LIVE_BATCHES);
        let (spare, recycled) = bounded(limits::LIVE_BATCHES * 2);
        let ending = Ending { stop, abandoned: Arc::default() };
        let order = (feeds.len() > 1).then(|| Order::new(feeds.len()));
        let mut inventory = Inventory::default();
        let told = options.interfaces.iter().map(|name| interfaces::is_up(name).is_some()).collect();
        let mut status = LiveStatus { names: options.interfaces.clone(), told, feeds: Vec::new() };
        let losses = Losses::default();
        let mut breakers = Vec::new();
        let mut threads = Vec::new();
        for (index, (mut capture, place, group)) in feeds.into_iter().enumerate() {
            let name = options.interfaces.get(place).cloned().unwrap_or_default();
            let link = feed::link_of(&capture);
            if inventory.interfaces.len() <= place {
                inventory.inputs.push(Input::new(PathBuf::from(&name), "live".to_owned()));
                inventory.interfaces.push(Interface {
                    input: place,
                    name: name.clone(),
                    description: None,
                    filter: Some(options.filter.clone().unwrap_or_else(|| DEFAULT_FILTER.to_owned())),
                    link,
                    snaplen: options.snaplen,
                    received: Some(Count::ZERO),
                    dropped: Some(Count::ZERO),
                });
            }
            let counters = Arc::new(FeedCounters::default());
            status.feeds.push((place, Arc::clone(&counters)));
            let breaker: Breaker = Arc::new(Mutex::new(Some(capture.breakloop_handle())));
            breakers.push(Arc::clone(&breaker));
            let line = Line {
                index,
                interface: u32::try_from(place).unwrap_or(u32::MAX),
                site: options.site,
                link,
                number: 0,
                counters,
                losses: losses.clone(),
                ending: ending.clone(),
                stopped: None,
                out: out.clone(),
                recycled: recycled.clone(),
                clock: clock.clone(),
            };
            let feed = Feed { capture, name, options: options.clone(), group, breaker, line };
            threads.push(thread::spawn(move || feed.run()));
        }
        let (status_here, clock) = (status.clone(), clock.clone());
        let live = Live { batches, spare, ending, hurry, breakers, threads, order, inventory, losses, status: status_here, clock };
        (Box::new(live), status)
    }
}

/// Interfaces that are captured on.
struct Live {
    batches: Receiver<(usize, Block)>,
    spare: Sender<Block>,
    ending: Ending,
    hurry: Arc<AtomicBool>,
    /// Emptied when the waits are over.
    breakers: Vec<Breaker>,
    threads: Vec<JoinHandle<()>>,
    /// Present when there is more than one feed.
    order: Option<Order>,
    inventory: Inventory,
    losses: Losses,
    status: LiveStatus,
    clock: Clock,
}

impl Live {
    /// Replaces the block by one out of the channel. False when all feeds have ended.
    fn pass(&self, block: &mut Block) -> bool {
        match self.batches.recv_timeout(WAIT) {
            Ok((feed, filled)) => {
                self.status.given(feed, filled.len() as u64, filled.byte_len() as u64);
                let _ = self.spare.try_send(std::mem::replace(block, filled));
                true
            }
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }

    fn update(&mut self) {
        let interfaces = self.status.interfaces();
        for (status, (input, interface)) in interfaces.iter().zip(self.inventory.inputs.iter_mut().zip(&mut self.inventory.interfaces)) {
            (input.frames, input.bytes) = (status.frames.get(), status.bytes.get());
            (interface.received, interface.dropped) = (Some(status.received), Some(status.dropped));
        }
        self.inventory.unread = interfaces.iter().map(|status| status.unread).sum::<Count>().get();
    }

    /// Wakes the threads that wait for packets.
    fn wake(&mut self) {
        for breaker in self.breakers.drain(..) {
            if let Some(breaker) = &*breaker.lock().unwrap_or_else(PoisonError::into_inner) {
                breaker.breakloop();
            }
        }
    }

    /// Fills the block with what is due of several feeds. False when all have ended.
    fn merge(&mut self, block: &mut Block) -> bool {
        let (Some(order), spare) = (&mut self.order, &self.spare) else { return false };
        let mut ended = false;
        if order.is_empty() || self.batches.is_empty() {
            match self.batches.recv_timeout(if order.is_empty() { WAIT } else { SHORT_WAIT }) {
                Ok((feed, filled)) => order.take(feed, filled),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => ended = true,
            }
        }
        while let Ok((feed, filled)) = self.batches.try_recv() {
            order.take(feed, filled);
        }
        order.fill(block, (!ended).then(|| self.clock.now()), |block| drop(spare.try_send(block)));
        for (feed, packets, bytes) in order.given() {
            self.status.given(feed, packets, bytes);
        }
        !(ended && block.is_empty())
    }

    /// Ends the threads, and counts what they have given and nobody took.
    fn abandon(&mut self) {
        self.ending.abandoned.store(true, Ordering::Relaxed);
        self.wake();
        while let Ok((feed, block)) = self.batches.recv_timeout(LONG_WAIT) {
            self.status.left(feed, block.len() as u64);
        }
        for (feed, packets) in self.order.iter_mut().flat_map(Order::give_up) {
            self.status.left(feed, packets);
        }
    }
}

impl FrameSource for Live {
    /// Waits for packets, not for long: an empty block says that none came.
    fn fill(&mut self, block: &mut Block) -> Result<bool> {
        block.clear();
        if self.ending.stop.load(Ordering::Relaxed) {
            self.wake();
        }
        if self.hurry.load(Ordering::Relaxed) {
            self.abandon();
            self.update();
            return Ok(false);
        }
        let more = if self.order.is_some() { self.merge(block) } else { self.pass(block) };
        self.update();
        Ok(more)
    }

    fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    fn losses(&self) -> Option<&Losses> {
        Some(&self.losses)
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.inventory.inputs.iter().map(|input| input.bytes).sum::<Count>().get(), None)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.ending.abandoned.store(true, Ordering::Relaxed);
        self.wake();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Opens one capture and, where several share the interface, lets it join their group.
fn open_one(name: &str, options: &LiveOptions, group: Option<u16>) -> Result<Capture<Active>> {
    let fail = |error: pcap::Error| {
        let why = reason(error);
        let denied = ["permission", "not permitted", "Permission"].iter().any(|word| why.contains(word));
        if denied { Error::Permission { name: name.to_owned() } } else { Error::Interface { name: name.to_owned(), why: advised(&why) } }
    };
    let buffer = i32::try_from(options.buffer).unwrap_or(i32::MAX);
    let mut capture = Capture::from_device(name)
        .and_then(|inactive| {
            inactive
                .snaplen(i32::try_from(options.snaplen).unwrap_or(i32::MAX))
                .buffer_size(buffer)
                .promisc(options.promiscuous && name != "any")
                .timeout(if options.prompt { PROMPT_MS } else { TIMEOUT_MS })
                .immediate_mode(false)
                .precision(Precision::Nano)
                .open()
        })
        .map_err(fail)?;
    let filter = options.filter.as_deref().unwrap_or(DEFAULT_FILTER);
    if let Err(error) = capture.filter(filter, true)
        && let Some(filter) = &options.filter
    {
        return Err(Error::Filter { filter: filter.clone(), why: reason(error) });
    }
    if let Some(group) = group {
        socket::join(&capture, group)
            .map_err(|error| Error::Interface { name: name.to_owned(), why: format!("--capture-threads: {error}") })?;
    }
    Ok(capture)
}

/// libpcap's words.
fn reason(error: pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(why) => why,
        other => other.to_string(),
    }
}

fn advised(why: &str) -> String {
    if why.contains("No such device") || why.contains("doesn't exist") || why.contains("SIOCGIFHWADDR") {
        "there is no such interface (`handshark interfaces` lists them)".to_owned()
    } else {
        why.to_owned()
    }
}

/// A number for a group of sockets that no other process is likely to use.
fn group(place: usize) -> u16 {
    let process = std::process::id();
    u16::try_from((process ^ (process >> 16)) & 0xffff).unwrap_or_default().wrapping_add(u16::try_from(place).unwrap_or_default())
}

/// How long the kernel may keep a packet to give it out with others.
const TIMEOUT_MS: i32 = 100;
/// The same where packets are wanted at once.
const PROMPT_MS: i32 = 1;

/// How long the pipeline waits for packets before it looks at the clock.
const WAIT: Duration = Duration::from_millis(100);

/// How long it waits for threads that are to end.
const LONG_WAIT: Duration = Duration::from_millis(500);

/// The same while packets are held back.
const SHORT_WAIT: Duration = Duration::from_millis(20);
