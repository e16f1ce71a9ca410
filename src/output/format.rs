//! What a way to present a result is ([`super::formats`] lists them), and how it is to look.

use std::io::Write;

use super::Sink;
use super::again::Again;
use super::layout::Layout;

/// A way to present a result.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is for, in a line of `--help`.
    pub about: &'static str,
    /// Whether it writes while reading goes on: on the same terminal, progress would be in its way.
    pub streams: fn(&Look) -> bool,
    /// Makes the output on a buffered stream.
    pub sink: for<'a> fn(Box<dyn Write + 'a>, &Look) -> Box<dyn Sink + 'a>,
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// How it is to look.
#[derive(Debug, Clone)]
pub struct Look {
    /// Every handshake, the completed ones too.
    pub all: bool,
    /// How much to say.
    pub verbosity: Verbosity,
    /// Columns, colours and time zone.
    pub layout: Layout,
    /// Send every line on its way at once: for pipes.
    pub at_once: bool,
    /// How the captures can be looked at again, where they can.
    pub again: Option<Again>,
}

/// How much to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// A line for each failure.
    Quiet,
    /// Summary, incidents, failures.
    Normal,
    /// With parameters, timing and fingerprints.
    Verbose,
}
