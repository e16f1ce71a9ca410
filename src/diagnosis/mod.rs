//! Floor 5: why. Rules look at facts and say what went wrong; the judge picks the cause among what they say.
//!
//! A rule is one file in a family's folder under [`rules`] with one constant and one line in the family's `mod.rs`. It never touches bytes,
//! packets or a clock.

pub mod against;
mod aged;
mod attempts;
pub mod book;
pub mod cause;
pub mod chain;
mod issuers;
pub mod judge;
pub mod knowledge;
pub mod manners;
pub mod page;
pub mod quality;
pub mod remedy;
pub mod rule;
pub mod rules;
pub mod signs;
#[cfg(test)]
pub mod testing;
mod tickets;
pub mod view;
pub mod visits;

pub use cause::Cause;
pub use judge::{Verdict, judge};
