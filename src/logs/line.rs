//! What a line of a log says: when, of whom, and of what process or connection.

use std::net::IpAddr;

use super::journal::Record;
use super::moment;
use crate::flow::Endpoint;
use crate::limits;
use crate::time::{Timestamp, Zone};

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it was written, by the log's clock.
    pub time: Option<Timestamp>,
    /// Whom it names.
    pub peers: Vec<Peer>,
    /// What it says, without its time.
    pub text: Box<str>,
}

/// An address that a line names, with a port where it names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: Option<u16>,
}

impl Line {
    /// Reads a line as it stands; with what ties it to others of the same process or connection.
    pub(super) fn read(text: &str, zone: &Zone, written: Timestamp) -> (Self, Option<String>) {
        let (time, rest) = match moment::find(text, zone, written) {
            Some((time, behind)) => (Some(time), text.get(behind..).unwrap_or_default()),
            None => (None, text),
        };
        Self::of(time, rest, text)
    }

    /// Of a record of the journal.
    pub(super) fn of_record(record: &Record) -> (Self, Option<String>) {
        let text = record.line();
        Self::of(record.time(), &text, &text)
    }

    fn of(time: Option<Timestamp>, text: &str, whole: &str) -> (Self, Option<String>) {
        let text = text.trim_start_matches([']', ' ', ':']).trim_end();
        let cut = text.char_indices().nth(limits::LOG_TEXT).map_or(text.len(), |(at, _)| at);
        let line = Self { time, peers: peers(whole), text: text.get(..cut).unwrap_or_default().into() };
        (line, thread(whole))
    }

    /// It is about TLS, in any of the words that programs have for it.
    pub(super) fn speaks_of_tls(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        WORDS.iter().any(|word| text.contains(word))
    }

    /// It names this client: with this port, or with none.
    pub(super) fn speaks_of(&self, client: Endpoint, server: Endpoint) -> bool {
        let of_client =
            |peer: &&Peer| peer.address == client.address && (peer.port != Some(server.port) || server.address != client.address);
        let mut named = self.peers.iter().filter(of_client).peekable();
        named.peek().is_some() && named.any(|peer| peer.port.is_none_or(|port| port == client.port))
    }

    /// It names this client's port.
    pub(super) fn names_port(&self, client: Endpoint) -> bool {
        self.peers.contains(&Peer { address: client.address, port: Some(client.port) })
    }
}

/// The addresses in a line, the first few of them.
fn peers(text: &str) -> Vec<Peer> {
    let mut found: Vec<Peer> = Vec::new();
    // Whole words: `routines::bad` holds no address, though its end looks like one.
    let of_word = |c: char| c.is_alphanumeric() || matches!(c, '.' | ':' | '[' | ']' | '%' | '-' | '_');
    for word in text.split(|c: char| !of_word(c)) {
        if let Some(peer) = peer(word) {
            if !found.contains(&peer) {
                found.push(peer);
            }
            if found.len() >= PEERS {
                break;
            }
        }
    }
    // `host=192.0.2.1 port=40000`, as PostgreSQL has it.
    if let [only] = found.as_mut_slice()
        && only.port.is_none()
    {
        only.port = text.split_once(" port=").and_then(|(_, rest)| number(rest));
    }
    found
}

/// `192.0.2.1`, `192.0.2.1:40000`, `[2001:db8::1]:40000`, `unknown[192.0.2.1]:40000`, with what stands around it.
fn peer(word: &str) -> Option<Peer> {
    let word = word.trim_end_matches(['.', ':']).trim_start_matches('.');
    if word.len() < SHORTEST_ADDRESS || word.len() > LONGEST_ADDRESS {
        return None;
    }
    let (address, rest) = if let Some((_, inner)) = word.rsplit_once('[') {
        inner.split_once(']')?
    } else {
        let word = word.split(']').next().unwrap_or(word);
        match word.rsplit_once(':') {
            // IPv4, or as an IPv6 socket shows it, with its port.
            Some((address, _)) if address.contains('.') && (!address.contains(':') || address.starts_with("::")) => {
                word.split_at_checked(address.len())?
            }
            _ => (word, ""),
        }
    };
    let address: IpAddr = address.parse().ok()?;
    Some(Peer { address: address.to_canonical(), port: rest.strip_prefix(':').and_then(number) })
}

/// The number with which a text begins.
fn number(text: &str) -> Option<u16> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

/// What lines of one process or connection have in common: nginx's number of the connection, else what stands in brackets.
fn thread(text: &str) -> Option<String> {
    if let Some(connection) = text.split(" *").nth(1).map(digits).filter(|digits| !digits.is_empty() && text.contains('#')) {
        return Some(format!("*{connection}"));
    }
    let mut before = "";
    for part in text.split('[').take(BRACKETS) {
        if let Some((inside, _)) = part.split_once(']') {
            let of_process = inside.strip_prefix("pid ").or_else(|| (!inside.is_empty()).then_some(inside)).unwrap_or_default();
            if of_process.starts_with(|c: char| c.is_ascii_digit())
                && of_process.bytes().all(|byte| byte.is_ascii_digit() || b":tid ".contains(&byte))
            {
                // stunnel's level is no part of its name.
                let name = before.rsplit([' ', ']']).next().unwrap_or_default();
                let name = if name.strip_prefix("LOG").is_some_and(|level| level.len() == 1) { "LOG" } else { name };
                let end = name.len().min(LONGEST_NAME);
                return Some(format!("{} {of_process}", name.get(..end).unwrap_or_default()));
            }
        }
        before = part;
    }
    None
}

fn digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// What lines about TLS hold, in small letters.
const WORDS: &[&str] = &["ssl", "tls", "handshake", "certificate", "x509", "proxy protocol"];
/// Addresses taken from a line.
const PEERS: usize = 4;
/// Brackets looked into.
const BRACKETS: usize = 8;
/// Letters of a process's name.
const LONGEST_NAME: usize = 32;
/// `::1` is the shortest address, and a bracketed one with a port the longest.
const SHORTEST_ADDRESS: usize = 3;
const LONGEST_ADDRESS: usize = 64;
