//! `handshark plan`: an archive divided into windows, each a command whose result has a name that depends on the window alone.
//!
//! A result is there when a file beside it, `RESULT.done`, holds the digest of what it was made from: the format's version, the command's
//! arguments, and the names, lengths and first packets of its files. Neither the archive's place nor the age of a file enters it, so that every
//! machine and every copy comes to the same.

mod archive;
mod windows;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::archive::Sensor;
use self::windows::{File, Spans, Window};
use crate::cli::PlanOptions;
use crate::condensate;
use crate::error::Error;
use crate::output::json;
use crate::output::say::say;
use crate::shard::Shard;
use crate::time::Timestamp;
use crate::wording::counted;

/// Writes the manifest.
pub(super) fn plan(options: &PlanOptions, mut out: &mut dyn Write) -> anyhow::Result<()> {
    let archive = archive::look(options)?;
    let cannot = |source| Error::Write { what: "standard output".to_owned(), source };
    let mut results = BTreeSet::new();
    let (mut folders, mut due, mut bytes) = (BTreeSet::new(), 0_u64, 0_u64);
    for (sensor, files) in &archive.sensors {
        let folder = folder(sensor);
        if !folders.insert(folder.clone()) {
            bail!("two sensors would write to {folder}; tell them apart with --layout");
        }
        let spans = Spans::new(files);
        let Some(begins) = spans.begins(options.every, WINDOWS) else {
            let (first, last) = (files.first().map(|file| &file.name), files.last().map(|file| &file.name));
            bail!(
                "{folder} would have more than {WINDOWS} windows, from {} to {}; make them longer with --every, or look at the clocks of these files",
                first.map_or("", String::as_str),
                last.map_or("", String::as_str)
            );
        };
        for window in spans.windows(&begins, options.overlap) {
            let line = Line::new(sensor, &folder, &window, options.shards, &options.output);
            let is_due = line.state == DUE;
            if is_due {
                due = due.saturating_add(1);
                bytes = bytes.saturating_add(line.bytes.unwrap_or_default());
            }
            if is_due || !options.due {
                json::line(&mut out, &line).map_err(cannot)?;
            }
            results.extend(last_part(&line.output, options.shards));
        }
    }
    let stale = stale(&options.output, &results);
    for result in &stale {
        let (output, shards) = of_part(result);
        json::line(&mut out, &Stale { schema: SCHEMA, kind: "window", output, shards, state: "stale" }).map_err(cannot)?;
    }
    out.flush().map_err(cannot)?;
    say(told(&archive, results.len(), due, bytes, stale.len()));
    if archive.unreadable > 0 {
        bail!("{} of the archive cannot be read and is in no window", counted(archive.unreadable, "file", "files"));
    }
    Ok(())
}

fn told(archive: &archive::Archive, windows: usize, due: u64, bytes: u64, stale: usize) -> String {
    let stale = match stale {
        0 => String::new(),
        more => format!(", and {} of windows that are none any more", counted(more, "result", "results")),
    };
    let size = if bytes > 0 { format!(" with {} MB to read", bytes / 1_000_000) } else { String::new() };
    let sensors = counted(archive.sensors.len(), "sensor", "sensors");
    format!("{} of {sensors}: {due} due{size}, {} done{stale}", counted(windows, "window", "windows"), (windows as u64).saturating_sub(due))
}

/// A line of the manifest.
#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sensor: Option<&'a str>,
    /// Where it begins: its name.
    begin: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    /// From the archive's root on, or URLs.
    files: Vec<&'a str>,
    /// What those hold together.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// From the results' root on; with `{shard}` in it where there are several.
    output: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    shards: Option<u16>,
    state: &'static str,
    digest: String,
    /// Before `-o RESULT` and the files.
    arguments: Vec<String>,
}

/// A line that names a result of a window that is none any more.
#[derive(Serialize)]
struct Stale {
    schema: &'static str,
    kind: &'static str,
    output: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    shards: Option<u16>,
    state: &'static str,
}

