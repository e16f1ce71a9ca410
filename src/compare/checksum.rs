//! Whether a TCP segment's checksum is right, as it stands in a capture.
//!
//! Only two points together make use of it: where a segment is captured on the host that sends it, the interface card computes the checksum
//! behind the capture, and a wrong one means nothing.

use std::net::IpAddr;

use crate::packet::Segment;

/// A segment's checksum (RFC 9293 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checksum {
    /// It cannot be computed: the segment was cut, joined from fragments, or is none.
    #[default]
    Unknown,
    /// It fits.
    Right,
    /// It is the pseudo-header's alone: the interface card has yet to compute it.
    Partial,
    /// It does not fit: who receives it so drops it.
    Wrong,
}

impl Checksum {
    /// The checksum of a segment in a frame.
    pub fn of(segment: &Segment<'_>, frame: &[u8]) -> Self {
        if segment.ip.was_fragmented {
            return Self::Unknown;
        }
        let (source, destination) = (segment.source(), segment.destination());
        let mut head = [0; 12];
        let fields = [source.port.to_be_bytes(), destination.port.to_be_bytes()].concat();
        let fields = fields.into_iter().chain(segment.seq.to_be_bytes()).chain(segment.ack.to_be_bytes());
        head.iter_mut().zip(fields).for_each(|(place, byte)| *place = byte);
        let Some(at) = frame.windows(head.len()).position(|window| window == head) else { return Self::Unknown };
        let Some(own) = frame.get(at..) else { return Self::Unknown };
        let Some(header_len) = own.get(12).map(|offset| usize::from(offset >> 4).saturating_mul(4)) else { return Self::Unknown };
        let len = header_len.saturating_add(segment.payload_len as usize);
        let (Some(own), Some(&[high, low])) = (own.get(..len), own.get(16..18)) else { return Self::Unknown };
        let addresses = match (source.address, destination.address) {
            (IpAddr::V4(from), IpAddr::V4(to)) => added(&from.octets()).saturating_add(added(&to.octets())),
            (IpAddr::V6(from), IpAddr::V6(to)) => added(&from.octets()).saturating_add(added(&to.octets())),
            _ => return Self::Unknown,
        };
        let protocol = addresses.saturating_add(6);
        let pseudo = protocol.saturating_add(u32::try_from(len).unwrap_or(u32::MAX) & 0xffff);
        let said = u16::from_be_bytes([high, low]);
        if folded(pseudo.saturating_add(added(own))) == u16::MAX {
            Self::Right
        } else if said == folded(pseudo) || said == folded(protocol) {
            Self::Partial
        } else {
            Self::Wrong
        }
    }
}

/// The sum of 16-bit words, not yet folded.
fn added(bytes: &[u8]) -> u32 {
    bytes.chunks(2).fold(0, |sum: u32, pair| {
        let word = u16::from_be_bytes([pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0)]);
        sum.saturating_add(u32::from(word))
    })
}

/// With the carries added (RFC 1071).
fn folded(sum: u32) -> u16 {
    let once = (sum & 0xffff).saturating_add(sum >> 16);
    let twice = (once & 0xffff).saturating_add(once >> 16);
    u16::try_from(twice).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::flow::{Endpoint, FlowKey, Path, Transport};
    use crate::packet::{IpFacts, TcpFlags};
    use crate::time::Mark;

    /// From 192.0.2.1:1 to 192.0.2.2:2, sequence number 3, acknowledgment 4, PSH and ACK, window 5, "abc". The words add up to 0xc000 + 0x0201 +
    /// 0xc000 + 0x0202 + 6 + 23, and 1 + 2 + 3 + 4 + 0x5018 + 5 + 0x6162 + 0x6300: 0x2_98a9, folded 0x98ab, and its complement is 0x6754.
    fn frame(checksum: [u8; 2]) -> Vec<u8> {
        let mut bytes = vec![9, 9, 9, 0, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0x50, 0x18, 0, 5];
        bytes.extend(checksum);
        bytes.extend([0, 0]);
        bytes.extend(b"abc");
        bytes.extend([0xff; 4]);
        bytes
    }

    fn of(frame: &[u8]) -> Checksum {
        let end = |last: u8| Endpoint::new(Ipv4Addr::new(192, 0, 2, last).into(), u16::from(last));
        let (key, from_low) = FlowKey::new(Transport::Tcp, end(1), end(2), 0);
        let segment = Segment {
            mark: Mark::default(),
            key,
            from_low,
            path: Path::NONE,
            ip: IpFacts::default(),
            seq: 3,
            ack: 4,
            flags: TcpFlags(0x18),
            window: 5,
            options: &[],
            payload: b"abc",
            payload_len: 3,
        };
        Checksum::of(&segment, frame)
    }

    #[test]
    fn right_wrong_not_yet_computed_and_cut() {
        assert_eq!(of(&frame([0x67, 0x54])), Checksum::Right);
        assert_eq!(of(&frame([0x67, 0x55])), Checksum::Wrong);
        // The pseudo-header's words alone: 0x1_8420, folded 0x8421.
        assert_eq!(of(&frame([0x84, 0x21])), Checksum::Partial);
        assert_eq!(of(frame([0x67, 0x54]).get(..24).unwrap()), Checksum::Unknown);
    }
}
