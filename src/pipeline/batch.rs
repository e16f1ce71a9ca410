//! What the router sends to a worker: which frames of a block are its own. Frames of the usual kind are decoded again there, for that costs
//! less than carrying what was decoded from one core to another; of all others the decoded packets travel, with ranges of the block.

use std::sync::Arc;

use crate::flow::FlowKey;
use crate::frame::{Block, Frame};
use crate::limits;
use crate::packet::{Datagram, IcmpError, LostFragments, Segment};
use crate::secrets::KeyLog;
use crate::time::Mark;
use crate::watch::Watch;

/// Packets for one worker, in order.
#[derive(Debug)]
pub(super) struct Batch {
    /// The block that holds the payloads.
    block: Arc<Block>,
    /// Payloads that were joined from IP fragments and lie in no block.
    extra: Vec<u8>,
    items: Vec<Item>,
    /// The packets that [`Item::Other`] stands for, in order.
    others: Vec<Other>,
    /// The last frame of the block: everything up to it is in this batch or belongs to others.
    pub(super) upto: u64,
    /// The source had no more for the moment: somebody may wait for what these packets show.
    pub(super) hurried: bool,
    /// Names of the capture's interfaces, when there are new ones.
    pub(super) sources: Option<Arc<Vec<String>>>,
    /// Secrets that have turned up, to be known before the packets of this batch.
    pub(super) secrets: Option<Arc<KeyLog>>,
    /// The capture ended at this moment; there are no more batches.
    pub(super) end: Option<Mark>,
}

/// The memory of a batch that was dealt with.
#[derive(Debug, Default)]
pub(super) struct Spent {
    extra: Vec<u8>,
    items: Vec<Item>,
    others: Vec<Other>,
}

/// Where a slice lies.
#[derive(Debug, Clone, Copy)]
enum Place {
    Block(usize, usize),
    Extra(usize, usize),
}

/// A few bytes for each packet: most are of the usual kind.
#[derive(Debug, Clone, Copy)]
enum Item {
    /// A frame of the usual kind, by its place in the block.
    Plain { frame: u32 },
    /// The next of the others.
    Other,
}

#[derive(Debug)]
enum Other {
    Segment { partition: u16, interface: u32, head: Segment<'static>, payload: Place, options: Place },
    Datagram { partition: u16, interface: u32, head: Datagram<'static>, payload: Place },
    Icmp { partition: u16, error: IcmpError },
    Unfinished { partition: u16, lost: LostFragments },
    Tick(Mark),
    Watch(Arc<Watch>),
}

/// A packet for a partition.
#[derive(Debug, Clone, Copy)]
pub(super) enum Routed<'a, 'b> {
    /// A frame that holds a segment where [`plain`](crate::packet::plain) finds one.
    Frame {
        frame: &'a Frame<'b>,
        /// Its place in its block.
        place: u32,
    },
    Segment {
        partition: u16,
        interface: u32,
        segment: &'a Segment<'a>,
    },
    Datagram {
        partition: u16,
        interface: u32,
        datagram: &'a Datagram<'a>,
    },
    Icmp {
        partition: u16,
        error: &'a IcmpError,
    },
    /// A packet that came in fragments and never became whole.
    Unfinished {
        partition: u16,
        lost: &'a LostFragments,
    },
    Tick(Mark),
    /// What is known from here on of when the sources were heard.
    Watch(&'a Arc<Watch>),
}

/// The number of them.
const PARTITIONS: u64 = limits::PARTITIONS as u64;

/// The partition of a flow.
#[inline]
pub(super) fn partition(key: &FlowKey) -> u16 {
    u16::try_from(key.partition_hash() % PARTITIONS).unwrap_or(0)
}

impl Batch {
    /// An empty batch in the memory of one that was dealt with.
    pub(super) fn new(block: &Arc<Block>, spent: Spent) -> Self {
        let Spent { extra, items, others } = spent;
        Self { block: Arc::clone(block), extra, items, others, upto: 0, hurried: false, sources: None, secrets: None, end: None }
    }

    /// Adds a frame of the usual kind by its place in the block.
    #[inline]
    pub(super) fn push_frame(&mut self, place: u32) {
        self.items.push(Item::Plain { frame: place });
    }

    /// Adds anything else.
    pub(super) fn push(&mut self, routed: Routed<'_, '_>) {
        let other = match routed {
            Routed::Frame { place, .. } => return self.push_frame(place),
            Routed::Segment { partition, interface, segment } => Other::Segment {
                partition,
                interface,
                payload: self.place(segment.payload),
                options: self.place(segment.options),
                head: Segment { payload: &[], options: &[], ..*segment },
            },
            Routed::Datagram { partition, interface, datagram } => Other::Datagram {
                partition,
                interface,
                payload: self.place(datagram.payload),
                head: Datagram { payload: &[], ..*datagram },
            },
            Routed::Icmp { partition, error } => Other::Icmp { partition, error: *error },
            Routed::Unfinished { partition, lost } => Other::Unfinished { partition, lost: *lost },
            Routed::Tick(mark) => Other::Tick(mark),
            Routed::Watch(watch) => Other::Watch(Arc::clone(watch)),
        };
        self.items.push(Item::Other);
        self.others.push(other);
    }

    /// Hands the packets out in order.
    pub(super) fn each<'b>(&'b self, mut take: impl FnMut(Routed<'_, 'b>)) {
        let mut others = self.others.iter();
        for item in &self.items {
            match *item {
                Item::Plain { frame: place } => {
                    if let Some(frame) = &self.block.frame(place as usize) {
                        take(Routed::Frame { frame, place });
                    }
                }
                Item::Other => {
                    if let Some(other) = others.next() {
                        self.hand_out(other, &mut take);
                    }
                }
            }
        }
    }

    fn hand_out<'b>(&'b self, other: &Other, take: &mut impl FnMut(Routed<'_, 'b>)) {
        match other {
            Other::Segment { partition, interface, head, payload, options } => take(Routed::Segment {
                partition: *partition,
                interface: *interface,
                segment: &Segment { payload: self.slice(*payload), options: self.slice(*options), ..*head },
            }),
            Other::Datagram { partition, interface, head, payload } => take(Routed::Datagram {
                partition: *partition,
                interface: *interface,
                datagram: &Datagram { payload: self.slice(*payload), ..*head },
            }),
            Other::Icmp { partition, error } => take(Routed::Icmp { partition: *partition, error }),
            Other::Unfinished { partition, lost } => take(Routed::Unfinished { partition: *partition, lost }),
            Other::Tick(mark) => take(Routed::Tick(*mark)),
            Other::Watch(watch) => take(Routed::Watch(watch)),
        }
    }

    /// What of it can be used again: the block when this was the last batch that used it, and the batch's own memory.
    pub(super) fn spend(self) -> (Option<Block>, Spent) {
        let Self { block, mut extra, mut items, mut others, .. } = self;
        extra.clear();
        items.clear();
        others.clear();
        (Arc::into_inner(block), Spent { extra, items, others })
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
            Place::Block(start, len) => self.block.bytes().get(start..start.saturating_add(len)),
            Place::Extra(start, len) => self.extra.get(start..start.saturating_add(len)),
        }
        .unwrap_or_default()
    }
}
