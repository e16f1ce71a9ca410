//! A thread that reads, some that work, and the caller's, which judges.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::capture::{FrameSource, Inventory};
use crate::count::Count;
use crate::frame::Block;
use crate::limits;
use crate::pipeline::batch::{Batch, Queue, Routed};
use crate::pipeline::collector::Collector;
use crate::pipeline::point::CapturePoint;
use crate::pipeline::router::Router;
use crate::pipeline::worker::{Drained, Upto, Worker};
use crate::secrets::{KeyLog, Tally};
use crate::traffic::Volumes;
use crate::transport::TableCounters;

use super::{Lanes, News, Options, Progress, Ran, Read, read};

/// Blocks under way between the reader and the workers: enough to keep them busy, few enough to stay in the cache.
const BLOCKS: usize = 8;

/// Full blocks after which the collector is told how far a thread has come even if there is nothing else to tell: waking it costs as much as
/// decoding some hundred packets.
const SILENT: usize = 16;

/// How long a worker waits before it looks again whether there is room.
const BREATH: Duration = Duration::from_millis(1);

/// From the reader and the workers to the collector.
enum Said {
    /// The reader consumed so much.
    Progress(u64, Option<u64>),
    /// The reader is done.
    Read(Box<Read>),
    /// A worker has come so far.
    Concluded { worker: usize, drained: Drained, sources: Option<Arc<Vec<CapturePoint>>>, upto: Upto, held: u64 },
    /// A worker is done.
    Worked { counters: TableCounters, traffic: Volumes, tally: Tally },
}

