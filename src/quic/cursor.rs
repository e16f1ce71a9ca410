//! Reading fields in place: variable-length integers (RFC 9000 section 16) and byte strings.

/// The integer of variable length that these bytes begin with, and its length; `None` while it is not all there.
pub(crate) fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let len = 1 << (first >> 6);
    let all = bytes.get(..len)?;
    Some((all.iter().skip(1).fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte)), len))
}

/// A cursor over a packet or its payload. Every step gives `None` at the end and takes nothing then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) const fn len(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(len)?;
        self.rest = tail;
        Some(head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        let (first, tail) = self.rest.split_first()?;
        self.rest = tail;
        Some(*first)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        let (head, tail) = self.rest.split_first_chunk::<4>()?;
        self.rest = tail;
        Some(u32::from_be_bytes(*head))
    }

    /// A variable-length integer.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let (value, len) = varint(self.rest)?;
        self.take(len)?;
        Some(value)
    }

    /// A field behind its variable-length length.
    pub(super) fn vec(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let len = usize::try_from(ahead.varint()?).ok()?;
        let body = ahead.take(len)?;
        *self = ahead;
        Some(body)
    }

    /// A connection identifier behind its length byte: at most [`CID_LEN`] bytes in every version here.
    pub(super) fn cid(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let len = usize::from(ahead.u8()?);
        let body = ahead.take(len).filter(|_| len <= CID_LEN)?;
        *self = ahead;
        Some(body)
    }
}

/// Longest connection identifier of the versions that are known.
const CID_LEN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 9000 appendix A.1.
    #[test]
    fn reads_variable_length_integers() {
        let cases: [(&[u8], u64); 5] = [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ];
        for (bytes, value) in cases {
            assert_eq!(Cursor::new(bytes).varint(), Some(value));
        }
        assert_eq!(Cursor::new(&[0x40]).varint(), None);
    }
}
