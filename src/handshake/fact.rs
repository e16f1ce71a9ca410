//! Whether something happened, where packets may not show it.

use crate::time::Mark;

/// What is known of an act. What cannot be seen is not taken for what was not done: a certificate may have been asked for in a record that holds
/// more than one message, a flight may be whole though its last message is not told from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fact {
    /// It happened, by this packet.
    Happened(Mark),
    /// It did not happen, as far as the capture goes: it would show.
    #[default]
    DidNot,
    /// It may have happened or not: it would not show.
    Unseen,
}

impl Fact {
    /// The packet by which it happened.
    pub const fn mark(self) -> Option<Mark> {
        match self {
            Self::Happened(mark) => Some(mark),
            Self::DidNot | Self::Unseen => None,
        }
    }

    /// It happened.
    pub const fn happened(self) -> bool {
        matches!(self, Self::Happened(_))
    }

    /// Nothing shows that it did not happen.
    pub const fn may_have_happened(self) -> bool {
        !matches!(self, Self::DidNot)
    }

    /// It happened by this packet, if not by an earlier one.
    pub const fn happens(&mut self, mark: Mark) {
        if !self.happened() {
            *self = Self::Happened(mark);
        }
    }
}

impl From<Option<Mark>> for Fact {
    fn from(mark: Option<Mark>) -> Self {
        mark.map_or(Self::DidNot, Self::Happened)
    }
}
