//! What an archive holds: the captures of a directory, or a list of objects in a store.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use anyhow::{Context as _, bail};

use super::super::is_dash;
use super::windows::File;
use crate::capture;
use crate::cli::{PathPattern, PlanOptions};
use crate::find::When;
use crate::output::say::say;
use crate::site::Observer;
use crate::time::Timestamp;
use crate::wording::counted;

/// One sensor, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sensor {
    pub(super) site: Option<String>,
    pub(super) sensor: Option<String>,
    /// The folder of its files, where nothing else tells it from others.
    pub(super) folder: Option<String>,
}

/// Every sensor's files, in the order of their first packets.
pub(super) struct Archive {
    pub(super) sensors: BTreeMap<Sensor, Vec<File>>,
    /// Files that cannot be read: told already.
    pub(super) unreadable: u64,
}

/// Looks at an archive.
pub(super) fn look(options: &PlanOptions) -> anyhow::Result<Archive> {
    let mut archive = Archive { sensors: BTreeMap::new(), unreadable: 0 };
    if !is_dash(&options.archive) && options.archive.is_dir() {
        of_directory(options, &mut archive)?;
    } else {
        of_list(options, &mut archive)?;
    }
    for files in archive.sensors.values_mut() {
        files.sort_by(|a, b| (a.first, &a.name).cmp(&(b.first, &b.name)));
        let newest = files.len().saturating_sub(1);
        for (index, file) in files.iter_mut().enumerate() {
            // An object is not here to be read.
            if (options.scan || (options.every.is_some() && index == newest)) && file.bytes.is_some() {
                file.last = capture::last(&options.archive.join(&file.name))?;
            }
        }
    }
    if archive.sensors.is_empty() {
        bail!("no capture with a packet in {}", options.archive.display());
    }
    Ok(archive)
}

fn of_directory(options: &PlanOptions, archive: &mut Archive) -> anyhow::Result<()> {
    let results = fs::canonicalize(&options.output).ok();
    let mut empty = 0_u64;
    for listed in capture::list(&options.archive)? {
        let is_result = |results: &std::path::PathBuf| fs::canonicalize(&listed.path).is_ok_and(|path| path.starts_with(results));
        if results.as_ref().is_some_and(is_result) {
            continue;
        }
        if let Some(problem) = listed.problem {
            say(problem);
            archive.unreadable = archive.unreadable.saturating_add(1);
            continue;
        }
        let name = listed.path.strip_prefix(&options.archive).unwrap_or(&listed.path);
        let Some(name) = name.to_str() else {
            say(format!("the name of {} is not UTF-8, which a manifest cannot hold; rename it", listed.path.display()));
            archive.unreadable = archive.unreadable.saturating_add(1);
            continue;
        };
        let Some(first) = listed.first else {
            empty = empty.saturating_add(1);
            continue;
        };
        let version = listed.bytes.to_string();
        archive.add(options.layout.as_ref(), name, name, Some(listed.bytes), version, first)?;
    }
    if empty > 0 {
        say(format!("{} without a packet", counted(empty, "file is", "files are")));
    }
    Ok(())
}

fn of_list(options: &PlanOptions, archive: &mut Archive) -> anyhow::Result<()> {
    let place = options.archive.display();
    let lines: Box<dyn BufRead> = if is_dash(&options.archive) {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(fs::File::open(&options.archive).with_context(|| format!("cannot open {place}"))?))
    };
    for (index, line) in lines.lines().enumerate() {
        let number = index.saturating_add(1);
        let line = line.with_context(|| {
            format!("{place}, line {number}: it is no text; a list of objects has a URL a line, and captures lie in a directory")
        })?;
        let mut parts = line.trim_end().split('\t');
        let (url, first, version) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        if url.is_empty() {
            continue;
        }
        let Some((_, key)) = url.split_once("://") else {
            let url: String = url.chars().take(80).collect();
            bail!("{place}, line {number}: {url:?} is no URL; write one such as s3://bucket/site=fra/sensor=edge-1/0001.pcap.zst");
        };
        let first = first.and_then(|text| text.parse::<When>().ok());
        let (Some(When::At(first)), Some(version)) = (first, version) else {
            bail!(
                "{place}, line {number}: behind the URL belong the time of the object's first packet, as 2026-11-28T10:00:00Z, and its ETag, each after a tab \
                 (deploy/scale/objects.py writes such a list)"
            );
        };
        archive.add(options.layout.as_ref(), url, key, None, version.to_owned(), first)?;
    }
    Ok(())
}

impl Archive {
    /// Enters a file under its sensor. `path` is what tells site and sensor.
    fn add(
        &mut self,
        layout: Option<&PathPattern>,
        name: &str,
        path: &str,
        bytes: Option<u64>,
        version: String,
        first: Timestamp,
    ) -> anyhow::Result<()> {
        let (site, sensor) = if let Some(layout) = layout {
            let (site, sensor) = layout.read(path).with_context(|| format!("{name} is not laid out as --layout says"))?;
            (site.map(str::to_owned), sensor.map(str::to_owned))
        } else {
            let Observer { site, sensor } = Observer::of_path(Path::new(path));
            (site.name().map(|name| name.to_string()), sensor.map(|name| name.to_string()))
        };
        let folder = sensor.is_none().then(|| path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned());
        let sensor = Sensor { site, sensor, folder };
        let file = File { name: name.to_owned(), bytes, version, first, last: None };
        self.sensors.entry(sensor).or_default().push(file);
        Ok(())
    }
}
