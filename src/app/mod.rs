//! Floor 8: what the binary does. Opens, wires and ends things; the only place that listens to signals.

mod certs;
mod condense;
mod confinement;
mod demo;
mod diff;
mod digest;
mod expect;
mod incidents;
mod interfaces;
mod inventory;
mod job;
mod live;
mod logs;
mod matched;
#[cfg(all(feature = "mcp", target_os = "linux"))]
mod mcp;
#[cfg(feature = "parquet")]
mod parquet;
mod plan;
mod present;
mod read;
mod report;
mod reproduce;
mod settings;
mod show;
mod sightings;
mod slice;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::{self, Command, Query};
use crate::error::Error;
use crate::output::escape::escape;
use crate::output::pager::{self, Pager};
use crate::output::say::{say, say_lines};
use crate::output::{delivery, explain};
use crate::time::Zone;

/// Runs the command line and gives the exit code: 0 done; 1 done, and `--fail-on` matched; 2 it could not be done; 128 and the signal's number when
/// one ended it before its end.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.first().is_some_and(|name| name == live::owners::NAME) {
        return live::owners::look(&arguments);
    }
    let settings = match settings::gather() {
        Ok(settings) => settings,
        Err(error) => {
            // Who asks for help or the version gets it all the same.
            if let Err(asked) = cli::parse(arguments, &[])
                && asked.exit_code() == 0
            {
                cli::tell(asked);
                return cli::EXIT_DONE.into();
            }
            say(with_reasons(&error));
            return cli::EXIT_FAILED.into();
        }
    };
    let command = match cli::parse(arguments, &settings) {
        Ok(command) => command,
        Err(error) => {
            // Help and version are no errors: they go to standard output with exit code 0.
            let code = if error.exit_code() == 0 { cli::EXIT_DONE } else { cli::EXIT_FAILED };
            cli::tell(error);
            return code.into();
        }
    };
    let done = run(command);
    if let Err(error) = &done {
        say(with_reasons(error));
        for line in error.downcast_ref::<show::Choice>().iter().flat_map(|choice| &choice.list) {
            say_lines(&escape(line));
        }
    }
    match (INTERRUPTED.load(Ordering::Relaxed), done) {
        (0, Ok(code)) => code.into(),
        (0, Err(_)) => cli::EXIT_FAILED.into(),
        // As shells tell of a program that a signal has ended.
        (signal, _) => u8::try_from(signal.saturating_add(128)).unwrap_or(cli::EXIT_FAILED).into(),
    }
}

/// The message with those of its reasons that it does not carry itself.
fn with_reasons(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .reduce(|told, reason| if told.contains(&reason) { told } else { format!("{told}: {reason}") })
        .unwrap_or_default()
}

/// Says where output could not be written, where the error says only that.
fn naming(error: anyhow::Error, name: impl FnOnce(io::Error) -> Error) -> anyhow::Error {
    match error.downcast::<Error>() {
        Ok(Error::Write { source, .. }) => name(source).into(),
        Ok(other) => other.into(),
        Err(error) => match error.downcast::<io::Error>() {
            Ok(source) => name(source).into(),
            Err(error) => error,
        },
    }
}

fn run(command: Command) -> anyhow::Result<u8> {
    let out = io::stdout();
    let done = match command {
        Command::Read(options) => return read::read(&options),
        Command::Expect(options) => return expect::expect(&options),
        Command::Live(command) => return live::live(&command),
        #[cfg(all(feature = "mcp", target_os = "linux"))]
        Command::Mcp(options) => return mcp::mcp(&options),
        #[cfg(not(all(feature = "mcp", target_os = "linux")))]
        Command::Mcp(_) => {
            anyhow::bail!("this build has no mcp; build one that does, on Linux, with `cargo build --release --features mcp`")
        }
        Command::Slice(options) => slice::slice(&options),
        Command::Condense(options) => condense::condense(&options),
        Command::Certs(options) => certs::certs(&options),
        Command::Inventory(options) => inventory::inventory(&options),
        Command::Incidents(options) => incidents::incidents(&options),
        Command::Diff(options) => diff::diff(&options),
        Command::Match(options) => matched::matched(&options),
        Command::Plan(options) => plan::plan(&options, &mut out.lock()),
        Command::Show(options) => show::show(&options),
        Command::Report(options) => report::report(&options),
        Command::Reproduce(options) => reproduce::reproduce(&options),
        Command::Demo(options) => demo::demo(&options),
        Command::Interfaces { json } => interfaces::list(&mut out.lock(), json),
        Command::Explain { about, json: true, .. } => {
            let found = explain::json(&mut out.lock(), &about);
            found.map_err(Into::into).and_then(|found| found.map_err(anyhow::Error::msg))
        }
        Command::Explain { about, screen, .. } => {
            let layout = screen.layout(&Zone::UTC);
            let mut out = Pager::new(screen.paging);
            let done = if about.is_empty() {
                explain::list(&mut out, &layout).map_err(Into::into)
            } else {
                let found = explain::about(&mut out, &layout, &about);
                found.map_err(Into::into).and_then(|found| found.map_err(anyhow::Error::msg))
            };
            out.close().map_err(Into::into).and(done)
        }
        Command::Completions(shell) => cli::completions(shell, &mut out.lock()).map_err(Into::into),
        Command::Man => cli::man(&mut out.lock()).map_err(Into::into),
    };
    match done {
        Err(error) if !is_broken_pipe(&error) => Err(error),
        _ => Ok(cli::EXIT_DONE),
    }
}

/// The reader of the output had enough, which is no error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    kinds.any(|kind| kind == io::ErrorKind::BrokenPipe)
}

/// Standard input, or output, as a path.
fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A flag for runs over captures: the first signal raises it, so that they end with their summary; the second ends at once.
fn stop_on_signal() -> io::Result<Arc<AtomicBool>> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let stop = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&stop);
    thread::spawn(move || {
        for signal in &mut signals {
            // The keys are the pager's, which ends when it is left.
            if signal == SIGINT && pager::is_shown() {
                continue;
            }
            if raised.swap(true, Ordering::Relaxed) {
                delivery::abandon();
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            INTERRUPTED.store(signal, Ordering::Relaxed);
            say("interrupted: ending with what has been read; a second signal ends at once");
        }
    });
    Ok(stop)
}

/// Fails when a signal came: for what would be wrong about half of its input.
fn unless_interrupted() -> anyhow::Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) == 0 {
        Ok(())
    } else {
        anyhow::bail!("that is not enough for this command: nothing was written")
    }
}

/// The signal that ended the run before its end; 0 when none did.
static INTERRUPTED: AtomicI32 = AtomicI32::new(0);

/// What no output may replace: the files that are read, key logs too, and of these outputs those that a directory among the inputs brings along.
fn kept(inputs: &[PathBuf], query: &Query, outputs: &[&Path]) -> Vec<PathBuf> {
    let found = outputs.iter().filter(|output| crate::capture::is_found(output, inputs)).map(|output| output.to_path_buf());
    inputs.iter().chain(&query.analysis.keylogs).chain(&query.logs).cloned().chain(found).collect()
}
