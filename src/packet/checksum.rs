//! The checksum of a TCP segment (RFC 9293 section 3.1), for those of whom it is asked whether they arrived as they were sent.

use std::net::IpAddr;

use super::Segment;

/// What of a TCP header is needed for its checksum alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeaderRest {
    /// The byte with the offset of the payload, and the bits beside it.
    pub offset: u8,
    /// The checksum.
    pub checksum: u16,
    /// The urgent pointer.
    pub urgent: u16,
}

impl HeaderRest {
    /// Read from the wire.
    #[inline]
    pub(super) const fn new(offset: u8, checksum: [u8; 2], urgent: [u8; 2]) -> Self {
        Self { offset, checksum: u16::from_be_bytes(checksum), urgent: u16::from_be_bytes(urgent) }
    }
}

impl Segment<'_> {
    /// Its checksum is wrong: whoever receives it drops it. False where that cannot be told: it was cut, or it was captured where it was sent and the
    /// network card fills in the checksum, so that there is none, or only that of the addresses, as the system leaves it there.
    pub fn is_damaged(&self) -> bool {
        let HeaderRest { offset, checksum, urgent } = self.rest;
        let header = usize::from(offset >> 4).saturating_mul(4);
        let whole = self.payload.len() == self.payload_len as usize && header == self.options.len().saturating_add(FIXED);
        if !whole || checksum == 0 {
            return false;
        }
        // Words of any width are added as they are.
        let ends = total([address(self.key.low.address), address(self.key.high.address), TCP]);
        let addresses = total([ends, header as u64, u64::from(self.payload_len)]);
        let [seq, ack] = [self.seq, self.ack].map(u64::from);
        let flags = u16::from_be_bytes([offset, self.flags.0]);
        let fixed = total([self.key.low.port, self.key.high.port, flags, self.window, checksum, urgent].map(u64::from));
        let filled_in = fold(total([addresses, seq, ack, fixed, sum(self.options), sum(self.payload)])) == u16::MAX;
        // Some cards want the length left out where they cut large segments up.
        !filled_in && fold(addresses) != checksum && fold(ends) != checksum
    }
}

/// A header that holds its own checksum is as it was sent (RFC 791).
pub(super) fn is_sound(header: &[u8]) -> bool {
    fold(sum(header)) == u16::MAX
}

/// The sum of 16-bit words, of less than 32 bits; a byte at the end stands in front of a zero. In one's complement neither the order of the bytes nor the
/// width of the words matters until the end (RFC 1071), and so they are added as they lie, many at a time.
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
    let halves = |word: &[u8; 8]| {
        let word = u64::from_ne_bytes(*word);
        (word & 0xffff_ffff).wrapping_add(word >> 32)
    };
    let whole = words.iter().chain([&last]).map(halves).fold(0, u64::wrapping_add);
    u64::from(u16::from_be_bytes(fold(whole).to_ne_bytes()))
}

/// None of them comes near to overflowing: a packet has some ten thousand words.
fn total<const N: usize>(sums: [u64; N]) -> u64 {
    sums.into_iter().fold(0, u64::wrapping_add)
}

fn address(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => total(address.segments().map(u64::from)),
    }
}

/// The sum in one's complement.
const fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff).wrapping_add(sum >> 16);
    }
    #[expect(clippy::cast_possible_truncation, reason = "it fits now")]
    let folded = sum as u16;
    folded
}

/// A header without options.
const FIXED: usize = 20;
/// The protocol's number.
const TCP: u64 = 6;

#[cfg(test)]
mod tests {
    use crate::frame::{Frame, FrameHead};
    use crate::packet::{Decoder, Packet, links};
    use crate::site::Site;
    use crate::time::Timestamp;

    /// From 192.0.2.1:4660 to 192.0.2.2:443, PSH and ACK, three bytes; with this checksum.
    fn damaged(checksum: u16, payload: &[u8], urgent: u8) -> bool {
        let total = u8::try_from(40 + payload.len()).unwrap();
        let mut bytes = vec![0; 12];
        bytes.extend([8, 0, 0x45, 0, 0, total, 0, 1, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        bytes.extend([0x12, 0x34, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 1, 0]);
        bytes.extend(checksum.to_be_bytes());
        bytes.extend([0, urgent]);
        bytes.extend(payload);
        let original_len = u32::try_from(bytes.len()).unwrap();
        let time = Timestamp::from_nanos(5);
        let head = FrameHead { number: 3, time, link: links::ETHERNET, interface: 0, site: Site::NONE, original_len };
        match Decoder::default().decode(&Frame { head, bytes: &bytes }) {
            Packet::Tcp(segment) => segment.is_damaged(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_wrong_checksum_is_told_from_one_that_is_not_filled_in() {
        // By hand: c000+0201+c000+0202+0006+0017 (addresses, protocol, 23 bytes) = 18420 -> 8421; with
        // 1234+01bb+0001+0002+5018+0100 (header) and 1603+0100 (payload): 84 21 + 65 0a + 17 03 = 1002e -> 002f; its complement is ffd0.
        assert!(!damaged(0xffd0, &[0x16, 3, 1], 0));
        assert!(damaged(0xffd1, &[0x16, 3, 1], 0));
        assert!(damaged(0xffd0, &[0x16, 3, 2], 0));
        assert!(damaged(0xffd0, &[0x16, 3, 1], 1), "the urgent pointer counts");
        assert!(!damaged(0x8421, &[0x16, 3, 1], 0), "the sum of the addresses: left to the card");
        assert!(!damaged(0x840a, &[0x16, 3, 1], 0), "the same without the length");
        assert!(!damaged(0, &[0x16, 3, 1], 0));
    }
}
