//! Everything in the caller's thread: each packet is taken in as it is decoded, and what is concluded is judged while it is in the cache.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::capture::{FrameSource, Inventory};
use crate::frame::Block;
use crate::pipeline::ahead::{Ahead, Plain};
use crate::pipeline::batch::{Routed, Taker};
use crate::pipeline::collector::Collector;
use crate::pipeline::router::Router;
use crate::pipeline::worker::{Upto, Worker};
use crate::secrets::KeyLog;
use crate::traffic::Volumes;

use super::{Lanes, News, Options, Progress, Ran, read};

/// The one worker, and who judges what it concludes.
struct Inline<'r, 'a> {
    worker: Worker,
    collector: &'r mut Collector<'a>,
    progress: &'r mut dyn FnMut(Progress),
    block: Block,
    written: io::Result<()>,
}

/// Runs a capture to its end.
pub(super) fn run(
    source: &mut dyn FrameSource,
    options: &Options,
    collector: &mut Collector<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Ran {
    let worker = Worker::new(0, 1, &options.policy, false, source.inventory().shard);
    let mut lanes = Inline { worker, collector, progress, block: Block::default(), written: Ok(()) };
    let read = read(source, &mut lanes, Router::new(false), None, || options.stop.load(Ordering::Relaxed));
    let mut traffic = Volumes::new();
    lanes.worker.add_traffic(&mut traffic);
    Ran { read, table: lanes.worker.counters(), traffic, tally: lanes.worker.tally(), written: lanes.written }
}

impl Inline<'_, '_> {
    /// Judges what is concluded, as far as nothing can come before it any more.
    fn judge(&mut self, upto: Upto) {
        self.collector.add(self.worker.drain());
        if self.written.is_ok() {
            self.written = self.collector.release(upto);
        }
    }
}

impl Taker for Inline<'_, '_> {
    fn take(&mut self, routed: Routed<'_>) {
        self.worker.take(routed);
    }

    fn coming(&mut self, ahead: &Ahead<'_>) {
        if self.worker.brims() {
            self.judge(Upto::frame(ahead.first.saturating_sub(1)));
        }
        self.worker.coming(ahead);
    }

    #[inline]
    fn plain(&mut self, plain: Plain<'_>, place: u32) {
        self.worker.plain(plain, place);
    }
}

impl Lanes for Inline<'_, '_> {
    fn block(&mut self) -> Block {
        std::mem::take(&mut self.block)
    }

    fn take(&mut self, block: Block, router: &mut Router, news: News) -> bool {
        if let Some(sources) = news.sources {
            self.collector.sources = sources;
        }
        if let Some(log) = news.secrets {
            self.worker.add_secrets(&log);
        }
        router.route(&block, self);
        self.judge(Upto::frame(router.counts().last.frame));
        self.block = block;
        self.written.is_ok()
    }

    fn progress(&mut self, (bytes, total): (u64, Option<u64>)) {
        (self.progress)(Progress { bytes, total, handshakes: self.collector.totals.handshakes, flows: 0 });
    }

    fn end(&mut self, router: &mut Router, inventory: &Inventory, secrets: Option<Arc<KeyLog>>) {
        if let Some(log) = secrets {
            self.worker.add_secrets(&log);
        }
        let end = router.end(inventory, &mut self.worker);
        self.worker.end(end);
        let mut upto = Upto::NOTHING;
        while upto < Upto::ALL {
            upto = self.worker.end_more(end);
            self.judge(upto);
        }
    }
}
