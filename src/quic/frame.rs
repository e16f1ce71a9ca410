//! The frames of Initial and Handshake packets (RFC 9000 sections 12.4 and 19); the others end the walk.

use super::cursor::Cursor;
use super::version::Version;

/// A frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// PING.
    Ping,
    /// ACK.
    Ack(Ack<'a>),
    /// CRYPTO.
    Crypto {
        /// Offset of its first byte in the stream of its packet number space.
        offset: u64,
        /// The bytes.
        data: &'a [u8],
    },
    /// CONNECTION_CLOSE.
    ConnectionClose(ConnectionClose<'a>),
    /// A frame that is not read here, by its type. Nothing behind it is read either.
    Other(u64),
}

/// ACK (RFC 9000 section 19.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack<'a> {
    /// The largest packet number acknowledged.
    pub largest: u64,
    first_range: u64,
    ranges: &'a [u8],
}

impl Ack<'_> {
    /// Whether this packet number is acknowledged.
    pub fn covers(&self, number: u64) -> bool {
        let mut cursor = Cursor::new(self.ranges);
        let mut high = self.largest;
        let mut len = self.first_range;
        loop {
            let low = high.saturating_sub(len);
            if number > high {
                return false;
            }
            if number >= low {
                return true;
            }
            let (Some(gap), Some(next)) = (cursor.varint(), cursor.varint()) else { return false };
            let Some(below) = low.checked_sub(gap.saturating_add(2)) else { return false };
            (high, len) = (below, next);
        }
    }
}

/// CONNECTION_CLOSE (RFC 9000 section 19.19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionClose<'a> {
    /// The code: see [`super::close`].
    pub code: u64,
    /// It is the application's code (type 0x1d), not the transport's.
    pub application: bool,
    /// The reason phrase, raw.
    pub reason: &'a [u8],
}

/// The frames of a payload in order, PADDING left out. Ends at the first that is cut short or not known.
pub fn frames(version: Version, payload: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let read = if version.has_google_frames() { google_frame } else { frame };
    let mut cursor = Cursor::new(payload);
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let frame = read(&mut cursor);
        done = matches!(frame, None | Some(Frame::Other(_)));
        frame
    })
}

fn frame<'a>(cursor: &mut Cursor<'a>) -> Option<Frame<'a>> {
    let padding = cursor.rest().iter().take_while(|byte| **byte == 0).count();
    cursor.take(padding)?;
    let kind = cursor.varint()?;
    Some(match kind {
        0x01 => Frame::Ping,
        0x02 | 0x03 => {
            let (largest, _delay, count, first_range) = (cursor.varint()?, cursor.varint()?, cursor.varint()?, cursor.varint()?);
            let ranges = cursor.rest();
            for _ in 0..count {
                cursor.varint()?;
                cursor.varint()?;
            }
            let ranges = ranges.get(..ranges.len() - cursor.len())?;
            if kind == 0x03 {
                for _ in 0..3 {
                    cursor.varint()?;
                }
            }
            Frame::Ack(Ack { largest, first_range, ranges })
        }
        0x06 => Frame::Crypto { offset: cursor.varint()?, data: cursor.vec()? },
        0x1c | 0x1d => {
            let code = cursor.varint()?;
            if kind == 0x1c {
                cursor.varint()?;
            }
            let reason = cursor.vec().unwrap_or_default();
            Frame::ConnectionClose(ConnectionClose { code, application: kind == 0x1d, reason })
        }
        other => Frame::Other(other),
    })
}

/// The frames of Google's versions with TLS, as far as a client's hello needs them: their types are older than the standard's.
fn google_frame<'a>(cursor: &mut Cursor<'a>) -> Option<Frame<'a>> {
    let padding = cursor.rest().iter().take_while(|byte| **byte == 0).count();
    cursor.take(padding)?;
    Some(match cursor.u8()? {
        0x07 => Frame::Ping,
        0x08 => Frame::Crypto { offset: cursor.varint()?, data: cursor.vec()? },
        other => Frame::Other(u64::from(other)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_an_initial_packet_holds() {
        let payload = [
            &[0, 0, 1][..],
            // largest 9, delay 0, one more range: 9..=8, gap 1 (6 and 7 missing), 5..=3
            &[2, 9, 0, 1, 1, 1, 2],
            &[6, 0x40, 0x10, 3, b'a', b'b', b'c', 0, 0],
            &[0x1c, 0x41, 0x28, 6, 2, b'n', b'o'],
        ]
        .concat();
        let found: Vec<Frame<'_>> = frames(Version::V1, &payload).collect();
        assert_eq!(found[0], Frame::Ping);
        let Frame::Ack(ack) = found[1] else { panic!("{found:?}") };
        let covered: Vec<u64> = (0..12).filter(|number| ack.covers(*number)).collect();
        assert_eq!(covered, [3, 4, 5, 8, 9]);
        assert_eq!(found[2], Frame::Crypto { offset: 16, data: b"abc" });
        assert_eq!(found[3], Frame::ConnectionClose(ConnectionClose { code: 0x128, application: false, reason: b"no" }));
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn stops_at_what_it_does_not_know() {
        assert_eq!(frames(Version::V1, &[0x08, 1, 1, 1]).collect::<Vec<_>>(), [Frame::Other(8)]);
        assert_eq!(frames(Version::V1, &[0x06, 0, 9, 1]).count(), 0);
    }

    /// What a client of T051 sends: CRYPTO is type 0x08 there.
    #[test]
    fn google_has_types_of_its_own() {
        let found: Vec<Frame<'_>> = frames(T051, &[8, 0, 2, b'h', b'i', 0, 0, 7, 0x45]).collect();
        assert_eq!(found, [Frame::Crypto { offset: 0, data: b"hi" }, Frame::Ping, Frame::Other(0x45)]);
    }

    const T051: Version = Version(0x5430_3531);

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..100), number in any::<u64>()) {
            for frame in frames(Version::V1, &bytes).chain(frames(T051, &bytes)) {
                if let Frame::Ack(ack) = frame {
                    let _ = ack.covers(number);
                }
            }
        }
    }
}
