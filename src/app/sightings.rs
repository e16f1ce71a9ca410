//! Sightings of captures and of rows: what commands that take stock read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashSet;
use serde_json::Value;

use super::job::Job;
use super::stop_on_signal;
use crate::capture::{Rows, split_rows};
use crate::cli::Query;
use crate::find::Filter;
use crate::output::figures::counted;
use crate::output::say::say;
use crate::report::{Handshake, Sighting, Sink};

/// What was read, and what of it was not taken.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Files, in the order read.
    pub(super) inputs: Vec<String>,
    /// Rows that had been taken before.
    pub(super) repeated: u64,
    /// Lines that could not be read.
    pub(super) unreadable: u64,
}

/// Reads captures and rows, and gives `each` the handshakes that are asked for.
pub(super) fn gather(inputs: &[PathBuf], query: &Query, progress: bool, each: &mut dyn FnMut(&Sighting)) -> anyhow::Result<Gathered> {
    let (rows, captures) = split_rows(inputs)?;
    if !rows.is_empty() {
        if query.anonymize.is_some() {
            anyhow::bail!("rows are made anonymous where they are written: `handshark --json --anonymize KEY`");
        }
        if query.analysis.filter.is_some() {
            anyhow::bail!("{} holds rows and no packets, to which -f could apply; --where selects rows", display(&rows));
        }
    }
    let stop = stop_on_signal()?;
    let mut gathered = Gathered::default();
    if !captures.is_empty() {
        let job = Job { progress, ..Job::new(&captures, query, Arc::clone(&stop)) };
        let summary = job.run(&mut Each(each))?;
        gathered.inputs.extend(summary.inputs.into_iter().map(|input| input.source));
    }
    let mut reader = Reader { filter: Filter::new(query.criteria.clone()), begin: None, taken: HashSet::default(), first_mistake: None };
    for path in &rows {
        reader.read(path, &mut gathered, &|| stop.load(std::sync::atomic::Ordering::Relaxed), each)?;
        gathered.inputs.push(path.display().to_string());
    }
    reader.tell(&gathered)?;
    Ok(gathered)
}

fn display(paths: &[PathBuf]) -> String {
    paths.first().map_or_else(String::new, |path| path.display().to_string())
}

/// Passes on what handshakes of a capture say.
struct Each<'a>(&'a mut dyn FnMut(&Sighting));

impl Sink for Each<'_> {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        (self.0)(&Sighting::of(handshake));
        Ok(())
    }
}

/// Reads rows.
struct Reader {
    filter: Filter,
    /// The first row's time, on which bounds such as `+10m` rest.
    begin: Option<crate::time::Timestamp>,
    /// Ids of those taken: rows may be delivered twice.
    taken: HashSet<String, RandomState>,
    /// Where the first line stands that could not be read, and why.
    first_mistake: Option<String>,
}

impl Reader {
    fn read(
        &mut self,
        path: &Path,
        gathered: &mut Gathered,
        stopped: &dyn Fn() -> bool,
        each: &mut dyn FnMut(&Sighting),
    ) -> anyhow::Result<()> {
        let Some(mut rows) = Rows::open(path)? else { return Ok(()) };
        while let Some((number, line)) = rows.next_line(path)? {
            if stopped() {
                break;
            }
            match row(line) {
                Ok(None) => {}
                Ok(Some((seen, row))) => self.take(&seen, &row, gathered, each),
                Err(why) => {
                    gathered.unreadable = gathered.unreadable.saturating_add(1);
                    self.first_mistake.get_or_insert_with(|| format!("{} line {number}: {why}", path.display()));
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, seen: &Sighting, row: &Value, gathered: &mut Gathered, each: &mut dyn FnMut(&Sighting)) {
        let begin = *self.begin.get_or_insert(seen.start);
        if seen.provisional || !self.filter.takes_row(seen, row, Some(begin)) {
            return;
        }
        if self.taken.contains(&seen.id) {
            gathered.repeated = gathered.repeated.saturating_add(1);
            return;
        }
        if self.taken.len() < REMEMBERED {
            self.taken.insert(seen.id.clone());
        }
        each(seen);
    }

    /// Says what could not be read. An error where nothing could.
    fn tell(&self, gathered: &Gathered) -> anyhow::Result<()> {
        if let Some((count, why)) = self.filter.beyond() {
            say(format!("the condition of --where could not be applied to {}, which were left out: {why}", counted(count, "row", "rows")));
        }
        let Some(mistake) = &self.first_mistake else { return Ok(()) };
        if self.begin.is_none() {
            anyhow::bail!("{mistake}; rows are what `handshark --json` writes");
        }
        say(format!("{} could not be read and left out; the first: {mistake}", counted(gathered.unreadable, "line", "lines")));
        Ok(())
    }
}

/// What a line says, if it is of a handshake.
fn row(line: &[u8]) -> Result<Option<(Sighting, Value)>, String> {
    if line.is_empty() {
        return Err("it is longer than any row".to_owned());
    }
    let row: Value = serde_json::from_slice(line).map_err(|error| format!("it is not JSON: {error}"))?;
    Ok(Sighting::of_row(&row)?.map(|seen| (seen, row)))
}

/// Ids remembered: some hundred megabytes of rows come twice at a time.
const REMEMBERED: usize = 1 << 20;
