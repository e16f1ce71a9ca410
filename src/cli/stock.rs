//! The arguments of `inventory`.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};

use super::options::{InventoryOptions, Stocked};
use super::selection::QueryArguments;
use super::shared::{MoreInputs, OUTPUT, ProgressArgument, ScreenArguments};
use crate::output::inventory::Table;

/// Take stock: which servers and clients offer, choose and complete what, and who would break without it
///
/// Versions, groups (post-quantum or not), suites, signature algorithms, certificates with keys and lifetimes, encrypted ClientHello; for each
/// thing that may be switched off, such as TLS 1.1 and older, who completed with it and offers or chooses nothing else; how far servers and
/// clients are with post-quantum key exchange. It tells what was seen: a client that was not there may need more.
#[derive(Debug, Args)]
#[command(after_help = INVENTORY_EXAMPLES)]
pub(super) struct Inventory {
    /// Captures, or rows that `handshark --json` wrote, here or on other hosts: files, directories of them, or - for standard input
    #[arg(value_name = "FILE", required_unless_present = "more_inputs", num_args = 1.., value_hint = ValueHint::AnyPath)]
    inputs: Vec<PathBuf>,

    #[command(flatten)]
    more: MoreInputs,

    /// List every server, client and certificate, not only the first of each
    #[arg(short, long, conflicts_with_all = ["json", "csv"], help_heading = OUTPUT)]
    all: bool,

    /// Write one JSON object: the whole inventory (docs/SCHEMA.md)
    #[arg(long, conflicts_with = "csv", help_heading = OUTPUT)]
    json: bool,

    /// Write a table as comma-separated values
    #[arg(long, value_name = "TABLE", value_parser = tables(), help_heading = OUTPUT)]
    csv: Option<Table>,

    #[command(flatten)]
    query: QueryArguments,

    #[command(flatten)]
    screen: ScreenArguments,

    #[command(flatten)]
    progress: ProgressArgument,
}

impl From<Inventory> for InventoryOptions {
    fn from(inventory: Inventory) -> Self {
        Self {
            inputs: inventory.more.before(inventory.inputs),
            query: inventory.query.into(),
            stocked: match (inventory.json, inventory.csv) {
                (true, _) => Stocked::Json,
                (_, Some(table)) => Stocked::Csv(table),
                _ => Stocked::Text { all: inventory.all },
            },
            screen: inventory.screen.into(),
            progress: inventory.progress.is_shown(),
        }
    }
}

fn tables() -> impl TypedValueParser<Value = Table> {
    PossibleValuesParser::new(Table::ALL.map(|table| PossibleValue::new(table.name())))
        .map(|word: String| Table::ALL.into_iter().find(|table| table.name() == word).unwrap_or(Table::Servers))
}

pub(super) const INVENTORY_EXAMPLES: &str = "\
Examples:
  handshark inventory night.pcapng
  handshark inventory /var/captures --name '*.bank.test' --since 09:00
  handshark inventory night.pcapng --csv needs > needs.csv
  handshark inventory night.pcapng --json | jq '.needs[] | {what, clients}'
  handshark inventory sensor-*.ndjson.gz         rows of other hosts";
