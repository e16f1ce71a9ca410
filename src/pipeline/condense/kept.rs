//! What a condensate holds.

use crate::condensate::{Late, Place, Told};
use crate::frame::{Frame, FrameHead};

/// What is kept, in the order of the capture.
#[derive(Debug, Clone, Copy)]
pub enum Kept<'a> {
    /// A packet, with what had been remarked on it.
    Packet {
        /// Its frame.
        frame: Frame<'a>,
        /// Where it stands in its file.
        place: Place,
        /// Comments.
        comments: &'a [String],
    },
    /// A frame that is left out, of which only the time counts.
    Mark {
        /// What is known of it.
        head: FrameHead,
        /// Where it stands in its file.
        place: Place,
        /// The interface that this one was found to continue, plus 1, with `LINKED`; 0 for none.
        joins: u32,
    },
    /// What was left out of flows since the last one.
    Late {
        /// What is known of the last frame.
        head: FrameHead,
        /// Where that stands in its file.
        place: Place,
        /// By flow.
        late: &'a [Late],
    },
    /// What crosses shards.
    Told {
        /// What is known of the frame at which it was over.
        head: FrameHead,
        /// Where that stands in its file.
        place: Place,
        /// The interface that saw it.
        interface: u32,
        /// What is told.
        told: &'a Told,
    },
}
