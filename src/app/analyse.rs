//! A run over captures whose reports a command wants to look at itself.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::case::Case;
use crate::anonymize::Key;
use crate::cli::Analysis;
use crate::find::Criteria;
use crate::output::progress::Progress;
use crate::report::{Report, SummaryReport};

/// Captures, how to look at them, what to look for.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) inputs: &'a [PathBuf],
    pub(super) analysis: &'a Analysis,
    pub(super) criteria: &'a Criteria,
    pub(super) anonymize: Option<&'a Key>,
    /// The summary gives the SHA-256 of each file.
    pub(super) hashes: bool,
    pub(super) progress: bool,
}

impl Reading<'_> {
    /// Analyses the captures, every handshake told packet by packet, and gives all reports to `emit` in order. Gives the summary.
    pub(super) fn run(&self, mut emit: &mut dyn FnMut(Report) -> io::Result<()>) -> anyhow::Result<SummaryReport> {
        let stop = Arc::new(AtomicBool::new(false));
        super::read::stop_on_signal(&stop)?;
        let case = Case {
            inputs: self.inputs,
            analysis: self.analysis,
            criteria: self.criteria,
            anonymize: self.anonymize,
            stop,
            timeline: true,
            hashes: self.hashes,
        };
        let mut progress = Progress::new(self.progress);
        let done = case.run(&mut emit, &mut |at| progress.update(at.bytes, at.total, at.handshakes));
        progress.finish();
        done
    }
}

/// Whether an argument is standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}
