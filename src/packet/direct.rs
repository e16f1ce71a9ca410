//! The way of nearly all frames in one step: TCP in IPv4 without options, neither fragmented nor in tunnels, on Ethernet, captured whole.
//!
//! Whatever is not quite that is left to the [walk](super::walk), which says the same of these frames, too: a test holds both to it.

use std::net::{IpAddr, Ipv4Addr};

use crate::count::lower_half;
use crate::flow::{Endpoint, FlowKey, Path, Transport};
use crate::frame::Frame;
use crate::packet::{HeaderRest, IpFacts, Packet, Segment, TcpFlags, links};

/// The two stations of an Ethernet that a frame travels between. `None` where it is for many, or the link gives all the same address, as a
/// loopback does.
pub(crate) fn stations(frame: &Frame<'_>) -> Option<([u8; 6], [u8; 6])> {
    let (to, rest) = frame.bytes.split_first_chunk::<6>()?;
    let (from, _) = rest.split_first_chunk::<6>()?;
    let single = frame.head.link == links::ETHERNET && [to, from].iter().all(|address| address[0] & 1 == 0);
    (single && to != from).then_some((*from, *to))
}

/// The segment in a frame of the usual kind. `None`, with nothing done, when the frame is not of that kind.
#[inline(always)]
#[expect(clippy::inline_always, reason = "once a packet")]
pub(crate) fn read<'a>(frame: &Frame<'a>, into: &mut Packet<'a>) -> Option<()> {
    let (link, ip) = frame.bytes.split_first_chunk::<14>()?;
    let &[.., 0x08, 0x00] = link else { return None };
    if frame.head.link != links::ETHERNET || (frame.head.original_len as usize) != frame.bytes.len() {
        return None;
    }
    // Both headers in words, as RFC 791 and RFC 9293 draw them.
    let (headers, rest) = ip.split_first_chunk::<40>()?;
    let (words, _) = headers.as_chunks::<4>();
    let [first, identification, hops, from, to, ports, seq, ack, flags, sums] = words.first_chunk::<10>()?.map(u32::from_be_bytes);
    let total_len = first & 0xffff;
    let fragment = identification & 0xffff;
    let options_len = (flags >> 28).checked_sub(5)?.wrapping_mul(4);
    let tcp_len = total_len.checked_sub(40)?;
    if first >> 24 != 0x45 || hops >> 16 & 0xff != 6 || fragment & 0x3fff != 0 || tcp_len < options_len {
        return None;
    }
    let (options, payload) = rest.get(..tcp_len as usize)?.split_at_checked(options_len as usize)?;
    // Address and port as one number are in the order of endpoints.
    let source = u64::from(from) << 16 | u64::from(ports >> 16);
    let destination = u64::from(to) << 16 | u64::from(ports & 0xffff);
    let from_low = source <= destination;
    let (low, high) = if from_low { (source, destination) } else { (destination, source) };
    *into = Packet::Tcp(Segment {
        mark: frame.mark(),
        key: FlowKey { low: endpoint(low), high: endpoint(high), transport: Transport::Tcp, site: frame.head.site, path: 0 },
        from_low,
        path: Path::default(),
        ip: IpFacts {
            ttl: upper(hops).to_be_bytes()[0],
            id: Some(upper(identification)),
            dont_fragment: fragment & 0x4000 != 0,
            total_len,
            was_fragmented: false,
            was_cut: false,
        },
        seq,
        ack,
        flags: TcpFlags(flags.to_be_bytes()[1]),
        window: lower_half(flags),
        options,
        payload,
        payload_len: tcp_len.wrapping_sub(options_len),
        rest: HeaderRest { offset: flags.to_be_bytes()[0], checksum: upper(sums), urgent: lower_half(sums) },
    });
    Some(())
}

#[expect(clippy::cast_possible_truncation, reason = "an address of 32 bits above a port of 16")]
const fn endpoint(number: u64) -> Endpoint {
    Endpoint::new(IpAddr::V4(Ipv4Addr::from_bits((number >> 16) as u32)), number as u16)
}

/// The two halves of a word.
const fn upper(word: u32) -> u16 {
    (word >> 16) as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::FrameHead;
    use crate::packet::state::{Next, Walk};
    use crate::time::Timestamp;

    proptest! {
        #[test]
        fn it_says_what_the_walk_says(
            mut bytes in proptest::collection::vec(any::<u8>(), 40..120),
            cut in 0_u32..3,
            total in 30_u8..110,
            offset in 4_u8..9,
            odd in 0_usize..12,
        ) {
            // Mostly of the usual kind, one field at a time not.
            let usual: [(usize, u8); 8] = [(12, 8), (13, 0), (14, 0x45), (16, 0), (17, total), (20, 0x40), (21, 0), (23, 6)];
            for (index, (at, value)) in usual.into_iter().enumerate() {
                if index != odd {
                    bytes[at] = value;
                }
            }
            if let Some(byte) = bytes.get_mut(46) {
                *byte = offset << 4;
            }
            let head = FrameHead {
                number: 3,
                time: Timestamp::from_nanos(5),
                link: links::ETHERNET,
                interface: 0, site: crate::site::Site::NONE,
                original_len: u32::try_from(bytes.len()).unwrap() + cut / 2,
            };
            let frame = Frame { head, bytes: &bytes };
            let mut packet = Packet::nothing();
            if read(&frame, &mut packet).is_some() {
                let walked = Walk::new(&frame).run(Next::Link(links::ETHERNET));
                prop_assert_eq!(format!("{walked:?}"), format!("{packet:?}"));
            }
        }
    }

    #[test]
    fn the_usual_kind_is_taken() {
        let mut bytes = vec![0; 14 + 20 + 20 + 5 + 7];
        for (at, value) in [(12, 8), (14, 0x45), (17, 45), (20, 0x40), (23, 6), (46, 0x50)] {
            bytes[at] = value;
        }
        let head = FrameHead {
            number: 1,
            time: Timestamp::default(),
            link: links::ETHERNET,
            interface: 0,
            site: crate::site::Site::NONE,
            original_len: u32::try_from(bytes.len()).unwrap(),
        };
        let mut packet = Packet::nothing();
        assert!(read(&Frame { head, bytes: &bytes }, &mut packet).is_some());
        assert!(matches!(packet, Packet::Tcp(segment) if segment.payload_len == 5));
    }
}
