//! Options that several commands share: which handshakes are asked for, what is made anonymous, how captures are analysed.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, ValueHint};

use super::options::{Analysis, Query, Trust};
use super::shared::{ANALYSIS, MOST_THREADS, OUTPUT, SELECTION};
use super::values;
use crate::anonymize::Key;
use crate::diagnosis::cause::Cause;
use crate::find::{Criteria, Expression, NamePattern, PeerPattern, When};
use crate::handshake::facts::Outcome;
use crate::output::escape::is_hazard;
use crate::report::Class;
use crate::site::{Observer, Site};
use crate::time::Zone;

/// What is asked of captures.
#[derive(Debug, Args)]
pub(super) struct QueryArguments {
    #[command(flatten)]
    selection: SelectionArguments,

    #[command(flatten)]
    anonymize: AnonymizeArguments,

    #[command(flatten)]
    analysis: AnalysisArguments,

    /// Hold this log of a server or client against the verdicts (repeatable)
    ///
    /// Logs of nginx, Apache, HAProxy, Envoy, Postfix, Dovecot, PostgreSQL, stunnel, and the journal (journalctl -o export or json) are
    /// recognised by what they hold. Lines about a handshake stand in its evidence, and a reason that a side logged settles what the packets
    /// leave open. Times without a zone are of --tz; a clock that is wrong is noticed and told.
    #[arg(long = "log", value_name = "FILE", action = ArgAction::Append, conflicts_with = "anonymize", value_hint = ValueHint::FilePath, help_heading = ANALYSIS)]
    logs: Vec<PathBuf>,
}

impl From<QueryArguments> for Query {
    fn from(arguments: QueryArguments) -> Self {
        let zone = arguments.selection.zone();
        Self { anonymize: arguments.anonymize.anonymize, logs: arguments.logs, zone, ..Self::new(arguments.selection, arguments.analysis) }
    }
}

/// How captures are analysed.
#[derive(Debug, Args)]
pub(super) struct AnalysisArguments {
    /// Analyze only packets that match a capture filter
    ///
    /// Syntax: pcap-filter(7), as for tcpdump: `host 192.0.2.1 and tcp port 443`. Keep ICMP (`or icmp or icmp6`), which
    /// proves much about the path.
    #[arg(short = 'f', long, value_name = "BPF", help_heading = ANALYSIS)]
    filter: Option<String>,

    /// Decrypt with the secrets in this key log (repeatable)
    ///
    /// The format is that of `SSLKEYLOGFILE`, as browsers, curl, OpenSSL and others write it. It may still be growing. Secrets inside a pcapng
    /// file are used automatically. No output ever shows a secret.
    #[arg(short = 'k', long = "keylog", value_name = "FILE", action = ArgAction::Append, value_hint = ValueHint::FilePath, help_heading = ANALYSIS)]
    keylogs: Vec<PathBuf>,

    /// How long without progress is a stall: 500ms, 10s, 2m
    ///
    /// Measured in packet time. If the capture ends sooner than this after the last progress, the handshake is undecided.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::stall_after, help_heading = ANALYSIS)]
    stall_after: Duration,

    /// Threads for the analysis; 0 is one for each processor
    ///
    /// The result does not depend on their number.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=MOST_THREADS), help_heading = ANALYSIS)]
    threads: u16,

    /// The site where the captures were taken, for those that do not say it: a name for an address space
    ///
    /// Sites may use the same private addresses for different hosts, and then share nothing: no connection, no server, no incident. Captures in
    /// directories such as `site=berlin/sensor=core-1/` say it themselves.
    #[arg(long, value_name = "NAME", value_parser = values::site, help_heading = ANALYSIS)]
    site: Option<Site>,

    /// The sensor that took them; several sensors of one site see the same hosts
    #[arg(long, value_name = "NAME", value_parser = values::sensor, help_heading = ANALYSIS)]
    sensor: Option<Arc<str>>,

    #[command(flatten)]
    trust: TrustArguments,
}

/// Whose certificates are trusted.
#[derive(Debug, Args)]
pub(super) struct TrustArguments {
    /// Trust the authorities in this PEM file too (repeatable)
    ///
    /// Whether a chain is trusted here is one fact among others; what the client did decides the cause.
    #[arg(long, value_name = "FILE", action = ArgAction::Append, value_hint = ValueHint::FilePath, help_heading = ANALYSIS)]
    ca_file: Vec<PathBuf>,

    /// Trust the authorities in the PEM files of this directory too (repeatable)
    #[arg(long, value_name = "DIR", action = ArgAction::Append, value_hint = ValueHint::DirPath, help_heading = ANALYSIS)]
    ca_dir: Vec<PathBuf>,

    /// Do not use the system's trust store; with --ca-file or --ca-dir, only those
    #[arg(long, help_heading = ANALYSIS)]
    no_trust: bool,
}

impl From<AnalysisArguments> for Analysis {
    fn from(arguments: AnalysisArguments) -> Self {
        Self {
            filter: arguments.filter,
            keylogs: arguments.keylogs,
            stall_after: arguments.stall_after,
            threads: NonZeroUsize::new(usize::from(arguments.threads)),
            observer: Observer { site: arguments.site.unwrap_or_default(), sensor: arguments.sensor },
            trust: arguments.trust.into(),
        }
    }
}

impl From<TrustArguments> for Trust {
    fn from(arguments: TrustArguments) -> Self {
        Self { system: !arguments.no_trust, files: arguments.ca_file, directories: arguments.ca_dir }
    }
}

