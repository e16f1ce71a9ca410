//! Capsules (RFC 9297 section 3.2), and the datagrams of CONNECT-UDP in them (RFC 9298 section 5).

use crate::limits::CAPSULE;
use crate::quic::varint;

/// One direction of a connection that carries them.
#[derive(Debug, Default)]
pub struct Capsules {
    /// Type and length of the capsule under way, as far as they are there.
    head: Vec<u8>,
    /// Bytes of it that are still due.
    left: u64,
    /// The datagram under way, where it is one that is wanted.
    datagram: Option<Vec<u8>>,
}

impl Capsules {
    /// Hands each datagram that is complete to `out`.
    pub fn feed(&mut self, bytes: &[u8], mut out: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            if self.left == 0 {
                rest = after;
                self.head.push(*byte);
                let Some((kind, len)) = varint(&self.head).and_then(|(kind, used)| Some((kind, varint(self.head.get(used..)?)?.0))) else {
                    continue;
                };
                self.head.clear();
                self.left = len;
                self.datagram = (kind == DATAGRAM && len <= CAPSULE as u64).then(Vec::new);
                continue;
            }
            let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
            let (now, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            rest = after;
            self.left -= now.len() as u64;
            if let Some(datagram) = &mut self.datagram {
                datagram.extend_from_slice(now);
                // Context 0 is UDP's payload; others are for extensions.
                if self.left == 0
                    && let Some((0, used)) = varint(datagram)
                {
                    out(datagram.get(used..).unwrap_or_default());
                }
            }
        }
    }

    /// Bytes are missing: where the next capsule begins nobody knows.
    pub fn lose(&mut self) {
        *self = Self { left: u64::MAX, ..Self::default() };
    }

    /// Bytes that it holds.
    pub fn held_bytes(&self) -> usize {
        self.head.capacity() + self.datagram.as_ref().map_or(0, Vec::capacity)
    }
}

/// The type of a capsule that holds a datagram.
const DATAGRAM: u64 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_out_however_they_are_cut() {
        let long = vec![7; 300];
        let said =
            [&[0, 4, 0][..], b"abc", &[0x40, 0x21, 2, 1, 2], &[0, 0x41, 0x2d, 0], &long, &[0, 2, 2, b'x'], &[0, 1, 0], &[0, 0]].concat();
        for piece in [usize::MAX, 1, 2, 7] {
            let (mut capsules, mut all) = (Capsules::default(), Vec::new());
            for bytes in said.chunks(piece) {
                capsules.feed(bytes, |datagram| all.push(datagram.to_vec()));
            }
            assert_eq!(all, [b"abc".to_vec(), long.clone(), Vec::new()], "in pieces of {piece}");
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over() {
        let (mut capsules, mut all) = (Capsules::default(), Vec::new());
        let said = [&[0, 0x80, 0, 0x40, 1][..], &vec![0; CAPSULE + 1], &[0, 2, 0, b'x']].concat();
        assert_eq!(CAPSULE, 0x4000, "the length above");
        capsules.feed(&said, |datagram| all.push(datagram.to_vec()));
        assert_eq!((all, capsules.held_bytes() < 64), (vec![b"x".to_vec()], true));
    }
}
