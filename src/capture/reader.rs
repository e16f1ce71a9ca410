//! One input: bytes in, frames out, lying where they were read.
//!
//! A fill reads into the block's own buffer, behind what was left of a record at the end of the fill before, and points at the frames there.
//! The buffer grows beyond its usual size only for a single longer record, as its bytes arrive, up to [`limits::BLOCK_LEN`].

use std::io::{self, ErrorKind, Read};
use std::mem;
use std::path::{Path, PathBuf};

use super::clock::InputClock;
use super::format::{Context, Cut, Step, Told};
use super::pcap::{self, Pcap};
use super::pcapng::{self, Pcapng};
use super::source::Source;
use super::{Input, Inventory, magic};
use crate::error::{Error, Result};
use crate::frame::{Block, FrameHead};
use crate::limits;
use crate::site::{Observer, Site};
use crate::time::Timestamp;

/// An open input.
pub(super) struct Reader {
    path: PathBuf,
    name: String,
    /// Who captured it.
    observer: Observer,
    source: Source,
    format: Format,
    /// The beginning of a record whose rest has not been read yet.
    carry: Vec<u8>,
    /// Bytes still to be passed over.
    skip: u64,
    /// Where in the uncompressed input the next record begins.
    offset: u64,
    /// The number that the next frame gets.
    pub(super) next_number: u64,
    /// Bytes to read at a time.
    pub(super) read_bytes: usize,
    /// Comments since they were last taken away, under the numbers that this reader gave.
    pub(super) comments: Vec<(Option<u64>, String)>,
    /// What it tells besides, if it is a condensate.
    pub(super) told: Told,
    input: Option<usize>,
    clock: InputClock,
    failed: Option<Error>,
    ended: bool,
}

