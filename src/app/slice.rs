//! `handshark slice`: the packets of chosen handshakes, as a capture that says why.
//!
//! The input is read twice: for the verdicts, then to copy the packets of the chosen handshakes. Where it holds IP fragments it is read once more
//! in between, for whose a fragment is shows in the frame that completes its packet.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::iter;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, bail};
use data_encoding::HEXLOWER_PERMISSIVE;
use foldhash::quality::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::job::Job;
use super::{is_dash, kept, naming, stop_on_signal, unless_interrupted};
use crate::capture::{FrameSource, Inventory};
use crate::cli::{Analysis, Secrets, SliceOptions};
use crate::condensate::is_captured;
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
use crate::packet::{Decoder, Packet, Skip};
use crate::report::{Handshake, Id, Sink, Summary, VERSION};
use crate::time::Timestamp;

/// Cuts and writes.
pub(super) fn slice(options: &SliceOptions) -> anyhow::Result<()> {
    let everything = Criteria::default();
    // What was not asked for may have to go along.
    let job = Job { criteria: &everything, ..Job::new(&options.inputs, &options.query, stop_on_signal()?) };
    if job.piped() {
        bail!("slice reads its input twice and cannot read a pipe; save it to a file first");
    }
    // It is read again before it is handed over.
    let kept = kept(&options.inputs, &options.query, &[&options.output]);
    let manner = Manner { force: options.force, inputs: &kept, ..Manner::default() };
    let mut target = Delivery::begin(&options.output, &manner)?.staged()?;
    let mut chosen = Chosen::new(Filter::new(options.query.criteria.clone()), options.secrets, Arc::clone(&job.begin));
    let summary = job.run(&mut chosen)?;
    if chosen.handshakes == 0 {
        let of = counted(summary.handshakes, "handshake", "handshakes");
        bail!("none of {of} is what was asked for; nothing was written (`handshark --all FILE` lists them all)");
    }
    let cut = Cut { options, job: &job, end: summary.times.map_or(Timestamp::MIN, |(_, last)| last), fragments: has_fragments(&summary) };
    let mut packets = cut.write(&chosen, &mut target)?;
    // A verdict may rest on other handshakes with the same server. Where it does, some of them go along.
    // What holds every packet says what the original says.
    let mut strayed = if options.all_packets { BTreeMap::new() } else { strayed(&job, &chosen, &target)? };
    for most in [FEW, MANY] {
        // Both, and not the one or the other.
        if strayed.is_empty() || !(chosen.add_cited(&strayed, &job)? | chosen.add_context(&strayed, most)) {
            break;
        }
        packets = cut.write(&chosen, &mut target)?;
        strayed = self::strayed(&job, &chosen, &target)?;
    }
    unless_interrupted()?;
    target.deliver()?;
    let place = if is_dash(&options.output) { "standard output".into() } else { options.output.display().to_string() };
    let context = match chosen.context {
        0 => String::new(),
        more => format!(", and of {more} more with the same servers or clients on which their verdicts rest"),
    };
    let cited = match chosen.cited_flows {
        0 => String::new(),
        more => format!(", and of {} that their evidence names", counted(more, "connection", "connections")),
    };
    let (packets, handshakes) = (counted(packets, "packet", "packets"), counted(chosen.handshakes, "handshake", "handshakes"));
    if options.all_packets {
        say(format!("wrote all {packets} to {place}, with comments on {handshakes}"));
    } else {
        say(format!("wrote {packets} of {handshakes}{context}{cited} to {place}"));
    }
    if !strayed.is_empty() {
        say(format!(
            "the verdict on {} of them is based on packets outside the slice; the comments are right, but reading the slice alone says less",
            strayed.len()
        ));
    }
    Ok(())
}

/// Whose a handshake is.
#[derive(Debug, Clone, Copy)]
struct Ends {
    client: IpAddr,
    server: Endpoint,
}

