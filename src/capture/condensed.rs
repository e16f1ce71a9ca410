//! Condensates as the capture that they were made of: packets in its order, under the names of its files and with their numbers there, and what was
//! counted of the frames that were left out.
//!
//! Every condensate is in the order of its files' merged times, so that several are merged by that order: the time of a frame's file up to it, then
//! the file, then the number in it. What two condensates hold is given once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::discover::{self, Found, Pending};
use super::reader::Reader;
use super::shards;
use super::source::Ties;
use super::{Account, FrameSource, Input, Interface, Inventory, OddTime};
use crate::condensate::{self, Head, LATE_PACKETS, LEFT_OUT, LINKED, TOLD_ELSEWHERE, Tail};
use crate::error::{Error, Result};
use crate::frame::{Block, FrameHead};
use crate::limits;
use crate::origins::{Origins, Run};
use crate::site::{Observer, Site};
use crate::time::Timestamp;

/// The condensates of an analysis.
pub(super) struct Condensed {
    waiting: VecDeque<Pending>,
    open: Vec<Lane>,
    inventory: Inventory,
    /// The original files' places in the inventory, which are in the order in which they would have been opened.
    places: BTreeMap<Original, u32>,
    /// Interfaces by the file and their number in it.
    interfaces: BTreeMap<(u32, u32), u32>,
    /// Where the frames come from, if there were several files, and what is to be entered there.
    origins: Option<Origins>,
    runs: Vec<Run>,
    numbers: Numbers,
    /// The last frame that was given.
    last: Option<Key>,
    /// Secrets that are known.
    secrets: BTreeSet<Vec<u8>>,
    ties: Ties,
    total: Option<u64>,
}

/// A file that was condensed: its beginning, its path, and who captured it.
type Original = (Option<i64>, String, Site, Option<String>);

/// The order of frames: time, file, number; of one that is there twice, the packet before the mark, then what was left out up to it, and what was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    time: i64,
    file: u32,
    own: u64,
    rank: u8,
}

impl Key {
    const CAPTURED: u8 = 0;
    const MARK: u8 = 1;
    const LATE: u8 = 2;
    const TOLD: u8 = 3;
}

/// Numbers over all files. Within a file they grow as its own do, so that frames left out begin no new run.
#[derive(Debug, Default)]
struct Numbers {
    /// The file and number there of the last frame, and its number over all.
    last: Option<(u32, u64)>,
    number: u64,
}

impl Numbers {
    fn next(&mut self, key: Key, runs: &mut Vec<Run>) -> u64 {
        let more = match self.last {
            Some((file, own)) if file == key.file => key.own.checked_sub(own),
            _ => None,
        };
        // What is told again of a frame is told under its number.
        self.number = self.number.saturating_add(more.unwrap_or(1));
        if more.is_none() {
            runs.push(Run { first: self.number, own: key.own, file: key.file });
        }
        self.last = Some((key.file, key.own));
        self.number
    }
}

/// An open condensate.
struct Lane {
    path: PathBuf,
    reader: Reader,
    block: Block,
    at: usize,
    /// What it tells of itself.
    inventory: Inventory,
    /// Its files' places among all.
    files: Vec<u32>,
    /// Its interfaces' places among all, and the files of those.
    interfaces: Vec<(u32, u32)>,
    /// How much of its inventory was taken over.
    secrets: usize,
    names: usize,
    observer: Observer,
}

