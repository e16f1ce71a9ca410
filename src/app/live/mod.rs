//! `handshark live`: interfaces in, reports out as they come, until it is told to stop.
//!
//! The order matters: what needs privileges is opened first ([`open`]), then they are given up, then the threads start ([`watch`]).

mod lag;
mod losses;
mod monitor;
mod outlet;
pub(super) mod owners;
mod privileges;
mod pulse;
mod record;
mod save;
mod tally;

use std::io::{self, BufWriter, IsTerminal};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::lag::Lag;
use self::losses::OutputLosses;
use self::monitor::{Ending, Scrape, Watcher};
use self::outlet::Outlet;
use self::pulse::{Beats, Pulse};
use self::record::{Desk, tapped};
use self::save::Saver;
use self::tally::Tally;
use super::confinement::confine;
use super::job::{Finder, icmp_filtered, trust};
use super::present;
use crate::capture::{self, KeyLogs, Opened};
use crate::cli::{self, Completed, LiveCommand, Shown};
use crate::diagnosis::chain::TrustStore;
use crate::diagnosis::policy::Policy;
use crate::output::line::LineSink;
use crate::output::metrics::{Metrics, MetricsServer};
use crate::output::ndjson::NdjsonSink;
use crate::output::rotate::{RotatingFile, Rotation};
use crate::output::say::say;
use crate::output::spool::Spool;
use crate::output::style::Palette;
use crate::owners::Desk as Owners;
use crate::pipeline::{self, Progress};
use crate::recorder::{Archive, ArchiveLimits, Recorder};
use crate::report::{Answer, Handshake, Incident, Report, Sink, Summary, Tallies};
use crate::site::Observer;
use crate::time::Clock;
use crate::tui::{self, Links};

/// How long a verdict may wait for what other handshakes show: long enough for a client's retry, short enough for someone who watches.
const HOLD: Duration = Duration::from_secs(1);

/// How long the end of a run waits for an output to deal with what it was given, before the summary.
const SETTLE: Duration = Duration::from_secs(1);

/// The least that an output is given to end.
const STEP: Duration = Duration::from_millis(100);

/// Reports that wait for the view: some ten kilobytes each, and taken ten times a second.
const VIEW_QUEUE: usize = 8_192;

/// Why nothing can be saved.
const NOWHERE: &str = "this run may write nowhere, for its own confinement; begin it with --save DIR";

/// Watches interfaces until a signal, the duration or the count ends it. Gives the exit code.
pub(super) fn live(command: &LiveCommand) -> anyhow::Result<u8> {
    let clock = present::clock();
    let flags = Flags::default();
    // First of all, lest one that comes early ends the process. They are heard once everything is open.
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let named;
    let command = if command.capture.interfaces.is_empty() {
        named = with_default_interface(command)?;
        &named
    } else {
        command
    };
    let open = open(command, &clock, &flags)?;
    watch_signals(signals, &flags);
    watch(command, open, &clock, &flags)
}

/// The same for the interface that tcpdump would take; which one it is, is said.
fn with_default_interface(command: &LiveCommand) -> anyhow::Result<LiveCommand> {
    let first = capture::interfaces()?.into_iter().next();
    let name = first.context("this machine has no interface that can be watched").map(|interface| interface.name)?;
    say(format!("watching {name}, the first interface; choose others with -i (`handshark interfaces` lists them)"));
    Ok(LiveCommand { capture: capture::LiveOptions { interfaces: vec![name], ..command.capture.clone() }, ..command.clone() })
}

/// What is asked for from outside.
#[derive(Debug, Default)]
struct Flags {
    ending: Ending,
    /// Open output files anew.
    reopen: Arc<AtomicBool>,
}

