//! A place in a frame: the captured bytes from there on and how many there were on the wire.
//!
//! Invariant: the captured bytes are never more than the wire's. A header that the wire did not hold is malformed; one that the wire held
//! and the capture did not is truncated.

use etherparse::err::FromSliceError;
use etherparse::{IpAuthHeaderSlice, Ipv6FragmentHeaderSlice, Ipv6RawExtHeaderSlice};

use crate::packet::Skip;

/// What is left of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    wire: u32,
}

impl<'a> Cursor<'a> {
    /// Captured bytes of something that was `wire` bytes long. A wire length below the captured length is a writer's mistake and raised to it.
    pub(super) fn new(bytes: &'a [u8], wire: u32) -> Self {
        let captured = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut cursor = Self { bytes, wire: u32::MAX };
        cursor.limit(wire.max(captured));
        cursor
    }

    /// The captured bytes left.
    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes left on the wire.
    pub(super) const fn wire(&self) -> u32 {
        self.wire
    }

    /// Takes a header of fixed length.
    #[inline]
    pub(super) fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Skip> {
        let Some((head, rest)) = self.bytes.split_first_chunk::<N>() else { return Err(self.short(N)) };
        self.advance(N, rest);
        Ok(head)
    }

    /// Takes a header of a length read from the wire.
    pub(super) fn take_slice(&mut self, len: usize) -> Result<&'a [u8], Skip> {
        let Some((head, rest)) = self.bytes.split_at_checked(len) else { return Err(self.short(len)) };
        self.advance(len, rest);
        Ok(head)
    }

    /// Passes over `len` bytes.
    #[inline]
    pub(super) fn skip(&mut self, len: usize) -> Result<(), Skip> {
        self.take_slice(len).map(drop)
    }

    /// Looks at the first bytes without taking them.
    pub(super) fn peek<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.bytes.first_chunk::<N>()
    }

    /// Cuts off what lies beyond `len` bytes: padding, a frame check sequence, another layer's trailer.
    #[inline]
    pub(super) fn limit(&mut self, len: u32) {
        self.wire = self.wire.min(len);
        if let Some((kept, _)) = self.bytes.split_at_checked(self.wire as usize) {
            self.bytes = kept;
        }
    }

    /// What is left is as long as a header says. True where the frame was shorter than that on the wire already: whoever passed it on had cut it.
    #[inline]
    pub(super) fn extend(&mut self, len: u32) -> bool {
        let cut = len > self.wire;
        if cut {
            self.wire = len;
        } else {
            self.limit(len);
        }
        cut
    }

    /// Takes a header of IPv6 that begins with the next header and its own length.
    pub(super) fn extension_header(&mut self) -> Result<Ipv6RawExtHeaderSlice<'a>, Skip> {
        let header = Ipv6RawExtHeaderSlice::from_slice(self.bytes).map_err(|error| self.refused(error))?;
        self.skip(header.slice().len())?;
        Ok(header)
    }

    /// Takes a fragment header of IPv6.
    pub(super) fn fragment_header(&mut self) -> Result<Ipv6FragmentHeaderSlice<'a>, Skip> {
        let header = Ipv6FragmentHeaderSlice::from_slice(self.bytes).map_err(|error| self.refused(error))?;
        self.skip(header.slice().len())?;
        Ok(header)
    }

    /// Takes an authentication header.
    pub(super) fn authentication_header(&mut self) -> Result<IpAuthHeaderSlice<'a>, Skip> {
        let header = IpAuthHeaderSlice::from_slice(self.bytes).map_err(|error| self.refused(error))?;
        self.skip(header.slice().len())?;
        Ok(header)
    }

    /// Why etherparse could not read a header here.
    pub(super) fn refused(&self, error: impl Into<FromSliceError>) -> Skip {
        match error.into() {
            FromSliceError::Len(error) => self.short(error.layer_start_offset.saturating_add(error.required_len)),
            _ => Skip::Malformed,
        }
    }

    const fn advance(&mut self, len: usize, rest: &'a [u8]) {
        self.bytes = rest;
        #[allow(clippy::cast_possible_truncation, reason = "no more than the captured bytes, which are no more than `wire`")]
        let len = len as u32;
        self.wire = self.wire.saturating_sub(len);
    }

    const fn short(&self, len: usize) -> Skip {
        if (self.wire as usize) < len { Skip::Malformed } else { Skip::Truncated }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_wire_lacked_is_malformed_and_what_the_capture_lacked_is_truncated() {
        let mut cursor = Cursor::new(&[1, 2, 3, 4], 10);
        assert_eq!(cursor.take::<2>().unwrap(), &[1, 2]);
        assert_eq!(cursor.wire(), 8);
        assert_eq!(cursor.take::<8>().unwrap_err(), Skip::Truncated);
        assert_eq!(cursor.take::<9>().unwrap_err(), Skip::Malformed);
        cursor.limit(1);
        assert_eq!((cursor.bytes(), cursor.wire()), ([3].as_slice(), 1));
    }

    #[test]
    fn a_header_may_tell_of_more_than_the_frame_held() {
        let mut cursor = Cursor::new(&[1, 2, 3], 3);
        assert!(!cursor.extend(2));
        assert_eq!((cursor.bytes(), cursor.wire()), ([1, 2].as_slice(), 2));
        assert!(cursor.extend(9));
        assert_eq!((cursor.bytes(), cursor.wire()), ([1, 2].as_slice(), 9));
        assert_eq!(cursor.take::<4>().unwrap_err(), Skip::Truncated);
    }

    #[test]
    fn a_wire_length_below_the_captured_one_is_raised() {
        assert_eq!(Cursor::new(&[0; 9], 3).wire(), 9);
    }
}
