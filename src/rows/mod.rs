//! Beside the floors: rows that other runs wrote (`--json`), read back, and what a fleet of sensors makes of them together.
//!
//! - `line`: a line of NDJSON as a [`Row`]; `fleet`: the rows of all sensors in order of time, handed to the tracker that forms incidents, and
//!   which sensors were not heard of.
//!
//! Invariant: a row that comes twice counts once, in whatever order rows come.

mod fleet;
mod line;
mod owner;
#[cfg(test)]
mod tests;

pub use fleet::Fleet;
pub use line::{Beat, Handshake, Row, Tallied, read};
