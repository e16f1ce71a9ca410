//! A path MTU black hole that the sender got round: its TCP tried smaller segments (RFC 4821), and these passed.

use std::time::Duration;

use crate::diagnosis::cause::Cause;
use crate::diagnosis::finding::{Confidence, Finding, Suspect, Weight};
use crate::diagnosis::view::{View, span_text};
use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::Outcome;
use crate::packet::IcmpKind;
use crate::time::Mark;
use crate::transport::FlowEventKind;
use crate::wording::{counted, times};

/// A segment that was sent in full size again and again, and came through when it was sent in a smaller one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shrunk {
    offset: u64,
    /// Payload in bytes, before and after.
    full: u32,
    small: u32,
    /// How often it was sent in full size.
    copies: u32,
    /// The first time that it was repeated, and the time that it was smaller.
    again: Mark,
    mark: Mark,
}

/// What a side sent smaller in the end.
pub(super) fn shrunk(handshake: &Handshake, side: Side) -> Option<Shrunk> {
    // Told to send smaller packets, it did: the path works as it should.
    if handshake.flow.icmp.iter().any(|note| matches!(note.kind, IcmpKind::TooBig(_))) {
        return None;
    }
    let view = View::new(handshake);
    let repeats = || {
        handshake.flow.events.iter().filter(move |event| event.side == side).filter_map(|event| match event.kind {
            FlowEventKind::Retransmission { offset, len } => Some((event.mark, offset, len)),
            _ => None,
        })
    };
    let (again, offset, full) = repeats().find(|(_, _, len)| *len >= LEAST && *len <= view.mss(side))?;
    let same = || repeats().filter(move |(_, at, _)| *at == offset);
    let (mark, _, small) = same().find(|(_, _, len)| *len < full)?;
    let before = same().filter(|(earlier, _, len)| *len == full && earlier.frame < mark.frame).count();
    let after = same().any(|(later, _, _)| later.frame > mark.frame);
    let passed = view.side(side).acked > offset && !after;
    let copies = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
    (passed && copies >= IN_VAIN).then_some(Shrunk { offset, full, small, copies, again, mark })
}

/// What is said of it. The advice is the same as where nothing passes.
pub(super) fn got_round(handshake: &Handshake, side: Side) -> Option<Finding> {
    let view = View::new(handshake);
    let Shrunk { offset, full, small, copies, again, mark } =
        shrunk(handshake, side).filter(|_| handshake.outcome == Outcome::Completed)?;
    let message = view.message_at(side, offset);
    let took = mark.time.since(again.time);
    Some(
        Finding::new(
            Cause::PathMtuBlackHole,
            Confidence::Likely,
            format!(
                "Full-size packets from the {side} do not arrive: {} of payload with the {message} were sent {} and never acknowledged. The {side} then sent smaller ones, which passed.",
                counted(full, "byte", "bytes"),
                times(copies)
            ),
        )
        .weight(if took >= FELT { Weight::Explains } else { Weight::Note })
        .resting_on(Suspect::packet(side, again, full))
        .shown_by(again, format!("{message} sent again, with {} of payload", counted(full, "byte", "bytes")))
        .shown_by(mark, format!("sent again {} later, with {} of payload; acknowledged", span_text(took), counted(small, "byte", "bytes")))
        .or_else(&[Cause::PacketLoss]),
    )
}

/// A segment of so many bytes may be too large for a path.
const LEAST: u32 = 1_000;
/// So many copies in vain are no accident where the first smaller one passes.
const IN_VAIN: u32 = 3;
/// A delay that people notice.
const FELT: Duration = Duration::from_millis(250);
