//! Runs a capture through the pipeline, on one thread or several.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::capture::FrameSource;
use crate::count::Count;
use crate::diagnosis::chain::TrustStore;
use crate::diagnosis::rule::Policy;
use crate::error::{Error, Result};
use crate::frame::Block;
use crate::limits;
use crate::packet;
use crate::report::{Sink, Summary};
use crate::secrets::Tally;
use crate::time::Clock;
use crate::transport::TableCounters;

use super::ahead::Ahead;
use super::batch::{Batch, Routed, Spent, partition};
use super::collector::Collector;
use super::router::{Counts, Router};
use super::secrets::Feed;
use super::worker::{Drained, Worker};

/// How a capture is to be analysed.
#[derive(Debug)]
pub struct Options {
    /// Threads that analyze, beside one that reads and the caller's, which judges and reports; 1 does everything in the caller's thread, unless the
    /// capture is live.
    pub threads: usize,
    /// Thresholds for the rules.
    pub policy: Policy,
    /// Whom to trust.
    pub trust: TrustStore,
    /// How long, in packet time, a verdict may wait for what other handshakes show.
    pub hold: Duration,
    /// Reports tell their handshakes packet by packet ([`crate::report::timeline`]).
    pub timeline: bool,
    /// Set from outside to stop early: what was read by then is reported. A live source ends by itself.
    pub stop: Arc<AtomicBool>,
    /// Set from outside when the end may take no longer: what is not judged by then is counted and not reported.
    pub hurry: Arc<AtomicBool>,
    /// Tells the present when the capture is live: handshakes are then watched while nothing arrives, and stalls told while they last.
    pub clock: Option<Clock>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of input consumed.
    pub bytes: u64,
    /// Bytes of input in all, where known.
    pub total: Option<u64>,
    /// Handshakes reported so far.
    pub handshakes: u64,
    /// Connections held.
    pub flows: u64,
}

/// Blocks under way between the reader and the workers: enough to keep them busy, few enough to stay in the cache.
const BLOCKS: usize = 8;

/// Full blocks after which the collector is told how far a thread has come even if there is nothing else to tell: waking it costs as much as
/// decoding some hundred packets.
const SILENT: usize = 16;

/// How long a worker waits before it looks again whether there is room.
const BREATH: Duration = Duration::from_millis(1);

