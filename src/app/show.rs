//! `handshark show`: one handshake in full.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::bail;

use super::job::Job;
use super::stop_on_signal;
use crate::anonymize::Anonymizer;
use crate::cli::ShowOptions;
use crate::output::again::Again;
use crate::output::escape::escape;
use crate::output::figures::{counted, when_in};
use crate::output::layout::Layout;
use crate::output::ndjson::NdjsonSink;
use crate::output::pager::Pager;
use crate::output::show;
use crate::output::view;
use crate::report::{Handshake, Id, Sink, Summary};
use crate::time::Zone;

/// Reads captures and shows the handshake that is asked for; without such, the first that failed, or the first.
pub(super) fn show(options: &ShowOptions) -> anyhow::Result<()> {
    only_files_and_id(&options.inputs, options.id.as_deref())?;
    let anonymizer = options.query.anonymize.as_ref().map(|key| Anonymizer::new(key.clone()));
    let zone = &options.query.zone;
    let mut found = Found::new(options.most, options.id.as_deref(), anonymizer.as_ref(), zone, kept);
    let job = Job {
        // It is made anonymous here, so that a handshake can be asked for by either id.
        anonymize: None,
        timeline: true,
        progress: options.progress,
        ..Job::new(&options.inputs, &options.query, stop_on_signal()?)
    };
    let summary = job.run(&mut found)?;
    let chosen = found.settle(&summary)?;
    if options.json {
        let mut sink = NdjsonSink::new(io::stdout().lock(), false);
        chosen.iter().try_for_each(|report| sink.handshake(&hidden(report, anonymizer.as_ref())))?;
        return sink.finish().map_err(Into::into);
    }
    let layout = options.screen.layout(&options.query.zone);
    let mut out = Pager::new(options.screen.paging);
    let written = write(&mut out, &layout, options, &found, anonymizer.as_ref());
    out.close().and(written).map_err(Into::into)
}

