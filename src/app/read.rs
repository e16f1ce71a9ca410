//! `handshark read`: captures in, reports out.

use std::io::{self, IsTerminal};
#[cfg(feature = "parquet")]
use std::path::{Path, PathBuf};

use super::job::Job;
#[cfg(feature = "parquet")]
use super::kept;
use super::{is_broken_pipe, naming, stop_on_signal};
use crate::capture::FrameSource;
use crate::cli::{self, Completed, FailOn, ReadOptions};
use crate::error::Error;
#[cfg(feature = "parquet")]
use crate::output::delivery::{Delivery, Manner};
use crate::output::format::{Look, Verbosity};
use crate::output::pager::{Pager, Paging};
#[cfg(feature = "parquet")]
use crate::output::parquet::ParquetSink;
use crate::output::{Sink, ndjson, text};
use crate::report::{Handshake, Incident, Summary, Tallies};

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
    let mut parquet = match options.parquet.as_deref() {
        None => None,
        Some(path) => {
            let side = beside(path);
            let all: Vec<&Path> =
                std::iter::once(path).chain(side.iter().flat_map(|(incidents, summary)| [incidents.as_path(), summary])).collect();
            let kept = kept(&options.inputs, &options.query, &all);
            let manner = Manner { force: options.force, inputs: &kept, ..Manner::default() };
            let tables = match side {
                Some((incidents, summary)) => Some((Delivery::begin(&incidents, &manner)?, Delivery::begin(&summary, &manner)?)),
                None => None,
            };
            Some(ParquetSink::new(Delivery::begin(path, &manner)?, tables).map_err(|source| failed(path, source))?)
        }
    };
    let done = {
        let mut emit = Emit {
            sink: sink.as_mut(),
            completed: if options.format == &ndjson::FORMAT { options.completed } else { Completed::All },
            tallies: Tallies::default(),
            fail_on: &options.fail_on,
            matched: &mut matched,
            #[cfg(feature = "parquet")]
            parquet: parquet.as_mut(),
            #[cfg(feature = "parquet")]
            parquet_failed: None,
        };
        let done = job.analyse(ready, &mut emit).map_err(|error| naming(error, on_stdout));
        #[cfg(feature = "parquet")]
        let done = match (emit.parquet_failed, &options.parquet) {
            (Some(source), Some(path)) => Err(failed(path, source).into()),
            _ => done,
        };
        done
    };
    #[cfg(feature = "parquet")]
    let done = match (done, parquet, &options.parquet) {
        (Ok(summary), Some(parquet), Some(path)) => {
            let whole = parquet.finish().map_err(|source| failed(path, source));
            whole.and_then(|files| files.into_iter().try_for_each(Delivery::deliver)).map(|()| summary).map_err(Into::into)
        }
        (done, ..) => done,
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
    parquet: Option<&'a mut ParquetSink<Delivery>>,
    /// Why the file besides could not be written.
    #[cfg(feature = "parquet")]
    parquet_failed: Option<io::Error>,
}

#[cfg(feature = "parquet")]
impl Emit<'_> {
    /// Writes into the file besides, if there is one. The error ends the run, and why is kept.
    fn besides(&mut self, write: impl FnOnce(&mut ParquetSink<Delivery>) -> io::Result<()>) -> io::Result<()> {
        let Some(parquet) = &mut self.parquet else { return Ok(()) };
        write(parquet).map_err(|error| {
            let stop = io::Error::new(error.kind(), "the Parquet file cannot be written");
            self.parquet_failed = Some(error);
            stop
        })
    }
}

impl Emit<'_> {
    /// Handshakes are over: tells the rest of those that were added up.
    fn rest(&mut self) -> io::Result<()> {
        self.tallies.finish().iter().try_for_each(|row| self.sink.tally(row))
    }
}

impl Sink for Emit<'_> {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        *self.matched |= self.fail_on.matches(handshake);
        #[cfg(feature = "parquet")]
        self.besides(|parquet| parquet.handshake(handshake))?;
        let told = self.completed.tells(handshake);
        if self.completed == Completed::Tallies && !handshake.handshake.provisional {
            self.tallies.add(handshake, told);
            self.tallies.take().iter().try_for_each(|row| self.sink.tally(row))?;
        }
        if told { self.sink.handshake(handshake) } else { Ok(()) }
    }

    fn incident(&mut self, incident: &Incident) -> io::Result<()> {
        #[cfg(feature = "parquet")]
        self.besides(|parquet| parquet.incident(incident))?;
        self.rest()?;
        self.sink.incident(incident)
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        #[cfg(feature = "parquet")]
        self.besides(|parquet| parquet.summary(summary))?;
        self.rest()?;
        self.sink.summary(summary)
    }
}

fn on_stdout(source: io::Error) -> Error {
    Error::Write { what: "standard output".to_owned(), source }
}

/// Where incidents and the summary go beside `night.parquet`: `night.incidents.parquet`, `night.summary.parquet`. What is called otherwise, as a
/// pipe is, has handshakes only.
#[cfg(feature = "parquet")]
fn beside(path: &Path) -> Option<(PathBuf, PathBuf)> {
    path.extension().filter(|extension| *extension == "parquet")?;
    Some((path.with_extension("incidents.parquet"), path.with_extension("summary.parquet")))
}

#[cfg(feature = "parquet")]
fn failed(path: &Path, source: io::Error) -> Error {
    Error::Write { what: path.display().to_string(), source }
}
