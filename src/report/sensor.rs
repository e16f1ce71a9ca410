//! `kind: sensor` as types: what whoever puts the rows of many sensors together knows of one of them.

use crate::site::Observer;
use crate::time::Timestamp;

/// A sensor, by its heartbeats.
#[derive(Debug, Clone)]
pub struct Sensed {
    /// The sensor.
    pub observer: Observer,
    /// How it is.
    pub state: SensorState,
    /// Its latest heartbeat, by its own clock; of a sensor without any, the time of its latest row.
    pub heard: Timestamp,
    /// When nothing was heard of it for too long: from and to.
    pub gaps: Vec<(Timestamp, Timestamp)>,
    /// Packets that were dropped there, since its run began.
    pub drops: u64,
    /// Reports that were lost there.
    pub lost_reports: u64,
}

/// How a sensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SensorState {
    /// It is heard of.
    Heard,
    /// It is not heard of any more, and did not say that it would end: what it would have seen is not known.
    Silent,
    /// Its run is over, by its own word.
    Ended,
}

impl SensorState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Heard, Self::Silent, Self::Ended];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heard => "heard",
            Self::Silent => "silent",
            Self::Ended => "ended",
        }
    }
}

impl Sensed {
    /// The same each time it is repeated.
    pub(super) fn event_id(&self) -> String {
        format!("sensor-{}-{}", self.state.name(), self.heard.nanos())
    }
}
