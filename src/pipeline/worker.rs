//! A worker: the partitions it owns, each with its connection table and what its handshakes share.

use crate::diagnosis::rule::Policy;
use crate::handshake::Handshake;
use crate::handshake::machine::{Machine, Shared};
use crate::limits;
use crate::time::Mark;
use crate::transport::{Table, TableCounters, TableLimits};

use super::batch::Routed;

/// One worker's partitions: those whose number divided by the number of workers leaves the worker's own.
#[derive(Debug)]
pub(super) struct Worker {
    partitions: Vec<Partition>,
    workers: usize,
}

#[derive(Debug)]
struct Partition {
    table: Table<Machine>,
    shared: Shared,
}

impl Worker {
    pub(super) fn new(index: usize, workers: usize, policy: &Policy, live: bool) -> Self {
        let mut limits = TableLimits::partition();
        if live {
            // Someone waits for the verdict.
            limits.linger = limits::LIVE_LINGER;
        }
        let share = (index..limits::PARTITIONS).step_by(workers);
        let partitions = share.map(|_| Partition { table: Table::new(limits), shared: Shared::new(policy.stall_after, live) }).collect();
        Self { partitions, workers }
    }

    /// Takes one packet or tick.
    pub(super) fn take(&mut self, routed: Routed<'_>) {
        match routed {
            Routed::Segment { partition, interface, segment } => {
                if let Some(Partition { table, shared }) = self.partition(partition) {
                    table.segment(shared, interface, &segment);
                }
            }
            Routed::Datagram { .. } => {}
            Routed::Icmp { partition, error } => {
                if let Some(Partition { table, shared }) = self.partition(partition) {
                    table.icmp(shared, &error);
                }
            }
            Routed::Tick(now) => {
                for Partition { table, shared } in &mut self.partitions {
                    table.tick(shared, now);
                }
            }
        }
    }

    /// The capture is over.
    pub(super) fn end(&mut self, now: Mark) {
        for Partition { table, shared } in &mut self.partitions {
            table.end(shared, now);
        }
    }

    /// Moves out what has been concluded since the last call.
    pub(super) fn drain(&mut self) -> Drained {
        let mut drained = Drained::default();
        for Partition { shared, .. } in &mut self.partitions {
            drained.handshakes.append(&mut shared.concluded);
            drained.half_open.append(&mut shared.half_open);
        }
        drained
    }

    /// The tables' counters, added up.
    pub(super) fn counters(&self) -> TableCounters {
        self.partitions.iter().fold(TableCounters::default(), |sum, partition| sum.plus(&partition.table.counters()))
    }

    /// Connections held, settled ones included.
    pub(super) fn held(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.table.held() as u64).sum()
    }

    fn partition(&mut self, number: usize) -> Option<&mut Partition> {
        self.partitions.get_mut(number / self.workers)
    }
}

/// What a worker's partitions have concluded.
#[derive(Debug, Default)]
pub(super) struct Drained {
    /// Handshakes.
    pub(super) handshakes: Vec<Box<Handshake>>,
    /// Connections that never got beyond their SYN and were given up to stay within bounds.
    pub(super) half_open: Vec<crate::handshake::machine::HalfOpen>,
}