impl Condensed {
    pub(super) fn new(found: Found, filtered: bool) -> Result<Self> {
        let mut originals: BTreeSet<Original> = BTreeSet::new();
        let mut pending = VecDeque::new();
        let condensate = found.pending.iter().find(|pending| pending.head.is_some()).map(|pending| pending.path.clone());
        let condensate = condensate.unwrap_or_default();
        if filtered {
            let why = "what was counted of it was counted without -f; choose with --server, --client or --name".to_owned();
            return Err(Error::Condensate { path: condensate, why });
        }
        for waiting in found.pending {
            if let Some(problem) = waiting.problem {
                return Err(incomplete(waiting.path, &problem));
            }
            let Some(head) = &waiting.head else {
                let why = format!(
                    "{} is none, and its packets may be counted twice; read either condensates or the captures that they were made of",
                    waiting.path.display()
                );
                return Err(Error::Condensate { path: condensate, why });
            };
            let version = if head.shard.is_some() { condensate::SHARD_VERSION } else { condensate::VERSION };
            if head.condensate != version {
                let why = format!("its version is {}; version {version} is known; condense its window again", head.condensate);
                return Err(Error::Condensate { path: waiting.path, why });
            }
            let observer = observer_of(head, &found.ties.observer);
            originals.extend(head.files.iter().map(|file| original(file, &observer)));
            pending.push_back(waiting);
        }
        let shard = shards::wanted(&pending)?;
        let account = Account { gaps: shards::gaps(&pending), ..Account::default() };
        let several = originals.len() > 1;
        let names: Vec<String> = originals.iter().map(|(_, path, ..)| path.clone()).collect();
        let inputs = originals.iter().map(|(_, path, site, sensor)| Input {
            observer: Observer { site: *site, sensor: sensor.as_deref().map(Into::into) },
            ..Input::new(PathBuf::from(path), String::new())
        });
        let inputs = inputs.collect();
        Ok(Self {
            waiting: pending,
            open: Vec::new(),
            inventory: Inventory { inputs, account: Some(account), shard, ..Inventory::default() },
            places: originals.into_iter().zip(0..).collect(),
            interfaces: BTreeMap::new(),
            origins: several.then(|| Origins::of_condensed_files(names)),
            runs: Vec::new(),
            numbers: Numbers::default(),
            last: None,
            secrets: BTreeSet::new(),
            ties: found.ties,
            total: found.total,
        })
    }

    /// Opens the next condensate.
    fn open_next(&mut self) -> Result<()> {
        let Some(pending) = self.waiting.pop_front() else { return Ok(()) };
        let opened = match pending.reader {
            Some(reader) => Ok(reader),
            None => discover::open(&pending.path, &self.ties).map(|reader| (reader, Block::default())),
        };
        let head = pending.head.unwrap_or_default();
        let observer = observer_of(&head, &self.ties.observer);
        let files = head.files.iter().map(|file| self.places.get(&original(file, &observer)).copied().unwrap_or_default()).collect();
        let (reader, block) = opened.map_err(|error| incomplete(pending.path.clone(), &error.to_string()))?;
        let mut lane = Lane {
            path: pending.path,
            reader,
            block,
            at: 0,
            inventory: pending.inventory,
            files,
            interfaces: Vec::new(),
            secrets: 0,
            names: 0,
            observer,
        };
        lane.take_over(&mut self.inventory, &mut self.interfaces, &mut self.secrets);
        self.open.push(lane);
        Ok(())
    }

    /// Gives each open condensate a frame to compare, and closes those at their end.
    fn refill(&mut self) -> Result<()> {
        let mut index = 0;
        while let Some(lane) = self.open.get_mut(index) {
            if lane.head().is_some() {
                index = index.saturating_add(1);
                continue;
            }
            lane.at = 0;
            let more = lane.reader.fill(&mut lane.block, &mut lane.inventory)?;
            lane.take_over(&mut self.inventory, &mut self.interfaces, &mut self.secrets);
            if more {
                index = index.saturating_add(1);
                continue;
            }
            let lane = self.open.remove(index);
            let damage = lane.inventory.inputs.first().and_then(|input| input.damage.clone());
            match lane.reader.told.tail.as_ref() {
                Some(tail) => self.count(tail, &lane.files),
                None => return Err(incomplete(lane.path, damage.as_deref().unwrap_or("it ends before its tail"))),
            }
        }
        Ok(())
    }

