//! Condenses a capture: which of its frames mean something to handshakes that begin in a window of time, and what the others are to be
//! remembered for. One pass, no judging; memory is that of the tables, and of a second's packets.
//!
//! What is kept is what the tables look at: every packet of a connection from its first until it is settled or over, whether or not it turns out to
//! speak TLS. A flow belongs to the window in which its first packet lies; its packets are kept beyond the window's end, and reading goes on as
//! long as any such flow is unsettled. To keep more than is needed changes nothing: whoever reads the condensate does with each packet what would
//! have been done with it in the whole capture.
//!
//! Of the frames that are left out, those are marked at which something happens in the whole capture: the first in each step of packet time, at
//! which timers are looked at, and the last of each interface in each step, after which it may be silent.

mod kept;
mod shelf;
mod telling;

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::capture::{FrameSource, Inventory};
use crate::condensate::{Counted, Late, Place, Sum, Tail};
use crate::diagnosis::policy::Policy;
use crate::error::{Error, Result};
use crate::flow::FlowKey;
use crate::frame::{Block, Frame, FrameHead};
use crate::handshake::overhear;
use crate::limits;
use crate::packet::{self, Packet, Skip};
use crate::shard::Shard;
use crate::time::{Mark, Timestamp};
use crate::traffic::Volumes;

use super::ahead::Ahead;
use super::batch::{Routed, Taker};
use super::late::{LeftOut, Part};
use super::router::{Router, RouterCounts};
use super::secrets::Feed;
use super::worker::{Upto, Worker};
use shelf::Shelf;
use telling::Telling;

pub use kept::Kept;

/// A window of time: from its beginning on, up to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first moment that belongs to it.
    pub since: Timestamp,
    /// The first moment that does not belong to it any more.
    pub until: Timestamp,
}

impl Window {
    fn holds(&self, time: Timestamp) -> bool {
        self.since <= time && time < self.until
    }
}

/// How a window is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Division {
    /// Into so many shards, from 2 on.
    pub shards: u16,
    /// What only keys in the captures show does not go along.
    pub without_secrets: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Condensed {
    /// What is to be remembered of all frames within the window.
    pub tail: Tail,
    /// Frames of the window that were kept, each counted once, however many shards it is in.
    pub within: u64,
    /// Frames from behind the window that were kept, of what begins in it.
    pub behind: u64,
}

/// Condenses what a source gives. What is kept goes to `out`, with what the source has told so far and its part's place: that of the shard, behind
/// these the side table; 0 where nothing is divided. Gives what is to be remembered of all frames within the window; `file` in it is the place among
/// the source's inputs.
///
/// # Errors
/// When the capture cannot be read on, or `out` fails.
pub fn condense(
    source: &mut dyn FrameSource,
    window: Window,
    division: Option<Division>,
    stop: &AtomicBool,
    out: &mut dyn FnMut(&Inventory, usize, Kept<'_>) -> io::Result<()>,
) -> Result<Condensed> {
    let mut pass = Pass::new(window, division);
    let mut block = Block::default();
    let mut feed = Feed::default();
    while !stop.load(Ordering::Relaxed) && source.fill(&mut block)? {
        let inventory = source.inventory();
        pass.meet(inventory);
        if let Some(log) = feed.news(source) {
            pass.worker.add_secrets(&log);
        }
        let mut start = 0;
        while let Some(frame) = block.frame(start) {
            let kind = pass.kind(frame.head.time);
            let rest = (start..block.len()).filter_map(|place| block.frame(place));
            let len = rest.take_while(|frame| pass.kind(frame.head.time) == kind).count().max(1);
            let places = start..start.saturating_add(len);
            start = places.end;
            pass.take(&block, places, kind);
            pass.turn(inventory, false, out)?;
        }
        pass.conclude();
        if pass.is_settled() {
            break;
        }
    }
    pass.tell_late();
    pass.end(source.inventory());
    pass.turn(source.inventory(), true, out)?;
    let (within, behind) = (pass.kept_within, pass.kept_behind);
    Ok(Condensed { tail: pass.tail(source.inventory()), within, behind })
}

fn unwritten(source: io::Error) -> Error {
    Error::Write { what: "the condensate".to_owned(), source }
}

/// Where a frame lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// So long before the window that no connection of that time can be half open in it.
    Long,
    /// Before it.
    Before,
    Within,
    Behind,
}

