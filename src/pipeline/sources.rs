//! Listens to the sources of a capture: when each was heard, which of them are one, and where none was.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::FixedState;

use crate::capture::Inventory;
use crate::limits;
use crate::site::Site;
use crate::time::{Mark, Timestamp};
use crate::watch::{GAP, Watch};

/// The sources of a capture that is read from files.
#[derive(Debug)]
pub(super) struct Sources {
    watch: Watch,
    /// By source; those joined with one of a lower number are not used any more.
    heard: Vec<Heard>,
    /// Flows seen lately.
    lately: Lately,
    /// Connections that began lately.
    begun: Lately,
    /// Interfaces whose first frames are compared with what others saw.
    young: usize,
    /// Steps of packet time so far.
    steps: u64,
    /// The frame at hand is among the first of its interface in this step.
    early: bool,
    /// The last frame of all, and the times in which nothing at all was captured.
    last: Mark,
    silent: Vec<(Timestamp, Timestamp)>,
    silent_more: u64,
    /// Interfaces of different inputs that saw the same connections begin.
    met: Vec<(u32, u32)>,
    /// Interfaces that were joined, not yet asked for.
    joined: Vec<Joined>,
    changed: bool,
}

/// An interface was found to go on where another left off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Joined {
    /// The frame that showed it.
    pub(super) frame: u64,
    /// The interface that was heard before.
    pub(super) before: u32,
    pub(super) interface: u32,
    /// It was a connection that goes on, and not only the same stations.
    pub(super) connection: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    /// Its last frame; number 0 before the first.
    last: Mark,
    /// It fell silent.
    lapsed: bool,
    /// It was joined with another.
    joined: bool,
    /// Frames until it is no longer young.
    youth: u32,
    /// The step of its last frame, and how many frames it had in that.
    step: u64,
    in_step: u32,
}

impl Heard {
    /// One more frame: whether it is among the first of this step.
    #[inline]
    const fn is_early(&mut self, step: u64) -> bool {
        if self.step != step {
            (self.step, self.in_step) = (step, 0);
        }
        self.in_step = self.in_step.saturating_add(1);
        self.in_step <= EARLY
    }

    /// It was heard, and is to be heard further.
    const fn is_followed(&self) -> bool {
        self.last.frame > 0 && !self.lapsed && !self.joined
    }
}

impl Sources {
    pub(super) fn new() -> Self {
        Self {
            watch: Watch::default(),
            heard: Vec::new(),
            lately: Lately::default(),
            begun: Lately::default(),
            young: 0,
            steps: 0,
            early: false,
            last: Mark::default(),
            silent: Vec::new(),
            silent_more: 0,
            met: Vec::new(),
            joined: Vec::new(),
            changed: false,
        }
    }

    /// A frame of this interface comes next.
    #[inline]
    pub(super) fn hear(&mut self, interface: u32, mark: Mark) {
        let source = self.watch.source(interface);
        self.early = match self.heard.get_mut(source as usize) {
            Some(heard) if !heard.lapsed && heard.youth == 0 && mark.time <= heard.last.time.after(GAP) => {
                heard.last = mark;
                heard.is_early(self.steps)
            }
            _ => {
                self.hear_anew(interface, mark);
                true
            }
        };
        self.last = mark;
    }

    /// The source of an interface of which more frames in this step of packet time only have to be [heard on](Self::hear_on).
    pub(super) fn steady(&self, interface: u32) -> Option<usize> {
        let source = self.watch.source(interface) as usize;
        let heard = self.heard.get(source)?;
        let settled = !heard.lapsed && heard.youth == 0 && heard.step == self.steps && heard.in_step > EARLY;
        (settled && !self.asks() && !self.changed).then_some(source)
    }

    /// One more frame of this source.
    #[inline]
    pub(super) fn hear_on(&mut self, source: usize, mark: Mark) {
        if let Some(heard) = self.heard.get_mut(source) {
            heard.last = mark;
        }
        self.last = mark;
    }

    #[cold]
    fn hear_anew(&mut self, interface: u32, mark: Mark) {
        if self.watch.meet(interface) {
            self.heard.resize((interface as usize).saturating_add(1), Heard::default());
            self.changed = true;
        }
        let source = self.watch.source(interface);
        let Some(heard) = self.heard.get_mut(source as usize) else { return };
        if heard.last.frame == 0 {
            *heard = Heard { last: mark, youth: YOUTH, ..Heard::default() };
            self.young = self.young.saturating_add(1);
        }
        if !heard.lapsed && mark.time.since(heard.last.time) > GAP {
            self.watch.lapsed(source, heard.last);
            heard.lapsed = true;
            self.changed = true;
        }
        if heard.lapsed {
            heard.lapsed = false;
            self.watch.resumed(source, mark);
            self.changed = true;
        }
        if heard.youth > 0 {
            heard.youth = heard.youth.saturating_sub(1);
            self.young = self.young.saturating_sub(usize::from(heard.youth == 0));
        }
        heard.last = mark;
    }

