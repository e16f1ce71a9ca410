//! The arguments as clap sees them.

use std::path::PathBuf;

use clap::builder::{Styles, styling::AnsiColor};
use clap::{ArgAction, Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use super::forensics::{Certs, Diff, Match, Slice};
use super::live::Live;
use super::options::{DemoOptions, FailOn, ReadOptions};
use super::plan::Plan;
use super::selection::QueryArguments;
use super::shared::{CompletedArgument, MoreInputs, OUTPUT, ProgressArgument, ScreenArguments};
use super::{Command, values};
use crate::output::format::{Format, Verbosity};
use crate::output::formats::FORMATS;
use crate::output::{csv, ndjson};

/// Explains why a TLS handshake failed, who stopped it, and what to do.
///
/// handshark reads packet captures and diagnoses every TLS handshake in them: its outcome, the cause, who ended it, how sure
/// that is, the frames that prove it, what else it could be, and the fix. It is passive: it never sends a packet.
#[derive(Debug, Parser)]
#[command(
    name = "handshark",
    bin_name = "handshark",
    version,
    styles = STYLES,
    arg_required_else_help = true,
    subcommand_required = true,
    propagate_version = false,
    max_term_width = 100,
    override_usage = "handshark [read] [OPTIONS] FILE...\n       handshark show FILE... [ID]\n       handshark report FILE... -o report.html\n       handshark reproduce FILE... [ID]\n       handshark live -i IFACE [OPTIONS]\n       handshark slice|condense|plan|certs|inventory|incidents|diff|match …\n       handshark expect FILE.toml FILE...\n       handshark mcp DIR\n       handshark demo [--write FILE]\n       handshark explain [CAUSE|WORDS]\n       handshark completions SHELL",
    after_help = EXAMPLES,
    after_long_help = EXAMPLES,
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Read(Box<Read>),
    Live(Box<Live>),
    /// List the interfaces that can be watched, with their addresses
    Interfaces {
        /// Write one JSON object a line
        #[arg(long)]
        json: bool,
    },
    Slice(Box<Slice>),
    Condense(Box<super::condense::Condense>),
    Certs(Box<Certs>),
    Inventory(Box<super::stock::Inventory>),
    Expect(Box<super::expect::Expect>),
    Incidents(Box<super::fleet::Incidents>),
    Diff(Box<Diff>),
    Match(Box<Match>),
    Mcp(Box<super::mcp::Mcp>),
    Plan(Box<Plan>),
    Show(Box<super::present::Show>),
    Report(Box<super::present::Report>),
    Reproduce(Box<super::reproduce::Reproduce>),
    /// Show what handshark does: diagnose a bundled capture with five failed handshakes
    ///
    /// Needs no capture and no privileges. The handshakes were recorded between real programs: a path MTU black hole, a forged RST, a TLS version,
    /// an expired certificate, a mail server without STARTTLS.
    #[command(after_help = DEMO_EXAMPLES)]
    Demo {
        /// Write the capture to this file instead; - is standard output
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        write: Option<PathBuf>,
        /// Replace the file if it is there
        #[arg(long, requires = "write")]
        force: bool,
    },
    /// Explain a cause: what it means, how it is recognised, how to fix it
    ///
    /// Without a cause, lists all causes by family. Other words are looked up: the number or name of an alert, an error message. Needs no
    /// capture.
    #[command(
        after_help = "Examples:\n  handshark explain certificate-expired\n  handshark explain 48\n  handshark explain unknown_ca\n  handshark explain 'unable to get local issuer certificate'\n  handshark explain --json"
    )]
    Explain {
        /// A cause, as named in reports; or words to look up
        #[arg(value_name = "CAUSE|WORDS", hide_possible_values = true, value_parser = values::topic_parser())]
        about: Vec<String>,
        /// Write a line of JSON for each cause
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        screen: ScreenArguments,
    },
    /// Print a completion script for a shell
    #[command(after_help = "Examples:\n  handshark completions bash \\\n      > ~/.local/share/bash-completion/completions/handshark\n  \
                            handshark completions zsh > \"${fpath[1]}/_handshark\"\n  \
                            handshark completions fish > ~/.config/fish/completions/handshark.fish")]
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Print the manual page
    #[command(hide = true)]
    Man,
}

