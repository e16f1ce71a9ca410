//! `handshark incidents`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::options::Screen;
use super::shared::{OUTPUT, ScreenArguments};
use super::values;
use crate::time::Zone;

/// Form the incidents of a whole fleet out of what its sensors wrote
///
/// Reads lines of JSON as `live` and `read --json` write them, of any number of sensors and in any order; what comes twice counts once. Incidents
/// are formed as one process that sees all sensors would form them, and say which sites and sensors saw them. Sensors that stopped reporting are named.
#[derive(Debug, Args)]
#[command(after_help = INCIDENTS_EXAMPLES)]
pub(super) struct Incidents {
    /// Rows: files, directories of .ndjson files, or - for standard input
    #[arg(value_name = "ROWS", required = true, num_args = 1.., value_hint = ValueHint::AnyPath)]
    inputs: Vec<PathBuf>,

    /// Go on reading as rows are added, and tell incidents as they begin, grow and end
    #[arg(long)]
    follow: bool,

    /// A sensor without a heartbeat for so long is silent; it does not hold up the others any more
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = values::long_duration)]
    silent_after: Duration,

    /// Write one JSON object a line: incidents, and how each sensor is (docs/SCHEMA.md)
    #[arg(long, help_heading = OUTPUT)]
    json: bool,

    /// Show times in this zone: UTC, local, or a name such as Europe/Berlin
    #[arg(long = "tz", value_name = "ZONE", default_value = "UTC", hide_default_value = true, value_parser = Zone::new, help_heading = OUTPUT)]
    zone: Zone,

    #[command(flatten)]
    screen: ScreenArguments,
}

/// Which rows to read, and how to tell what they say.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentsOptions {
    /// Files, directories, or `-`.
    pub inputs: Vec<PathBuf>,
    /// Go on reading.
    pub follow: bool,
    /// When a sensor is silent.
    pub silent_after: Duration,
    /// As NDJSON.
    pub json: bool,
    /// The zone of the times that people are shown.
    pub zone: Zone,
    /// How it is shown.
    pub screen: Screen,
}

impl From<Incidents> for IncidentsOptions {
    fn from(arguments: Incidents) -> Self {
        let Incidents { inputs, follow, silent_after, json, zone, screen } = arguments;
        Self { inputs, follow, silent_after, json, zone, screen: screen.into() }
    }
}

pub(super) const INCIDENTS_EXAMPLES: &str = "\
Examples:
  handshark incidents /var/spool/handshark            of one host's spool
  handshark incidents rows/site=*/sensor=*            of all sensors
  nats sub --raw 'tls.>' | handshark incidents --follow --json -
  handshark incidents --follow --silent-after 5m rows/

Exit codes: 0 done; 2 could not be done.";