/// Everything that had to be opened.
struct Open {
    /// Who watches.
    observer: Observer,
    capture: Opened,
    trust: TrustStore,
    keylogs: KeyLogs,
    file: Option<RotatingFile>,
    spool: Option<Spool>,
    archive: Option<Archive>,
    server: Option<MetricsServer>,
    /// To the process that looks up owners.
    owners: Option<std::os::unix::net::UnixStream>,
    icmp_filtered: bool,
}

/// Opens everything, and gives up the right to open more. No thread is started.
fn open(command: &LiveCommand, clock: &Clock, flags: &Flags) -> anyhow::Result<Open> {
    let host = || rustix::system::uname().nodename().to_string_lossy().into();
    let sensor = command.sensor.clone().unwrap_or_else(host);
    let observer = Observer { site: command.capture.site, sensor: Some(sensor) };
    let icmp_filtered = icmp_filtered(command.capture.filter.as_deref());
    let identity = command.user.as_deref().map(privileges::identity).transpose()?;
    let capture = capture::open_live(&command.capture)?;
    // It keeps rights that this process will not have.
    let owners = if command.processes { Some(owners::start(identity.as_ref(), command.sandbox)?) } else { None };
    let trust = trust(&command.trust)?;
    let keylogs = KeyLogs::open(&command.keylogs)?;
    let mut file = None;
    if let Some(output) = &command.output {
        let rotation =
            Rotation { size: output.size, age: output.age, keep: output.keep, clock: clock.clone(), reopen: Arc::clone(&flags.reopen) };
        file = Some(RotatingFile::open(&output.path, rotation)?);
    }
    let mut spool = None;
    if let Some((directory, limits)) = &command.spool {
        let stem = format!("handshark-{}", observer.sensor.as_deref().unwrap_or("sensor"));
        let opened = Spool::open(directory, &stem, limits.clone(), clock.clone());
        spool = Some(opened.with_context(|| format!("cannot spool to {}", directory.display()))?);
    }
    let mut archive = None;
    if let Some(record) = &command.record {
        let files = usize::try_from(record.max_files).unwrap_or(usize::MAX);
        let limits = ArchiveLimits { bytes: record.max_bytes, files, age: record.max_age };
        let opened = Archive::open(&record.directory, limits, command.capture.interfaces.clone(), clock.clone());
        let opened = opened.with_context(|| format!("cannot record to {}", record.directory.display()))?;
        if let Some(lacking) = opened.lacking() {
            let place = record.directory.display();
            say(format!(
                "{place} has {lacking} bytes less room than --record-max allows: when the disk is full, the oldest recordings are deleted first"
            ));
        }
        archive = Some(opened);
    }
    let mut server = None;
    if let Some((address, _)) = command.metrics {
        server = Some(MetricsServer::bind(address).with_context(|| format!("cannot serve metrics on {address}"))?);
        if !address.ip().is_loopback() {
            say(format!("metrics name servers and are not protected: anyone who reaches {address} can read them"));
        }
    }
    if let Some(identity) = &identity {
        if let Some(archive) = &archive {
            identity.give(|user, group| archive.give(user, group));
        }
        if let Some(file) = &file {
            identity.give(|user, group| file.give(user, group));
        }
        if let Some(spool) = &spool {
            identity.give(|user, group| spool.give(user, group));
        }
        privileges::empty_bounding_set();
        identity.assume()?;
    } else {
        privileges::empty_bounding_set();
    }
    let writable = writable(command, file.as_ref());
    let dropped = privileges::drop_capabilities(identity.is_some(), &writable)?;
    if dropped.root {
        let kept = if dropped.writes_anywhere { "NET_RAW and DAC_OVERRIDE (the directory of an output is not root's)" } else { "NET_RAW" };
        say(format!("running as root; every capability but {kept} was dropped. With --user NAME it gives up more"));
    }
    if command.sandbox {
        let confined = confine(&[], &writable, dropped.reopens)?;
        for (what, there) in [("landlock", confined.files), ("seccomp filters", confined.calls)] {
            if !there {
                say(format!("this kernel has no {what}: the process is not confined by them"));
            }
        }
    }
    // As the user and within the bounds that will hold.
    if let Some(file) = &file {
        file.check()?;
    }
    Ok(Open { observer, capture, trust, keylogs, file, spool, archive, server, owners, icmp_filtered })
}

