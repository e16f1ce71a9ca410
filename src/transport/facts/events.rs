//! What happened on a flow, in order.

use super::Doubt;
use crate::flow::Side;
use crate::time::Mark;

/// Something that happened on a connection besides in-order payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowEvent {
    /// Where.
    pub mark: Mark,
    /// Who sent the packet (for ICMP: whose packet is quoted).
    pub side: Side,
    /// What.
    pub kind: FlowEventKind,
}

/// Kinds of [`FlowEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowEventKind {
    /// SYN or SYN-ACK, first copy.
    Syn,
    /// SYN or SYN-ACK again.
    SynRepeat,
    /// The TCP handshake is complete.
    Established,
    /// Payload sent again: offset and length.
    Retransmission {
        /// Of its first byte.
        offset: u64,
        /// In bytes.
        len: u32,
    },
    /// Payload sent again, though its first copy had arrived: the acknowledgment echoes the timestamp of that (RFC 3522).
    SpuriousRetransmission {
        /// Of its first byte.
        offset: u64,
        /// In bytes.
        len: u32,
    },
    /// Payload beyond a hole: offset and length.
    OutOfOrder {
        /// Of its first byte.
        offset: u64,
        /// In bytes.
        len: u32,
    },
    /// Payload beyond a hole that what belongs there filled a moment later, sooner than it can be sent again: it had overtaken it.
    Overtook {
        /// Of its first byte.
        offset: u64,
        /// In bytes.
        len: u32,
    },
    /// The other side acknowledged this side's first payload, or more after a pause or retransmission; the offset acknowledged.
    Acknowledged {
        /// Up to which all is acknowledged.
        offset: u64,
    },
    /// Bytes given up as missing: not told by [`crate::transport::FlowSink::control`] but by [`crate::transport::FlowSink::gap`].
    Gap {
        /// Of the first missing byte.
        offset: u64,
        /// In bytes.
        len: u64,
        /// Why.
        why: GapCause,
    },
    /// Window closed.
    ZeroWindow,
    /// Window opened again.
    WindowOpen,
    /// Keep-alive probe.
    KeepAlive,
    /// FIN.
    Fin,
    /// RST: index into [`SideFacts::resets`](super::SideFacts::resets).
    Rst {
        /// Index into the sender's [`SideFacts::resets`](super::SideFacts::resets).
        index: u8,
    },
    /// ICMP error: index into [`FlowFacts::icmp`](super::FlowFacts::icmp).
    Icmp {
        /// Index into [`FlowFacts::icmp`](super::FlowFacts::icmp).
        index: u8,
    },
    /// An overlap with other bytes at this offset.
    DifferingOverlap {
        /// Of the first byte that differs, or of the segment that was sent again with other bytes.
        offset: u64,
    },
    /// A segment that its receiver drops, with other bytes than those that belong there.
    Decoy {
        /// Of its first byte.
        offset: u64,
        /// Why it is dropped.
        why: Doubt,
    },
}

impl FlowEventKind {
    /// Every connection has such events.
    pub const fn is_plain(self) -> bool {
        matches!(self, Self::Syn | Self::Established | Self::Acknowledged { .. } | Self::Fin)
    }
}

/// Why bytes are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GapCause {
    /// The receiver acknowledged them: they travelled, and the capture lost them.
    CaptureLost,
    /// The snapshot length cut them off.
    Snaplen,
    /// Never acknowledged; given up because the connection ended or a bound was hit.
    Unacknowledged,
}
