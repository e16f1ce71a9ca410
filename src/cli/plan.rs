//! The arguments of `plan`, and patterns that tell site and sensor from a path.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::values;

/// Divide an archive of captures into windows, for condensing on many cores or machines
///
/// Writes a manifest: one JSON object a line for each window of each sensor, with the files that it needs, the command's arguments, where its result goes,
/// and whether that is there already. The drivers in deploy/scale run it by xargs, Slurm, Dask, Spark or Ray. Of each file only the beginning is
/// read.
///
/// Site and sensor are those of the folders: `site=fra/sensor=edge-1/…`, or as --layout says. Without a sensor the files of one folder are taken
/// for one sensor's. The files of a sensor are taken to follow each other.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Plan {
    /// A directory of captures; or a list of objects, one a line: URL, tab, time of the first packet, tab, ETag. - is standard input
    #[arg(value_name = "ARCHIVE", value_hint = ValueHint::AnyPath)]
    archive: PathBuf,

    /// The directory that the results go to
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    output: PathBuf,

    /// Windows of this length: 5m, 1h [default: a window for each file]
    ///
    /// For files that hold seconds or many hours. The last file of each sensor is read to its end.
    #[arg(long, value_name = "DURATION", value_parser = values::long_duration)]
    every: Option<Duration>,

    /// How paths name site and sensor: '{site}/{sensor}', '*/{sensor}-*'
    ///
    /// Compared folder by folder from the archive's root on; * is any text. What is behind the pattern's last part does not matter.
    #[arg(long, value_name = "PATTERN")]
    layout: Option<PathPattern>,

    /// How far beyond its ends a window's files reach
    ///
    /// A handshake that begins in a window may end long after it, and what began before it is known by its beginning: condense looks back 130 s.
    #[arg(long, value_name = "DURATION", default_value = "130s", value_parser = values::long_duration)]
    overlap: Duration,

    /// Divide each window by server into so many shards and a side table, as condense --shards does: 2 to 256
    ///
    /// Where one process cannot judge everything in the time there is. Results lie in 1-of-4/, 2-of-4/… and side-of-4/, and each shard is read by
    /// itself: handshark read 1-of-4/ side-of-4/.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=256))]
    shards: Option<u16>,

    /// Read every file to its end: for files of one sensor that overlap in time, as those of several interfaces do
    #[arg(long)]
    scan: bool,

    /// Write only what there is to do
    #[arg(long)]
    due: bool,
}

/// What to divide, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanOptions {
    /// A directory, a list of objects, or `-`.
    pub archive: PathBuf,
    /// Where results go.
    pub output: PathBuf,
    /// The length of a window, a second to a hundred years; `None`: one for each file.
    pub every: Option<Duration>,
    /// How paths name site and sensor, if not by `site=` and `sensor=`.
    pub layout: Option<PathPattern>,
    /// How far beyond its ends a window's files reach.
    pub overlap: Duration,
    /// Into how many shards each window is divided, from 2 on; `None`: into none.
    pub shards: Option<u16>,
    /// Read every file to its end.
    pub scan: bool,
    /// Only what there is to do.
    pub due: bool,
}

impl From<Plan> for PlanOptions {
    fn from(plan: Plan) -> Self {
        let Plan { archive, output, every, layout, overlap, shards, scan, due } = plan;
        Self { archive, output, every, layout, overlap, shards, scan, due }
    }
}

/// How paths name site and sensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern(Vec<Vec<Piece>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Site,
    Sensor,
    Any,
}

