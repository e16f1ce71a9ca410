//! Beside the floors: where frames come from. Files, pipes and live interfaces.
//!
//! Everything that delivers frames is a [`FrameSource`]. [`open`] takes files, directories and `-` (standard input) and delivers them as one
//! capture in time order. What stands between a path and a frame:
//!
//! - `beneath`: which files may be read at all;
//! - `discover`: which files there are, and which of them are captures;
//! - `source`: a file's bytes, decompressed in a thread of their own where `compress` says so;
//! - `clock`: frames with an impossible time;
//! - `reader`: the bytes of one input cut into frames by `pcap` or `pcapng`, lying where they were read;
//! - `merge`: several inputs in time order; `condensed`: condensates as the captures that they were made of;
//! - `filter`: BPF expressions;
//! - `rows`: what handshark wrote of handshakes, in place of a capture;
//! - `keylog`: key logs beside the capture ([`with_key_logs`]).
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

mod beneath;
mod clock;
mod compress;
mod condensed;
mod discover;
mod filter;
mod format;
mod keylog;
mod live;
mod looked;
mod losses;
mod magic;
mod merge;
mod pcap;
mod pcapng;
mod reader;
mod rows;
mod shards;
mod source;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::count::Count;
use crate::error::Result;
use crate::frame::{Block, LinkType};
use crate::origins::Origins;
use crate::shard::Shard;
use crate::site::Observer;
use crate::time::Timestamp;
use crate::traffic::Volumes;

pub use beneath::read_only_beneath;
pub use clock::OddTime;
pub use discover::Listed;
pub use filter::excludes_icmp;
pub use keylog::{KeyLogLines, KeyLogs, with_key_logs};
pub use live::{DEFAULT_FILTER, InterfaceInfo, InterfaceStatus, LiveOptions, LiveStatus, Opened, interfaces, open_live};
pub use looked::looked_at;
pub use losses::Losses;
pub use rows::{Rows, split_rows};

/// Gives frames in blocks, in the order of the capture.
pub trait FrameSource: Send {
    /// Replaces the block's contents with the next frames: about half a megabyte, fewer when a pipe has no more for the moment, none when a filter
    /// left all of them out. False at the end of the last input; a damaged input ends early and says so in [`FrameSource::inventory`].
    fn fill(&mut self, block: &mut Block) -> Result<bool>;

    /// What has been learnt of the inputs so far.
    fn inventory(&self) -> &Inventory;

    /// Bytes of input consumed (compressed bytes where compressed) and the total, where known: for progress.
    fn progress(&self) -> (u64, Option<u64>);

    /// When packets were lost; `None` where that is not known.
    fn losses(&self) -> Option<&Losses> {
        None
    }

    /// Which file each frame comes from; `None` where there is only one.
    fn origins(&self) -> Option<&Origins> {
        None
    }

    /// The files to read in their order, with the times of their first frames where those were looked for; empty where there are none.
    fn files(&self) -> Vec<(&Path, Option<Timestamp>)> {
        Vec::new()
    }

    /// The lines of the key logs given beside the capture; `None` where none are.
    fn key_log(&self) -> Option<&KeyLogLines> {
        None
    }
}

/// What is to be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inputs {
    /// Files, directories (searched for captures, recursively) and `-` for standard input.
    pub paths: Vec<PathBuf>,
    /// A capture filter in the syntax of `man pcap-filter`; frames it does not take are left out and counted.
    pub filter: Option<String>,
    /// Who captured them. What it leaves open is told by the directories of each path: `site=NAME/sensor=NAME/`.
    pub observer: Observer,
}

/// Whether a file is a capture that is read because a directory that holds it was named as input.
pub fn is_found(path: &Path, inputs: &[PathBuf]) -> bool {
    discover::is_found(path, inputs)
}

/// The captures in a directory and in those under it, in the order of their paths, with the time of each one's first frame: little of each is read. What is
/// no capture is passed over.
pub fn list(directory: &Path) -> Result<Vec<Listed>> {
    discover::list(directory)
}

