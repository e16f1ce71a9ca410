//! The key log format of NSS (`SSLKEYLOGFILE`, RFC 9850): one line a secret, `LABEL client_random secret`, in hexadecimal.
//!
//! What is not understood is counted, never an error: a log that is cut off in the middle of a line, or written by several programs at once,
//! still gives what is whole in it. Unknown labels are somebody's extension and no fault.

use std::collections::VecDeque;
use std::fmt;

use foldhash::quality::RandomState;
use hashbrown::HashMap;

use crate::limits;

/// A secret of a connection. Its bytes are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    bytes: [u8; Self::MOST],
    len: u8,
}

/// What a line's secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// `CLIENT_RANDOM`: the master secret of TLS ≤ 1.2, extended or not.
    Master,
    /// `CLIENT_EARLY_TRAFFIC_SECRET`.
    ClientEarly,
    /// `CLIENT_HANDSHAKE_TRAFFIC_SECRET`, `QUIC_CLIENT_HANDSHAKE_TRAFFIC_SECRET`.
    ClientHandshake,
    /// `SERVER_HANDSHAKE_TRAFFIC_SECRET`, `QUIC_SERVER_HANDSHAKE_TRAFFIC_SECRET`.
    ServerHandshake,
    /// `CLIENT_TRAFFIC_SECRET_0`, `QUIC_CLIENT_TRAFFIC_SECRET_0`.
    ClientApplication,
    /// `SERVER_TRAFFIC_SECRET_0`, `QUIC_SERVER_TRAFFIC_SECRET_0`.
    ServerApplication,
}

/// The secrets of one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    slots: [Option<Secret>; Label::COUNT],
}

/// Secrets by the client's random.
#[derive(Debug, Clone, Default)]
pub struct KeyLog {
    connections: HashMap<[u8; RANDOM_LEN], Box<Secrets>, RandomState>,
    /// In the order in which they came: the oldest goes first when there are too many.
    order: VecDeque<[u8; RANDOM_LEN]>,
    counts: SecretCounts,
}

/// What was in the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SecretCounts {
    /// Secrets taken.
    pub secrets: u64,
    /// Lines that are no key log lines, or cut.
    pub malformed: u64,
    /// Connections whose secrets were thrown out because too many are held: see [`limits::KEY_LOG_CONNECTIONS`].
    pub left_out: u64,
}

/// Bytes of a client's random.
const RANDOM_LEN: usize = 32;

impl Secret {
    /// The longest hash of any suite, with room.
    const MOST: usize = 64;

    /// A secret of at most 64 bytes.
    pub fn new(secret: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MOST];
        bytes.get_mut(..secret.len())?.copy_from_slice(secret);
        Some(Self { bytes, len: u8::try_from(secret.len()).ok()? })
    }

    /// The secret itself, for key derivation.
    pub fn expose(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.len)
    }
}

impl Label {
    const COUNT: usize = 6;

    /// The label of a line; `None` for those that open nothing (exporters, ECH) or are not known.
    fn read(word: &[u8]) -> Option<Self> {
        let word = word.strip_prefix(b"QUIC_").unwrap_or(word);
        Some(match word {
            b"CLIENT_RANDOM" => Self::Master,
            b"CLIENT_EARLY_TRAFFIC_SECRET" => Self::ClientEarly,
            b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => Self::ClientHandshake,
            b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => Self::ServerHandshake,
            b"CLIENT_TRAFFIC_SECRET_0" => Self::ClientApplication,
            b"SERVER_TRAFFIC_SECRET_0" => Self::ServerApplication,
            _ => return None,
        })
    }
}

impl Secrets {
    /// The secret for this purpose, if the log has it.
    pub fn get(&self, label: Label) -> Option<&Secret> {
        self.slots.get(label as usize)?.as_ref()
    }

    /// Sets a secret; a later line of the same label and random replaces an earlier one.
    pub fn set(&mut self, label: Label, secret: Secret) {
        if let Some(slot) = self.slots.get_mut(label as usize) {
            *slot = Some(secret);
        }
    }
}

impl KeyLog {
    /// The secrets of the connection whose `ClientHello` has this random.
    pub fn get(&self, client_random: &[u8]) -> Option<&Secrets> {
        let random: &[u8; RANDOM_LEN] = client_random.try_into().ok()?;
        self.connections.get(random).map(Box::as_ref)
    }

    /// The secrets of connections, those that came last first.
    pub fn latest(&self) -> impl Iterator<Item = &Secrets> {
        self.order.iter().rev().filter_map(|random| self.connections.get(random)).map(Box::as_ref)
    }

    /// What was in the lines so far.
    pub const fn counts(&self) -> SecretCounts {
        self.counts
    }

