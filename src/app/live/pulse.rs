//! Signs of life: how the run fares, told to all outputs now and then, so that a sensor that is dead or blind does not look like a quiet one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::lag::Lag;
use super::losses::OutputLosses;
use super::monitor::resident_memory;
use super::record::DeskCounters;
use crate::app::present::now;
use crate::capture::LiveStatus;
use crate::output::spool::SpoolCounters;
use crate::owners::Desk as Owners;
use crate::report::{Classes, Handshake, Heartbeat, InterfaceCounts, Observer};
use crate::time::{Clock, Timestamp};

/// Tells when a heartbeat is due, and makes it.
pub(super) struct Pulse {
    pub(super) observer: Observer,
    pub(super) clock: Clock,
    pub(super) status: LiveStatus,
    pub(super) flows: Arc<AtomicU64>,
    pub(super) lag: Lag,
    /// Who knows whose the ends of connections are, if that is asked for.
    pub(super) owners: Option<Owners>,
    pub(super) outputs: Vec<Arc<OutputLosses>>,
    pub(super) desk: Option<Arc<DeskCounters>>,
    pub(super) spool: Option<Arc<SpoolCounters>>,
    /// How often.
    pub(super) every: Duration,
    pub(super) beats: Beats,
}

/// What was told so far.
pub(super) struct Beats {
    started: Timestamp,
    begun: Instant,
    next: Instant,
    sequence: u64,
    classes: Classes,
}

impl Beats {
    /// The run begins now.
    pub(super) fn begin(clock: &Clock) -> Self {
        let begun = now();
        Self { started: clock.now(), begun, next: begun, sequence: 0, classes: Classes::default() }
    }
}

impl Pulse {
    /// A handshake is over.
    pub(super) fn count(&mut self, handshake: &Handshake<'_>) {
        self.beats.classes.add(handshake.class());
    }

    /// A heartbeat, if it is time.
    pub(super) fn due(&mut self) -> Option<Heartbeat> {
        let at = now();
        if at < self.beats.next {
            return None;
        }
        // What was missed while the machine was asleep is not made up for.
        self.beats.next = at.checked_add(self.every)?;
        Some(self.beat(false))
    }

    /// A heartbeat now; with `last`, the run's end.
    pub(super) fn beat(&mut self, last: bool) -> Heartbeat {
        self.beats.sequence = self.beats.sequence.saturating_add(1);
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let interfaces = self.status.interfaces();
        let interfaces = interfaces.iter().map(|interface| InterfaceCounts {
            name: interface.name.clone(),
            packets: interface.frames.get(),
            bytes: interface.bytes.get(),
            drops: interface.dropped.get(),
            down: interface.down,
        });
        Heartbeat {
            observer: self.observer.clone(),
            time: self.clock.now(),
            started: self.beats.started,
            uptime: self.beats.begun.elapsed(),
            sequence: self.beats.sequence,
            last,
            lag: self.lag.get(),
            interfaces: interfaces.collect(),
            flows: count(&self.flows),
            classes: self.beats.classes,
            lost_reports: self.outputs.iter().map(|output| output.all().0).fold(0, u64::saturating_add),
            recordings: self.desk.as_ref().map_or(0, |desk| count(&desk.written)),
            lost_recordings: self.desk.as_ref().map_or(0, |desk| desk.losses.all().0),
            spool_dropped_files: self.spool.as_ref().map_or(0, |spool| count(&spool.files)),
            spool_dropped_bytes: self.spool.as_ref().map_or(0, |spool| count(&spool.bytes)),
            memory: resident_memory(),
        }
    }
}
