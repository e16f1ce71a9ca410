//! One direction's keys, and the opening of its records (RFC 8446 section 5.2; RFC 5246 section 6.2.3; RFC 5288, RFC 6655, RFC 7905).

use std::fmt;

use super::cbc::MacKeys;
use super::kdf::expand_label;
use super::keylog::Secret;
use super::suite::{Aead, Protection};
use crate::tls::registry::{ContentType, ProtocolVersion};

/// A record as it was on the wire.
#[derive(Debug, Clone, Copy)]
pub struct Sealed<'a> {
    /// The header's content type.
    pub content_type: ContentType,
    /// The header's version.
    pub version: ProtocolVersion,
    /// The body, as long as the header says.
    pub body: &'a [u8],
}

/// One direction of TLS 1.3 in one epoch.
pub struct Keys13 {
    protection: Protection,
    secret: Secret,
    aead: Aead,
    iv: [u8; 12],
    sequence: u64,
}

impl Keys13 {
    /// The keys that follow from a traffic secret (RFC 8446 section 7.3). `None` when it has another length than the suite's hash.
    pub fn new(protection: Protection, secret: &Secret) -> Option<Self> {
        if !protection.cipher.is_aead() || secret.expose().len() != protection.hash.len() {
            return None;
        }
        let expand = |label, len| expand_label(protection.hash, secret.expose(), label, len);
        let aead = Aead::new(protection.cipher, &expand(b"key", protection.cipher.key_len())?)?;
        let iv = expand(b"iv", 12)?.try_into().ok()?;
        Some(Self { protection, secret: secret.clone(), aead, iv, sequence: 0 })
    }

    /// The keys after a KeyUpdate (RFC 8446 section 7.2).
    pub fn next(&self) -> Option<Self> {
        let secret = expand_label(self.protection.hash, self.secret.expose(), b"traffic upd", self.protection.hash.len())?;
        Self::new(self.protection, &Secret::new(&secret)?)
    }

    /// Opens the next record: its true type and content, padding removed. `None` when it does not fit; then the next call expects the same
    /// sequence number again.
    pub fn open(&mut self, sealed: Sealed<'_>) -> Option<(ContentType, Vec<u8>)> {
        self.open_within(sealed, 1)
    }

    /// The same where up to so many records minus one may be missing before this one.
    pub fn open_within(&mut self, sealed: Sealed<'_>, reach: u64) -> Option<(ContentType, Vec<u8>)> {
        let header = header(sealed, u16::try_from(sealed.body.len()).ok()?);
        for ahead in 0..reach {
            let sequence = self.sequence.wrapping_add(ahead);
            if let Some(text) = self.aead.open(nonce(self.iv, sequence), &header, sealed.body) {
                self.sequence = sequence.wrapping_add(1);
                return inner(text);
            }
        }
        None
    }

    /// A record is missing.
    pub const fn skip(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
    }
}

/// One direction of TLS 1.0 to 1.2.
pub(super) struct Keys12 {
    pub(super) kind: Kind12,
    pub(super) sequence: u64,
}

pub(super) enum Kind12 {
    Aead {
        aead: Aead,
        tag_len: usize,
        /// Four bytes and eight in each record; or all twelve, combined with the sequence number (`ChaCha20`).
        iv: Vec<u8>,
    },
    Mac(MacKeys),
}

impl Keys12 {
    /// Opens the next record, or one before which up to so many minus one are missing; `None` when it does not fit.
    pub(super) fn open_within(&mut self, sealed: Sealed<'_>, reach: u64) -> Option<Vec<u8>> {
        (0..reach).find_map(|ahead| self.open_at(self.sequence.wrapping_add(ahead), sealed))
    }

    /// Opens the record with this number: in DTLS epoch and sequence number, as they stand in its header.
    pub(super) fn open_at(&mut self, sequence: u64, sealed: Sealed<'_>) -> Option<Vec<u8>> {
        let text = match &mut self.kind {
            Kind12::Mac(keys) => {
                let [kind, major, minor, ..] = header(sealed, 0);
                let mut begin = [0; 11];
                let (number, rest) = begin.split_at_mut(8);
                number.copy_from_slice(&sequence.to_be_bytes());
                rest.copy_from_slice(&[kind, major, minor]);
                keys.open(&begin, sealed.body)?
            }
            Kind12::Aead { aead, tag_len, iv } => {
                let (nonce, body) = explicit_nonce(iv, sequence, sealed.body)?;
                let len = u16::try_from(body.len().checked_sub(*tag_len)?).ok()?;
                let aad = [sequence.to_be_bytes().as_slice(), &header(sealed, len)].concat();
                aead.open(nonce, &aad, body)?
            }
        };
        self.sequence = sequence.wrapping_add(1);
        Some(text)
    }
}

impl Keys12 {
    /// Opens a DTLS record with a connection identifier (RFC 9146 section 5): its true type and content.
    pub(super) fn open_with_cid(&mut self, sequence: u64, sealed: Sealed<'_>, cid: &[u8]) -> Option<(ContentType, Vec<u8>)> {
        let [kind, major, minor, ..] = header(sealed, 0);
        let before_length =
            [&[0xff; 8][..], &[kind, u8::try_from(cid.len()).ok()?, kind, major, minor], &sequence.to_be_bytes(), cid].concat();
        inner(match &mut self.kind {
            Kind12::Mac(keys) => keys.open(&before_length, sealed.body)?,
            Kind12::Aead { aead, tag_len, iv } => {
                let (nonce, body) = explicit_nonce(iv, sequence, sealed.body)?;
                let len = u16::try_from(body.len().checked_sub(*tag_len)?).ok()?;
                aead.open(nonce, &[&before_length[..], &len.to_be_bytes()].concat(), body)?
            }
        })
    }
}

/// The nonce of a record of TLS 1.2, and its body behind what of it is sent.
fn explicit_nonce<'a>(iv: &[u8], sequence: u64, body: &'a [u8]) -> Option<([u8; 12], &'a [u8])> {
    if let Ok(iv) = <[u8; 12]>::try_from(iv) {
        return Some((nonce(iv, sequence), body));
    }
    let (explicit, body) = body.split_at_checked(8)?;
    Some(([iv, explicit].concat().try_into().ok()?, body))
}

/// The true type and content of an inner plaintext, padding removed.
pub(super) fn inner(mut text: Vec<u8>) -> Option<(ContentType, Vec<u8>)> {
    let end = text.iter().rposition(|byte| *byte != 0)?;
    let content_type = ContentType(*text.get(end)?);
    text.truncate(end);
    Some((content_type, text))
}

/// The record's header with this length.
const fn header(sealed: Sealed<'_>, len: u16) -> [u8; 5] {
    let [major, minor] = sealed.version.0.to_be_bytes();
    let [high, low] = len.to_be_bytes();
    [sealed.content_type.0, major, minor, high, low]
}

/// The IV combined with the sequence number (RFC 8446 section 5.3).
pub(super) fn nonce(mut iv: [u8; 12], sequence: u64) -> [u8; 12] {
    for (byte, other) in iv.iter_mut().skip(4).zip(sequence.to_be_bytes()) {
        *byte ^= other;
    }
    iv
}

/// The keys themselves are never shown.
impl fmt::Debug for Keys13 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys13").field("cipher", &self.protection.cipher).field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

impl fmt::Debug for Keys12 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys12").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}
