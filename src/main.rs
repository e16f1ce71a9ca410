//! The `handshark` command.

mod allocator;

use std::process::ExitCode;

/// Handshakes are made on one thread and freed on another, which costs mimalloc half of what it costs the system's allocator.
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

/// The allocator's `mi_option_purge_delay` (its version 2): milliseconds after which memory that was freed goes back to the kernel.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Handshakes are judged and freed some hundred at a time, and others come at once: memory that went back to the kernel in between would have to be
/// cleared and mapped again, which takes a tenth of all time.
#[allow(unsafe_code, reason = "the allocator's options have no safe wrapper")]
fn keep_freed_memory_for_a_second() {
    // SAFETY: it sets a number; the allocator ignores options that it does not know.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 1000) };
}

fn main() -> ExitCode {
    keep_freed_memory_for_a_second();
    allocator::keep_blocks_on_this_thread();
    handshark::app::main(std::env::args_os())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(unsafe_code, reason = "the allocator's options have no safe wrapper")]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: it reads a number.
        let delay = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), 10, "what the allocator's manual says of mi_option_purge_delay");
        keep_freed_memory_for_a_second();
        assert_eq!(delay(), 1000);
    }
}
