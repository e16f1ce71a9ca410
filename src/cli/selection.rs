//! Options that several commands share: how captures are analysed.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueHint};

use super::options::{Analysis, Trust};
use super::values;

/// How captures are analysed.
#[derive(Debug, Args)]
pub(super) struct AnalysisArguments {
    /// Take only packets that match a capture filter
    ///
    /// In the syntax of pcap-filter(7), as tcpdump takes it: `host 192.0.2.1 and tcp port 443`. Keep ICMP (`or icmp or icmp6`), which
    /// proves much about the path.
    #[arg(short = 'f', long, value_name = "BPF", help_heading = ANALYSIS)]
    filter: Option<String>,

    /// How long without progress is a stall: 500ms, 10s, 2m
    ///
    /// In packet time. A capture that ends sooner than this after the last progress leaves the handshake undecided.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::stall_after, help_heading = ANALYSIS)]
    stall_after: Duration,

    /// Threads that analyze; 0 takes one for each processor
    ///
    /// The result does not depend on it.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=MOST_THREADS), help_heading = ANALYSIS)]
    threads: u16,

    /// Trust the authorities in this PEM file too (repeatable)
    ///
    /// Whether a chain is trusted here is a fact beside others; what the client itself did decides the cause.
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
            stall_after: arguments.stall_after,
            threads: NonZeroUsize::new(usize::from(arguments.threads)),
            trust: Trust { system: !arguments.no_trust, files: arguments.ca_file, directories: arguments.ca_dir },
        }
    }
}

const ANALYSIS: &str = "Analysis";
/// Beyond the number of partitions a thread has nothing to do; more are accepted so that scripts need not know it.
const MOST_THREADS: i64 = 1024;
