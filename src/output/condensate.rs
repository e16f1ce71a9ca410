//! Writes condensates: see [`crate::condensate`] for what they hold.

use std::io::{self, Write};
use std::net::IpAddr;

use super::pcapng::{InterfaceDescription, PacketRecord, PcapngWriter};
use crate::condensate::{BLOCK, CONDENSER, HEAD, Head, LATE, Late, MARK, ORIGINAL, Place, TAIL, TOLD, Tail, Told};
use crate::report::VERSION;
use crate::time::Timestamp;

/// A condensate being written.
#[derive(Debug)]
pub struct CondensateWriter<W: Write> {
    writer: PcapngWriter<W>,
}

impl<W: Write> CondensateWriter<W> {
    /// Begins one.
    pub fn new(out: W, head: &Head) -> io::Result<Self> {
        let mut writer = PcapngWriter::new(out, &format!("{CONDENSER}{VERSION}"), None)?;
        writer.raw(BLOCK, &worded(HEAD, &serde_json::to_vec(head)?))?;
        Ok(Self { writer })
    }

    /// Describes an interface: `file` is its file's place in the head, `number` its own place among the interfaces of that file.
    pub fn interface(&mut self, interface: &InterfaceDescription<'_>, file: u32, number: u32) -> io::Result<u32> {
        self.writer.interface_with(interface, Some((ORIGINAL, &[file.to_le_bytes(), number.to_le_bytes()].concat())))
    }

    /// Writes a packet.
    pub fn packet(&mut self, packet: &PacketRecord<'_>, place: Place) -> io::Result<()> {
        let mut value = [0; 16];
        let (own, key) = value.split_at_mut(8);
        own.copy_from_slice(&place.own.to_le_bytes());
        key.copy_from_slice(&place.key.to_le_bytes());
        let behind = place.key != packet.time.nanos();
        self.writer.packet_with(packet, Some((ORIGINAL, value.get(..if behind { 16 } else { 8 }).unwrap_or_default())))
    }

    /// Marks a frame that is left out. `joins` is the interface that this one was found to continue, plus 1, with
    /// [`LINKED`](crate::condensate::LINKED); 0 for none.
    pub fn mark(&mut self, interface: u32, time: Timestamp, place: Place, joins: u32) -> io::Result<()> {
        self.writer.raw(BLOCK, &worded(MARK, &marked(interface, time, place, joins)))
    }

    /// Writes what was left out of flows up to a frame.
    pub fn late(&mut self, interface: u32, time: Timestamp, place: Place, late: &[Late]) -> io::Result<()> {
        for some in late.chunks(LATE_AT_ONCE) {
            let mut body = marked(interface, time, place, 0);
            for late in some {
                late.write(&mut body);
            }
            self.writer.raw(BLOCK, &worded(LATE, &body))?;
        }
        Ok(())
    }

    /// Writes what crosses shards, behind the frame at which it was over; `seen_at` is the interface that saw it.
    pub fn told(&mut self, interface: u32, time: Timestamp, place: Place, seen_at: u32, told: &Told) -> io::Result<()> {
        let mut body = marked(interface, time, place, seen_at.saturating_add(1));
        told.write(&mut body);
        self.writer.raw(BLOCK, &worded(TOLD, &body))
    }

    /// Writes TLS secrets, in the NSS key log format, for the packets after it.
    pub fn secrets(&mut self, key_log: &[u8]) -> io::Result<()> {
        self.writer.secrets(key_log)
    }

    /// Writes names of addresses.
    pub fn names<'a>(&mut self, names: impl IntoIterator<Item = (IpAddr, &'a str)>) -> io::Result<()> {
        self.writer.names(names)
    }

    /// Writes what an interface received and dropped in all.
    pub fn statistics(&mut self, interface: u32, until: Timestamp, received: Option<u64>, dropped: Option<u64>) -> io::Result<()> {
        self.writer.statistics(interface, until, received, dropped)
    }

    /// Ends it. Gives the stream back, flushed.
    pub fn finish(mut self, tail: &Tail) -> io::Result<W> {
        self.writer.raw(BLOCK, &worded(TAIL, &serde_json::to_vec(tail)?))?;
        self.writer.finish()
    }
}

/// What stands in a mark behind its word.
fn marked(interface: u32, time: Timestamp, place: Place, joins: u32) -> Vec<u8> {
    let mut body = Vec::with_capacity(36);
    body.extend(interface.to_le_bytes());
    for wide in [time.nanos(), place.own.cast_signed(), place.key] {
        body.extend(wide.to_le_bytes());
    }
    body.extend(joins.to_le_bytes());
    body
}

/// Sums in one block: some 60 kB of them.
const LATE_AT_ONCE: usize = 1024;

/// The body of a block of ours. What is shorter than four bytes to the next block is filled with zeros, which end JSON.
fn worded(word: u32, body: &[u8]) -> Vec<u8> {
    [&word.to_le_bytes(), body].concat()
}