/// Directories in which files will be created or replaced.
fn writable(command: &LiveCommand, file: Option<&RotatingFile>) -> Vec<PathBuf> {
    let output = file.and_then(RotatingFile::directory).map(std::path::Path::to_owned);
    let record = command.record.iter().map(|record| record.directory.clone());
    let spool = command.spool.iter().map(|(directory, _)| directory.clone());
    output.into_iter().chain(record).chain(spool).chain(command.save.clone()).collect()
}

/// Captures, analyses and shows until it is time to stop.
fn watch(command: &LiveCommand, open: Open, clock: &Clock, flags: &Flags) -> anyhow::Result<u8> {
    let stdout = io::stdout();
    let shown = match command.shown {
        Shown::Auto if !stdout.is_terminal() => Shown::Json,
        Shown::Auto if !tui::AVAILABLE => Shown::Text,
        shown => shown,
    };
    let palette = command.color.palette(&stdout);
    let mut outlets = Vec::new();
    match shown {
        Shown::Auto => {}
        Shown::Text => {
            let lines = LineSink::new(BufWriter::new(stdout), palette)
                .in_zone(command.zone.clone())
                .with_priorities(command.priorities || is_journal());
            outlets.push(to_stdout(Box::new(lines), flags));
        }
        Shown::Json => outlets.push(to_stdout(Box::new(NdjsonSink::new(BufWriter::with_capacity(64 << 10, stdout), true)), flags)),
    }
    if let (Some(file), Some(output)) = (open.file, &command.output) {
        outlets.push(Outlet::start(&output.path.display().to_string(), Box::new(NdjsonSink::new(file, true)), None));
    }
    let spooled = open.spool.as_ref().map(Spool::counters);
    if let Some(spool) = open.spool {
        let name = spool.directory().display().to_string();
        outlets.push(Outlet::start(&name, Box::new(NdjsonSink::new(spool, true)), None));
    }
    let observer = open.observer;
    let run = pipeline::Options {
        threads: command.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, std::num::NonZeroUsize::get),
        policy: Policy { stall_after: command.stall_after, icmp_filtered: open.icmp_filtered, ..Policy::default() },
        trust: open.trust,
        logs: None,
        owners: open.owners.map(Owners::new).transpose().context("cannot talk to the process that looks up owners")?,
        hold: HOLD,
        stop: Arc::clone(&flags.ending.stop),
        hurry: Arc::clone(&flags.ending.hurry),
        timeline: false,
        observer: observer.clone(),
        clock: Some(clock.clone()),
    };
    let (mut source, status) = open.capture.start(clock, Arc::clone(&flags.ending.stop), Arc::clone(&flags.ending.hurry));
    let mut desk = None;
    if let (Some(archive), Some(record)) = (open.archive, &command.record) {
        let recorder = Arc::new(Mutex::new(Recorder::new(usize::try_from(record.memory).unwrap_or(usize::MAX))));
        source = tapped(source, &recorder);
        desk = Some(Desk::start(recorder, archive));
    }
    let saver = (shown == Shown::Auto).then(|| save::directory(command)).flatten();
    let saver = saver.map(|directory| Saver::new(directory, command.capture.interfaces.clone()));
    if let Some(saver) = &saver {
        source = saver.beside(source);
    }
    if let Some(owners) = &run.owners {
        source = owners::beside(owners, source);
    }
    let lag = Lag::default();
    let source = lag.beside(open.keylogs.beside(source), clock);
    let flows = Arc::new(AtomicU64::new(0));
    let view_losses = OutputLosses::new("the view");
    let pulse = Pulse {
        observer,
        clock: clock.clone(),
        status: status.clone(),
        flows: Arc::clone(&flows),
        lag,
        owners: run.owners.clone(),
        outputs: outlets.iter().map(|outlet| Arc::clone(outlet.losses())).collect(),
        desk: desk.as_ref().map(Desk::counters),
        spool: spooled,
        every: command.heartbeat,
        beats: Beats::begin(clock),
    };
    let metrics = open.server.zip(command.metrics).map(|(server, (_, names))| serve(server, names, &pulse));
    let over = Arc::<AtomicBool>::default();
    let watcher = Watcher {
        ending: flags.ending.clone(),
        done: Arc::clone(&over),
        deadline: command.duration.and_then(|span| present::now().checked_add(span)),
        status: status.clone(),
        quiet: shown == Shown::Auto,
    };
    let watching = thread::spawn(move || watcher.run());
    let (to_view, reports): (Sender<Arc<Report>>, Receiver<Arc<Report>>) = bounded(VIEW_QUEUE);

    let begin = Arc::new(OnceLock::from(clock.now()));
    let mut fan = Fan {
        finder: command.count.map(|most| Finder::up_to(most, &command.criteria, &begin)).or_else(|| Finder::new(&command.criteria, &begin)),
        answer: Answer::default(),
        metrics: metrics.as_deref(),
        desk: desk.as_ref(),
        outlets: &outlets,
        view: (shown == Shown::Auto).then_some(&to_view),
        view_losses: &view_losses,
        saver: saver.as_ref(),
        pulse,
        completed: command.completed,
        tallies: Tallies::default(),
        flags,
        tally: Tally { command, stop: &flags.ending.stop, handshakes: 0, matched: false, last: Vec::new() },
    };
    let analyse = || {
        let done = pipeline::run(source, &run, &mut fan, &mut |at: Progress| flows.store(at.flows, Ordering::Relaxed));
        flags.ending.stop.store(true, Ordering::Relaxed);
        done
    };
    let mut trouble = Ok(());
    let done = if shown == Shown::Auto {
        thread::scope(|scope| {
            let analysis = scope.spawn(analyse);
            let viewed = tui::run(&Links {
                reports: &reports,
                gauges: &|| monitor::gauges(&status, &flows, &view_losses),
                save: &|wish| saver.as_ref().map_or_else(|| Err(NOWHERE.to_owned()), |saver| saver.save(wish, clock.now())),
                cannot_save: saver.is_none().then_some(NOWHERE),
                processes: command.processes,
                clock,
                stop: &flags.ending.stop,
                color: palette != Palette::PLAIN,
                zone: &command.zone,
            });
            flags.ending.stop.store(true, Ordering::Relaxed);
            trouble = viewed.context("cannot use the terminal (--text or --json need none)");
            analysis.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    } else {
        analyse()
    };
    let Fan { tally, .. } = fan;
    over.store(true, Ordering::Relaxed);
    let _ = watching.join();
    if let Some(desk) = desk {
        desk.finish();
    }
    for outlet in outlets {
        let losses = Arc::clone(outlet.losses());
        let ended = outlet.finish(flags.ending.left().max(STEP));
        let (lost, why) = losses.all();
        let worse = match ended {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => continue,
            Err(error) => anyhow::Error::new(error).context(format!("cannot write to {}", losses.what())),
            Ok(()) if lost > 0 => anyhow::anyhow!("{lost} of the reports could not be written to {}: {why}", losses.what()),
            Ok(()) => continue,
        };
        trouble = trouble.and(Err(worse));
    }
    done?;
    if shown != Shown::Json {
        tally.show(palette)?;
    }
    trouble?;
    Ok(if tally.matched { cli::EXIT_MATCHED } else { cli::EXIT_DONE })
}

fn to_stdout(sink: Box<dyn Sink + Send>, flags: &Flags) -> Outlet {
    Outlet::start("standard output", sink, Some(Arc::clone(&flags.ending.stop)))
}

/// Whether standard output goes to systemd's journal: systemd says which socket that is (systemd.exec(5), `JOURNAL_STREAM`).
fn is_journal() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(stdout) = std::fs::metadata("/proc/self/fd/1") else { return false };
    std::env::var("JOURNAL_STREAM").is_ok_and(|stream| stream == format!("{}:{}", stdout.dev(), stdout.ino()))
}

