//! Floor 4: one handshake, followed from the first packet of its connection to the moment it is settled.
//!
//! Over TCP [`machine`] follows it, over UDP [`datagrams`]. The machine is an observer, not an endpoint: it records what was said, when, in which frame, and resynchronises after
//! anything odd. What it gathers are the [`facts`]; it draws no conclusions beyond stage, outcome and who ended it, which follow from the
//! facts by definition.

pub mod alerts;
mod concluding;
mod contents;
pub mod datagrams;
mod decrypt;
mod ending;
pub mod fact;
pub mod facts;
mod following;
pub mod ftp;
pub mod greeting;
mod hidden;
mod history;
mod later_auth;
pub mod lookups;
pub mod machine;
mod messages;
mod notes;
mod outcome;
pub mod overhear;
pub mod padding;
mod pending;
mod records;
mod relayed;
pub mod relevance;
pub mod renegotiation;
pub mod shared;
mod silence;
mod ssl2;
pub mod stack;
mod stage;
pub mod tally;
mod tunnelled;

pub use facts::{Handshake, Observed};