/// Analyses a capture to its end. Reports go to `emit` in order, the summary last; `progress` is called after each block.
///
/// # Errors
/// When the capture cannot be read on, or `emit` fails. What was concluded by then has been emitted.
pub fn run(
    mut source: Box<dyn FrameSource>,
    options: &Options,
    emit: &mut dyn Sink,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary> {
    // Live, nothing that is judged may keep packets waiting.
    if options.threads <= 1 && options.clock.is_none() {
        run_alone(source.as_mut(), options, emit, progress)
    } else {
        run_together(source.as_mut(), options, emit, progress)
    }
}

fn written(result: io::Result<()>) -> Result<()> {
    result.map_err(|source| Error::Write { what: "the output".to_owned(), source })
}

fn source_names(source: &dyn FrameSource) -> Vec<String> {
    source.inventory().interfaces.iter().map(|interface| interface.name.clone()).collect()
}

fn run_alone(source: &mut dyn FrameSource, options: &Options, emit: &mut dyn Sink, progress: &mut dyn FnMut(Progress)) -> Result<Summary> {
    let mut router = Router::new(false);
    let mut worker = Worker::new(0, 1, &options.policy, false);
    let mut collector = Collector::new(options, emit);
    collector.losses = source.losses().cloned();
    let mut block = Block::default();
    let mut feed = Feed::default();
    let mut failed = None;
    loop {
        if options.stop.load(Ordering::Relaxed) {
            break;
        }
        match source.fill(&mut block) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
        if collector.sources.len() != source.inventory().interfaces.len() {
            collector.sources = source_names(source);
        }
        if let Some(log) = feed.news(source) {
            worker.add_secrets(&log);
        }
        let mut result = Ok(());
        let mut judge_early = |worker: &mut Worker, next: u64| {
            if worker.brims() && result.is_ok() {
                // What the frame at hand closes may have to come before what its tick has closed.
                collector.add(worker.drain());
                result = collector.release(next.saturating_sub(1));
            }
        };
        let mut ahead = Ahead::new(&mut worker);
        router.route(&block, |routed| ahead.take(routed, &mut judge_early));
        ahead.flush(&mut judge_early);
        written(result)?;
        collector.add(worker.drain());
        written(collector.release(router.counts().last.frame))?;
        let (bytes, total) = source.progress();
        progress(Progress { bytes, total, handshakes: collector.totals.handshakes, flows: 0 });
    }
    if let Some(log) = feed.news(source) {
        worker.add_secrets(&log);
    }
    let end = router.end(source.inventory(), |routed| {
        worker.take(routed);
        true
    });
    worker.end(end);
    collector.add(worker.drain());
    collector.notes = feed.notes(worker.tally());
    let summary = collector.finish(source.inventory(), router.counts(), &worker.counters(), interrupted(options));
    match failed {
        Some(error) => Err(error),
        None => summary.map_err(|source| Error::Write { what: "the output".to_owned(), source }),
    }
}

/// A file was not read to its end. A live capture has none but this.
fn interrupted(options: &Options) -> bool {
    options.stop.load(Ordering::Relaxed) && options.clock.is_none()
}

/// From a worker to the collector.
enum FromWorker {
    Concluded { worker: usize, drained: Drained, sources: Option<Arc<Vec<String>>>, upto: u64, held: u64 },
    Done { counters: TableCounters, tally: Tally },
}

/// From the reader to the collector.
enum FromReader {
    Progress(u64, Option<u64>),
    Done { counts: Box<Counts>, feed: Feed, failed: Option<Error> },
}

fn run_together(
    source: &mut dyn FrameSource,
    options: &Options,
    emit: &mut dyn Sink,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary> {
    let workers = options.threads.clamp(1, limits::PARTITIONS);
    let backlog = options.clock.is_some().then(Backlog::default);
    let backlog = backlog.as_ref();
    let cancelled = AtomicBool::new(false);
    let mut collector = Collector::new(options, emit);
    collector.losses = source.losses().cloned();
    let (done, counts, table, notes, outcome) = thread::scope(|scope| {
        // Live, handshakes are what is bounded, and not the blocks that they come from.
        let room = if backlog.is_some() { limits::LIVE_BACKLOG } else { BLOCKS.saturating_mul(workers) };
        let (to_collector, from_workers) = bounded::<FromWorker>(room);
        let (reader_says, from_reader) = bounded::<FromReader>(BLOCKS);
        let (recycle, recycled) = bounded::<Block>(BLOCKS * 2);
        let (empties, emptied) = bounded::<Spent>(BLOCKS.saturating_mul(workers));
        let mut lanes: Vec<Sender<Batch>> = Vec::new();
        for index in 0..workers {
            let (lane, batches) = bounded::<Batch>(BLOCKS / 2);
            lanes.push(lane);
            let (to_collector, recycle) = (to_collector.clone(), Recycle { blocks: recycle.clone(), batches: empties.clone() });
            let (policy, live) = (&options.policy, options.clock.is_some());
            scope.spawn(move || work(Worker::new(index, workers, policy, live), index, backlog, &batches, &to_collector, &recycle));
        }
        drop((to_collector, recycle, empties));
        let (stop, cancelled, clock) = (&options.stop, &cancelled, options.clock.as_ref());
        let source = &mut *source;
        scope.spawn(move || {
            let stopped = || cancelled.load(Ordering::Relaxed) || (clock.is_none() && stop.load(Ordering::Relaxed));
            read(source, &lanes, (&recycled, &emptied), &reader_says, clock, stopped);
        });

        let mut upto = vec![0u64; workers];
        let mut flows = vec![0u64; workers];
        let mut table = TableCounters::default();
        let mut tallied = Tally::default();
        let mut end: Option<(Counts, Feed, Option<Error>)> = None;
        let mut result = Ok(());
        let mut running = workers;
        while running > 0 || end.is_none() {
            crossbeam_channel::select! {
                recv(from_reader) -> said => match said {
                    Ok(FromReader::Progress(bytes, total)) => progress(Progress { bytes, total, handshakes: collector.totals.handshakes, flows: flows.iter().copied().sum::<Count>().get() }),
                    Ok(FromReader::Done { counts, feed, failed }) => end = Some((*counts, feed, failed)),
                    Err(_) => { end.get_or_insert_with(Default::default); }
                },
                recv(from_workers) -> said => match said {
                    Ok(FromWorker::Concluded { worker, drained, sources, upto: reached, held }) => {
                        if let Some(sources) = sources { collector.sources = sources.to_vec(); }
                        let handshakes = drained.handshakes.len();
                        collector.add(drained);
                        if let Some(mark) = upto.get_mut(worker) { *mark = reached; }
                        if let Some(flows) = flows.get_mut(worker) { *flows = held; }
                        if result.is_ok() {
                            result = collector.release(upto.iter().copied().min().unwrap_or(0));
                            if result.is_err() { cancelled.store(true, Ordering::Relaxed); }
                        }
                        if let Some(backlog) = backlog { backlog.0.fetch_sub(handshakes, Ordering::Relaxed); }
                    }
                    Ok(FromWorker::Done { counters, tally }) => { table = table.plus(&counters); tallied = tallied.plus(tally); running = running.saturating_sub(1); }
                    Err(_) => running = 0,
                },
            }
        }
        let (counts, feed, failed) = end.unwrap_or_default();
        (failed, counts, table, feed.notes(tallied), result)
    });
    written(outcome)?;
    collector.notes = notes;
    let summary = collector.finish(source.inventory(), &counts, &table, interrupted(options));
    match done {
        Some(error) => Err(error),
        None => summary.map_err(|source| Error::Write { what: "the output".to_owned(), source }),
    }
}

/// Where memory goes that the reader can use again.
struct Recycle {
    blocks: Sender<Block>,
    batches: Sender<Spent>,
}

fn read(
    source: &mut dyn FrameSource,
    lanes: &[Sender<Batch>],
    (blocks, spent): (&Receiver<Block>, &Receiver<Spent>),
    says: &Sender<FromReader>,
    clock: Option<&Clock>,
    stop: impl Fn() -> bool,
) {
    let mut router = Router::new(clock.is_some());
    let mut failed = None;
    let mut known = 0;
    let mut silent = 0;
    let mut feed = Feed::default();
    while !stop() {
        let mut block = blocks.try_recv().unwrap_or_default();
        match source.fill(&mut block) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
        let sources = (source.inventory().interfaces.len() != known).then(|| Arc::new(source_names(source)));
        known = source.inventory().interfaces.len();
        let secrets = feed.news(source);
        let hurried = clock.is_some() || block.byte_len() < limits::READ_BYTES / 2;
        let block = Arc::new(block);
        let mut batches: Vec<Batch> = lanes.iter().map(|_| Batch::new(&block, spent.try_recv().unwrap_or_default())).collect();
        let mut give = |routed: Routed<'_, '_>| {
            let of = match &routed {
                Routed::Frame { frame, .. } => match packet::plain(frame) {
                    Some(segment) => partition(&segment.key),
                    None => return false,
                },
                Routed::Segment { partition, .. }
                | Routed::Datagram { partition, .. }
                | Routed::Icmp { partition, .. }
                | Routed::Unfinished { partition, .. } => *partition,
                Routed::Tick(_) | Routed::Watch(_) => {
                    for batch in &mut batches {
                        batch.push(routed);
                    }
                    return true;
                }
            };
            if let Some(batch) = usize::from(of).checked_rem(lanes.len()).and_then(|lane| batches.get_mut(lane)) {
                batch.push(routed);
            }
            true
        };
        router.route(&block, &mut give);
        if let Some(clock) = clock {
            router.idle(clock.now(), &mut give);
        }
        drop(block);
        for (lane, mut batch) in lanes.iter().zip(batches) {
            batch.upto = router.counts().last.frame;
            batch.hurried = hurried;
            batch.sources.clone_from(&sources);
            batch.secrets.clone_from(&secrets);
            if lane.send(batch).is_err() {
                break;
            }
        }
        silent = usize::saturating_add(silent, 1);
        if hurried || silent >= SILENT {
            silent = 0;
            let (bytes, total) = source.progress();
            let _ = says.send(FromReader::Progress(bytes, total));
        }
    }
    // An empty batch that carries the capture's last moment closes every table there.
    let block = Arc::new(Block::default());
    let mut batches: Vec<Batch> = lanes.iter().map(|_| Batch::new(&block, Spent::default())).collect();
    let end = router.end(source.inventory(), |routed| {
        let only = match &routed {
            Routed::Unfinished { partition, .. } => usize::from(*partition).checked_rem(lanes.len()),
            _ => None,
        };
        for (_, batch) in (0..).zip(&mut batches).filter(|(lane, _)| only.is_none_or(|only| only == *lane)) {
            batch.push(routed);
        }
        true
    });
    let secrets = feed.news(source);
    for (lane, mut batch) in lanes.iter().zip(batches) {
        batch.secrets.clone_from(&secrets);
        batch.end = Some(end);
        let _ = lane.send(batch);
    }
    let _ = says.send(FromReader::Done { counts: Box::new(router.counts().clone()), feed, failed });
}

/// Handshakes on their way to the collector. Up to a bound the workers go on while it judges; beyond, what comes waits in the kernel's ring.
#[derive(Debug, Default)]
struct Backlog(AtomicUsize);

impl Backlog {
    fn add(&self, handshakes: usize) {
        // One that is larger than the bound passes, too, when it is alone.
        while self.0.load(Ordering::Relaxed) > limits::LIVE_BACKLOG {
            thread::sleep(BREATH);
        }
        self.0.fetch_add(handshakes, Ordering::Relaxed);
    }
}

fn work(
    mut worker: Worker,
    index: usize,
    backlog: Option<&Backlog>,
    batches: &Receiver<Batch>,
    to_collector: &Sender<FromWorker>,
    recycle: &Recycle,
) {
    let mut silent = 0;
    for batch in batches {
        if let Some(log) = &batch.secrets {
            worker.add_secrets(log);
        }
        let mut ahead = Ahead::new(&mut worker);
        batch.each(|routed| _ = ahead.take(routed, |_, _| {}));
        ahead.flush(|_, _| {});
        let upto = match batch.end {
            Some(end) => {
                worker.end(end);
                u64::MAX
            }
            None => batch.upto,
        };
        let sources = batch.sources.clone();
        let must_tell = batch.hurried || batch.end.is_some() || sources.is_some();
        let (block, spent) = batch.spend();
        let _ = recycle.batches.try_send(spent);
        if let Some(mut block) = block {
            block.forget_frames();
            let _ = recycle.blocks.try_send(block);
        }
        let drained = worker.drain();
        silent = usize::saturating_add(silent, 1);
        if !must_tell && drained.is_empty() && silent < SILENT {
            continue;
        }
        silent = 0;
        let held = if backlog.is_some() { worker.held() } else { 0 };
        if let Some(backlog) = backlog {
            backlog.add(drained.handshakes.len());
        }
        if to_collector.send(FromWorker::Concluded { worker: index, drained, sources, upto, held }).is_err() {
            break;
        }
    }
    let _ = to_collector.send(FromWorker::Done { counters: worker.counters(), tally: worker.tally() });
}
