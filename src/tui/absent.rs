//! The live view in a build without it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam_channel::Receiver;

use crate::report::Report;
use crate::time::Clock;

#[path = "gauges.rs"]
mod gauges;

pub use self::gauges::Gauges;

/// This build has no view.
pub const AVAILABLE: bool = false;

/// Shows nothing.
///
/// # Errors
/// Always.
pub fn run(_: &Receiver<Arc<Report>>, _: &dyn Fn() -> Gauges, _: &Clock, _: &AtomicBool, _: bool) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
