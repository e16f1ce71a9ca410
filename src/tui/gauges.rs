//! What the view's head shows.

/// How the capture is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gauges {
    /// What is watched, in a word or two: `eth0, eth1 (down)`.
    pub interfaces: String,
    /// Packets taken.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets lost for want of room.
    pub dropped: u64,
    /// Connections held.
    pub flows: u64,
    /// Reports that came faster than they could be shown.
    pub lost: u64,
}
