//! Where the frames of a capture out of several files come from: the file, and the frame's number there.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

use std::sync::{Arc, Mutex, PoisonError};

use crate::limits;

/// Which file each frame comes from. Shared between those who read and those who tell; what is read is entered before it is handed on.
///
/// Files follow one another, or alternate for a while: one entry stands for all frames in a row of one file. Their number is bounded; frames
/// behind the last that there was room for have no origin.
#[derive(Debug, Clone, Default)]
pub struct Origins(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    files: Vec<Arc<str>>,
    runs: Vec<Kept>,
    /// The first frame of which nothing is known, for want of room.
    unknown_from: Option<u64>,
    /// Frames are missing: their numbers over all files are not those of the whole capture.
    sparse: bool,
}

/// Frames in a row out of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first of them, as all frames are counted.
    pub first: u64,
    /// Its number in its file.
    pub own: u64,
    /// The file: its place among the names.
    pub file: u32,
}

/// A run as it is kept: in as many bytes as `limits::FRAME_RUN`.
#[derive(Debug, Clone, Copy)]
struct Kept {
    first: u64,
    /// In the lower 40 bits the frame's own number, above them the file.
    own: u64,
}

impl Kept {
    const fn of(run: Run) -> Option<Self> {
        if run.own < OWN && run.file < 1 << 24 { Some(Self { first: run.first, own: run.own | ((run.file as u64) << 40) }) } else { None }
    }

    #[allow(clippy::cast_possible_truncation, reason = "24 bits")]
    const fn run(self) -> Run {
        Run { first: self.first, own: self.own & (OWN - 1), file: (self.own >> 40) as u32 }
    }
}

/// Own numbers are below this.
const OWN: u64 = 1 << 40;

/// Where a frame comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file's name as it was given.
    pub file: Arc<str>,
    /// The frame's number in it, from 1.
    pub frame: u64,
}

impl Origins {
    /// Files of these names, nothing of which has been read.
    pub fn of_files(names: impl IntoIterator<Item = String>) -> Self {
        let files = names.into_iter().map(Arc::from).collect();
        Self(Arc::new(Mutex::new(Table { files, ..Table::default() })))
    }

    /// The same for files of whose frames only some will be read.
    pub fn of_condensed_files(names: impl IntoIterator<Item = String>) -> Self {
        let files = names.into_iter().map(Arc::from).collect();
        Self(Arc::new(Mutex::new(Table { files, sparse: true, ..Table::default() })))
    }

    /// Whether frames are numbered over all files as they are in the whole capture.
    pub fn counts_all(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).sparse
    }

    /// Enters runs in the order read, and takes them out of the list. One that goes on where the last ended is no new one.
    pub fn enter(&self, runs: &mut Vec<Run>) {
        if runs.is_empty() {
            return;
        }
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for run in runs.drain(..) {
            let goes_on = |last: &Run| last.file == run.file && run.first.checked_sub(last.first) == run.own.checked_sub(last.own);
            if table.unknown_from.is_some() || table.runs.last().is_some_and(|last| goes_on(&last.run())) {
                continue;
            }
            match Kept::of(run).filter(|_| table.runs.len() < limits::FRAME_RUNS) {
                Some(kept) => table.runs.push(kept),
                None => table.unknown_from = Some(run.first),
            }
        }
    }

    /// Where this frame comes from; `None` where there was no room to note it.
    pub fn of(&self, frame: u64) -> Option<Origin> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.unknown_from.is_some_and(|from| frame >= from) {
            return None;
        }
        let place = table.runs.partition_point(|run| run.first <= frame).checked_sub(1)?;
        let run = table.runs.get(place)?.run();
        let file = table.files.get(run.file as usize)?;
        Some(Origin { file: Arc::clone(file), frame: frame.checked_sub(run.first)?.checked_add(run.own)? })
    }

    /// The first frame of which nothing is known, for want of room.
    pub fn unknown_from(&self) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).unknown_from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(origins: &Origins, frame: u64) -> Option<(String, u64)> {
        origins.of(frame).map(|origin| (origin.file.to_string(), origin.frame))
    }

    #[test]
    fn frames_are_found_in_their_files() {
        let origins = Origins::of_files(["a".to_owned(), "b".to_owned()]);
        let run = |first, own, file| Run { first, own, file };
        // a: 1 2 3, b: 4 5, a: 6 7 in two pieces.
        origins.enter(&mut vec![run(1, 1, 0), run(3, 3, 0), run(4, 1, 1)]);
        origins.enter(&mut vec![run(6, 4, 0), run(7, 5, 0)]);
        let expected = [(1, "a", 1), (2, "a", 2), (3, "a", 3), (4, "b", 1), (5, "b", 2), (6, "a", 4), (7, "a", 5)];
        for (frame, file, own) in expected {
            assert_eq!(told(&origins, frame), Some((file.to_owned(), own)), "{frame}");
        }
        assert_eq!(origins.0.lock().unwrap().runs.len(), 3, "what goes on is no new run");
        assert_eq!(told(&origins, 0), None);
    }

    #[test]
    fn what_there_is_no_room_for_is_not_guessed() {
        let origins = Origins::of_files(["a".to_owned(), "b".to_owned()]);
        let mut runs: Vec<Run> =
            (0..limits::FRAME_RUNS as u64 + 10).map(|n| Run { first: n + 1, own: n / 2 + 1, file: u32::from(n % 2 == 1) }).collect();
        origins.enter(&mut runs);
        let last = limits::FRAME_RUNS as u64;
        assert!(told(&origins, last).is_some());
        assert_eq!((told(&origins, last + 1), origins.unknown_from()), (None, Some(last + 1)));
    }
}
