//! The arguments of `condense`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgAction, Args, ValueHint};

use super::forensics::SecretsArgument;
use super::options::{Analysis, CondenseOptions, Query, Secrets, Trust};
use super::shared::ANALYSIS;
use super::values;
use crate::diagnosis::policy::Policy;
use crate::find::Criteria;
use crate::site::{Observer, Site};
use crate::time::Timestamp;

/// Keep of captures only what handshakes need that begin in a window of time, to be read later
///
/// Writes a condensate: a pcapng file with every packet of the connections that begin in the window, from their first until nothing about their
/// handshakes is open any more, and with what is to be known of all other packets: how many there were, when, and what was lost. What `read` and the
/// other commands say of the condensates of all windows is what they say of the captures themselves, with the captures' names and frame numbers.
/// Nothing is judged here, and no trust store is asked.
///
/// Give the file before the window's first and those behind its last as well: reading goes on beyond the window only while something that began in it
/// is open. An empty window is no error. The same captures give the same bytes. See docs/SCALE.md.
#[derive(Debug, Args)]
#[command(after_help = CONDENSE_EXAMPLES)]
pub(super) struct Condense {
    /// Captures of one sensor: files, or directories of them
    #[arg(value_name = "FILE", required = true, num_args = 1.., value_hint = ValueHint::AnyPath)]
    inputs: Vec<PathBuf>,

    /// The condensate to write; .zst at its end compresses it; - for standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,

    /// Replace the output if it exists; write to a terminal
    #[arg(long)]
    force: bool,

    /// Keep what begins at or after this: 2026-11-29T09:00:00Z, "2026-11-29 09:00" (UTC)
    #[arg(long, value_name = "TIME", value_parser = values::moment)]
    since: Option<Timestamp>,

    /// Keep what begins before this; written like --since
    #[arg(long, value_name = "TIME", value_parser = values::moment)]
    until: Option<Timestamp>,

    /// Divide the window by server into so many condensates, and a side table of what crosses them: 2 to 256
    ///
    /// Each shard is read by itself, with the side table of all windows: handshark read 1-of-4/ side-of-4/. Its handshakes are judged as they are when
    /// all are read. The output's name needs {shard} in it, in whose place 1-of-4, 2-of-4… and side-of-4 come. A flow is in the shard of the address
    /// whose port looks more like a service's, and in those of both addresses where the ports look alike. Where the client's looks more like one, the
    /// summary says so: what other shards know of that server is not known then.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=256))]
    shards: Option<u16>,

    /// Tell names of files from this directory on, so that they do not depend on where it is mounted
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    root: Option<PathBuf>,

    /// Whether to keep TLS keys that a pcapng file contains
    ///
    /// With keys, anyone who gets the condensate can decrypt it; without them less is known of its handshakes than of the captures'.
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = SecretsArgument::Keep)]
    secrets: SecretsArgument,

    /// Keep what these key logs will be needed for; give them to read, too (repeatable)
    #[arg(short = 'k', long = "keylog", value_name = "FILE", action = ArgAction::Append, value_hint = ValueHint::FilePath, help_heading = ANALYSIS)]
    keylogs: Vec<PathBuf>,

    /// The site where the captures were taken: a name for an address space
    #[arg(long, value_name = "NAME", value_parser = values::site, help_heading = ANALYSIS)]
    site: Option<Site>,

    /// The sensor that took them
    #[arg(long, value_name = "NAME", value_parser = values::sensor, help_heading = ANALYSIS)]
    sensor: Option<Arc<str>>,
}

impl From<Condense> for CondenseOptions {
    fn from(condense: Condense) -> Self {
        let analysis = Analysis {
            filter: None,
            keylogs: condense.keylogs,
            stall_after: Policy::default().stall_after,
            threads: None,
            observer: Observer { site: condense.site.unwrap_or_default(), sensor: condense.sensor },
            trust: Trust { system: false, files: Vec::new(), directories: Vec::new() },
        };
        Self {
            inputs: condense.inputs,
            query: Query::new(Criteria::default(), analysis),
            since: condense.since,
            until: condense.until,
            root: condense.root,
            output: condense.output,
            shards: condense.shards,
            force: condense.force,
            secrets: match condense.secrets {
                SecretsArgument::Keep => Secrets::Keep,
                SecretsArgument::Drop => Secrets::Drop,
            },
        }
    }
}

const CONDENSE_EXAMPLES: &str = "\
Examples:
  handshark condense night/ -o night.pcapng.zst
  handshark condense 0855.pcap 0900.pcap 0905.pcap -o 0900.pcapng.zst \\
      --since 2026-11-29T09:00:00Z --until 2026-11-29T09:05:00Z
  handshark read 0855.pcapng.zst 0900.pcapng.zst";