/// The time of a capture's latest frame; none without a frame. Reads the whole file, and decodes nothing.
pub fn last(path: &Path) -> Result<Option<Timestamp>> {
    discover::last(path)
}

/// The time of the first frame of a file; none where there is none, or no capture.
pub fn first_time(path: &Path) -> Option<Timestamp> {
    discover::peek(path, &mut Block::default()).ok().and_then(|(first, _)| first)
}

/// Opens the inputs as one capture in time order.
///
/// Frames of one file stay in the file's order even where its clock steps back. Files whose times overlap are merged frame by frame. Files in
/// directories that are not captures are passed over; those named by path are an error, as is an expression that does not compile.
pub fn open(inputs: &Inputs) -> Result<Box<dyn FrameSource>> {
    opened(inputs, None)
}

/// The same for a program that may be told to stop: once the flag is set, a pipe ends where it has nothing to read for the moment, so that
/// nobody waits for a writer that is idle.
pub fn open_until(inputs: &Inputs, stop: &Arc<AtomicBool>) -> Result<Box<dyn FrameSource>> {
    opened(inputs, Some(stop))
}

fn opened(inputs: &Inputs, stop: Option<&Arc<AtomicBool>>) -> Result<Box<dyn FrameSource>> {
    let filter = inputs.filter.as_deref().map(filter::PacketFilter::new).transpose()?;
    let found = discover::discover(inputs, stop)?;
    arranged(found, filter)
}

fn arranged(found: discover::Found, filter: Option<filter::PacketFilter>) -> Result<Box<dyn FrameSource>> {
    Ok(if found.pending.iter().any(|pending| pending.head.is_some()) {
        Box::new(condensed::Condensed::new(found, filter.is_some())?)
    } else {
        Box::new(merge::Merge::new(found, filter))
    })
}

/// Opens a stream of a capture's bytes (a pipe, a socket) under a name. Frames are delivered as they arrive. Waits for the first bytes.
pub fn open_stream(name: &Path, stream: Box<dyn Read + Send>, filter: Option<&str>) -> Result<Box<dyn FrameSource>> {
    let filter = filter.map(filter::PacketFilter::new).transpose()?;
    let found = discover::from_stream(name, stream)?;
    arranged(found, filter)
}

/// What is in a compressed file that lies in memory; what is not compressed comes as it is.
pub fn unpacked(packed: &'static [u8]) -> io::Result<Box<dyn Read + Send>> {
    match compress::Compression::detect(packed) {
        Some(compression) => compression.decoder(Box::new(packed)),
        None => Ok(Box::new(packed)),
    }
}

/// What a capture says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// Inputs in the order read.
    pub inputs: Vec<Input>,
    /// Interfaces over all inputs, in the order met.
    pub interfaces: Vec<Interface>,
    /// Bytes of the interfaces' names, descriptions and filters.
    pub interface_bytes: usize,
    /// Interfaces whose names were cut off beyond the bound.
    pub interfaces_cut: u64,
    /// Comments of sections, interfaces and packets: (frame or none, text). Bounded.
    pub comments: Vec<(Option<u64>, String)>,
    /// Bytes of the comments taken so far.
    pub comment_bytes: usize,
    /// Comments left out beyond the bound.
    pub comments_left_out: u64,
    /// TLS key log lines out of Decryption Secrets Blocks, one line each without its end. Bounded.
    pub secrets: Vec<Vec<u8>>,
    /// Bytes held in `secrets`.
    pub secret_bytes: usize,
    /// Key log lines left out beyond the bound.
    pub secrets_left_out: u64,
    /// Names of addresses out of Name Resolution Blocks, in the order met. Bounded.
    pub names: Vec<(IpAddr, String)>,
    /// Bytes held in `names`.
    pub name_bytes: usize,
    /// How long a slice's original went on: the silence behind the slice's last packet is real up to here. Other writers' files do not say
    /// so, because what they left out is not known.
    pub quiet_until: Option<Timestamp>,
    /// Frames that `--filter` left out.
    pub filtered_out: u64,
    /// Live: packets that were captured and not looked at, because the run was to end.
    pub unread: u64,
    /// What was counted when the capture was condensed, in place of what is left of it.
    pub account: Option<Account>,
    /// The shard that is read, if it is one by itself.
    pub shard: Option<Shard>,
}

