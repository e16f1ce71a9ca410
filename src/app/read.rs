//! `handshark read`: captures in, reports out.

use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::capture::{self, Inputs};
use crate::cli::{self, Format, ReadOptions, Trust, Verbosity};
use crate::diagnosis::chain::TrustStore;
use crate::diagnosis::rule::Policy;
use crate::error::Error;
use crate::output::csv::CsvSink;
use crate::output::layout::Layout;
use crate::output::line::LineSink;
use crate::output::markdown::MarkdownSink;
use crate::output::ndjson::NdjsonSink;
use crate::output::progress::Progress;
use crate::output::text::{TextOptions, TextSink};
use crate::output::{Sink, style};
use crate::pipeline;
use crate::report::Report;

/// How long a verdict read from a pipe may wait, in packet time, for what other handshakes show.
const HOLD_ON_A_PIPE: Duration = Duration::from_secs(30);

/// Reads captures and shows the verdicts. Gives the exit code.
pub(super) fn read(options: &ReadOptions) -> anyhow::Result<u8> {
    let stop = Arc::new(AtomicBool::new(false));
    let source = capture::open_until(&Inputs { paths: options.inputs.clone(), filter: options.filter.clone() }, &stop)?;
    let source = capture::with_key_logs(source, &options.keylogs)?;
    let piped = options.inputs.iter().any(|path| comes_as_it_is_written(path));
    stop_on_signal(&stop)?;
    let icmp_filtered = options.filter.as_deref().is_some_and(capture::excludes_icmp);
    if icmp_filtered {
        writeln!(
            io::stderr(),
            "handshark: the filter leaves out ICMP: path MTU and unreachable verdicts lose their witness (add `or icmp or icmp6`)"
        )?;
    }
    let threads = options.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, std::num::NonZeroUsize::get);
    let run = pipeline::Options {
        threads,
        policy: Policy { stall_after: options.stall_after, icmp_filtered, ..Policy::default() },
        trust: trust(&options.trust)?,
        hold: if piped { HOLD_ON_A_PIPE } else { Duration::MAX },
        timeline: false,
        stop,
        clock: None,
    };
    let mut sink = sink(options, piped);
    let mut progress = Progress::new(options.progress);
    let mut matched = false;
    let done = {
        let mut emit = |report: Report| {
            if let Report::Handshake(handshake) = &report {
                matched |= options.fail_on.matches(handshake);
            }
            sink.report(&report)
        };
        pipeline::run(source, &run, &mut emit, &mut |at| progress.update(at.bytes, at.total, at.handshakes))
    };
    progress.finish();
    let ended = done.and_then(|_| sink.finish().map_err(|source| Error::Write { what: "standard output".to_owned(), source }));
    match ended {
        Ok(()) => Ok(if matched { cli::EXIT_MATCHED } else { cli::EXIT_DONE }),
        // The reader had enough: a quiet end.
        Err(Error::Write { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => {
            Ok(if matched { cli::EXIT_MATCHED } else { cli::EXIT_DONE })
        }
        Err(error) => {
            // What was found before the trouble is still worth printing.
            let _ = sink.finish();
            Err(error.into())
        }
    }
}

/// Standard input, or a FIFO or device by its path: somebody may wait for what its packets show.
fn comes_as_it_is_written(path: &Path) -> bool {
    path == Path::new("-") || fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

pub(super) fn trust(wanted: &Trust) -> anyhow::Result<TrustStore> {
    if wanted.is_empty() {
        return Ok(TrustStore::none());
    }
    let mut store = if wanted.system { TrustStore::system() } else { TrustStore::none() };
    if !wanted.files.is_empty() {
        store = store.joined(TrustStore::from_files(&wanted.files)?);
    }
    for directory in &wanted.directories {
        store = store.joined(TrustStore::from_dir(directory)?);
    }
    Ok(store)
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