/// The ends of those handshakes on which the slice, read alone, gives another verdict.
fn strayed(job: &Job<'_>, chosen: &Chosen, slice: &Delivery) -> anyhow::Result<BTreeMap<Id, Ends>> {
    let inputs = [slice.draft().context("the slice is not kept")?.to_owned()];
    let analysis = Analysis { filter: None, ..job.analysis.clone() };
    let (stop, begin) = (Arc::clone(&job.stop), Arc::default());
    let again = Job { inputs: &inputs, analysis: &analysis, stop, begin, progress: false, ..*job };
    let mut verdicts = Verdicts::default();
    again.run(&mut verdicts)?;
    let strays = chosen.verdicts.iter().filter(|(id, (verdict, _))| verdicts.0.get(*id) != Some(verdict));
    Ok(strays.map(|(id, (_, ends))| (*id, *ends)).collect())
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
    secrets: Secrets,
    /// The capture's first moment.
    begin: Arc<OnceLock<Timestamp>>,
    handshakes: u64,
    flows: HashMap<FlowKey, SmallVec<[Frames; 1]>, RandomState>,
    addresses: BTreeSet<IpAddr>,
    /// Answers of the DNS on which verdicts rest.
    answers: BTreeSet<u64>,
    /// By frame.
    comments: BTreeMap<u64, Vec<String>>,
    /// Randoms of their ClientHellos, where keys are to be kept: what those are found by.
    randoms: BTreeSet<Vec<u8>>,
    /// By id: the verdict, and whose it is.
    verdicts: BTreeMap<Id, (Said, Ends)>,
    /// What else there is, by server, in the order of their frames. Bounded.
    others: BTreeMap<Endpoint, Vec<Other>>,
    others_held: usize,
    /// How many of those go along.
    context: usize,
    /// Frames outside of a handshake that its evidence names.
    cited: BTreeMap<Id, Vec<u64>>,
    /// How many connections go along for that.
    cited_flows: usize,
}

/// Which frames of a flow belong to a handshake.
#[derive(Debug, Clone, Copy)]
struct Frames {
    first: u64,
    last: u64,
    /// The last at which ICMP may still speak of it.
    quoted: u64,
}

/// A handshake that was not asked for.
#[derive(Debug, Clone)]
struct Other {
    /// Of its packets: several where these came by several ways.
    keys: SmallVec<[FlowKey; 2]>,
    client: IpAddr,
    first: u64,
    last: u64,
    taken: bool,
}

impl Other {
    /// Takes it along: its flows, its frames, and what is said of it. `None` when it goes along already.
    fn take(&mut self, with: &str) -> Option<(SmallVec<[FlowKey; 2]>, Frames, String)> {
        let new = !std::mem::replace(&mut self.taken, true);
        let why = || format!("handshark: not asked for; it goes along because verdicts on others with this {with} rest on it");
        new.then(|| (self.keys.clone(), Frames { first: self.first, last: self.last, quoted: self.last }, why()))
    }
}

impl Sink for Chosen {
    fn handshake(&mut self, report: &Handshake<'_>) -> io::Result<()> {
        let Some(facts) = report.facts else { return Ok(()) };
        let (first, last) = (report.capture.first_frame, report.capture.last_frame);
        if !self.filter.takes(report, self.begin.get().copied()) {
            if self.others_held < OTHERS {
                self.others_held = self.others_held.saturating_add(1);
                let keys = iter::once(facts.flow.packets_key()).chain(facts.flow.other_packets_keys()).collect();
                self.others.entry(report.server).or_default().push(Other {
                    keys,
                    client: report.client.address,
                    first,
                    last,
                    taken: false,
                });
            }
            return Ok(());
        }
        self.handshakes = self.handshakes.saturating_add(1);
        for key in iter::once(facts.flow.packets_key()).chain(facts.flow.other_packets_keys()) {
            self.add(key, Frames { first, last, quoted: last.max(facts.closed_at.frame) });
        }
        if let Some(looked_up) = &facts.looked_up {
            let records = looked_up.tlsa.as_ref().map(|records| records.mark);
            let records = records.into_iter().chain(looked_up.ech.as_ref().map(|record| record.mark));
            self.answers.extend(records.chain(looked_up.policy.as_ref().map(|policy| policy.mark)).map(|mark| mark.frame));
        }
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
        let frames = diagnosis.evidence.iter().filter_map(|piece| piece.mark).map(|mark| mark.frame);
        let cited: Vec<u64> = frames.filter(|frame| !(first..=last).contains(frame)).collect();
        if !cited.is_empty() {
            self.cited.insert(report.handshake.id, cited);
        }
        self.verdicts.insert(report.handshake.id, (said(report), Ends { client: report.client.address, server: report.server }));
        if self.secrets == Secrets::Keep {
            self.randoms.extend(report.tls.as_ref().and_then(|tls| tls.client.as_ref()).map(|client| client.random.to_vec()));
        }
        Ok(())
    }
}

impl Chosen {
    fn new(filter: Filter, secrets: Secrets, begin: Arc<OnceLock<Timestamp>>) -> Self {
        Self {
            filter,
            secrets,
            begin,
            handshakes: 0,
            flows: HashMap::default(),
            addresses: BTreeSet::new(),
            answers: BTreeSet::new(),
            comments: BTreeMap::new(),
            randoms: BTreeSet::new(),
            verdicts: BTreeMap::new(),
            others: BTreeMap::new(),
            others_held: 0,
            context: 0,
            cited: BTreeMap::new(),
            cited_flows: 0,
        }
    }

