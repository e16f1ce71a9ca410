//! The allocator: mimalloc, and before it, on one thread, memory that was freed a moment ago.
//!
//! A handshake is many blocks of memory, freed when it was reported. mimalloc goes through its pages in turn, so that what it hands out was mostly freed long
//! ago, or never used: it has left the core's cache, and each line of it has to come back in order to be overwritten. Here the block that was freed last is
//! used first.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr;

use mimalloc::MiMalloc;

/// mimalloc, behind stacks of freed blocks on the thread that [asked for them](keep_blocks_on_this_thread).
#[derive(Debug)]
pub(crate) struct Allocator;

/// Blocks come in multiples of this.
const STEP: usize = 32;
/// Larger ones are not kept: their time goes into filling them.
const LARGEST: usize = 2048;
/// Stacks, one for each size.
const SIZES: usize = LARGEST / STEP;
/// Blocks that a stack keeps at most, so that all keep less than 4 MiB.
const KEPT: u8 = 63;

/// Freed blocks of one size, each of which begins with the address of the next.
#[derive(Debug)]
struct Stack {
    top: Cell<*mut u8>,
    /// How many more it keeps: none on a thread that did not ask.
    room: Cell<u8>,
}

thread_local! {
    static STACKS: [Stack; SIZES] = const { [const { Stack { top: Cell::new(ptr::null_mut()), room: Cell::new(0) } }; SIZES] };
}

/// Keeps freed blocks of this thread for its next ones, to its end. Blocks that it still keeps then are lost: it is for the main thread.
pub(crate) fn keep_blocks_on_this_thread() {
    STACKS.with(|stacks| {
        for stack in stacks.iter().filter(|stack| stack.top.get().is_null()) {
            stack.room.set(KEPT);
        }
    });
}

/// The number of the stack for blocks of this layout, if they may be kept.
#[inline]
fn stack_of(layout: Layout) -> Option<usize> {
    let number = layout.size().wrapping_sub(1) / STEP;
    (number < SIZES && layout.align() <= STEP / 2).then_some(number)
}

/// The layout of all blocks of a stack.
#[inline]
fn rounded(number: usize, layout: Layout) -> Layout {
    // It is no larger than `LARGEST`, and the alignment stays: it cannot fail.
    Layout::from_size_align((number + 1) * STEP, layout.align()).unwrap_or(layout)
}

impl Stack {
    #[inline]
    #[allow(unsafe_code, reason = "a block holds the address of the next")]
    fn take(&self) -> Option<*mut u8> {
        let top = self.top.get();
        if top.is_null() {
            return None;
        }
        // SAFETY: `put` wrote an address at the beginning of each block that became the top, and nobody else has had it since.
        self.top.set(unsafe { top.cast::<*mut u8>().read_unaligned() });
        self.room.set(self.room.get().saturating_add(1));
        Some(top)
    }

    /// Keeps a block, if there is room.
    ///
    /// # Safety
    /// The block is `STEP` bytes or more, and nobody uses it any more.
    #[inline]
    #[allow(unsafe_code, reason = "a block holds the address of the next")]
    unsafe fn put(&self, block: *mut u8) -> bool {
        let Some(room) = self.room.get().checked_sub(1) else { return false };
        // SAFETY: the block is large enough, and it is nobody's but ours, as the caller promises.
        unsafe { block.cast::<*mut u8>().write_unaligned(self.top.get()) };
        self.top.set(block);
        self.room.set(room);
        true
    }
}