    /// Packet time has come to `now`: notes the sources that were silent for too long, before the frame at `now` is heard.
    pub(super) fn lapse(&mut self, now: Timestamp) {
        self.steps = self.steps.saturating_add(1);
        for (source, heard) in (0..).zip(&mut self.heard) {
            if heard.is_followed() && now.since(heard.last.time) > GAP {
                heard.lapsed = true;
                self.watch.lapsed(source, heard.last);
                self.changed = true;
            }
        }
        if self.last.frame > 0 && now.since(self.last.time) > GAP {
            if self.silent.len() < SILENT {
                self.silent.push((self.last.time, now));
            } else {
                self.silent_more = self.silent_more.saturating_add(1);
            }
        }
    }

    /// Whether flows are to be told by [`Sources::saw`].
    #[inline]
    pub(super) const fn asks(&self) -> bool {
        self.young > 0 || self.early
    }

    /// An interface of a site saw the flow with this hash: if another did so just now, the two are one source.
    pub(super) fn saw(&mut self, interface: u32, site: Site, hash: u64) {
        self.compare(interface, site, hash, true);
    }

    /// An interface of a site saw a connection begin: if another did so just now, the two are points of capture of the same connections.
    pub(super) fn saw_begin(&mut self, interface: u32, site: Site, hash: u64) {
        let (known, by) = self.begun.note(interface, site, hash);
        if known == hash && by != interface && self.met.len() < SILENT && !self.met.contains(&(by, interface)) {
            self.met.push((by, interface));
        }
    }

    /// An interface saw a frame between these two stations. Their link is captured further though none of the connections goes on: where all wait,
    /// stations still ask for each other's addresses.
    pub(super) fn saw_stations(&mut self, interface: u32, site: Site, (one, other): ([u8; 6], [u8; 6])) {
        let hash = FixedState::default().hash_one((one.min(other), one.max(other))) ^ site.salt();
        self.compare(interface, site, hash, false);
    }

    fn compare(&mut self, interface: u32, site: Site, hash: u64, connection: bool) {
        let (known, by) = self.lately.note(interface, site, hash);
        let (one, other) = (self.watch.source(by), self.watch.source(interface));
        if known != hash || by == interface || one == other {
            return;
        }
        let [Some(first), Some(second)] = [one, other].map(|source| self.heard.get(source as usize).copied()) else { return };
        if first.lapsed || second.lapsed {
            return;
        }
        self.join((by, interface), (one, other), connection);
    }

    /// Somebody who saw more than is left knew that an interface goes on where another left off.
    pub(super) fn told(&mut self, interface: u32, before: u32, connection: bool) {
        let (one, other) = (self.watch.source(before), self.watch.source(interface));
        let known = [one, other].iter().all(|source| self.heard.get(*source as usize).is_some_and(|heard| !heard.lapsed));
        if one != other && known {
            self.join((before, interface), (one, other), connection);
        }
    }

    /// See [`super::router::Router::joined`].
    pub(super) fn take_joined(&mut self) -> Vec<Joined> {
        std::mem::take(&mut self.joined)
    }

    fn join(&mut self, (by, interface): (u32, u32), (one, other): (u32, u32), connection: bool) {
        let [Some(first), Some(second)] = [one, other].map(|source| self.heard.get(source as usize).copied()) else { return };
        let low = self.watch.join(one, other);
        if self.joined.len() < limits::INTERFACES {
            self.joined.push(Joined { frame: self.last.frame, before: by, interface, connection });
        }
        let youth = if connection { 0 } else { first.youth.max(second.youth) };
        self.young = self.young.saturating_add(usize::from(youth > 0));
        for source in [one, other] {
            let Some(heard) = self.heard.get_mut(source as usize) else { continue };
            self.young = self.young.saturating_sub(usize::from(heard.youth > 0));
            heard.youth = if source == low { youth } else { 0 };
            heard.joined = source != low;
            heard.last = first.last.max(second.last);
        }
        self.changed = true;
    }

