//! How a run is asked for, and how it says how far it is.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::diagnosis::chain::TrustStore;
use crate::diagnosis::policy::Policy;
use crate::logs::Logs;
use crate::owners::Desk;
use crate::site::Observer;
use crate::time::Clock;

/// How a capture is to be analysed.
#[derive(Debug)]
pub struct Options {
    /// Threads that analyze, beside one that reads and the caller's, which judges and reports; 1 does everything in the caller's thread, unless the
    /// capture is live.
    pub threads: usize,
    /// Thresholds for the rules.
    pub policy: Policy,
    /// Whom to trust.
    pub trust: TrustStore,
    /// Logs of servers and clients, to be held against the verdicts.
    pub logs: Option<Arc<Logs>>,
    /// Where it is asked whose the ends are that lie on this host.
    pub owners: Option<Desk>,
    /// How long, in packet time, a verdict may wait for what other handshakes show.
    pub hold: Duration,
    /// Reports tell their handshakes packet by packet ([`crate::report::timeline`]).
    pub timeline: bool,
    /// Set from outside to stop early: what was read by then is reported. A live source ends by itself.
    pub stop: Arc<AtomicBool>,
    /// Set from outside when the end may take no longer: what is not judged by then is counted and not reported.
    pub hurry: Arc<AtomicBool>,
    /// Who reads the capture, where nothing in it says so.
    pub observer: Observer,
    /// Tells the present when the capture is live: handshakes are then watched while nothing arrives, and stalls told while they last.
    pub clock: Option<Clock>,
}

impl Options {
    /// Of captures that are there as a whole, read by one thread: a verdict waits for all that they show.
    pub fn of_captures(trust: TrustStore) -> Self {
        Self {
            threads: 1,
            policy: Policy::default(),
            trust,
            logs: None,
            owners: None,
            hold: Duration::MAX,
            timeline: false,
            stop: Arc::default(),
            hurry: Arc::default(),
            observer: Observer::NONE,
            clock: None,
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of input consumed.
    pub bytes: u64,
    /// Bytes of input in all, where known.
    pub total: Option<u64>,
    /// Handshakes reported so far.
    pub handshakes: u64,
    /// Connections held.
    pub flows: u64,
}
