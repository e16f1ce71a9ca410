//! The `handshark` command.

use std::process::ExitCode;

/// Handshakes are made on one thread and freed on another, which costs this allocator half of what it costs the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    handshark::app::main(std::env::args_os())
}
