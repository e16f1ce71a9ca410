//! Reads a capture from standard input up to the first handshake that failed, and tells it packet by packet:
//! `tcpdump -w - | cargo run --example first_failure`

use std::error::Error;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use handshark::report::Handshake;
use handshark::{Capture, Found, Settings, analyze};

/// Writes the steps of the first handshake that failed.
pub fn first_failure(capture: impl Read + Send + 'static, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let settings = Settings { timeline: true, ..Settings::default() };
    let mut failed: Option<Handshake<'static>> = None;
    analyze(Capture::reader("-", capture)?, &settings, |found| match found {
        Found::Handshake(handshake) if handshake.class().is_failure() => {
            failed = Some(handshake.to_static());
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })?;
    let Some(handshake) = failed else { return Ok(()) };
    for step in &handshake.timeline {
        writeln!(out, "{} {:8}{} {:?}", step.time, step.sender(), step.kind.name(), step.text)?;
    }
    Ok(writeln!(out, "{:?}", handshake.summary())?)
}

fn main() -> Result<(), Box<dyn Error>> {
    first_failure(io::stdin(), &mut io::stdout())
}
