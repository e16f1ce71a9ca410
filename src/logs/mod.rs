//! Floor 1: logs of servers and clients beside a capture. Lines go in, those that speak of TLS are kept with when they were written and of whom
//! they speak; which handshake they are about follows from addresses, ports, names and times.
//!
//! Formats are recognised line by line by what they hold, not by a name: a time, addresses, and what ties a line without an address to the one
//! before it (nginx, Apache, HAProxy, Envoy, Postfix, Dovecot, PostgreSQL, stunnel, syslog, the journal's export and JSON). A log is written by
//! strangers: lines are cut, their number is bounded, and their text is escaped wherever it is shown.
//!
//! - `line`: what a line says; `moment`: when; `journal`: records of the journal made lines

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::flow::Endpoint;
use crate::limits;
use crate::time::{Timestamp, Zone};

mod journal;
mod line;
mod moment;
#[cfg(test)]
mod tests;

pub use line::{Line, Peer};

/// Lines of logs that speak of TLS.
#[derive(Debug, Default)]
pub struct Logs {
    files: Vec<String>,
    lines: Vec<Kept>,
    /// Lines by the addresses that they name.
    by_address: BTreeMap<IpAddr, Vec<u32>>,
    bytes: usize,
    read: u64,
    left_out: u64,
}

/// A line, and where it stands.
#[derive(Debug)]
struct Kept {
    file: u32,
    number: u64,
    line: Line,
}

/// A line that is about a handshake.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The file's name.
    pub file: &'a str,
    /// The line's number in it, from 1.
    pub number: u64,
    /// When it was written, by the log's clock.
    pub time: Option<Timestamp>,
    /// What it says, without its time.
    pub text: &'a str,
}

/// A handshake as logs may speak of it.
#[derive(Debug, Clone, Copy)]
pub struct Subject {
    /// Its client.
    pub client: Endpoint,
    /// Its server.
    pub server: Endpoint,
    /// Its first moment.
    pub begin: Timestamp,
    /// When it was over.
    pub end: Timestamp,
}

/// Reads one log, line by line.
#[derive(Debug)]
pub struct Reader<'a> {
    logs: &'a mut Logs,
    file: u32,
    number: u64,
    zone: &'a Zone,
    written: Timestamp,
    /// Whom the last lines of each process or connection spoke of.
    threads: BTreeMap<String, Vec<Peer>>,
    journal: journal::Record,
}

impl Logs {
    /// Begins a log: `name` as it is to be shown, `zone` of the times that name none, `written` when it was last written to (it gives the year to
    /// times that have none).
    pub fn file<'a>(&'a mut self, name: String, zone: &'a Zone, written: Timestamp) -> Reader<'a> {
        self.files.push(name);
        let file = u32::try_from(self.files.len().saturating_sub(1)).unwrap_or(u32::MAX);
        Reader { logs: self, file, number: 0, zone, written, threads: BTreeMap::new(), journal: journal::Record::default() }
    }

    /// Whether no line speaks of TLS.
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many lines were read, kept because they speak of TLS, and left out beyond the limits.
    pub const fn counts(&self) -> (u64, usize, u64) {
        (self.read, self.lines.len(), self.left_out)
    }

    /// The lines about a handshake, in order, each with its place among all and whether it names the client's port; `ahead` is how far the log's clock is ahead of the capture's, in nanoseconds.
    pub fn about(&self, subject: Subject, ahead: i64) -> impl Iterator<Item = (u32, bool, Said<'_>)> {
        let (begin, end) = (subject.begin, subject.end);
        let (from, to) = (begin.before(EARLY), end.after(LATE));
        let client = subject.client;
        let in_time = move |(_, kept): &(u32, &Kept)| {
            kept.line.time.is_some_and(|time| {
                let time = Timestamp::from_nanos(time.nanos().saturating_sub(ahead));
                // Whole seconds are cut off, not rounded.
                from <= time && time <= to
            })
        };
        let server = subject.server;
        let lines = self.of(client.address).filter(move |(_, kept)| kept.line.speaks_of(client, server)).filter(in_time);
        lines.map(move |(place, kept)| (place, kept.line.names_port(client), self.said(kept)))
    }

    /// How far the log's clock may be ahead of the capture's, by each line that may be about a handshake, in nanoseconds; whether the line names
    /// the client's port.
    pub fn distances(&self, subject: Subject) -> impl Iterator<Item = (i64, bool)> {
        let (client, server, end) = (subject.client, subject.server, subject.end);
        let lines = self.of(client.address).filter(move |(_, kept)| kept.line.speaks_of(client, server));
        lines.filter_map(move |(_, kept)| Some((kept.line.time?.nanos().saturating_sub(end.nanos()), kept.line.names_port(client))))
    }

