//! What the arguments of several commands share: when to use colours, and the headings in `--help`.

use clap::ValueEnum;

use crate::output::style::Color;

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

pub(super) const ANALYSIS: &str = "Analysis";

pub(super) const OUTPUT: &str = "Output";

/// Beyond the number of partitions a thread has nothing to do; more are accepted so that scripts need not know it.
pub(super) const MOST_THREADS: i64 = 1024;

pub(super) const SELECTION: &str = "Which handshakes";
