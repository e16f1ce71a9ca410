//! TCP options (RFC 9293 section 3.2, RFC 7323, RFC 2018, RFC 7413), decoded when somebody asks.

use etherparse::{TcpOptionElement, TcpOptionsIterator};

use crate::packet::TcpOptions;

/// Reads the options of a segment. Never fails: it stops at the first that contradicts itself or is cut, and keeps what it has. A repeated option
/// counts the first time only, save SACK.
pub fn tcp_options(options: &[u8]) -> TcpOptions {
    let mut read = TcpOptions::default();
    let mut ahead = options;
    loop {
        // What every SYN has. To ask a reader of all options for these takes two and a half times as long, and each connection has two SYNs.
        ahead = match *ahead {
            [] => return read,
            [NO_OPERATION, ref behind @ ..] => behind,
            [MAXIMUM_SEGMENT_SIZE, 4, m0, m1, ref behind @ ..] => {
                let mss = u16::from_be_bytes([m0, m1]);
                read.mss = read.mss.or(Some(mss));
                behind
            }
            [WINDOW_SCALE, 3, shift, ref behind @ ..] => {
                read.window_scale = read.window_scale.or(Some(shift));
                behind
            }
            [SACK_PERMITTED, 2, ref behind @ ..] => {
                read.sack_permitted = true;
                behind
            }
            [TIMESTAMPS, 10, v0, v1, v2, v3, e0, e1, e2, e3, ref behind @ ..] => {
                let both = (u32::from_be_bytes([v0, v1, v2, v3]), u32::from_be_bytes([e0, e1, e2, e3]));
                read.timestamps = read.timestamps.or(Some(both));
                behind
            }
            _ => return read_all(read, ahead),
        };
    }
}

/// Any options, behind those that were read.
fn read_all(mut read: TcpOptions, options: &[u8]) -> TcpOptions {
    let mut ahead = TcpOptionsIterator::from_slice(options);
    loop {
        let here = ahead.rest();
        match ahead.next() {
            None => return read,
            Some(Ok(option)) => read.take(&option),
            // etherparse gives up at an option that it does not know, such as MPTCP's, or whose length is unusual. What follows it counts.
            Some(Err(_)) => {
                let Some((kind, body, behind)) = split_first(here) else { return read };
                read.joins |= kind == MULTIPATH && body.first().is_some_and(|first| first >> 4 == MP_JOIN);
                read.fast_open |= kind == FAST_OPEN || kind == EXPERIMENT && body.starts_with(&FAST_OPEN_EXPERIMENT);
                ahead = TcpOptionsIterator::from_slice(behind);
            }
        }
    }
}

/// Kind and body of the first option, and what follows it.
fn split_first(options: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [kind, len, rest @ ..] = options else { return None };
    let (body, behind) = usize::from(*len).checked_sub(2).and_then(|len| rest.split_at_checked(len))?;
    Some((*kind, body, behind))
}

impl TcpOptions {
    fn take(&mut self, option: &TcpOptionElement) {
        match *option {
            TcpOptionElement::MaximumSegmentSize(mss) => self.mss = self.mss.or(Some(mss)),
            TcpOptionElement::WindowScale(shift) => self.window_scale = self.window_scale.or(Some(shift)),
            TcpOptionElement::SelectiveAcknowledgementPermitted => self.sack_permitted = true,
            TcpOptionElement::SelectiveAcknowledgement(first, others) => {
                for (slot, block) in self.sack.iter_mut().zip([Some(first)].into_iter().chain(others)) {
                    *slot = block.or(*slot);
                }
            }
            TcpOptionElement::Timestamp(own, echoed) => self.timestamps = self.timestamps.or(Some((own, echoed))),
            TcpOptionElement::Noop => {}
        }
    }
}

/// [`TcpOptions::timestamps`] alone, for segments that have nothing else in their options, as nearly all.
pub fn tcp_timestamps(options: &[u8]) -> Option<(u32, u32)> {
    match *options {
        [] => None,
        [NO_OPERATION, NO_OPERATION, TIMESTAMPS, 10, v0, v1, v2, v3, e0, e1, e2, e3] => {
            Some((u32::from_be_bytes([v0, v1, v2, v3]), u32::from_be_bytes([e0, e1, e2, e3])))
        }
        _ => tcp_options(options).timestamps,
    }
}

/// No options, or the timestamps alone in the layout every stack uses (RFC 7323 appendix A): nothing to decode in by far the most segments.
pub const fn tcp_options_are_plain(bytes: &[u8]) -> bool {
    matches!(bytes, [] | [NO_OPERATION, NO_OPERATION, TIMESTAMPS, 10, _, _, _, _, _, _, _, _])
}

