//! What the command line asks for, validated.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::values::FailOnItem;
use crate::anonymize::Key;
use crate::diagnosis::cause::Cause;
use crate::find::Criteria;
use crate::output::again::Again;
use crate::output::format::{Format, Look, Verbosity};
use crate::output::inventory::Table;
use crate::output::layout::Layout;
use crate::output::pager::Paging;
use crate::output::style::{self, Color};
use crate::report::{Class, Handshake};
use crate::site::Observer;
use crate::time::{Timestamp, Zone};

/// What to read, how to judge, how to show.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadOptions {
    /// Files, directories, or `-` for standard input; at least one, in the order given.
    pub inputs: Vec<PathBuf>,
    /// What is asked of the captures.
    pub query: Query,
    /// A Parquet file to write besides.
    pub parquet: Option<PathBuf>,
    /// Replace the Parquet file if it is there.
    pub force: bool,
    /// How to present the result.
    pub format: &'static Format,
    /// How JSON tells of what completed.
    pub completed: Completed,
    /// Every handshake, the completed ones too.
    pub all: bool,
    /// How much to say.
    pub verbosity: Verbosity,
    /// How it is shown.
    pub screen: Screen,
    /// Progress is wanted; whether it is shown depends on standard error.
    pub progress: bool,
    /// What makes the exit code 1.
    pub fail_on: FailOn,
}

/// How it is shown on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Screen {
    /// Whether to colour.
    pub color: Color,
    /// Columns to write for, if not the terminal's.
    pub width: Option<usize>,
    /// Whether to use a pager.
    pub paging: Paging,
}

impl Screen {
    /// The layout for standard output, with times of this zone.
    pub fn layout(&self, zone: &Zone) -> Layout {
        Layout::new(self.width.or_else(style::terminal_width), self.color.palette(&std::io::stdout())).in_zone(zone.clone())
    }
}

/// What is asked of captures.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// How they are analysed.
    pub analysis: Analysis,
    /// Which handshakes are asked for.
    pub criteria: Criteria,
    /// What makes the output anonymous.
    pub anonymize: Option<Key>,
    /// Logs of servers and clients to be held against the verdicts.
    pub logs: Vec<PathBuf>,
    /// The zone of the times that people are shown.
    pub zone: Zone,
}

impl Query {
    /// Handshakes as they are, under their own names.
    pub(super) fn new(criteria: impl Into<Criteria>, analysis: impl Into<Analysis>) -> Self {
        Self { analysis: analysis.into(), criteria: criteria.into(), anonymize: None, logs: Vec::new(), zone: Zone::UTC }
    }
}

/// How captures are analysed.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// A capture filter, not yet compiled.
    pub filter: Option<String>,
    /// Key log files, to decrypt with.
    pub keylogs: Vec<PathBuf>,
    /// No progress for longer than this, in packet time, is a stall: 1 ms to 24 h.
    pub stall_after: Duration,
    /// Threads that analyze; `None`: one for each processor.
    pub threads: Option<NonZeroUsize>,
    /// Who captured, as far as it is said.
    pub observer: Observer,
    /// Whose certificates are trusted.
    pub trust: Trust,
}

/// What to condense, and where to.
#[derive(Debug, Clone, PartialEq)]
pub struct CondenseOptions {
    /// Files and directories; at least one, in the order given.
    pub inputs: Vec<PathBuf>,
    /// How captures are analysed. Nothing is asked of handshakes.
    pub query: Query,
    /// Where the window begins and ends.
    pub since: Option<Timestamp>,
    /// The same.
    pub until: Option<Timestamp>,
    /// The directory from which names of files are told.
    pub root: Option<PathBuf>,
    /// The condensate to write; its name contains `{shard}` where there are several.
    pub output: PathBuf,
    /// Into how many shards it is divided, from 2 on.
    pub shards: Option<u16>,
    /// Replace it if it exists.
    pub force: bool,
    /// Whether TLS keys in the captures go along.
    pub secrets: Secrets,
}

/// Which handshake to show, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct ShowOptions {
    /// Files, directories, or `-` for standard input; at least one, in the order given.
    pub inputs: Vec<PathBuf>,
    /// The handshake's id, or its beginning.
    pub id: Option<String>,
    /// Handshakes to show at most.
    pub most: usize,
    /// As lines of JSON.
    pub json: bool,
    /// What is asked of the captures.
    pub query: Query,
    /// How it is shown.
    pub screen: Screen,
    /// Progress is wanted; whether it is shown depends on standard error.
    pub progress: bool,
}

/// Which handshake to offer again, and how to tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReproduceOptions {
    /// Files, directories, or `-` for standard input; at least one, in the order given.
    pub inputs: Vec<PathBuf>,
    /// The handshake's id, or its beginning.
    pub id: Option<String>,
    /// How to tell it.
    pub form: ReproduceForm,
    /// What is asked of the captures.
    pub query: Query,
    /// How it is shown.
    pub screen: Screen,
    /// Progress is wanted; whether it is shown depends on standard error.
    pub progress: bool,
}

/// How to write what offers a handshake again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReproduceForm {
    /// Commands with what they are for.
    Text,
    /// One JSON object.
    Json,
    /// A shell script.
    Script,
}

/// What to put into a report, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportOptions {
    /// Files, directories, or `-` for standard input; at least one, in the order given.
    pub inputs: Vec<PathBuf>,
    /// Where to write; `None` or `-` is standard output.
    pub output: Option<PathBuf>,
    /// Replace what is there; write a page to a terminal.
    pub force: bool,
    /// What to write.
    pub format: ReportFormat,
    /// What is asked of the captures.
    pub query: Query,
    /// Progress is wanted; whether it is shown depends on standard error.
    pub progress: bool,
}