/// Read captures and explain why handshakes failed (the default: `handshark FILE` is `handshark read FILE`)
///
/// Reads pcap and pcapng, plain or compressed with gzip, zstd, lz4 or xz. The packets of several files are taken as one capture, in the
/// order of their times.
#[allow(clippy::struct_excessive_bools, reason = "flags of the command line")]
#[derive(Debug, Args)]
#[command(after_help = READ_EXAMPLES)]
struct Read {
    /// Captures: files, directories of them, or - for standard input
    #[arg(value_name = "FILE", required_unless_present = "more_inputs", num_args = 1.., value_hint = ValueHint::AnyPath)]
    inputs: Vec<PathBuf>,

    #[command(flatten)]
    more: MoreInputs,

    #[command(flatten)]
    query: QueryArguments,

    /// Write one JSON object a line: every handshake, every incident, a summary (docs/SCHEMA.md)
    #[arg(long, conflicts_with = "format", help_heading = OUTPUT)]
    json: bool,

    /// How JSON tells of handshakes that completed; all others are told one by one
    #[arg(long, value_name = "HOW", value_enum, default_value_t = CompletedArgument::All, help_heading = OUTPUT)]
    completed: CompletedArgument,

    /// Write comma-separated values, one row for each handshake: the same as --format csv
    #[arg(long, conflicts_with_all = ["format", "json"], help_heading = OUTPUT)]
    csv: bool,

    /// Also write Parquet: one row for each handshake, with nested columns as in docs/SCHEMA.md
    ///
    /// Beside NAME.parquet stand NAME.incidents.parquet and NAME.summary.parquet. A directory, or a name that ends in /, becomes a data set:
    /// handshakes/date=2026-11-28/site=NAME/sensor=NAME/, and incidents/ and summary/ beside it. The same captures again replace, with --force,
    /// just the rows that they gave before.
    #[arg(long, value_name = "FILE|DIR/", value_hint = ValueHint::AnyPath, value_parser = values::parquet_file(), help_heading = OUTPUT)]
    parquet: Option<PathBuf>,

    /// Replace the Parquet file, or the rows of these captures, if they exist
    #[arg(long, requires = "parquet", help_heading = OUTPUT)]
    force: bool,

    /// How to present the result
    #[arg(long, value_name = "FORMAT", default_value = FORMATS[0].name, value_parser = values::format_parser(), help_heading = OUTPUT)]
    format: &'static Format,

    /// List every handshake, including completed ones
    #[arg(short, long, conflicts_with = "quiet", help_heading = OUTPUT)]
    all: bool,

    /// Print one line for each failure and nothing else
    #[arg(short, long, conflicts_with = "verbose", help_heading = OUTPUT)]
    quiet: bool,

    /// Show parameters, timing and fingerprints of what failed
    #[arg(short, long, help_heading = OUTPUT)]
    verbose: bool,

    #[command(flatten)]
    screen: ScreenArguments,

    #[command(flatten)]
    progress: ProgressArgument,

    /// Exit with 1 if one of these is found: `failed` or another class, or causes, separated by commas
    ///
    /// The classes are those that the summary counts: `failed` (alerted, reset, closed, stalled, refused or answered in plaintext),
    /// `rejected-after-completion`, `completed-with-trouble`, `undecided`, `probe`, `completed`. A cause counts wherever it is the verdict:
    /// `certificate-expired,path-mtu-black-hole`.
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Append, hide_possible_values = true, value_parser = values::fail_on_parser(), help_heading = "For scripts")]
    fail_on: Vec<values::FailOnItem>,
}

impl From<Arguments> for Command {
    fn from(arguments: Arguments) -> Self {
        match arguments.action {
            Action::Read(read) => Self::Read(Box::new((*read).into())),
            Action::Live(live) => Self::Live(Box::new((*live).into())),
            Action::Interfaces { json } => Self::Interfaces { json },
            Action::Slice(slice) => Self::Slice(Box::new((*slice).into())),
            Action::Condense(condense) => Self::Condense(Box::new((*condense).into())),
            Action::Certs(certs) => Self::Certs(Box::new((*certs).into())),
            Action::Inventory(inventory) => Self::Inventory(Box::new((*inventory).into())),
            Action::Expect(expect) => Self::Expect(Box::new((*expect).into())),
            Action::Incidents(incidents) => Self::Incidents(Box::new((*incidents).into())),
            Action::Diff(diff) => Self::Diff(Box::new((*diff).into())),
            Action::Match(matched) => Self::Match(Box::new((*matched).into())),
            Action::Mcp(mcp) => Self::Mcp(Box::new((*mcp).into())),
            Action::Plan(plan) => Self::Plan(Box::new((*plan).into())),
            Action::Show(show) => Self::Show(Box::new((*show).into())),
            Action::Report(report) => Self::Report(Box::new((*report).into())),
            Action::Reproduce(reproduce) => Self::Reproduce(Box::new((*reproduce).into())),
            Action::Demo { write, force } => Self::Demo(DemoOptions { write, force }),
            Action::Explain { about, json, screen } => Self::Explain { about: about.join(" "), json, screen: screen.into() },
            Action::Completions { shell } => Self::Completions(shell),
            Action::Man => Self::Man,
        }
    }
}