/// The report beyond its run.
fn kept(report: &Handshake<'_>) -> Handshake<'static> {
    report.to_static()
}

/// Fails where the last word looks like no file, and none is there.
pub(super) fn only_files_and_id(inputs: &[PathBuf], id: Option<&str>) -> anyhow::Result<()> {
    let Some(word) = inputs.last().filter(|_| id.is_none() && inputs.len() > 1) else { return Ok(()) };
    match word.to_str().filter(|text| !text.contains(['.', '/']) && *text != "-" && !word.exists()) {
        Some(word) => bail!("no handshake or file is called {word}; an ID is hexadecimal, as the failures of `handshark FILE` name it"),
        None => Ok(()),
    }
}

/// Writes the handshakes chosen.
fn write(
    out: &mut dyn Write,
    layout: &Layout,
    options: &ShowOptions,
    found: &Found<'_>,
    anonymizer: Option<&Anonymizer>,
) -> io::Result<()> {
    let chosen = found.chosen();
    // What is made anonymous names no file.
    let again = if anonymizer.is_none() { Again::new(&options.inputs, &options.query.analysis.keylogs) } else { None };
    for (index, report) in chosen.iter().enumerate() {
        if index > 0 {
            writeln!(out, "\n")?;
        }
        show::handshake(out, layout, &hidden(report, anonymizer))?;
        if let Some(command) = again.as_ref().and_then(|again| again.reproduce(report)) {
            layout.flow(out, 2, 4, &[(layout.palette.dim, "Offer the same again:")])?;
            layout.command(out, 4, &command.to_string())?;
        }
    }
    let more = found.count.saturating_sub(chosen.len() as u64);
    if more > 0 && !options.query.criteria.is_empty() {
        writeln!(
            out,
            "\n{} asked for: see -n, or list them with `handshark --all`.",
            counted(more, "handshake more is", "handshakes more are")
        )?;
    }
    out.flush()
}

/// Handshakes that may be shown, each as what is kept of it.
pub(super) struct Found<'a, T = Handshake<'static>> {
    most: usize,
    keep: fn(&Handshake<'_>) -> T,
    /// The id asked for, or its beginning.
    wanted: Option<String>,
    anonymizer: Option<&'a Anonymizer>,
    zone: Zone,
    /// Those of what was asked for, without regard to the id.
    count: u64,
    matched: Vec<T>,
    failed: Vec<T>,
    /// Ids that begin as was asked, and what they are.
    candidates: Vec<(Id, String)>,
    /// Ids like the one asked for: the distance, the id, and what it is.
    near: Vec<(usize, Id, String)>,
}

impl<T> Sink for Found<'_, T> {
    fn handshake(&mut self, report: &Handshake<'_>) -> io::Result<()> {
        self.count = self.count.saturating_add(1);
        if let Some(wanted) = self.wanted.clone() {
            let own = report.handshake.id;
            let id = self.anonymizer.map_or(own, |anonymizer| anonymizer.id(own));
            if !own.as_str().starts_with(&wanted) && !id.as_str().starts_with(&wanted) {
                self.note(&wanted, id, report);
                return Ok(());
            }
            if self.candidates.len() < MOST_NAMED {
                self.candidates.push((id, told(report, self.anonymizer, &self.zone)));
            }
        }
        if self.failed.len() < self.most && report.class().is_failure() {
            self.failed.push((self.keep)(report));
        }
        if self.matched.len() < self.most {
            self.matched.push((self.keep)(report));
        }
        Ok(())
    }
}

impl<'a, T> Found<'a, T> {
    /// Will keep so many of those that are asked for, by an id where there is one.
    pub(super) fn new(
        most: usize,
        id: Option<&str>,
        anonymizer: Option<&'a Anonymizer>,
        zone: &Zone,
        keep: fn(&Handshake<'_>) -> T,
    ) -> Self {
        Self {
            most,
            keep,
            wanted: id.map(str::to_ascii_lowercase),
            anonymizer,
            zone: zone.clone(),
            count: 0,
            matched: Vec::new(),
            failed: Vec::new(),
            candidates: Vec::new(),
            near: Vec::new(),
        }
    }

    /// Ends the search in captures of which this is the summary: fails where there is nothing to show, or where it is not clear what.
    pub(super) fn settle(&self, summary: &Summary) -> anyhow::Result<&[T]> {
        let among = summary.handshakes.saturating_add(summary.left_out.unwrap_or_default());
        if among == 0 {
            bail!("no TLS handshake was found; `handshark read` says what is in the capture");
        }
        if let Some(id) = &self.wanted {
            self.only_one(id)?;
        }
        let chosen = self.chosen();
        match (chosen, among) {
            ([], 1) => bail!("the only handshake is not what was asked for; `handshark --all FILE` shows it"),
            ([], _) => bail!("none of the {among} handshakes is what was asked for; `handshark --all FILE` lists them"),
            _ => Ok(chosen),
        }
    }

    /// Remembers the ids that are most like what was asked for; where none is, the first.
    fn note(&mut self, wanted: &str, id: Id, report: &Handshake<'_>) {
        let beginning: String = id.as_str().chars().take(wanted.len()).collect();
        let asked: String = wanted.chars().take(id.as_str().len()).collect();
        let distance = match strsim::damerau_levenshtein(&beginning, &asked) {
            close if close.saturating_mul(3) <= asked.len() => close,
            _ if report.class().is_failure() => FAR,
            _ => FAR + 1,
        };
        if self.near.len() < MOST_NAMED || self.near.last().is_some_and(|last| distance < last.0) {
            let place = self.near.partition_point(|known| known.0 <= distance);
            self.near.insert(place, (distance, id, told(report, self.anonymizer, &self.zone)));
            self.near.truncate(MOST_NAMED);
        }
    }

    /// An id, or its beginning, must name one handshake.
    fn only_one(&self, id: &str) -> anyhow::Result<()> {
        let list = |lines: &mut dyn Iterator<Item = (&Id, &String)>| lines.map(|(id, told)| format!("  {id}  {told}")).collect();
        match self.candidates.as_slice() {
            [] => {
                let is_near = self.near.first().is_some_and(|near| near.0 < FAR);
                let near = self.near.iter().filter(|near| !is_near || near.0 < FAR).map(|(_, id, told)| (id, told));
                let word = if is_near { "like it is" } else { "some that there are, those that failed first" };
                bail!(Choice { said: format!("no handshake has the id {id}; {word}:"), list: list(&mut { near }) })
            }
            [first, .., last] if self.most == 1 && first.0 != last.0 => {
                let all = list(&mut self.candidates.iter().map(|(id, told)| (id, told)));
                bail!(Choice { said: format!("several handshakes have an id that begins with {id}:"), list: all })
            }
            _ => Ok(()),
        }
    }

    /// What failed is what is looked for, where something did.
    fn chosen(&self) -> &[T] {
        if self.failed.is_empty() { &self.matched } else { &self.failed }
    }
}

/// An id that names no handshake, or several: what there is to choose from, a line each.
#[derive(Debug)]
pub(super) struct Choice {
    said: String,
    /// The handshakes.
    pub(super) list: Vec<String>,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl std::error::Error for Choice {}

/// A handshake in a line.
fn told(report: &Handshake<'_>, anonymizer: Option<&Anonymizer>, zone: &Zone) -> String {
    let report = hidden(report, anonymizer);
    let cause = report.diagnosis.cause.map_or_else(String::new, |cause| format!(": {cause}"));
    let server = escape(&view::server(&report)).into_owned();
    format!("{}  {} → {server}  {}{cause}", when_in(zone, report.handshake.start, false), report.client, view::ending(&report))
}

fn hidden<'a>(report: &Handshake<'a>, anonymizer: Option<&Anonymizer>) -> Handshake<'a> {
    anonymizer.map_or_else(|| report.clone(), |anonymizer| anonymizer.handshake(report))
}

/// Handshakes named in an error.
const MOST_NAMED: usize = 5;
/// Farther than any id that is alike.
const FAR: usize = 64;
