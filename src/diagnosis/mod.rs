//! Floor 5: why. Rules look at facts and say what went wrong; the judge picks the cause among what they say.
//!
//! A rule is one file in [`rules`] with one constant and one line in `rules/mod.rs`. It never touches bytes, packets or a clock.

pub mod cause;
pub mod rule;
pub mod rules;
pub mod chain;
pub mod knowledge;
pub mod remedy;
#[cfg(test)]
pub mod testing;
pub mod view;
