//! Floor 5: why. Rules look at facts and say what went wrong; the judge picks the cause among what they say.
//!
//! Rules stand by family under [`rules`]. They never touch bytes, packets or a clock.

pub mod against;
mod aged;
mod attempts;
pub mod case;
pub mod cause;
pub mod chain;
mod checkers;
mod clear;
pub mod clock;
pub mod contrast;
pub mod elsewhere;
pub mod finding;
pub mod ftp;
mod hearing;
mod ignored;
pub mod imitation;
mod issuers;
pub mod judge;
pub mod knowledge;
pub mod knowledge_store;
mod later;
pub mod logged;
mod lookups;
pub mod manners;
pub mod offer;
mod openings;
pub mod page;
pub mod policy;
pub mod portals;
pub mod published;
pub mod quality;
pub mod races;
pub mod remedy;
pub(crate) mod row;
pub mod rule;
pub mod rules;
pub mod sayings;
pub mod signs;
mod sockets;
#[cfg(test)]
pub mod testing;
mod tickets;
mod ttls;
mod unreachable;
pub mod view;
pub mod visits;

pub use cause::Cause;
pub use judge::{Verdict, judge};
