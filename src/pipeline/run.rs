//! Runs a capture through the pipeline: one loop that reads, and [`Lanes`] that take what is read, on the same thread or on others.

mod inline;
mod threads;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::capture::{FrameSource, Inventory};
use crate::error::{Error, Result};
use crate::frame::Block;
use crate::limits;
use crate::report::{Sink, Summary};
use crate::secrets::{KeyLog, Tally};
use crate::time::{Clock, Timestamp};
use crate::traffic::Volumes;
use crate::transport::TableCounters;

use super::collector::Collector;
use super::options::{Options, Progress};
use super::point::CapturePoint;
use super::router::{Router, RouterCounts};
use super::secrets::Feed;

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
    let mut collector = Collector::new(options, emit);
    collector.losses = source.losses().cloned();
    collector.origins = source.origins().cloned();
    collector.shard = source.inventory().shard;
    // Live, nothing that is judged may keep packets waiting.
    let Ran { read, table, mut traffic, tally, written } = if options.threads <= 1 && options.clock.is_none() {
        inline::run(source.as_mut(), options, &mut collector, progress)
    } else {
        threads::run(source.as_mut(), options, &mut collector, progress)
    };
    let unwritten = |source| Error::Write { what: "the output".to_owned(), source };
    written.map_err(unwritten)?;
    let Read { mut counts, feed, failed } = read;
    let mut table = table;
    if let Some(account) = &source.inventory().account {
        counts.take_over(account);
        table.google_quic = table.google_quic.saturating_add(account.google_quic);
        for (kind, volume) in &account.traffic {
            let sum = traffic.entry(*kind).or_default();
            *sum = sum.plus(*volume);
        }
    }
    collector.notes = feed.notes(tally);
    // A file was not read to its end. A live capture has none but this.
    let interrupted = options.stop.load(Ordering::Relaxed) && options.clock.is_none();
    counts.unread.add_to(&mut traffic);
    let summary = collector.finish(source.inventory(), &counts, &table, &traffic, interrupted);
    failed.map_or_else(|| summary.map_err(unwritten), Err)
}

/// What a run leaves for the summary.
struct Ran {
    read: Read,
    table: TableCounters,
    traffic: Volumes,
    tally: Tally,
    /// Whether everything could be written that was to be.
    written: io::Result<()>,
}

/// What was read.
#[derive(Debug, Default)]
struct Read {
    counts: RouterCounts,
    feed: Feed,
    failed: Option<Error>,
}

/// Takes what is read to the workers.
trait Lanes {
    /// A block to be filled.
    fn block(&mut self) -> Block;

    /// Takes a block's packets, before these the news. False when nothing more is wanted.
    fn take(&mut self, block: Block, router: &mut Router, news: News) -> bool;

    /// Input was consumed, of so many bytes in all.
    fn progress(&mut self, consumed: (u64, Option<u64>));

    /// The capture is over.
    fn end(&mut self, router: &mut Router, inventory: &Inventory, secrets: Option<Arc<KeyLog>>);
}

/// What turned up with a block, besides its packets.
struct News {
    /// The capture's interfaces, when there are new ones.
    sources: Option<Vec<CapturePoint>>,
    /// Secrets, to be known before the packets.
    secrets: Option<Arc<KeyLog>>,
    /// The source had no more for the moment: somebody may wait for what these packets show.
    hurried: bool,
    /// The present, in a live capture.
    now: Option<Timestamp>,
}

/// Reads a capture to its end, or until it is to stop.
fn read(
    source: &mut dyn FrameSource,
    lanes: &mut impl Lanes,
    mut router: Router,
    clock: Option<&Clock>,
    stopped: impl Fn() -> bool,
) -> Read {
    let mut feed = Feed::default();
    let mut failed = None;
    let mut known = 0;
    while !stopped() {
        let mut block = lanes.block();
        match source.fill(&mut block) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
        let inventory = source.inventory();
        router.shard = inventory.shard;
        let interfaces = &inventory.interfaces;
        let names = || interfaces.iter().map(|interface| CapturePoint::of(interface, inventory)).collect();
        let news = News {
            sources: (interfaces.len() != known).then(names),
            secrets: feed.news(source),
            hurried: clock.is_some() || block.byte_len() < limits::READ_BYTES / 2,
            now: clock.map(Clock::now),
        };
        known = source.inventory().interfaces.len();
        if !lanes.take(block, &mut router, news) {
            break;
        }
        lanes.progress(source.progress());
    }
    let secrets = feed.news(source);
    lanes.end(&mut router, source.inventory(), secrets);
    Read { counts: router.into_counts(), feed, failed }
}
