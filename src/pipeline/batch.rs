//! From the router to the workers: what goes by, and what of it travels to another thread.
//!
//! A worker on another thread is told which frames of a block are its own and decodes them itself: that costs less than carrying what was decoded
//! from one core to another. Only what does not lie in one frame travels as it is.

use std::sync::Arc;

use crate::condensate::{Late, Told};
use crate::frame::Block;
use crate::packet::{self, Datagram, LostFragments, Packet, Segment};
use crate::secrets::KeyLog;
use crate::site::Site;
use crate::time::Mark;
use crate::watch::Watch;

use super::ahead::{Ahead, Plain};
use super::partition::partition;
use super::point::CapturePoint;

/// What the router gives, in the order of the capture.
#[derive(Debug, Clone, Copy)]
pub(super) enum Routed<'a> {
    /// A segment, datagram or ICMP error of a flow.
    Packet {
        partition: u16,
        interface: u32,
        packet: &'a Packet<'a>,
        /// Its frame's place in the block; `None` for one that was joined from the fragments of several.
        place: Option<u32>,
    },
    /// A packet that came in fragments and never became whole.
    Unfinished(&'a LostFragments),
    /// Packets of a flow that were left out.
    Late {
        late: &'a Late,
        /// The second of packet time in which they were.
        second: i64,
    },
    /// A handshake of another shard was over.
    Told(&'a Entry),
    /// A step of packet time, for every partition.
    Tick(Mark),
    /// What is known from here on of when the sources were heard, for every partition.
    Watch(&'a Arc<Watch>),
}

/// Who takes in what the router gives.
pub(super) trait Taker {
    /// Takes what is not told by another of these.
    fn take(&mut self, routed: Routed<'_>);

    /// Is told of the next frames before any of them comes.
    #[inline]
    fn coming(&mut self, _: &Ahead<'_>) {}

    /// Takes one of these, whose place in the block is told.
    #[inline]
    fn plain(&mut self, plain: Plain<'_>, place: u32) {
        self.take(Routed::Packet { partition: plain.partition(), interface: plain.interface(), packet: plain.packet, place: Some(place) });
    }
}

impl<F: FnMut(Routed<'_>)> Taker for F {
    #[inline]
    fn take(&mut self, routed: Routed<'_>) {
        self(routed);
    }
}

/// One entry of a side table, with the frame behind which it stands, the interface that saw the handshake, and its site.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) frame: u64,
    pub(super) interface: u32,
    pub(super) site: Site,
    pub(super) told: Told,
}

impl Routed<'_> {
    /// The partition that it is for; `None` where it is for all.
    pub(super) fn partition(&self) -> Option<u16> {
        match self {
            Self::Packet { partition, .. } => Some(*partition),
            Self::Unfinished(lost) => Some(partition(&lost.key)),
            Self::Late { late, .. } => Some(partition(&late.key)),
            // Whichever it is, one worker hands it on.
            Self::Told(_) => Some(0),
            Self::Tick(_) | Self::Watch(_) => None,
        }
    }
}

/// What of one block is for one worker, in order.
#[derive(Debug)]
pub(super) struct Batch {
    block: Arc<Block>,
    queue: Queue,
    /// The last frame of the block: everything up to it is in this batch or belongs to others.
    pub(super) upto: u64,
    /// The source had no more for the moment: somebody may wait for what these packets show.
    pub(super) hurried: bool,
    /// Names of the capture's interfaces, when there are new ones.
    pub(super) sources: Option<Arc<Vec<CapturePoint>>>,
    /// Secrets that have turned up, to be known before the packets of this batch.
    pub(super) secrets: Option<Arc<KeyLog>>,
    /// The capture ended at this moment; there are no more batches.
    pub(super) end: Option<Mark>,
}

/// The contents of a batch, and the memory for those of another.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Places of frames in the block.
    frames: Vec<u32>,
    /// Everything else, and how many of the frames come before it.
    others: Vec<(usize, Other)>,
}

#[derive(Debug)]
enum Other {
    Joined(Box<Joined>),
    Unfinished(Box<LostFragments>),
    Late(Box<Late>, i64),
    Told(Box<Entry>),
    Tick(Mark),
    Watch(Arc<Watch>),
}

/// A packet that was joined from fragments, with the bytes that it borrowed.
#[derive(Debug)]
struct Joined {
    interface: u32,
    packet: Packet<'static>,
    payload: Vec<u8>,
    options: Vec<u8>,
}

impl Joined {
    fn new(interface: u32, packet: &Packet<'_>) -> Self {
        let (packet, payload, options): (_, &[u8], &[u8]) = match *packet {
            Packet::Tcp(segment) => (Packet::Tcp(Segment { payload: &[], options: &[], ..segment }), segment.payload, segment.options),
            Packet::Udp(datagram) => (Packet::Udp(Datagram { payload: &[], ..datagram }), datagram.payload, &[]),
            Packet::Eapol(datagram) => (Packet::Eapol(Datagram { payload: &[], ..datagram }), datagram.payload, &[]),
            Packet::IcmpError(error) => (Packet::IcmpError(error), &[], &[]),
            Packet::Skipped(reason) => (Packet::Skipped(reason), &[], &[]),
        };
        Self { interface, packet, payload: payload.to_vec(), options: options.to_vec() }
    }

    fn packet(&self) -> Packet<'_> {
        match self.packet {
            Packet::Tcp(segment) => Packet::Tcp(Segment { payload: &self.payload, options: &self.options, ..segment }),
            Packet::Udp(datagram) => Packet::Udp(Datagram { payload: &self.payload, ..datagram }),
            Packet::Eapol(datagram) => Packet::Eapol(Datagram { payload: &self.payload, ..datagram }),
            other => other,
        }
    }
}