/// What goes on during a pass.
struct Pass {
    window: Window,
    router: Router,
    worker: Worker,
    /// Of each part, as `out` of [`condense`] counts them.
    shelves: Vec<Shelf>,
    /// How many of those are of shards.
    shards: u16,
    /// What crosses shards, where the window is divided.
    telling: Option<Telling>,
    /// By input.
    inputs: Vec<InputCount>,
    /// By interface, the input.
    inputs_of: Vec<usize>,
    /// Comments on frames, and how many of the inventory's were taken.
    comments: BTreeMap<u64, Vec<String>>,
    comments_read: usize,
    /// By place in the block at hand.
    seen: Vec<Seen>,
    left_out: LeftOut,
    /// What was carried by frames that held no packet.
    unread: Volumes,
    /// The last frame.
    last: Option<(FrameHead, Place)>,
    /// The latest time, and when timers are looked at next.
    latest: Timestamp,
    tick: Timestamp,
    /// The second of packet time at which it was last asked whether all is settled.
    asked: i64,
    tail: Tail,
    /// Frames that were kept, of the window and from behind it.
    kept_within: u64,
    kept_behind: u64,
}

/// What is known of a frame.
#[derive(Debug, Clone, Copy)]
struct Seen {
    state: State,
    /// As what it is summed up; `None` where it holds no packet of a flow.
    part: Option<Part>,
    /// A flow begins with it.
    begins: bool,
    /// The shards that it is for; none where it is for all.
    shards: Option<[u16; 2]>,
}

impl Seen {
    const fn only(state: State) -> Self {
        Self { state, part: None, begins: false, shards: None }
    }
}

/// What a frame means to anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It held no packet of a flow, or a fragment of one.
    Unknown,
    Idle,
    Needed,
}

/// What was counted of an input.
#[derive(Debug, Clone, Copy)]
struct InputCount {
    /// All its frames so far.
    own: u64,
    /// The latest time of those.
    key: i64,
    /// Frames within the window, and their bytes.
    frames: u64,
    bytes: u64,
}

impl Pass {
    fn new(window: Window, division: Option<Division>) -> Self {
        let shards = division.map_or(1, |division| division.shards.max(1));
        let parts = usize::from(shards).saturating_add(usize::from(division.is_some()));
        Self {
            window,
            router: Router::new(false),
            worker: Worker::new(0, 1, &Policy::default(), false, None),
            shelves: (0..parts).map(|_| Shelf::default()).collect(),
            shards,
            telling: division.map(|Division { shards, without_secrets }| Telling::new(shards, without_secrets)),
            inputs: Vec::new(),
            inputs_of: Vec::new(),
            comments: BTreeMap::new(),
            comments_read: 0,
            seen: Vec::new(),
            left_out: LeftOut::default(),
            unread: Volumes::new(),
            last: None,
            latest: Timestamp::MIN,
            tick: Timestamp::MIN,
            asked: i64::MIN,
            tail: Tail::default(),
            kept_within: 0,
            kept_behind: 0,
        }
    }

    /// Takes note of inputs, interfaces and comments that are new.
    fn meet(&mut self, inventory: &Inventory) {
        let fresh = InputCount { own: 0, key: i64::MIN, frames: 0, bytes: 0 };
        self.inputs.resize(inventory.inputs.len().max(self.inputs.len()), fresh);
        self.inputs_of.extend(inventory.interfaces.iter().skip(self.inputs_of.len()).map(|interface| interface.input));
        self.comments.clear();
        for (frame, text) in inventory.comments.iter().skip(self.comments_read) {
            if let Some(frame) = frame {
                self.comments.entry(*frame).or_default().push(text.clone());
            }
        }
        self.comments_read = inventory.comments.len();
    }

