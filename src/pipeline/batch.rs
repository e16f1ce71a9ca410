//! What the router sends to a worker: packets decoded once, their payloads as ranges of the block they came in.

use std::sync::Arc;

use crate::frame::Block;
use crate::packet::{Datagram, IcmpError, Segment};
use crate::secrets::KeyLog;
use crate::time::Mark;

/// Packets for one worker, in order.
#[derive(Debug)]
pub(super) struct Batch {
    /// The block that holds the payloads.
    block: Arc<Block>,
    /// Payloads that were joined from IP fragments and lie in no block.
    extra: Vec<u8>,
    items: Vec<Item>,
    /// The last frame of the block: everything up to it is in this batch or belongs to others.
    pub(super) upto: u64,
    /// Names of the capture's interfaces, when there are new ones.
    pub(super) sources: Option<Arc<Vec<String>>>,
    /// Secrets that have turned up, to be known before the packets of this batch.
    pub(super) secrets: Option<Arc<KeyLog>>,
    /// The capture ended at this moment; there are no more batches.
    pub(super) end: Option<Mark>,
}

/// Where a slice lies.
#[derive(Debug, Clone, Copy)]
enum Place {
    Block(usize, usize),
    Extra(usize, usize),
}

#[derive(Debug)]
enum Item {
    Segment { partition: usize, interface: u32, head: Segment<'static>, payload: Place, options: Place },
    Datagram { partition: usize, interface: u32, head: Datagram<'static>, payload: Place },
    Icmp { partition: usize, error: IcmpError },
    Tick(Mark),
}

/// A packet for a partition.
#[derive(Debug, Clone, Copy)]
pub(super) enum Routed<'a> {
    Segment { partition: usize, interface: u32, segment: Segment<'a> },
    Datagram { partition: usize, interface: u32, datagram: Datagram<'a> },
    Icmp { partition: usize, error: IcmpError },
    Tick(Mark),
}

impl Routed<'_> {
    /// The partition it belongs to; `None` for a tick, which concerns all.
    pub(super) const fn partition(&self) -> Option<usize> {
        match *self {
            Self::Segment { partition, .. } | Self::Datagram { partition, .. } | Self::Icmp { partition, .. } => Some(partition),
            Self::Tick(_) => None,
        }
    }
}

impl Batch {
    pub(super) fn new(block: &Arc<Block>) -> Self {
        Self { block: Arc::clone(block), extra: Vec::new(), items: Vec::new(), upto: 0, sources: None, secrets: None, end: None }
    }

    pub(super) fn push(&mut self, routed: Routed<'_>) {
        let item = match routed {
            Routed::Segment { partition, interface, segment } => Item::Segment {
                partition,
                interface,
                payload: self.place(segment.payload),
                options: self.place(segment.options),
                head: Segment { payload: &[], options: &[], ..segment },
            },
            Routed::Datagram { partition, interface, datagram } => {
                Item::Datagram { partition, interface, payload: self.place(datagram.payload), head: Datagram { payload: &[], ..datagram } }
            }
            Routed::Icmp { partition, error } => Item::Icmp { partition, error },
            Routed::Tick(mark) => Item::Tick(mark),
        };
        self.items.push(item);
    }

    /// Hands the packets out in order.
    pub(super) fn each(&self, mut take: impl FnMut(Routed<'_>)) {
        for item in &self.items {
            take(match item {
                Item::Segment { partition, interface, head, payload, options } => Routed::Segment {
                    partition: *partition,
                    interface: *interface,
                    segment: Segment { payload: self.slice(*payload), options: self.slice(*options), ..*head },
                },
                Item::Datagram { partition, interface, head, payload } => Routed::Datagram {
                    partition: *partition,
                    interface: *interface,
                    datagram: Datagram { payload: self.slice(*payload), ..*head },
                },
                Item::Icmp { partition, error } => Routed::Icmp { partition: *partition, error: *error },
                Item::Tick(mark) => Routed::Tick(*mark),
            });
        }
    }

    /// The block, to be recycled when this was the last batch that used it.
    pub(super) fn into_block(self) -> Option<Block> {
        Arc::into_inner(self.block)
    }

    fn place(&mut self, slice: &[u8]) -> Place {
        if let Some(start) = self.block.position_of(slice) {
            return Place::Block(start, slice.len());
        }
        let start = self.extra.len();
        self.extra.extend_from_slice(slice);
        Place::Extra(start, slice.len())
    }

    fn slice(&self, place: Place) -> &[u8] {
        match place {
            Place::Block(start, len) => self.block.bytes().get(start..start + len),
            Place::Extra(start, len) => self.extra.get(start..start + len),
        }
        .unwrap_or_default()
    }
}
