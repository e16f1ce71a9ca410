//! What segments mean to a connection, one behaviour a test.

#![allow(clippy::cast_possible_truncation, reason = "the numbers of tests are small")]

mod control;
mod doubt;
mod payload;

use crate::flow::Side;
use crate::transport::FlowEventKind;
use crate::transport::support::{Heard, Trace, Wire};

const W: fn() -> Wire = Wire::default;

/// What the sink was told by control events.
fn events(trace: &Trace) -> Vec<(Side, FlowEventKind)> {
    trace
        .book
        .heard
        .iter()
        .filter_map(|heard| if let Heard::Control(event) = heard { Some((event.side, event.kind)) } else { None })
        .collect()
}
