//! The TLS library of a side.

use serde::{Deserialize, Serialize};

pub use crate::handshake::stack::Speaker;

/// A TLS library, read from what a side sent. A hello can be imitated: it is never certain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct StackReport {
    /// Its name: `OpenSSL`, `BoringSSL`, `GnuTLS`, `NSS`, `Go`, `Java`…
    pub name: String,
    /// The program that uses it, where that shows: `curl`, `Python`, `Chromium`…
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub program: Option<String>,
    /// `strong` or `likely`.
    pub certainty: String,
}

impl From<Speaker> for StackReport {
    fn from(speaker: Speaker) -> Self {
        Self {
            name: speaker.stack.name().to_owned(),
            program: speaker.program.map(|program| program.name().to_owned()),
            certainty: speaker.certainty.name().to_owned(),
        }
    }
}
