//! Says why handshakes failed, a line each: `cargo run --example why -- FILE`

use std::error::Error;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use handshark::{Capture, Found, Settings, analyze};

/// Writes a line for each handshake that failed or was rejected after completion.
pub fn why(capture: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let mut written = Ok(());
    analyze(Capture::file(capture)?, &Settings::default(), |found| {
        if let Found::Handshake(handshake) = found
            && handshake.class().is_failure()
        {
            let cause = handshake.diagnosis.cause.map_or("no-cause-found", |cause| cause.slug());
            // Names in it come from the wire: as `{:?}` they are safe on a terminal.
            written = writeln!(out, "{} {cause}: {:?}", handshake.server, handshake.summary());
        }
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(written?)
}

fn main() -> Result<(), Box<dyn Error>> {
    for path in std::env::args_os().skip(1) {
        why(Path::new(&path), &mut io::stdout())?;
    }
    Ok(())
}
