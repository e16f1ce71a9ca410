//! `handshark live` and `handshark interfaces`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Args, ValueHint};

use super::options::{Completed, FailOn, Trust};
use super::selection::{SelectionArguments, TrustArguments};
use super::shared::{ANALYSIS, CompletedArgument, MOST_THREADS, OUTPUT, When};
use super::values;
use crate::capture::LiveOptions;
use crate::find::Criteria;
use crate::output::spool::SpoolLimits;
use crate::output::style::Color;
use crate::site::Site;
use crate::time::Zone;

/// Watch interfaces and explain why handshakes fail, as they fail
///
/// On a terminal it shows a live view; anywhere else, and with --json, one JSON object a line as `read` writes them; with --text a line for
/// each failure. Needs permission to capture (`CAP_NET_RAW`). It is passive: it never sends a packet.
#[allow(clippy::struct_excessive_bools, reason = "flags of the command line")]
#[derive(Debug, Args)]
#[command(after_help = LIVE_EXAMPLES)]
pub(super) struct Live {
    /// Interfaces to watch, or `any` (repeatable; `handshark interfaces` lists them); without it, the one that tcpdump would take
    #[arg(short, long = "interface", value_name = "IFACE", action = ArgAction::Append, value_delimiter = ',')]
    interfaces: Vec<String>,

    /// Analyze only packets that match a capture filter, instead of nearly everything
    ///
    /// Syntax: pcap-filter(7). Keep ICMP (`or icmp or icmp6`), which proves much about the path.
    #[arg(short = 'f', long, value_name = "BPF", help_heading = CAPTURE)]
    filter: Option<String>,

    /// Threads that capture on each interface (Linux: `PACKET_FANOUT`)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64), help_heading = CAPTURE)]
    capture_threads: u16,