fn note_losses(summary: &mut Summary, outlets: &[Outlet], desk: Option<&Desk>, view: &OutputLosses) {
    let outputs = outlets.iter().map(|outlet| outlet.losses().as_ref()).chain([view]);
    let counters = desk.map(Desk::counters);
    let all = outputs.map(|losses| ("reports", losses)).chain(counters.iter().map(|counters| ("recordings", &counters.losses)));
    for (kind, losses) in all {
        let (lost, why) = losses.all();
        let place =
            if kind == "reports" { format!("could not be written to {}", losses.what()) } else { "could not be written".to_owned() };
        match lost {
            0 => {}
            1 => summary.notes.push(format!("1 of the {kind} {place}: {why}.")),
            _ => summary.notes.push(format!("{lost} {kind} {place}: {why}.")),
        }
    }
}

/// Starts to answer scrapers; the thread ends with the process.
fn serve(server: MetricsServer, names: u32, pulse: &Pulse) -> Arc<Metrics> {
    let metrics = Arc::new(Metrics::new(usize::try_from(names).unwrap_or(usize::MAX)));
    metrics.identify(pulse.observer.site.name().as_deref(), pulse.observer.sensor.as_deref().unwrap_or_default());
    let page = Scrape {
        metrics: Arc::clone(&metrics),
        status: pulse.status.clone(),
        flows: Arc::clone(&pulse.flows),
        outputs: pulse.outputs.clone(),
        desk: pulse.desk.clone(),
        lag: pulse.lag.clone(),
        owners: pulse.owners.clone(),
        spool: pulse.spool.clone(),
    };
    let clock = pulse.clock.clone();
    thread::spawn(move || server.serve(&clock, |form| form.of(&page.text()), || page.healthy()));
    metrics
}

