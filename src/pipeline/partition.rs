//! Which partition a flow belongs to.

use crate::flow::FlowKey;
use crate::limits;

/// The number of partitions.
const PARTITIONS: u64 = limits::PARTITIONS as u64;

/// The partition of a flow.
#[inline]
pub(super) fn partition(key: &FlowKey) -> u16 {
    u16::try_from(key.partition_hash() % PARTITIONS).unwrap_or(0)
}
