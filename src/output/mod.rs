//! Beside the floors: presentation. Reports go in, bytes for people and programs come out. An output shows; it never judges.
//!
//! Invariant: no text of a report reaches a terminal but through [`escape`]; whatever a stranger put into a name stays text.

use std::io;

pub use crate::report::Sink;

pub mod again;
mod collect;
pub mod condensate;
pub mod csv;
#[cfg(feature = "parquet")]
pub mod dataset;
pub mod delivery;
pub mod diff;
pub mod escape;
pub mod expect;
pub mod explain;
pub mod figures;
pub mod fleet;
pub mod format;
pub mod formats;
pub mod html;
pub mod inventory;
pub mod json;
pub mod layout;
pub mod line;
pub mod markdown;
pub mod matched;
pub mod metrics;
pub mod ndjson;
pub mod pager;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod pcapng;
pub mod progress;
pub mod reproduction;
pub mod rotate;
pub mod say;
pub mod schema;
pub mod show;
pub mod spool;
pub mod style;
pub mod suggest;
pub mod text;
pub mod view;

/// A setting of the run, as reports to hand over name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    name: &'static str,
    value: String,
}

impl Setting {
    /// A setting's name and value.
    pub const fn new(name: &'static str, value: String) -> Self {
        Self { name, value }
    }
}

/// Turns the error of a reader that went away (`handshark … | head`) into `Ok(false)`: the run ends quietly. `Ok(true)`: go on.
pub fn unless_broken_pipe(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_pipe_ends_quietly() {
        assert!(unless_broken_pipe(Ok(())).unwrap());
        assert!(!unless_broken_pipe(Err(io::ErrorKind::BrokenPipe.into())).unwrap());
        assert_eq!(unless_broken_pipe(Err(io::ErrorKind::StorageFull.into())).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
