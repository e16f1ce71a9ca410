//! The library's front door: captures in, typed reports out, one call.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::capture::{self, FrameSource, Inputs, Interface, Inventory};
use crate::diagnosis::chain::TrustStore;
use crate::diagnosis::policy::Policy;
use crate::error::Result;
use crate::frame::{Block, FrameHead, LinkType};
use crate::pipeline;
use crate::report::{Handshake, Incident, Sink, Summary};
use crate::time::Timestamp;

/// What is to be analysed.
#[derive(Debug)]
pub struct Capture(Box<dyn FrameSource>);

impl std::fmt::Debug for dyn FrameSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FrameSource")
    }
}

impl Capture {
    /// A file in the formats pcap or pcapng, compressed or not, or a directory of such files, which are read as one capture.
    ///
    /// # Errors
    /// When it cannot be opened, or is no capture.
    pub fn file(path: impl Into<PathBuf>) -> Result<Self> {
        capture::open(&Inputs { paths: vec![path.into()], ..Inputs::default() }).map(Self)
    }

    /// The bytes of such a file as they come. Waits for the first of them. `name` stands for it in reports.
    ///
    /// # Errors
    /// When it cannot be read, or is no capture.
    pub fn reader(name: impl AsRef<Path>, bytes: impl Read + Send + 'static) -> Result<Self> {
        capture::open_stream(name.as_ref(), Box::new(bytes), None).map(Self)
    }

    /// Frames, from wherever they come, in the order of their times. They are asked for as they are needed. `name` stands for their source in
    /// reports.
    pub fn frames(name: impl Into<PathBuf>, frames: impl Iterator<Item = CapturedFrame> + Send + 'static) -> Self {
        let path: PathBuf = name.into();
        let interface = Interface {
            input: 0,
            name: path.display().to_string(),
            description: None,
            filter: None,
            link: LinkType::default(),
            snaplen: 0,
            received: None,
            dropped: None,
        };
        let input = capture::Input::new(path, "frames".to_owned());
        let inventory = Inventory { inputs: vec![input], interfaces: vec![interface], ..Inventory::default() };
        Self(Box::new(Frames { frames, inventory }))
    }
}

/// A frame that somebody captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedFrame {
    /// When.
    pub time: Timestamp,
    /// The link layer's type as pcap files have it: 1 is Ethernet, 101 an IP packet without a link layer.
    pub link: u32,
    /// What was captured of it, from its first byte on.
    pub bytes: Vec<u8>,
    /// Its length on the wire: that of `bytes`, unless it was cut.
    pub original_len: u32,
}

/// How to analyse.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Threads that analyze; the result does not depend on it.
    pub threads: usize,
    /// A handshake without progress for longer than this, in packet time, has stalled.
    pub stall_after: Duration,
    /// Whose certificates are trusted.
    pub trust: TrustStore,
    /// Handshakes are told packet by packet ([`Handshake::timeline`]).
    pub timeline: bool,
}

impl Default for Settings {
    /// One thread, 10 s, nobody, and no timeline.
    fn default() -> Self {
        let policy = Policy::default();
        Self { threads: 1, stall_after: policy.stall_after, trust: TrustStore::none(), timeline: false }
    }
}

/// Something that was found.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// A handshake, and what is to be said of it.
    Handshake(&'a Handshake<'a>),
    /// Handshakes that failed for one cause at one server or client; they come after all handshakes.
    Incident(&'a Incident),
}

/// Analyses a capture to its end, or until `each` breaks off. Gives the summary of what was read.
///
/// ```
/// use std::ops::ControlFlow;
/// use handshark::{Capture, Found, Settings, analyze};
///
/// # fn main() -> Result<(), handshark::error::Error> {
/// let capture = Capture::file("fixtures/captures/cert/cert_expired_tls12_java.pcap")?;
/// let mut causes = Vec::new();
/// let summary = analyze(capture, &Settings::default(), |found| {
///     if let Found::Handshake(handshake) = found {
///         causes.extend(handshake.diagnosis.cause.map(|cause| cause.slug()));
///     }
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!((summary.handshakes, causes), (1, vec!["certificate-expired"]));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the capture cannot be read on. Damage is no error: the summary tells of it.
pub fn analyze(capture: Capture, settings: &Settings, each: impl FnMut(Found<'_>) -> ControlFlow<()>) -> Result<Summary> {
    let stop = Arc::<AtomicBool>::default();
    let options = pipeline::Options {
        threads: settings.threads.max(1),
        policy: Policy { stall_after: settings.stall_after, ..Policy::default() },
        timeline: settings.timeline,
        stop: Arc::clone(&stop),
        ..pipeline::Options::of_captures(settings.trust.clone())
    };
    pipeline::run(capture.0, &options, &mut Each { each, stop }, &mut |_| {})
}

/// Hands over what is found until that is enough.
struct Each<F> {
    each: F,
    stop: Arc<AtomicBool>,
}

impl<F: FnMut(Found<'_>) -> ControlFlow<()>> Each<F> {
    fn give(&mut self, found: Found<'_>) {
        if !self.stop.load(Ordering::Relaxed) && (self.each)(found).is_break() {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

impl<F: FnMut(Found<'_>) -> ControlFlow<()>> Sink for Each<F> {
    fn handshake(&mut self, handshake: &Handshake<'_>) -> io::Result<()> {
        self.give(Found::Handshake(handshake));
        Ok(())
    }

    fn incident(&mut self, incident: &Incident) -> io::Result<()> {
        self.give(Found::Incident(incident));
        Ok(())
    }
}

/// Frames that are handed in.
struct Frames<I> {
    frames: I,
    inventory: Inventory,
}

impl<I: Iterator<Item = CapturedFrame> + Send> FrameSource for Frames<I> {
    fn fill(&mut self, block: &mut Block) -> Result<bool> {
        block.clear();
        let Some(input) = self.inventory.inputs.first_mut() else { return Ok(false) };
        while block.byte_len() < BLOCK && block.len() < FRAMES {
            let Some(frame) = self.frames.next() else { return Ok(!block.is_empty()) };
            input.frames = input.frames.saturating_add(1);
            input.bytes = input.bytes.saturating_add(frame.bytes.len() as u64);
            input.first.get_or_insert(frame.time);
            input.last = input.last.max(Some(frame.time));
            let head = FrameHead {
                number: input.frames,
                time: frame.time,
                link: LinkType(frame.link),
                interface: 0,
                site: crate::site::Site::NONE,
                original_len: frame.original_len,
            };
            block.push(head, &frame.bytes);
        }
        Ok(true)
    }

    fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.inventory.inputs.first().map_or(0, |input| input.bytes), None)
    }
}

/// Bytes of frames that are handed on at a time.
const BLOCK: usize = 256 << 10;
/// Frames that are: they may have no bytes.
const FRAMES: usize = 1 << 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_without_bytes_are_handed_on_too() {
        let empty = CapturedFrame { time: Timestamp::default(), link: 1, bytes: Vec::new(), original_len: 0 };
        let Capture(mut source) = Capture::frames("mirror", std::iter::repeat(empty));
        let mut block = Block::default();
        assert!(source.fill(&mut block).unwrap());
        assert_eq!(block.len(), FRAMES);
    }
}
