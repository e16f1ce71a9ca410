//! The arguments of `show` and `report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::options::{ReportFormat, ReportOptions, ShowOptions};
use super::selection::QueryArguments;
use super::shared::{MoreInputs, OUTPUT, ProgressArgument, SELECTION, ScreenArguments};

/// Captures, and which handshake of theirs.
#[derive(Debug, Args)]
pub(super) struct InputsAndId {
    /// Captures: files, directories of them, or - for standard input; then the handshake's ID
    #[arg(value_name = "FILE... [ID]", required_unless_present = "more_inputs", num_args = 1.., value_hint = ValueHint::AnyPath)]
    inputs: Vec<PathBuf>,

    #[command(flatten)]
    more: MoreInputs,
}

/// Show one handshake in full: every packet as a ladder, times, hellos, certificates, diagnosis
///
/// Which one: by its ID, or the first one that the options below select, failed ones first; without either,
/// the first one that failed.
#[derive(Debug, Args)]
#[command(after_help = SHOW_EXAMPLES)]
pub(super) struct Show {
    #[command(flatten)]
    inputs: InputsAndId,

    /// The handshake's ID, or the first digits of it
    #[arg(long, value_name = "ID", help_heading = SELECTION)]
    id: Option<String>,

    /// Show this many, instead of one
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000), help_heading = SELECTION)]
    most: u16,

    #[command(flatten)]
    query: QueryArguments,

    #[command(flatten)]
    screen: ScreenArguments,

    /// Write each handshake as a line of JSON, with its timeline
    #[arg(long, help_heading = OUTPUT)]
    json: bool,

    #[command(flatten)]
    progress: ProgressArgument,
}

/// Write one file to hand over: a self-contained HTML page, or Markdown for a ticket
///
/// The page loads nothing and runs nothing from elsewhere: it can be mailed, archived, and opened without a network.
#[derive(Debug, Args)]
#[command(after_help = REPORT_EXAMPLES)]
pub(super) struct Report {
    /// Captures: files, directories of them, or - for standard input
    #[arg(value_name = "FILE", required_unless_present = "more_inputs", num_args = 1.., value_hint = ValueHint::AnyPath)]
    inputs: Vec<PathBuf>,

    #[command(flatten)]
    more: MoreInputs,

    /// Where to write; - is standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = OUTPUT)]
    output: Option<PathBuf>,

    /// Replace the output if it exists; write a page to a terminal
    #[arg(long, help_heading = OUTPUT)]
    force: bool,

    /// What to write
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Html, help_heading = OUTPUT)]
    format: Format,

    #[command(flatten)]
    query: QueryArguments,

    #[command(flatten)]
    progress: ProgressArgument,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A page for a browser
    Html,
    /// Markdown, for a ticket
    Md,
}

impl From<Show> for ShowOptions {
    fn from(show: Show) -> Self {
        let (inputs, id) = show.inputs.and(show.id);
        Self {
            inputs,
            id,
            most: usize::from(show.most),
            json: show.json,
            query: show.query.into(),
            screen: show.screen.into(),
            progress: show.progress.is_shown(),
        }
    }
}

impl From<Report> for ReportOptions {
    fn from(report: Report) -> Self {
        Self {
            inputs: report.more.before(report.inputs),
            output: report.output,
            force: report.force,
            format: match report.format {
                Format::Html => ReportFormat::Html,
                Format::Md => ReportFormat::Markdown,
            },
            query: report.query.into(),
            progress: report.progress.is_shown(),
        }
    }
}

impl InputsAndId {
    /// The captures, and the handshake's ID: behind the files, unless a file has that very name or it was given by itself.
    pub(super) fn and(self, mut id: Option<String>) -> (Vec<PathBuf>, Option<String>) {
        let mut inputs = self.more.before(self.inputs);
        let last = inputs.last().filter(|_| id.is_none() && inputs.len() > 1);
        if let Some(text) = last.and_then(|path| path.to_str()).filter(|text| is_id(text) && !std::path::Path::new(text).exists()) {
            id = Some(text.to_owned());
            inputs.pop();
        }
        (inputs, id)
    }
}

/// Looks like the beginning of a handshake's ID.
fn is_id(text: &str) -> bool {
    (SHORTEST_ID..=16).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Digits of an ID that are taken for one.
const SHORTEST_ID: usize = 4;

pub(super) const SHOW_EXAMPLES: &str = "\
Examples:
  handshark show night.pcapng                              the first that failed
  handshark show night.pcapng 7d0f9a52c1e4b386             the one with this ID
  handshark show night.pcapng --name www.example.test -n 3 three with this name
  handshark show night.pcapng --cause path-mtu-black-hole --width 200
  handshark show night.pcapng --where 'handshake.timing.total_us > 5000000'";

pub(super) const REPORT_EXAMPLES: &str = "\
Examples:
  handshark report night.pcapng -o report.html
  handshark report /var/captures --since 09:00 --until 10:00 -o report.html
  handshark report night.pcapng --anonymize @key.txt -o report.html
  handshark report night.pcapng --format md | xclip              for a ticket";
