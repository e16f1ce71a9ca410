//! From frames to reports: a reader, workers that own the partitions, a collector that judges and emits.
//!
//! ```text
//! reader (file, pipe, interface) ──► decode, route ──► worker 0..N-1 (tables, machines) ──► collector (judge, incidents, reports)
//! ```
//!
//! A flow belongs to one of a fixed number of partitions by its hash; a worker owns whole partitions. What happens at a given packet time
//! happens at a tick that every partition sees at the same frame, and the collector emits in the order of the frames at which handshakes
//! closed. So the output does not depend on how many workers there are.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

mod ahead;
mod batch;
mod collector;
mod condense;
mod elsewhere;
mod held;
mod late;
mod listening;
mod options;
mod partition;
mod point;
mod router;
mod run;
mod secrets;
mod sources;
mod summary;
mod twins;
mod worker;

pub use condense::{Condensed, Division, Kept, Window, condense};
pub use options::{Options, Progress};
pub use run::run;
