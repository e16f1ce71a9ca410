//! Several inputs as one capture in time order.
//!
//! Inputs wait in the order of their first frames and are opened when the merge has come that far in time, so that rotated files are read one
//! after another, straight into the caller's block, and only those that overlap are merged frame by frame, which costs a copy.

use std::collections::VecDeque;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::discover::{self, Found, Pending};
use super::filter::PacketFilter;
use super::reader::Reader;
use super::source::Ties;
use super::{FrameSource, Input, Inventory};
use crate::error::{Error, Result};
use crate::frame::{Block, Frame};
use crate::limits;
use crate::origins::{Origins, Run};
use crate::time::Timestamp;

/// The inputs of an analysis.
pub(super) struct Merge {
    waiting: VecDeque<Pending>,
    /// In the order opened, which decides between frames of the same time.
    open: Vec<Lane>,
    inventory: Inventory,
    filter: Option<PacketFilter>,
    next_number: u64,
    /// The inputs in their order, with the times of their first frames where those were looked for.
    files: Vec<(PathBuf, Option<Timestamp>)>,
    /// Where the frames come from, if there are several inputs, and what is to be entered there.
    origins: Option<Origins>,
    runs: Vec<Run>,
    /// Inputs opened so far.
    begun: u32,
    /// An error that came after frames which had to be delivered first.
    failed: Option<Error>,
    ties: Ties,
    total: Option<u64>,
}

/// An open input with the frames read from it and not delivered yet.
struct Lane {
    reader: Reader,
    block: Block,
    at: usize,
    /// Its place among the inputs, and how many of its frames have been handed on.
    file: u32,
    delivered: u64,
    /// Comments on those frames, under the numbers that the reader gave.
    comments: VecDeque<(u64, String)>,
}

impl Merge {
    pub(super) fn new(found: Found, filter: Option<PacketFilter>) -> Self {
        let names = found.pending.iter().map(|pending| pending.path.display().to_string());
        let origins = (found.pending.len() > 1).then(|| Origins::of_files(names));
        let files = found.pending.iter().map(|pending| (pending.path.clone(), pending.first)).collect();
        Self {
            files,
            origins,
            runs: Vec::new(),
            begun: 0,
            waiting: found.pending.into(),
            open: Vec::new(),
            inventory: found.inventory,
            filter,
            next_number: 1,
            failed: None,
            ties: found.ties,
            total: found.total,
        }
    }

    /// Opens the next waiting input, or notes why it cannot be opened.
    fn open_next(&mut self) {
        let Some(pending) = self.waiting.pop_front() else { return };
        let file = self.begun;
        self.begun = self.begun.saturating_add(1);
        let outcome = match (pending.reader, pending.problem) {
            (Some(reader), _) => Ok(reader),
            (None, Some(problem)) => Err(problem),
            // it may have been rotated away since its first frame was looked at
            (None, None) => {
                discover::open(&pending.path, &self.ties).map(|reader| (reader, Block::default())).map_err(|error| error.to_string())
            }
        };
        match outcome {
            Ok((reader, block)) => {
                let mut lane = Lane { reader, block, at: 0, file, delivered: 0, comments: VecDeque::new() };
                lane.keep_comments(&mut self.inventory);
                self.open.push(lane);
            }
            Err(problem) => {
                self.inventory.inputs.push(Input { damage: Some(problem), ..Input::new(pending.path, "unknown".to_owned()) });
            }
        }
    }

    /// When the next waiting input begins, if one may be opened.
    fn horizon(&self) -> Option<Timestamp> {
        if self.open.len() >= limits::OPEN_FILES { None } else { self.waiting.front()?.first }
    }

    /// Reads from the only open input into the caller's block. None: its frames reach into the next input's time and were kept for merging.
    fn read_only(&mut self, block: &mut Block) -> Result<Option<bool>> {
        let horizon = self.horizon();
        let Some(lane) = self.open.first_mut() else { return Ok(Some(false)) };
        lane.reader.next_number = self.next_number;
        lane.reader.read_bytes = limits::READ_BYTES;
        let more = lane.reader.fill(block, &mut self.inventory)?;
        if let Some(horizon) = horizon
            && block.frames().any(|frame| frame.head.time > horizon)
        {
            mem::swap(block, &mut lane.block);
            lane.at = 0;
            lane.keep_comments(&mut self.inventory);
            return Ok(None);
        }
        let frames = lane.reader.next_number.saturating_sub(self.next_number);
        if self.origins.is_some() && frames > 0 {
            self.runs.push(lane.run(self.next_number));
        }
        lane.delivered = lane.delivered.saturating_add(frames);
        self.next_number = lane.reader.next_number;
        self.inventory.comments.append(&mut lane.reader.comments);
        if !more {
            self.open.clear();
            return Ok(Some(false));
        }
        if let Some(filter) = &mut self.filter {
            let before = block.len();
            block.retain(|frame| filter.takes(frame));
            let left_out = before.saturating_sub(block.len()) as u64;
            self.inventory.filtered_out = self.inventory.filtered_out.saturating_add(left_out);
        }
        Ok(Some(true))
    }

