//! The keys of a connection, both directions, through its epochs.
//!
//! In TLS 1.3 a direction goes from early data (the client's, where it sends any) to handshake to application data, and on with each KeyUpdate;
//! the owner says when, for it reads the messages. Before, a direction has one key from its ChangeCipherSpec on.

use super::cbc::MacKeys;
use super::kdf::{prf10, prf12};
use super::keylog::{Label, Secret, Secrets};
use super::record::{Keys12, Keys13, Kind12, Sealed};
use super::suite::{Aead, Cipher, Protection};
use crate::flow::{PerSide, Side};
use crate::tls::registry::{CipherSuite, ContentType, ProtocolVersion};

/// What the keys of a connection follow from, beside its secrets.
#[derive(Debug, Clone, Copy)]
pub struct Parameters<'a> {
    /// The version chosen.
    pub version: ProtocolVersion,
    /// The suite chosen.
    pub suite: CipherSuite,
    /// `ClientHello.random`.
    pub client_random: &'a [u8],
    /// `ServerHello.random`.
    pub server_random: &'a [u8],
    /// The server agreed to encrypt-then-MAC (RFC 7366).
    pub encrypt_then_mac: bool,
}

/// Why there are no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// The suite or version is not one that can be opened here.
    Suite,
    /// The log lacks the secrets that this version needs, or they have the wrong length.
    Secrets,
}

/// What came of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// Its true type and content.
    Content(ContentType, Vec<u8>),
    /// Early data of the client, opened with the early secret: type and content.
    Early(ContentType, Vec<u8>),
    /// There is no key for this direction and epoch.
    NoKey,
    /// The key does not fit the record.
    Failed,
}

/// The keys of a connection.
#[derive(Debug)]
pub struct ConnectionKeys {
    epochs: Epochs,
    /// Records opened, by direction.
    opened: PerSide<u64>,
    /// Records may be missing before the next.
    torn: PerSide<bool>,
}

#[derive(Debug)]
enum Epochs {
    Tls13(Box<PerSide<Epochs13>>),
    Tls12(PerSide<Option<Keys12>>),
}

#[derive(Debug, Default)]
struct Epochs13 {
    early: Option<Keys13>,
    handshake: Option<Keys13>,
    application: Option<Keys13>,
    finished: bool,
}

impl ConnectionKeys {
    /// The keys that follow from a connection's secrets.
    ///
    /// # Errors
    /// When the suite cannot be opened here, or the secrets are not those that this version needs.
    pub fn new(secrets: &Secrets, parameters: Parameters<'_>) -> Result<Self, Unusable> {
        let protection = Protection::of(parameters.suite).ok_or(Unusable::Suite)?;
        let epochs = if parameters.version.is_tls13() {
            Epochs::Tls13(Box::new(epochs13(secrets, protection).ok_or(Unusable::Secrets)?))
        } else {
            let version = parameters.version.as_tls();
            if !matches!(version, ProtocolVersion::TLS10 | ProtocolVersion::TLS11 | ProtocolVersion::TLS12) {
                return Err(Unusable::Suite);
            }
            let master = secrets.get(Label::Master).ok_or(Unusable::Secrets)?;
            Epochs::Tls12(keys12(master, protection, parameters, version).ok_or(Unusable::Suite)?)
        };
        Ok(Self { epochs, opened: PerSide::default(), torn: PerSide::default() })
    }

    /// Opens the next record of a direction.
    pub fn open(&mut self, side: Side, sealed: Sealed<'_>) -> Opened {
        let reach = if *self.torn.of(side) { REACH } else { 1 };
        let result = match &mut self.epochs {
            Epochs::Tls13(sides) => {
                let epochs = sides.of_mut(side);
                let keys = if epochs.finished { &mut epochs.application } else { &mut epochs.handshake };
                let opened = keys.as_mut().map(|keys| keys.open_within(sealed, reach));
                match opened {
                    Some(Some((kind, text))) => Opened::Content(kind, text),
                    other => match epochs.early.as_mut().filter(|_| !epochs.finished).and_then(|keys| keys.open(sealed)) {
                        Some((kind, text)) => return Opened::Early(kind, text),
                        None if other.is_none() => Opened::NoKey,
                        None => Opened::Failed,
                    },
                }
            }
            Epochs::Tls12(sides) => match sides.of_mut(side) {
                None => Opened::NoKey,
                Some(keys) => keys.open_within(sealed, reach).map_or(Opened::Failed, |text| Opened::Content(sealed.content_type, text)),
            },
        };
        if matches!(result, Opened::Content(..)) {
            *self.torn.of_mut(side) = false;
            let count = self.opened.of_mut(side);
            *count = count.saturating_add(1);
        }
        result
    }

