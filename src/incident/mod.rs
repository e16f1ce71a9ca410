//! Floor 6: incidents. Handshakes of one cause at one server and name, over time: when it began, how many of how many, whom it hit, and what
//! changed at that moment.

mod fallback;
mod history;
mod observation;
mod owners;
mod tracker;

#[cfg(test)]
mod tests;

pub use observation::{Judged, Leaf, Observation, Reason};
pub use tracker::Tracker;