/// What was counted of all frames of a capture, of which only some are left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// Frames.
    pub frames: u64,
    /// Bytes of those, as captured.
    pub bytes: u64,
    /// Frames understood down to TCP, UDP or ICMP.
    pub decoded: u64,
    /// The others, by the reason's name.
    pub skipped: BTreeMap<String, u64>,
    /// Frames of link types that cannot be read.
    pub links: BTreeMap<u32, u64>,
    /// Datagrams of Google QUIC.
    pub google_quic: u64,
    /// What the frames carried that are not left.
    pub traffic: Volumes,
    /// The first frame's time and the latest time.
    pub times: Option<(Timestamp, Timestamp)>,
    /// Times between windows that no condensate of a sensor is of.
    pub gaps: Vec<WindowGap>,
}

/// A time between two windows of a sensor in which it has none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowGap {
    /// The sensor's site, where it has a name.
    pub site: Option<String>,
    /// The sensor, where it has a name.
    pub sensor: Option<String>,
    /// Where the window before it ends.
    pub from: Timestamp,
    /// Where the one behind it begins.
    pub to: Timestamp,
}

/// An input file or stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// As given, or found in a directory; `-` for standard input.
    pub path: PathBuf,
    /// Who captured it.
    pub observer: Observer,
    /// `pcap`, `pcapng`, with the compression: `pcapng, gzip`; `unknown` when it could not be opened.
    pub format: String,
    /// Frames read, whether or not a filter took them.
    pub frames: u64,
    /// Bytes of those frames, as captured.
    pub bytes: u64,
    /// The earliest frame's time.
    pub first: Option<Timestamp>,
    /// The latest frame's time.
    pub last: Option<Timestamp>,
    /// Frames whose time is far from those before and behind them. They were given times between those.
    pub odd_times: u64,
    /// The first of them, by its number among this input's frames as far as no other input was read before.
    pub first_odd_time: Option<OddTime>,
    /// Where and why it stopped before its end. Byte offsets are of the uncompressed data, frame numbers count from 1 in this input.
    pub damage: Option<String>,
}

impl Input {
    /// One of which nothing has been read.
    pub const fn new(path: PathBuf, format: String) -> Self {
        Self {
            path,
            observer: Observer::NONE,
            format,
            frames: 0,
            bytes: 0,
            first: None,
            last: None,
            odd_times: 0,
            first_odd_time: None,
            damage: None,
        }
    }
}

/// A capturing interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Which of the inputs it belongs to: an index into [`Inventory::inputs`].
    pub input: usize,
    /// `if_name`, or the file name.
    pub name: String,
    /// `if_description`.
    pub description: Option<String>,
    /// The capture filter it was captured with, if the file says so.
    pub filter: Option<String>,
    /// Link type.
    pub link: LinkType,
    /// Snapshot length in bytes; 0 = no limit.
    pub snaplen: u32,
    /// Packets received and dropped (kernel and interface), from interface statistics.
    pub received: Option<Count>,
    /// The same.
    pub dropped: Option<Count>,
}

impl Interface {
    /// Its own name; none where it goes by that of its file.
    pub fn own_name(&self, inventory: &Inventory) -> Option<&str> {
        let file = inventory.inputs.get(self.input).map(|input| input.path.as_path());
        let by_file = file.is_some_and(|path| {
            path.display().to_string() == self.name || path.file_name().is_some_and(|name| name.to_string_lossy() == self.name)
        });
        (!by_file).then_some(self.name.as_str())
    }

    /// Whether the filter it was captured with drops the ICMP errors that explain failures on the path; see [`excludes_icmp`].
    pub fn excludes_icmp(&self) -> bool {
        self.filter.as_deref().is_some_and(excludes_icmp)
    }
}
