//! What every command over captures does: opens them, runs the pipeline, keeps what was asked for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use super::is_dash;
use crate::anonymize::{Anonymizer, Key};
use crate::capture::{self, FrameSource, Inputs, looked_at};
use crate::cli::{Analysis, Query, Trust};
use crate::diagnosis::chain::TrustStore;
use crate::diagnosis::policy::Policy;
use crate::error::Result;
use crate::find::{Criteria, Filter, Related};
use crate::logs::Logs;
use crate::output::progress::Progress;
use crate::output::say::say;
use crate::pipeline;
use crate::report::{Answer, Classes, Counts, Handshake, Incident, Sink, Summary};
use crate::time::{Timestamp, Zone};

/// How long a verdict read from a pipe may wait, in packet time, for what other handshakes show.
const HOLD_ON_A_PIPE: Duration = Duration::from_secs(30);

/// Captures, how to look at them, and what to look for in them.
#[derive(Debug)]
pub(super) struct Job<'a> {
    pub(super) inputs: &'a [PathBuf],
    pub(super) analysis: &'a Analysis,
    pub(super) criteria: &'a Criteria,
    pub(super) anonymize: Option<&'a Key>,
    /// Logs to be held against the verdicts, and the zone of times that name none.
    pub(super) logs: &'a [PathBuf],
    pub(super) zone: &'a Zone,
    pub(super) stop: Arc<AtomicBool>,
    /// Reports tell their handshakes packet by packet.
    pub(super) timeline: bool,
    /// The summary gives the SHA-256 of each file.
    pub(super) hashes: bool,
    /// Progress is wanted; whether it is shown depends on standard error.
    pub(super) progress: bool,
    /// The captures' first moment, once it is known.
    pub(super) begin: Arc<OnceLock<Timestamp>>,
}

impl<'a> Job<'a> {
    /// Captures and what is asked of them, with progress and without details: no timeline, no hashes.
    pub(super) fn new(inputs: &'a [PathBuf], query: &'a Query, stop: Arc<AtomicBool>) -> Self {
        let Query { analysis, criteria, anonymize, logs, zone } = query;
        Self {
            inputs,
            analysis,
            criteria,
            anonymize: anonymize.as_ref(),
            logs,
            zone,
            stop,
            timeline: false,
            hashes: false,
            progress: true,
            begin: Arc::default(),
        }
    }

    /// Whether it is read as it comes, and only once.
    pub(super) fn piped(&self) -> bool {
        self.inputs.iter().any(|path| comes_as_it_is_written(path))
    }

    /// Opens the captures.
    pub(super) fn open(&self) -> Result<Box<dyn FrameSource>> {
        let inputs = Inputs { paths: self.inputs.to_vec(), filter: self.analysis.filter.clone(), observer: self.analysis.observer.clone() };
        capture::with_key_logs(capture::open_until(&inputs, &self.stop)?, &self.analysis.keylogs)
    }

    /// Opens what is needed: mistakes show before anything is written.
    pub(super) fn prepare(&self) -> anyhow::Result<Ready> {
        self.prepare_with(self.open()?)
    }

    /// The same for frames from elsewhere.
    pub(super) fn prepare_with(&self, source: Box<dyn FrameSource>) -> anyhow::Result<Ready> {
        Ok(Ready { source, trust: trust(&self.analysis.trust)?, logs: super::logs::read(self.logs, self.zone)? })
    }

    /// Opens and analyses.
    pub(super) fn run(&self, sink: &mut dyn Sink) -> anyhow::Result<Summary> {
        self.analyse(self.prepare()?, sink)
    }

    /// Analyses the captures. What was asked for goes to `sink`, the summary last; it speaks of what was asked for only.
    pub(super) fn analyse(&self, ready: Ready, sink: &mut dyn Sink) -> anyhow::Result<Summary> {
        let begin = Arc::clone(&self.begin);
        let source = looked_at(ready.source, move |block| {
            if let Some(frame) = block.frame(0) {
                begin.get_or_init(|| frame.head.time);
            }
        });
        let icmp_filtered = icmp_filtered(self.analysis.filter.as_deref());
        let threads = self.analysis.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, std::num::NonZeroUsize::get);
        let options = pipeline::Options {
            threads,
            policy: Policy { stall_after: self.analysis.stall_after, icmp_filtered, ..Policy::default() },
            logs: ready.logs,
            hold: if self.piped() { HOLD_ON_A_PIPE } else { Duration::MAX },
            timeline: self.timeline,
            stop: Arc::clone(&self.stop),
            observer: self.analysis.observer.clone(),
            ..pipeline::Options::of_captures(ready.trust)
        };
        let mut asked = Asked {
            finder: Finder::new(self.criteria, &self.begin),
            anonymizer: self.anonymize.map(|key| Anonymizer::new(key.clone())),
            answer: Answer::default(),
            sink,
            summary: None,
            hashes: self.hashes,
        };
        let mut progress = Progress::new(self.progress);
        let whole = pipeline::run(source, &options, &mut asked, &mut |at| progress.update(at.bytes, at.total, at.handshakes))?;
        Ok(asked.summary.unwrap_or(whole))
    }
}

/// What has been opened.
pub(super) struct Ready {
    source: Box<dyn FrameSource>,
    trust: TrustStore,
    logs: Option<Arc<Logs>>,
}

