//! The arguments of the commands that follow an incident: `slice`, `certs`, `diff`, `match`.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum, ValueHint};

use super::options::{CertsOptions, DiffOptions, MatchOptions, Query, Secrets, SliceOptions};
use super::selection::{AnalysisArguments, QueryArguments, SelectionArguments};
use super::shared::ScreenArguments;

/// Write the packets of chosen handshakes to a new capture, with the verdicts as comments on them
///
/// Takes of each chosen handshake every packet up to the end of the handshake, the ICMP that quotes it and the fragments it came in:
/// original bytes, times, interfaces, comments and names of addresses. The first packet of each gets the verdict as a comment, each packet
/// that proves something what it proves; Wireshark shows them as `pkt_comment`. The inputs are read twice and must not change
/// meanwhile.
#[derive(Debug, Args)]
#[command(after_help = SLICE_EXAMPLES)]
pub(super) struct Slice {
    /// Captures: files, or directories of them
    #[arg(value_name = "FILE", required = true, num_args = 1.., value_hint = ValueHint::AnyPath)]
    inputs: Vec<PathBuf>,

    /// The capture to write (pcapng); - for standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,

    /// Replace the output if it exists; write to a terminal
    #[arg(long)]
    force: bool,

    /// Write every packet of the inputs, not only those of the chosen handshakes, which alone get comments
    ///
    /// For reading on in Wireshark: the display filter `frame.comment contains "certificate-expired"` finds the handshakes, and
    /// deploy/wireshark/handshark.lua makes columns of the comments.
    #[arg(long)]
    all_packets: bool,

    /// Whether to keep TLS keys that a pcapng file contains: those of the chosen handshakes, or none
    ///
    /// With keys, anyone who gets the slice can decrypt it.
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = SecretsArgument::Drop)]
    secrets: SecretsArgument,

    #[command(flatten)]
    selection: SelectionArguments,

    #[command(flatten)]
    analysis: AnalysisArguments,

    /// Not possible here
    #[arg(long, hide = true, value_name = "KEY", value_parser = no_anonymous_packets)]
    anonymize: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SecretsArgument {
    Keep,
    Drop,
}

/// Write every certificate seen to a directory: PEM files and an index of where, when and by whom
///
/// Each distinct certificate becomes one PEM file; index.json tells for each what is in it, when it was seen first and last, which servers
/// and names served it or which clients presented it, and in which chains. In TLS 1.3 certificates are encrypted and only seen with keys.
#[derive(Debug, Args)]
#[command(after_help = CERTS_EXAMPLES)]
pub(super) struct Certs {
    /// Captures: files, directories of them, or - for standard input
    #[arg(value_name = "FILE", required = true, num_args = 1.., value_hint = ValueHint::AnyPath)]
    inputs: Vec<PathBuf>,

    /// The directory to write to; it is created if it does not exist
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    output: PathBuf,

    /// Replace existing files
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    selection: SelectionArguments,

    #[command(flatten)]
    analysis: AnalysisArguments,

    /// Not possible here
    #[arg(long, hide = true, value_name = "KEY", value_parser = no_anonymous_certificates)]
    anonymize: Option<String>,
}

/// Show what changed between two captures: for "it worked yesterday"
///
/// Compares, for every name or server: whether it is there, how often handshakes fail and why, versions, suites and groups agreed on,
/// certificates, addresses, client fingerprints and times. What did not change is not mentioned.
#[derive(Debug, Args)]
#[command(after_help = DIFF_EXAMPLES)]
pub(super) struct Diff {
    /// The earlier capture: a file or a directory
    #[arg(value_name = "BEFORE", value_hint = ValueHint::AnyPath)]
    before: PathBuf,

    /// The later capture
    #[arg(value_name = "AFTER", value_hint = ValueHint::AnyPath)]
    after: PathBuf,

    /// Write the differences as one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    screen: ScreenArguments,

    #[command(flatten)]
    query: QueryArguments,
}

