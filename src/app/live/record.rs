//! The flight recorder's two ends: packets tapped on their way to the pipeline, and recordings written by a thread of its own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use super::losses::OutputLosses;
use crate::capture::{FrameSource, looked_at};
use crate::output::say::say;
use crate::recorder::{Archive, Recorder, Recording};
use crate::report::Handshake;

/// The source, with its frames seen by the recorder too.
pub(super) fn tapped(source: Box<dyn FrameSource>, recorder: &Arc<Mutex<Recorder>>) -> Box<dyn FrameSource> {
    let recorder = Arc::clone(recorder);
    looked_at(source, move |block| {
        if !block.is_empty() {
            recorder.lock().unwrap_or_else(PoisonError::into_inner).take(block);
        }
    })
}

/// Recordings on their way to the disk.
pub(super) struct Desk {
    recorder: Arc<Mutex<Recorder>>,
    queue: Sender<Recording>,
    counters: Arc<DeskCounters>,
    thread: JoinHandle<()>,
}

/// What became of recordings.
#[derive(Debug)]
pub(super) struct DeskCounters {
    pub(super) written: AtomicU64,
    pub(super) losses: OutputLosses,
    /// Given to the thread and not yet dealt with.
    pending: AtomicU64,
    /// There is no time to write the rest.
    hurry: AtomicBool,
}

impl Desk {
    /// Starts the thread that writes.
    pub(super) fn start(recorder: Arc<Mutex<Recorder>>, mut archive: Archive) -> Self {
        let (queue, recordings) = bounded::<Recording>(QUEUE);
        let counters = Arc::new(DeskCounters {
            written: AtomicU64::default(),
            losses: OutputLosses::new("recordings"),
            pending: AtomicU64::default(),
            hurry: AtomicBool::default(),
        });
        let counting = Arc::clone(&counters);
        let thread = thread::spawn(move || {
            loop {
                match recordings.recv_timeout(PRUNE) {
                    Ok(recording) => {
                        counting.take(&mut archive, &recording);
                        counting.pending.fetch_sub(1, Ordering::Relaxed);
                    }
                    Err(crossbeam_channel::RecvTimeoutError::Timeout) => archive.prune(0),
                    Err(crossbeam_channel::RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        Self { recorder, queue, counters, thread }
    }

    /// A handshake was reported: what failed is kept, where it was `asked` for.
    pub(super) fn conclude(&self, report: &Handshake<'_>, asked: bool) {
        if report.handshake.provisional {
            return;
        }
        let wanted = asked && report.class().is_problem();
        let recording = self.recorder.lock().unwrap_or_else(PoisonError::into_inner).conclude(report, wanted);
        let Some(recording) = recording else {
            self.counters.losses.lose(u64::from(wanted), "their packets were no longer in memory (--record-memory)");
            return;
        };
        self.counters.pending.fetch_add(1, Ordering::Relaxed);
        if self.queue.try_send(recording).is_err() {
            self.counters.pending.fetch_sub(1, Ordering::Relaxed);
            self.counters.losses.lose(1, "failures come faster than the disk takes them");
        }
    }

    pub(super) fn counters(&self) -> Arc<DeskCounters> {
        Arc::clone(&self.counters)
    }

    /// Waits until what is under way is written; what is not after `patience` is counted as lost.
    pub(super) fn settle(&self, patience: Duration) {
        let mut waited = Duration::ZERO;
        while self.counters.pending.load(Ordering::Relaxed) > 0 && !self.thread.is_finished() && waited < patience.saturating_add(GRACE) {
            if waited >= patience {
                self.counters.hurry.store(true, Ordering::Relaxed);
            }
            thread::sleep(STEP);
            waited = waited.saturating_add(STEP);
        }
    }

    /// Ends the thread, or leaves it behind when the disk holds it up.
    pub(super) fn finish(self) {
        self.settle(Duration::ZERO);
        drop(self.queue);
        if self.counters.pending.load(Ordering::Relaxed) == 0 {
            let _ = self.thread.join();
        }
    }
}

impl DeskCounters {
    fn take(&self, archive: &mut Archive, recording: &Recording) {
        if self.hurry.load(Ordering::Relaxed) {
            self.losses.lose(1, "there was no time to write them at the end");
            return;
        }
        match archive.write(recording) {
            Ok(Some(_)) => {
                self.written.fetch_add(1, Ordering::Relaxed);
                self.losses.set_failing(false);
            }
            Ok(None) => self.losses.lose(1, "they are larger than all may be (--record-max)"),
            Err(error) => {
                self.losses.lose(1, &error.to_string());
                if !self.losses.set_failing(true) {
                    say(format!("cannot write a recording: {error}"));
                }
            }
        }
    }
}

/// Recordings that wait for the disk: at most 128 kB each.
const QUEUE: usize = 256;
/// How often old recordings are looked for when none is written.
const PRUNE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(5);
/// How long what is being written when the time is over may take to end, and what waits behind it to be counted.
const GRACE: Duration = Duration::from_millis(300);