impl<'a> Line<'a> {
    fn new(sensor: &'a Sensor, folder: &str, window: &Window<'a>, shards: Option<u16>, results: &Path) -> Self {
        let options = [
            ("--site", sensor.site.clone()),
            ("--sensor", sensor.name.clone()),
            ("--since", window.since.map(|since| since.to_string())),
            ("--until", window.until.map(|until| until.to_string())),
            ("--shards", shards.map(|shards| shards.to_string())),
        ];
        let given = options.into_iter().filter_map(|(option, value)| Some([option.to_owned(), value?]));
        let arguments: Vec<String> = std::iter::once(COMMAND.to_owned()).chain(given.flatten()).collect();
        let place = if shards.is_some() { SHARD } else { "" };
        let output = format!("{place}{folder}{}{RESULT}", file_name(window.begin));
        let version = if shards.is_some() { condensate::SHARD_VERSION } else { condensate::VERSION };
        let digest = digest(version, &arguments, &window.files);
        let parts = parts(&output, shards);
        let there = parts.iter().all(|part| results.join(part).is_file());
        let done = there && parts.last().and_then(|last| noted(&results.join(last))).is_some_and(|noted| noted == digest);
        Self {
            schema: SCHEMA,
            kind: "window",
            site: sensor.site.as_deref(),
            sensor: sensor.name.as_deref(),
            begin: window.begin,
            since: window.since,
            until: window.until,
            files: window.files.iter().map(|file| file.name.as_str()).collect(),
            bytes: window.files.iter().try_fold(0_u64, |sum, file| file.bytes.map(|bytes| sum.saturating_add(bytes))),
            output,
            shards,
            state: if done { "done" } else { DUE },
            digest,
            arguments,
        }
    }
}

/// The files of a window's result. The last is written last, and beside it stands the note.
fn parts(output: &str, shards: Option<u16>) -> Vec<String> {
    match (shards, output.strip_prefix(SHARD)) {
        (Some(of), Some(rest)) => Shard::all(of).map(|shard| format!("{}/{rest}", shard.name())).collect(),
        _ => vec![output.to_owned()],
    }
}

fn last_part(output: &str, shards: Option<u16>) -> Option<String> {
    parts(output, shards).pop()
}

/// The result that a file with a note beside it is the last part of, and how many shards that has.
fn of_part(last: &str) -> (String, Option<u16>) {
    let divided = last.strip_prefix(SIDE).and_then(|rest| rest.split_once('/'));
    match divided.and_then(|(of, rest)| Some((of.parse().ok()?, rest))) {
        Some((of, rest)) => (format!("{SHARD}{rest}"), Some(of)),
        None => (last.to_owned(), None),
    }
}

/// Where a sensor's results go, with a slash at its end.
fn folder(sensor: &Sensor) -> String {
    match (sensor, &sensor.folder) {
        (Sensor { site, name: Some(sensor), .. }, _) => {
            site.as_ref().map_or_else(|| format!("sensor={sensor}/"), |site| format!("site={site}/sensor={sensor}/"))
        }
        (_, Some(folder)) if !folder.is_empty() => format!("{folder}/"),
        _ => String::new(),
    }
}

/// `20261128T100000Z`, with nanoseconds where there are some.
fn file_name(begin: Timestamp) -> String {
    begin.to_string().replace(['-', ':'], "").replace(".000000000", "")
}

/// What a result is made from.
fn digest(version: u32, arguments: &[String], files: &[&File]) -> String {
    let mut hash = Sha256::new();
    // What an earlier version wrote is not read any more.
    hash.update(version.to_be_bytes());
    let first: Vec<String> = files.iter().map(|file| file.first.to_string()).collect();
    let told = files.iter().zip(&first).flat_map(|(file, first)| [file.name.as_str(), file.version.as_str(), first]);
    for word in arguments.iter().map(String::as_str).chain([""]).chain(told) {
        hash.update(word.as_bytes());
        hash.update([0]);
    }
    HEXLOWER.encode(hash.finalize().get(..16).unwrap_or_default())
}

/// The digest that is noted beside a result.
fn noted(result: &Path) -> Option<String> {
    let mut path = result.as_os_str().to_owned();
    path.push(DONE);
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim_end().to_owned())
}

/// Results that are there, with their digests, and belong to no window.
fn stale(results: &Path, wanted: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    let mut next: Vec<PathBuf> = vec![results.to_owned()];
    while let Some(directory) = next.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                next.push(path);
                continue;
            }
            let name = path.strip_prefix(results).ok().and_then(Path::to_str).and_then(|name| name.strip_suffix(DONE));
            let Some(name) = name.filter(|name| name.ends_with(RESULT) && !wanted.contains(*name)) else { continue };
            if noted(&results.join(name)).is_some_and(|noted| noted.len() == 32 && noted.bytes().all(|byte| byte.is_ascii_hexdigit())) {
                found.push(name.to_owned());
            }
        }
    }
    found.sort();
    found
}

const SCHEMA: &str = "handshark-plan/1";
/// What a window is made into.
const COMMAND: &str = "condense";
const RESULT: &str = ".pcapng.zst";
/// Behind a result's name: the file that says what it was made from.
const DONE: &str = ".done";
const DUE: &str = "due";
/// Before the name of a result of several parts, in whose place the shard's name comes.
const SHARD: &str = "{shard}/";
/// What the name of a side table's folder begins with.
const SIDE: &str = "side-of-";
/// Windows of one sensor: ten years of five minutes.
const WINDOWS: usize = 1_048_576;
