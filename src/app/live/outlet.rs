//! One output of a live run, with a thread of its own: a reader that is slow holds up nobody but itself.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use crate::output::Sink;
use crate::output::say::say;
use crate::report::Report;

/// An output behind a queue.
pub(super) struct Outlet {
    what: String,
    queue: Option<Sender<Arc<Report>>>,
    lost: Arc<AtomicU64>,
    thread: JoinHandle<io::Result<()>>,
}

impl Outlet {
    /// Starts the thread. When the output can take no more, `ended` is set if it is given (the run ends with its output); without, it is said
    /// once and the run goes on.
    pub(super) fn start(what: &str, sink: Box<dyn Sink + Send>, ended: Option<Arc<AtomicBool>>) -> Self {
        let (queue, reports) = bounded(QUEUE);
        let name = what.to_owned();
        let thread = thread::spawn(move || {
            let Some(ended) = ended else {
                keep_on(&name, sink, &reports);
                return Ok(());
            };
            let result = pump(sink, &reports);
            ended.store(true, Ordering::Relaxed);
            result
        });
        Self { what: what.to_owned(), queue: Some(queue), lost: Arc::default(), thread }
    }

    /// Hands over a report, or counts it as lost when the queue is full. The last one waits.
    pub(super) fn give(&self, report: &Arc<Report>) {
        let Some(queue) = &self.queue else { return };
        if matches!(**report, Report::Summary(_)) {
            let _ = queue.send_timeout(Arc::clone(report), PATIENCE);
        } else if let Err(TrySendError::Full(_)) = queue.try_send(Arc::clone(report)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Its name, and the reports it could not take.
    pub(super) fn lost(&self) -> (&str, u64) {
        (&self.what, self.lost.load(Ordering::Relaxed))
    }

    /// Shared with those who show it.
    pub(super) fn lost_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lost)
    }

    /// Waits until everything is written, but not for ever.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.queue = None;
        let mut waited = Duration::ZERO;
        while !self.thread.is_finished() {
            if waited >= PATIENCE {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "its reader takes no more"));
            }
            thread::sleep(STEP);
            waited += STEP;
        }
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("its thread failed")))
    }
}

fn pump(mut sink: Box<dyn Sink + Send>, reports: &Receiver<Arc<Report>>) -> io::Result<()> {
    loop {
        match reports.recv_timeout(IDLE) {
            Ok(report) => sink.report(&report)?,
            Err(RecvTimeoutError::Timeout) => sink.idle()?,
            Err(RecvTimeoutError::Disconnected) => return sink.finish(),
        }
    }
}

fn keep_on(what: &str, mut sink: Box<dyn Sink + Send>, reports: &Receiver<Arc<Report>>) {
    let mut said = false;
    loop {
        let result = match reports.recv_timeout(IDLE) {
            Ok(report) => sink.report(&report),
            Err(RecvTimeoutError::Timeout) => sink.idle(),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        match result {
            Err(error) if !said => {
                say(format!("{what}: {error}; trying on"));
                said = true;
            }
            Err(_) => {}
            Ok(()) => said = false,
        }
    }
    if let Err(error) = sink.finish() {
        say(format!("{what}: {error}"));
    }
}

/// Reports that wait for an output: some megabytes.
const QUEUE: usize = 4096;
/// How long the end of a run waits for an output.
const PATIENCE: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(5);
/// How often an output without reports is woken, to rotate files and the like.
const IDLE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples;

    /// Takes nothing until it is let go.
    struct Stuck {
        release: Receiver<()>,
        taken: Arc<AtomicU64>,
    }

    impl Sink for Stuck {
        fn report(&mut self, _: &Report) -> io::Result<()> {
            let _ = self.release.recv();
            self.taken.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        fn finish(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_is_stuck_costs_its_own_reports_and_no_time() {
        let (let_go, release) = bounded::<()>(0);
        let taken = Arc::new(AtomicU64::new(0));
        let outlet = Outlet::start("a pipe", Box::new(Stuck { release, taken: Arc::clone(&taken) }), Some(Arc::default()));
        let report = Arc::new(Report::Handshake(Box::new(samples::completed())));
        let given = QUEUE as u64 + 100;
        for _ in 0..given {
            outlet.give(&report);
        }
        let (name, lost) = outlet.lost();
        // The thread may hold one.
        assert!(name == "a pipe" && (99..=100).contains(&lost), "{lost}");
        drop(let_go);
        outlet.finish().unwrap();
        assert_eq!(taken.load(Ordering::Relaxed) + lost, given);
    }
}
