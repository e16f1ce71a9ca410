//! `handshark slice`: the packets of chosen handshakes, as a capture that says why.
//!
//! Three passes over the same input: verdicts first, then which frames belong to the chosen handshakes (a fragment is only known by the
//! frame that completes its packet), then the writing.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, bail};
use data_encoding::HEXLOWER_PERMISSIVE;

use super::case::Case;
use super::{is_dash, naming, stop_on_signal, unless_interrupted};
use crate::capture::Inventory;
use crate::cli::{Analysis, Secrets, SliceOptions};
use crate::count::Count;
use crate::diagnosis::cause::Cause;
use crate::find::{Criteria, Filter};
use crate::flow::{Endpoint, FlowKey};
use crate::frame::{Block, Frame, SLICER};
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::output::delivery::{Delivery, Manner};
use crate::output::figures::counted;
use crate::output::pcapng::{InterfaceDescription, PacketRecord, PcapngWriter};
use crate::output::say::say;
use crate::packet::{Decoder, Packet};
use crate::report::{Handshake, Id, Sink};
use crate::time::Timestamp;

/// Cuts and writes.
pub(super) fn slice(options: &SliceOptions) -> anyhow::Result<()> {
    let everything = Criteria::default();
    // What was not asked for may have to go along.
    let case = Case { criteria: &everything, ..Case::new(&options.inputs, &options.query, stop_on_signal()?) };
    if case.piped() {
        bail!("slice reads its input three times and cannot read a pipe; save it to a file first");
    }
    // It is read again before it is handed over.
    let manner = Manner { force: options.force, inputs: &options.inputs, ..Manner::default() };
    let mut target = Delivery::begin(&options.output, &manner)?.staged()?;
    let mut chosen = Chosen::new(Filter::new(options.query.criteria.clone()), Arc::clone(&case.begin));
    let summary = case.run(&mut chosen)?;
    if chosen.handshakes == 0 {
        let of = counted(summary.handshakes, "handshake", "handshakes");
        bail!("none of {of} is what was asked for; nothing was written (`handshark --all FILE` lists them all)");
    }
    let mut frames = cut(options, &case, &mut chosen, &mut target)?;
    // A verdict may rest on other handshakes with the same server. Where it does, some of them go along.
    let mut strayed = strayed(&case, &chosen, &target)?;
    for most in [FEW, MANY] {
        if strayed.is_empty() || !chosen.add_context(&strayed, most) {
            break;
        }
        frames = cut(options, &case, &mut chosen, &mut target)?;
        strayed = self::strayed(&case, &chosen, &target)?;
    }
    unless_interrupted()?;
    target.deliver()?;
    let place = if is_dash(&options.output) { "standard output".into() } else { options.output.display().to_string() };
    let context = match chosen.context {
        0 => String::new(),
        more => format!(", and of {more} more with the same servers on which their verdicts rest"),
    };
    say(format!(
        "wrote {} of {}{context} to {place}",
        counted(frames as u64, "packet", "packets"),
        counted(chosen.handshakes, "handshake", "handshakes"),
    ));
    if !strayed.is_empty() {
        say(format!(
            "the verdict on {} of them rests on what lies outside the slice; the comments are right, reading the slice alone says less",
            strayed.len()
        ));
    }
    Ok(())
}

/// Marks and writes. Gives the number of packets.
fn cut(options: &SliceOptions, case: &Case<'_>, chosen: &mut Chosen, target: &mut Delivery) -> anyhow::Result<usize> {
    unless_interrupted()?;
    let marked = mark(case, chosen)?;
    let mut source = case.open()?;
    let written = target.restart().map_err(anyhow::Error::new);
    let written = written.and_then(|()| write(&mut *target, options, source.as_mut(), chosen, &marked));
    written.map_err(|error| naming(error, |source| target.failed(source)))?;
    Ok(marked.frames.len())
}