// SAFETY: all blocks come from mimalloc and go back to it. What is kept in between was freed, is handed out once, and only for layouts of the same stack, all of
// which are asked of mimalloc with the size of that stack; the alignment of what is kept is STEP / 2 or less, which mimalloc gives to every block of such a size.
#[allow(unsafe_code, reason = "an allocator is unsafe by its nature")]
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(number) = stack_of(layout) else {
            // SAFETY: the caller's promises are the same.
            return unsafe { MiMalloc.alloc(layout) };
        };
        STACKS.with(|stacks| stacks.get(number).and_then(Stack::take)).unwrap_or_else(|| {
            // SAFETY: the size is not zero.
            unsafe { MiMalloc.alloc(rounded(number, layout)) }
        })
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let kept = stack_of(layout).is_some_and(|number| {
            // SAFETY: the block was asked of mimalloc with the size of this stack, and is free.
            STACKS.with(|stacks| stacks.get(number).is_some_and(|stack| unsafe { stack.put(block) }))
        });
        if !kept {
            // SAFETY: it came from mimalloc, which does not look at the layout.
            unsafe { MiMalloc.dealloc(block, layout) };
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if stack_of(layout).is_none() {
            // SAFETY: the caller's promises are the same. Memory that is new from the kernel is not cleared again.
            return unsafe { MiMalloc.alloc_zeroed(layout) };
        }
        // SAFETY: as above; the block has the layout's size.
        unsafe {
            let block = self.alloc(layout);
            if !block.is_null() {
                ptr::write_bytes(block, 0, layout.size());
            }
            block
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size, rounded up to the alignment, is valid.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let (was, is) = (stack_of(layout), stack_of(new));
        if was.is_some() && was == is {
            return block;
        }
        // SAFETY: both blocks are as large as is copied, they do not overlap, and the old one is freed once.
        unsafe {
            if was.is_none() && is.is_none() {
                return MiMalloc.realloc(block, layout, size);
            }
            let to = self.alloc(new);
            if !to.is_null() {
                ptr::copy_nonoverlapping(block, to, layout.size().min(size));
                self.dealloc(block, layout);
            }
            to
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a thread of its own, which keeps blocks if it is to.
    fn on_a_thread(keeps: bool, test: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                if keeps {
                    keep_blocks_on_this_thread();
                }
                test();
            });
        });
    }

    #[test]
    fn what_was_freed_last_is_used_first() {
        on_a_thread(true, || {
            let (first, second) = (Box::new([1_u8; 1500]), Box::new([2_u8; 1510]));
            let (first_at, second_at) = (first.as_ptr(), second.as_ptr());
            drop(first);
            drop(second);
            let third = Box::new([3_u8; 1505]);
            let fourth = Box::new([4_u8; 1499]);
            assert_eq!((third.as_ptr(), fourth.as_ptr()), (second_at, first_at));
            assert!(third.iter().all(|byte| *byte == 3) && fourth.iter().all(|byte| *byte == 4));
        });
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        on_a_thread(true, || {
            let room = |size: usize| STACKS.with(|stacks| stacks[(size - 1) / STEP].room.get());
            let before = room(2048);
            let blocks: Vec<_> = (0..100).map(|_| Box::new([0_u8; 2048])).collect();
            drop(blocks);
            assert_eq!((before, room(2048)), (KEPT, 0));
            let again = Box::new([0_u8; 2048]);
            assert_eq!(room(2048), 1);
            drop(again);
        });
        on_a_thread(false, || {
            drop(Box::new([0_u8; 2048]));
            assert!(STACKS.with(|stacks| stacks.iter().all(|stack| stack.top.get().is_null())), "who did not ask keeps nothing");
        });
    }

    #[test]
    fn contents_survive_growth_and_shrinking_across_all_sizes() {
        for keeps in [true, false] {
            on_a_thread(keeps, || {
                let mut kept: Vec<(usize, Vec<u8>)> = Vec::new();
                let mut seed = 1_u64;
                for step in 0..20_000 {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let size = usize::try_from(seed >> 52).unwrap_or(0);
                    let fill = |len: usize| u8::try_from(len % 251).unwrap_or(0);
                    if step % 3 == 0 && !kept.is_empty() {
                        let (was, mut bytes) = kept.swap_remove(size % kept.len());
                        bytes.resize(size, fill(was));
                        bytes.shrink_to_fit();
                        let whole = bytes.iter().all(|byte| *byte == fill(was));
                        assert!(whole, "{was} bytes became {size}");
                    } else {
                        kept.push((size, vec![fill(size); size]));
                    }
                    if kept.len() > 300 {
                        kept.drain(..150);
                    }
                }
                assert!(kept.iter().all(|(size, bytes)| bytes.iter().all(|byte| usize::from(*byte) == size % 251)));
            });
        }
    }

    #[test]
    fn what_is_to_be_zero_is_zero() {
        on_a_thread(true, || {
            for size in [1_usize, 31, 32, 33, 2047, 2048, 2049, 70_000] {
                drop(vec![0xff_u8; size]);
                assert!(vec![0_u8; size].iter().all(|byte| *byte == 0), "{size}");
            }
        });
    }

    #[test]
    fn larger_alignments_are_kept() {
        #[repr(align(64))]
        struct Line([u8; 64]);
        on_a_thread(true, || {
            drop(Box::new([7_u8; 64]));
            let line = Box::new(Line([1; 64]));
            assert_eq!(ptr::from_ref(&*line).addr() % 64, 0);
            assert!(line.0.iter().all(|byte| *byte == 1));
        });
    }
}
