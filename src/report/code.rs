//! Short texts of a known length: ids and fingerprints of flows.

/// Short text of a known length, in ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code<const LEN: usize>(pub(super) [u8; LEN]);

/// A handshake's id: hexadecimal.
pub type Id = Code<16>;

/// Community ID of a flow, version 1, seed 0.
pub type CommunityId = Code<30>;

impl<const LEN: usize> Code<LEN> {
    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The same in ASCII.
    pub const fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }
}

impl Id {
    /// An id as it was written; `None` for what is none.
    pub fn read(text: &str) -> Option<Self> {
        let digits: [u8; 16] = text.as_bytes().try_into().ok()?;
        digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')).then_some(Self(digits))
    }

    /// The first bytes in hexadecimal.
    pub fn of(bytes: &[u8]) -> Self {
        let mut text = [b'0'; 16];
        for (place, byte) in text.as_chunks_mut().0.iter_mut().zip(bytes) {
            *place = hexadecimal(*byte);
        }
        Self(text)
    }
}

impl<const LEN: usize> std::fmt::Display for Code<LEN> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// As text.
impl<const LEN: usize> serde::Serialize for Code<LEN> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Two digits in lower case.
pub const fn hexadecimal(byte: u8) -> [u8; 2] {
    const fn digit(value: u8) -> u8 {
        if value < 10 { b'0' + value } else { b'a' + value - 10 }
    }
    [digit(byte >> 4), digit(byte & 15)]
}
