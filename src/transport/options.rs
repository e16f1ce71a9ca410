//! TCP options (RFC 9293 section 3.1, RFC 7323, RFC 2018, RFC 7413), decoded without trust in their lengths.

use crate::packet::TcpOptions;

/// Decodes the options that matter here. Stops at the first one whose length does not fit.
pub(super) fn decode(mut bytes: &[u8]) -> TcpOptions {
    let mut options = TcpOptions::default();
    while let Some((&kind, after)) = bytes.split_first() {
        match kind {
            END => break,
            NOP => {
                bytes = after;
                continue;
            }
            _ => {}
        }
        let Some(&length) = after.first() else { break };
        let Some((option, rest)) = bytes.split_at_checked(usize::from(length)) else { break };
        let Some(body) = option.get(2..) else { break };
        bytes = rest;
        match (kind, body) {
            (MSS, &[high, low]) => options.mss = Some(u16::from_be_bytes([high, low])),
            (WINDOW_SCALE, &[shift]) => options.window_scale = Some(shift),
            (SACK_PERMITTED, []) => options.sack_permitted = true,
            (SACK, blocks) => {
                for (slot, block) in options.sack.iter_mut().zip(blocks.chunks_exact(8)) {
                    if let &[a, b, c, d, e, f, g, h] = block {
                        *slot = Some((u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])));
                    }
                }
            }
            // before RFC 7413, Fast Open used the experimental option with this identifier (RFC 6994)
            (FAST_OPEN, _) | (EXPERIMENTAL, &[0xf9, 0x89, ..]) => options.fast_open = true,
            _ => {}
        }
    }
    options
}

/// No options, or the timestamps alone in the layout every stack uses (RFC 7323 appendix A): nothing to decode in by far the most segments.
pub(super) const fn is_plain(bytes: &[u8]) -> bool {
    matches!(bytes, [] | [NOP, NOP, 8, 10, _, _, _, _, _, _, _, _])
}

const END: u8 = 0;
const NOP: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const FAST_OPEN: u8 = 34;
const EXPERIMENTAL: u8 = 254;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_a_linux_syn_carries() {
        let syn = [2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
        let options = decode(&syn);
        assert_eq!((options.mss, options.window_scale, options.sack_permitted, options.fast_open), (Some(1460), Some(7), true, false));
    }

    #[test]
    fn decodes_sack_blocks_behind_timestamps() {
        let mut bytes = vec![1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 5, 18];
        for word in [10u32, 20, 0xffff_fff0, 4] {
            bytes.extend(word.to_be_bytes());
        }
        assert!(!is_plain(&bytes));
        assert_eq!(decode(&bytes).sack, [Some((10, 20)), Some((0xffff_fff0, 4)), None, None]);
    }

    #[test]
    fn lengths_that_do_not_fit_end_the_list() {
        for bytes in [&[2u8, 0][..], &[2, 1], &[2], &[2, 4, 5], &[5, 200, 1]] {
            assert_eq!(decode(bytes), TcpOptions::default());
        }
    }
}