/// The servers of those handshakes on which the slice, read alone, gives another verdict.
fn strayed(case: &Case<'_>, chosen: &Chosen, slice: &Delivery) -> anyhow::Result<BTreeMap<Id, Endpoint>> {
    let inputs = [slice.draft().context("the slice is not kept")?.to_owned()];
    let analysis = Analysis { filter: None, ..case.analysis.clone() };
    let (stop, begin) = (Arc::clone(&case.stop), Arc::default());
    let again = Case { inputs: &inputs, analysis: &analysis, stop, begin, progress: false, ..*case };
    let mut verdicts = Verdicts::default();
    again.run(&mut verdicts)?;
    let strays = chosen.verdicts.iter().filter(|(id, (verdict, _))| verdicts.0.get(*id) != Some(verdict));
    Ok(strays.map(|(id, (_, server))| (*id, *server)).collect())
}

/// Outcome, cause and who stopped it.
type Said = (Outcome, Option<Cause>, StoppedBy);

fn said(report: &Handshake<'_>) -> Said {
    (report.handshake.outcome, report.diagnosis.cause, report.diagnosis.stopped_by)
}

/// What is said of each handshake.
#[derive(Debug, Default)]
struct Verdicts(BTreeMap<Id, Said>);

impl Sink for Verdicts {
    fn handshake(&mut self, report: &Handshake<'_>) -> io::Result<()> {
        self.0.insert(report.handshake.id, said(report));
        Ok(())
    }
}

/// What is known of the chosen handshakes.
#[derive(Debug)]
struct Chosen {
    filter: Filter,
    /// The capture's first moment.
    begin: Arc<OnceLock<Timestamp>>,
    handshakes: u64,
    /// First and last frame of the handshake, and the last at which ICMP may still speak of it.
    flows: BTreeMap<FlowKey, Vec<(u64, u64, u64)>>,
    /// By frame.
    comments: BTreeMap<u64, Vec<String>>,
    /// Randoms of their ClientHellos: what keys are found by.
    randoms: BTreeSet<Vec<u8>>,
    /// By id: the verdict, and the server.
    verdicts: BTreeMap<Id, (Said, Endpoint)>,
    /// What else there is, by server, in the order of their frames. Bounded.
    others: BTreeMap<Endpoint, Vec<Other>>,
    others_held: usize,
    /// How many of those go along.
    context: usize,
}

/// A handshake that was not asked for.
#[derive(Debug, Clone, Copy)]
struct Other {
    key: FlowKey,
    first: u64,
    last: u64,
    taken: bool,
}

impl Sink for Chosen {
    fn handshake(&mut self, report: &Handshake<'_>) -> io::Result<()> {
        let Some(facts) = report.facts else { return Ok(()) };
        let (first, last) = (report.capture.first_frame, report.capture.last_frame);
        if !self.filter.takes(report, self.begin.get().copied()) {
            if self.others_held < OTHERS {
                self.others_held = self.others_held.saturating_add(1);
                self.others.entry(report.server).or_default().push(Other { key: facts.flow.key, first, last, taken: false });
            }
            return Ok(());
        }
        self.handshakes = self.handshakes.saturating_add(1);
        self.flows.entry(facts.flow.key).or_default().push((first, last, last.max(facts.closed_at.frame)));
        let diagnosis = &report.diagnosis;
        let cause = diagnosis
            .cause
            .zip(diagnosis.confidence)
            .map(|(cause, confidence)| format!(", {cause} ({}), stopped by {}", confidence.name(), diagnosis.stopped_by.name()));
        let verdict = format!("handshark: {}{}. {}", report.handshake.outcome.name(), cause.unwrap_or_default(), report.summary());
        self.comments.entry(first).or_default().insert(0, verdict);
        for piece in diagnosis.evidence.iter() {
            if let Some(mark) = piece.mark {
                self.comments.entry(mark.frame).or_default().push(format!("handshark: {}", piece.text));
            }
        }
        self.verdicts.insert(report.handshake.id, (said(report), report.server));
        self.randoms.extend(report.tls.as_ref().and_then(|tls| tls.client.as_ref()).map(|client| client.random.to_vec()));
        Ok(())
    }
}