    /// Connections with at least one secret.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there is no secret at all.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Reads one line, without its end.
    pub fn add_line(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return;
        }
        match read_line(line) {
            Line::Secret(label, random, secret) => {
                self.counts.secrets = self.counts.secrets.saturating_add(1);
                self.entry(random).set(label, secret);
            }
            Line::Other => {}
            Line::Malformed => self.counts.malformed = self.counts.malformed.saturating_add(1),
        }
    }

    /// The secrets of a connection, room being made for one that is new.
    fn entry(&mut self, random: [u8; RANDOM_LEN]) -> &mut Secrets {
        if !self.connections.contains_key(&random) {
            if self.order.len() >= limits::KEY_LOG_CONNECTIONS
                && let Some(oldest) = self.order.pop_front()
            {
                self.connections.remove(&oldest);
                self.counts.left_out = self.counts.left_out.saturating_add(1);
            }
            self.order.push_back(random);
        }
        self.connections.entry(random).or_default()
    }

    /// Adds what another log holds.
    pub fn extend(&mut self, other: &Self) {
        for random in &other.order {
            let Some(secrets) = other.connections.get(random) else { continue };
            let known = self.entry(*random);
            for (slot, secret) in known.slots.iter_mut().zip(&secrets.slots) {
                if secret.is_some() {
                    slot.clone_from(secret);
                }
            }
        }
        self.counts.secrets = self.counts.secrets.saturating_add(other.counts.secrets);
        self.counts.malformed = self.counts.malformed.saturating_add(other.counts.malformed);
        self.counts.left_out = self.counts.left_out.saturating_add(other.counts.left_out);
    }
}

enum Line {
    Secret(Label, [u8; RANDOM_LEN], Secret),
    /// A label that opens nothing.
    Other,
    Malformed,
}

fn read_line(line: &[u8]) -> Line {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (Some(word), Some(random), Some(secret), None) = (words.next(), words.next(), words.next(), words.next()) else {
        // `RSA Session-ID:… Master-Key:…` of old programs has three words as well, and no random.
        return if line.starts_with(b"RSA ") { Line::Other } else { Line::Malformed };
    };
    if !word.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_') {
        return Line::Malformed;
    }
    let Some(label) = Label::read(word) else { return Line::Other };
    let hex = |text: &[u8]| data_encoding::HEXLOWER_PERMISSIVE.decode(text).ok();
    let random = hex(random).and_then(|bytes| <[u8; RANDOM_LEN]>::try_from(bytes).ok());
    // A master secret has 48 bytes, a traffic secret the length of its hash.
    let fits = |bytes: &Vec<u8>| bytes.len() == 48 || (label != Label::Master && bytes.len() == 32);
    let secret = hex(secret).filter(fits).and_then(|bytes| Secret::new(&bytes));
    match (random, secret) {
        (Some(random), Some(secret)) => Line::Secret(label, random, secret),
        _ => Line::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RANDOM: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";

    fn log(text: &str) -> KeyLog {
        let mut log = KeyLog::default();
        text.lines().for_each(|line| log.add_line(line.as_bytes()));
        log
    }

    #[test]
    fn secrets_are_found_by_random_and_label() {
        let master = "ab".repeat(48);
        let traffic = "cd".repeat(32);
        let log = log(&format!(
            "# a comment\n\nCLIENT_RANDOM {RANDOM} {master}\r\nSERVER_HANDSHAKE_TRAFFIC_SECRET {RANDOM} {traffic}\nEXPORTER_SECRET {RANDOM} {traffic}\n"
        ));
        let random: Vec<u8> = (0..32).collect();
        let secrets = log.get(&random).unwrap();
        assert_eq!(secrets.get(Label::Master).unwrap().expose(), [0xab; 48]);
        assert_eq!(secrets.get(Label::ServerHandshake).unwrap().expose(), [0xcd; 32]);
        assert_eq!(secrets.get(Label::ClientHandshake), None);
        assert_eq!((log.len(), log.counts().secrets, log.counts().malformed), (1, 2, 0));
    }

    #[test]
    fn what_is_malformed_is_counted_and_the_rest_is_used() {
        let whole = format!("CLIENT_RANDOM {RANDOM} {}", "ab".repeat(48));
        let cut = whole.get(..whole.len() - 3).unwrap();
        let log = log(&format!("{cut}\nnonsense\nCLIENT_RANDOM {RANDOM} {}\nCLIENT_RANDOM xx yy\n{whole}\n", "ab".repeat(32)));
        assert_eq!((log.counts().malformed, log.counts().secrets), (4, 1));
    }

    /// A run of weeks meets more connections than are held: the secrets that are needed are the latest.
    #[test]
    fn the_oldest_secrets_go_first() {
        let mut log = KeyLog::default();
        let line = |number: usize| format!("CLIENT_RANDOM {number:064x} {}", "ab".repeat(48));
        for number in 0..=limits::KEY_LOG_CONNECTIONS {
            log.add_line(line(number).as_bytes());
        }
        assert_eq!((log.len(), log.counts().left_out), (limits::KEY_LOG_CONNECTIONS, 1));
        assert!(log.get(&[0; 32]).is_none());
        let mut last = [0; 32];
        last[24..].copy_from_slice(&(limits::KEY_LOG_CONNECTIONS as u64).to_be_bytes());
        assert!(log.get(&last).is_some());
    }

    #[test]
    fn secrets_are_not_shown() {
        let log = log(&format!("CLIENT_RANDOM {RANDOM} {}", "ab".repeat(48)));
        let shown = format!("{log:?}");
        assert!(!shown.contains("abab") && !shown.contains("171") && shown.contains("48 bytes"), "{shown}");
    }

    proptest! {
        #[test]
        fn arbitrary_lines_do_no_harm(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..120), 0..8)) {
            let mut log = KeyLog::default();
            for line in &lines {
                log.add_line(line);
            }
            prop_assert!(log.is_empty());
        }
    }
}
