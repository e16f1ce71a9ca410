//! One output of a live run, with a thread of its own: a reader that is slow holds up nobody but itself.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::losses::OutputLosses;
use crate::output::say::say;
use crate::report::{Report, Sink};
use crate::wording::counted;

/// An output behind a queue.
pub(super) struct Outlet {
    queue: Option<Sender<Arc<Report>>>,
    losses: Arc<OutputLosses>,
    /// Reports given and not yet dealt with.
    pending: Arc<AtomicU64>,
    thread: JoinHandle<io::Result<()>>,
}

impl Outlet {
    /// Starts the thread. When the output can take no more, `ended` is set if it is given (the run ends with its output); without, it is said
    /// once and the run goes on.
    pub(super) fn start(what: &str, sink: Box<dyn Sink + Send>, ended: Option<Arc<AtomicBool>>) -> Self {
        let (queue, reports) = bounded(QUEUE);
        let (losses, pending) = (Arc::new(OutputLosses::new(what)), Arc::<AtomicU64>::default());
        let (losing, dealing) = (Arc::clone(&losses), Arc::clone(&pending));
        let thread = thread::spawn(move || {
            let Some(ended) = ended else {
                keep_on(sink, &reports, &losing, &dealing);
                return Ok(());
            };
            let result = pump(sink, &reports, &dealing);
            if let Err(error) = &result {
                // The one at hand, and those that wait.
                losing.lose(dealing.swap(0, Ordering::Relaxed), &error.to_string());
            }
            ended.store(true, Ordering::Relaxed);
            result
        });
        Self { queue: Some(queue), losses, pending, thread }
    }

    /// Hands over a report, or counts it as lost. The last one waits, but no longer than `patience`.
    pub(super) fn give(&self, report: &Arc<Report>, patience: Duration) {
        let Some(queue) = &self.queue else { return };
        self.pending.fetch_add(1, Ordering::Relaxed);
        let last = matches!(**report, Report::Summary(_));
        let given = if last {
            queue.send_timeout(Arc::clone(report), patience).map_err(|error| error.is_timeout())
        } else {
            queue.try_send(Arc::clone(report)).map_err(|error| error.is_full())
        };
        if let Err(full) = given {
            let _ = self.pending.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |pending| pending.checked_sub(1));
            self.losses.lose(1, if full { "its reader is too slow" } else { "it accepts no more" });
        }
    }

    /// What it could not take; shared with those who show it.
    pub(super) fn losses(&self) -> &Arc<OutputLosses> {
        &self.losses
    }

    /// Waits until what was given is dealt with, so that all that is lost is known; but not for long.
    pub(super) fn settle(&self, patience: Duration) {
        let mut waited = Duration::ZERO;
        while self.pending.load(Ordering::Relaxed) > 0 && !self.thread.is_finished() && waited < patience {
            thread::sleep(STEP);
            waited = waited.saturating_add(STEP);
        }
    }

    /// Waits until everything is written, but no longer than `patience`.
    pub(super) fn finish(mut self, patience: Duration) -> io::Result<()> {
        self.queue = None;
        let mut waited = Duration::ZERO;
        while !self.thread.is_finished() {
            if waited >= patience {
                let left = self.pending.load(Ordering::Relaxed);
                let why = format!("it accepts no more, and the last {} are lost", counted(left, "report", "reports"));
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
            thread::sleep(STEP);
            waited = waited.saturating_add(STEP);
        }
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("its thread failed")))
    }
}

/// A report is dealt with.
fn done(pending: &AtomicU64) {
    let _ = pending.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |pending| pending.checked_sub(1));
}

fn pump(mut sink: Box<dyn Sink + Send>, reports: &Receiver<Arc<Report>>, pending: &AtomicU64) -> io::Result<()> {
    loop {
        match reports.recv_timeout(IDLE) {
            Ok(report) => {
                report.give(sink.as_mut())?;
                done(pending);
            }
            Err(RecvTimeoutError::Timeout) => sink.idle()?,
            Err(RecvTimeoutError::Disconnected) => return sink.finish(),
        }
    }
}

fn keep_on(mut sink: Box<dyn Sink + Send>, reports: &Receiver<Arc<Report>>, losses: &OutputLosses, pending: &AtomicU64) {
    let what = losses.what();
    loop {
        let (result, count) = match reports.recv_timeout(IDLE) {
            Ok(report) => (report.give(sink.as_mut()), 1),
            Err(RecvTimeoutError::Timeout) => (sink.idle(), 0),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        match result {
            Err(error) => {
                losses.lose(count, &error.to_string());
                if count > 0 && !losses.set_failing(true) {
                    say(format!("{what}: {error}; trying on"));
                }
            }
            Ok(()) if count > 0 => _ = losses.set_failing(false),
            Ok(()) => {}
        }
        if count > 0 {
            done(pending);
        }
    }
    if let Err(error) = sink.finish() {
        say(format!("{what}: {error}"));
    }
}

/// Reports that wait for an output: some megabytes.
const QUEUE: usize = 4096;
const STEP: Duration = Duration::from_millis(5);
/// How often an output without reports is woken, to rotate files and the like.
const IDLE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Handshake, samples};

    /// Takes nothing until it is let go.
    struct Stuck {
        release: Receiver<()>,
        taken: Arc<AtomicU64>,
    }

    impl Sink for Stuck {
        fn handshake(&mut self, _: &Handshake<'_>) -> io::Result<()> {
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
            outlet.give(&report, Duration::ZERO);
        }
        let (lost, why) = outlet.losses().all();
        // The thread may hold one.
        assert!(outlet.losses().what() == "a pipe" && why == "its reader is too slow" && (99..=100).contains(&lost), "{lost}: {why}");
        assert!(outlet.losses().trouble().unwrap().contains("its reader is too slow"));
        drop(let_go);
        outlet.finish(Duration::from_secs(5)).unwrap();
        assert_eq!(taken.load(Ordering::Relaxed) + lost, given);
    }

    /// Its disk is full, until it is not.
    struct Full(Arc<AtomicBool>);

    impl Sink for Full {
        fn handshake(&mut self, _: &Handshake<'_>) -> io::Result<()> {
            if self.0.load(Ordering::Relaxed) { Err(io::Error::other("No space left on device")) } else { Ok(()) }
        }

        fn finish(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_full_disk_costs_is_counted() {
        let full = Arc::new(AtomicBool::new(true));
        let outlet = Outlet::start("out.ndjson", Box::new(Full(Arc::clone(&full))), None);
        let report = Arc::new(Report::Handshake(Box::new(samples::completed())));
        for round in [7, 0] {
            for _ in 0..7 {
                outlet.give(&report, Duration::ZERO);
            }
            outlet.settle(Duration::from_secs(5));
            assert_eq!(outlet.losses().all().0, 7, "{round}");
            full.store(false, Ordering::Relaxed);
        }
        outlet.finish(Duration::from_secs(5)).unwrap();
    }

    #[test]
    fn an_end_waits_no_longer_than_it_is_told() {
        let (let_go, release) = bounded::<()>(0);
        let outlet = Outlet::start("a pipe", Box::new(Stuck { release, taken: Arc::default() }), Some(Arc::default()));
        let report = Arc::new(Report::Handshake(Box::new(samples::completed())));
        outlet.give(&report, Duration::ZERO);
        outlet.give(&report, Duration::ZERO);
        outlet.settle(Duration::from_millis(20));
        let error = outlet.finish(Duration::from_millis(20)).unwrap_err();
        assert!(error.to_string().contains("2 reports"), "{error}");
        drop(let_go);
    }
}
