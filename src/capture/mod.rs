//! Beside the floors: where frames come from. Files, pipes and live interfaces.

use std::path::PathBuf;

use crate::error::Result;
use crate::frame::{Block, LinkType};
use crate::time::Timestamp;

/// Gives frames in blocks, in the order of the capture.
pub trait FrameSource: Send {
    /// Replaces the block's contents with the next frames: at most about a megabyte or some thousand frames, fewer when a pipe has no more for
    /// the moment. False at the end of the last input; a damaged input ends early and says so in [`FrameSource::inventory`].
    fn fill(&mut self, block: &mut Block) -> Result<bool>;

    /// What has been learnt of the inputs so far.
    fn inventory(&self) -> &Inventory;

    /// Bytes of input consumed (compressed bytes where compressed) and the total, where known: for progress.
    fn progress(&self) -> (u64, Option<u64>);
}

/// What a capture says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// Inputs in the order read.
    pub inputs: Vec<Input>,
    /// Interfaces over all inputs, in the order met.
    pub interfaces: Vec<Interface>,
    /// Comments of sections, interfaces and packets: (frame or none, text). Bounded.
    pub comments: Vec<(Option<u64>, String)>,
    /// TLS key log lines out of Decryption Secrets Blocks. Bounded.
    pub secrets: Vec<Vec<u8>>,
    /// Frames that `--filter` left out.
    pub filtered_out: u64,
}

/// An input file or stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// As given, or found in a directory; `-` for standard input.
    pub path: PathBuf,
    /// `pcap`, `pcapng`, with the compression: `pcapng, gzip`.
    pub format: String,
    /// Frames read.
    pub frames: u64,
    /// Bytes of frames.
    pub bytes: u64,
    /// First and last frame time.
    pub first: Option<Timestamp>,
    /// The same.
    pub last: Option<Timestamp>,
    /// Where and why it stopped before its end.
    pub damage: Option<String>,
}

/// A capturing interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// if_name, or the file name.
    pub name: String,
    /// if_description.
    pub description: Option<String>,
    /// The capture filter it was captured with, if the file says so.
    pub filter: Option<String>,
    /// Link type.
    pub link: LinkType,
    /// Snapshot length in bytes; 0 = no limit.
    pub snaplen: u32,
    /// Packets received and dropped (kernel and interface), from interface statistics.
    pub received: Option<u64>,
    /// The same.
    pub dropped: Option<u64>,
}
