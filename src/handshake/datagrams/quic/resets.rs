//! Stateless resets (RFC 9000 section 10.3): a packet that looks like any with a short header and ends in a token, sixteen bytes that only the two
//! ends know. Whoever answers several packets to one connection identifier so repeats the token, which no protected packet does: its last
//! bytes are an authentication tag.

use crate::time::Mark;

/// The latest packets with a short header of the side that may reset.
#[derive(Debug, Default)]
pub(super) struct Resets {
    latest: [Option<Seen>; LATEST],
    next: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    head: [u8; HEAD],
    token: [u8; TOKEN],
    mark: Mark,
    len: usize,
}

impl Resets {
    /// Takes in a packet: when it ends as one before does that is no copy of it, that one.
    pub(super) fn add(&mut self, bytes: &[u8], mark: Mark) -> Option<(Mark, usize)> {
        let (head, token) = (*bytes.first_chunk::<HEAD>()?, *bytes.last_chunk::<TOKEN>()?);
        let seen = Seen { head, token, mark, len: bytes.len() };
        let known = self.latest.iter().flatten().filter(|other| other.token == token && (other.head, other.len) != (head, bytes.len()));
        let first = known.map(|other| (other.mark, other.len)).min();
        if let Some(slot) = self.latest.get_mut(self.next) {
            *slot = Some(seen);
        }
        self.next = (self.next + 1) % LATEST;
        first
    }
}

/// Packets remembered: resets come close behind each other.
const LATEST: usize = 4;
/// Length of a token.
const TOKEN: usize = 16;
/// Bytes at the beginning by which copies are known: unpredictable ones, but for the first bits.
const HEAD: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn mark(frame: u64) -> Mark {
        Mark { frame, time: Timestamp::MIN }
    }

    fn packet(head: u8, len: usize, end: u8) -> Vec<u8> {
        [vec![head; len], vec![end; TOKEN]].concat()
    }

    #[test]
    fn a_token_that_comes_again_is_a_reset() {
        let mut resets = Resets::default();
        assert_eq!(resets.add(&packet(1, 20, 7), mark(1)), None);
        assert_eq!(resets.add(&packet(2, 90, 8), mark(2)), None, "another end");
        assert_eq!(resets.add(&packet(3, 31, 7), mark(3)), Some((mark(1), 36)));
        assert_eq!(resets.add(&packet(4, 24, 7), mark(4)), Some((mark(1), 36)));
    }

    #[test]
    fn a_copy_is_no_reset() {
        let mut resets = Resets::default();
        assert_eq!(resets.add(&packet(1, 20, 7), mark(1)), None);
        assert_eq!(resets.add(&packet(1, 20, 7), mark(9)), None);
        assert_eq!(resets.add(&[0x40; 20], mark(10)), None, "shorter than any reset, and longer than its token");
        assert_eq!(resets.add(&[0x40; 3], mark(11)), None);
    }

    #[test]
    fn what_lies_far_back_is_forgotten() {
        let mut resets = Resets::default();
        assert_eq!(resets.add(&packet(1, 20, 7), mark(1)), None);
        for n in 0..LATEST {
            let end = 20 + u8::try_from(n).unwrap();
            assert_eq!(resets.add(&packet(end, 20, end), mark(2)), None);
        }
        assert_eq!(resets.add(&packet(3, 31, 7), mark(3)), None);
    }
}
