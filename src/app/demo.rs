//! `handshark demo`: a capture that the program brings along, diagnosed as `read` does.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use super::{is_dash, naming, read};
use crate::capture;
use crate::cli::{self, Command, DemoOptions};
use crate::output::delivery::{Delivery, Manner};
use crate::output::say::say;

/// Diagnoses the capture and says what to type next, or writes it to a file.
pub(super) fn demo(options: &DemoOptions) -> anyhow::Result<()> {
    if let Some(path) = &options.write {
        let mut delivery = Delivery::begin(path, &Manner { force: options.force, ..Manner::default() })?;
        let written = capture::unpacked(CAPTURE).and_then(|mut bytes| io::copy(&mut bytes, &mut delivery));
        written.map_err(|source| naming(source.into(), |source| delivery.failed(source)))?;
        delivery.deliver()?;
        if !is_dash(path) {
            say(format!("wrote the demo's capture to {}", path.display()));
        }
        return Ok(());
    }
    let words = ["handshark", "read", NAME].map(OsString::from);
    let Command::Read(read) = cli::parse(words, &[])? else { anyhow::bail!("the demo reads a capture") };
    let source = capture::open_stream(Path::new(NAME), Box::new(CAPTURE), None)?;
    read::read_from(&read, Some(source))?;
    Ok(io::stdout().write_all(NEXT.as_bytes())?)
}

/// Six handshakes of the captures that the tests use, as they were recorded.
const CAPTURE: &[u8] = include_bytes!("../../fixtures/demo.pcap.zst");

/// How the capture is called where it is spoken of.
const NAME: &str = "demo.pcap";

const NEXT: &str = "
This capture is built into handshark. To try more on it, write it to a file:
  $ handshark demo --write demo.pcap
  $ handshark show demo.pcap                      the first failure, packet by packet
  $ handshark report demo.pcap -o report.html     one page to hand over
  $ handshark --json demo.pcap                    for programs
  $ handshark explain path-mtu-black-hole         what a cause means and how to fix it

Then diagnose your own traffic:
  $ tcpdump -i any -s 0 -w trace.pcap 'tcp port 443 or icmp or icmp6'
  $ handshark trace.pcap
";
