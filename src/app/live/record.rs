//! The flight recorder's two ends: packets tapped on their way to the pipeline, and recordings written by a thread of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, TrySendError, bounded};

use crate::capture::{FrameSource, Inventory, KeyLogLines, Losses};
use crate::error::Result;
use crate::frame::Block;
use crate::output::say::say;
use crate::output::view::{self, Kind};
use crate::recorder::{Archive, Recorder, Recording};
use crate::report::HandshakeReport;

/// A source whose frames the recorder sees too.
pub(super) struct Tap {
    pub(super) source: Box<dyn FrameSource>,
    pub(super) recorder: Arc<Mutex<Recorder>>,
}

impl FrameSource for Tap {
    fn fill(&mut self, block: &mut Block) -> Result<bool> {
        let more = self.source.fill(block)?;
        if !block.is_empty() {
            self.recorder.lock().unwrap_or_else(PoisonError::into_inner).take(block);
        }
        Ok(more)
    }

    fn inventory(&self) -> &Inventory {
        self.source.inventory()
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.source.progress()
    }

    fn losses(&self) -> Option<&Losses> {
        self.source.losses()
    }

    fn key_log(&self) -> Option<&KeyLogLines> {
        self.source.key_log()
    }
}

/// Recordings on their way to the disk.
pub(super) struct Desk {
    recorder: Arc<Mutex<Recorder>>,
    queue: Sender<Recording>,
    counters: Arc<DeskCounters>,
    thread: JoinHandle<()>,
}

/// What became of recordings.
#[derive(Debug, Default)]
pub(super) struct DeskCounters {
    pub(super) written: AtomicU64,
    pub(super) lost: AtomicU64,
}

impl Desk {
    /// Starts the thread that writes.
    pub(super) fn start(recorder: Arc<Mutex<Recorder>>, mut archive: Archive) -> Self {
        let (queue, recordings) = bounded::<Recording>(QUEUE);
        let counters = Arc::new(DeskCounters::default());
        let counting = Arc::clone(&counters);
        let thread = thread::spawn(move || {
            let mut said = false;
            loop {
                match recordings.recv_timeout(PRUNE) {
                    Ok(recording) => match archive.write(&recording) {
                        Ok(Some(_)) => {
                            counting.written.fetch_add(1, Ordering::Relaxed);
                            said = false;
                        }
                        Ok(None) => {
                            counting.lost.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => {
                            counting.lost.fetch_add(1, Ordering::Relaxed);
                            if !std::mem::replace(&mut said, true) {
                                say(format!("cannot write a recording: {error}"));
                            }
                        }
                    },
                    Err(crossbeam_channel::RecvTimeoutError::Timeout) => archive.prune(0),
                    Err(crossbeam_channel::RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        Self { recorder, queue, counters, thread }
    }

    /// A handshake was reported: what failed is kept.
    pub(super) fn conclude(&self, report: &HandshakeReport) {
        if report.handshake.provisional {
            return;
        }
        let wanted = matches!(view::kind(report), Kind::Failed | Kind::Troubled);
        let recording = self.recorder.lock().unwrap_or_else(PoisonError::into_inner).conclude(report, wanted);
        if let Some(recording) = recording
            && let Err(TrySendError::Full(_)) = self.queue.try_send(recording)
        {
            self.counters.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn counters(&self) -> Arc<DeskCounters> {
        Arc::clone(&self.counters)
    }

    /// Writes what is still under way.
    pub(super) fn finish(self) {
        drop(self.queue);
        let _ = self.thread.join();
    }
}

/// Recordings that wait for the disk: at most 128 kB each.
const QUEUE: usize = 256;
/// How often old recordings are looked for when none is written.
const PRUNE: std::time::Duration = std::time::Duration::from_secs(60);