    /// Adds what was counted in a window.
    fn count(&mut self, tail: &Tail, files: &[u32]) {
        let Inventory { inputs, account: Some(account), quiet_until, .. } = &mut self.inventory else { return };
        for counted in &tail.files {
            let Some(input) = files.get(counted.file as usize).and_then(|place| inputs.get_mut(*place as usize)) else { continue };
            input.format.clone_from(&counted.format);
            input.frames = input.frames.saturating_add(counted.frames);
            input.bytes = input.bytes.saturating_add(counted.bytes);
            account.frames = account.frames.saturating_add(counted.frames);
            account.bytes = account.bytes.saturating_add(counted.bytes);
            if let Some((first, last)) = counted.times {
                let (first, last) = (Timestamp::from_nanos(first), Timestamp::from_nanos(last));
                input.first = Some(input.first.map_or(first, |known| known.min(first)));
                input.last = input.last.max(Some(last));
            }
            if let Some((count, frame, time)) = counted.odd {
                input.odd_times = input.odd_times.max(count);
                input.first_odd_time.get_or_insert_with(|| OddTime { frame, time: Timestamp::from_nanos(time) });
            }
            if input.damage.is_none() {
                input.damage.clone_from(&counted.damage);
            }
        }
        account.decoded = account.decoded.saturating_add(tail.decoded);
        account.google_quic = account.google_quic.saturating_add(tail.google_quic);
        for (kind, volume) in tail.traffic.iter().filter_map(condensate::Sum::counted) {
            let sum = account.traffic.entry(kind).or_default();
            *sum = sum.plus(volume);
        }
        for (reason, count) in &tail.skipped {
            let sum = account.skipped.entry(reason.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        for (link, count) in &tail.links {
            let sum = account.links.entry(*link).or_default();
            *sum = sum.saturating_add(*count);
        }
        if let Some((first, last)) = tail.times {
            let (first, last) = (Timestamp::from_nanos(first), Timestamp::from_nanos(last));
            account.times = Some(account.times.map_or((first, last), |known| (known.0.min(first), known.1.max(last))));
        }
        *quiet_until = (*quiet_until).max(tail.quiet_until.map(Timestamp::from_nanos));
    }

    /// Fills the block in the order of the capture.
    fn merge(&mut self, block: &mut Block) -> Result<()> {
        while block.byte_len() < limits::READ_BYTES && block.len() < FRAMES {
            self.refill()?;
            let (mut best, mut runner_up) = (None, None);
            for (index, lane) in self.open.iter().enumerate() {
                let Some(key) = lane.key() else { continue };
                if best.is_none_or(|(least, _)| key < least) {
                    runner_up = best.replace((key, index)).map(|(key, _)| key);
                } else if runner_up.is_none_or(|other| key < other) {
                    runner_up = Some(key);
                }
            }
            // One without frames has something to tell all the same.
            let next = self.waiting.front().map(|next| next.first.map_or(i64::MIN, Timestamp::nanos));
            let room = self.open.len() < limits::OPEN_FILES;
            if next.is_some_and(|next| room && best.is_none_or(|(best, _)| next <= best.time)) {
                self.open_next()?;
                continue;
            }
            let Some((_, index)) = best else { break };
            let Some(lane) = self.open.get_mut(index) else { break };
            let mut begun = false;
            while let Some(key) = lane.key() {
                let over = runner_up.is_some_and(|other| other < key) || next.is_some_and(|next| room && next <= key.time);
                if (begun && over) || block.byte_len() >= limits::READ_BYTES || block.len() >= FRAMES {
                    break;
                }
                begun = true;
                let known = self.last.is_some_and(|last| (last.file, last.own) == (key.file, key.own));
                let Some(frame) = lane.head() else { break };
                let mut head = FrameHead { interface: lane.interface(frame.head.interface).0, site: lane.observer.site, ..frame.head };
                if key.rank == Key::MARK || key.rank == Key::TOLD {
                    let linked = head.original_len & LINKED;
                    let before = (head.original_len & !LINKED).checked_sub(1);
                    head.original_len = before.map_or(0, |before| lane.interface(before).0.saturating_add(1) | linked);
                }
                if !known || (key.rank == Key::MARK && head.original_len > 0) || key.rank >= Key::LATE {
                    head.number = match &self.origins {
                        None => key.own,
                        Some(_) => self.numbers.next(key, &mut self.runs),
                    };
                    let theirs = frame.head.number;
                    block.push(head, frame.bytes);
                    lane.pass_comments(theirs, head.number, &mut self.inventory);
                }
                self.last = Some(key);
                lane.at = lane.at.saturating_add(1);
            }
        }
        Ok(())
    }
}

impl FrameSource for Condensed {
    fn fill(&mut self, block: &mut Block) -> Result<bool> {
        block.clear();
        let done = self.merge(block);
        if let Some(origins) = &self.origins {
            origins.enter(&mut self.runs);
        }
        done.map(|()| !block.is_empty())
    }

    fn origins(&self) -> Option<&Origins> {
        self.origins.as_ref()
    }

    fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.ties.consumed.load(Ordering::Relaxed), self.total)
    }
}

