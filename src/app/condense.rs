//! `handshark condense`: the packets of the handshakes begun in a window of time, with what is to be known of all others.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use zstd::stream::write::Encoder;

use super::job::Job;
use super::{is_dash, kept, naming, stop_on_signal, unless_interrupted};
use crate::capture::{self, FrameSource, Inventory};
use crate::cli::{CondenseOptions, Secrets};
use crate::condensate::{self, Counted, Head, Tail};
use crate::count::Count;
use crate::error::Error;
use crate::find::Criteria;
use crate::output::condensate::CondensateWriter;
use crate::output::delivery::{Delivery, Manner};
use crate::output::figures::counted;
use crate::output::pcapng::{InterfaceDescription, PacketRecord};
use crate::output::say::say;
use crate::pipeline::{Condensed, Division, Kept, Window, condense as pass};
use crate::shard::Shard;
use crate::site::Observer;
use crate::time::Timestamp;
use crate::wording::count;

/// Condenses and writes.
pub(super) fn condense(options: &CondenseOptions) -> anyhow::Result<()> {
    let everything = Criteria::default();
    let job = Job { criteria: &everything, ..Job::new(&options.inputs, &options.query, stop_on_signal()?) };
    let parts = parts(options)?;
    let outputs: Vec<&Path> = parts.iter().map(|(_, path)| path.as_path()).collect();
    let kept = kept(&options.inputs, &options.query, &outputs);
    let manner = Manner { force: options.force, inputs: &kept, ..Manner::default() };
    let begin = if parts.len() > 1 { Delivery::begin_file } else { Delivery::begin };
    if parts.len() > 1 {
        // The shards' directories are named by what is written there.
        for directory in outputs.iter().filter_map(|path| path.parent()) {
            fs::create_dir_all(directory).map_err(|source| Error::Write { what: directory.display().to_string(), source })?;
        }
    }
    let mut targets = outputs.iter().map(|path| begin(path, &manner)).collect::<Result<Vec<_>, _>>()?;
    let mut source = job.open()?;
    let head = head(options, source.as_ref())?;
    let written = write(options, &head, &parts, source.as_mut(), &job, &mut targets);
    let written = written.map_err(|error| {
        naming(error, |source| match targets.first() {
            Some(target) => target.failed(source),
            None => Error::Write { what: "the condensate".to_owned(), source },
        })
    })?;
    unless_interrupted()?;
    for target in targets {
        target.deliver()?;
    }
    let place = if is_dash(&options.output) { "standard output".into() } else { options.output.display().to_string() };
    let behind = match written.behind {
        0 => String::new(),
        behind => format!(", and {} behind it of what began in it", count(behind)),
    };
    say(format!("kept {} of {} in the window{behind}: {place}", count(written.within), counted(written.frames, "frame", "frames")));
    Ok(())
}

/// What is written, and where to: the shards and the side table, or one condensate of everything.
fn parts(options: &CondenseOptions) -> anyhow::Result<Vec<(Option<Shard>, PathBuf)>> {
    let named = options.output.to_str().filter(|path| path.contains(PLACE));
    match (options.shards, named) {
        (None, None) => Ok(vec![(None, options.output.clone())]),
        (Some(of), Some(path)) => {
            Ok(Shard::all(of).map(|shard| (Some(shard), PathBuf::from(path.replace(PLACE, &shard.name())))).collect())
        }
        (Some(_), None) => {
            bail!(
                "{} is one name, and each shard needs one of its own; write {PLACE} in it: -o '{PLACE}/0900.pcapng.zst'",
                options.output.display()
            )
        }
        (None, Some(path)) => bail!("{path} has a place for a shard's name, and there are none without --shards"),
    }
}

/// What is known before the first packet.
fn head(options: &CondenseOptions, source: &dyn FrameSource) -> anyhow::Result<Head> {
    if source.inventory().account.is_some() {
        bail!("these are condensates; condense the captures that they were made of");
    }
    let files = source.files();
    let mut observers: Vec<Observer> = files.iter().map(|(path, _)| options.query.analysis.observer.or(&Observer::of_path(path))).collect();
    observers.dedup();
    let observer = match observers.as_slice() {
        [one] => one.clone(),
        [] => Observer::NONE,
        [one, other, ..] => bail!(
            "a condensate is of one sensor, and these are captures of {} and {}; condense each by itself, or say --site and --sensor",
            told(one),
            told(other)
        ),
    };
    let mut named = Vec::new();
    for (path, first) in files {
        // Of an only file it was not looked for.
        let first = first.or_else(|| if is_dash(path) { None } else { capture::first_time(path) });
        named.push(condensate::File { first: first.map(Timestamp::nanos), path: name(path, options.root.as_deref())? });
    }
    Ok(Head {
        condensate: if options.shards.is_some() { condensate::SHARD_VERSION } else { condensate::VERSION },
        shard: None,
        site: observer.site.name().map(|name| name.to_string()),
        sensor: observer.sensor.map(|name| name.to_string()),
        since: options.since.map(Timestamp::nanos),
        until: options.until.map(Timestamp::nanos),
        files: named,
    })
}