    fn kind(&self, time: Timestamp) -> Kind {
        if time >= self.window.until {
            Kind::Behind
        } else if time >= self.window.since {
            Kind::Within
        } else if time >= self.window.since.before(LEAD) {
            Kind::Before
        } else {
            Kind::Long
        }
    }

    /// Takes frames of one kind that follow each other.
    fn take(&mut self, block: &Block, places: Range<usize>, kind: Kind) {
        let before = (kind == Kind::Within).then(|| (self.router.counts().clone(), self.worker.counters().google_quic));
        self.seen.clear();
        self.seen.resize(places.len(), Seen::only(State::Unknown));
        if kind != Kind::Long {
            let Self { router, worker, seen, window, shards, .. } = self;
            let mut looking = Looking { worker, seen, window, shards: *shards, start: places.start, within: kind == Kind::Within };
            router.route_part(block, places.clone(), &mut looking);
        }
        self.conclude();
        let mut joined = self.router.joined().into_iter().peekable();
        for at in 0..places.len() {
            let Some(frame) = block.frame(places.start.saturating_add(at)) else { break };
            let seen = self.seen.get(at).copied().unwrap_or(Seen::only(State::Idle));
            self.keep(&frame, seen, kind);
            while let Some(join) = joined.next_if(|join| join.frame <= frame.head.number) {
                self.shelves.iter_mut().for_each(|shelf| shelf.join(join));
            }
            self.tell(frame.head.number);
        }
        if let Some((counts, google_quic)) = before {
            self.count(&counts, google_quic);
        }
    }

    /// Keeps a frame, or marks it, or leaves it out.
    fn keep(&mut self, frame: &Frame<'_>, seen: Seen, kind: Kind) {
        let head = frame.head;
        if self.last.is_some_and(|(last, _)| last.time.seconds() != head.time.seconds()) || self.left_out.brims() {
            self.tell_late();
        }
        let Some(input) = self.inputs_of.get(head.interface as usize).and_then(|input| self.inputs.get_mut(*input)) else { return };
        input.own = input.own.saturating_add(1);
        input.key = input.key.max(head.time.nanos());
        let place = Place { own: input.own, key: input.key };
        let mut first_of_step = false;
        if kind == Kind::Within {
            input.frames = input.frames.saturating_add(1);
            input.bytes = input.bytes.saturating_add(frame.bytes.len() as u64);
            first_of_step = self.pass_time(head.time);
            let (first, last) = self.tail.times.get_or_insert_with(|| (head.time.nanos(), head.time.nanos()));
            *last = head.time.nanos().max(*last).max(*first);
        }
        let needed = match seen.state {
            State::Needed => true,
            State::Idle => false,
            // Fragments go along whatever they carry: it shows too late, in the last of them.
            State::Unknown => matches!(kind, Kind::Within | Kind::Behind) && is_fragment(frame),
        };
        if let Some(part) = &seen.part {
            match (needed, kind) {
                (true, Kind::Within) if seen.begins => self.tell_late_of(&part.key),
                (true, Kind::Within) => {}
                (true, _) => self.left_out.take_off(part),
                (false, Kind::Within) => self.left_out.add(part),
                (false, _) => {}
            }
        }
        self.last = Some((head, place));
        match kind {
            Kind::Within => self.kept_within = self.kept_within.saturating_add(u64::from(needed)),
            _ => self.kept_behind = self.kept_behind.saturating_add(u64::from(needed)),
        }
        let comments = if needed { self.comments.remove(&head.number).unwrap_or_default() } else { Vec::new() };
        for (number, shelf) in (1..=self.shards).zip(&mut self.shelves) {
            if needed && seen.shards.is_none_or(|shards| shards.contains(&number)) {
                shelf.packet(frame, place, comments.clone());
            } else if kind == Kind::Within {
                shelf.leave_out(head, place, first_of_step);
            }
        }
    }