    /// The secrets of this direction's handshake are known.
    pub const fn knows(&self, side: Side) -> bool {
        match &self.epochs {
            Epochs::Tls13(sides) => sides.of(side).handshake.is_some(),
            Epochs::Tls12(sides) => sides.of(side).is_some(),
        }
    }

    /// Records of a direction opened so far.
    pub fn opened(&self, side: Side) -> u64 {
        *self.opened.of(side)
    }

    /// Bytes of a direction are missing: an unknown number of records before the next one is lost.
    pub const fn gap(&mut self, side: Side) {
        *self.torn.of_mut(side) = true;
    }

    /// Records of a direction may have been lost before the one at hand.
    pub const fn is_torn(&self, side: Side) -> bool {
        *self.torn.of(side)
    }

    /// A direction sent its Finished: TLS 1.3 goes on with the next key.
    pub const fn finished(&mut self, side: Side) {
        if let Epochs::Tls13(sides) = &mut self.epochs {
            sides.of_mut(side).finished = true;
        }
    }

    /// A direction sent a KeyUpdate.
    pub fn key_update(&mut self, side: Side) {
        if let Epochs::Tls13(sides) = &mut self.epochs {
            let epochs = sides.of_mut(side);
            epochs.application = epochs.application.as_ref().and_then(Keys13::next);
        }
    }

    /// A direction changes its keys to some that are not known: a second handshake inside the first.
    pub fn forget(&mut self, side: Side) {
        match &mut self.epochs {
            Epochs::Tls13(sides) => *sides.of_mut(side) = Epochs13::default(),
            Epochs::Tls12(sides) => *sides.of_mut(side) = None,
        }
    }
}

fn epochs13(secrets: &Secrets, protection: Protection) -> Option<PerSide<Epochs13>> {
    let keys = |label| secrets.get(label).and_then(|secret| Keys13::new(protection, secret));
    let client = Epochs13 {
        early: keys(Label::ClientEarly),
        handshake: keys(Label::ClientHandshake),
        application: keys(Label::ClientApplication),
        finished: false,
    };
    let server =
        Epochs13 { early: None, handshake: keys(Label::ServerHandshake), application: keys(Label::ServerApplication), finished: false };
    (client.handshake.is_some() || server.handshake.is_some()).then_some(PerSide { client, server })
}

/// The key block of TLS ≤ 1.2 (RFC 5246 section 6.3), cut up.
pub(super) fn keys12(
    master: &Secret,
    protection: Protection,
    parameters: Parameters<'_>,
    version: ProtocolVersion,
) -> Option<PerSide<Option<Keys12>>> {
    let Protection { cipher, mac, hash } = protection;
    let mac_len = if cipher.is_aead() { 0 } else { mac.len() };
    let chained = version == ProtocolVersion::TLS10 && cipher.block_len() > 1;
    let iv_len = match cipher {
        Cipher::ChaCha20Poly1305 => 12,
        _ if cipher.is_aead() => 4,
        _ if chained => cipher.block_len(),
        _ => 0,
    };
    let len = 2 * (mac_len + cipher.key_len() + iv_len);
    let seed = [parameters.server_random, parameters.client_random];
    let block = if version == ProtocolVersion::TLS12 {
        prf12(hash, master.expose(), b"key expansion", seed, len)
    } else {
        prf10(master.expose(), b"key expansion", seed, len)
    };
    let mut rest = block.as_slice();
    let mut take = |len: usize| {
        let (head, tail) = rest.split_at_checked(len)?;
        rest = tail;
        Some(head.to_vec())
    };
    let mac_keys = [take(mac_len)?, take(mac_len)?];
    let keys = [take(cipher.key_len())?, take(cipher.key_len())?];
    let ivs = [take(iv_len)?, take(iv_len)?];
    let mut sides = mac_keys.into_iter().zip(keys).zip(ivs).map(|((mac_key, key), iv)| {
        let kind = if cipher.is_aead() {
            Kind12::Aead { aead: Aead::new(cipher, &key)?, tag_len: cipher.tag_len(), iv }
        } else {
            let iv = chained.then_some(iv);
            let encrypt_then_mac = parameters.encrypt_then_mac && cipher.block_len() > 1;
            Kind12::Mac(MacKeys { cipher, key, mac, mac_key, iv, encrypt_then_mac })
        };
        Some(Keys12 { kind, sequence: 0 })
    });
    Some(PerSide { client: sides.next()?, server: sides.next()? })
}

/// Records that may be missing at a place where bytes are.
const REACH: u64 = 16;
