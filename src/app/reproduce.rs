//! `handshark reproduce`: what offers one handshake again.

use std::io::{self, Write};

use anyhow::bail;

use super::job::Job;
use super::show::{Found, only_files_and_id};
use super::stop_on_signal;
use crate::cli::{ReproduceForm, ReproduceOptions};
use crate::output::pager::Pager;
use crate::output::reproduction::Reproduction;

/// Reads captures and tells what offers the handshake again that is asked for; without such, the first that failed, or the first.
pub(super) fn reproduce(options: &ReproduceOptions) -> anyhow::Result<()> {
    only_files_and_id(&options.inputs, options.id.as_deref())?;
    let mut found = Found::new(1, options.id.as_deref(), None, &options.query.zone, Reproduction::of);
    let job = Job { progress: options.progress, ..Job::new(&options.inputs, &options.query, stop_on_signal()?) };
    let summary = job.run(&mut found)?;
    let Some(Some(found)) = found.settle(&summary)?.first() else { bail!("the handshake is not known well enough to offer it again") };
    match options.form {
        ReproduceForm::Text => {
            let mut out = Pager::new(options.screen.paging);
            let written = found.text(&mut out, &options.screen.layout(&options.query.zone));
            out.close().and(written)?;
        }
        ReproduceForm::Json => found.json(&mut io::stdout().lock())?,
        ReproduceForm::Script => {
            let mut out = io::stdout().lock();
            if !found.script(&mut out)? {
                let why = found.imitation.differs.unwrap_or("it is not known what its server would have to be like.");
                bail!("there is no server to run against: {why} Without --script, the command for the real server is shown");
            }
            out.flush()?;
        }
    }
    Ok(())
}
