//! What a table may hold, and what it counts.

use std::time::Duration;

use crate::limits;
use crate::time::{Mark, Timestamp};

/// What a partition's tables have seen and had to drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableCounters {
    /// TCP connections begun, and UDP flows that look like a handshake.
    pub flows: u64,
    /// Of those, connections that never got beyond SYN and SYN-ACK.
    pub half_open: u64,
    /// Connections thrown out to stay within bounds, half-open ones apart.
    pub evicted: u64,
    /// Of those, connections and UDP flows thrown out because all of them together held too many bytes.
    pub evicted_for_bytes: u64,
    /// Half-open connections thrown out to stay within bounds.
    pub evicted_half_open: u64,
    /// Holes given up to stay within the bounds of buffered out-of-order bytes.
    pub buffer_overflows: u64,
    /// The same packet captured twice.
    pub duplicates: u64,
    /// Most connections held at a time, half-open and settled ones included.
    pub peak_flows: u64,
    /// Packets of settled and of ended connections, not looked into.
    pub settled_packets: u64,
    /// Segments without payload and SYN (late ACKs, FINs, RSTs, keep-alives) of connections that are not followed.
    pub stray: u64,
    /// Directions of connections that were not joined to the other ones, to stay within bounds.
    pub ways_apart: u64,
    /// Datagrams of Google QUIC, whose handshake is not TLS.
    pub google_quic: u64,
    /// Tunnels inside connections that keys open, not followed to their end to stay within bounds.
    pub tunnels_dropped: u64,
}

impl TableCounters {
    /// The counts of two tables together.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            flows: self.flows + other.flows,
            half_open: self.half_open + other.half_open,
            evicted: self.evicted + other.evicted,
            evicted_for_bytes: self.evicted_for_bytes + other.evicted_for_bytes,
            evicted_half_open: self.evicted_half_open + other.evicted_half_open,
            buffer_overflows: self.buffer_overflows + other.buffer_overflows,
            duplicates: self.duplicates + other.duplicates,
            peak_flows: self.peak_flows + other.peak_flows,
            settled_packets: self.settled_packets + other.settled_packets,
            stray: self.stray + other.stray,
            ways_apart: self.ways_apart + other.ways_apart,
            google_quic: self.google_quic + other.google_quic,
            tunnels_dropped: self.tunnels_dropped + other.tunnels_dropped,
        }
    }
}

/// How long a connection may be quiet, and how much may be held. All in packet time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableLimits {
    /// Connections, half-open ones included.
    pub flows: usize,
    /// Half-open connections.
    pub half_open: usize,
    /// Bytes of the connections that are followed, with all that they hold.
    pub followed_bytes: usize,
    /// Out-of-order bytes buffered per direction.
    pub buffered_per_side: usize,
    /// Out-of-order bytes buffered in all.
    pub buffered_total: usize,
    /// Quiet time after which a half-open connection is given up.
    pub half_open_idle: Duration,
    /// Quiet time after which an unsettled connection is given up.
    pub idle: Duration,
    /// After FINs or a RST: how long late packets are still awaited.
    pub linger: Duration,
    /// How often timers are looked at.
    pub step: Duration,
    /// Quiet time after which a half-open connection is watched like any other, so that its sink can tell that nobody answers.
    pub half_open_watch: Option<Duration>,
}

/// The moment at which partitions look at their timers: a step of packet time passed at this frame.
pub type Tick = Mark;

/// Earliest possible moment, for tables that have seen nothing.
pub const NEVER: Timestamp = Timestamp::MIN;

impl TableLimits {
    /// One partition's share of the bounds in [`crate::limits`].
    pub const fn partition() -> Self {
        Self {
            flows: limits::FLOWS / limits::PARTITIONS,
            half_open: limits::HALF_OPEN / limits::PARTITIONS,
            followed_bytes: limits::FOLLOWED_BYTES / limits::PARTITIONS,
            buffered_per_side: limits::BUFFERED_PER_SIDE,
            buffered_total: limits::BUFFERED_TOTAL / limits::PARTITIONS,
            half_open_idle: limits::HALF_OPEN_IDLE,
            idle: limits::IDLE,
            linger: limits::LINGER,
            step: limits::STEP,
            half_open_watch: None,
        }
    }

    /// Someone watches.
    pub const fn is_watched(&self) -> bool {
        self.half_open_watch.is_some()
    }

    /// The same where someone watches and is told of what makes no progress for `stall_after`.
    pub const fn live_partition(stall_after: Duration) -> Self {
        Self { linger: limits::LIVE_LINGER, step: limits::LIVE_STEP, half_open_watch: Some(stall_after), ..Self::partition() }
    }
}
