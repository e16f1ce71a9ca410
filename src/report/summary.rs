//! `kind: summary` as types.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::answer::{Answer, Run};
use crate::site::Observer;
use crate::time::Timestamp;

use super::class::Classes;
use super::code::Id;
use super::traffic::Carried;

/// How often each of the project's own words was counted.
pub type Counts = BTreeMap<&'static str, u64>;

/// The end of a run.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Who read it.
    pub observer: Observer,
    /// What was read, in order.
    pub inputs: Vec<Input>,
    /// Frames read.
    pub frames: u64,
    /// Bytes of those as captured.
    pub bytes: u64,
    /// Frames that were understood down to TCP, UDP or ICMP.
    pub decoded: u64,
    /// The others, by reason.
    pub skipped: Counts,
    /// Earliest and latest frame time; absent without frames.
    pub times: Option<(Timestamp, Timestamp)>,
    /// Connections and UDP flows followed.
    pub flows: u64,
    /// Handshakes reported.
    pub handshakes: u64,
    /// Handshakes that were not asked for and are not counted among `handshakes`; absent when everything was asked for.
    pub left_out: Option<u64>,
    /// Handshakes by what they count as.
    pub classes: Classes,
    /// Handshakes by outcome.
    pub outcomes: Counts,
    /// Handshakes by cause, those with one.
    pub causes: Counts,
    /// Incidents reported.
    pub incidents: u64,
    /// Packets dropped by kernel, interface or pipeline, and those of `unread`.
    pub drops: u64,
    /// Live: packets that were captured and, at the end, not looked at for want of time; absent without any.
    pub unread: Option<u64>,
    /// Live: handshakes that at the end were not judged and not reported for want of time; absent without any.
    pub unjudged: Option<u64>,
    /// Connections given up early because a bound was hit.
    pub evictions: u64,
    /// TCP connections that carried no TLS, by what they carried, and half-open ones that are summed up instead of listed.
    pub other_flows: Counts,
    /// What the packets carried, TLS or not, the most bytes first.
    pub traffic: Vec<Carried>,
    /// What the answer in one sentence is made of; see [`Summary::answer`].
    pub answer: Answer,
    /// What a reader should know: damage, unsupported link types, bounds that were hit.
    pub notes: Vec<String>,
}

impl Summary {
    /// The same whenever these captures are read again.
    pub fn event_id(&self) -> String {
        let span = self.times.map(|(first, last)| (first.nanos(), last.nanos())).unwrap_or_default();
        let sources: Vec<&str> = self.inputs.iter().map(|input| input.source.as_str()).collect();
        let all = (span, self.frames, self.bytes, self.decoded, self.handshakes, self.incidents);
        format!("summary-{}", Id::of(&Sha256::digest(format!("{all:?} {sources:?}"))))
    }

    /// The answer in one sentence: what broke, with which server, for how many clients, since when. `moment` tells a moment as its reader wants it.
    pub fn answer(&self, moment: &dyn Fn(Timestamp) -> String) -> String {
        let Self { classes, times, frames, left_out, other_flows, traffic, .. } = self;
        let run = Run { classes, times: *times, frames: *frames, left_out: left_out.unwrap_or_default(), other_flows, traffic };
        self.answer.sentence(&run, moment)
    }
}

/// An input.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// As given, or found in a directory; `-` for standard input.
    pub source: String,
    /// `pcap`, `pcapng`, with the compression: `pcapng, gzip`.
    pub format: String,
    /// Frames read.
    pub frames: u64,
    /// Bytes of those as captured.
    pub bytes: u64,
    /// Where and why reading stopped before the end.
    pub damage: Option<String>,
    /// SHA-256 of the file, hexadecimal, where asked for.
    pub sha256: Option<String>,
}

/// The program's version: the schema's `version`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
