//! A run over captures whose reports a command wants to look at itself.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::case::Case;
use crate::cli::Analysis;
use crate::find::Criteria;
use crate::output::progress::Progress;
use crate::report::Report;

/// Analyses captures, every handshake told packet by packet, and gives all reports to `emit` in order.
pub(super) fn analyse(
    inputs: &[PathBuf],
    analysis: &Analysis,
    progress: bool,
    mut emit: &mut dyn FnMut(Report) -> io::Result<()>,
) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    super::read::stop_on_signal(&stop)?;
    let case = Case { inputs, analysis, criteria: &Criteria::default(), anonymize: None, stop, timeline: true };
    let mut progress = Progress::new(progress);
    let done = case.run(&mut emit, &mut |at| progress.update(at.bytes, at.total, at.handshakes));
    progress.finish();
    done?;
    Ok(())
}

/// Whether an argument is standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}