/// How the input is laid out.
enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl Reader {
    /// Recognises the format by the first bytes and waits for the file's header. An input that is none of the formats is [`Error::NotACapture`], one
    /// that ends within its header [`Error::CutShort`], and so is one that was compressed and named a capture.
    pub(super) fn new(path: &Path, mut source: Source, observer: &Observer) -> Result<Self> {
        let mut carry = Vec::new();
        let mut failed = source.read_at_least(HEAD, &mut carry).err();
        let format = if pcap::is_pcap(&carry) {
            Format::Pcap(Pcap::default())
        } else if pcapng::is_pcapng(&carry) {
            Format::Pcapng(Pcapng::default())
        } else {
            let path = path.to_owned();
            if failed.is_none() && source.greedy {
                failed = source.read_at_least(TELLING, &mut carry).err();
            }
            return Err(match failed {
                Some(error) if source.compression.is_none() => Error::Read { path, source: error },
                Some(error) => {
                    let why = unpack_failure(source.name(), carry.len() as u64, &error);
                    if is_named_a_capture(&path) { Error::CutShort { path, why } } else { Error::NotACapture { path, why } }
                }
                None => Error::NotACapture { path, why: magic::describe(&carry, source.compression) },
            });
        };
        let header = match &format {
            Format::Pcap(_) => pcap::FILE_HEADER,
            Format::Pcapng(_) => pcapng::section_header_len(&carry),
        };
        if failed.is_none() {
            failed = source.read_at_least(header, &mut carry).err();
        }
        if carry.len() < header {
            let path = path.to_owned();
            let why = match failed {
                Some(error) if source.compression.is_none() => return Err(Error::Read { path, source: error }),
                Some(error) => unpack_failure(source.name(), carry.len() as u64, &error),
                None => format!("{} of the {header} bytes of its header are there", carry.len()),
            };
            return Err(Error::CutShort { path, why });
        }
        let name = path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy()).into_owned();
        Ok(Self {
            path: path.to_owned(),
            name,
            observer: observer.or(&Observer::of_path(path)),
            source,
            format,
            carry,
            skip: 0,
            offset: 0,
            next_number: 1,
            read_bytes: limits::READ_BYTES,
            comments: Vec::new(),
            told: Told::default(),
            input: None,
            clock: InputClock::default(),
            failed: None,
            ended: false,
        })
    }

    /// Whether it says that it is a condensate.
    pub(super) fn may_be_condensed(&self) -> bool {
        matches!(self.format, Format::Pcapng(_)) && pcapng::is_condensate(&self.carry)
    }

    /// Replaces the block's contents with the next frames: at least one unless the input ends. False at the end.
    pub(super) fn fill(&mut self, block: &mut Block, inventory: &mut Inventory) -> Result<bool> {
        block.forget_frames();
        self.told.places.clear();
        let mut buffer = mem::take(block.buffer_mut());
        if buffer.capacity() > 2 * limits::READ_BYTES {
            buffer.truncate(limits::READ_BYTES);
            buffer.shrink_to(limits::READ_BYTES);
        }
        let filled = if self.ended { 0 } else { self.fill_buffer(&mut buffer, block, inventory) };
        buffer.truncate(filled);
        *block.buffer_mut() = buffer;
        if block.is_empty() {
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            return Ok(false);
        }
        Ok(true)
    }

    /// Reads and cuts until there is a frame. Gives how many bytes of the buffer count.
    fn fill_buffer(&mut self, buffer: &mut Vec<u8>, block: &mut Block, inventory: &mut Inventory) -> usize {
        let usual = if self.source.greedy { self.read_bytes } else { self.read_bytes.min(PIPE_BYTES) };
        let mut limit = usual.max(self.carry.len().saturating_add(1));
        let mut filled = self.carry.len();
        if buffer.is_empty() {
            // comes zeroed from the system
            *buffer = vec![0; limit];
        } else {
            buffer.resize(buffer.len().max(limit), 0);
        }
        if let Some(front) = buffer.get_mut(..filled) {
            front.copy_from_slice(&self.carry);
        }
        self.carry.clear();
        loop {
            let mut end = false;
            match self.source.read(buffer.get_mut(filled..limit).unwrap_or_default()) {
                Ok(0) => end = true,
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    end = true;
                    if self.source.compression.is_some() {
                        let text = unpack_failure(self.source.name(), self.offset.saturating_add(filled as u64), &error);
                        self.set_damage(inventory, text);
                    } else {
                        self.failed = Some(Error::Read { path: self.path.clone(), source: error });
                    }
                }
            }
            if self.source.greedy && !end && filled < limit {
                continue;
            }
            let (used, need) = self.cut(buffer.get(..filled).unwrap_or_default(), block, inventory);
            if end && !self.ended {
                self.ended = true;
                let have = filled.saturating_sub(used);
                let cut = if self.skip > 0 {
                    // Nobody knows whether the length is right.
                    Some(format!("{} more bytes of a block should follow; packets in what was there of it were passed over", self.skip))
                } else {
                    (have > 0).then(|| {
                        format!(
                            "{have} of at least {need} bytes of the next record are there; the file was cut off, or is still being written"
                        )
                    })
                };
                if let (Some(cut), None) = (cut, &self.failed) {
                    let text = format!("not complete {} {cut}", self.place(inventory));
                    self.set_damage(inventory, text);
                }
            }
            if self.ended {
                return filled;
            }
            if !block.is_empty() {
                self.carry.extend_from_slice(buffer.get(used..filled).unwrap_or_default());
                return filled;
            }
            buffer.copy_within(used..filled, 0);
            filled = filled.saturating_sub(used);
            limit = usual.max(need);
            buffer.resize(buffer.len().max(limit), 0);
        }
    }

    /// Cuts the bytes into records and points the block at the frames. Gives how many bytes were dealt with and, if the rest is the beginning
    /// of a record, how long that is.
    fn cut(&mut self, bytes: &[u8], block: &mut Block, inventory: &mut Inventory) -> (usize, usize) {
        let index = self.start(inventory);
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip = self.skip.saturating_sub(skipped as u64);
        self.offset = self.offset.saturating_add(skipped as u64);
        let (mut used, mut need) = (skipped, 0);
        let mut seen = Seen { site: self.observer.site, ..Seen::default() };
        let mut damage = None;
        while self.skip == 0 {
            if let Format::Pcap(format) = &self.format {
                let before = used;
                (used, self.next_number) = seen.point_all(block, self.next_number, format, bytes, used);
                self.offset = self.offset.saturating_add(used.saturating_sub(before) as u64);
            }
            let rest = bytes.get(used..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let mut cx = Context {
                inventory,
                comments: &mut self.comments,
                name: &self.name,
                input: index,
                number: self.next_number,
                told: &mut self.told,
            };
            let step = match &mut self.format {
                Format::Pcap(format) => format.next(rest, &mut cx),
                Format::Pcapng(format) => format.next(rest, &mut cx),
            };
            let total = match step {
                Step::Frame(cut) => {
                    seen.point(block, self.next_number, used, cut);
                    self.next_number = self.next_number.saturating_add(1);
                    cut.total
                }
                Step::Other(total) => total,
                Step::Skip(total) => {
                    let here = usize::try_from(total).unwrap_or(usize::MAX).min(rest.len());
                    self.skip = total.saturating_sub(here as u64);
                    here
                }
                Step::Need(total) => {
                    need = total;
                    break;
                }
                Step::Damage(why) => {
                    damage = Some(why);
                    break;
                }
            };
            used = used.saturating_add(total);
            self.offset = self.offset.saturating_add(total as u64);
        }
        if let Some(input) = inventory.inputs.get_mut(index) {
            let odd_before = input.odd_times;
            // The times of a condensate were mended when it was made, and lie apart.
            let whole = self.told.head.is_none();
            if whole {
                self.clock.mend(block, [seen.first, seen.last], |odd| {
                    input.odd_times = input.odd_times.saturating_add(1);
                    input.first_odd_time.get_or_insert(odd);
                });
            }
            if input.odd_times > odd_before {
                seen.first = block.frames().map(|frame| frame.head.time).min().unwrap_or(seen.first);
                seen.last = block.frames().map(|frame| frame.head.time).max().unwrap_or(seen.last);
            }
            seen.add_to(input);
        }
        if let Some(why) = damage {
            self.ended = true;
            let text = format!("damaged {} {why}", self.place(inventory));
            self.set_damage(inventory, text);
        }
        (used, need)
    }

    /// Enters the input into the inventory when it is read for the first time.
    fn start(&mut self, inventory: &mut Inventory) -> usize {
        if let Some(index) = self.input {
            return index;
        }
        let format = match self.format {
            Format::Pcap(_) => "pcap",
            Format::Pcapng(_) => "pcapng",
        };
        let format = if self.source.compression.is_some() { format!("{format}, {}", self.source.name()) } else { format.to_owned() };
        let index = inventory.inputs.len();
        inventory.inputs.push(Input { observer: self.observer.clone(), ..Input::new(self.path.clone(), format) });
        self.input = Some(index);
        index
    }

    /// The place reached, to go on behind it.
    fn place(&self, inventory: &Inventory) -> String {
        let frames = self.input.and_then(|index| inventory.inputs.get(index)).map_or(0, |input| input.frames);
        match frames {
            0 => format!("at byte {}, before the first frame:", self.offset),
            _ => format!("at byte {}, after frame {frames}:", self.offset),
        }
    }

    /// The first damage is the one that counts: what follows is its consequence.
    fn set_damage(&mut self, inventory: &mut Inventory, text: String) {
        let index = self.start(inventory);
        if let Some(input) = inventory.inputs.get_mut(index) {
            input.damage.get_or_insert(text);
        }
    }
}

