//! mimalloc as the command's allocator: handshakes are made on one thread and freed on another, which it does in half the time of the system's.
//!
//! The crate that usually binds it asks for every piece by its alignment, for which mimalloc takes a longer way and a larger piece unless the
//! size happens to be a power of two. Words are aligned in any case.

#![allow(unsafe_code, reason = "an allocator hands out raw memory")]

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys::{mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc, mi_zalloc_aligned};

/// The allocator.
pub(crate) struct Allocator;

/// Every block of mimalloc is aligned to this many bytes; it never hands out a part of a block unless asked for more.
const ALIGNED: usize = align_of::<usize>();

// SAFETY: mimalloc's functions keep to the same rules as the trait's: what they give is null or a piece of at least this size and alignment,
// which stays valid until it is freed or reallocated by them, from whichever thread.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: any size may be asked for; the alignment is a power of two.
        unsafe { if align <= ALIGNED { mi_malloc(size) } else { mi_malloc_aligned(size, align) } }.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: as above.
        unsafe { if align <= ALIGNED { mi_zalloc(size) } else { mi_zalloc_aligned(size, align) } }.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, piece: *mut u8, _: Layout) {
        // SAFETY: the piece came from here, so from mimalloc.
        unsafe { mi_free(piece.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (piece, align) = (piece.cast(), layout.align());
        // SAFETY: the piece came from here, with this alignment, which the new one gets as well.
        unsafe { if align <= ALIGNED { mi_realloc(piece, size) } else { mi_realloc_aligned(piece, size, align) } }.cast()
    }
}