/// Which handshakes are asked for.
#[derive(Debug, Args)]
pub(super) struct SelectionArguments {
    /// Show and read times in this zone: UTC, local, or a name such as Europe/Berlin (output for programs stays in UTC)
    #[arg(long = "tz", value_name = "ZONE", default_value = "UTC", hide_default_value = true, value_parser = Zone::new, help_heading = OUTPUT)]
    zone: Zone,

    /// Only handshakes that started at or after this: a date and time (in the zone of --tz, unless it says otherwise), 09:00[:30] of the
    /// capture's first day, or +10m after its start
    #[arg(long, value_name = "TIME", help_heading = SELECTION)]
    since: Option<When>,

    /// Only handshakes that started before this; written like --since
    #[arg(long, value_name = "TIME", help_heading = SELECTION)]
    until: Option<When>,

    /// Only handshakes with this server: an address, address:port, a network such as 10.0.0.0/8, or :port (repeatable)
    #[arg(long, value_name = "ADDRESS", action = ArgAction::Append, help_heading = SELECTION)]
    server: Vec<PeerPattern>,

    /// Only handshakes of this client, written like --server (repeatable)
    #[arg(long, value_name = "ADDRESS", action = ArgAction::Append, help_heading = SELECTION)]
    client: Vec<PeerPattern>,

    /// Only handshakes that ask for a name like this: *.bank.test (repeatable)
    ///
    /// The name is the one in the ClientHello (SNI). `*` stands for anything, dots included, `?` for one character, `{a,b}` for either;
    /// case does not matter. Quote it, so that the shell leaves it alone.
    #[arg(long, value_name = "GLOB", action = ArgAction::Append, value_parser = NamePattern::new, help_heading = SELECTION)]
    name: Vec<NamePattern>,

    /// Only handshakes with one of these outcomes or classes, separated by commas; `failed` stands for all failures
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Append, value_parser = outcomes(), help_heading = SELECTION)]
    outcome: Vec<OutcomeItem>,

    /// Only handshakes with one of these causes, separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Append, hide_possible_values = true, value_parser = values::cause_parser(), help_heading = SELECTION)]
    cause: Vec<Cause>,

    /// Only handshakes for which this holds: a condition over the fields of the report, as --json writes them
    ///
    /// In the Common Expression Language: == != < <= > >= in && || !, strings with .startsWith .endsWith .contains .matches (a regular
    /// expression), lists with size() .exists(x, …) .all(x, …), has(field), numbers with + - * / %. A field that a handshake does not have
    /// makes a comparison with it false. docs/FORENSICS.md has examples, docs/SCHEMA.md all fields.
    #[arg(long = "where", value_name = "EXPR", value_parser = expression, help_heading = SELECTION)]
    condition: Option<Expression>,
}

impl SelectionArguments {
    /// The zone of the times that people are shown.
    pub(super) fn zone(&self) -> Zone {
        self.zone.clone()
    }
}

impl From<SelectionArguments> for Criteria {
    fn from(arguments: SelectionArguments) -> Self {
        Self {
            since: arguments.since.map(|when| when.in_zone(&arguments.zone)),
            until: arguments.until.map(|when| when.in_zone(&arguments.zone)),
            servers: arguments.server,
            clients: arguments.client,
            names: arguments.name,
            classes: arguments.outcome.iter().filter_map(|item| item.class()).collect(),
            outcomes: arguments.outcome.iter().filter_map(|item| item.outcome()).collect(),
            causes: arguments.cause.into_iter().collect(),
            expression: arguments.condition,
        }
    }
}

/// What is made anonymous.
#[derive(Debug, Args)]
struct AnonymizeArguments {
    /// Replace addresses, names and everything else that identifies someone, consistently for the same KEY
    ///
    /// Addresses keep their common prefixes, names their hierarchy. KEY is a passphrase of at least 16 characters that cannot be guessed, or @FILE to read it from a
    /// file, which keeps it out of the list of processes.
    #[arg(long, value_name = "KEY", value_parser = key, help_heading = "Handing over")]
    anonymize: Option<Key>,
}

fn expression(text: &str) -> Result<Expression, String> {
    Expression::new(text).map_err(|mistake| mistake.pointed(is_hazard))
}

fn key(text: &str) -> Result<Key, String> {
    Key::new(text)
}

/// What `--outcome` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OutcomeItem {
    /// What counts as this.
    Class(Class),
    /// An outcome.
    Outcome(Outcome),
}

impl OutcomeItem {
    const fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Class(_) => None,
            Self::Outcome(outcome) => Some(outcome),
        }
    }

    const fn class(self) -> Option<Class> {
        match self {
            Self::Class(class) => Some(class),
            Self::Outcome(_) => None,
        }
    }
}

fn outcomes() -> impl TypedValueParser<Value = OutcomeItem> {
    // What completed without trouble is an outcome here: all that completed.
    let classes = Class::ALL.into_iter().filter(|class| *class != Class::Completed);
    let words = Outcome::ALL.into_iter().map(Outcome::name).chain(classes.map(Class::name));
    PossibleValuesParser::new(words.map(PossibleValue::new)).map(|word: String| {
        let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.name() == word).map(OutcomeItem::Outcome);
        let class = || Class::ALL.into_iter().find(|class| class.name() == word).map(OutcomeItem::Class);
        outcome.or_else(class).unwrap_or(OutcomeItem::Class(Class::Failed))
    })
}
