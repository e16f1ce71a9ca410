//! The present: real time, which only those look at that watch or follow.

use std::time::{Instant, SystemTime};

use crate::time::{Clock, Timestamp};

/// The present, to measure a run's length.
#[allow(clippy::disallowed_methods, reason = "a live run measures real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// The system's clock, the one that stamps packets.
#[allow(clippy::disallowed_methods, reason = "who watches compares packet time with the present")]
pub(super) fn clock() -> Clock {
    Clock::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_parts(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
    })
}
