//! What is looked at beside the packets: time, interfaces, the process itself; and who is told of it.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::record::DeskCounters;
use crate::capture::LiveStatus;
use crate::count::Count;
use crate::output::metrics::{InterfaceLoad, Metrics};
use crate::output::say::say;
use crate::time::{Clock, Timestamp};
use crate::tui::Gauges;

/// Looks at the time and at the interfaces.
pub(super) struct Watcher {
    pub(super) stop: Arc<AtomicBool>,
    pub(super) deadline: Option<Instant>,
    pub(super) status: LiveStatus,
    /// A view has the terminal and shows the interfaces itself.
    pub(super) quiet: bool,
}

impl Watcher {
    pub(super) fn run(self) {
        let mut down: Vec<bool> = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            if self.deadline.is_some_and(|deadline| now() >= deadline) {
                self.stop.store(true, Ordering::Relaxed);
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
    pub(super) lost: Vec<(String, Arc<AtomicU64>)>,
    pub(super) desk: Option<Arc<DeskCounters>>,
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
        self.metrics.load(self.flows.load(Ordering::Relaxed), resident_memory());
        for (output, lost) in &self.lost {
            self.metrics.lost(output, lost.load(Ordering::Relaxed));
        }
        if let Some(desk) = &self.desk {
            self.metrics.recordings(desk.written.load(Ordering::Relaxed), desk.lost.load(Ordering::Relaxed));
        }
        self.metrics.text()
    }
}

/// Not well is a capture whose interfaces are all gone.
pub(super) fn healthy(status: &LiveStatus) -> Result<(), String> {
    let interfaces = status.interfaces();
    let names: Vec<&str> = interfaces.iter().filter(|interface| interface.down).map(|interface| interface.name.as_str()).collect();
    if !names.is_empty() && names.len() == interfaces.len() { Err(format!("{} down or gone", names.join(", "))) } else { Ok(()) }
}

/// What the view shows in its first line.
pub(super) fn gauges(status: &LiveStatus, flows: &AtomicU64, lost: &AtomicU64) -> Gauges {
    let interfaces = status.interfaces();
    let names = interfaces.iter().map(|interface| format!("{}{}", interface.name, if interface.down { " (down)" } else { "" }));
    Gauges {
        interfaces: names.collect::<Vec<_>>().join(", "),
        frames: interfaces.iter().map(|interface| interface.frames).sum::<Count>().get(),
        bytes: interfaces.iter().map(|interface| interface.bytes).sum::<Count>().get(),
        dropped: interfaces.iter().map(|interface| interface.dropped).sum::<Count>().get(),
        flows: flows.load(Ordering::Relaxed),
        lost: lost.load(Ordering::Relaxed),
    }
}

/// Bytes of this process in memory, where the system tells.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The present, to measure a run's length.
#[allow(clippy::disallowed_methods, reason = "a live run measures real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// The system's clock, the one that stamps packets.
#[allow(clippy::disallowed_methods, reason = "a live run compares packet time with the present")]
pub(super) fn clock() -> Clock {
    Clock::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_parts(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
    })
}

/// How often the clock and the interfaces are looked at.
const LOOK: Duration = Duration::from_millis(200);
