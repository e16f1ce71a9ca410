//! TCP options (RFC 9293 section 3.2, RFC 7323, RFC 2018, RFC 7413), decoded when somebody asks.

use crate::packet::TcpOptions;

/// Reads the options of a segment. Never fails: it stops at the first that contradicts itself or is cut, and keeps what it has.
pub fn tcp_options(options: &[u8]) -> TcpOptions {
    let mut read = TcpOptions::default();
    read_all(&mut read, options);
    read
}

fn read_all(read: &mut TcpOptions, mut options: &[u8]) {
    loop {
        options = match options {
            [] | [END, ..] | [_] => return,
            [NO_OPERATION, rest @ ..] => rest,
            [kind, len, rest @ ..] => {
                let Some((body, rest)) = usize::from(*len).checked_sub(2).and_then(|len| rest.split_at_checked(len)) else { return };
                read_one(read, *kind, body);
                rest
            }
        };
    }
}

/// The timestamps of a segment: its own clock, and the other side's that it echoes (RFC 7323 section 3). Read on demand, for few ask.
pub fn tcp_timestamps(mut options: &[u8]) -> Option<(u32, u32)> {
    loop {
        options = match options {
            [NO_OPERATION, rest @ ..] => rest,
            &[TIMESTAMPS, 10, v0, v1, v2, v3, e0, e1, e2, e3, ..] => {
                return Some((u32::from_be_bytes([v0, v1, v2, v3]), u32::from_be_bytes([e0, e1, e2, e3])));
            }
            [] | [END, ..] | [_] => return None,
            [_, len, rest @ ..] => rest.get(usize::from(*len).checked_sub(2)?..)?,
        };
    }
}

/// No options, or the timestamps alone in the layout every stack uses (RFC 7323 appendix A): nothing to decode in by far the most segments.
pub const fn tcp_options_are_plain(bytes: &[u8]) -> bool {
    matches!(bytes, [] | [NO_OPERATION, NO_OPERATION, 8, 10, _, _, _, _, _, _, _, _])
}

/// A repeated option counts the first time only, save SACK.
fn read_one(read: &mut TcpOptions, kind: u8, body: &[u8]) {
    match (kind, body) {
        (MSS, &[high, low]) if read.mss.is_none() => read.mss = Some(u16::from_be_bytes([high, low])),
        (WINDOW_SCALE, &[shift]) if read.window_scale.is_none() => read.window_scale = Some(shift),
        (SACK_PERMITTED, []) => read.sack_permitted = true,
        (SACK, blocks) => {
            for (slot, block) in read.sack.iter_mut().zip(blocks.chunks_exact(8)) {
                if let &[l0, l1, l2, l3, r0, r1, r2, r3] = block {
                    *slot = Some((u32::from_be_bytes([l0, l1, l2, l3]), u32::from_be_bytes([r0, r1, r2, r3])));
                }
            }
        }
        (FAST_OPEN, _) | (EXPERIMENT, [0xf9, 0x89, ..]) => read.fast_open = true,
        _ => {}
    }
}

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;
const FAST_OPEN: u8 = 34;
/// Shared by experiments, told apart by their first two bytes (RFC 6994): 0xf989 was Fast Open's before it had a number.
const EXPERIMENT: u8 = 254;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_linux_syn() {
        let read = tcp_options(&[2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7]);
        assert_eq!(read, TcpOptions { mss: Some(1460), window_scale: Some(7), sack_permitted: true, ..TcpOptions::default() });
    }

    #[test]
    fn timestamps_are_found_wherever_they_stand() {
        assert_eq!(tcp_timestamps(&[1, 1, 8, 10, 0, 0, 1, 0, 0, 0, 0, 2]), Some((256, 2)));
        assert_eq!(tcp_timestamps(&[2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7]), Some((0x0102_0304, 0)));
        for none in [&[][..], &[1, 1], &[8, 10, 1, 2], &[2, 1, 8, 10, 0, 0, 1, 0, 0, 0, 0, 2], &[0, 8, 10, 0, 0, 1, 0, 0, 0, 0, 2], &[5]] {
            assert_eq!(tcp_timestamps(none), None);
        }
    }

    #[test]
    fn selective_acknowledgments() {
        let read = tcp_options(&[1, 1, 5, 18, 0, 0, 0, 10, 0, 0, 0, 20, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 3]);
        assert_eq!(read.sack, [Some((10, 20)), Some((u32::MAX, 3)), None, None]);
    }

    #[test]
    fn fast_open_with_and_without_cookie_and_as_experiment() {
        assert!(tcp_options(&[34, 2]).fast_open);
        assert!(tcp_options(&[34, 10, 1, 2, 3, 4, 5, 6, 7, 8]).fast_open);
        assert!(tcp_options(&[254, 4, 0xf9, 0x89]).fast_open);
        assert!(!tcp_options(&[254, 4, 0xe2, 0xd4]).fast_open);
    }

    #[test]
    fn stops_at_nonsense_and_at_the_end() {
        assert_eq!(tcp_options(&[2, 1, 2, 4, 5, 0xb4]), TcpOptions::default());
        assert_eq!(tcp_options(&[0, 2, 4, 5, 0xb4]), TcpOptions::default());
        assert_eq!(tcp_options(&[3, 3, 2, 2, 4, 5]), TcpOptions { window_scale: Some(2), ..TcpOptions::default() });
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            tcp_options(&bytes);
            tcp_timestamps(&bytes);
        }
    }
}
