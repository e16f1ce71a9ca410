//! Beside the floors: what differs between two captures.
//!
//! - `tally`: what a capture shows of each service (the name asked for, or the address where none was); `diff`: what changed between two
//!   tallies, for "it worked yesterday".
//! - `vantage`: one connection's packets as seen at one of two points; `transit`: what became of them on the way, with `stream` and `pieces`;
//!   `verdict`: what became of the handshake between them, as findings of the catalogue's causes; `flood`: what many together show; `joined`:
//!   what `handshark match` says of it.
//!
//! Invariant: a difference is told when it cannot be chance: when one side has only what the other never had, or when the shares differ by
//! more than three standard errors.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

pub mod diff;
pub mod flood;
pub mod joined;
mod pieces;
pub mod point;
pub mod relayed;
pub mod stream;
mod tally;
pub mod transit;
pub mod vantage;
pub mod verdict;
mod words;

pub use tally::Tally;