impl Lane {
    fn head(&self) -> Option<crate::frame::Frame<'_>> {
        self.block.frame(self.at)
    }

    /// The order of its next frame.
    fn key(&self) -> Option<Key> {
        let head = self.block.frame(self.at)?.head;
        let place = self.reader.told.places.get(self.at);
        let (_, file) = self.interface(head.interface);
        Some(Key {
            time: place.map_or_else(|| head.time.nanos(), |place| place.key),
            file,
            own: place.map_or(0, |place| place.own),
            rank: match head.link {
                LEFT_OUT => Key::MARK,
                LATE_PACKETS => Key::LATE,
                TOLD_ELSEWHERE => Key::TOLD,
                _ => Key::CAPTURED,
            },
        })
    }

    /// An interface's place among all, and its file.
    fn interface(&self, own: u32) -> (u32, u32) {
        self.interfaces.get(own as usize).copied().unwrap_or_default()
    }

    /// Takes over what it has told meanwhile.
    fn take_over(&mut self, all: &mut Inventory, interfaces: &mut BTreeMap<(u32, u32), u32>, secrets: &mut BTreeSet<Vec<u8>>) {
        for (place, known) in self.inventory.interfaces.iter().enumerate().skip(self.interfaces.len()) {
            let (file, number) = self.reader.told.interfaces.get(place).copied().unwrap_or_default();
            let file = self.files.get(file as usize).copied().unwrap_or_default();
            let place = *interfaces.entry((file, number)).or_insert_with(|| {
                if all.interfaces.len() < limits::INTERFACES {
                    all.interfaces.push(Interface { input: file as usize, received: None, dropped: None, ..known.clone() });
                }
                u32::try_from(all.interfaces.len().saturating_sub(1)).unwrap_or_default()
            });
            self.interfaces.push((place, file));
        }
        for (known, (place, _)) in self.inventory.interfaces.iter().zip(&self.interfaces) {
            if let Some(interface) = all.interfaces.get_mut(*place as usize) {
                interface.received = interface.received.max(known.received);
                interface.dropped = interface.dropped.max(known.dropped);
            }
        }
        for line in self.inventory.secrets.iter().skip(self.secrets) {
            let bytes = all.secret_bytes.saturating_add(line.len());
            if bytes > limits::SECRET_BYTES {
                all.secrets_left_out = all.secrets_left_out.saturating_add(1);
            } else if secrets.insert(line.clone()) {
                all.secret_bytes = bytes;
                all.secrets.push(line.clone());
            }
        }
        self.secrets = self.inventory.secrets.len();
        for (address, name) in self.inventory.names.iter().skip(self.names) {
            let bytes = all.name_bytes.saturating_add(name.len());
            if all.names.len() < limits::RESOLVED_NAMES && bytes <= limits::RESOLVED_NAME_BYTES {
                all.name_bytes = bytes;
                all.names.push((*address, name.clone()));
            }
        }
        self.names = self.inventory.names.len();
    }

    /// Hands on the comments on a frame under its number among all.
    fn pass_comments(&mut self, own: u64, number: u64, all: &mut Inventory) {
        let comments = &mut self.reader.comments;
        let passed = comments.iter().take_while(|(frame, _)| frame.is_none_or(|frame| frame <= own)).count();
        for (frame, text) in comments.drain(..passed) {
            if frame == Some(own) && all.comments.len() < limits::COMMENTS {
                all.comments.push((Some(number), text));
            }
        }
    }
}

/// Who captured what a condensate holds: what was said of all inputs counts more.
fn observer_of(head: &Head, said: &Observer) -> Observer {
    let site = head.site.as_deref().and_then(Site::named).unwrap_or_default();
    said.or(&Observer { site, sensor: head.sensor.as_deref().map(Into::into) })
}

/// What others show bears on every verdict, so that nothing is said of a set that lacks a part of one.
fn incomplete(path: PathBuf, problem: &str) -> Error {
    let why = format!(
        "{problem}; condense its window again, or leave out all that is of that window: what is read without a part of it would say other things"
    );
    Error::Condensate { path, why }
}

fn original(file: &condensate::File, observer: &Observer) -> Original {
    (file.first, file.path.clone(), observer.site, observer.sensor.as_deref().map(str::to_owned))
}

/// Frames of a block.
const FRAMES: usize = 16 << 10;
