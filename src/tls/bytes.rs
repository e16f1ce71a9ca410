//! Reading lengths and lists in place. What is missing is never invented, and nothing is read beyond the end.

/// A cursor over a message. Every step gives `None` at the end and then stays there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(len)?;
        self.rest = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// A one-byte length.
    pub(crate) fn len8(&mut self) -> Option<usize> {
        self.u8().map(usize::from)
    }

    /// A two-byte length.
    pub(crate) fn len16(&mut self) -> Option<usize> {
        self.u16().map(usize::from)
    }

    pub(crate) fn u24(&mut self) -> Option<usize> {
        self.array().map(|[a, b, c]| usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A field behind a one-byte length.
    pub(crate) fn vec8(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let len = ahead.u8()?;
        let body = ahead.take(usize::from(len))?;
        *self = ahead;
        Some(body)
    }

    /// A field behind a two-byte length.
    pub(crate) fn vec16(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let len = ahead.u16()?;
        let body = ahead.take(usize::from(len))?;
        *self = ahead;
        Some(body)
    }

    /// A field behind a three-byte length.
    pub(crate) fn vec24(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let len = ahead.u24()?;
        let body = ahead.take(len)?;
        *self = ahead;
        Some(body)
    }

    /// As much of a field of this length as is there.
    pub(crate) fn at_most(&mut self, len: usize) -> &'a [u8] {
        let (head, tail) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = tail;
        head
    }
}

/// The items of a list behind a one-byte length, as far as they are there.
pub(crate) fn list8(field: &[u8]) -> &[u8] {
    let mut cursor = Cursor::new(field);
    cursor.u8().map_or(&[], |len| cursor.at_most(usize::from(len)))
}

/// The items of a list behind a two-byte length, as far as they are there.
pub(crate) fn list16(field: &[u8]) -> &[u8] {
    let mut cursor = Cursor::new(field);
    cursor.u16().map_or(&[], |len| cursor.at_most(usize::from(len)))
}

/// Two-byte values; an odd last byte is left out.
pub(crate) fn u16s(items: &[u8]) -> impl Iterator<Item = u16> + Clone + '_ {
    items.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair))
}

/// Items each behind a one-byte length; ends at the first that is not whole.
pub(crate) fn items8(items: &[u8]) -> impl Iterator<Item = &[u8]> + '_ {
    let mut cursor = Cursor::new(items);
    std::iter::from_fn(move || cursor.vec8())
}

/// Type and body of the extensions in a list; ends at the first that is not whole.
pub(crate) fn extensions(list: &[u8]) -> impl Iterator<Item = (u16, &[u8])> + Clone + '_ {
    let mut rest = list;
    std::iter::from_fn(move || {
        let ([kind @ .., high, low], behind) = rest.split_first_chunk::<4>()?;
        let (body, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        rest = behind;
        Some((u16::from_be_bytes(*kind), body))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_cut_short_is_not_taken() {
        let mut cursor = Cursor::new(&[3, 1, 2]);
        assert_eq!(cursor.vec8(), None);
        assert_eq!(cursor.rest(), [3, 1, 2]);
        assert_eq!(list8(&[3, 1, 2]), [1, 2]);
        assert_eq!(u16s(&[1, 2, 3]).collect::<Vec<_>>(), [0x0102]);
    }

    #[test]
    fn extensions_end_where_one_is_not_whole() {
        let list = [0, 5, 0, 1, 9, 0, 6, 0, 2, 1];
        assert_eq!(extensions(&list).collect::<Vec<_>>(), [(5, &[9][..])]);
    }
}
