//! The end of a handshake, over whatever it came.

use crate::time::Mark;
use crate::transport::{Close, FlowFacts};

use super::facts::Observed;
use super::outcome::{self, Closing};
use super::shared::Shared;

/// The place of an end among others. What the end of the capture closed comes after everything that its last frame closed.
pub(super) const fn concluded_at(close: Close, now: Mark) -> u64 {
    if matches!(close, Close::EndOfCapture) { u64::MAX } else { now.frame }
}

/// The end of a handshake: what follows from its facts, and its place among those that are concluded.
pub(super) fn conclude(observed: Box<Observed>, flow: Box<FlowFacts>, shared: &mut Shared, close: Close, now: Mark) {
    let concluded_at = concluded_at(close, now);
    let closing = match flow.unheard_from {
        Some(lapse) => Closing { close: Close::EndOfCapture, at: lapse, concluded_at },
        None => Closing { close, at: now, concluded_at },
    };
    shared.concluded.push(Box::new(outcome::conclude(observed, flow, closing, shared.stall_after())));
}
