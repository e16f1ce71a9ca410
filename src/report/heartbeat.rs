//! `kind: heartbeat` as types: a sensor is alive, and how it fares. Who hears none takes a sensor for dead, and not for a quiet one.

use std::time::Duration;

use super::class::Classes;
use crate::site::Observer;
use crate::time::Timestamp;

/// How a sensor fares. What is counted is counted since its run began.
#[derive(Debug, Clone, Default)]
pub struct Heartbeat {
    /// Who is alive.
    pub observer: Observer,
    /// When, by the sensor's clock.
    pub time: Timestamp,
    /// When its run began, by the same clock.
    pub started: Timestamp,
    /// How long it has run by a clock that is never set: where that is another span than between those, the clock was set.
    pub uptime: Duration,
    /// The number of this heartbeat in the run, from 1.
    pub sequence: u64,
    /// The run ends with it.
    pub last: bool,
    /// How long the latest packets waited before they were looked at.
    pub lag: Duration,
    /// Its interfaces.
    pub interfaces: Vec<InterfaceCounts>,
    /// Connections held.
    pub flows: u64,
    /// Handshakes told, by class.
    pub classes: Classes,
    /// Reports that outputs could not take.
    pub lost_reports: u64,
    /// Recordings written, and lost.
    pub recordings: u64,
    /// Recordings that could not be written.
    pub lost_recordings: u64,
    /// Files of the spool that made room for newer ones, and their bytes.
    pub spool_dropped_files: u64,
    /// Bytes of those.
    pub spool_dropped_bytes: u64,
    /// Bytes of this process in memory, where the system tells.
    pub memory: Option<u64>,
}

/// What an interface has brought.
#[derive(Debug, Clone, Default)]
pub struct InterfaceCounts {
    /// Its name.
    pub name: String,
    /// Packets captured.
    pub packets: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Packets that the kernel or the interface dropped.
    pub drops: u64,
    /// It is down or gone.
    pub down: bool,
}

impl Heartbeat {
    /// The same each time it is repeated.
    pub(super) fn event_id(&self) -> String {
        format!("heartbeat-{}-{}", self.started.nanos(), self.sequence)
    }
}
