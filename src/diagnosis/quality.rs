//! What the capture of one connection lacks: judged before anything is blamed on the network.

use crate::flow::Side;
use crate::handshake::Handshake;
use crate::transport::{Reset, SideFacts};

/// Shortcomings of the capture, as far as they touch one handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a set of independent shortcomings")]
pub struct Quality {
    /// Packets were cut by the snapshot length.
    pub snaplen: bool,
    /// The receiver acknowledged bytes that were never captured.
    pub gap: bool,
    /// Only one side's packets were captured.
    pub one_direction: bool,
    /// The beginning of the connection is missing.
    pub midstream: bool,
    /// Packets were captured twice.
    pub duplicates: bool,
    /// Segments are larger than the announced maximum: the capturing host's offload joined them, so that sizes on the wire are unknown.
    pub offload: bool,
    /// The clock stepped back within the connection.
    pub clock: bool,
    /// The clocks of its two directions differ: one side acknowledges what the other sends later.
    pub out_of_step: bool,
    /// The capture lost packets on this interface while the handshake was under way.
    pub drops: bool,
    /// The interface that saw it loses packets: other connections lack some that arrived.
    pub lossy: bool,
    /// Its packets were picked out of a larger capture by what they carry.
    pub picked_out: bool,
}

impl Quality {
    /// Judges the capture of one handshake.
    pub fn of(handshake: &Handshake) -> Self {
        let flow = &handshake.flow;
        let sides = Side::BOTH.map(|side| flow.side(side));
        let any = |test: &dyn Fn(&SideFacts) -> bool| sides.iter().any(|side| test(side));
        Self {
            snaplen: any(&|side| side.snaplen_cut > 0),
            gap: any(&|side| side.gap_bytes_acked > 0 || side.acked > side.highest.saturating_add(1))
                || Side::BOTH.into_iter().any(|side| broke_off_ahead(flow.side(side), flow.side(side.other())))
                || Side::BOTH.into_iter().any(|side| flow.unseen_fin(side).is_some() || flow.reset_over_unseen(side) > 1),
            // Over UDP nothing tells a server that was not captured from one that does not answer.
            one_direction: !flow.is_udp()
                && sides.iter().any(|side| side.packets == 0)
                && sides.iter().any(|side| side.data_packets > 0 && side.acked == 0),
            midstream: !flow.saw_start(),
            duplicates: flow.duplicates > 0,
            offload: any(&|side| side.above_mss > 0),
            out_of_step: flow.out_of_step > 0,
            clock: flow.clock_steps_back > 0 || flow.tcp.is_some_and(|tcp| tcp.clock_step.is_some()),
            drops: handshake.capture_losses > 0,
            lossy: false,
            picked_out: flow.is_picked_out(),
        }
    }

    /// What is missing could change a verdict.
    pub const fn lowers_confidence(self) -> bool {
        self.out_of_step || self.gap || self.one_direction || self.drops || self.lossy || self.picked_out
    }

    /// The schema's words, in a fixed order.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        [
            (self.snaplen, "snaplen"),
            (self.gap, "gap"),
            (self.one_direction, "one-direction"),
            (self.midstream, "midstream"),
            (self.duplicates, "duplicates"),
            (self.offload, "offload"),
            (self.clock, "clock"),
            (self.out_of_step, "out-of-step"),
            (self.drops, "drops"),
            (self.lossy, "lossy"),
            (self.picked_out, "filtered"),
        ]
        .into_iter()
        .filter_map(|(set, word)| set.then_some(word))
    }
}

/// Its RST, by the hop counter its own, stands ahead of all that was captured of the side: what lies before it is missing. Where the other side says after
/// that that it has no more than was captured either, it is missing there, too.
fn broke_off_ahead(side: &SideFacts, other: &SideFacts) -> bool {
    let genuine = |reset: &Reset| side.ttl == Some(reset.ttl) && reset.in_window && reset.seq_distance > 1 && reset.data_after == 0;
    let told =
        |reset: &Reset| side.acked <= side.highest && other.last_packet.is_some_and(|last| last > reset.mark) && other.resets.is_empty();
    side.resets.first().is_some_and(|reset| genuine(reset) && !told(reset))
}