impl Batch {
    /// An empty batch in the memory of one that was dealt with.
    pub(super) fn new(block: &Arc<Block>, queue: Queue) -> Self {
        Self { block: Arc::clone(block), queue, upto: 0, hurried: false, sources: None, secrets: None, end: None }
    }

    /// Adds what is for this worker.
    #[inline]
    pub(super) fn push(&mut self, routed: Routed<'_>) {
        let Queue { frames, others } = &mut self.queue;
        let other = match routed {
            Routed::Packet { place: Some(place), .. } => return frames.push(place),
            Routed::Packet { place: None, interface, packet, .. } => Other::Joined(Box::new(Joined::new(interface, packet))),
            Routed::Unfinished(lost) => Other::Unfinished(Box::new(*lost)),
            Routed::Late { late, second } => Other::Late(Box::new(*late), second),
            Routed::Told(entry) => Other::Told(Box::new(entry.clone())),
            Routed::Tick(mark) => Other::Tick(mark),
            Routed::Watch(watch) => Other::Watch(Arc::clone(watch)),
        };
        others.push((frames.len(), other));
    }

    /// Gives everything in order.
    pub(super) fn each(&self, taker: &mut impl Taker) {
        let Queue { frames, others } = &self.queue;
        let mut others = others.iter().peekable();
        let mut ahead = Ahead::new();
        for (at, place) in frames.iter().enumerate() {
            while let Some((_, other)) = others.next_if(|(before, _)| *before <= at) {
                other.give(taker);
            }
            if ahead.is_spent() {
                ahead.look(&self.block, frames.iter().skip(at).map(|place| *place as usize));
                taker.coming(&ahead);
            }
            if let Some(plain) = ahead.take() {
                taker.plain(plain, *place);
                continue;
            }
            let Some(frame) = self.block.frame(*place as usize) else { continue };
            let mut walked = Packet::nothing();
            packet::walk(&frame, &mut walked);
            give(&walked, frame.head.interface, Some(*place), taker);
        }
        for (_, other) in others {
            other.give(taker);
        }
    }

    /// What of it can be used again: the block when this was the last batch that used it, and the batch's own memory.
    pub(super) fn spend(self) -> (Option<Block>, Queue) {
        let Self { block, queue: Queue { mut frames, mut others }, .. } = self;
        frames.clear();
        others.clear();
        (Arc::into_inner(block), Queue { frames, others })
    }
}

impl Other {
    #[cold]
    fn give(&self, taker: &mut impl Taker) {
        taker.take(match self {
            Self::Joined(joined) => return give(&joined.packet(), joined.interface, None, taker),
            Self::Unfinished(lost) => Routed::Unfinished(lost),
            Self::Late(late, second) => Routed::Late { late, second: *second },
            Self::Told(entry) => Routed::Told(entry),
            Self::Tick(mark) => Routed::Tick(*mark),
            Self::Watch(watch) => Routed::Watch(watch),
        });
    }
}

/// Gives a packet to its partition, if it is of a flow, with its frame's place in the block, as far as it has one.
#[inline]
fn give(packet: &Packet<'_>, interface: u32, place: Option<u32>, taker: &mut impl Taker) {
    if let Some(key) = packet.key() {
        taker.take(Routed::Packet { partition: partition(key), interface, packet, place });
    }
}