fn told(observer: &Observer) -> String {
    let site = observer.site.name();
    format!("site {} sensor {}", site.as_deref().unwrap_or("(none)"), observer.sensor.as_deref().unwrap_or("(none)"))
}

/// A file's name as reports will tell it.
fn name(path: &Path, root: Option<&Path>) -> anyhow::Result<String> {
    let shown = match root {
        None => path,
        Some(root) => path
            .strip_prefix(root)
            .with_context(|| format!("{} does not lie in {}, the root that its name is to be told from", path.display(), root.display()))?,
    };
    Ok(shown.display().to_string())
}

/// What was written.
struct Written {
    /// Frames of the window that were kept, and from behind it.
    within: u64,
    behind: u64,
    /// All frames of the window.
    frames: u64,
}

/// Where a part is written to, compressed or not.
enum Out<'a> {
    Plain(&'a mut Delivery),
    Packed(Encoder<'static, &'a mut Delivery>),
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Packed(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Packed(out) => out.flush(),
        }
    }
}

impl Out<'_> {
    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Packed(out) => out.finish()?.flush(),
        }
    }
}

fn write(
    options: &CondenseOptions,
    head: &Head,
    parts: &[(Option<Shard>, PathBuf)],
    source: &mut dyn FrameSource,
    job: &Job<'_>,
    targets: &mut [Delivery],
) -> anyhow::Result<Written> {
    let packed = options.output.extension().is_some_and(|extension| extension == "zst");
    let mut pens = Vec::new();
    for ((shard, _), target) in parts.iter().zip(targets) {
        let out = if packed { Out::Packed(Encoder::new(target, LEVEL)?) } else { Out::Plain(target) };
        pens.push(Pen {
            writer: CondensateWriter::new(out, &Head { shard: *shard, ..head.clone() })?,
            shard: *shard,
            keeps_secrets: options.secrets == Secrets::Keep && shard.is_none_or(|shard| !shard.is_side()),
            head,
            root: options.root.as_deref(),
            numbers: Vec::new(),
            secrets: 0,
            names: 0,
        });
    }
    let window = Window { since: options.since.unwrap_or(Timestamp::MIN), until: options.until.unwrap_or(Timestamp::MAX) };
    let division = options.shards.map(|shards| Division { shards, without_secrets: options.secrets == Secrets::Drop });
    let Condensed { mut tail, within, behind } = pass(source, window, division, &job.stop, &mut |inventory, part, kept| {
        pens.get_mut(part).map_or(Ok(()), |pen| pen.put(inventory, kept))
    })?;
    let inventory = source.inventory();
    let Some(first) = pens.first() else { return Ok(Written { within: 0, behind: 0, frames: 0 }) };
    tail.files.retain_mut(|counted| {
        let path = inventory.inputs.get(counted.file as usize).map(|input| input.path.as_path());
        let place = path.and_then(|path| first.file(path));
        counted.file = place.unwrap_or_default();
        place.is_some()
    });
    let frames = tail.files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.frames));
    for mut pen in pens {
        if pen.shard.is_none_or(Shard::is_first) {
            for interface in 0..u32::try_from(inventory.interfaces.len()).unwrap_or(u32::MAX) {
                pen.statistics(inventory, interface)?;
            }
        }
        let tail = pen.tail(&tail);
        pen.writer.finish(&tail)?.finish()?;
    }
    Ok(Written { within, behind, frames })
}

/// Writes what is kept.
struct Pen<'a, W: Write> {
    writer: CondensateWriter<W>,
    shard: Option<Shard>,
    keeps_secrets: bool,
    head: &'a Head,
    root: Option<&'a Path>,
    /// By interface, its number in the condensate.
    numbers: Vec<Option<u32>>,
    /// How many of the inventory's secrets and names were written.
    secrets: usize,
    names: usize,
}