    /// Takes others with the servers of `strayed` along, `most` of each; where there are no more of them, others of their clients. False when there are
    /// none of either.
    fn add_context(&mut self, strayed: &BTreeMap<Id, Ends>, most: usize) -> bool {
        let before = self.context;
        let mut taken = Vec::new();
        for server in strayed.values().map(|ends| ends.server).collect::<BTreeSet<_>>() {
            for other in self.others.get_mut(&server).into_iter().flatten().take(most) {
                taken.extend(other.take("server"));
            }
        }
        if taken.is_empty() {
            for client in strayed.values().map(|ends| ends.client).collect::<BTreeSet<_>>() {
                for other in self.others.values_mut().flatten().filter(|other| other.client == client).take(most) {
                    taken.extend(other.take("client"));
                }
            }
        }
        self.context = self.context.saturating_add(taken.len());
        for (_, frames, why) in &taken {
            self.comments.entry(frames.first).or_default().push(why.clone());
        }
        for (keys, frames, _) in taken {
            keys.into_iter().for_each(|key| self.add(key, frames));
        }
        self.context > before
    }

    /// Takes along the connections of frames that the evidence for `strayed` names, each from its beginning up to that frame. False when there are none.
    fn add_cited(&mut self, strayed: &BTreeMap<Id, Ends>, job: &Job<'_>) -> anyhow::Result<bool> {
        let frames: BTreeSet<u64> = strayed.keys().filter_map(|id| self.cited.remove(id)).flatten().collect();
        let Some(last) = frames.last().copied() else { return Ok(false) };
        let before = self.cited_flows;
        let mut source = job.open()?;
        let (mut decoder, mut block) = (Decoder::new(), Block::default());
        while source.fill(&mut block)? {
            for frame in block.frames() {
                let number = frame.head.number;
                if number > last {
                    return Ok(self.cited_flows > before);
                }
                let packet = decoder.decode(&frame);
                let key = match &packet {
                    Packet::Tcp(segment) => segment.key,
                    Packet::Udp(datagram) | Packet::Eapol(datagram) => datagram.key,
                    Packet::IcmpError(_) | Packet::Skipped(_) => continue,
                };
                if frames.contains(&number) && !self.wants(&key, number, false) {
                    self.cited_flows = self.cited_flows.saturating_add(1);
                    self.add(key, Frames { first: 0, last: number, quoted: number });
                }
            }
        }
        Ok(self.cited_flows > before)
    }

    fn add(&mut self, key: FlowKey, frames: Frames) {
        self.addresses.extend([key.low.address, key.high.address]);
        self.flows.entry(key).or_default().push(frames);
    }

    fn wants(&self, key: &FlowKey, frame: u64, icmp: bool) -> bool {
        let within = |frames: &Frames| (frames.first..=if icmp { frames.quoted } else { frames.last }).contains(&frame);
        self.flows.get(key).is_some_and(|all| all.iter().any(within))
    }

    /// Whether a packet belongs to one of them.
    fn take(&self, packet: &Packet<'_>, frame: u64) -> bool {
        match packet {
            Packet::Tcp(segment) => self.wants(&segment.key, frame, false),
            Packet::Udp(_) if self.answers.contains(&frame) => true,
            Packet::Udp(datagram) | Packet::Eapol(datagram) => self.wants(&datagram.key, frame, false),
            Packet::IcmpError(error) => self.wants(&error.key, frame, true),
            Packet::Skipped(_) => false,
        }
    }

    /// Stretches of frames outside of which there is nothing to take, in order.
    fn stretches(&self) -> Vec<(u64, u64)> {
        let mut all: Vec<(u64, u64)> = self.flows.values().flatten().map(|frames| (frames.first, frames.quoted)).collect();
        all.sort_unstable();
        all.dedup_by(|next, before| {
            let touches = next.0 <= before.1.saturating_add(1);
            if touches {
                before.1 = before.1.max(next.1);
            }
            touches
        });
        all
    }
}

/// Whether there are IP fragments in what was read.
fn has_fragments(summary: &Summary) -> bool {
    summary.skipped.contains_key(Skip::Fragment.name())
}

/// Copies the packets of what was chosen.
struct Cut<'a> {
    options: &'a SliceOptions,
    job: &'a Job<'a>,
    /// The time of the last packet.
    end: Timestamp,
    /// There are IP fragments.
    fragments: bool,
}

