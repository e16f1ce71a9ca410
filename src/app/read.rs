//! `handshark read`: captures in, reports out.

use std::io::{self, BufWriter, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::case::Case;
#[cfg(feature = "parquet")]
use super::delivery::Delivery;
use crate::cli::{self, FailOn, Format, ReadOptions, Verbosity};
use crate::error::Error;
use crate::output::csv::CsvSink;
use crate::output::layout::Layout;
use crate::output::line::LineSink;
use crate::output::markdown::MarkdownSink;
use crate::output::ndjson::NdjsonSink;
#[cfg(feature = "parquet")]
use crate::output::parquet::ParquetSink;
use crate::output::progress::Progress;
use crate::output::text::{TextOptions, TextSink};
use crate::output::{Sink, style};
use crate::pipeline::Outlet;
use crate::report::{Outline, Report};

/// Reads captures and shows the verdicts. Gives the exit code.
pub(super) fn read(options: &ReadOptions) -> anyhow::Result<u8> {
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signal(&stop)?;
    let case = Case {
        inputs: &options.inputs,
        analysis: &options.analysis,
        criteria: &options.criteria,
        anonymize: options.anonymize.as_ref(),
        stop,
        timeline: false,
        hashes: false,
    };
    let ready = case.prepare()?;
    let mut sink = sink(options, case.piped());
    let mut progress = Progress::new(options.progress);
    let mut matched = false;
    #[cfg(feature = "parquet")]
    let mut parquet = match options.parquet.as_deref() {
        None => None,
        Some(path) => {
            let delivery = Delivery::begin(path, &options.inputs)?;
            Some((ParquetSink::create(delivery.partial()).map_err(|source| failed(path, source))?, delivery))
        }
    };
    let done = {
        let mut emit = Emit {
            sink: sink.as_mut(),
            fail_on: &options.fail_on,
            matched: &mut matched,
            #[cfg(feature = "parquet")]
            parquet: parquet.as_mut().map(|(parquet, _)| parquet),
        };
        case.analyse(ready, &mut emit, &mut |at| progress.update(at.bytes, at.total, at.handshakes))
    };
    progress.finish();
    #[cfg(feature = "parquet")]
    if let (Some((parquet, delivery)), Some(path)) = (parquet, &options.parquet) {
        parquet.finish().map_err(|source| failed(path, source))?;
        delivery.deliver()?;
    }
    let ended = done.and_then(|_| sink.finish().map_err(|source| Error::Write { what: "standard output".to_owned(), source }.into()));
    let code = if matched { cli::EXIT_MATCHED } else { cli::EXIT_DONE };
    match ended {
        Ok(()) => Ok(code),
        // The reader had enough: a quiet end.
        Err(error) if is_broken_pipe(&error) => Ok(code),
        Err(error) => {
            // What was found before the trouble is still worth printing.
            let _ = sink.finish();
            Err(error)
        }
    }
}

/// Where the reports go: to the sink, past what looks at them on the way.
struct Emit<'a> {
    sink: &'a mut dyn Sink,
    fail_on: &'a FailOn,
    matched: &'a mut bool,
    #[cfg(feature = "parquet")]
    parquet: Option<&'a mut ParquetSink>,
}

impl Outlet for Emit<'_> {
    fn report(&mut self, report: Report) -> io::Result<()> {
        if let Report::Handshake(handshake) = &report {
            *self.matched |= self.fail_on.matches(handshake);
            #[cfg(feature = "parquet")]
            if let Some(parquet) = &mut self.parquet {
                parquet.take(handshake)?;
            }
        }
        self.sink.report(&report)
    }

    fn takes_outlines(&self) -> bool {
        #[cfg(feature = "parquet")]
        if self.parquet.is_some() {
            return false;
        }
        self.fail_on.is_empty() && self.sink.takes_outlines()
    }

    fn outline(&mut self, outline: &Outline<'_>) -> io::Result<()> {
        self.sink.outline(outline)
    }
}

#[cfg(feature = "parquet")]
fn failed(path: &std::path::Path, source: io::Error) -> Error {
    Error::Write { what: path.display().to_string(), source }
}

pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Write { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe)
}

fn sink(options: &ReadOptions, piped: bool) -> Box<dyn Sink> {
    let stdout = io::stdout();
    let palette = options.color.palette(&stdout);
    let interactive = stdout.is_terminal() || piped;
    let out = BufWriter::with_capacity(64 << 10, stdout);
    match (options.format, options.verbosity) {
        (Format::Json, _) => Box::new(NdjsonSink::new(out, interactive)),
        (Format::Csv, _) => Box::new(CsvSink::new(out)),
        (Format::Markdown, _) => Box::new(MarkdownSink::new(out)),
        (Format::Text, Verbosity::Quiet) => Box::new(LineSink::new(out, palette)),
        (Format::Text, verbosity) => {
            let layout = Layout::new(style::terminal_width(), palette);
            Box::new(TextSink::new(out, layout, TextOptions { all: options.all, verbose: verbosity == Verbosity::Verbose }))
        }
    }
}

/// The first signal asks for an end with the summary; the second ends at once.
pub(super) fn stop_on_signal(stop: &Arc<AtomicBool>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        for signal in &mut signals {
            if stop.swap(true, Ordering::Relaxed) {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        }
    });
    Ok(())
}