    /// The kernel's ring buffer for each capturing thread: 2MiB to 2GiB
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = values::ring_size, help_heading = CAPTURE)]
    buffer: u64,

    /// Bytes to capture of each packet
    #[arg(long, value_name = "BYTES", default_value_t = 262_144, value_parser = clap::value_parser!(u32).range(96..=262_144), help_heading = CAPTURE)]
    snaplen: u32,

    /// Capture packets that are not for this machine, too (mirror ports)
    #[arg(long, help_heading = CAPTURE)]
    promiscuous: bool,

    /// How long without progress is a stall: 500ms, 10s, 2m
    ///
    /// A stall is reported while it lasts, and corrected if the handshake completes after all.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::stall_after, help_heading = ANALYSIS)]
    stall_after: Duration,

    /// Threads for the analysis; 0 is one for each processor
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=MOST_THREADS), help_heading = ANALYSIS)]
    threads: u16,

    /// Tell whose the ends of connections on this host are: process, user, container, pod (Linux)
    ///
    /// A second process looks them up, in other network namespaces too. It needs `CAP_SYS_PTRACE` and `CAP_DAC_READ_SEARCH` to see processes of
    /// other users, which it keeps after --user.
    #[arg(long, help_heading = ANALYSIS)]
    processes: bool,

    #[command(flatten)]
    selection: SelectionArguments,

    #[command(flatten)]
    trust: TrustArguments,

    /// Decrypt with the secrets in this key log, including those that are appended during the run (repeatable)
    ///
    /// The format is that of `SSLKEYLOGFILE`. Secrets are never written anywhere.
    #[arg(short = 'k', long = "keylog", value_name = "FILE", action = ArgAction::Append, value_hint = ValueHint::FilePath, help_heading = ANALYSIS)]
    keylogs: Vec<PathBuf>,

    /// Write one JSON object a line to standard output (the default when it is no terminal)
    #[arg(long, conflicts_with = "text", help_heading = OUTPUT)]
    json: bool,

    /// Write a line for each failure to standard output
    #[arg(long, help_heading = OUTPUT)]
    text: bool,

    /// Begin each line of --text with its priority, as journald and `logger --prio-prefix` read it (the default under systemd)
    #[arg(long, requires = "text", help_heading = OUTPUT)]
    priorities: bool,

    /// Where the view saves what is selected, by its key `w`: packets as pcapng, or a page
    ///
    /// Without it nothing can be saved: the process gives up the right to write elsewhere once everything is open.
    #[arg(long, value_name = "DIR", value_parser = values::directory(), value_hint = ValueHint::DirPath, conflicts_with_all = ["json", "text"], help_heading = OUTPUT)]
    save: Option<PathBuf>,

    /// When to use colours (auto: on a terminal, unless `NO_COLOR` is set)
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto, help_heading = OUTPUT)]
    color: When,

    /// Use no colours: the same as --color never
    #[arg(long, conflicts_with = "color", help_heading = OUTPUT)]
    no_color: bool,

    /// Also write one JSON object a line to this file; SIGHUP reopens it
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = OUTPUT)]
    output: Option<PathBuf>,

    /// Start a new output file at this size: FILE becomes FILE.1
    #[arg(long, value_name = "SIZE", requires = "output", value_parser = values::size, help_heading = OUTPUT)]
    rotate_size: Option<u64>,

    /// Start a new output file at this age
    #[arg(long, value_name = "DURATION", requires = "output", value_parser = values::long_duration, help_heading = OUTPUT)]
    rotate_age: Option<Duration>,

    /// Number of old output files to keep
    #[arg(long, value_name = "N", requires = "output", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=999), help_heading = OUTPUT)]
    rotate_keep: u32,

    /// How JSON tells of handshakes that completed; all others are told one by one
    #[arg(long, value_name = "HOW", value_enum, default_value_t = CompletedArgument::All, help_heading = OUTPUT)]
    completed: CompletedArgument,

    /// How often JSON tells that this sensor is alive, and how it fares
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = values::long_duration, help_heading = OUTPUT)]
    heartbeat: Duration,

    /// Also write one JSON object a line to numbered files in this directory, for a shipper; the one being written ends in .part
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = SPOOL)]
    spool: Option<PathBuf>,

    /// Bytes of all files of the spool; the oldest whole file is deleted first, which is counted
    #[arg(long, value_name = "SIZE", requires = "spool", default_value = "1GiB", value_parser = values::size, help_heading = SPOOL)]
    spool_max: u64,

    /// Size at which a file of the spool is whole
    #[arg(long, value_name = "SIZE", requires = "spool", default_value = "16MiB", value_parser = values::size, help_heading = SPOOL)]
    spool_file: u64,

    /// Age at which a file of the spool is whole
    #[arg(long, value_name = "DURATION", requires = "spool", default_value = "1m", value_parser = values::long_duration, help_heading = SPOOL)]
    spool_age: Duration,

    /// Serve metrics for Prometheus at /metrics, and /healthz, on this address; a port alone means loopback
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = values::metrics_address, help_heading = OUTPUT)]
    metrics: Option<SocketAddr>,

    /// Servers and names with metrics of their own; the rest are counted as `other`
    #[arg(long, value_name = "N", requires = "metrics", default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=10_000), help_heading = OUTPUT)]
    metrics_names: u32,

    /// Keep the packets of each failed handshake as a pcapng file in this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = RECORDER)]
    record: Option<PathBuf>,

    /// Bytes of recordings to keep; the oldest are deleted first
    #[arg(long, value_name = "SIZE", requires = "record", default_value = "1GiB", value_parser = values::size, help_heading = RECORDER)]
    record_max: u64,

    /// Number of recordings to keep
    #[arg(long, value_name = "N", requires = "record", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..), help_heading = RECORDER)]
    record_files: u32,

    /// Age at which a recording is deleted
    #[arg(long, value_name = "DURATION", requires = "record", value_parser = values::long_duration, help_heading = RECORDER)]
    record_age: Option<Duration>,

    /// Memory for the packets of handshakes in progress
    #[arg(long, value_name = "SIZE", requires = "record", default_value = "64MiB", value_parser = values::size, help_heading = RECORDER)]
    record_memory: u64,

    /// Stop after this time
    #[arg(long, value_name = "DURATION", value_parser = values::long_duration, help_heading = RUN)]
    duration: Option<Duration>,

    /// Stop after this many handshakes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = RUN)]
    count: Option<u64>,

    /// Name of this site, `observer.site` in JSON: one for each address space, so that equal addresses of two sites are kept apart
    #[arg(long, value_name = "NAME", value_parser = values::site, help_heading = OUTPUT)]
    site: Option<Site>,

    /// Name of this sensor, `observer.sensor` in JSON [default: the host's name]
    #[arg(long, alias = "observer", value_name = "NAME", value_parser = values::sensor, help_heading = OUTPUT)]
    sensor: Option<Arc<str>>,

    /// Switch to this user once everything is open
    #[arg(long, value_name = "NAME", help_heading = RUN)]
    user: Option<String>,

    /// Do not confine the process once everything is open (Linux: landlock and a seccomp filter)
    #[arg(long, help_heading = RUN)]
    no_sandbox: bool,

    /// Exit with 1 if one of these is found: `failed` or another class, or causes, separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Append, hide_possible_values = true, value_parser = values::fail_on_parser(), help_heading = "For scripts")]
    fail_on: Vec<values::FailOnItem>,
}

