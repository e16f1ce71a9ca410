//! The words of a condensate: a pcapng file with the packets of the handshakes begun in a window of time, and with what is to be known of the
//! frames that it leaves out.
//!
//! What pcapng has no word for stands in blocks and options whose numbers the format reserves for local use (their highest bit is set;
//! draft-ietf-opsawg-pcapng, sections 3.1 and 3.5), so that other programs pass over it and read the packets. A custom block would need a number
//! that IANA gives to enterprises; a grammar within comments would be lost to whoever edits them, and would be shown as text to people.
//!
//! Behind the section's header comes the head, behind the last packet the tail, both JSON. Between them, in the order of the capture, are
//! interfaces, each with the file it belongs to, packets, each with its number in that file, marks of frames that were left out, and sums of the
//! packets that were left out of flows that are not looked into any more ([`Late`]).

mod late;
mod told;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::frame::LinkType;
use crate::shard::Shard;
use crate::traffic::{Bearer, Kind, Volume, Volumes, protocol_named};

pub use late::Late;
pub use told::{Elsewhere, Shown, Told};

/// What the writer calls itself in the section's header.
pub const CONDENSER: &str = "handshark condense ";

/// The type of all blocks of our own: "HSK", with the highest bit set.
pub const BLOCK: u32 = 0x8048_534b;

/// The first word of such a block: the head.
pub const HEAD: u32 = 1;
/// A mark of a frame that was left out: interface, high and low word of its time, of its number and of its [`Place::key`], and the interface that
/// this one was found to continue, plus 1 ([`LINKED`] is set where a connection showed it).
pub const MARK: u32 = 2;
/// The tail.
pub const TAIL: u32 = 3;
/// What was left out of flows since the last one: a mark of the frame behind which it stands, and one [`Late`] after the other.
pub const LATE: u32 = 4;
/// In a side table: a mark of the frame at which a handshake was over, and a [`Told`].
pub const TOLD: u32 = 5;

/// The option of a packet that holds its number in its file and, where its file's clock had been ahead, its [`Place::key`]; and of an interface that
/// holds its file's place in the head and its place among that file's interfaces.
pub const ORIGINAL: u16 = 0x8001;

/// See [`MARK`].
pub const LINKED: u32 = 1 << 31;

/// The link type of a frame that stands for one that was left out: it has no bytes, and its length on the wire is the last word of its [`MARK`].
pub const LEFT_OUT: LinkType = LinkType(u32::MAX);

/// The link type of a frame that stands for a block of [`LATE`]: its bytes are what stands behind the mark.
pub const LATE_PACKETS: LinkType = LinkType(u32::MAX - 1);

/// The link type of a frame that stands for a block of [`TOLD`]: its bytes are what stands behind the mark.
pub const TOLD_ELSEWHERE: LinkType = LinkType(u32::MAX - 2);

/// Whether a frame of this link type was captured, and does not stand for others.
pub fn is_captured(link: LinkType) -> bool {
    link != LEFT_OUT && link != LATE_PACKETS && link != TOLD_ELSEWHERE
}

/// The version of what is written here, but for shards.
pub const VERSION: u32 = 2;

/// The version of a shard and of a side table: who knows nothing of them would take one for the whole.
pub const SHARD_VERSION: u32 = 4;

/// Where a frame stands in its original file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its number there, from 1.
    pub own: u64,
    /// Nanoseconds since 1970: the latest time of the file up to this frame, by which files are merged.
    pub key: i64,
}

/// What is known before the first packet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Head {
    /// The format's version.
    pub condensate: u32,
    /// The site, where one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The sensor, where one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// Which shard it is, where the window is divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Where the window begins, in nanoseconds since 1970; everything before its end where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Where it ends; the window goes on without end where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// The files that it was made of, whether or not each had to be read.
    pub files: Vec<File>,
}

/// An original file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct File {
    /// The time of its first frame, where it was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<i64>,
    /// Its path, as it is told in reports.
    pub path: String,
}

/// What is known behind the last packet: all counts are of frames within the window, kept or not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tail {
    /// Of the files that were opened.
    pub files: Vec<Counted>,
    /// Frames understood down to TCP, UDP or ICMP.
    pub decoded: u64,
    /// The others, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Frames of link types that cannot be read.
    pub links: BTreeMap<u32, u64>,
    /// Datagrams of Google QUIC.
    pub google_quic: u64,
    /// What the frames carried that are left out and belong to no flow that may be followed.
    pub traffic: Vec<Sum>,
    /// The first frame's time and the latest time; none where the window is empty.
    pub times: Option<(i64, i64)>,
    /// How long the original of a slice went on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_until: Option<i64>,
}

/// Packets of one [`Kind`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sum {
    bearer: String,
    protocol: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    packets: u64,
    bytes: u64,
}

impl Sum {
    /// One for each kind.
    pub fn of(volumes: &Volumes) -> Vec<Self> {
        let sum = |(kind, volume): (&Kind, &Volume)| Self {
            bearer: kind.bearer.name().to_owned(),
            protocol: kind.protocol.to_owned(),
            port: kind.port,
            packets: volume.packets,
            bytes: volume.bytes,
        };
        volumes.iter().filter(|(_, volume)| volume.packets > 0).map(sum).collect()
    }

    /// What was counted; `None` where no such kind is known.
    pub fn counted(&self) -> Option<(Kind, Volume)> {
        let kind = Kind { bearer: Bearer::named(&self.bearer)?, protocol: protocol_named(&self.protocol)?, port: self.port };
        Some((kind, Volume { packets: self.packets, bytes: self.bytes, connections: 0 }))
    }
}

/// What was counted of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counted {
    /// Its place in the head.
    pub file: u32,
    /// `pcap`, `pcapng`, with the compression.
    pub format: String,
    /// Frames.
    pub frames: u64,
    /// Bytes of those as captured.
    pub bytes: u64,
    /// The earliest and the latest time of the file as far as it was read.
    pub times: Option<(i64, i64)>,
    /// Frames with an impossible time as far as it was read, and the first of them: its number and time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd: Option<(u64, u64, i64)>,
    /// Where and why it stopped before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}