impl PathPattern {
    /// Site and sensor of a path; `None` for one that is laid out otherwise.
    pub fn read<'a>(&self, path: &'a str) -> Option<(Option<&'a str>, Option<&'a str>)> {
        let mut parts = path.split('/');
        let (mut site, mut sensor) = (None, None);
        for pieces in &self.0 {
            let mut rest = parts.next()?;
            let mut pieces = pieces.iter().peekable();
            while let Some(piece) = pieces.next() {
                let value = match (piece, pieces.peek()) {
                    (Piece::Text(text), _) => {
                        rest = rest.strip_prefix(text.as_str())?;
                        continue;
                    }
                    (_, Some(Piece::Text(text))) => {
                        let (value, behind) = rest.split_at_checked(rest.find(text.as_str())?)?;
                        rest = behind;
                        value
                    }
                    _ => std::mem::take(&mut rest),
                };
                match piece {
                    Piece::Site => site = Some(value).filter(|value| !value.is_empty()).or(site),
                    Piece::Sensor => sensor = Some(value).filter(|value| !value.is_empty()).or(sensor),
                    Piece::Any | Piece::Text(_) => {}
                }
            }
            if !rest.is_empty() {
                return None;
            }
        }
        Some((site, sensor))
    }
}

impl FromStr for PathPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.trim_matches('/').split('/').map(pieces).collect::<Result<Vec<_>, _>>()?;
        if !parts.iter().flatten().any(|piece| matches!(piece, Piece::Site | Piece::Sensor)) {
            return Err(format!("{text:?} names neither {{site}} nor {{sensor}}; write one such as '{{site}}/{{sensor}}'"));
        }
        Ok(Self(parts))
    }
}

/// Takes one folder's part of a pattern apart.
fn pieces(part: &str) -> Result<Vec<Piece>, String> {
    let mut found: Vec<Piece> = Vec::new();
    let mut rest = part;
    while !rest.is_empty() {
        let open = [("{site}", Piece::Site), ("{sensor}", Piece::Sensor), ("*", Piece::Any)];
        if let Some((behind, piece)) = open.into_iter().find_map(|(word, piece)| rest.strip_prefix(word).map(|behind| (behind, piece))) {
            if found.last().is_some_and(|last| !matches!(last, Piece::Text(_))) {
                return Err(format!("{part:?} has nothing between two parts that may be anything: where does one end?"));
            }
            found.push(piece);
            rest = behind;
            continue;
        }
        let end = rest.char_indices().skip(1).find(|(_, c)| matches!(c, '{' | '*')).map_or(rest.len(), |(at, _)| at);
        let (text, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if text.starts_with('{') {
            return Err(format!("{text:?} is not known here; there are {{site}}, {{sensor}} and *"));
        }
        found.push(Piece::Text(text.to_owned()));
        rest = behind;
    }
    Ok(found)
}

pub(super) const EXAMPLES: &str = "\
Examples:
  handshark plan /archive -o /condensed
  handshark plan /archive -o /condensed --every 5m --layout '{site}/{sensor}'
  handshark plan /archive -o /condensed --due | wc -l
  handshark plan /archive -o /condensed --due > manifest.jsonl
  deploy/scale/xargs.sh manifest.jsonl /archive /condensed
  handshark read /condensed

Exit codes: 0 done; 2 could not be done, or a file of the archive cannot be read.";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str, path: &str) -> Option<(Option<String>, Option<String>)> {
        let (site, sensor) = pattern.parse::<PathPattern>().unwrap().read(path)?;
        Some((site.map(str::to_owned), sensor.map(str::to_owned)))
    }

    #[test]
    fn a_pattern_reads_site_and_sensor() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("{site}/{sensor}", "fra/edge-1/2026/1.pcap"), Some((some("fra"), some("edge-1"))));
        assert_eq!(read("*/{sensor}-*", "x/tap7-0001.pcap"), Some((None, some("tap7"))));
        assert_eq!(read("raw/{site}_{sensor}.d", "raw/fra_e1.d/1.pcap"), Some((some("fra"), some("e1"))));
        assert_eq!(read("{site}/{sensor}", "fra"), None);
        assert_eq!(read("raw/{site}", "other/fra/1.pcap"), None);
    }

    #[test]
    fn a_pattern_that_cannot_be_read_says_why() {
        let wrong = |text: &str| text.parse::<PathPattern>().unwrap_err();
        assert!(wrong("*/x").contains("neither {site} nor {sensor}"));
        assert!(wrong("{site}{sensor}").contains("where does one end"));
        assert!(wrong("{tap}").contains("there are {site}"));
    }
}