/// What one fill found.
struct Seen {
    site: Site,
    frames: u64,
    captured: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Default for Seen {
    fn default() -> Self {
        Self { site: Site::NONE, frames: 0, captured: 0, first: Timestamp::MAX, last: Timestamp::MIN }
    }
}

impl Seen {
    /// Points the block at the frame of the record that begins at `at`.
    #[inline]
    fn point(&mut self, block: &mut Block, number: u64, at: usize, cut: Cut) {
        let Cut { time, link, interface, original_len, start, len, total: _ } = cut;
        block.point(
            FrameHead { number, time, link, interface, site: self.site, original_len },
            u32::try_from(at.saturating_add(start)).unwrap_or(u32::MAX),
            len,
        );
        self.frames = self.frames.saturating_add(1);
        self.captured = self.captured.saturating_add(u64::from(len));
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }

    /// Points the block at frames from `at` on, as long as nothing is odd about them. Gives where they end, and the number behind the last.
    ///
    /// That is nearly all records of nearly all captures, one after another without a look at anything else.
    #[inline(never)]
    fn point_all(&mut self, block: &mut Block, mut number: u64, format: &Pcap, bytes: &[u8], mut at: usize) -> (usize, u64) {
        let Some(header) = format.header() else { return (at, number) };
        let mut seen = Self { ..*self };
        while let Some(cut) = bytes.get(at..).and_then(|rest| header.frame(rest)) {
            seen.point(block, number, at, cut);
            number = number.saturating_add(1);
            at = at.saturating_add(cut.total);
        }
        *self = seen;
        (at, number)
    }

    fn add_to(&self, input: &mut Input) {
        input.frames = input.frames.saturating_add(self.frames);
        input.bytes = input.bytes.saturating_add(self.captured);
        if self.frames > 0 {
            input.first = Some(input.first.map_or(self.first, |before| before.min(self.first)));
            input.last = Some(input.last.map_or(self.last, |before| before.max(self.last)));
        }
    }
}

/// Why decompression ended before its end.
fn unpack_failure(compression: &str, bytes: u64, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => format!("the {compression} data is cut off; {bytes} bytes could be decompressed"),
        _ => format!("the {compression} data is damaged; {bytes} bytes could be decompressed ({error})"),
    }
}

/// Whether a file that cannot be unpacked says by its name that there was a capture in it.
fn is_named_a_capture(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    [".pcap.", ".pcapng.", ".cap."].iter().any(|middle| name.contains(middle))
}

/// Bytes that tell the formats apart.
const HEAD: usize = 12;

/// Bytes asked of a pipe at a time: what Linux lets one hold.
const PIPE_BYTES: usize = 64 << 10;

/// Bytes that tell what a file is that is no capture.
const TELLING: usize = 512;
