//! `handshark read`: captures in, reports out.

use std::io::{self, BufWriter, IsTerminal};

use super::case::Case;
#[cfg(feature = "parquet")]
use super::delivery::Delivery;
use super::{is_broken_pipe, stop_on_signal};
use crate::cli::{self, FailOn, ReadOptions};
use crate::error::Error;
#[cfg(feature = "parquet")]
use crate::output::parquet::ParquetSink;
use crate::output::{Sink, style};
use crate::pipeline::Outlet;
use crate::report::{Outline, Report};

/// Reads captures and shows the verdicts. Gives the exit code.
pub(super) fn read(options: &ReadOptions) -> anyhow::Result<u8> {
    let stdout = io::stdout();
    let case = Case {
        // On the same terminal as the output it would be in its way.
        progress: options.progress && !(options.streams() && stdout.is_terminal()),
        ..Case::new(&options.inputs, &options.query, stop_on_signal()?)
    };
    let ready = case.prepare()?;
    let (palette, at_once) = (options.color.palette(&stdout), stdout.is_terminal() || case.piped());
    let mut sink = options.sink(BufWriter::with_capacity(64 << 10, stdout), palette, style::terminal_width(), at_once);
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
        case.analyse(ready, &mut emit)
    };
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