impl Cut<'_> {
    /// Writes the slice, from its beginning. Gives the number of packets.
    fn write(&self, chosen: &Chosen, target: &mut Delivery) -> anyhow::Result<u64> {
        unless_interrupted()?;
        let fragments = if self.fragments && !self.options.all_packets { self.fragments_of(chosen)? } else { BTreeSet::new() };
        let mut source = self.job.open()?;
        let written = target.restart().map_err(anyhow::Error::new);
        let written = written.and_then(|()| self.copy(source.as_mut(), chosen, &fragments, &mut *target));
        written.map_err(|error| naming(error, |source| target.failed(source)))
    }

    /// The frames of fragmented packets.
    fn fragments_of(&self, chosen: &Chosen) -> anyhow::Result<BTreeSet<u64>> {
        let mut source = self.job.open()?;
        let mut decoder = Decoder::new();
        let mut fragments = BTreeSet::new();
        let mut block = Block::default();
        while source.fill(&mut block)? {
            for frame in block.frames() {
                let packet = decoder.decode(&frame);
                let joined = match &packet {
                    Packet::Tcp(segment) => segment.ip.was_fragmented,
                    Packet::Udp(datagram) | Packet::Eapol(datagram) => datagram.ip.was_fragmented,
                    Packet::IcmpError(_) | Packet::Skipped(_) => false,
                };
                if joined && chosen.take(&packet, frame.head.number) {
                    fragments.extend(decoder.joined_frames());
                    fragments.insert(frame.head.number);
                }
            }
        }
        decoder.finish(self.end);
        for (key, frames) in decoder.take_lost_frames() {
            if frames.iter().any(|frame| chosen.wants(&key, *frame, true)) {
                fragments.extend(frames);
            }
        }
        Ok(fragments)
    }

    fn copy(&self, source: &mut dyn FrameSource, chosen: &Chosen, fragments: &BTreeSet<u64>, out: impl Write) -> anyhow::Result<u64> {
        let all = self.options.all_packets;
        let mut slice = Slice { writer: self.begin(chosen, out)?, interfaces: BTreeMap::new(), named: None, names_read: 0, packets: 0 };
        let mut decoder = Decoder::new();
        let mut remarks = Remarks::default();
        let mut stretches = chosen.stretches().into_iter().peekable();
        let mut block = Block::default();
        // It is read to its end: the counters of an interface come behind all its packets.
        while source.fill(&mut block)? {
            remarks.read(source.inventory());
            for frame in block.frames().filter(|frame| is_captured(frame.head.link)) {
                let number = frame.head.number;
                while stretches.next_if(|(_, last)| *last < number).is_some() {}
                let within = stretches.peek().is_some_and(|(first, _)| *first <= number);
                let packet = (within && !all).then(|| decoder.decode(&frame));
                if all || fragments.contains(&number) || packet.as_ref().is_some_and(|packet| chosen.take(packet, number)) {
                    slice.names(source.inventory(), packet.as_ref(), self.options, chosen)?;
                    slice.packet(source.inventory(), &frame, &remarks.with(number, chosen.comments.get(&number)))?;
                }
            }
        }
        let inventory = source.inventory();
        let end = self.end.max(inventory.quiet_until.unwrap_or(Timestamp::MIN));
        for (original, interface) in &slice.interfaces {
            let known = inventory.interfaces.get(*original as usize);
            let (received, dropped) = (known.and_then(|known| known.received), known.and_then(|known| known.dropped));
            slice.writer.statistics(*interface, end, received.map(Count::get), dropped.map(Count::get))?;
        }
        slice.writer.finish().context("the end of the capture")?;
        Ok(slice.packets)
    }

    fn begin<W: Write>(&self, chosen: &Chosen, out: W) -> io::Result<PcapngWriter<W>> {
        let application = format!("{SLICER}{VERSION}");
        let (handshakes, names) = (counted(chosen.handshakes, "handshake", "handshakes"), names_of(&self.options.inputs));
        let comment = if self.options.all_packets {
            format!("All packets of {names}, written by handshark {VERSION}. The verdicts on {handshakes} are comments on their packets.")
        } else {
            format!("The packets of {handshakes}, cut by handshark {VERSION} from {names}. The verdicts are comments on their packets.")
        };
        PcapngWriter::new(out, &application, Some(&comment))
    }
}

