//! Floor 8: what the binary does. Opens, wires and ends things; the only place that listens to signals.

mod analyse;
mod case;
mod certs;
mod delivery;
mod diff;
mod digest;
mod interfaces;
mod live;
mod matched;
mod read;
mod report;
mod show;
mod slice;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::cli::{self, Command};
use crate::output::layout::Layout;
use crate::output::{explain, style, unless_broken_pipe};

/// Runs the command line and gives the exit code: 0 done; 1 done, and `--fail-on` matched; 2 it could not be done.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = match cli::parse(arguments) {
        Ok(command) => command,
        Err(error) => {
            // Help and version are no errors: they go to standard output with exit code 0.
            let code = if error.exit_code() == 0 { cli::EXIT_DONE } else { cli::EXIT_FAILED };
            let _ = error.print();
            return code.into();
        }
    };
    match run(command) {
        Ok(code) => code.into(),
        Err(error) => {
            // Every message carries its reason; the chain of sources would say it twice.
            let _ = writeln!(io::stderr(), "handshark: {error}");
            cli::EXIT_FAILED.into()
        }
    }
}

fn run(command: Command) -> anyhow::Result<u8> {
    let out = io::stdout();
    let written = match command {
        Command::Read(options) => return read::read(&options),
        Command::Slice(options) => return slice::slice(&options),
        Command::Certs(options) => return certs::certs(&options),
        Command::Diff(options) => return diff::diff(&options),
        Command::Match(options) => return matched::matched(&options),
        Command::Live(command) => return live::live(&command),
        Command::Interfaces { json } => interfaces::list(&mut out.lock(), json)?,
        Command::Show(options) => {
            return done(show::show(&options));
        }
        Command::Report(options) => {
            return done(report::report(&options));
        }
        Command::Explain { cause, color } => {
            let layout = Layout::new(style::terminal_width(), color.palette(&out));
            match cause {
                Some(cause) => explain::page(&mut out.lock(), &layout, cause),
                None => explain::list(&mut out.lock(), &layout),
            }
        }
        Command::Completions(shell) => cli::completions(shell, &mut out.lock()),
        Command::Man => cli::man(&mut out.lock()),
    };
    unless_broken_pipe(written)?;
    Ok(cli::EXIT_DONE)
}

/// A reader that went away is no error.
fn done(result: anyhow::Result<()>) -> anyhow::Result<u8> {
    let broken = |error: &anyhow::Error| {
        let is_broken = |kind: io::ErrorKind| kind == io::ErrorKind::BrokenPipe;
        error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| is_broken(error.kind())))
    };
    match result {
        Err(error) if !broken(&error) => Err(error),
        _ => Ok(cli::EXIT_DONE),
    }
}
