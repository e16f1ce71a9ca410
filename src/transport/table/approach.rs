//! The way to what a table keeps of a flow, gone in steps before a segment of it comes.

use super::Table;
use crate::packet::Segment;
use crate::transport::index::Place;
use crate::transport::sink::FlowSink;

/// What is known of the flow of a segment that comes in a moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Expected {
    /// The hash of its key, for its table.
    hash: u64,
    /// Where its state seems to be.
    place: Option<Place>,
}

/// What is asked for on the way to the memory that a segment needs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ask {
    /// To the index's entry of its flow.
    Entry,
    /// To the state that the entry leads to.
    State,
    /// To what that points at.
    Parts,
}

impl Ask {
    /// In their order.
    pub(crate) const ALL: [Self; 3] = [Self::Entry, Self::State, Self::Parts];
}

impl<S: FlowSink> Table<S> {
    /// A segment comes in a moment: goes one step towards the memory that it needs. Each step asks for what the next one reads, so that memory is
    /// not waited for when others have gone theirs in between.
    #[inline]
    pub(crate) fn approach(&self, ask: Ask, segment: &Segment<'_>, expected: &mut Expected) {
        let payload = !segment.payload.is_empty();
        match ask {
            Ask::Entry => {
                expected.hash = self.index.hash(&segment.key);
                self.index.prefetch(expected.hash);
            }
            Ask::State => {
                expected.place = self.index.guess(expected.hash);
                match expected.place {
                    Some(Place::Followed(id)) => {
                        if let Some(connection) = self.connections.get(id) {
                            connection.prefetch(payload);
                        }
                    }
                    Some(Place::HalfOpen(id)) => self.half_open.prefetch(id),
                    Some(Place::Marker(id)) => self.markers.prefetch(id),
                    None => {}
                }
            }
            Ask::Parts => {
                if let Some(Place::Followed(id)) = expected.place
                    && let Some(connection) = self.connections.get(id)
                {
                    connection.prefetch_more(payload);
                }
            }
        }
    }

    /// The same, of one whose flow was [approached](Self::approach). Its state may have moved since.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "once a packet, in one place")]
    pub(crate) fn expected(&mut self, shared: &mut S::Shared, interface: u32, segment: &Segment<'_>, expected: Expected) {
        let Expected { hash, place } = expected;
        let place = match place {
            Some(place) if self.holds(place, hash) => Some(place),
            _ => self.find(hash),
        };
        self.segment_at(shared, interface, segment, (hash, place));
    }
}
