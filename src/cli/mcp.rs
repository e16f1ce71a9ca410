//! The arguments of `mcp`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::options::McpOptions;
use super::selection::TrustArguments;
use super::values;

/// Let an agent ask about the captures below a directory, and nothing else, by the Model Context Protocol
///
/// Speaks the protocol on standard input and output, so an agent's program starts it (docs/MCP.md). The tools are list, diagnose, show, explain,
/// diff, match and inventory. Each call runs in a process of its own that can read that directory and write nothing, one at a time, for a limited
/// time; answers are of a limited size and say what they leave out. What comes from captures is marked as such. It sends nothing.
#[derive(Debug, Args)]
#[command(after_help = MCP_EXAMPLES)]
pub(super) struct Mcp {
    /// The directory whose captures may be read; what leads out of it is refused
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath, value_parser = values::directory())]
    directory: PathBuf,

    /// How long one call may take: 10s, 2m; then it ends with what it has read
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = values::long_duration)]
    time: Duration,

    /// The most that one answer may hold: 4KiB to 4MiB
    #[arg(long, value_name = "SIZE", default_value = "32KiB", value_parser = answer)]
    answer: usize,

    #[command(flatten)]
    trust: TrustArguments,

    /// What one call runs
    #[arg(last = true, hide = true)]
    call: Vec<OsString>,
}

impl From<Mcp> for McpOptions {
    fn from(mcp: Mcp) -> Self {
        Self { directory: mcp.directory, time: mcp.time, answer: mcp.answer, trust: mcp.trust.into(), call: mcp.call }
    }
}

fn answer(text: &str) -> Result<usize, String> {
    let size = values::size(text)?;
    let within = usize::try_from(size).ok().filter(|size| (4 << 10..=4 << 20).contains(size));
    within.ok_or_else(|| "it must be between 4KiB and 4MiB".to_owned())
}

pub(super) const MCP_EXAMPLES: &str = "\
Examples:
  claude mcp add handshark -- handshark mcp /var/captures
  handshark mcp /var/captures --ca-file corporate.pem
  handshark mcp /var/captures --time 5m --answer 128KiB";
