//! `--where` in a build without its language: every expression is a mistake.

use std::fmt;

use crate::report::Handshake;

/// A condition: there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake;

impl Expression {
    /// Gives the mistake.
    pub const fn new(_: &str) -> Result<Self, Mistake> {
        Err(Mistake)
    }

    /// Whether it holds for a handshake.
    pub const fn takes(&self, _: &Handshake<'_>) -> Result<bool, String> {
        match *self {}
    }

    /// Whether it holds for a handshake that was written as a row.
    pub const fn takes_row(&self, _: &serde_json::Value) -> Result<bool, String> {
        match *self {}
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Mistake {
    /// The mistake; there is nothing to point at.
    pub fn pointed(&self, _: impl Fn(char) -> bool) -> String {
        self.to_string()
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this build knows no conditions; build one that does with `cargo build --release --features where`, or select otherwise",
        )
    }
}

impl std::error::Error for Mistake {}