    /// Fills the block frame by frame from the open inputs.
    fn merge(&mut self, block: &mut Block) {
        block.clear();
        while block.byte_len() < limits::READ_BYTES && block.len() < MERGED_FRAMES {
            if let Err(error) = self.refill() {
                self.failed = Some(error);
                break;
            }
            // the earliest head goes on until another comes first; between equals the one opened first
            let (mut best, mut runner_up) = (None, None);
            for (index, lane) in self.open.iter().enumerate() {
                let Some(key) = lane.head().map(|frame| (frame.head.time, index)) else { continue };
                if best.is_none_or(|best| key < best) {
                    runner_up = best.replace(key);
                } else if runner_up.is_none_or(|other| key < other) {
                    runner_up = Some(key);
                }
            }
            let Some((first, index)) = best else { break };
            let horizon = self.horizon();
            if horizon.is_some_and(|horizon| horizon < first) {
                self.open_next();
                continue;
            }
            let Some(lane) = self.open.get_mut(index) else { break };
            if self.origins.is_some() {
                self.runs.push(lane.run(self.next_number));
            }
            while let Some(frame) = lane.head() {
                let time = frame.head.time;
                let overtaken = runner_up.is_some_and(|other| other < (time, index)) || horizon.is_some_and(|horizon| horizon < time);
                if overtaken || block.byte_len() >= limits::READ_BYTES || block.len() >= MERGED_FRAMES {
                    break;
                }
                let mut head = frame.head;
                head.number = self.next_number;
                self.next_number = self.next_number.saturating_add(1);
                if self.filter.as_mut().is_none_or(|filter| filter.takes(frame)) {
                    block.push(head, frame.bytes);
                } else {
                    self.inventory.filtered_out = self.inventory.filtered_out.saturating_add(1);
                }
                let theirs = frame.head.number;
                lane.at = lane.at.saturating_add(1);
                lane.delivered = lane.delivered.saturating_add(1);
                while lane.comments.front().is_some_and(|&(number, _)| number <= theirs) {
                    let text = lane.comments.pop_front().map(|(_, text)| (Some(head.number), text));
                    self.inventory.comments.extend(text);
                }
            }
        }
    }

    /// Gives every open input a frame to compare, and closes those at their end. A last one is left to be read directly.
    fn refill(&mut self) -> Result<()> {
        let bytes = if self.open.len() > FEW { limits::MERGE_READ_BYTES } else { limits::READ_BYTES };
        let mut index = 0;
        while let Some(lane) = self.open.get_mut(index) {
            if lane.head().is_some() {
                index = index.saturating_add(1);
                continue;
            }
            if index == 0 && self.open.len() == 1 {
                return Ok(());
            }
            let Some(lane) = self.open.get_mut(index) else { break };
            lane.reader.read_bytes = bytes;
            lane.at = 0;
            let more = lane.reader.fill(&mut lane.block, &mut self.inventory)?;
            lane.keep_comments(&mut self.inventory);
            if more {
                index = index.saturating_add(1);
            } else {
                self.open.remove(index);
            }
        }
        Ok(())
    }
}

impl FrameSource for Merge {
    fn fill(&mut self, block: &mut Block) -> Result<bool> {
        let more = self.next(block);
        if let Some(origins) = &self.origins {
            origins.enter(&mut self.runs);
        }
        more
    }

    fn origins(&self) -> Option<&Origins> {
        self.origins.as_ref()
    }

    fn files(&self) -> Vec<(&Path, Option<Timestamp>)> {
        self.files.iter().map(|(path, first)| (path.as_path(), *first)).collect()
    }

    fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.ties.consumed.load(Ordering::Relaxed), self.total)
    }
}

impl Merge {
    fn next(&mut self, block: &mut Block) -> Result<bool> {
        loop {
            if let Some(error) = self.failed.take() {
                block.clear();
                return Err(error);
            }
            if self.open.is_empty() {
                if self.waiting.is_empty() {
                    block.clear();
                    return Ok(false);
                }
                self.open_next();
                continue;
            }
            let undelivered = self.open.len() > 1 || self.open.first().is_some_and(|lane| lane.head().is_some());
            if !undelivered {
                match self.read_only(block)? {
                    Some(true) => return Ok(true),
                    Some(false) => continue,
                    None => {}
                }
            }
            let before = self.next_number;
            self.merge(block);
            if self.next_number != before {
                return Ok(true);
            }
        }
    }
}

impl Lane {
    fn head(&self) -> Option<Frame<'_>> {
        self.block.frame(self.at)
    }

    /// What begins with its next frame, which is this one of all.
    const fn run(&self, first: u64) -> Run {
        Run { first, own: self.delivered.saturating_add(1), file: self.file }
    }

    /// Takes the reader's comments: those on frames wait until the frames have their numbers.
    fn keep_comments(&mut self, inventory: &mut Inventory) {
        for (number, text) in self.reader.comments.drain(..) {
            match number {
                Some(number) => self.comments.push_back((number, text)),
                None => inventory.comments.push((None, text)),
            }
        }
    }
}

/// So many inputs may have large buffers.
const FEW: usize = 8;

/// Frames of a merged block.
const MERGED_FRAMES: usize = 16 << 10;