    /// The capture has ended at `now`: whoever ended before that fell silent then.
    pub(super) fn end(&mut self, inventory: &Inventory, now: Mark) {
        // A slice leaves out what went on around its connections.
        if inventory.quiet_until.is_some() {
            self.watch = Watch::default();
            self.changed = true;
            return;
        }
        self.lapse(now.time);
        let mut ends = vec![Timestamp::MIN; self.heard.len()];
        for (interface, seen) in (0..).zip(&inventory.interfaces) {
            let input = inventory.inputs.get(seen.input).and_then(|input| input.last);
            let end = ends.get_mut(self.watch.source(interface) as usize);
            if let (Some(end), Some(input)) = (end, input) {
                *end = input.max(*end);
            }
        }
        for (source, (heard, end)) in (0..).zip(self.heard.iter().zip(ends)) {
            if heard.is_followed() && end < now.time {
                self.watch.lapsed(source, Mark { frame: heard.last.frame, time: end.max(heard.last.time) });
                self.changed = true;
            }
        }
    }

    /// What is known of the sources, if that is new.
    #[inline]
    pub(super) fn news(&mut self) -> Option<Arc<Watch>> {
        if self.changed { Some(self.tell()) } else { None }
    }

    #[cold]
    fn tell(&mut self) -> Arc<Watch> {
        self.changed = false;
        Arc::new(self.watch.clone())
    }

    /// Pairs of inputs that saw the same connections at the same time: two points of capture, and not one file after another.
    pub(super) fn points(&self, inventory: &Inventory) -> Vec<(usize, usize)> {
        let input_of = |interface: u32| inventory.interfaces.get(interface as usize).map(|seen| seen.input);
        let span = |input: usize| inventory.inputs.get(input).and_then(|input| input.first.zip(input.last));
        let pairs = self.met.iter().filter_map(|(one, other)| Some((input_of(*one)?, input_of(*other)?)));
        // Each saw some connections before the other did: they are one pair all the same.
        let pairs = pairs.map(|(one, other)| (one.min(other), one.max(other)));
        let mut points: Vec<_> = pairs
            .filter(|(one, other)| {
                let Some(((a, b), (c, d))) = span(*one).zip(span(*other)) else { return false };
                let (common, shorter) = (b.min(d).since(a.max(c)), b.since(a).min(d.since(c)));
                one != other && common.saturating_mul(2) >= shorter
            })
            .collect();
        points.sort_unstable();
        points.dedup();
        points
    }

    /// When nothing at all was captured, and how many more times than those.
    pub(super) fn silences(&self) -> (&[(Timestamp, Timestamp)], u64) {
        (&self.silent, self.silent_more)
    }
}

/// What was seen, by its hash, and the interface that saw it.
type Slots = Box<[(u64, u32)]>;

/// What was seen lately, each at the place that its hash gives it, with the interface. Each site has places of its own, so that what is found of one
/// does not depend on what is read beside it.
#[derive(Debug, Default)]
struct Lately {
    /// By site, in the order in which they were met.
    sites: Vec<(Site, Slots)>,
}

impl Lately {
    /// Puts something in its place. Gives what was there.
    fn note(&mut self, interface: u32, site: Site, hash: u64) -> (u64, u32) {
        let known = self.sites.iter().position(|(known, _)| *known == site);
        // Beyond the bound sites share the last one's.
        let place = known.unwrap_or_else(|| {
            if self.sites.len() < SITES {
                self.sites.push((site, vec![(0, 0); LATELY].into_boxed_slice()));
            }
            self.sites.len().saturating_sub(1)
        });
        let slots = self.sites.get_mut(place).map(|(_, slots)| slots);
        let slot = slots.and_then(|slots| slots.get_mut(usize::try_from(hash & LATELY_MASK).unwrap_or(0)));
        slot.map(|slot| std::mem::replace(slot, (hash, interface))).unwrap_or_default()
    }
}

/// First frames of an interface in a step of packet time that are remembered: what they hold may go on in another file, wherever this one ends.
const EARLY: u32 = 64;

/// Sites that have places of their own: they take 2 MB.
const SITES: usize = 64;

/// First frames of an interface that are compared with what others saw: in fewer than these a link that is busy enough to be captured in several
/// files shows a connection that goes on.
const YOUTH: u32 = 2048;

/// Flows remembered to see what interfaces have in common.
const LATELY: usize = 1 << 10;
const LATELY_MASK: u64 = LATELY as u64 - 1;

/// Times in which nothing was captured that are told one by one.
const SILENT: usize = 16;
