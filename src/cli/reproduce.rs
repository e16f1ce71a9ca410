//! The arguments of `reproduce`.

use clap::Args;

use super::options::{Query, ReproduceForm, ReproduceOptions};
use super::present::InputsAndId;
use super::selection::{AnalysisArguments, SelectionArguments};
use super::shared::{OUTPUT, ProgressArgument, SELECTION, ScreenArguments};

/// Print commands that offer a handshake again: to the server, and to a server of your own that answers as it did
///
/// openssl s_client with what the client offered (versions, suites, groups, signature algorithms, application protocols, name, STARTTLS), curl
/// for another host, and an openssl s_server with a certificate of the same kind. So a fault can be proved, and a fix tried, without the
/// client or the server at hand. What cannot be imitated is said. Nothing is run: handshark only prints.
#[derive(Debug, Args)]
#[command(after_help = REPRODUCE_EXAMPLES)]
pub(super) struct Reproduce {
    #[command(flatten)]
    inputs: InputsAndId,

    /// The handshake's ID, or the first digits of it; without one, the first that failed
    #[arg(long, value_name = "ID", help_heading = SELECTION)]
    id: Option<String>,

    #[command(flatten)]
    selection: SelectionArguments,

    #[command(flatten)]
    analysis: AnalysisArguments,

    #[command(flatten)]
    screen: ScreenArguments,

    /// Write one JSON object
    #[arg(long, help_heading = OUTPUT)]
    json: bool,

    /// Write a shell script that makes the files, runs the server and offers it the same
    #[arg(long, conflicts_with = "json", help_heading = OUTPUT)]
    script: bool,

    #[command(flatten)]
    progress: ProgressArgument,

    /// Not possible here
    #[arg(long, hide = true, value_name = "KEY", value_parser = not_anonymous)]
    anonymize: Option<String>,
}

impl From<Reproduce> for ReproduceOptions {
    fn from(reproduce: Reproduce) -> Self {
        let (inputs, id) = reproduce.inputs.and(reproduce.id);
        let zone = reproduce.selection.zone();
        Self {
            inputs,
            id,
            form: match (reproduce.json, reproduce.script) {
                (true, _) => ReproduceForm::Json,
                (false, true) => ReproduceForm::Script,
                (false, false) => ReproduceForm::Text,
            },
            query: Query { zone, ..Query::new(reproduce.selection, reproduce.analysis) },
            screen: reproduce.screen.into(),
            progress: reproduce.progress.is_shown(),
        }
    }
}

fn not_anonymous(_: &str) -> Result<String, String> {
    Err("commands name the server that they ask; hand over `handshark read --anonymize KEY --json` instead".to_owned())
}

pub(super) const REPRODUCE_EXAMPLES: &str = "\
Examples:
  handshark reproduce night.pcapng                     the first that failed
  handshark reproduce night.pcapng 7d0f9a52c1e4b386    the one with this ID
  handshark reproduce --json night.pcapng 7d0f9a52 | jq -r .client
  handshark reproduce --script night.pcapng 7d0f9a52 > again.sh
  tcpdump -i lo -w again.pcap port 4433 &  sh again.sh";