impl Chosen {
    fn new(filter: Filter, begin: Arc<OnceLock<Timestamp>>) -> Self {
        Self {
            filter,
            begin,
            handshakes: 0,
            flows: BTreeMap::new(),
            comments: BTreeMap::new(),
            randoms: BTreeSet::new(),
            verdicts: BTreeMap::new(),
            others: BTreeMap::new(),
            others_held: 0,
            context: 0,
        }
    }

    /// Takes others with the servers of `strayed` along, `most` of each. False when there are none.
    fn add_context(&mut self, strayed: &BTreeMap<Id, Endpoint>, most: usize) -> bool {
        let before = self.context;
        for server in strayed.values().collect::<BTreeSet<_>>() {
            for other in self.others.get_mut(server).into_iter().flatten().take(most) {
                if std::mem::replace(&mut other.taken, true) {
                    continue;
                }
                self.context = self.context.saturating_add(1);
                self.flows.entry(other.key).or_default().push((other.first, other.last, other.last));
                let why = "handshark: not asked for; it goes along because verdicts on others with this server rest on it";
                self.comments.entry(other.first).or_default().push(why.to_owned());
            }
        }
        self.context > before
    }

    fn wants(&self, key: &FlowKey, frame: u64, icmp: bool) -> bool {
        let within = |&(first, last, quoted): &(u64, u64, u64)| (first..=if icmp { quoted } else { last }).contains(&frame);
        self.flows.get(key).is_some_and(|ranges| ranges.iter().any(within))
    }
}

/// What is to be written.
#[derive(Debug, Default)]
struct Marked {
    /// Frames in order.
    frames: Vec<u64>,
    interfaces: BTreeSet<u32>,
    addresses: BTreeSet<IpAddr>,
    /// The end of the capture.
    end: Timestamp,
}

fn mark(case: &Case<'_>, chosen: &mut Chosen) -> anyhow::Result<Marked> {
    let mut source = case.open()?;
    let mut decoder = Decoder::new();
    let mut marked = Marked::default();
    let mut block = Block::default();
    while source.fill(&mut block)? {
        for frame in block.frames() {
            marked.end = marked.end.max(frame.head.time);
            let number = frame.head.number;
            let (wanted, joined) = match decoder.decode(&frame) {
                Packet::Tcp(segment) => (chosen.wants(&segment.key, number, false), segment.ip.was_fragmented),
                Packet::Udp(datagram) => (chosen.wants(&datagram.key, number, false), datagram.ip.was_fragmented),
                Packet::IcmpError(error) => {
                    let wanted = chosen.wants(&error.key, number, true);
                    if wanted {
                        marked.addresses.insert(error.reporter);
                    }
                    (wanted, false)
                }
                Packet::Skipped(_) => (false, false),
            };
            if wanted {
                marked.frames.push(number);
                marked.interfaces.insert(frame.head.interface);
                if joined {
                    marked.frames.extend_from_slice(decoder.joined_frames());
                }
            }
        }
    }
    decoder.finish(marked.end);
    for (key, frames) in decoder.take_lost_frames() {
        if frames.iter().any(|frame| chosen.wants(&key, *frame, true)) {
            marked.frames.extend(frames);
        }
    }
    marked.frames.sort_unstable();
    marked.frames.dedup();
    marked.addresses.extend(chosen.flows.keys().flat_map(|key| [key.low.address, key.high.address]));
    let inventory = source.inventory();
    marked.end = marked.end.max(inventory.quiet_until.unwrap_or(Timestamp::MIN));
    // What others had remarked on these packets comes first.
    for (frame, text) in inventory.comments.iter().rev() {
        if let Some(frame) = frame.filter(|frame| marked.frames.binary_search(frame).is_ok()) {
            let comments = chosen.comments.entry(frame).or_default();
            if !comments.contains(text) {
                comments.insert(0, text.clone());
            }
        }
    }
    Ok(marked)
}