/// Runs a capture to its end.
pub(super) fn run(
    source: &mut dyn FrameSource,
    options: &Options,
    collector: &mut Collector<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Ran {
    let workers = options.threads.clamp(1, limits::PARTITIONS);
    let shard = source.inventory().shard;
    let clock = options.clock.as_ref();
    let backlog = clock.map(|_| Backlog::default());
    let backlog = backlog.as_ref();
    let cancelled = AtomicBool::new(false);
    let stopped = || cancelled.load(Ordering::Relaxed) || (clock.is_none() && options.stop.load(Ordering::Relaxed));
    thread::scope(|scope| {
        // Live, handshakes are what is bounded, and not the blocks that they come from.
        let room = if backlog.is_some() { limits::LIVE_BACKLOG } else { BLOCKS.saturating_mul(workers) };
        let (says, said) = bounded(room);
        let (blocks, spent_blocks) = bounded(BLOCKS * 2);
        let (queues, spent_queues) = bounded(BLOCKS.saturating_mul(workers));
        let mut lanes = Vec::new();
        for index in 0..workers {
            let (lane, batches) = bounded(BLOCKS / 2);
            lanes.push(lane);
            let worker = Worker::new(index, workers, &options.policy, clock.is_some(), shard);
            let desk = Desk { index, backlog, says: says.clone(), blocks: blocks.clone(), queues: queues.clone() };
            scope.spawn(move || work(worker, &batches, &desk));
        }
        drop((blocks, queues));
        let mut queued = Queued { lanes, blocks: spent_blocks, queues: spent_queues, says: says.clone(), silent: 0 };
        let stopped = &stopped;
        scope.spawn(move || {
            let read = read(source, &mut queued, Router::new(clock.is_some()), clock, stopped);
            let _ = says.send(Said::Read(Box::new(read)));
        });
        let mut desk = Collecting {
            collector,
            progress,
            backlog,
            cancelled: &cancelled,
            upto: vec![Upto::NOTHING; workers],
            held: vec![0; workers],
            ran: Ran {
                read: Read::default(),
                table: TableCounters::default(),
                traffic: Volumes::new(),
                tally: Tally::default(),
                written: Ok(()),
            },
        };
        // Until all have gone.
        for said in said {
            desk.hear(said);
        }
        desk.ran
    })
}

/// The caller's thread: takes what is concluded and judges it.
struct Collecting<'r, 'a> {
    collector: &'r mut Collector<'a>,
    progress: &'r mut dyn FnMut(Progress),
    backlog: Option<&'r Backlog>,
    /// To be set when nothing more can be written.
    cancelled: &'r AtomicBool,
    /// By worker: how far it has concluded everything, and how many connections it holds.
    upto: Vec<Upto>,
    held: Vec<u64>,
    ran: Ran,
}

impl Collecting<'_, '_> {
    /// Takes what the reader or a worker says.
    fn hear(&mut self, said: Said) {
        match said {
            Said::Progress(bytes, total) => {
                let flows = self.held.iter().copied().sum::<Count>().get();
                (self.progress)(Progress { bytes, total, handshakes: self.collector.totals.handshakes, flows });
            }
            Said::Read(read) => self.ran.read = *read,
            Said::Concluded { worker, drained, sources, upto, held } => {
                if let Some(sources) = sources {
                    self.collector.sources = sources.to_vec();
                }
                if let (Some(own_upto), Some(own_held)) = (self.upto.get_mut(worker), self.held.get_mut(worker)) {
                    (*own_upto, *own_held) = (upto, held);
                }
                self.judge(drained);
            }
            Said::Worked { counters, traffic, tally } => {
                for (kind, volume) in traffic {
                    let sum = self.ran.traffic.entry(kind).or_default();
                    *sum = sum.plus(volume);
                }
                self.ran.table = self.ran.table.plus(&counters);
                self.ran.tally = self.ran.tally.plus(tally);
            }
        }
    }

    /// Judges what is concluded, as far as no worker can conclude anything before it any more.
    fn judge(&mut self, drained: Drained) {
        let handshakes = drained.handshakes.len();
        self.collector.add(drained);
        if self.ran.written.is_ok() {
            self.ran.written = self.collector.release(self.upto.iter().copied().min().unwrap_or(Upto::NOTHING));
            if self.ran.written.is_err() {
                self.cancelled.store(true, Ordering::Relaxed);
            }
        }
        if let Some(Backlog(waiting)) = self.backlog {
            waiting.fetch_sub(handshakes, Ordering::Relaxed);
        }
    }
}

/// The reader's end of the queues.
struct Queued {
    lanes: Vec<Sender<Batch>>,
    /// Memory that was used before.
    blocks: Receiver<Block>,
    queues: Receiver<Queue>,
    says: Sender<Said>,
    /// Blocks since the collector was told how far the reader is.
    silent: usize,
}

impl Queued {
    fn batches(&self, block: &Arc<Block>) -> Vec<Batch> {
        self.lanes.iter().map(|_| Batch::new(block, self.queues.try_recv().unwrap_or_default())).collect()
    }

    fn send(&self, batches: Vec<Batch>) {
        for (lane, batch) in self.lanes.iter().zip(batches) {
            // A worker that is gone wants nothing more.
            let _ = lane.send(batch);
        }
    }
}

/// Gives what is for one partition to the worker that owns it, and all else to every worker.
fn give(batches: &mut [Batch], routed: Routed<'_>) {
    let Some(partition) = routed.partition() else {
        return batches.iter_mut().for_each(|batch| batch.push(routed));
    };
    if let Some(batch) = usize::from(partition).checked_rem(batches.len()).and_then(|lane| batches.get_mut(lane)) {
        batch.push(routed);
    }
}

impl Lanes for Queued {
    fn block(&mut self) -> Block {
        self.blocks.try_recv().unwrap_or_default()
    }

    fn take(&mut self, block: Block, router: &mut Router, news: News) -> bool {
        let block = Arc::new(block);
        let mut batches = self.batches(&block);
        router.route(&block, &mut |routed: Routed<'_>| give(&mut batches, routed));
        if let Some(now) = news.now {
            router.idle(now, &mut |routed: Routed<'_>| give(&mut batches, routed));
        }
        // Whoever is done with it last uses its memory again.
        drop(block);
        let sources = news.sources.map(Arc::new);
        for batch in &mut batches {
            batch.upto = router.counts().last.frame;
            batch.hurried = news.hurried;
            batch.sources.clone_from(&sources);
            batch.secrets.clone_from(&news.secrets);
        }
        self.send(batches);
        self.silent = if news.hurried { SILENT } else { self.silent.saturating_add(1) };
        true
    }

    fn progress(&mut self, (bytes, total): (u64, Option<u64>)) {
        if self.silent >= SILENT {
            self.silent = 0;
            let _ = self.says.send(Said::Progress(bytes, total));
        }
    }

    fn end(&mut self, router: &mut Router, inventory: &Inventory, secrets: Option<Arc<KeyLog>>) {
        // A batch without frames that carries the capture's last moment closes every table there.
        let mut batches = self.batches(&Arc::default());
        let end = router.end(inventory, &mut |routed: Routed<'_>| give(&mut batches, routed));
        for batch in &mut batches {
            batch.secrets.clone_from(&secrets);
            batch.end = Some(end);
        }
        self.send(batches);
    }
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

/// Where a worker puts what it is done with.
struct Desk<'r> {
    index: usize,
    backlog: Option<&'r Backlog>,
    says: Sender<Said>,
    /// Memory to be used again.
    blocks: Sender<Block>,
    queues: Sender<Queue>,
}

fn work(mut worker: Worker, batches: &Receiver<Batch>, desk: &Desk<'_>) {
    let mut silent = 0;
    for batch in batches {
        if let Some(log) = &batch.secrets {
            worker.add_secrets(log);
        }
        batch.each(&mut worker);
        let end = batch.end;
        let mut upto = match end {
            Some(end) => {
                worker.end(end);
                worker.end_more(end)
            }
            None => Upto::frame(batch.upto),
        };
        let mut sources = batch.sources.clone();
        let must_tell = batch.hurried || end.is_some() || sources.is_some();
        let (block, queue) = batch.spend();
        let _ = desk.queues.try_send(queue);
        if let Some(mut block) = block {
            block.forget_frames();
            let _ = desk.blocks.try_send(block);
        }
        let mut drained = worker.drain();
        silent = usize::saturating_add(silent, 1);
        if !must_tell && drained.is_empty() && silent < SILENT {
            continue;
        }
        silent = 0;
        loop {
            let held = if desk.backlog.is_some() { worker.held() } else { 0 };
            if let Some(backlog) = desk.backlog {
                backlog.add(drained.handshakes.len());
            }
            if desk.says.send(Said::Concluded { worker: desk.index, drained, sources: sources.take(), upto, held }).is_err() {
                return;
            }
            let Some(end) = end.filter(|_| upto < Upto::ALL) else { break };
            upto = worker.end_more(end);
            drained = worker.drain();
        }
    }
    let mut traffic = Volumes::new();
    worker.add_traffic(&mut traffic);
    let _ = desk.says.send(Said::Worked { counters: worker.counters(), traffic, tally: worker.tally() });
}