    /// Takes note of what was concluded.
    fn conclude(&mut self) {
        let mut concluded = self.worker.drain().handshakes;
        if let Some(telling) = &mut self.telling {
            let window = self.window;
            concluded.retain(|handshake| window.holds(handshake.flow.first.time));
            telling.take(concluded);
        }
    }

    /// Tells what was over at a frame before this one or at it.
    fn tell(&mut self, upto: u64) {
        let Some((telling, (last, side))) = self.telling.as_mut().zip(self.last.zip(self.shelves.last_mut())) else { return };
        while let Some((interface, told)) = telling.next(upto) {
            side.tell(last, interface, told);
        }
    }

    /// The captures are over, or nothing of the window is open any more.
    fn end(&mut self, inventory: &Inventory) {
        if self.telling.is_none() {
            return;
        }
        let Self { router, worker, .. } = self;
        let end = router.end(inventory, worker);
        worker.end(end);
        while worker.end_more(end) < Upto::ALL {}
        self.conclude();
        self.tell(u64::MAX);
    }

    /// Gives what lies on the shelves, as far as it is time.
    fn turn(&mut self, inventory: &Inventory, all: bool, out: &mut dyn FnMut(&Inventory, usize, Kept<'_>) -> io::Result<()>) -> Result<()> {
        for (part, shelf) in self.shelves.iter_mut().enumerate() {
            shelf.turn(inventory, all, &mut |inventory, kept| out(inventory, part, kept)).map_err(unwritten)?;
        }
        Ok(())
    }

    /// Tells what was left out, behind the last frame.
    fn tell_late(&mut self) {
        if let Some(last) = self.last {
            let late = self.left_out.turn();
            self.put_late(last, late);
        }
    }

    /// The same of one flow.
    fn tell_late_of(&mut self, key: &FlowKey) {
        if let Some(last) = self.last {
            let late = self.left_out.turn_one(key);
            self.put_late(last, late);
        }
    }

    fn put_late(&mut self, last: (FrameHead, Place), late: Vec<Late>) {
        if let (1, Some(shelf)) = (self.shards, self.shelves.first_mut()) {
            return shelf.late(last, late);
        }
        for (number, shelf) in (1..=self.shards).zip(&mut self.shelves) {
            shelf.late(last, late.iter().copied().filter(|late| Shard::of_flow(&late.key, self.shards) == number).collect());
        }
    }

    /// Whether timers are looked at when this frame comes.
    fn pass_time(&mut self, time: Timestamp) -> bool {
        if self.latest > time.after(crate::watch::GAP) {
            (self.latest, self.tick) = (time, time);
        }
        self.latest = self.latest.max(time);
        let due = self.latest >= self.tick;
        if due {
            self.tick = self.latest.next_step(limits::STEP);
            self.shelves.iter_mut().for_each(Shelf::step);
        }
        due
    }

    /// Adds what the router counted since.
    fn count(&mut self, before: &RouterCounts, google_quic: u64) {
        let now = self.router.counts();
        let add = |sum: &mut u64, now: u64, before: u64| *sum = sum.saturating_add(now.saturating_sub(before));
        add(&mut self.tail.decoded, now.decoded, before.decoded);
        for reason in Skip::ALL {
            let more = now.skipped(reason).saturating_sub(before.skipped(reason));
            if more > 0 {
                add(self.tail.skipped.entry(reason.name().to_owned()).or_default(), more, 0);
            }
        }
        for (link, frames) in &now.unknown_links {
            let known = before.unknown_links.get(link).copied().unwrap_or_default();
            if *frames > known {
                add(self.tail.links.entry(*link).or_default(), *frames, known);
            }
        }
        let [mut was, mut is] = [Volumes::new(), Volumes::new()];
        before.unread.add_to(&mut was);
        now.unread.add_to(&mut is);
        for (kind, volume) in is {
            let sum = self.unread.entry(kind).or_default();
            *sum = sum.plus(volume.minus(was.get(&kind).copied().unwrap_or_default()));
        }
        add(&mut self.tail.google_quic, self.worker.counters().google_quic, google_quic);
    }

    /// Behind the window, and nothing that began in it is under way any more.
    fn is_settled(&mut self) -> bool {
        let now = self.router.counts().last.time;
        if self.window.until == Timestamp::MAX || now < self.window.until || now.seconds() == self.asked {
            return false;
        }
        self.asked = now.seconds();
        let window = self.window;
        !self.worker.follows(|first| window.holds(first.time))
    }

    fn tail(mut self, inventory: &Inventory) -> Tail {
        for (place, (count, input)) in self.inputs.iter().zip(&inventory.inputs).enumerate() {
            self.tail.files.push(Counted {
                file: u32::try_from(place).unwrap_or(u32::MAX),
                format: input.format.clone(),
                frames: count.frames,
                bytes: count.bytes,
                times: input.first.zip(input.last).map(|(first, last)| (first.nanos(), last.nanos())),
                odd: input.first_odd_time.map(|odd| (input.odd_times, odd.frame, odd.time.nanos())),
                damage: input.damage.clone(),
            });
        }
        self.left_out.passed.add_to(&mut self.unread);
        self.tail.traffic = Sum::of(&self.unread);
        self.tail.quiet_until = inventory.quiet_until.map(Timestamp::nanos);
        self.tail
    }
}

/// Takes frames of one kind in, and notes of each what it is.
struct Looking<'p> {
    worker: &'p mut Worker,
    /// By place behind the first.
    seen: &'p mut [Seen],
    start: usize,
    window: &'p Window,
    shards: u16,
    within: bool,
}