/// What a report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// [`crate::output::html`].
    Html,
    /// [`crate::output::markdown`].
    Markdown,
}

impl ReadOptions {
    /// How it is to look.
    pub fn look(&self, layout: Layout, at_once: bool) -> Look {
        // What is made anonymous names no file.
        let again = if self.query.anonymize.is_none() { Again::new(&self.inputs, &self.query.analysis.keylogs) } else { None };
        Look { all: self.all, verbosity: self.verbosity, layout, at_once, again }
    }
}

/// What to do with the bundled capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoOptions {
    /// Where to write it; `-` for standard output. `None` diagnoses it.
    pub write: Option<PathBuf>,
    /// Replace what is there.
    pub force: bool,
}

/// What to cut out.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceOptions {
    /// Files and directories.
    pub inputs: Vec<PathBuf>,
    /// What is asked of the captures.
    pub query: Query,
    /// Where to write; `-` for standard output.
    pub output: PathBuf,
    /// Replace what is there.
    pub force: bool,
    /// Write every packet, whichever handshakes are chosen.
    pub all_packets: bool,
    /// What becomes of keys.
    pub secrets: Secrets,
}

/// What becomes of the TLS keys that a pcapng holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// Those of the chosen handshakes are kept.
    Keep,
    /// They are left out.
    Drop,
}

/// Whose certificates to write.
#[derive(Debug, Clone, PartialEq)]
pub struct CertsOptions {
    /// Files, directories, or `-`.
    pub inputs: Vec<PathBuf>,
    /// What is asked of the captures.
    pub query: Query,
    /// The directory.
    pub output: PathBuf,
    /// Replace files that are there.
    pub force: bool,
}

/// What to take stock of.
#[derive(Debug, Clone, PartialEq)]
pub struct InventoryOptions {
    /// Captures and rows: files, directories, or `-`.
    pub inputs: Vec<PathBuf>,
    /// What is asked of them.
    pub query: Query,
    /// What is written.
    pub stocked: Stocked,
    /// How it is shown.
    pub screen: Screen,
    /// Progress is wanted; whether it is shown depends on standard error.
    pub progress: bool,
}

/// What is written of an inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stocked {
    /// For a person.
    Text {
        /// Every server, client and certificate.
        all: bool,
    },
    /// One JSON object.
    Json,
    /// A table.
    Csv(Table),
}

/// What to hold against expectations, or to learn them from.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectOptions {
    /// The file of expectations; `None` to write a first one.
    pub file: Option<PathBuf>,
    /// Captures and rows: files, directories, or `-`.
    pub inputs: Vec<PathBuf>,
    /// What is asked of them.
    pub query: Query,
    /// As JSON.
    pub json: bool,
    /// How it is shown.
    pub screen: Screen,
    /// Progress is wanted; whether it is shown depends on standard error.
    pub progress: bool,
}

/// What to compare in time.
#[derive(Debug, Clone, PartialEq)]
pub struct DiffOptions {
    /// A file or directory.
    pub before: PathBuf,
    /// Another.
    pub after: PathBuf,
    /// What is asked of the captures.
    pub query: Query,
    /// As JSON.
    pub json: bool,
    /// How it is shown.
    pub screen: Screen,
}

/// What to compare in space.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchOptions {
    /// The capture nearer to the clients.
    pub client: PathBuf,
    /// The capture nearer to the servers.
    pub server: PathBuf,
    /// What is asked of the captures.
    pub query: Query,
    /// As JSON.
    pub json: bool,
    /// Also those between whose ends nothing happened.
    pub all: bool,
    /// How it is shown.
    pub screen: Screen,
}

/// How JSON tells of handshakes that completed and of which there is nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Completed {
    /// One by one, as all others.
    #[default]
    All,
    /// Added up by minute, server, name and version.
    Tallies,
    /// Not at all.
    None,
}

impl Completed {
    /// Whether a handshake is reported on its own.
    pub fn tells(self, handshake: &Handshake<'_>) -> bool {
        self == Self::All || handshake.handshake.provisional || handshake.class() != Class::Completed
    }
}

/// Whose certificates are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The system's store.
    pub system: bool,
    /// PEM files.
    pub files: Vec<PathBuf>,
    /// Directories of PEM files.
    pub directories: Vec<PathBuf>,
}

impl Trust {
    /// Whether there is anything to trust: without, no chain is judged.
    pub const fn is_empty(&self) -> bool {
        !self.system && self.files.is_empty() && self.directories.is_empty()
    }
}

/// What an agent is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpOptions {
    /// The directory whose captures may be read.
    pub directory: PathBuf,
    /// How long one call may take.
    pub time: Duration,
    /// The most bytes of an answer.
    pub answer: usize,
    /// Whose certificates are trusted.
    pub trust: Trust,
    /// The command that is run in place of serving, confined to the directory: what each call does.
    pub call: Vec<OsString>,
}

/// What makes the exit code 1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FailOn {
    classes: BTreeSet<Class>,
    causes: BTreeSet<Cause>,
}

impl FailOn {
    /// Whether a handshake is one of those.
    pub fn matches(&self, report: &Handshake<'_>) -> bool {
        self.classes.contains(&report.class()) || report.diagnosis.cause.is_some_and(|cause| self.causes.contains(&cause))
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty() && self.causes.is_empty()
    }

    pub(super) fn from_items(items: impl IntoIterator<Item = FailOnItem>) -> Self {
        let mut out = Self::default();
        for item in items {
            match item {
                FailOnItem::Class(class) => {
                    out.classes.insert(class);
                }
                FailOnItem::Cause(cause) => {
                    out.causes.insert(cause);
                }
            }
        }
        out
    }
}
