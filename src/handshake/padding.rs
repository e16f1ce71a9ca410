//! How records of TLS 1.3 are padded.

/// How a side makes its records longer than what they hold (RFC 8446 section 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// Each by as many bytes; 0: by none.
    Each(u16),
    /// Each up to a multiple of as many bytes.
    UpTo(u16),
}

impl Padding {
    /// The length of a record that would have this length without padding.
    pub fn lengthen(self, len: u16) -> u16 {
        match self {
            Self::Each(more) => len.saturating_add(more),
            Self::UpTo(unit) => len.checked_next_multiple_of(unit).unwrap_or(len),
        }
    }

    /// The length without padding, where the padded one tells it.
    pub fn shorten(self, len: u16) -> Option<u16> {
        match self {
            Self::Each(more) => len.checked_sub(more),
            Self::UpTo(_) => None,
        }
    }
}