/// Hands every report to all who want it.
struct Fan<'a, 't> {
    /// Chooses what was asked for.
    finder: Option<Finder>,
    /// What the answer is made of, when that is not the whole run.
    answer: Answer,
    metrics: Option<&'a Metrics>,
    desk: Option<&'a Desk>,
    outlets: &'a [Outlet],
    view: Option<&'a Sender<Arc<Report>>>,
    view_losses: &'a OutputLosses,
    saver: Option<&'a Saver>,
    pulse: Pulse,
    /// How those that completed are told, and those that are added up.
    completed: Completed,
    tallies: Tallies,
    flags: &'a Flags,
    tally: Tally<'t>,
}

impl Fan<'_, '_> {
    /// Reports that wait for others outlive what they were made from.
    fn share(&self, report: Report) -> Arc<Report> {
        let report = Arc::new(report);
        for outlet in self.outlets {
            outlet.give(&report, SETTLE.min(self.flags.ending.left()));
        }
        report
    }

    /// Tells those handshakes that are added up.
    fn tally(&mut self, rows: fn(&mut Tallies) -> Vec<crate::report::Tally>) {
        for row in rows(&mut self.tallies) {
            self.share(Report::Tally(Box::new(row)));
        }
    }

    /// The view shows a handshake packet by packet, which no other output does.
    fn show(&self, report: impl FnOnce() -> Report) {
        if self.view.is_some_and(|view| view.try_send(Arc::new(report())).is_err()) {
            self.view_losses.lose(1, "they came faster than they could be shown");
        }
    }
}

