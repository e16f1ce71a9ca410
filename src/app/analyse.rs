//! A run over captures whose reports a command wants to look at itself.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use crate::capture::{self, Inputs};
use crate::cli::Analysis;
use crate::diagnosis::rule::Policy;
use crate::output::progress::Progress;
use crate::pipeline;
use crate::report::Report;

/// Analyses captures, every handshake told packet by packet, and gives all reports to `emit` in order.
pub(super) fn analyse(
    inputs: &[PathBuf],
    analysis: &Analysis,
    progress: bool,
    emit: &mut dyn FnMut(Report) -> io::Result<()>,
) -> anyhow::Result<()> {
    let source = capture::open(&Inputs { paths: inputs.to_vec(), filter: analysis.filter.clone() })?;
    let stop = Arc::new(AtomicBool::new(false));
    super::read::stop_on_signal(&stop)?;
    let icmp_filtered = analysis.filter.as_deref().is_some_and(capture::excludes_icmp);
    let threads = analysis.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, std::num::NonZeroUsize::get);
    let run = pipeline::Options {
        threads,
        policy: Policy { stall_after: analysis.stall_after, icmp_filtered, ..Policy::default() },
        trust: super::read::trust(&analysis.trust)?,
        hold: Duration::MAX,
        timeline: true,
        stop,
        clock: None,
    };
    let mut progress = Progress::new(progress);
    let done = pipeline::run(source, &run, emit, &mut |at| progress.update(at.bytes, at.total, at.handshakes));
    progress.finish();
    done?;
    Ok(())
}

/// Whether an argument is standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}
