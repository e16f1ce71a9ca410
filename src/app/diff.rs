//! `handshark diff`: what changed between two captures.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::case::Case;
use super::read::stop_on_signal;
use crate::cli::{self, DiffOptions};
use crate::compare::{Tally, diff};
use crate::output::layout::Layout;
use crate::output::progress::Progress;
use crate::output::{self, style, unless_broken_pipe};
use crate::report::Report;

/// Compares and shows. Gives the exit code.
pub(super) fn diff(options: &DiffOptions) -> anyhow::Result<u8> {
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signal(&stop)?;
    let before = tally(options, &options.before, &stop)?;
    let after = tally(options, &options.after, &stop)?;
    let differences = diff::compare(&before, &after);
    let stdout = io::stdout();
    let layout = Layout::new(style::terminal_width(), options.color.palette(&stdout));
    let mut out = BufWriter::new(stdout.lock());
    let written = if options.json {
        serde_json::to_writer(&mut out, &differences).map_err(io::Error::from).and_then(|()| writeln!(out))
    } else {
        output::diff::write(&mut out, &layout, &differences)
    };
    unless_broken_pipe(written.and_then(|()| out.flush()))?;
    Ok(cli::EXIT_DONE)
}

fn tally(options: &DiffOptions, path: &PathBuf, stop: &Arc<AtomicBool>) -> anyhow::Result<Tally> {
    let case = Case {
        inputs: std::slice::from_ref(path),
        analysis: &options.analysis,
        criteria: &options.criteria,
        anonymize: options.anonymize.as_ref(),
        stop: Arc::clone(stop),
        timeline: false,
        hashes: false,
    };
    let mut tally = Tally::default();
    let mut take = |report: Report| {
        if let Report::Handshake(handshake) = &report {
            tally.take(handshake);
        }
        Ok(())
    };
    let mut progress = Progress::new(true);
    let done = case.run(&mut take, &mut |at| progress.update(at.bytes, at.total, at.handshakes));
    progress.finish();
    tally.end(&done?);
    Ok(tally)
}
