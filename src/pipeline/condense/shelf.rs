//! What is kept of the step of packet time at hand, until it is known which of the frames left out are the last of their interfaces.

use std::io;
use std::ops::Range;

use crate::capture::Inventory;
use crate::condensate::{LINKED, Late, Place, Told};
use crate::frame::{Frame, FrameHead};
use crate::pipeline::sources::Joined;

use super::kept::Kept;

/// The shelf.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    items: Vec<Item>,
    bytes: Vec<u8>,
    /// By interface, the last frame left out since the last that was not, and how many items came before it.
    last: Vec<Option<(usize, FrameHead, Place)>>,
    /// By interface, its latest frame of all.
    latest: Vec<Option<(FrameHead, Place)>>,
    /// Items before this one belong to steps that are over.
    over: bool,
}

#[derive(Debug)]
enum Item {
    Packet { head: FrameHead, place: Place, range: Range<usize>, comments: Vec<String> },
    Mark { head: FrameHead, place: Place, joins: u32 },
    Late { head: FrameHead, place: Place, late: Vec<Late> },
    Told { head: FrameHead, place: Place, interface: u32, told: Told },
}

impl Shelf {
    pub(super) fn packet(&mut self, frame: &Frame<'_>, place: Place, comments: Vec<String>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(frame.bytes);
        self.items.push(Item::Packet { head: frame.head, place, range: start..self.bytes.len(), comments });
        self.note(frame.head, place);
        if let Some(last) = self.last.get_mut(frame.head.interface as usize) {
            *last = None;
        }
    }

    pub(super) fn leave_out(&mut self, head: FrameHead, place: Place, marked: bool) {
        self.note(head, place);
        let before = self.items.len();
        if marked {
            self.items.push(Item::Mark { head, place, joins: 0 });
        }
        if let Some(last) = self.last.get_mut(head.interface as usize) {
            *last = (!marked).then_some((before, head, place));
        }
    }

    fn note(&mut self, head: FrameHead, place: Place) {
        let interface = head.interface as usize;
        if self.latest.len() <= interface {
            self.latest.resize(interface.saturating_add(1), None);
            self.last.resize(interface.saturating_add(1), None);
        }
        if let Some(latest) = self.latest.get_mut(interface) {
            *latest = Some((head, place));
        }
    }

    /// An interface was found to continue another, by a frame that has just passed.
    pub(super) fn join(&mut self, Joined { before, interface, connection, .. }: Joined) {
        if let Some(Some((head, place))) = self.latest.get(interface as usize) {
            let joins = before.saturating_add(1) | if connection { LINKED } else { 0 };
            self.items.push(Item::Mark { head: *head, place: *place, joins });
        }
    }

    /// Packets were left out up to the latest frame of all.
    pub(super) fn late(&mut self, (head, place): (FrameHead, Place), late: Vec<Late>) {
        if !late.is_empty() {
            self.items.push(Item::Late { head, place, late });
        }
    }

    /// Something that crosses shards was over at this frame.
    pub(super) fn tell(&mut self, (head, place): (FrameHead, Place), interface: u32, told: Told) {
        self.items.push(Item::Told { head, place, interface, told });
    }

    /// A step of packet time begins.
    pub(super) fn step(&mut self) {
        self.mark_last();
        self.over = true;
    }

    /// Marks the last frame of each interface that was left out since one that was not.
    fn mark_last(&mut self) {
        let mut marks: Vec<(usize, FrameHead, Place)> = self.last.iter_mut().filter_map(Option::take).collect();
        // From behind, so that the places of those before stay right.
        marks.sort_by_key(|(before, head, _)| (*before, head.number));
        for (before, head, place) in marks.into_iter().rev() {
            self.items.insert(before.min(self.items.len()), Item::Mark { head, place, joins: 0 });
        }
    }

    /// Gives what lies on the shelf, if it is full or a step is over.
    pub(super) fn turn(
        &mut self,
        inventory: &Inventory,
        all: bool,
        out: &mut dyn FnMut(&Inventory, Kept<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        if !(all || self.over || self.bytes.len() > ROOM || self.items.len() > ITEMS) {
            return Ok(());
        }
        self.mark_last();
        self.over = false;
        for item in self.items.drain(..) {
            let kept = match &item {
                Item::Packet { head, place, range, comments } => {
                    let bytes = self.bytes.get(range.clone()).unwrap_or_default();
                    Kept::Packet { frame: Frame { head: *head, bytes }, place: *place, comments }
                }
                Item::Mark { head, place, joins } => Kept::Mark { head: *head, place: *place, joins: *joins },
                Item::Late { head, place, late } => Kept::Late { head: *head, place: *place, late },
                Item::Told { head, place, interface, told } => Kept::Told { head: *head, place: *place, interface: *interface, told },
            };
            out(inventory, kept)?;
        }
        self.bytes.clear();
        Ok(())
    }
}

/// Bytes and items on the shelf, beyond which it is cleared within a step.
const ROOM: usize = 8 << 20;
const ITEMS: usize = 1 << 16;
