//! Rows as a data set that query engines know by its folders: `TABLE/date=2026-11-28/site=NAME/sensor=NAME/RUN-0000.parquet`.
//!
//! The tables are `handshakes`, `tallies`, `incidents` (by date and site) and `summary` (by date). A date is the day in UTC on which a handshake began, an
//! incident was first seen, or the capture began. Times are in microseconds. What is not known is called [`UNKNOWN`], as Hive, Spark and DuckDB have it.
//!
//! A run names its files after itself, so that the same run again replaces its own rows and no others. All files get their names when all
//! are whole; before that they begin with a dot, which engines pass over.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::delivery::{Delivery, Manner, Sealed, failed, refusal};
use super::parquet::{Cutter, Rows, Table, Unit};
use crate::error::{Error, Result};
use crate::report::{Handshake, Incident, Sink, Summary, Tally};
use crate::time::Timestamp;

/// A data set that rows are added to.
pub struct DataSet {
    root: PathBuf,
    /// What the files of this run are called.
    run: String,
    /// Whether what this run wrote before may be replaced.
    force: bool,
    /// Files being written, by their folder.
    open: BTreeMap<PathBuf, Part>,
    /// Files begun so far, by their folder.
    begun: BTreeMap<PathBuf, u32>,
    sealed: Vec<Sealed>,
    /// Files of this run.
    files: BTreeSet<PathBuf>,
    rows: u64,
    /// Why no more could be written.
    problem: Option<Error>,
}

impl std::fmt::Debug for DataSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataSet").field("root", &self.root).field("run", &self.run).finish_non_exhaustive()
    }
}

/// A file being written.
struct Part {
    table: Table<Delivery>,
    /// The number of the row that came last.
    used: u64,
}

/// Whether a path names a data set and not a file: a folder that is there, or a name with a slash at its end.
pub fn is_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir()
}

impl DataSet {
    /// Begins to add rows under `root`. `run` is the same for the same run: letters and digits. Rows of that run that are there already are an
    /// error, unless they may be replaced.
    pub fn begin(root: &Path, run: String, force: bool) -> Result<Self> {
        let set = Self {
            root: root.to_owned(),
            run,
            force,
            open: BTreeMap::new(),
            begun: BTreeMap::new(),
            sealed: Vec::new(),
            files: BTreeSet::new(),
            rows: 0,
            problem: None,
        };
        match set.earlier()?.first() {
            Some(there) if !force => Err(failed(there, refusal("the rows of this very run are there already; replace them with --force"))),
            _ => fs::create_dir_all(root).map(|()| set).map_err(|source| failed(root, source)),
        }
    }

    /// Gives every file its name, and removes those of the same run that were there before and have no rows any more.
    pub fn finish(mut self) -> Result<()> {
        for (folder, part) in std::mem::take(&mut self.open) {
            self.sealed.push(seal(&folder, part)?);
        }
        let earlier = self.earlier()?;
        for file in self.sealed {
            file.deliver()?;
        }
        for path in earlier.iter().filter(|path| !self.files.contains(*path)) {
            fs::remove_file(path).map_err(|source| failed(path, source))?;
        }
        Ok(())
    }

    /// What went wrong when a row could not be taken.
    pub fn problem(&mut self) -> Option<Error> {
        self.problem.take()
    }

