//! What was lost on the way out, and why: for the summary, the metrics and the probe.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::app::present::now;

/// The losses of one output.
#[derive(Debug)]
pub(super) struct OutputLosses {
    /// What it is, in a sentence.
    what: String,
    lost: AtomicU64,
    /// It loses whatever it is given at present.
    failing: AtomicBool,
    last: Mutex<Option<(Instant, String)>>,
}

impl OutputLosses {
    pub(super) fn new(what: &str) -> Self {
        Self { what: what.to_owned(), lost: AtomicU64::default(), failing: AtomicBool::default(), last: Mutex::default() }
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// So many were lost, and why.
    pub(super) fn lose(&self, count: u64, why: &str) {
        if count > 0 {
            self.lost.fetch_add(count, Ordering::Relaxed);
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((now(), why.to_owned()));
        }
    }

    /// Whether what comes now is lost. Gives what was known before.
    pub(super) fn set_failing(&self, failing: bool) -> bool {
        self.failing.swap(failing, Ordering::Relaxed)
    }

    /// How many were lost, and why the last of them.
    pub(super) fn all(&self) -> (u64, String) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        (self.lost.load(Ordering::Relaxed), last.as_ref().map_or_else(String::new, |(_, why)| why.clone()))
    }

    /// What is wrong at present, for a probe: something was lost not long ago, or will be.
    pub(super) fn trouble(&self) -> Option<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, why) = last.as_ref()?;
        (self.failing.load(Ordering::Relaxed) || at.elapsed() < RECENT)
            .then(|| format!("{}: {} lost, {why}", self.what, self.lost.load(Ordering::Relaxed)))
    }
}

/// How long a loss makes a run unwell: a few turns of a probe.
const RECENT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_counted_with_its_reason_and_troubles_a_probe() {
        let losses = OutputLosses::new("out.ndjson");
        assert_eq!((losses.trouble(), losses.all().0), (None, 0));
        losses.lose(0, "nothing");
        assert_eq!(losses.trouble(), None);
        losses.lose(2, "its reader is too slow");
        losses.lose(3, "No space left on device");
        assert_eq!(losses.all(), (5, "No space left on device".to_owned()));
        assert_eq!(losses.trouble().as_deref(), Some("out.ndjson: 5 lost, No space left on device"));
    }
}
