//! EAPOL (IEEE 802.1X-2020 section 11): EAP on the link layer.

/// A frame that concerns an authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// An EAP packet, as far as it was captured.
    Packet(&'a [u8]),
    /// The supplicant asks the authenticator to begin.
    Start,
    /// The supplicant leaves.
    Logoff,
}

impl<'a> Frame<'a> {
    /// Reads a frame; `None` for keys and whatever else EAPOL carries.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&[version, kind, high, low], body) = bytes.split_first_chunk::<4>()?;
        if !(1..=3).contains(&version) {
            return None;
        }
        let len = usize::from(u16::from_be_bytes([high, low]));
        Some(match kind {
            0 => Self::Packet(body.get(..len).unwrap_or(body)),
            1 => Self::Start,
            2 => Self::Logoff,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_concerns_an_authentication() {
        assert_eq!(Frame::parse(&[2, 0, 0, 4, 3, 9, 0, 4, 0, 0]), Some(Frame::Packet(&[3, 9, 0, 4])), "padding is left out");
        assert_eq!(Frame::parse(&[1, 1, 0, 0]), Some(Frame::Start));
        assert_eq!(Frame::parse(&[1, 2, 0, 0]), Some(Frame::Logoff));
        assert_eq!(Frame::parse(&[2, 3, 0, 95, 2]), None, "a key");
        assert_eq!((Frame::parse(&[4, 0, 0, 4]), Frame::parse(&[2, 0, 0])), (None, None), "another version; cut");
        assert_eq!(Frame::parse(&[2, 0, 0, 200, 1, 1]), Some(Frame::Packet(&[1, 1])), "cut by the snapshot length");
    }
}
