//! How far the analysis is behind the packets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::capture::{FrameSource, Inventory, KeyLogLines, Losses};
use crate::error::Result;
use crate::frame::Block;
use crate::origins::Origins;
use crate::time::Clock;

/// How long the latest packets waited before they were looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Lag(Arc<AtomicU64>);

impl Lag {
    pub(super) fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    /// The source, with its packets' age noted here.
    pub(super) fn beside(&self, source: Box<dyn FrameSource>, clock: &Clock) -> Box<dyn FrameSource> {
        Box::new(Aged { source, clock: clock.clone(), lag: self.clone() })
    }
}

/// A source whose packets' age is looked at.
struct Aged {
    source: Box<dyn FrameSource>,
    clock: Clock,
    lag: Lag,
}

impl FrameSource for Aged {
    fn fill(&mut self, block: &mut Block) -> Result<bool> {
        let more = self.source.fill(block)?;
        let waited = block.frame(0).map(|frame| self.clock.now().since(frame.head.time)).unwrap_or_default();
        self.lag.0.store(u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(more)
    }

    fn origins(&self) -> Option<&Origins> {
        self.source.origins()
    }

    fn inventory(&self) -> &Inventory {
        self.source.inventory()
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.source.progress()
    }

    fn losses(&self) -> Option<&Losses> {
        self.source.losses()
    }

    fn key_log(&self) -> Option<&KeyLogLines> {
        self.source.key_log()
    }
}
