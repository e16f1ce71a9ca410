//! `handshark read`: captures in, reports out.

use std::io::{self, IsTerminal};

use super::job::Job;
#[cfg(feature = "parquet")]
use super::parquet::Tables;
use super::{is_broken_pipe, naming, stop_on_signal};
use crate::capture::FrameSource;
use crate::cli::{self, Completed, FailOn, ReadOptions};
use crate::error::Error;
use crate::output::format::{Look, Verbosity};
use crate::output::pager::{Pager, Paging};
use crate::output::{Sink, ndjson, text};
use crate::report::{Handshake, Incident, Summary, Tallies, Tally};

/// Reads captures and shows the verdicts. Gives the exit code.
pub(super) fn read(options: &ReadOptions) -> anyhow::Result<u8> {
    read_from(options, None)
}

/// The same with frames from elsewhere, where they are given.
pub(super) fn read_from(options: &ReadOptions, source: Option<Box<dyn FrameSource>>) -> anyhow::Result<u8> {
    let on_terminal = io::stdout().is_terminal();
    let look = options.look(options.screen.layout(&options.query.zone), on_terminal);
    let job = Job {
        // On the same terminal as the output it would be in its way.
        progress: options.progress && !((options.format.streams)(&look) && on_terminal),
        ..Job::new(&options.inputs, &options.query, stop_on_signal()?)
    };
    // What comes from elsewhere is in no file.
    let elsewhere = source.is_some();
    let ready = source.map_or_else(|| job.prepare(), |source| job.prepare_with(source))?;
    // What comes as it is written cannot be read again, and is not held back.
    let piped = job.piped();
    let again = look.again.clone().filter(|_| !piped && !elsewhere);
    let look = Look { at_once: look.at_once || piped, again, ..look };
    let paged = !piped && options.format == &text::FORMAT && options.verbosity != Verbosity::Quiet;
    let mut out = Pager::new(if paged { options.screen.paging } else { Paging::Never });
    let mut sink = (options.format.sink)(Box::new(&mut out), &look);
    let mut matched = false;
    #[cfg(feature = "parquet")]
    let mut rows = options.parquet.as_deref().map(|path| Tables::begin(path, options)).transpose()?;
    let done = {
        let mut emit = Emit {
            sink: sink.as_mut(),
            completed: if options.format == &ndjson::FORMAT { options.completed } else { Completed::All },
            tallies: Tallies::default(),
            fail_on: &options.fail_on,
            matched: &mut matched,
            #[cfg(feature = "parquet")]
            rows: rows.as_mut(),
        };
        job.analyse(ready, &mut emit).map_err(|error| naming(error, on_stdout))
    };
    #[cfg(feature = "parquet")]
    let done = match (done, rows) {
        (done, None) => done,
        (Ok(summary), Some(rows)) => rows.finish().map(|()| summary),
        (Err(error), Some(mut rows)) => Err(rows.problem().map_or(error, Into::into)),
    };
    let ended = done.and_then(|_| sink.finish().map_err(|source| on_stdout(source).into()));
    if ended.is_err() {
        // What was found before the trouble is still worth printing.
        let _ = sink.finish();
    }
    drop(sink);
    let ended = out.close().map_err(|source| on_stdout(source).into()).and(ended);
    let code = if matched { cli::EXIT_MATCHED } else { cli::EXIT_DONE };
    match ended {
        Err(error) if !is_broken_pipe(&error) => Err(error),
        // Done; or the reader had enough: a quiet end.
        _ => Ok(code),
    }
}

/// Where the reports go: to the sink, past what looks at them on the way.
struct Emit<'a> {
    sink: &'a mut dyn Sink,
    completed: Completed,
    tallies: Tallies,
    fail_on: &'a FailOn,
    matched: &'a mut bool,
    #[cfg(feature = "parquet")]
    rows: Option<&'a mut Tables>,
}

impl Emit<'_> {
    /// Handshakes are over: tells the rest of those that were added up.
    fn rest(&mut self) -> io::Result<()> {
        let rows = self.tallies.finish();
        rows.iter().try_for_each(|row| self.tally(row))
    }
}

impl Sink for Emit<'_> {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        *self.matched |= self.fail_on.matches(handshake);
        #[cfg(feature = "parquet")]
        self.rows.as_mut().map_or(Ok(()), |rows| rows.handshake(handshake))?;
        let told = self.completed.tells(handshake);
        if self.completed == Completed::Tallies && !handshake.handshake.provisional {
            self.tallies.add(handshake, told);
            let rows = self.tallies.take();
            rows.iter().try_for_each(|row| self.tally(row))?;
        }
        if told { self.sink.handshake(handshake) } else { Ok(()) }
    }

    fn incident(&mut self, incident: &Incident) -> io::Result<()> {
        #[cfg(feature = "parquet")]
        self.rows.as_mut().map_or(Ok(()), |rows| rows.incident(incident))?;
        self.rest()?;
        self.sink.incident(incident)
    }

    fn tally(&mut self, tally: &Tally) -> io::Result<()> {
        #[cfg(feature = "parquet")]
        self.rows.as_mut().map_or(Ok(()), |rows| rows.tally(tally))?;
        self.sink.tally(tally)
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        #[cfg(feature = "parquet")]
        self.rows.as_mut().map_or(Ok(()), |rows| rows.summary(summary))?;
        self.rest()?;
        self.sink.summary(summary)
    }
}

fn on_stdout(source: io::Error) -> Error {
    Error::Write { what: "standard output".to_owned(), source }
}
