//! Floor 8: the command line. Arguments go in, validated options come out; nothing is opened or read here.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::{CommandFactory, FromArgMatches};
use clap_complete::Shell;

use crate::output::escape::escape;
use crate::output::say::say_lines;

mod args;
mod condense;
mod config;
mod default;
mod expect;
mod fleet;
mod forensics;
mod live;
mod mcp;
mod options;
mod plan;
mod present;
mod reproduce;
mod selection;
mod shared;
mod stock;
mod tips;
mod values;

pub use config::{CONFIG, Setting, of_environment, settings};
pub use fleet::IncidentsOptions;
pub use live::{LiveCommand, OutputFile, RecordOptions, Shown};
pub use options::{
    Analysis, CertsOptions, Completed, CondenseOptions, DemoOptions, DiffOptions, ExpectOptions, FailOn, InventoryOptions, MatchOptions,
    McpOptions, Query, ReadOptions, ReportFormat, ReportOptions, ReproduceForm, ReproduceOptions, Screen, Secrets, ShowOptions,
    SliceOptions, Stocked, Trust,
};
pub use plan::{PathPattern, PlanOptions};

/// Exit code: done.
pub const EXIT_DONE: u8 = 0;
/// Exit code: done, and `--fail-on` matched.
pub const EXIT_MATCHED: u8 = 1;
/// Exit code: the command could not be done.
pub const EXIT_FAILED: u8 = 2;

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Read captures.
    Read(Box<ReadOptions>),
    /// Watch interfaces.
    Live(Box<LiveCommand>),
    /// List interfaces.
    Interfaces {
        /// As NDJSON.
        json: bool,
    },
    /// Write the packets of chosen handshakes.
    Slice(Box<SliceOptions>),
    /// Write certificates.
    Certs(Box<CertsOptions>),
    /// Tell who offers, chooses and completes what.
    Inventory(Box<InventoryOptions>),
    /// Hold captures against what should be true.
    Expect(Box<ExpectOptions>),
    /// Form the incidents of a fleet.
    Incidents(Box<IncidentsOptions>),
    /// Compare two captures in time.
    Diff(Box<DiffOptions>),
    /// Compare two captures in space.
    Match(Box<MatchOptions>),
    /// Serve captures to an agent.
    Mcp(Box<McpOptions>),
    /// Divide an archive into windows.
    Plan(Box<PlanOptions>),
    /// Show one handshake.
    Show(Box<ShowOptions>),
    /// Write a report.
    Report(Box<ReportOptions>),
    /// Tell what offers one handshake again.
    Reproduce(Box<ReproduceOptions>),
    /// Keep of captures what handshakes need that begin in a window of time.
    Condense(Box<CondenseOptions>),
    /// Diagnose the bundled capture, or write it.
    Demo(DemoOptions),
    /// Explain a cause, or list all.
    Explain {
        /// A cause's name, or words to look up; nothing for all causes.
        about: String,
        /// As lines of JSON.
        json: bool,
        /// How it is shown.
        screen: Screen,
    },
    /// Print a completion script.
    Completions(Shell),
    /// Print the manual page.
    Man,
}

/// Reads arguments, the program's name first, with settings from elsewhere where they leave something open. The error is a usage error, or help or the version to be printed: its `print` and
/// `exit_code` know which.
pub fn parse(arguments: impl IntoIterator<Item = OsString>, settings: &[Setting]) -> Result<Command, clap::Error> {
    let mut command = command();
    let mut arguments = default::with_subcommand(&command, arguments.into_iter().collect());
    if !settings.is_empty() {
        command.build();
        arguments = config::with_settings(&mut command, arguments, settings)?;
    }
    let mut matches = command.try_get_matches_from_mut(&arguments).map_err(|mut error| {
        tips::add(&mut error, &mut command, &arguments);
        error
    })?;
    let parsed = args::Arguments::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))?;
    Ok(parsed.into())
}

/// Tells what [`parse`] gave instead of a command: help and version as they are, mistakes without what acts on a terminal.
pub fn tell(mut error: clap::Error) {
    use clap::error::{ContextValue, ErrorKind};
    let is_help =
        matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
    if is_help {
        #[allow(clippy::disallowed_methods, reason = "nothing of it comes from outside")]
        let _ = error.print();
        return;
    }
    // A line break in a word would look like one of the message.
    let contexts: Vec<_> = error.context().map(|(kind, value)| (kind, value.clone())).collect();
    for (kind, value) in contexts {
        let value = match value {
            ContextValue::String(text) => ContextValue::String(escape(&text).into_owned()),
            ContextValue::Strings(texts) => ContextValue::Strings(texts.iter().map(|text| escape(text).into_owned()).collect()),
            other => other,
        };
        error.insert(kind, value);
    }
    say_lines(&error.render().to_string());
}

/// The command line's definition.
pub fn command() -> clap::Command {
    args::Arguments::command()
}

/// Writes a completion script.
pub fn completions(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    // clap_complete panics when writing fails; a Vec does not.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), NAME, &mut script);
    out.write_all(&script)
}

/// Writes the manual page in roff: the program's own and, behind it, those of its subcommands.
pub fn man(out: &mut dyn Write) -> io::Result<()> {
    let mut command = command();
    command.build();
    for sub in std::iter::once(&command).chain(command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")) {
        let (name, examples) = match sub.get_name() {
            NAME => (NAME.to_owned(), args::EXAMPLES),
            "read" => (format!("{NAME}-read"), args::READ_EXAMPLES),
            "live" => (format!("{NAME}-live"), live::LIVE_EXAMPLES),
            "slice" => (format!("{NAME}-slice"), forensics::SLICE_EXAMPLES),
            "certs" => (format!("{NAME}-certs"), forensics::CERTS_EXAMPLES),
            "inventory" => (format!("{NAME}-inventory"), stock::INVENTORY_EXAMPLES),
            "expect" => (format!("{NAME}-expect"), expect::EXPECT_EXAMPLES),
            "incidents" => (format!("{NAME}-incidents"), fleet::INCIDENTS_EXAMPLES),
            "diff" => (format!("{NAME}-diff"), forensics::DIFF_EXAMPLES),
            "match" => (format!("{NAME}-match"), forensics::MATCH_EXAMPLES),
            "mcp" => (format!("{NAME}-mcp"), mcp::MCP_EXAMPLES),
            "plan" => (format!("{NAME}-plan"), plan::EXAMPLES),
            "show" => (format!("{NAME}-show"), present::SHOW_EXAMPLES),
            "report" => (format!("{NAME}-report"), present::REPORT_EXAMPLES),
            "reproduce" => (format!("{NAME}-reproduce"), reproduce::REPRODUCE_EXAMPLES),
            "demo" => (format!("{NAME}-demo"), args::DEMO_EXAMPLES),
            other => (format!("{NAME}-{other}"), ""),
        };
        // clap_mangen would fill the examples like prose.
        clap_mangen::Man::new(sub.clone().name(name).after_help(None::<&str>).after_long_help(None::<&str>)).render(out)?;
        if !examples.is_empty() {
            writeln!(out, ".SH EXAMPLES\n.nf\n{}\n.fi", roff(examples.trim_start_matches("Examples:\n")))?;
        }
    }
    Ok(())
}

/// Text for roff: backslashes and hyphens mean something to it, and so do dots and apostrophes at the start of a line.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let lines: Vec<_> =
        text.lines().map(|line| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }).collect();
    lines.join("\n")
}

/// The program's name.
const NAME: &str = "handshark";

#[cfg(test)]
mod tests;