    fn of(&self, address: IpAddr) -> impl Iterator<Item = (u32, &Kept)> {
        let places = self.by_address.get(&address).map_or(&[] as &[u32], Vec::as_slice);
        places.iter().filter_map(|place| Some((*place, self.lines.get(*place as usize)?)))
    }

    fn said<'a>(&'a self, kept: &'a Kept) -> Said<'a> {
        let file = self.files.get(kept.file as usize).map_or("", String::as_str);
        Said { file, number: kept.number, time: kept.line.time, text: &kept.line.text }
    }

    fn keep(&mut self, file: u32, number: u64, line: Line) {
        let bytes = line.text.len().saturating_add(LINE_OVERHEAD);
        if self.bytes.saturating_add(bytes) > limits::LOG_BYTES {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        let place = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        for peer in &line.peers {
            let places = self.by_address.entry(peer.address).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
        self.lines.push(Kept { file, number, line });
    }
}

impl Reader<'_> {
    /// Takes the next line, without its end; of a longer one than [`limits::LOG_LINE`] the rest is left out.
    pub fn line(&mut self, bytes: &[u8]) {
        self.number = self.number.saturating_add(1);
        self.logs.read = self.logs.read.saturating_add(1);
        let text = String::from_utf8_lossy(bytes.get(..limits::LOG_LINE).unwrap_or(bytes));
        match self.journal.take(&text) {
            journal::Taken::No => self.enter(Line::read(&text, self.zone, self.written)),
            journal::Taken::Whole(record) => self.enter(Line::of_record(&record)),
            journal::Taken::Part => {}
        }
    }

    /// Ends the log.
    pub fn finish(mut self) {
        if let Some(record) = self.journal.end() {
            self.enter(Line::of_record(&record));
        }
    }

    /// Keeps a line that speaks of TLS. One that names nobody speaks of whom the last line of the same process or connection named.
    fn enter(&mut self, (mut line, thread): (Line, Option<String>)) {
        if let Some(thread) = thread {
            if line.peers.is_empty() {
                line.peers = self.threads.get(&thread).cloned().unwrap_or_default();
            } else {
                if self.threads.len() >= THREADS {
                    self.threads.clear();
                }
                self.threads.insert(thread, line.peers.clone());
            }
        }
        if line.speaks_of_tls() && !line.peers.is_empty() {
            self.logs.keep(self.file, self.number, line);
        }
    }
}

/// How far the log's clock is ahead of the capture's, from the distances of lines that may be about handshakes: where most of them lie close
/// together. Zero where too few do, for by chance some always do.
pub fn ahead(mut distances: Vec<(i64, bool)>) -> i64 {
    distances.sort_unstable();
    let window = i64::try_from(WINDOW.as_nanos()).unwrap_or(i64::MAX);
    // A line that names the port is worth more than one that names the address only.
    let worth = |exact: bool| if exact { 4_u64 } else { 1 };
    let mut best = (0_u64, i64::MAX, 0_i64);
    let (mut start, mut sum) = (0, 0_u64);
    for (end, (distance, exact)) in distances.iter().enumerate() {
        sum = sum.saturating_add(worth(*exact));
        while let Some((_, early)) = distances.get(start).filter(|(first, _)| distance.saturating_sub(*first) > window) {
            sum = sum.saturating_sub(worth(*early));
            start = start.saturating_add(1);
        }
        let middle = distances.get(start.saturating_add(end) / 2).map_or(0, |(middle, _)| *middle);
        if (sum, std::cmp::Reverse(middle.saturating_abs())) > (best.0, std::cmp::Reverse(best.1)) {
            best = (sum, middle.saturating_abs(), middle);
        }
    }
    let (sum, far, middle) = best;
    let near = i64::try_from(LATE.as_nanos()).unwrap_or(i64::MAX);
    if far <= near || sum >= CERTAIN { middle } else { 0 }
}

/// A line may be written so long before a handshake's first packet, by clocks that were set alike and a log of whole seconds.
const EARLY: Duration = Duration::from_millis(1500);
/// And so long after it was over.
const LATE: Duration = Duration::from_millis(2500);
/// Distances that lie so close together are of one clock.
const WINDOW: Duration = Duration::from_millis(1500);
/// The worth of lines that shows that a clock is wrong by more than that.
const CERTAIN: u64 = 4;
/// Bytes that a kept line takes besides its text.
const LINE_OVERHEAD: usize = 160;
/// Processes and connections whose last lines are remembered.
const THREADS: usize = 1 << 14;
