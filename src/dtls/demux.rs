//! What shares a port with DTLS: told by the first byte (RFC 7983, RFC 9443), and DTLS inside TURN (RFC 8656) and CAPWAP (RFC 5415).

/// What a datagram is by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// STUN, or TURN in STUN's form.
    Stun,
    /// ZRTP.
    Zrtp,
    /// A DTLS record.
    Dtls,
    /// TURN ChannelData (or a QUIC short header).
    Channel,
    /// RTP or RTCP (or a QUIC long header of an early version).
    Rtp,
    /// None of these.
    Other,
}

/// The kind of a datagram by its first byte.
pub const fn kind(first: u8) -> Kind {
    match first {
        0..=3 => Kind::Stun,
        16..=19 => Kind::Zrtp,
        20..=63 => Kind::Dtls,
        64..=79 => Kind::Channel,
        128..=191 => Kind::Rtp,
        _ => Kind::Other,
    }
}

/// The datagram that a TURN message carries between client and relay, or that stands behind CAPWAP's DTLS header; any other datagram itself.
pub fn unwrap(datagram: &[u8]) -> &[u8] {
    if let Some(inner) = datagram.strip_prefix(&CAPWAP).filter(|inner| matches!(inner, [20..=26, 0xfe, 0xfd..=0xff, ..])) {
        return inner;
    }
    let carried = match datagram.first().map(|first| kind(*first)) {
        Some(Kind::Channel) => channel_data(datagram),
        Some(Kind::Stun) => indication(datagram),
        _ => None,
    };
    carried.filter(|inner| inner.first().is_some_and(|first| kind(*first) == Kind::Dtls)).unwrap_or(datagram)
}

/// ChannelData: channel number 0x4000 to 0x4fff, length, data, padding (RFC 8656 section 12.4).
fn channel_data(datagram: &[u8]) -> Option<&[u8]> {
    let (&[_, _, high, low], data) = datagram.split_first_chunk::<4>()?;
    let len = usize::from(u16::from_be_bytes([high, low]));
    data.get(..len).filter(|_| data.len() - len < 4)
}

/// The DATA attribute of a Send or Data indication (RFC 8656 sections 11.1 and 11.4).
fn indication(datagram: &[u8]) -> Option<&[u8]> {
    let (header, mut attributes) = datagram.split_first_chunk::<20>()?;
    let &[0x00, 0x16 | 0x17, _, _, 0x21, 0x12, 0xa4, 0x42, ..] = header else { return None };
    while let Some((&[a, b, high, low], behind)) = attributes.split_first_chunk::<4>() {
        let len = usize::from(u16::from_be_bytes([high, low]));
        if [a, b] == DATA {
            return behind.get(..len);
        }
        attributes = behind.get(len.next_multiple_of(4)..)?;
    }
    None
}

/// Whether a datagram has CAPWAP's DTLS header.
pub fn is_capwap(datagram: &[u8]) -> bool {
    datagram.starts_with(&CAPWAP)
}

/// Whether a datagram is between a TURN client and its relay.
pub fn is_turn(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| matches!(kind(*first), Kind::Stun | Kind::Channel))
}

/// CAPWAP's preamble: version 0, type DTLS; then three bytes that are reserved (RFC 5415 section 4.1 and 4.2).
const CAPWAP: [u8; 4] = [1, 0, 0, 0];
/// Type of the DATA attribute.
const DATA: [u8; 2] = [0x00, 0x13];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dtls_is_taken_out_of_turn() {
        let record = [22, 0xfe, 0xfd, 9, 9];
        let channel = [&[0x40, 0x01, 0, 5][..], &record, &[0, 0, 0]].concat();
        assert_eq!(unwrap(&channel), record);
        let attribute = [&[0x00, 0x12, 0, 8][..], &[0; 8], &[0x00, 0x13, 0, 5], &record, &[0, 0, 0]].concat();
        let indication = [&[0x00, 0x16, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[0; 12], &attribute].concat();
        assert_eq!(unwrap(&indication), record);
        assert_eq!(unwrap(&record), record);
        assert_eq!(unwrap(&[&[1, 0, 0, 0][..], &record].concat()), record, "CAPWAP");
        let clear = [0, 16, 2, 0, 22, 0xfe, 0xfd];
        assert_eq!(unwrap(&clear), clear, "CAPWAP in clear");
    }

    #[test]
    fn what_is_not_dtls_stays_wrapped() {
        let channel = [0x40, 0x01, 0, 2, 0x80, 0x60];
        assert_eq!(unwrap(&channel), channel);
        let quic = [0x40, 0x01, 0, 2, 22, 0xfe, 1, 1, 1, 1, 1, 1];
        assert_eq!(unwrap(&quic), quic, "the length does not fit");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(unwrap(&bytes).len() <= bytes.len());
            let stun = [&[0x00, 0x17, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &bytes].concat();
            prop_assert!(unwrap(&stun).len() <= stun.len());
        }
    }
}
