//! Messages of a WebSocket that are compressed (permessage-deflate, RFC 7692 section 7.2.2): a raw stream of DEFLATE without the end of its last block.
//!
//! What comes out is handed on as it comes and never kept. How much that may be is bounded, for a kilobyte stands for a megabyte.

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

use crate::limits::INFLATED_BYTES;

/// One side's messages.
pub(crate) struct Inflater {
    /// From the first compressed message on.
    stream: Option<Box<(Decompress, [u8; AT_ONCE])>>,
    /// What messages before said may be repeated in later ones.
    remembers: bool,
    /// Bytes that may still come out.
    left: usize,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("remembers", &self.remembers).field("left", &self.left).finish_non_exhaustive()
    }
}

impl Inflater {
    /// Nothing was said yet. `remembers`: a message may refer to what those before it said.
    pub(crate) const fn new(remembers: bool) -> Self {
        Self { stream: None, remembers, left: INFLATED_BYTES }
    }

    /// Hands what more of a message says to `out`. False where that makes no sense, or is too much.
    #[must_use]
    pub(super) fn feed(&mut self, mut bytes: &[u8], out: &mut impl FnMut(&[u8])) -> bool {
        let Self { stream, left, .. } = self;
        let (stream, buffer) = &mut **stream.get_or_insert_with(|| Box::new((Decompress::new(false), [0; AT_ONCE])));
        loop {
            let before = (stream.total_in(), stream.total_out());
            let Ok(status) = stream.decompress(bytes, buffer, FlushDecompress::None) else { return false };
            let used = usize::try_from(stream.total_in().saturating_sub(before.0)).unwrap_or(usize::MAX);
            let made = usize::try_from(stream.total_out().saturating_sub(before.1)).unwrap_or(usize::MAX);
            bytes = bytes.get(used..).unwrap_or_default();
            let Some(rest) = left.checked_sub(made) else { return false };
            *left = rest;
            if made > 0 {
                out(buffer.get(..made).unwrap_or_default());
            }
            // A block may say that it is the last, and another stream follows (RFC 7692 section 7.2.3.4).
            if status == Status::StreamEnd {
                stream.reset(false);
            }
            if used == 0 && made == 0 || bytes.is_empty() && made < AT_ONCE {
                return true;
            }
        }
    }

    /// The same with what a sender leaves out at the end of each message.
    #[must_use]
    pub(super) fn end_message(&mut self, out: &mut impl FnMut(&[u8])) -> bool {
        let sound = self.feed(&[0, 0, 0xff, 0xff], out);
        if let Some((stream, _)) = self.stream.as_deref_mut().filter(|_| !self.remembers) {
            stream.reset(false);
        }
        sound
    }

    /// Bytes that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        if self.stream.is_some() { AT_ONCE + STATE } else { 0 }
    }
}

/// Bytes that come out at a time.
const AT_ONCE: usize = 4 << 10;
/// Bytes of a stream's window and tables.
const STATE: usize = 48 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    use flate2::{Compress, Compression, FlushCompress};
    use proptest::prelude::*;

    /// What is said in these pieces, and whether it was sound.
    fn inflated(inflater: &mut Inflater, pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut all = Vec::new();
        let mut take = |bytes: &[u8]| all.extend_from_slice(bytes);
        let sound = pieces.iter().all(|piece| inflater.feed(piece, &mut take)) && inflater.end_message(&mut take);
        (all, sound)
    }

    /// RFC 7692 section 7.2.3: "Hello" compressed, again with the window kept, in two blocks, in a stored block, and in one that is the last.
    #[test]
    fn the_examples_of_the_rfc() {
        let hello = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..];
        let mut inflater = Inflater::new(true);
        assert_eq!(inflated(&mut inflater, &[&hello[..3], &hello[3..]]), (b"Hello".to_vec(), true));
        assert_eq!(inflated(&mut inflater, &[&[0xf2, 0x00, 0x11, 0x00, 0x00]]), (b"Hello".to_vec(), true));
        for other in [
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00][..],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        ] {
            assert_eq!(inflated(&mut Inflater::new(true), &[other]), (b"Hello".to_vec(), true), "{other:02x?}");
        }
    }

    #[test]
    fn a_message_refers_to_no_other_where_that_was_agreed() {
        let mut inflater = Inflater::new(false);
        assert!(inflated(&mut inflater, &[&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]]).1);
        assert!(!inflated(&mut inflater, &[&[0xf2, 0x00, 0x11, 0x00, 0x00]]).1);
    }

    #[test]
    fn a_bomb_bursts_at_the_bound() {
        let mut packed = Vec::with_capacity(1 << 16);
        let zeros = vec![0; INFLATED_BYTES + 1];
        Compress::new(Compression::best(), false).compress_vec(&zeros, &mut packed, FlushCompress::Sync).unwrap();
        let (said, sound) = inflated(&mut Inflater::new(true), &[&packed]);
        assert!(!sound && said.len() <= INFLATED_BYTES);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..10), keep: bool) {
            let mut inflater = Inflater::new(keep);
            for piece in &pieces {
                if !inflated(&mut inflater, &[piece]).1 {
                    break;
                }
            }
        }
    }
}
