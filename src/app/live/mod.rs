//! `handshark live`: interfaces in, reports out as they come, until it is told to stop.
//!
//! The order matters: what needs privileges is opened first, then they are given up, then the threads start.

mod outlet;
mod privileges;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::outlet::Outlet;
use super::read::trust;
use crate::capture::{self, LiveStatus};
use crate::cli::{self, LiveCommand, Shown};
use crate::diagnosis::rule::Policy;
use crate::output::layout::Layout;
use crate::output::line::LineSink;
use crate::output::ndjson::NdjsonSink;
use crate::output::rotate::{RotatingFile, Rotation};
use crate::output::text::{TextOptions, TextSink};
use crate::output::{Sink, style};
use crate::pipeline::{self, Progress};
use crate::report::Report;
use crate::time::{Clock, Timestamp};

/// How long a verdict may wait for what other handshakes show: long enough for a client's retry, short enough for someone who watches.
const HOLD: Duration = Duration::from_secs(1);

/// How often the clock and the interfaces are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Watches interfaces until a signal, the duration or the count ends it. Gives the exit code.
pub(super) fn live(command: &LiveCommand) -> anyhow::Result<u8> {
    let clock = clock();
    let reopen = Arc::new(AtomicBool::new(false));
    let stop = Arc::new(AtomicBool::new(false));
    let icmp_filtered = command.capture.filter.as_deref().is_some_and(capture::excludes_icmp);
    if icmp_filtered {
        writeln!(
            io::stderr(),
            "handshark: the filter leaves out ICMP: path MTU and unreachable verdicts lose their witness (add `or icmp or icmp6`)"
        )?;
    }
    let identity = command.user.as_deref().map(privileges::identity).transpose()?;
    let opened = capture::open_live(&command.capture)?;
    let trust = trust(&command.trust)?;
    let stdout = io::stdout();
    let shown = match command.shown {
        Shown::Auto if !stdout.is_terminal() => Shown::Json,
        shown => shown,
    };
    let file = command.output.as_ref().map(|output| {
        let rotation =
            Rotation { size: output.size, age: output.age, keep: output.keep, clock: clock.clone(), reopen: Arc::clone(&reopen) };
        RotatingFile::open(&output.path, rotation).with_context(|| format!("cannot write to {}", output.path.display()))
    });
    let file = file.transpose()?;

    if let Some(identity) = &identity {
        if let Some(output) = &command.output {
            identity.give(&output.path);
        }
        identity.assume()?;
    }
    privileges::drop_capabilities(identity.is_some())?;
    if command.sandbox && !privileges::confine(&writable(command))? {
        writeln!(io::stderr(), "handshark: this kernel has no landlock: the process is not confined")?;
    }

    // From here on there are threads.
    watch_signals(&stop, &reopen)?;
    let mut outlets = Vec::new();
    let palette = command.color.palette(&stdout);
    let sink: Box<dyn Sink + Send> = match shown {
        Shown::Text => Box::new(LineSink::new(BufWriter::new(stdout), palette)),
        Shown::Json | Shown::Auto => Box::new(NdjsonSink::new(BufWriter::with_capacity(64 << 10, stdout), true)),
    };
    outlets.push(Outlet::start("standard output", sink, Some(Arc::clone(&stop))));
    if let (Some(file), Some(output)) = (file, &command.output) {
        outlets.push(Outlet::start(&output.path.display().to_string(), Box::new(NdjsonSink::new(file, true)), None));
    }

    let run = pipeline::Options {
        threads: command.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, std::num::NonZeroUsize::get),
        policy: Policy { stall_after: command.stall_after, icmp_filtered, ..Policy::default() },
        trust,
        hold: HOLD,
        stop: Arc::clone(&stop),
        clock: Some(clock.clone()),
    };
    let (source, status) = opened.start(&clock);
    let flows = Arc::new(AtomicU64::new(0));
    let watcher = Watcher { stop: Arc::clone(&stop), deadline: command.duration.map(|span| now() + span), status };
    let watching = thread::spawn(move || watcher.run());

    let mut handshakes = 0;
    let mut matched = false;
    let mut summary = None;
    let done = {
        let mut emit = |report: Report| {
            let report = match report {
                Report::Summary(mut summary) => {
                    let lost = outlets.iter().map(Outlet::lost).filter(|(_, lost)| *lost > 0);
                    summary.notes.extend(
                        lost.map(|(what, lost)| format!("{lost} reports could not be written to {what}: its reader was too slow.")),
                    );
                    Report::Summary(summary)
                }
                report => report,
            };
            if let Report::Handshake(handshake) = &report
                && !handshake.handshake.provisional
            {
                handshakes += 1;
                matched |= command.fail_on.matches(handshake);
                if command.count.is_some_and(|count| handshakes >= count) {
                    stop.store(true, Ordering::Relaxed);
                }
            }
            let report = Arc::new(report);
            for outlet in &outlets {
                outlet.give(&report);
            }
            if matches!(*report, Report::Summary(_) | Report::Incident(_)) {
                summary.get_or_insert_with(Vec::new).push(report);
            }
            Ok(())
        };
        pipeline::run(source, &run, &mut emit, &mut |at: Progress| flows.store(at.flows, Ordering::Relaxed))
    };
    stop.store(true, Ordering::Relaxed);
    let _ = watching.join();
    let mut trouble = Ok(());
    for outlet in outlets {
        let what = outlet.lost().0.to_owned();
        match outlet.finish() {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe && trouble.is_ok() => {
                trouble = Err(anyhow::Error::new(error).context(format!("cannot write to {what}")));
            }
            _ => {}
        }
    }
    done?;
    trouble?;
    if shown == Shown::Text {
        let mut out = BufWriter::new(io::stdout());
        let mut text = TextSink::new(&mut out, Layout::new(style::terminal_width(), palette), TextOptions::default());
        let written = summary.into_iter().flatten().try_for_each(|report| text.report(&report)).and_then(|()| text.finish());
        crate::output::unless_broken_pipe(written)?;
    }
    Ok(if matched { cli::EXIT_MATCHED } else { cli::EXIT_DONE })
}

