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

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::capture::{FrameSource, Inventory};
use crate::condensate::{Counted, LINKED, Place, Tail};
use crate::diagnosis::policy::Policy;
use crate::error::{Error, Result};
use crate::frame::{Block, Frame, FrameHead};
use crate::limits;
use crate::packet::{self, Packet, Skip};
use crate::time::{Mark, Timestamp};

use super::batch::Routed;
use super::router::{Router, RouterCounts};
use super::secrets::Feed;
use super::sources::Joined;
use super::worker::Worker;

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

/// What is kept, in the order of the capture.
#[derive(Debug, Clone, Copy)]
pub enum Kept<'a> {
    /// A packet, with what had been remarked on it.
    Packet {
        /// Its frame.
        frame: Frame<'a>,
        /// Where it stands in its file.
        place: Place,
        /// Comments.
        comments: &'a [String],
    },
    /// A frame that is left out, of which only the time counts.
    Mark {
        /// What is known of it.
        head: FrameHead,
        /// Where it stands in its file.
        place: Place,
        /// The interface that this one was found to continue, plus 1, with [`LINKED`]; 0 for none.
        joins: u32,
    },
}

/// Condenses what a source gives. What is kept goes to `out`, with what the source has told so far. Gives what is to be remembered of all frames
/// within the window; `file` in it is the place among the source's inputs.
///
/// # Errors
/// When the capture cannot be read on, or `out` fails.
pub fn condense(
    source: &mut dyn FrameSource,
    window: Window,
    stop: &AtomicBool,
    out: &mut dyn FnMut(&Inventory, Kept<'_>) -> io::Result<()>,
) -> Result<Tail> {
    let mut pass = Pass::new(window);
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
            pass.shelf.turn(inventory, false, out).map_err(unwritten)?;
        }
        let _ = pass.worker.drain();
        if pass.is_settled() {
            break;
        }
    }
    pass.shelf.turn(source.inventory(), true, out).map_err(unwritten)?;
    Ok(pass.tail(source.inventory()))
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
    shelf: Shelf,
    /// By input.
    inputs: Vec<InputCount>,
    /// By interface, the input.
    inputs_of: Vec<usize>,
    /// Comments on frames, and how many of the inventory's were taken.
    comments: BTreeMap<u64, Vec<String>>,
    comments_read: usize,
    /// By place in the block at hand.
    states: Vec<State>,
    /// The latest time, and when timers are looked at next.
    latest: Timestamp,
    tick: Timestamp,
    /// The second of packet time at which it was last asked whether all is settled.
    asked: i64,
    tail: Tail,
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
    fn new(window: Window) -> Self {
        Self {
            window,
            router: Router::new(false),
            worker: Worker::new(0, 1, &Policy::default(), false),
            shelf: Shelf::default(),
            inputs: Vec::new(),
            inputs_of: Vec::new(),
            comments: BTreeMap::new(),
            comments_read: 0,
            states: Vec::new(),
            latest: Timestamp::MIN,
            tick: Timestamp::MIN,
            asked: i64::MIN,
            tail: Tail::default(),
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
        self.states.clear();
        self.states.resize(places.len(), State::Unknown);
        if kind != Kind::Long {
            let Self { router, worker, states, window, .. } = self;
            router.route_part(block, places.clone(), |routed| {
                let Routed::Packet { place: Some(place), .. } = routed else {
                    let _ = worker.take_for(routed);
                    return;
                };
                let ends = kind == Kind::Within && worker.ends_settled(routed);
                let firsts = worker.take_for(routed);
                let own = ends || firsts.into_iter().flatten().any(|first: Mark| window.holds(first.time));
                if let Some(state) = (place as usize).checked_sub(places.start).and_then(|at| states.get_mut(at)) {
                    *state = if own { State::Needed } else { State::Idle };
                }
            });
        }
        let mut joined = self.router.joined().into_iter().peekable();
        for at in 0..places.len() {
            let Some(frame) = block.frame(places.start.saturating_add(at)) else { break };
            let state = self.states.get(at).copied().unwrap_or(State::Idle);
            self.keep(&frame, state, kind);
            while let Some(join) = joined.next_if(|join| join.frame <= frame.head.number) {
                self.shelf.join(join);
            }
        }
        if let Some((counts, google_quic)) = before {
            self.count(&counts, google_quic);
        }
    }

    /// Keeps a frame, or marks it, or leaves it out.
    fn keep(&mut self, frame: &Frame<'_>, state: State, kind: Kind) {
        let head = frame.head;
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
        let needed = match state {
            State::Needed => true,
            State::Idle => false,
            // Fragments go along whatever they carry: it shows too late, in the last of them.
            State::Unknown => matches!(kind, Kind::Within | Kind::Behind) && is_fragment(frame),
        };
        if needed {
            let comments = self.comments.remove(&head.number).unwrap_or_default();
            self.shelf.packet(frame, place, comments);
        } else if kind == Kind::Within {
            self.shelf.leave_out(head, place, first_of_step);
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
            self.shelf.step();
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
        self.tail.quiet_until = inventory.quiet_until.map(Timestamp::nanos);
        self.tail
    }
}

/// Whether a frame holds a fragment of an IP packet.
fn is_fragment(frame: &Frame<'_>) -> bool {
    let mut packet = Packet::nothing();
    let _ = packet::read(frame, &mut packet);
    matches!(packet, Packet::Skipped(Skip::Fragment))
}

/// What is kept of the step of packet time at hand, until it is known which of the frames left out are the last of their interfaces.
#[derive(Debug, Default)]
struct Shelf {
    items: Vec<Item>,
    bytes: Vec<u8>,
    /// By interface, the last frame left out since the last that was not, and how many items came before it.
    last: Vec<Option<(usize, FrameHead, Place)>>,
    /// By interface, its latest frame of all.
    latest: Vec<Option<(FrameHead, Place)>>,
    /// Items before this one belong to steps that are over.
    over: bool,
}

#[derive(Debug)]
enum Item {
    Packet { head: FrameHead, place: Place, range: Range<usize>, comments: Vec<String> },
    Mark { head: FrameHead, place: Place, joins: u32 },
}

impl Shelf {
    fn packet(&mut self, frame: &Frame<'_>, place: Place, comments: Vec<String>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(frame.bytes);
        self.items.push(Item::Packet { head: frame.head, place, range: start..self.bytes.len(), comments });
        self.note(frame.head, place);
        if let Some(last) = self.last.get_mut(frame.head.interface as usize) {
            *last = None;
        }
    }

    fn leave_out(&mut self, head: FrameHead, place: Place, marked: bool) {
        self.note(head, place);
        let before = self.items.len();
        if marked {
            self.items.push(Item::Mark { head, place, joins: 0 });
        }
        if let Some(last) = self.last.get_mut(head.interface as usize) {
            *last = (!marked).then_some((before, head, place));
        }
    }

    fn note(&mut self, head: FrameHead, place: Place) {
        let interface = head.interface as usize;
        if self.latest.len() <= interface {
            self.latest.resize(interface.saturating_add(1), None);
            self.last.resize(interface.saturating_add(1), None);
        }
        if let Some(latest) = self.latest.get_mut(interface) {
            *latest = Some((head, place));
        }
    }

    /// An interface was found to continue another, by a frame that has just passed.
    fn join(&mut self, Joined { before, interface, connection, .. }: Joined) {
        if let Some(Some((head, place))) = self.latest.get(interface as usize) {
            let joins = before.saturating_add(1) | if connection { LINKED } else { 0 };
            self.items.push(Item::Mark { head: *head, place: *place, joins });
        }
    }

    /// A step of packet time begins.
    fn step(&mut self) {
        self.mark_last();
        self.over = true;
    }

    /// Marks the last frame of each interface that was left out since one that was not.
    fn mark_last(&mut self) {
        let mut marks: Vec<(usize, FrameHead, Place)> = self.last.iter_mut().filter_map(Option::take).collect();
        // From behind, so that the places of those before stay right.
        marks.sort_by_key(|(before, head, _)| (*before, head.number));
        for (before, head, place) in marks.into_iter().rev() {
            self.items.insert(before.min(self.items.len()), Item::Mark { head, place, joins: 0 });
        }
    }

    /// Gives what lies on the shelf, if it is full or a step is over.
    fn turn(&mut self, inventory: &Inventory, all: bool, out: &mut dyn FnMut(&Inventory, Kept<'_>) -> io::Result<()>) -> io::Result<()> {
        if !(all || self.over || self.bytes.len() > ROOM || self.items.len() > ITEMS) {
            return Ok(());
        }
        self.mark_last();
        self.over = false;
        for item in self.items.drain(..) {
            let kept = match &item {
                Item::Packet { head, place, range, comments } => {
                    let bytes = self.bytes.get(range.clone()).unwrap_or_default();
                    Kept::Packet { frame: Frame { head: *head, bytes }, place: *place, comments }
                }
                Item::Mark { head, place, joins } => Kept::Mark { head: *head, place: *place, joins: *joins },
            };
            out(inventory, kept)?;
        }
        self.bytes.clear();
        Ok(())
    }
}

/// A connection that is half open is so for no longer: what began before that is known to have begun before the window.
const LEAD: Duration = limits::HALF_OPEN_IDLE;
/// Bytes and items on the shelf, beyond which it is cleared within a step.
const ROOM: usize = 8 << 20;
const ITEMS: usize = 1 << 16;
