//! Memory that will be needed in a moment, asked for in advance.
//!
//! A thousand connections come between two packets of one, so what is kept of it has left the core's nearer caches each time. The processor
//! fetches it while the packets before are dealt with, if it is told where. There is no safe call for that instruction; this is the one place that gives it.
#![allow(unsafe_code, reason = "the instruction has no safe wrapper")]

/// Bytes that a processor fetches together.
const LINE: usize = 64;

/// Asks for the line in which a value begins.
#[inline]
pub(super) fn prefetch<T>(value: &T) {
    line(std::ptr::from_ref(value).cast());
}

/// Asks for all the lines of the first `len` bytes of a value.
#[inline]
pub(crate) fn prefetch_front<T: ?Sized>(value: &T, len: usize) {
    let start = std::ptr::from_ref(value).cast::<u8>();
    for offset in (0..len).step_by(LINE) {
        line(start.wrapping_add(offset));
    }
    // it need not begin where a line does
    line(start.wrapping_add(len.saturating_sub(1)));
}

#[inline]
fn line(place: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: prefetching reads nothing that the program could see and cannot fail, whatever the address; SSE is part of every x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
