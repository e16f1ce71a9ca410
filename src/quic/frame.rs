//! Frames (RFC 9000 sections 12.4 and 19, RFC 9221): what the handshake says is read, the others are passed over.

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
    /// HANDSHAKE_DONE: the server has all of the handshake and took it.
    HandshakeDone,
    /// Any other frame of the standard, by its type.
    Passed(u64),
    /// A frame that is not known, by its type. Nothing behind it is read either.
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
        0x1e => Frame::HandshakeDone,
        other => return passed(cursor, other),
    })
}

/// Passes over a frame that says nothing of the handshake.
fn passed<'a>(cursor: &mut Cursor<'a>, kind: u64) -> Option<Frame<'a>> {
    let mut numbers = |count: u8| (0..count).try_for_each(|_| cursor.varint().map(drop));
    match kind {
        // MAX_DATA, MAX_STREAMS, DATA_BLOCKED, STREAMS_BLOCKED, RETIRE_CONNECTION_ID
        0x10 | 0x12..=0x14 | 0x16 | 0x17 | 0x19 => numbers(1)?,
        // STOP_SENDING, MAX_STREAM_DATA, STREAM_DATA_BLOCKED
        0x05 | 0x11 | 0x15 => numbers(2)?,
        // RESET_STREAM
        0x04 => numbers(3)?,
        // NEW_TOKEN, DATAGRAM with a length
        0x07 | 0x31 => drop(cursor.vec()?),
        // STREAM: an offset (0x04), a length (0x02)
        0x08..=0x0f => {
            numbers(if kind & 0x04 == 0 { 1 } else { 2 })?;
            if kind & 0x02 == 0 {
                cursor.take(cursor.len())?;
            } else {
                cursor.vec()?;
            }
        }
        // NEW_CONNECTION_ID: two numbers, an identifier and a token of 16 bytes
        0x18 => {
            numbers(2)?;
            let len = cursor.u8()?;
            cursor.take(usize::from(len) + 16)?;
        }
        // PATH_CHALLENGE, PATH_RESPONSE
        0x1a | 0x1b => drop(cursor.take(8)?),
        // DATAGRAM to the end
        0x30 => drop(cursor.take(cursor.len())?),
        // ACK_FREQUENCY and IMMEDIATE_ACK (draft-ietf-quic-ack-frequency)
        0xaf => numbers(4)?,
        0x1f => {}
        other => return Some(Frame::Other(other)),
    }
    Some(Frame::Passed(kind))
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
        assert_eq!(frames(Version::V1, &[0x21, 1, 1, 1]).collect::<Vec<_>>(), [Frame::Other(0x21)]);
        assert_eq!(frames(Version::V1, &[0x06, 0, 9, 1]).count(), 0);
    }

    /// One of each kind that may stand in a 1-RTT packet, each as long as RFC 9000 section 19 says, and a close behind them.
    #[test]
    fn passes_over_what_is_not_of_the_handshake() {
        let new_id = [&[0x18, 1, 0, 4][..], &[9; 4], &[7; 16]].concat();
        let pieces: [&[u8]; 14] = [
            &[0x04, 1, 2, 3],
            &[0x05, 1, 2],
            &[0x07, 2, 8, 8],
            &[0x0e, 4, 9, 1, b'x'],
            &[0x0a, 4, 2, b'x', b'y'],
            &[0x10, 1],
            &[0x11, 1, 2],
            &[0x13, 1],
            &[0x15, 1, 2],
            &new_id,
            &[0x19, 1],
            &[0x1a, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0x31, 1, b'z'],
            &[0x1e],
        ];
        let payload = [pieces.concat(), vec![0x1d, 0x41, 0x00, 0]].concat();
        let found: Vec<Frame<'_>> = frames(Version::V1, &payload).collect();
        assert_eq!(found.len(), 15);
        assert!(found.iter().take(13).all(|frame| matches!(frame, Frame::Passed(_))), "{found:?}");
        assert_eq!(
            found[13..],
            [Frame::HandshakeDone, Frame::ConnectionClose(ConnectionClose { code: 0x100, application: true, reason: b"" })]
        );
        assert_eq!(
            frames(Version::V1, &[0x08, 4, b'x', 0x1e]).collect::<Vec<_>>(),
            [Frame::Passed(8)],
            "a stream without a length takes the rest"
        );
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
