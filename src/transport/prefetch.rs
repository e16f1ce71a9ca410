//! Memory that will be needed in a moment, asked for in advance.
//!
//! There is no safe call for the instruction that does so; this is the one place that gives it.
#![allow(unsafe_code, reason = "the instruction has no safe wrapper")]

/// Bytes that a processor fetches together.
const LINE: usize = 64;

/// Asks for all the memory that a value takes itself.
#[inline]
pub(crate) fn prefetch<T>(value: &T) {
    prefetch_front(value, size_of::<T>());
}

/// Asks for the first `len` bytes of the memory that a value takes.
#[inline]
pub(crate) fn prefetch_front<T: ?Sized>(value: &T, len: usize) {
    let start = std::ptr::from_ref(value).cast::<u8>();
    for offset in (0..len).step_by(LINE) {
        ask(start.wrapping_add(offset));
    }
    // It need not begin where a line does.
    ask(start.wrapping_add(len.saturating_sub(1)));
}

#[inline]
fn ask(place: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: prefetching reads nothing that the program could see and cannot fail, whatever the address; SSE is part of every x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
