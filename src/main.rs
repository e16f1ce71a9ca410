//! The `handshark` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    handshark::app::main(std::env::args_os())
}