/// What to watch, how to judge, how to show.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveCommand {
    /// How to capture.
    pub capture: LiveOptions,
    /// No progress for longer than this is a stall: 1 ms to 24 h.
    pub stall_after: Duration,
    /// Threads that analyze; `None`: one for each processor.
    pub threads: Option<NonZeroUsize>,
    /// Whether to look up who owns the ends of connections on this host.
    pub processes: bool,
    /// Which handshakes are asked for: all outputs, `count` and `fail_on` are about those only.
    pub criteria: Criteria,
    /// Whose certificates are trusted.
    pub trust: Trust,
    /// Key logs, which may grow.
    pub keylogs: Vec<PathBuf>,
    /// How to show what is found.
    pub shown: Shown,
    /// Whether lines of text begin with their priority in any case.
    pub priorities: bool,
    /// Whether to colour.
    pub color: Color,
    /// The zone of the times that people are shown.
    pub zone: Zone,
    /// A file for NDJSON.
    pub output: Option<OutputFile>,
    /// A directory of numbered files of NDJSON, and their bounds.
    pub spool: Option<(PathBuf, SpoolLimits)>,
    /// How JSON tells of what completed.
    pub completed: Completed,
    /// How often it tells that the run goes on.
    pub heartbeat: Duration,
    /// Where to serve metrics, and how many servers and names they tell apart.
    pub metrics: Option<(SocketAddr, u32)>,
    /// Where to keep the packets of what failed.
    pub record: Option<RecordOptions>,
    /// Where the view saves what it is asked to.
    pub save: Option<PathBuf>,
    /// When to end.
    pub duration: Option<Duration>,
    /// After how many handshakes to end.
    pub count: Option<u64>,
    /// What the sensor is called; the host's name if nothing is said.
    pub sensor: Option<Arc<str>>,
    /// Whom to become.
    pub user: Option<String>,
    /// Whether to confine the process.
    pub sandbox: bool,
    /// What makes the exit code 1.
    pub fail_on: FailOn,
}

/// How a live run shows what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// A view on a terminal, NDJSON elsewhere.
    Auto,
    /// NDJSON.
    Json,
    /// A line for each failure.
    Text,
}

/// An output file and when a new one is begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// Where.
    pub path: PathBuf,
    /// Bytes.
    pub size: Option<u64>,
    /// Age.
    pub age: Option<Duration>,
    /// Old ones kept.
    pub keep: u32,
}

/// The flight recorder's bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordOptions {
    /// Where recordings go.
    pub directory: PathBuf,
    /// Bytes kept there.
    pub max_bytes: u64,
    /// Files kept there.
    pub max_files: u32,
    /// Age at which they are deleted.
    pub max_age: Option<Duration>,
    /// Memory for the packets of handshakes in progress.
    pub memory: u64,
}

impl From<Live> for LiveCommand {
    fn from(live: Live) -> Self {
        Self {
            capture: LiveOptions {
                interfaces: live.interfaces,
                filter: live.filter,
                snaplen: live.snaplen,
                buffer: usize::try_from(live.buffer).unwrap_or(usize::MAX),
                promiscuous: live.promiscuous,
                threads: usize::from(live.capture_threads),
                site: live.site.unwrap_or_default(),
                prompt: live.processes,
            },
            stall_after: live.stall_after,
            threads: NonZeroUsize::new(usize::from(live.threads)),
            processes: live.processes,
            zone: live.selection.zone(),
            criteria: live.selection.into(),
            trust: live.trust.into(),
            keylogs: live.keylogs,
            shown: match (live.json, live.text) {
                (true, _) => Shown::Json,
                (false, true) => Shown::Text,
                (false, false) => Shown::Auto,
            },
            priorities: live.priorities,
            color: if live.no_color { Color::Never } else { live.color.into() },
            output: live.output.map(|path| OutputFile { path, size: live.rotate_size, age: live.rotate_age, keep: live.rotate_keep }),
            spool: live
                .spool
                .map(|directory| (directory, SpoolLimits { bytes: live.spool_max, file_bytes: live.spool_file, age: live.spool_age })),
            completed: live.completed.into(),
            heartbeat: live.heartbeat,
            metrics: live.metrics.map(|address| (address, live.metrics_names)),
            record: live.record.map(|directory| RecordOptions {
                directory,
                max_bytes: live.record_max,
                max_files: live.record_files,
                max_age: live.record_age,
                memory: live.record_memory,
            }),
            save: live.save,
            duration: live.duration,
            count: live.count,
            sensor: live.sensor,
            user: live.user,
            sandbox: !live.no_sandbox,
            fail_on: FailOn::from_items(live.fail_on),
        }
    }
}