impl Sink for Fan<'_, '_> {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        let asked = self.finder.as_mut().is_none_or(|finder| finder.takes(handshake));
        if let Some(desk) = self.desk {
            desk.conclude(handshake, asked);
        }
        if let Some(saver) = self.saver {
            saver.conclude(handshake, asked);
        }
        if !asked {
            return Ok(());
        }
        if self.finder.is_some() && !handshake.handshake.provisional {
            self.answer.handshake(handshake);
        }
        if let Some(metrics) = self.metrics {
            metrics.handshake(handshake);
        }
        let told = self.completed.tells(handshake);
        if !handshake.handshake.provisional {
            self.pulse.count(handshake);
            if self.completed == Completed::Tallies && !self.outlets.is_empty() {
                self.tallies.add(handshake, told);
            }
        }
        if told && !self.outlets.is_empty() {
            self.share(Report::Handshake(Box::new(handshake.to_static())));
        }
        self.show(|| Report::Handshake(Box::new(handshake.with_timeline().to_static())));
        self.tally.handshake(handshake);
        Ok(())
    }

    fn incident(&mut self, incident: &Incident) -> io::Result<()> {
        if let Some(finder) = &mut self.finder {
            if !finder.concerns(incident) {
                return Ok(());
            }
            finder.incidents += u64::from(!self.tally.knows(&incident.id));
            self.answer.incident(incident);
        }
        if let Some(metrics) = self.metrics {
            metrics.incident(incident);
        }
        let report = self.share(Report::Incident(Box::new(incident.clone())));
        self.show(|| Report::Incident(Box::new(incident.clone())));
        self.tally.incident(report, &incident.id);
        Ok(())
    }

    fn follows(&self) -> bool {
        self.view.is_some()
    }

    fn idle(&mut self) -> io::Result<()> {
        if self.completed == Completed::Tallies {
            self.tallies.pass(self.pulse.clock.now());
            self.tally(Tallies::take);
        }
        if let Some(beat) = self.pulse.due() {
            self.share(Report::Heartbeat(Box::new(beat)));
        }
        Ok(())
    }

    fn ongoing(&mut self, incident: &Incident) -> io::Result<()> {
        if self.finder.as_ref().is_none_or(|finder| finder.concerns(incident)) {
            self.show(|| Report::Incident(Box::new(incident.clone())));
        }
        Ok(())
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        // Nothing comes any more: what is under way is written, or lost, before the losses are told.
        self.tally(Tallies::finish);
        let ending = &self.flags.ending;
        ending.stop.store(true, Ordering::Relaxed);
        if let Some(desk) = self.desk {
            desk.settle(ending.left() / 2);
        }
        for outlet in self.outlets {
            outlet.settle(SETTLE.min(ending.left() / 2));
        }
        let mut summary = summary.clone();
        if let Some(finder) = &mut self.finder {
            finder.narrow(&mut summary);
            summary.answer = std::mem::take(&mut self.answer);
        }
        note_losses(&mut summary, self.outlets, self.desk, self.view_losses);
        summary.notes.extend(self.pulse.owners.as_ref().and_then(|owners| owners::note(&owners.counts())));
        let beat = self.pulse.beat(true);
        self.share(Report::Heartbeat(Box::new(beat)));
        let report = self.share(Report::Summary(Box::new(summary)));
        self.tally.last.push(report);
        Ok(())
    }
}

/// The first SIGINT or SIGTERM asks for an end with the summary; the second ends at once. SIGHUP opens output files anew; to what shows its
/// result on a terminal it says that the terminal is gone.
fn watch_signals(mut signals: Signals, flags: &Flags) {
    let (stop, reopen) = (Arc::clone(&flags.ending.stop), Arc::clone(&flags.reopen));
    let on_terminal = io::stdout().is_terminal();
    thread::spawn(move || {
        for signal in &mut signals {
            if signal == SIGHUP && !on_terminal {
                reopen.store(true, Ordering::Relaxed);
            } else if stop.swap(true, Ordering::Relaxed) {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        }
    });
}