const NO_OPERATION: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const TIMESTAMPS: u8 = 8;
/// Multipath TCP; the upper half of its body's first byte tells what of it.
const MULTIPATH: u8 = 30;
const MP_JOIN: u8 = 1;
const FAST_OPEN: u8 = 34;
/// Shared by experiments, told apart by their first two bytes (RFC 6994).
const EXPERIMENT: u8 = 254;
/// Fast Open before it had a number.
const FAST_OPEN_EXPERIMENT: [u8; 2] = [0xf9, 0x89];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_linux_syn() {
        let read = tcp_options(&[2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7]);
        let timestamps = Some((0x0102_0304, 0));
        assert_eq!(read, TcpOptions { mss: Some(1460), window_scale: Some(7), sack_permitted: true, timestamps, ..TcpOptions::default() });
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
    fn further_subflows_of_multipath_tcp() {
        // MSS, SACK, timestamps, window scale as Linux has them, then MP_JOIN; MP_CAPABLE begins a connection.
        let linux = [2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7];
        let join = [30, 12, 0x10, 2, 1, 2, 3, 4, 5, 6, 7, 8];
        assert!(tcp_options(&[&linux[..], &join].concat()).joins && tcp_options(&join).joins);
        assert!(!tcp_options(&[30, 4, 0x01, 0x81]).joins && !tcp_options(&[30, 2]).joins);
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

    #[test]
    fn what_follows_an_option_that_is_unknown_or_odd_is_read() {
        // Fast Open, MPTCP's MP_CAPABLE, a window scale of another length, then the true ones.
        let read = tcp_options(&[34, 2, 30, 4, 0, 1, 3, 4, 1, 1, 2, 4, 5, 0xb4, 3, 3, 7, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(
            read,
            TcpOptions { mss: Some(1460), window_scale: Some(7), fast_open: true, timestamps: Some((1, 2)), ..TcpOptions::default() }
        );
        assert_eq!(tcp_timestamps(&[30, 4, 0, 1, 8, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]), Some((1, 2)));
    }

    /// RFC 9293 section 3.1 to the letter: kinds 0 and 1 stand alone, all others have a length that counts kind and length.
    fn split(mut options: &[u8]) -> Vec<(u8, &[u8])> {
        let mut found = Vec::new();
        while let [kind, rest @ ..] = options {
            match (kind, rest) {
                (0, _) | (_, []) => break,
                (1, _) => options = rest,
                (_, [len, rest @ ..]) if *len >= 2 && rest.len() >= usize::from(len - 2) => {
                    let (body, behind) = rest.split_at(usize::from(len - 2));
                    found.push((*kind, body));
                    options = behind;
                }
                _ => break,
            }
        }
        found
    }

    fn number(bytes: &[u8]) -> u32 {
        bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
    }

    proptest! {
        /// As the RFCs have them, whatever stands between.
        #[test]
        fn any_options(parts in proptest::collection::vec(prop_oneof![
            Just(vec![1]), any::<u16>().prop_map(|mss| [&[2, 4][..], &mss.to_be_bytes()].concat()), any::<u8>().prop_map(|shift| vec![3, 3, shift]),
            Just(vec![4, 2]), any::<[u8; 8]>().prop_map(|times| [&[8, 10][..], &times].concat()), any::<[u8; 16]>().prop_map(|sack| [&[5, 18][..], &sack].concat()),
            Just(vec![34, 2]), proptest::collection::vec(any::<u8>(), 0..6)], 0..8)) {
            let bytes = parts.concat();
            prop_assert_eq!(tcp_options(&bytes), read_all(TcpOptions::default(), &bytes));
            let found = split(&bytes);
            let first = |kind: u8, len: usize| found.iter().find(|(is, body)| *is == kind && body.len() == len).map(|(_, body)| *body);
            let read = tcp_options(&bytes);
            prop_assert_eq!(read.mss.map(u32::from), first(2, 2).map(number));
            prop_assert_eq!(read.window_scale.map(u32::from), first(3, 1).map(number));
            prop_assert_eq!(read.sack_permitted, first(4, 0).is_some());
            prop_assert_eq!(read.fast_open, found.iter().any(|(kind, body)| *kind == 34 || *kind == 254 && body.starts_with(&[0xf9, 0x89])));
            let two = |body: &[u8]| (number(&body[..4]), number(&body[4..8]));
            prop_assert_eq!(tcp_timestamps(&bytes), first(8, 8).map(two));
            let last_sack = found.iter().rfind(|(kind, body)| *kind == 5 && [8, 16, 24, 32].contains(&body.len()));
            prop_assert_eq!(read.sack[0], last_sack.map(|(_, body)| two(body)));
        }
    }
}