impl Taker for Looking<'_> {
    fn take(&mut self, routed: Routed<'_>) {
        let Self { worker, seen, start, window, shards, within } = self;
        let Routed::Packet { place: Some(place), packet, .. } = routed else {
            let _ = worker.take_for(routed);
            return;
        };
        let ends = *within && worker.ends_settled(routed);
        // What the DNS says of servers bears on all of them.
        let heard = *within && overhear::is_heard(packet);
        let followed = worker.knows(routed);
        let firsts = worker.take_for(routed);
        let own = ends || heard || firsts.into_iter().flatten().any(|first: Mark| window.holds(first.time));
        if let Some(seen) = (place as usize).checked_sub(*start).and_then(|at| seen.get_mut(at)) {
            let [was, is] = firsts;
            seen.state = if own { State::Needed } else { State::Idle };
            seen.begins = begins(was, is);
            seen.shards = if own && !heard && *shards > 1 { packet.key().map(|key| Shard::holding(key, *shards)) } else { None };
            seen.part = if own != *within || own && seen.begins { Part::of(packet, followed) } else { None };
        }
    }

    fn coming(&mut self, ahead: &Ahead<'_>) {
        self.worker.coming(ahead);
    }
}

/// Whether a flow begins with a packet, by the first packet of the flow before it and behind it.
fn begins(was: Option<Mark>, is: Option<Mark>) -> bool {
    is.is_some() && is != was
}

/// Whether a frame holds a fragment of an IP packet.
fn is_fragment(frame: &Frame<'_>) -> bool {
    let mut packet = Packet::nothing();
    let _ = packet::read(frame, &mut packet);
    matches!(packet, Packet::Skipped(Skip::Fragment))
}

/// A connection that is half open is so for no longer: what began before that is known to have begun before the window.
const LEAD: Duration = limits::HALF_OPEN_IDLE;
