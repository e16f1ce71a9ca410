//! How a handshake ended, by definition from its facts (see docs/SCHEMA.md): by the same definitions over whatever it came, from what that shows.

pub(super) mod datagrams;
pub(super) mod finished;
pub(super) mod over;

mod carried;
mod stream;

use std::time::Duration;

use super::facts::{AlertSeen, Outcome, StoppedBy};
use super::ssl2;
use over::{Ending, Over};

/// How it ended.
pub(super) fn ending(h: &Over<'_>, alerts: &[AlertSeen], stall_after: Duration) -> Ending {
    match &h.carried {
        Some(carried) => carried::ending(h, carried, alerts, stall_after),
        None if ssl2::goes_on(h, h.flow) && alerts.is_empty() => Ending::new(Outcome::Completed, StoppedBy::Nobody, None),
        None if h.flow.is_udp() => datagrams::ending(h, alerts, stall_after),
        None => stream::ending(h, alerts, stall_after),
    }
}
