//! What the arguments of several commands share: when to use colours, and the headings in `--help`.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum, ValueHint};

use super::options::{Completed, Screen};
use crate::output::pager::Paging;
use crate::output::style::Color;

/// How it is shown on a terminal.
#[derive(Debug, Args)]
pub(super) struct ScreenArguments {
    /// When to use colours (auto: on a terminal, unless `NO_COLOR` is set; elsewhere too with `FORCE_COLOR` or `CLICOLOR_FORCE`)
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto, help_heading = OUTPUT)]
    color: When,

    /// Use no colours: the same as --color never
    #[arg(long, conflicts_with = "color", help_heading = OUTPUT)]
    no_color: bool,

    /// Write for so many columns instead of the terminal's: 40 to 1000
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=1000), help_heading = OUTPUT)]
    width: Option<u16>,

    /// When to show it in a pager (auto: on a terminal, when it is longer than the screen)
    ///
    /// The pager is what `HANDSHARK_PAGER` or `PAGER` names, else less.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto, help_heading = OUTPUT)]
    paging: When,
}

impl From<ScreenArguments> for Screen {
    fn from(arguments: ScreenArguments) -> Self {
        Self {
            color: if arguments.no_color { Color::Never } else { arguments.color.into() },
            width: arguments.width.map(usize::from),
            paging: match arguments.paging {
                When::Auto => Paging::Auto,
                When::Always => Paging::Always,
                When::Never => Paging::Never,
            },
        }
    }
}

/// Captures beside those that a command names.
#[derive(Debug, Args)]
pub(super) struct MoreInputs {
    /// The same as FILE (repeatable), as tcpdump and tshark name it
    #[arg(short = 'r', long = "read-file", value_name = "FILE", action = ArgAction::Append, value_hint = ValueHint::FilePath)]
    more_inputs: Vec<PathBuf>,
}

impl MoreInputs {
    /// These and those.
    pub(super) fn before(self, mut others: Vec<PathBuf>) -> Vec<PathBuf> {
        let mut all = self.more_inputs;
        all.append(&mut others);
        all
    }
}

/// Whether the terminal shows how far a command got.
#[derive(Debug, Args)]
pub(super) struct ProgressArgument {
    /// Show no progress on standard error
    #[arg(long, help_heading = OUTPUT)]
    no_progress: bool,
}

impl ProgressArgument {
    pub(super) const fn is_shown(&self) -> bool {
        !self.no_progress
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

impl From<When> for Color {
    fn from(when: When) -> Self {
        match when {
            When::Auto => Self::Auto,
            When::Always => Self::Always,
            When::Never => Self::Never,
        }
    }
}

/// How JSON tells of handshakes that completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CompletedArgument {
    /// One by one
    All,
    /// Added up by minute, server, name and version
    Tallies,
    /// Not at all: without them there is no rate
    None,
}

impl From<CompletedArgument> for Completed {
    fn from(argument: CompletedArgument) -> Self {
        match argument {
            CompletedArgument::All => Self::All,
            CompletedArgument::Tallies => Self::Tallies,
            CompletedArgument::None => Self::None,
        }
    }
}

pub(super) const ANALYSIS: &str = "Analysis";

pub(super) const OUTPUT: &str = "Output";

/// Beyond the number of partitions a thread has nothing to do; more are accepted so that scripts need not know it.
pub(super) const MOST_THREADS: i64 = 1024;

pub(super) const SELECTION: &str = "Which handshakes";