const CAPTURE: &str = "Capture";
const SPOOL: &str = "Spool";
const RECORDER: &str = "Flight recorder";
const RUN: &str = "Run";

pub(super) const LIVE_EXAMPLES: &str = "\
Examples:
  sudo handshark live -i eth0 --user nobody              the live view
  handshark live -i any --text                           a line for each failure
  handshark live -i eth0 --json | jq .diagnosis.summary  for programs
  handshark live -i eth0 --json --metrics 127.0.0.1:9477 \\
      --record /var/lib/handshark \\
      -o /var/log/handshark.ndjson --rotate-size 100MiB
  sudo handshark live -i any --processes --text          whose each end is
  handshark live -i eth0 --name '*.bank.test' --text     of one service
  handshark live -i eth0 --text --completed tallies \\
      --spool /var/spool/handshark --site berlin         for a fleet
  handshark live -i eth0 --duration 5m --fail-on failed  for scripts

Keys of the view: ? shows them.

Exit codes: 0 done; 1 done and --fail-on matched; 2 could not be done, or reports were lost.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, parse};

    fn live(arguments: &[&str]) -> LiveCommand {
        match parse(["handshark", "live"].iter().chain(arguments).map(|word| std::ffi::OsString::from(*word)), &[]) {
            Ok(Command::Live(command)) => *command,
            other => panic!("{arguments:?}: {other:?}"),
        }
    }

    #[test]
    fn options_are_converted() {
        let command = live(&[
            "-i",
            "eth0,eth1",
            "-i",
            "lo",
            "--buffer",
            "2GiB",
            "--record",
            "d",
            "--record-max",
            "5M",
            "-o",
            "f",
            "--rotate-age",
            "7d",
        ]);
        assert_eq!(command.capture.interfaces, ["eth0", "eth1", "lo"]);
        assert_eq!((command.capture.buffer, command.capture.promiscuous, command.capture.threads), (2 << 30, false, 1));
        assert_eq!(command.record.map(|record| (record.max_bytes, record.max_files)), Some((5_000_000, 10_000)));
        assert_eq!(command.output.and_then(|output| output.age), Some(Duration::from_secs(7 * 86_400)));
        assert_eq!((command.shown, command.sandbox, command.user), (Shown::Auto, true, None));
        assert_eq!(live(&["-i", "any", "--text", "--no-sandbox"]).shown, Shown::Text);
        let asked = live(&["--server", ":443", "--cause", "tcp-syn-unanswered", "--name", "*.bank.test"]).criteria;
        assert_eq!(asked.told().len(), 3);
        assert_eq!((live(&[]).capture.interfaces, live(&["--save", "."]).save), (Vec::new(), Some(PathBuf::from("."))));
        assert_eq!(live(&["-i", "any", "-k", "a.log", "--keylog", "b.log"]).keylogs, [PathBuf::from("a.log"), PathBuf::from("b.log")]);
    }

    #[test]
    fn mistakes_are_refused() {
        for arguments in [
            &["live", "-i", "eth0", "--json", "--text"] as &[&str],
            &["live", "-i", "eth0", "--json", "--save", "."],
            &["live", "-i", "eth0", "--save", "/nowhere/at/all"],
            &["live", "-i", "eth0", "--record-max", "5M"],
            &["live", "-i", "eth0", "--buffer", "64"],
            &["live", "-i", "eth0", "--buffer", "3GiB"],
            &["live", "-i", "eth0", "--metrics", "localhost"],
        ] {
            assert!(
                parse(["handshark"].iter().chain(arguments).map(|word| std::ffi::OsString::from(*word)), &[]).is_err(),
                "{arguments:?}"
            );
        }
    }
}