/// Standard input, or a FIFO or device by its path: somebody may wait for what its packets show.
fn comes_as_it_is_written(path: &Path) -> bool {
    is_dash(path) || fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Whether a filter leaves out ICMP, which is said.
pub(super) fn icmp_filtered(filter: Option<&str>) -> bool {
    let filtered = filter.is_some_and(capture::excludes_icmp);
    if filtered {
        say("the filter leaves out ICMP: path MTU and unreachable verdicts lose their witness (add `or icmp or icmp6`)");
    }
    filtered
}

pub(super) fn trust(wanted: &Trust) -> anyhow::Result<TrustStore> {
    if wanted.is_empty() {
        return Ok(TrustStore::none());
    }
    let mut store = if wanted.system { TrustStore::system() } else { TrustStore::none() };
    if !wanted.files.is_empty() {
        store = store.joined(TrustStore::from_files(&wanted.files)?);
    }
    for directory in &wanted.directories {
        store = store.joined(TrustStore::from_dir(directory)?);
    }
    Ok(store)
}

/// Passes on what was asked for, under the names under which it is to be shown.
struct Asked<'a> {
    finder: Option<Finder>,
    anonymizer: Option<Anonymizer>,
    /// What the answer is made of, when that is not the whole run.
    answer: Answer,
    sink: &'a mut dyn Sink,
    summary: Option<Summary>,
    hashes: bool,
}

/// Looks for what was asked for, and counts it.
pub(super) struct Finder {
    filter: Filter,
    related: Related,
    /// The capture's first moment.
    begin: Arc<OnceLock<Timestamp>>,
    /// Handshakes that are wanted at most.
    most: u64,
    found: u64,
    left_out: u64,
    /// Incidents among them.
    pub(super) incidents: u64,
    classes: Classes,
    outcomes: Counts,
    causes: Counts,
}

impl Finder {
    /// None where nothing is asked for in particular. `begin` is the capture's first moment, once it is known.
    pub(super) fn new(criteria: &Criteria, begin: &Arc<OnceLock<Timestamp>>) -> Option<Self> {
        (!criteria.is_empty()).then(|| Self::up_to(u64::MAX, criteria, begin))
    }

    /// The same for the first handshakes only.
    pub(super) fn up_to(most: u64, criteria: &Criteria, begin: &Arc<OnceLock<Timestamp>>) -> Self {
        Self {
            filter: Filter::new(criteria.clone()),
            related: Related::default(),
            begin: Arc::clone(begin),
            most,
            found: 0,
            left_out: 0,
            incidents: 0,
            classes: Classes::default(),
            outcomes: Counts::new(),
            causes: Counts::new(),
        }
    }

    /// Whether a handshake is asked for. What is still under way will be counted when it is over.
    pub(super) fn takes(&mut self, report: &Handshake<'_>) -> bool {
        let taken = self.found < self.most && self.filter.takes(report, self.begin.get().copied());
        if report.handshake.provisional {
            return taken;
        }
        if !taken {
            self.left_out += 1;
            return false;
        }
        self.found += 1;
        self.related.found(report);
        self.classes.add(report.class());
        *self.outcomes.entry(report.handshake.outcome.name()).or_default() += 1;
        if let Some(cause) = report.diagnosis.cause {
            *self.causes.entry(cause.slug()).or_default() += 1;
        }
        true
    }

    /// Whether an incident may hold one of those that were asked for.
    pub(super) fn concerns(&self, incident: &Incident) -> bool {
        self.related.to(incident)
    }

    /// The summary speaks of what was asked for.
    pub(super) fn narrow(&mut self, summary: &mut Summary) {
        summary.handshakes = self.found;
        // Of the first handshakes nothing is left out but what came too late to matter.
        summary.left_out = (self.most == u64::MAX || self.left_out > 0).then_some(self.left_out);
        summary.incidents = self.incidents;
        summary.classes = self.classes;
        summary.outcomes = std::mem::take(&mut self.outcomes);
        summary.causes = std::mem::take(&mut self.causes);
        summary.notes.extend(summary.times.and_then(|(first, last)| self.filter.of_first_day(first, last)));
        if let Some((count, why)) = self.filter.beyond() {
            summary.notes.push(format!("The condition of --where could not be applied to {count} handshakes, which were left out: {why}"));
        }
    }
}

impl Sink for Asked<'_> {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        if self.finder.as_mut().is_some_and(|finder| !finder.takes(handshake)) {
            return Ok(());
        }
        if self.finder.is_some() {
            self.answer.handshake(handshake);
        }
        match &self.anonymizer {
            Some(anonymizer) => self.sink.handshake(&anonymizer.handshake(handshake)),
            None => self.sink.handshake(handshake),
        }
    }

    fn incident(&mut self, incident: &Incident) -> io::Result<()> {
        if let Some(finder) = &mut self.finder {
            if !finder.concerns(incident) {
                return Ok(());
            }
            finder.incidents += 1;
        }
        self.answer.incident(incident);
        match &self.anonymizer {
            Some(anonymizer) => self.sink.incident(&anonymizer.incident(incident)),
            None => self.sink.incident(incident),
        }
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        let mut summary = summary.clone();
        if let Some(finder) = &mut self.finder {
            finder.narrow(&mut summary);
        }
        if self.finder.is_some() {
            summary.answer = std::mem::take(&mut self.answer);
        }
        if self.hashes {
            super::digest::inputs(&mut summary);
        }
        if let Some(anonymizer) = &self.anonymizer {
            summary = anonymizer.summary(&summary);
        }
        self.sink.summary(&summary)?;
        self.summary = Some(summary);
        Ok(())
    }
}