/// Directories in which files will be created or replaced.
fn writable(command: &LiveCommand) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    if let Some(parent) = command.output.as_ref().map(|output| output.path.parent().unwrap_or(Path::new(""))) {
        paths.push(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() });
    }
    paths
}

/// The first SIGINT or SIGTERM asks for an end with the summary; the second ends at once. SIGHUP opens output files anew.
fn watch_signals(stop: &Arc<AtomicBool>, reopen: &Arc<AtomicBool>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let (stop, reopen) = (Arc::clone(stop), Arc::clone(reopen));
    thread::spawn(move || {
        for signal in &mut signals {
            if signal == SIGHUP {
                reopen.store(true, Ordering::Relaxed);
            } else if stop.swap(true, Ordering::Relaxed) {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        }
    });
    Ok(())
}

/// Looks at the time and at the interfaces.
struct Watcher {
    stop: Arc<AtomicBool>,
    deadline: Option<Instant>,
    status: LiveStatus,
}

impl Watcher {
    fn run(self) {
        let mut down: Vec<bool> = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            if self.deadline.is_some_and(|deadline| now() >= deadline) {
                self.stop.store(true, Ordering::Relaxed);
            }
            let interfaces = self.status.interfaces();
            down.resize(interfaces.len(), false);
            for (interface, was) in interfaces.iter().zip(&mut down) {
                if interface.down != *was {
                    *was = interface.down;
                    let what = if interface.down { "is down or gone; waiting for it" } else { "is back" };
                    let _ = writeln!(io::stderr(), "handshark: {} {what}", interface.name);
                }
            }
            thread::sleep(LOOK);
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a live run measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// The system's clock, the one that stamps packets.
#[allow(clippy::disallowed_methods, reason = "a live run compares packet time with the present")]
fn clock() -> Clock {
    Clock::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_parts(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
    })
}