/// Compare the same handshakes captured at two points: what was lost, altered, delayed or injected in between
///
/// CLIENT is the capture nearer to the clients, SERVER the one nearer to the servers. Handshakes are joined by the random of their
/// ClientHello, so that address translation in between does not matter; those whose ClientHello one capture lacks are joined by their
/// addresses and first sequence number. The verdict is the one that both captures allow together.
#[derive(Debug, Args)]
#[command(after_help = MATCH_EXAMPLES)]
pub(super) struct Match {
    /// The capture nearer to the clients
    #[arg(value_name = "CLIENT", value_hint = ValueHint::AnyPath)]
    client_capture: PathBuf,

    /// The capture nearer to the servers
    #[arg(value_name = "SERVER", value_hint = ValueHint::AnyPath)]
    server_capture: PathBuf,

    /// Write one JSON object a line for each handshake
    #[arg(long)]
    json: bool,

    /// List all handshakes, also those to which nothing happened in between
    #[arg(short, long, action = ArgAction::SetTrue)]
    all: bool,

    #[command(flatten)]
    screen: ScreenArguments,

    #[command(flatten)]
    query: QueryArguments,
}

impl From<Slice> for SliceOptions {
    fn from(slice: Slice) -> Self {
        Self {
            inputs: slice.inputs,
            query: Query::new(slice.selection, slice.analysis),
            output: slice.output,
            force: slice.force,
            all_packets: slice.all_packets,
            secrets: match slice.secrets {
                SecretsArgument::Keep => Secrets::Keep,
                SecretsArgument::Drop => Secrets::Drop,
            },
        }
    }
}

impl From<Certs> for CertsOptions {
    fn from(certs: Certs) -> Self {
        Self { inputs: certs.inputs, query: Query::new(certs.selection, certs.analysis), output: certs.output, force: certs.force }
    }
}

impl From<Diff> for DiffOptions {
    fn from(diff: Diff) -> Self {
        Self { before: diff.before, after: diff.after, query: diff.query.into(), json: diff.json, screen: diff.screen.into() }
    }
}

impl From<Match> for MatchOptions {
    fn from(matched: Match) -> Self {
        Self {
            client: matched.client_capture,
            server: matched.server_capture,
            query: matched.query.into(),
            json: matched.json,
            all: matched.all,
            screen: matched.screen.into(),
        }
    }
}

fn no_anonymous_packets(_: &str) -> Result<String, String> {
    Err("a slice holds the original packets, which name everyone; hand over `handshark read --anonymize KEY --json` instead".to_owned())
}

fn no_anonymous_certificates(_: &str) -> Result<String, String> {
    Err("certificates are names; hand over `handshark read --anonymize KEY --json` instead".to_owned())
}

pub(super) const SLICE_EXAMPLES: &str = "\
Examples:
  handshark slice night.pcapng --outcome failed -o failed.pcapng
  handshark slice /var/captures --name api.bank.test --since 09:00 -o api.pcapng
  handshark slice night.pcapng -o one.pcapng \\
      --where 'handshake.id == \"7d0f9a52c1e4b386\"'
  handshark slice night.pcapng --all-packets -o told.pcapng   all of it
  tshark -r one.pcapng -T fields -e frame.number -e frame.comment";

pub(super) const CERTS_EXAMPLES: &str = "\
Examples:
  handshark certs night.pcapng -o certs
  handshark certs /var/captures --name '*.bank.test' -o certs
  jq -r '.certificates[] | [.not_after, .subject] | @tsv' certs/index.json
  openssl x509 -in certs/FILE.pem -noout -text          one of them in full";

pub(super) const DIFF_EXAMPLES: &str = "\
Examples:
  handshark diff yesterday.pcapng today.pcapng
  handshark diff --name '*.bank.test' monday/ tuesday/
  handshark diff --json before.pcap after.pcap | jq .services";

pub(super) const MATCH_EXAMPLES: &str = "\
Examples:
  handshark match client.pcap server.pcap
  handshark match --all --json laptop.pcapng gateway.pcapng";