impl<W: Write> Pen<'_, W> {
    fn put(&mut self, inventory: &Inventory, kept: Kept<'_>) -> io::Result<()> {
        match kept {
            Kept::Packet { frame, place, comments } => {
                let interface = self.interface(inventory, frame.head.interface)?;
                self.beside(inventory)?;
                let (time, original_len, bytes) = (frame.head.time, frame.head.original_len, frame.bytes);
                self.writer.packet(&PacketRecord { interface, time, original_len, bytes, comments }, place)
            }
            Kept::Mark { head, place, joins } => {
                let interface = self.interface(inventory, head.interface)?;
                let linked = joins & condensate::LINKED;
                let joins = match (joins & !condensate::LINKED).checked_sub(1) {
                    Some(before) => self.interface(inventory, before)?.saturating_add(1) | linked,
                    None => 0,
                };
                self.writer.mark(interface, head.time, place, joins)
            }
            Kept::Late { head, place, late } => {
                let interface = self.interface(inventory, head.interface)?;
                self.writer.late(interface, head.time, place, late)
            }
            Kept::Told { head, place, interface, told } => {
                let seen_at = self.interface(inventory, interface)?;
                let interface = self.interface(inventory, head.interface)?;
                self.writer.told(interface, head.time, place, seen_at, told)
            }
        }
    }

    /// What is to be remembered of all frames: what is counted stands in the first shard alone, so that all shards add up to the whole.
    fn tail(&self, whole: &Tail) -> Tail {
        if self.shard.is_none_or(Shard::is_first) {
            return whole.clone();
        }
        let files = whole.files.iter().map(|file| Counted { frames: 0, bytes: 0, odd: None, damage: None, ..file.clone() });
        Tail { files: files.collect(), times: whole.times, quiet_until: whole.quiet_until, ..Tail::default() }
    }

    /// Names and keys that have turned up.
    fn beside(&mut self, inventory: &Inventory) -> io::Result<()> {
        if self.names < inventory.names.len() {
            self.writer.names(inventory.names.iter().skip(self.names).map(|(address, name)| (*address, name.as_str())))?;
            self.names = inventory.names.len();
        }
        if self.keeps_secrets && self.secrets < inventory.secrets.len() {
            let log: Vec<u8> = inventory.secrets.iter().skip(self.secrets).flat_map(|line| line.iter().copied().chain([b'\n'])).collect();
            self.writer.secrets(&log)?;
            self.secrets = inventory.secrets.len();
        }
        Ok(())
    }

    /// The number of an interface, which is described when it is needed for the first time.
    fn interface(&mut self, inventory: &Inventory, interface: u32) -> io::Result<u32> {
        let place = interface as usize;
        if self.numbers.len() <= place {
            self.numbers.resize(place.saturating_add(1), None);
        }
        if let Some(Some(number)) = self.numbers.get(place) {
            return Ok(*number);
        }
        let known = inventory.interfaces.get(place).ok_or_else(|| io::Error::other("a frame of no interface"))?;
        let input = known.input;
        let path = inventory.inputs.get(input).map(|input| input.path.clone()).unwrap_or_default();
        let file = self.file(&path).ok_or_else(|| io::Error::other("a frame of no file"))?;
        let before = inventory.interfaces.iter().take(place).filter(|other| other.input == input).count();
        let number = self.writer.interface(
            &InterfaceDescription {
                link: known.link,
                snaplen: known.snaplen,
                name: &known.name,
                description: known.description.as_deref(),
                filter: known.filter.as_deref(),
            },
            file,
            u32::try_from(before).unwrap_or(u32::MAX),
        )?;
        if let Some(slot) = self.numbers.get_mut(place) {
            *slot = Some(number);
        }
        Ok(number)
    }

    /// A file's place in the head.
    fn file(&self, path: &Path) -> Option<u32> {
        let name = name(path, self.root).ok()?;
        self.head.files.iter().position(|file| file.path == name).and_then(|place| u32::try_from(place).ok())
    }

    /// What an interface received and dropped, if its file says so.
    fn statistics(&mut self, inventory: &Inventory, interface: u32) -> io::Result<()> {
        let Some(known) = inventory.interfaces.get(interface as usize) else { return Ok(()) };
        if known.received.is_none() && known.dropped.is_none() {
            return Ok(());
        }
        let number = self.interface(inventory, interface)?;
        let until = inventory.inputs.get(known.input).and_then(|input| input.last).unwrap_or_default();
        self.writer.statistics(number, until, known.received.map(Count::get), known.dropped.map(Count::get))
    }
}

/// What stands for a shard's name in the name of the output.
const PLACE: &str = "{shard}";

/// What is condensed is read once or twice, and most of it is encrypted: to compress it harder costs more than it spares.
const LEVEL: i32 = -3;
