//! How far the analysis is behind the packets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::capture::{FrameSource, looked_at};
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
        let (clock, lag) = (clock.clone(), self.clone());
        looked_at(source, move |block| {
            let waited = block.frame(0).map(|frame| clock.now().since(frame.head.time)).unwrap_or_default();
            lag.0.store(u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        })
    }
}