    /// Files of this run that are there.
    fn earlier(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut next: Vec<(PathBuf, usize)> = [Rows::Handshakes, Rows::Incidents, Rows::Summary, Rows::Tallies]
            .iter()
            .map(|rows| (self.root.join(folder(*rows)), 0))
            .collect();
        while let Some((directory, depth)) = next.pop() {
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(Error::Open { path: directory, source }),
            };
            for entry in entries {
                let entry = entry.map_err(|source| Error::Open { path: directory.clone(), source })?;
                let (path, name) = (entry.path(), entry.file_name());
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    if depth < KEYS {
                        next.push((path, depth.saturating_add(1)));
                    }
                } else if name.to_str().is_some_and(|name| self.is_own(name)) {
                    found.push(path);
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn is_own(&self, name: &str) -> bool {
        let number = name.strip_prefix(&self.run).and_then(|rest| rest.strip_prefix('-')).and_then(|rest| rest.strip_suffix(".parquet"));
        number.is_some_and(|number| number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit()))
    }

    fn row(&mut self, rows: Rows, keys: &[(&str, Option<&str>)], fields: impl FnOnce(&mut Cutter<'_>)) -> io::Result<()> {
        let taken = self.take(rows, keys, fields);
        taken.map_err(|error| {
            self.problem = Some(error);
            io::Error::other("the data set cannot be written")
        })
    }

    fn take(&mut self, rows: Rows, keys: &[(&str, Option<&str>)], fields: impl FnOnce(&mut Cutter<'_>)) -> Result<()> {
        let place = partition(folder(rows), keys);
        self.rows = self.rows.saturating_add(1);
        if !self.open.contains_key(&place) {
            self.make_room()?;
            let part = self.new_part(&place, rows)?;
            self.open.insert(place.clone(), part);
        }
        let used = self.rows;
        let Some(part) = self.open.get_mut(&place) else { return Ok(()) };
        part.used = used;
        part.table.row(fields).map_err(|source| failed(&self.root.join(&place), source))?;
        if part.table.written() >= PART {
            self.close(&place)?;
        }
        self.hold_less()
    }

    fn new_part(&mut self, place: &Path, rows: Rows) -> Result<Part> {
        if self.begun.len() >= PARTITIONS && !self.begun.contains_key(place) {
            let why =
                "the rows are of too many days, sites and sensors for one run; write a single file instead, or look at the capture's clock";
            return Err(failed(&self.root, io::Error::other(why)));
        }
        let number = self.begun.entry(place.to_owned()).or_default();
        let directory = self.root.join(place);
        let path = directory.join(format!("{}-{number:04}.parquet", self.run));
        *number = number.saturating_add(1);
        fs::create_dir_all(&directory).map_err(|source| failed(&directory, source))?;
        let table = Table::new(Delivery::begin(&path, &Manner { force: self.force, ..Manner::default() })?, rows, Unit::Micros)
            .map_err(|source| failed(&path, source))?;
        self.files.insert(path);
        Ok(Part { table, used: self.rows })
    }

    /// Ends the file that was not needed for longest, when as many as may be are open.
    fn make_room(&mut self) -> Result<()> {
        if self.open.len() < OPEN {
            return Ok(());
        }
        let Some(place) = self.open.iter().min_by_key(|(_, part)| part.used).map(|(place, _)| place.clone()) else { return Ok(()) };
        self.close(&place)
    }

    fn close(&mut self, place: &Path) -> Result<()> {
        if let Some(part) = self.open.remove(place) {
            self.sealed.push(seal(&self.root.join(place), part)?);
        }
        Ok(())
    }

    /// Writes the rows of the tables that hold most, while all hold too much together.
    fn hold_less(&mut self) -> Result<()> {
        let held = |open: &BTreeMap<PathBuf, Part>| {
            open.values()
                .map(|part| part.table.held())
                .fold((0, 0), |(rows, bytes): (usize, usize), (more, texts)| (rows.saturating_add(more), bytes.saturating_add(texts)))
        };
        // One table alone keeps to its own bound.
        while self.open.len() > 1 && matches!(held(&self.open), (rows, bytes) if rows >= HELD_ROWS || bytes >= HELD_BYTES) {
            let Some((place, part)) = self.open.iter_mut().max_by_key(|(_, part)| part.table.held()) else { break };
            part.table.write().map_err(|source| failed(&self.root.join(place), source))?;
        }
        Ok(())
    }
}

impl Sink for DataSet {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        let date = handshake.handshake.start.day();
        let (site, sensor) = (handshake.observer.site.name(), handshake.observer.sensor.as_deref());
        let keys = [("date", Some(date.as_str())), ("site", site.as_deref()), ("sensor", sensor)];
        self.row(Rows::Handshakes, &keys, |cutter| handshake.write(cutter))
    }

    fn incident(&mut self, incident: &Incident) -> io::Result<()> {
        let date = incident.first_seen.day();
        let site = incident.observer.site.name();
        self.row(Rows::Incidents, &[("date", Some(date.as_str())), ("site", site.as_deref())], |cutter| incident.write(cutter))
    }

    fn tally(&mut self, tally: &Tally) -> io::Result<()> {
        let (date, site, sensor) = (tally.minute.day(), tally.observer.site.name(), tally.observer.sensor.as_deref());
        let keys = [("date", Some(date.as_str())), ("site", site.as_deref()), ("sensor", sensor)];
        self.row(Rows::Tallies, &keys, |cutter| tally.write(cutter))
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        let date = summary.times.map(|(first, _): (Timestamp, Timestamp)| first.day());
        self.row(Rows::Summary, &[("date", date.as_deref())], |cutter| summary.write(cutter))
    }
}

fn seal(folder: &Path, part: Part) -> Result<Sealed> {
    part.table.finish().map_err(|source| failed(folder, source))?.seal()
}

const fn folder(rows: Rows) -> &'static str {
    match rows {
        Rows::Handshakes => "handshakes",
        Rows::Incidents => "incidents",
        Rows::Summary => "summary",
        Rows::Tallies => "tallies",
    }
}

/// `handshakes/date=2026-11-28/site=fra`: as Hive and Spark write it.
fn partition(table: &str, keys: &[(&str, Option<&str>)]) -> PathBuf {
    let mut path = PathBuf::from(table);
    for (key, value) in keys {
        let mut name = format!("{key}=");
        match value.filter(|value| !value.is_empty()) {
            None => name.push_str(UNKNOWN),
            Some(value) => value.chars().for_each(|c| put(&mut name, c)),
        }
        path.push(name);
    }
    path
}

/// Appends a character of a value; what a path cannot hold, or means something in one, in its escaped form.
fn put(name: &mut String, c: char) {
    if c.is_control() || "\"#%'*/:=?\\{[]^".contains(c) {
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            let _ = write!(name, "%{byte:02X}");
        }
    } else {
        name.push(c);
    }
}

