//! The conversations of EAP that one flow carries at a time, within a bound.

use crate::handshake::shared::Shared;
use crate::limits;
use crate::time::Mark;
use crate::transport::{Close, FlowFacts};

use super::conversation::Conversation;

/// Those under way, in the order in which they began, each with what its carrier knows of it.
#[derive(Debug)]
pub(super) struct Conversations<T> {
    open: Vec<Open<T>>,
    /// Bytes that they hold.
    held: usize,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Open<T> {
    pub(super) conversation: Conversation,
    pub(super) own: T,
    weight: usize,
}

/// What is common to all of them when one ends: what they share, and the flow that carried it.
pub(super) struct Around<'a> {
    pub(super) shared: &'a mut Shared,
    pub(super) whole: &'a FlowFacts,
    /// The frame at hand.
    pub(super) now: Mark,
}

impl<T> Default for Conversations<T> {
    fn default() -> Self {
        Self { open: Vec::new(), held: 0 }
    }
}

impl<T> Conversations<T> {
    /// Bytes that they hold.
    pub(super) const fn held_bytes(&self) -> usize {
        self.held
    }

    /// The place of the latest that fits.
    pub(super) fn place(&self, fits: impl FnMut(&Open<T>) -> bool) -> Option<usize> {
        self.open.iter().rposition(fits)
    }

    /// The one at a place.
    pub(super) fn at(&mut self, place: usize) -> Option<&mut Open<T>> {
        self.open.get_mut(place)
    }

    /// One begins; where there is no room the oldest goes to which no server has answered, of which anybody can begin any number, or the oldest of all.
    /// Gives its place.
    pub(super) fn begin(&mut self, around: &mut Around<'_>, conversation: Conversation, own: T) -> usize {
        if self.open.len() >= limits::EAP_CONVERSATIONS || self.held >= limits::EAP_BYTES {
            let idle = self.open.iter().position(|open| !open.conversation.has_begun());
            self.close(around, idle.unwrap_or_default(), Close::Evicted);
        }
        self.open.push(Open { conversation, own, weight: 0 });
        self.open.len().saturating_sub(1)
    }

    /// Notes what the one at a place holds, `more` besides what its conversation does.
    pub(super) fn weigh(&mut self, place: usize, more: usize) {
        if let Some(open) = self.open.get_mut(place) {
            let weight = open.conversation.weight() + more + size_of::<Open<T>>();
            self.held = self.held.saturating_sub(open.weight) + weight;
            open.weight = weight;
        }
    }

    /// The one at a place is over. Gives what its carrier knew of it.
    pub(super) fn close(&mut self, around: &mut Around<'_>, place: usize, close: Close) -> Option<T> {
        if place >= self.open.len() {
            return None;
        }
        let Open { conversation, own, weight } = self.open.remove(place);
        self.held = self.held.saturating_sub(weight);
        conversation.finish(around.shared, around.whole, close, around.now);
        Some(own)
    }

    /// Ends what was quiet for too long.
    pub(super) fn expire(&mut self, around: &mut Around<'_>) {
        let now = around.now;
        while let Some(place) = self.open.iter().position(|open| open.conversation.quiet(now) >= limits::EAP_IDLE) {
            self.close(around, place, Close::Idle);
        }
    }

    /// Time goes on, and someone watches.
    pub(super) fn tick(&mut self, around: &mut Around<'_>) {
        self.expire(around);
        for open in &mut self.open {
            open.conversation.watch(around.shared, around.now);
        }
    }

    /// The flow is over, and so are they.
    pub(super) fn finish(self, around: &mut Around<'_>, close: Close) {
        for open in self.open {
            open.conversation.finish(around.shared, around.whole, close, around.now);
        }
    }
}
