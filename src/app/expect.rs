//! `handshark expect`: whether captures show what should be true.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context as _, bail};

use super::{is_broken_pipe, sightings, unless_interrupted};
use crate::cli::{self, ExpectOptions};
use crate::error::Error;
use crate::expect::{Checker, Expectations, Learner};
use crate::output;
use crate::output::pager::{Pager, Paging};

/// Reads captures and rows, and holds them against the file; or writes a first file. Gives the exit code.
pub(super) fn expect(options: &ExpectOptions) -> anyhow::Result<u8> {
    match &options.file {
        Some(file) => check(options, file),
        None => learn(options).map(|()| cli::EXIT_DONE),
    }
}

fn check(options: &ExpectOptions, file: &Path) -> anyhow::Result<u8> {
    let expectations = Expectations::parse(&text_of(file)?).map_err(|mistake| anyhow::anyhow!("{}: {mistake}", file.display()))?;
    let mut checker = Checker::new(expectations);
    sightings::gather(&options.inputs, &options.query, options.progress, &mut |seen| checker.add(seen))?;
    let outcome = checker.outcome();
    let mut out = Pager::new(if options.json { Paging::Never } else { options.screen.paging });
    let written = if options.json {
        output::json::line(&mut out, &outcome)
    } else {
        output::expect::write(&mut out, &options.screen.layout(&options.query.zone), &outcome)
    };
    let written = written.and_then(|()| out.flush());
    let done: anyhow::Result<()> = out.close().and(written).map_err(Into::into);
    match done {
        Err(error) if !is_broken_pipe(&error) => Err(error),
        _ if outcome.as_expected => Ok(cli::EXIT_DONE),
        _ => Ok(cli::EXIT_MATCHED),
    }
}

fn learn(options: &ExpectOptions) -> anyhow::Result<()> {
    let mut learner = Learner::default();
    let gathered = sightings::gather(&options.inputs, &options.query, options.progress, &mut |seen| learner.add(seen))?;
    // Half of a capture teaches less than there is.
    unless_interrupted()?;
    if learner.handshakes() == 0 {
        bail!("no handshake was found to learn from");
    }
    let written = io::stdout().lock().write_all(learner.file(&gathered.inputs.join(", ")).as_bytes());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// What stands in the file; not more than anybody writes by hand.
fn text_of(path: &Path) -> anyhow::Result<String> {
    let cannot = |source| Error::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(cannot)?;
    let mut text = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut text).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let text = String::from_utf8(text).ok().filter(|text| text.len() as u64 <= LONGEST);
    let name = path.display();
    text.with_context(|| {
        format!("{name} is no file of expectations, which comes first, captures behind it; `handshark expect --learn CAPTURE` writes one")
    })
}

/// Bytes of a file of expectations.
const LONGEST: u64 = 4 << 20;
