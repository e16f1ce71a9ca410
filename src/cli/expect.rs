//! The arguments of `expect`.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueHint};

use super::options::ExpectOptions;
use super::selection::QueryArguments;
use super::shared::{OUTPUT, ProgressArgument, ScreenArguments};

/// Hold captures against what should be true, for roll-outs in CI and on canaries
///
/// The file, in TOML, names for each service its versions, groups, suites, issuers, days to expiry, the share of handshakes that may fail and the
/// causes that may be found. What differs is listed with the handshakes and frames that show it; what the captures do not show is listed as not
/// seen. `--learn` writes a first file. The exit code is 0 where all is as expected, 1 where it is not.
#[derive(Debug, Args)]
#[command(after_help = EXPECT_EXAMPLES)]
pub(super) struct Expect {
    /// The expectations (docs/FORENSICS.md says what they can hold)
    #[arg(value_name = "FILE.toml", value_hint = ValueHint::FilePath, required_unless_present = "learn")]
    file: Option<PathBuf>,

    /// Captures, or rows that `handshark --json` or `handshark live --json` writes: files, directories of them, or - for standard input
    #[arg(value_name = "FILE", num_args = 1.., required_unless_present = "learn", value_hint = ValueHint::AnyPath)]
    inputs: Vec<PathBuf>,

    /// Write a first file of expectations from what these captures show, to standard output
    #[arg(long, value_name = "FILE", num_args = 1.., action = ArgAction::Append, conflicts_with_all = ["file", "inputs", "json"], value_hint = ValueHint::AnyPath)]
    learn: Vec<PathBuf>,

    /// Write the result as one JSON object
    #[arg(long, help_heading = OUTPUT)]
    json: bool,

    #[command(flatten)]
    query: QueryArguments,

    #[command(flatten)]
    screen: ScreenArguments,

    #[command(flatten)]
    progress: ProgressArgument,
}

impl From<Expect> for ExpectOptions {
    fn from(expect: Expect) -> Self {
        let inputs = if expect.learn.is_empty() { expect.inputs } else { expect.learn };
        Self {
            file: expect.file,
            inputs,
            query: expect.query.into(),
            json: expect.json,
            screen: expect.screen.into(),
            progress: expect.progress.is_shown(),
        }
    }
}

pub(super) const EXPECT_EXAMPLES: &str = "\
Examples:
  handshark expect --learn good.pcapng > shop.toml     a first file
  handshark expect shop.toml canary.pcapng
  handshark expect shop.toml --json canary.pcapng | jq .services
  handshark live -i eth0 --json --duration 10m | handshark expect shop.toml -

Exit codes: 0 as expected; 1 not as expected; 2 could not be done.";