impl From<Read> for ReadOptions {
    fn from(read: Read) -> Self {
        Self {
            inputs: read.more.before(read.inputs),
            query: read.query.into(),
            parquet: read.parquet,
            force: read.force,
            format: match (read.json, read.csv) {
                (true, _) => &ndjson::FORMAT,
                (_, true) => &csv::FORMAT,
                _ => read.format,
            },
            completed: read.completed.into(),
            all: read.all,
            verbosity: match (read.quiet, read.verbose) {
                (true, _) => Verbosity::Quiet,
                (false, false) => Verbosity::Normal,
                (false, true) => Verbosity::Verbose,
            },
            screen: read.screen.into(),
            progress: read.progress.is_shown() && !read.quiet,
            fail_on: FailOn::from_items(read.fail_on),
        }
    }
}

const STYLES: Styles = Styles::styled()
    .header(anstyle::Style::new().bold())
    .usage(anstyle::Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .error(AnsiColor::Red.on_default().bold())
    .valid(AnsiColor::Green.on_default())
    .invalid(AnsiColor::Yellow.on_default());

pub(super) const EXAMPLES: &str = "\
Examples:
  handshark night.pcapng                        why did handshakes fail?
  handshark --all -v night.pcapng               every handshake, in detail
  handshark --json *.pcap.zst | jq .diagnosis   for programs
  handshark --name '*.bank.test' /var/captures  one name, in a directory
  handshark -f 'host 192.0.2.1' /var/captures   one host
  tcpdump -i eth0 -U -w - | handshark -         read what tcpdump writes
  ssh gw tcpdump -U -w - port 443 | handshark - the same from afar
  sudo handshark live -i eth0                   watch an interface
  handshark show night.pcapng                   the first failure in full
  handshark report night.pcapng -o report.html  a page to hand over
  handshark slice night.pcapng --outcome failed -o failed.pcapng
  handshark inventory night.pcapng              who still needs what?
  handshark expect shop.toml canary.pcapng      is it as it should be?
  handshark diff yesterday.pcapng today.pcapng  what changed?
  handshark match client.pcap server.pcap       what happened in between?
  handshark reproduce night.pcapng 7d0f9a52     offer the same again
  handshark explain certificate-expired         what it means, how to fix it
  handshark demo                                see it without a capture
  handshark --fail-on failed test.pcap          for scripts: exit with 1

Exit codes:
  0  done, whatever was found
  1  done, and --fail-on matched
  2  could not be done: usage, a file that cannot be read, output not written
  130, 143  ended early by Ctrl-C or SIGTERM, with what had been read

Defaults stand in ~/.config/handshark/config, one option a line (--tz=local),
and in variables such as HANDSHARK_TZ; HANDSHARK_CONFIG names another file.

`handshark read --help` explains every option.";

pub(super) const DEMO_EXAMPLES: &str = "\
Examples:
  handshark demo                                 see what handshark says
  handshark demo --write demo.pcap               the capture to try more on";

pub(super) const READ_EXAMPLES: &str = "\
Examples:
  handshark read night.pcapng
  handshark read /var/captures --since 09:00 --until 09:30 --name '*.bank.test'
  handshark --all --where 'handshake.timing.total_us > 5000000' night.pcapng
  handshark --tz local -r night.pcapng
  handshark read --json --stall-after 3s a.pcap b.pcap > verdicts.ndjson
  handshark read night.pcapng -q --parquet night.parquet
  handshark read /condensed -q --parquet rows/
  handshark read --fail-on certificate-expired,no-common-version test.pcap
  handshark read --json --anonymize @key.txt night.pcapng > for-strangers.ndjson
  zcat old.pcap.gz | handshark read -

Exit codes: 0 done; 1 done and --fail-on matched; 2 could not be done.";