/// What a key's value is called where there is none.
const UNKNOWN: &str = "__HIVE_DEFAULT_PARTITION__";
/// Bytes at which a file is ended and another begun: engines like some hundred megabytes.
const PART: usize = 256 << 20;
/// Files open at a time.
const OPEN: usize = 64;
/// Folders that one run writes to: each costs a file, and times in a capture may be anything.
const PARTITIONS: usize = 65_536;
/// Rows, and bytes of texts, that all tables hold back together.
const HELD_ROWS: usize = 32_768;
const HELD_BYTES: usize = 256 << 20;
/// Keys of a table.
const KEYS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn files(root: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut next = vec![root.to_owned()];
        while let Some(directory) = next.pop() {
            for entry in fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { next.push(path) } else { found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()) }
            }
        }
        found.sort();
        found
    }

    fn write(root: &Path, run: &str, force: bool, handshakes: &[Handshake<'static>]) -> Result<()> {
        let mut set = DataSet::begin(root, run.to_owned(), force)?;
        for handshake in handshakes {
            set.handshake(handshake).unwrap();
        }
        set.finish()
    }

    #[test]
    fn a_run_replaces_its_own_rows_and_no_others() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("rows");
        let today = samples::named("a.test");
        let mut tomorrow = samples::named("b.test");
        tomorrow.handshake.start = Timestamp::from_parts(today.handshake.start.seconds() + 86_400, 0);
        write(&root, "aa", false, &[today.clone(), tomorrow.clone()]).unwrap();
        write(&root, "bb", false, std::slice::from_ref(&today)).unwrap();
        assert_eq!(files(&root).len(), 3);
        assert!(write(&root, "aa", false, &[]).unwrap_err().to_string().contains("--force"));
        write(&root, "aa", true, std::slice::from_ref(&tomorrow)).unwrap();
        let left = files(&root);
        assert_eq!(left.len(), 2, "{left:?}");
        let place = |day: &Handshake<'_>, run: &str| {
            format!("handshakes/date={}/site={UNKNOWN}/sensor={UNKNOWN}/{run}-0000.parquet", day.handshake.start.day())
        };
        assert_eq!(left, [place(&today, "bb"), place(&tomorrow, "aa")]);
    }

    #[test]
    fn what_is_not_finished_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let mut set = DataSet::begin(directory.path(), "aa".to_owned(), false).unwrap();
        for day in 0..(i64::try_from(OPEN).unwrap() + 5) {
            let mut handshake = samples::named("a.test");
            handshake.handshake.start = Timestamp::from_parts(day * 86_400, 0);
            set.handshake(&handshake).unwrap();
        }
        assert_eq!((set.open.len(), set.sealed.len()), (OPEN, 5));
        drop(set);
        assert_eq!(files(directory.path()), Vec::<String>::new());
    }

    #[test]
    fn values_that_mean_something_in_a_path_are_escaped() {
        let keys = [("site", Some("a/b=..%")), ("sensor", Some("")), ("date", None)];
        assert_eq!(
            partition("t", &keys),
            Path::new("t/site=a%2Fb%3D..%25").join(format!("sensor={UNKNOWN}")).join(format!("date={UNKNOWN}"))
        );
    }
}