/// A slice being written.
struct Slice<W: Write> {
    writer: PcapngWriter<W>,
    /// Numbers of the interfaces in the slice, by those in the input.
    interfaces: BTreeMap<u32, u32>,
    /// Addresses whose names were written, once the first packet is near.
    named: Option<BTreeSet<IpAddr>>,
    /// Names of the input that were looked at, where all of them are written.
    names_read: usize,
    packets: u64,
}

impl<W: Write> Slice<W> {
    /// Names and keys, as far as they belong to what is written: before the first packet, and the name of who reports an ICMP error before that.
    fn names(&mut self, inventory: &Inventory, packet: Option<&Packet<'_>>, options: &SliceOptions, chosen: &Chosen) -> io::Result<()> {
        let begins = self.named.is_none();
        let named = self.named.get_or_insert_default();
        let mut fresh: BTreeSet<IpAddr> = if options.all_packets {
            // A name may stand anywhere before the packets that need it.
            inventory
                .names
                .iter()
                .skip(std::mem::replace(&mut self.names_read, inventory.names.len()))
                .map(|(address, _)| *address)
                .collect()
        } else if begins {
            chosen.addresses.clone()
        } else {
            BTreeSet::new()
        };
        if let Some(Packet::IcmpError(error)) = packet {
            fresh.insert(error.reporter);
        }
        fresh.retain(|address| named.insert(*address));
        if !fresh.is_empty() {
            let mut names = inventory.names.iter().filter(|(address, _)| fresh.contains(address)).peekable();
            if names.peek().is_some() {
                self.writer.names(names.map(|(address, name)| (*address, name.as_str())))?;
            }
        }
        if begins && options.secrets == Secrets::Keep {
            let of_chosen = inventory.secrets.iter().filter(|line| is_key_of(line, &chosen.randoms));
            let log: Vec<u8> = of_chosen.flat_map(|line| line.iter().copied().chain([b'\n'])).collect();
            if !log.is_empty() {
                self.writer.secrets(&log)?;
            }
        }
        Ok(())
    }

    fn packet(&mut self, inventory: &Inventory, frame: &Frame<'_>, comments: &[String]) -> io::Result<()> {
        let interface = match self.interfaces.get(&frame.head.interface) {
            Some(known) => *known,
            None => self.describe(inventory, frame)?,
        };
        self.packets = self.packets.saturating_add(1);
        self.writer.packet(&PacketRecord {
            interface,
            time: frame.head.time,
            original_len: frame.head.original_len,
            bytes: frame.bytes,
            comments,
        })
    }

    fn describe(&mut self, inventory: &Inventory, frame: &Frame<'_>) -> io::Result<u32> {
        let known = inventory.interfaces.get(frame.head.interface as usize);
        let name = known.and_then(|known| known.own_name(inventory));
        // The description names the file where the interface has no name: of several files it says which.
        let file = known.filter(|known| name.is_none() && known.description.is_none()).map(|known| known.name.as_str());
        let number = self.writer.interface(&InterfaceDescription {
            link: frame.head.link,
            snaplen: known.map_or(0, |known| known.snaplen),
            name: name.unwrap_or_default(),
            description: file.or_else(|| known.and_then(|known| known.description.as_deref())),
            filter: known.and_then(|known| known.filter.as_deref()),
        })?;
        self.interfaces.insert(frame.head.interface, number);
        Ok(number)
    }
}

/// What others had remarked on the packets of the input, as far as it has been read.
#[derive(Debug, Default)]
struct Remarks {
    read: usize,
    by_frame: BTreeMap<u64, Vec<String>>,
}

impl Remarks {
    /// Takes what has come since the last call.
    fn read(&mut self, inventory: &Inventory) {
        for (frame, text) in inventory.comments.iter().skip(self.read) {
            if let Some(frame) = frame {
                self.by_frame.entry(*frame).or_default().push(text.clone());
            }
        }
        self.read = inventory.comments.len();
    }

    /// The comments of a packet: what others said comes first.
    fn with<'a>(&mut self, frame: u64, ours: Option<&'a Vec<String>>) -> Cow<'a, [String]> {
        let ours = ours.map(Vec::as_slice).unwrap_or_default();
        let Some(mut all) = self.by_frame.remove(&frame) else { return Cow::Borrowed(ours) };
        all.retain(|text| !ours.contains(text));
        all.extend_from_slice(ours);
        Cow::Owned(all)
    }
}

/// A line of a key log is a label, the client's random and the secret.
fn is_key_of(line: &[u8], randoms: &BTreeSet<Vec<u8>>) -> bool {
    let random = line.split(|byte| *byte == b' ').nth(1).and_then(|random| HEXLOWER_PERMISSIVE.decode(random).ok());
    random.is_some_and(|random| randoms.contains(&random))
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
