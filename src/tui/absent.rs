//! The live view in a build without it.

use std::io;

#[path = "gauges.rs"]
mod gauges;

pub use self::gauges::{Form, Gauges, Links, Wish};

/// This build has no view.
pub const AVAILABLE: bool = false;

/// Shows nothing.
///
/// # Errors
/// Always.
pub fn run(_: &Links<'_>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
