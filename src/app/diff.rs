//! `handshark diff`: what changed between two captures.

use std::path::PathBuf;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::job::Job;
use super::{stop_on_signal, unless_interrupted};
use crate::cli::DiffOptions;
use crate::compare::{Tally, diff};
use crate::output;
use crate::output::pager::{Pager, Paging};

/// Compares and shows.
pub(super) fn diff(options: &DiffOptions) -> anyhow::Result<()> {
    let stop = stop_on_signal()?;
    let before = tally(options, &options.before, &stop)?;
    let after = tally(options, &options.after, &stop)?;
    let differences = diff::compare(&before, &after);
    let layout = options.screen.layout(&options.query.zone);
    let mut out = Pager::new(if options.json { Paging::Never } else { options.screen.paging });
    let written =
        if options.json { output::json::line(&mut out, &differences) } else { output::diff::write(&mut out, &layout, &differences) };
    out.close().and(written).map_err(Into::into)
}

fn tally(options: &DiffOptions, path: &PathBuf, stop: &Arc<AtomicBool>) -> anyhow::Result<Tally> {
    let job = Job::new(slice::from_ref(path), &options.query, Arc::clone(stop));
    let mut tally = Tally::default();
    let summary = job.run(&mut tally)?;
    // Of half a capture most would have "vanished".
    unless_interrupted()?;
    tally.end(&summary);
    Ok(tally)
}
