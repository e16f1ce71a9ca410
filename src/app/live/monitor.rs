//! What is looked at beside the packets: time, interfaces, the process itself; and who is told of it.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::lag::Lag;
use super::losses::OutputLosses;
use super::owners;
use super::record::DeskCounters;
use crate::app::present::now;
use crate::capture::LiveStatus;
use crate::count::Count;
use crate::output::escape::escape;
use crate::output::metrics::{InterfaceLoad, Metrics};
use crate::output::say::say;
use crate::output::spool::SpoolCounters;
use crate::owners::Desk as Owners;
use crate::tui::Gauges;

/// How a run is told to end, and how long that may take.
#[derive(Debug, Clone, Default)]
pub(super) struct Ending {
    /// End, with the summary.
    pub(super) stop: Arc<AtomicBool>,
    /// The time for what was captured before is over.
    pub(super) hurry: Arc<AtomicBool>,
    /// When it was first seen that the run is to end.
    since: Arc<OnceLock<Instant>>,
}

impl Ending {
    /// Time left for the outputs, once the run is to end; all of it before.
    pub(super) fn left(&self) -> Duration {
        if !self.stop.load(Ordering::Relaxed) {
            return ENDED;
        }
        ENDED.saturating_sub(self.since.get_or_init(now).elapsed())
    }

    /// Sees whether the run is to end, and whether its time is over.
    fn look(&self) -> bool {
        let stopped = self.stop.load(Ordering::Relaxed);
        if stopped && self.since.get_or_init(now).elapsed() >= HURRY {
            self.hurry.store(true, Ordering::Relaxed);
        }
        stopped
    }
}

/// Looks at the time and at the interfaces.
pub(super) struct Watcher {
    pub(super) ending: Ending,
    /// Set when there is nothing left to watch.
    pub(super) done: Arc<AtomicBool>,
    pub(super) deadline: Option<Instant>,
    pub(super) status: LiveStatus,
    /// A view has the terminal and shows the interfaces itself.
    pub(super) quiet: bool,
}

impl Watcher {
    pub(super) fn run(self) {
        let mut down: Vec<bool> = Vec::new();
        while !self.done.load(Ordering::Relaxed) {
            if self.deadline.is_some_and(|deadline| now() >= deadline) {
                self.ending.stop.store(true, Ordering::Relaxed);
            }
            if self.ending.look() {
                thread::sleep(SHORT_LOOK);
                continue;
            }
            let interfaces = self.status.interfaces();
            down.resize(interfaces.len(), false);
            for (interface, was) in interfaces.iter().zip(&mut down) {
                if std::mem::replace(was, interface.down) != interface.down && !self.quiet {
                    let what = if interface.down { "is down or gone; waiting for it" } else { "is back" };
                    say(format!("{} {what}", interface.name));
                }
            }
            thread::sleep(LOOK);
        }
    }
}

/// What the metrics page is made of besides reports.
pub(super) struct Scrape {
    pub(super) metrics: Arc<Metrics>,
    pub(super) status: LiveStatus,
    pub(super) flows: Arc<AtomicU64>,
    pub(super) outputs: Vec<Arc<OutputLosses>>,
    pub(super) desk: Option<Arc<DeskCounters>>,
    pub(super) lag: Lag,
    pub(super) owners: Option<Owners>,
    pub(super) spool: Option<Arc<SpoolCounters>>,
}

impl Scrape {
    pub(super) fn text(&self) -> String {
        for interface in self.status.interfaces() {
            self.metrics.interface(&InterfaceLoad {
                name: &interface.name,
                frames: interface.frames.get(),
                bytes: interface.bytes.get(),
                dropped: interface.dropped.get(),
                up: !interface.down,
            });
        }
        let dropped = self.spool.as_ref().map_or(0, |spool| spool.bytes.load(Ordering::Relaxed));
        self.metrics.pace(self.lag.get().as_secs_f64(), dropped);
        self.metrics.load(self.flows.load(Ordering::Relaxed), resident_memory());
        for output in &self.outputs {
            self.metrics.lost(output.what(), output.all().0);
        }
        if let Some(desk) = &self.desk {
            self.metrics.recordings(desk.written.load(Ordering::Relaxed), desk.losses.all().0);
        }
        if let Some(owners) = &self.owners {
            let counts = owners.counts();
            self.metrics.owners(&counts.known, counts.late, counts.left_out);
        }
        self.metrics.text()
    }

    /// Not well is a capture whose interfaces are all gone, and one whose reports or recordings get lost.
    pub(super) fn healthy(&self) -> Result<(), String> {
        let interfaces = self.status.interfaces();
        let names: Vec<&str> = interfaces.iter().filter(|interface| interface.down).map(|interface| interface.name.as_str()).collect();
        let gone = (!names.is_empty() && names.len() == interfaces.len()).then(|| format!("{} down or gone", names.join(", ")));
        let losses = self.outputs.iter().map(AsRef::as_ref).chain(self.desk.iter().map(|desk| &desk.losses));
        let blind = self.owners.as_ref().and_then(|owners| owners::trouble(&owners.counts()));
        let troubles: Vec<String> = gone.into_iter().chain(losses.filter_map(OutputLosses::trouble)).chain(blind).collect();
        if troubles.is_empty() { Ok(()) } else { Err(escape(&troubles.join("; ")).into_owned()) }
    }
}

/// What the view shows in its first line.
pub(super) fn gauges(status: &LiveStatus, flows: &AtomicU64, lost: &OutputLosses) -> Gauges {
    let interfaces = status.interfaces();
    let names = interfaces.iter().map(|interface| format!("{}{}", interface.name, if interface.down { " (down)" } else { "" }));
    Gauges {
        interfaces: names.collect::<Vec<_>>().join(", "),
        frames: interfaces.iter().map(|interface| interface.frames).sum::<Count>().get(),
        bytes: interfaces.iter().map(|interface| interface.bytes).sum::<Count>().get(),
        dropped: interfaces.iter().map(|interface| interface.dropped).sum::<Count>().get(),
        flows: flows.load(Ordering::Relaxed),
        lost: lost.all().0,
    }
}

/// Bytes of this process in memory, where the system tells.
pub(super) fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// How often the clock and the interfaces are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// The same while the run ends.
const SHORT_LOOK: Duration = Duration::from_millis(20);
/// How long, from the signal on, what was captured is still judged.
const HURRY: Duration = Duration::from_secs(3);
/// And until when the outputs have to be done, so that the run ends within five seconds of the signal.
const ENDED: Duration = Duration::from_millis(4200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_an_end_begins_with_the_stop() {
        let ending = Ending::default();
        assert_eq!((ending.left(), ending.look()), (ENDED, false));
        assert!(ending.since.get().is_none());
        ending.stop.store(true, Ordering::Relaxed);
        assert!(ending.look() && ending.left() <= ENDED);
        assert!(ending.since.get().is_some() && !ending.hurry.load(Ordering::Relaxed));
    }
}
