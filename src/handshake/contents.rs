//! The content of opened records, kept for whoever follows what travels in them.
//!
//! Nearly all of it is of no interest: it is kept only where the client's first words are those of a tunnel, and only until it is taken.

use crate::flow::Side;

use crate::preamble::http2::Http2;

use super::messages::Place;

/// A record's content.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) side: Side,
    pub(super) bytes: Vec<u8>,
    pub(super) place: Place,
}

/// What was opened and not taken yet.
#[derive(Debug, Default)]
pub(super) enum Contents {
    /// Nothing was said.
    #[default]
    Awaited,
    /// It began as a tunnel does. Whether the client has spoken.
    Wanted(Vec<Content>, bool),
    /// It is no tunnel, or nothing more of it is wanted.
    Left,
    /// Records of it could not be opened, or are missing.
    Lost,
}

impl Contents {
    /// The content of one more record.
    pub(super) fn add(&mut self, side: Side, bytes: &[u8], place: Place) {
        if bytes.is_empty() {
            return;
        }
        let first = match self {
            Self::Awaited => true,
            Self::Wanted(_, spoke) => side == Side::Client && !*spoke,
            Self::Left | Self::Lost => false,
        };
        if first {
            *self = match std::mem::take(self) {
                _ if !may_begin(side, bytes) => Self::Left,
                Self::Wanted(contents, _) => Self::Wanted(contents, true),
                _ => Self::Wanted(Vec::new(), side == Side::Client),
            };
        }
        if let Self::Wanted(contents, _) = self {
            contents.push(Content { side, bytes: bytes.to_vec(), place });
        }
    }

    /// Somebody follows them: what comes later may change what is said of the tunnel.
    pub(super) const fn are_wanted(&self) -> bool {
        matches!(self, Self::Wanted(..))
    }

    /// What was added since the last time.
    pub(super) fn take(&mut self) -> Vec<Content> {
        if let Self::Wanted(contents, _) = self { std::mem::take(contents) } else { Vec::new() }
    }

    /// No more is wanted.
    pub(super) fn leave(&mut self) {
        *self = Self::Left;
    }

    /// Records of either side are missing, or cannot be opened.
    pub(super) fn lose(&mut self) {
        *self = match self {
            Self::Wanted(..) | Self::Lost => Self::Lost,
            Self::Awaited | Self::Left => Self::Left,
        };
    }

    /// What was taken is not all that was said.
    pub(super) const fn are_lost(&self) -> bool {
        matches!(self, Self::Lost)
    }

    /// Bytes that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        let Self::Wanted(contents, _) = self else { return 0 };
        contents.iter().map(|content| size_of::<Content>() + content.bytes.capacity()).sum()
    }
}

/// Whether a side that begins so may be about to open a tunnel, or to begin TLS. Short pieces may yet become either. A server that speaks first is
/// one of HTTP/2.
fn may_begin(side: Side, content: &[u8]) -> bool {
    let alike = |begin: &[u8]| content.iter().zip(begin).all(|(byte, due)| byte == due);
    let begun = |begin: &&[u8]| alike(begin);
    // A request whose header is all there and asks for no upgrade is an ordinary one.
    let asks = || alike(b"GET ") && (!content.ends_with(b"\r\n\r\n") || memchr::memmem::find(content, b"pgrade:").is_some());
    let client = || [&b"CONNECT "[..], b"\x05", b"\x04\x01", b"\x16\x03"].iter().any(begun) || asks();
    Http2::may_begin(side, content) || side == Side::Client && client()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Mark, Timestamp};

    const MARK: Mark = Mark { frame: 1, time: Timestamp::MIN };
    const PLACE: Place = Place { mark: MARK, first: MARK, span: (0, 0) };

    #[test]
    fn what_is_not_all_there_is_lost() {
        let mut contents = Contents::default();
        contents.add(Side::Client, b"CONNECT ", PLACE);
        contents.lose();
        contents.add(Side::Client, b"CONNECT ", PLACE);
        assert!(contents.are_lost() && !contents.are_wanted() && contents.take().is_empty());
        let mut contents = Contents::default();
        contents.lose();
        contents.add(Side::Client, b"CONNECT ", PLACE);
        assert!(!contents.are_lost() && !contents.are_wanted());
    }

    #[test]
    fn only_what_begins_a_tunnel_is_kept() {
        let kept = |said: &[(Side, &[u8])]| {
            let mut contents = Contents::default();
            for (side, bytes) in said {
                contents.add(*side, bytes, PLACE);
            }
            contents.take().len()
        };
        assert_eq!(kept(&[(Side::Client, b"CONNECT x:443 HTTP/1.1\r\n\r\n"), (Side::Server, b"HTTP/1.1 200 OK\r\n\r\n")]), 2);
        assert_eq!(kept(&[(Side::Client, b"C"), (Side::Client, b"ONNECT x:443 HTTP/1.1\r\n\r\n")]), 2);
        assert_eq!(kept(&[(Side::Client, b"\x05\x01\0"), (Side::Server, b"\x05\0")]), 2);
        assert_eq!(kept(&[(Side::Client, b"\x16\x03\x01\x02\0")]), 1);
        assert_eq!(kept(&[(Side::Client, b"GET / HTTP/1.1\r\n\r\n"), (Side::Client, b"CONNECT ")]), 0);
        assert_eq!(kept(&[(Side::Client, b"GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n")]), 1);
        assert_eq!(kept(&[(Side::Server, b"\0\0\x06\x04\0\0\0\0\0"), (Side::Client, b"PRI * HTTP/2.0\r\n")]), 2);
        assert_eq!(kept(&[(Side::Server, b"\0\0\x06\x04\0\0\0\0\0"), (Side::Client, b"GET / HTTP/1.1\r\n\r\n")]), 0);
        assert_eq!(kept(&[(Side::Server, b"220 x\r\n"), (Side::Client, b"CONNECT ")]), 0);
    }
}