fn write(
    out: impl Write,
    options: &SliceOptions,
    source: &mut dyn crate::capture::FrameSource,
    chosen: &Chosen,
    marked: &Marked,
) -> anyhow::Result<()> {
    let application = format!("{SLICER}{}", env!("CARGO_PKG_VERSION"));
    let comment = format!(
        "The packets of {}, cut by handshark {} from {}. The verdicts are comments on their packets.",
        counted(chosen.handshakes, "handshake", "handshakes"),
        env!("CARGO_PKG_VERSION"),
        names_of(&options.inputs)
    );
    let mut writer = PcapngWriter::new(out, &application, Some(&comment))?;
    let mut numbers: BTreeMap<u32, u32> = BTreeMap::new();
    let mut next = marked.frames.iter().copied().peekable();
    let mut block = Block::default();
    let mut begun = false;
    while next.peek().is_some() && source.fill(&mut block)? {
        for frame in block.frames() {
            let number = frame.head.number;
            while next.next_if(|wanted| *wanted < number).is_some() {}
            if next.next_if_eq(&number).is_none() {
                continue;
            }
            if !begun {
                begun = true;
                prologue(&mut writer, options, source.inventory(), chosen, marked)?;
            }
            let interface = match numbers.get(&frame.head.interface) {
                Some(known) => *known,
                None => describe(&mut writer, source.inventory(), &frame, &mut numbers)?,
            };
            let comments = chosen.comments.get(&number).map(Vec::as_slice).unwrap_or_default();
            writer.packet(&PacketRecord {
                interface,
                time: frame.head.time,
                original_len: frame.head.original_len,
                bytes: frame.bytes,
                comments,
            })?;
        }
    }
    // The counters of an interface come behind all its packets.
    while source.fill(&mut block)? {}
    for (original, interface) in &numbers {
        let known = source.inventory().interfaces.get(*original as usize);
        writer.statistics(
            *interface,
            marked.end,
            known.and_then(|known| known.received).map(Count::get),
            known.and_then(|known| known.dropped).map(Count::get),
        )?;
    }
    writer.finish().context("the end of the capture")?;
    Ok(())
}

/// Names and keys, as far as they belong to what is written.
fn prologue<W: Write>(
    writer: &mut PcapngWriter<W>,
    options: &SliceOptions,
    inventory: &Inventory,
    chosen: &Chosen,
    marked: &Marked,
) -> io::Result<()> {
    let mut names = inventory.names.iter().filter(|(address, _)| marked.addresses.contains(address)).peekable();
    if names.peek().is_some() {
        writer.names(names.map(|(address, name)| (*address, name.as_str())))?;
    }
    if options.secrets == Secrets::Keep {
        let of_chosen = inventory.secrets.iter().filter(|line| is_key_of(line, &chosen.randoms));
        let log: Vec<u8> = of_chosen.flat_map(|line| line.iter().copied().chain([b'\n'])).collect();
        if !log.is_empty() {
            writer.secrets(&log)?;
        }
    }
    Ok(())
}

/// A line of a key log is a label, the client's random and the secret.
fn is_key_of(line: &[u8], randoms: &BTreeSet<Vec<u8>>) -> bool {
    let random = line.split(|byte| *byte == b' ').nth(1).and_then(|random| HEXLOWER_PERMISSIVE.decode(random).ok());
    random.is_some_and(|random| randoms.contains(&random))
}

fn describe<W: Write>(
    writer: &mut PcapngWriter<W>,
    inventory: &Inventory,
    frame: &Frame<'_>,
    numbers: &mut BTreeMap<u32, u32>,
) -> io::Result<u32> {
    let known = inventory.interfaces.get(frame.head.interface as usize);
    let number = writer.interface(&InterfaceDescription {
        link: frame.head.link,
        snaplen: known.map_or(0, |known| known.snaplen),
        name: known.map_or("", |known| &known.name),
        description: known.and_then(|known| known.description.as_deref()),
        filter: known.and_then(|known| known.filter.as_deref()),
    })?;
    numbers.insert(frame.head.interface, number);
    Ok(number)
}

fn names_of(inputs: &[PathBuf]) -> String {
    let shown: Vec<String> = inputs.iter().take(3).map(|path| path.display().to_string()).collect();
    match inputs.len().saturating_sub(3) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Others of a server that go along at first where a verdict needs them; if they do not help, so many.
const FEW: usize = 24;
const MANY: usize = 4096;
/// Others remembered.
const OTHERS: usize = 1 << 18;
