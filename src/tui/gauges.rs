//! What the view is connected to: what it shows, and what it asks for.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam_channel::Receiver;

use crate::report::Report;
use crate::time::{Clock, Zone};

/// How the capture is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gauges {
    /// What is watched, in a word or two: `eth0, eth1 (down)`.
    pub interfaces: String,
    /// Packets taken.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets lost for want of room.
    pub dropped: u64,
    /// Connections held.
    pub flows: u64,
    /// Reports that came faster than they could be shown.
    pub lost: u64,
}

/// What is to be saved of what is selected.
#[derive(Debug, Clone)]
pub struct Wish {
    /// In which form.
    pub form: Form,
    /// The incident, where it is one, and the handshakes.
    pub reports: Vec<Arc<Report>>,
}

/// The forms in which it can be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Their packets, as pcapng.
    Packets,
    /// A page, as `report` writes it.
    Page,
}

/// The ends of the view.
#[allow(missing_debug_implementations, reason = "functions have nothing to show")]
pub struct Links<'a> {
    /// What is found, as it comes.
    pub reports: &'a Receiver<Arc<Report>>,
    /// How the capture is doing.
    pub gauges: &'a dyn Fn() -> Gauges,
    /// Saves, and says where it is or why it cannot be.
    pub save: &'a dyn Fn(&Wish) -> Result<String, String>,
    /// Why nothing can be saved in this run, where that is so.
    pub cannot_save: Option<&'static str>,
    /// Whether handshakes may tell whose their ends are.
    pub processes: bool,
    /// The time.
    pub clock: &'a Clock,
    /// Whether the run is to end.
    pub stop: &'a AtomicBool,
    /// Whether to colour.
    pub color: bool,
    /// The zone of all times.
    pub zone: &'a Zone,
}
