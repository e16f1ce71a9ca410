//! The keys of a DTLS association. Unlike a TLS connection's they need no order: each record says its epoch and number.
//!
//! DTLS 1.0 and 1.2 protect epoch 1 as TLS does, with epoch and sequence number in the place of the implicit one (RFC 6347 section 4.1.2, with
//! connection identifiers RFC 9146). DTLS 1.3 encrypts the sequence number too (RFC 9147 sections 4.2.2 and 4.2.3).

use ring::aead::quic;

use super::connection::{Parameters, Unusable, keys12};
use super::kdf::expand_label_dtls;
use super::keylog::{Label, Secret, Secrets};
use super::record::{Keys12, Sealed, inner, nonce};
use super::suite::{Aead, Cipher, Protection};
use crate::dtls::record::{Form, Record};
use crate::flow::{PerSide, Side};
use crate::tls::registry::{CipherSuite, ContentType, ProtocolVersion};

/// The keys of an association.
#[derive(Debug)]
pub struct DatagramKeys {
    epochs: Epochs,
}

/// What came of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revealed {
    /// Its epoch, of which DTLS 1.3 sends two bits only, its true type and content.
    Content(u16, ContentType, Vec<u8>),
    /// There is no key for this direction and epoch.
    NoKey,
    /// The key does not fit the record.
    Failed,
}

#[derive(Debug)]
enum Epochs {
    V13(Box<PerSide<Epochs13>>),
    V12(PerSide<Option<Keys12>>),
}

#[derive(Debug, Default)]
struct Epochs13 {
    early: Option<Keys13>,
    handshake: Option<Keys13>,
    traffic: Option<Traffic>,
}

/// The keys of application data, through the updates of their sender (RFC 9147 section 8).
#[derive(Debug)]
struct Traffic {
    /// 3 before the first KeyUpdate.
    epoch: u16,
    current: Keys13,
    /// What is late is under the keys before.
    previous: Option<Keys13>,
    /// The keys after the next update, made when a record has their epoch.
    next: Option<Keys13>,
}

/// One direction of DTLS 1.3 in one epoch.
struct Keys13 {
    protection: Protection,
    secret: Secret,
    aead: Aead,
    iv: [u8; 12],
    numbers: quic::HeaderProtectionKey,
    /// One more than the largest sequence number.
    expected: u64,
}

impl DatagramKeys {
    /// The keys that follow from an association's secrets.
    ///
    /// # Errors
    /// When the suite cannot be opened here, or the secrets are not those that this version needs.
    pub fn new(secrets: &Secrets, parameters: Parameters<'_>) -> Result<Self, Unusable> {
        let protection = Protection::of(parameters.suite).ok_or(Unusable::Suite)?;
        let epochs = if parameters.version.is_tls13() {
            Epochs::V13(Box::new(epochs13(secrets, protection, parameters.suite).ok_or(Unusable::Secrets)?))
        } else {
            let version = parameters.version.as_tls();
            if !matches!(version, ProtocolVersion::TLS11 | ProtocolVersion::TLS12) {
                return Err(Unusable::Suite);
            }
            let master = secrets.get(Label::Master).ok_or(Unusable::Secrets)?;
            Epochs::V12(keys12(master, protection, parameters, version).ok_or(Unusable::Suite)?)
        };
        Ok(Self { epochs })
    }

    /// Opens a record that this side sent.
    pub fn open(&mut self, side: Side, record: &Record<'_>) -> Revealed {
        if record.is_cut() {
            return Revealed::NoKey;
        }
        let opened = match (&mut self.epochs, record.form) {
            (Epochs::V13(sides), Form::Unified) => {
                return sides.of_mut(side).open(record);
            }
            (Epochs::V12(sides), Form::Plain(version)) if record.epoch == 1 => {
                let Some(keys) = sides.of_mut(side) else { return Revealed::NoKey };
                let sealed = Sealed { content_type: record.content_type, version, body: record.body };
                let number = u64::from(record.epoch) << 48 | record.sequence;
                if record.content_type == crate::dtls::record::TLS12_CID {
                    keys.open_with_cid(number, sealed, record.cid())
                } else {
                    keys.open_at(number, sealed).map(|text| (record.content_type, text))
                }
            }
            _ => return Revealed::NoKey,
        };
        opened.map_or(Revealed::Failed, |(kind, text)| Revealed::Content(record.epoch, kind, text))
    }

    /// The secrets of this direction's handshake are known.
    pub const fn knows(&self, side: Side) -> bool {
        match &self.epochs {
            Epochs::V13(sides) => sides.of(side).handshake.is_some(),
            Epochs::V12(sides) => sides.of(side).is_some(),
        }
    }

    /// All that a log can have is there.
    pub fn is_whole(&self) -> bool {
        match &self.epochs {
            Epochs::V13(sides) => Side::BOTH.into_iter().all(|side| sides.of(side).handshake.is_some() && sides.of(side).traffic.is_some()),
            Epochs::V12(_) => true,
        }
    }
}

impl Epochs13 {
    /// Opens a record by the two bits of its epoch. Those of epoch 5 are those of early data: the later epochs are tried behind the first.
    fn open(&mut self, record: &Record<'_>) -> Revealed {
        let bits = record.epoch & 0x03;
        let first = match bits {
            EARLY_DATA => &mut self.early,
            HANDSHAKE => &mut self.handshake,
            _ => &mut None,
        };
        let known = first.is_some() || self.traffic.as_ref().is_some_and(|traffic| traffic.reaches(bits));
        let opened = first.as_mut().and_then(|keys| keys.open(record)).map(|(kind, text)| (bits, kind, text));
        match opened.or_else(|| self.traffic.as_mut()?.open(record)) {
            Some((epoch, kind, text)) => Revealed::Content(epoch, kind, text),
            None if known => Revealed::Failed,
            None => Revealed::NoKey,
        }
    }
}

impl Traffic {
    const fn new(current: Keys13) -> Self {
        Self { epoch: APPLICATION, current, previous: None, next: None }
    }

    /// Whether a record with these bits of its epoch may be under the keys before, now or after.
    const fn reaches(&self, bits: u16) -> bool {
        match bits.wrapping_sub(self.epoch) & 0x03 {
            0 | 1 => true,
            3 => self.previous.is_some(),
            _ => false,
        }
    }

    /// A record of the next epoch that opens shows that its sender has updated its keys.
    fn open(&mut self, record: &Record<'_>) -> Option<(u16, ContentType, Vec<u8>)> {
        let (opened, epoch) = match record.epoch.wrapping_sub(self.epoch) & 0x03 {
            0 => (self.current.open(record)?, self.epoch),
            3 => (self.previous.as_mut()?.open(record)?, self.epoch.wrapping_sub(1)),
            1 => {
                self.next = self.next.take().or_else(|| self.current.next());
                let opened = self.next.as_mut()?.open(record)?;
                self.epoch = self.epoch.wrapping_add(1);
                self.previous = Some(std::mem::replace(&mut self.current, self.next.take()?));
                (opened, self.epoch)
            }
            _ => return None,
        };
        Some((epoch, opened.0, opened.1))
    }
}

impl Keys13 {
    fn new(protection: Protection, secret: &Secret) -> Option<Self> {
        if secret.expose().len() != protection.hash.len() {
            return None;
        }
        let expand = |label, len| expand_label_dtls(protection.hash, secret.expose(), label, len);
        let key_len = protection.cipher.key_len();
        let algorithm = match protection.cipher {
            Cipher::ChaCha20Poly1305 => &quic::CHACHA20,
            _ if key_len == 16 => &quic::AES_128,
            _ => &quic::AES_256,
        };
        Some(Self {
            protection,
            secret: secret.clone(),
            aead: Aead::new(protection.cipher, &expand(b"key", key_len)?)?,
            iv: expand(b"iv", 12)?.try_into().ok()?,
            numbers: quic::HeaderProtectionKey::new(algorithm, &expand(b"sn", key_len)?).ok()?,
            expected: 0,
        })
    }

    /// The keys after a KeyUpdate.
    fn next(&self) -> Option<Self> {
        let hash = self.protection.hash;
        let secret = expand_label_dtls(hash, self.secret.expose(), b"traffic upd", hash.len())?;
        Self::new(self.protection, &Secret::new(&secret)?)
    }

    fn open(&mut self, record: &Record<'_>) -> Option<(ContentType, Vec<u8>)> {
        // The mask of QUIC's header protection is made in the same way from as many bytes of the ciphertext.
        let mask = self.numbers.new_mask(record.body.get(..SAMPLE)?).ok()?;
        let mut header = record.header.to_vec();
        let mut truncated = 0;
        let mut window = 1u64;
        for (byte, mask) in header.get_mut(record.sequence_place())?.iter_mut().zip(mask) {
            *byte ^= mask;
            truncated = truncated << 8 | u64::from(*byte);
            window <<= 8;
        }
        let sequence = nearest(truncated, window, self.expected);
        let text = self.aead.open(nonce(self.iv, sequence), &header, record.body)?;
        self.expected = self.expected.max(sequence.saturating_add(1));
        inner(text)
    }
}

fn epochs13(secrets: &Secrets, protection: Protection, suite: CipherSuite) -> Option<PerSide<Epochs13>> {
    if !protection.cipher.is_aead() || suite.0 >> 8 != 0x13 {
        return None;
    }
    let keys = |label| secrets.get(label).and_then(|secret| Keys13::new(protection, secret));
    let client = Epochs13 {
        early: keys(Label::ClientEarly),
        handshake: keys(Label::ClientHandshake),
        traffic: keys(Label::ClientApplication).map(Traffic::new),
    };
    let server =
        Epochs13 { early: None, handshake: keys(Label::ServerHandshake), traffic: keys(Label::ServerApplication).map(Traffic::new) };
    (client.handshake.is_some() || server.handshake.is_some()).then_some(PerSide { client, server })
}

/// The whole sequence number that is nearest to the expected one (RFC 9147 section 4.2.2).
const fn nearest(truncated: u64, window: u64, expected: u64) -> u64 {
    let candidate = expected & !(window - 1) | truncated;
    if candidate.saturating_add(window / 2) < expected {
        candidate.saturating_add(window)
    } else if candidate > expected.saturating_add(window / 2) && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

/// The keys themselves are never shown.
impl std::fmt::Debug for Keys13 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys13").field("expected", &self.expected).finish_non_exhaustive()
    }
}

/// Epochs of DTLS 1.3 (RFC 9147 section 6.1).
const EARLY_DATA: u16 = 1;
const HANDSHAKE: u16 = 2;
const APPLICATION: u16 = 3;
/// Bytes of ciphertext that the encryption of sequence numbers samples.
const SAMPLE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtls::record::records;
    use crate::secrets::keylog::KeyLog;
    use ring::{aead, hkdf};

    const RANDOM: [u8; 32] = [0xaa; 32];

    fn log(lines: &[(&str, u8, usize)]) -> KeyLog {
        let mut log = KeyLog::default();
        for (label, byte, len) in lines {
            log.add_line(format!("{label} {} {}", "aa".repeat(32), format!("{byte:02x}").repeat(*len)).as_bytes());
        }
        log
    }

    fn parameters(version: u16, suite: u16) -> Parameters<'static> {
        Parameters {
            version: ProtocolVersion(version),
            suite: CipherSuite(suite),
            client_random: &RANDOM,
            server_random: &[0xbb; 32],
            encrypt_then_mac: false,
        }
    }

    struct Len(usize);
    impl hkdf::KeyType for Len {
        fn len(&self) -> usize {
            self.0
        }
    }

    /// HKDF-Expand-Label as RFC 9147 section 5.9 has it, by ring's HKDF.
    fn label(secret: &[u8], label: &str, len: u8) -> Vec<u8> {
        let info = [&[0, len, u8::try_from(6 + label.len()).unwrap()][..], b"dtls13", label.as_bytes(), &[0]];
        let mut out = vec![0; usize::from(len)];
        hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, secret).expand(&info, Len(usize::from(len))).unwrap().fill(&mut out).unwrap();
        out
    }

    /// A record as an endpoint makes it: header, AEAD over the inner plaintext, then the sequence number under its mask.
    fn seal(secret: &[u8], chacha: bool, first: u8, cid: &[u8], number: u64, content: &[u8], kind: u8) -> Vec<u8> {
        let (algorithm, masks, len): (_, _, u8) =
            if chacha { (&aead::CHACHA20_POLY1305, &quic::CHACHA20, 32) } else { (&aead::AES_128_GCM, &quic::AES_128, 16) };
        let mut header = vec![first];
        header.extend(cid);
        let short = number.to_be_bytes();
        let digits = if first & 0x08 == 0 { &short[7..] } else { &short[6..] };
        header.extend(digits);
        let mut body = [content, &[kind, 0, 0, 0]].concat();
        if first & 0x04 != 0 {
            header.extend(u16::try_from(body.len() + 16).unwrap().to_be_bytes());
        }
        let iv: [u8; 12] = label(secret, "iv", 12).try_into().unwrap();
        let key = aead::LessSafeKey::new(aead::UnboundKey::new(algorithm, &label(secret, "key", len)).unwrap());
        key.seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce(iv, number)), aead::Aad::from(&header), &mut body).unwrap();
        let mask = quic::HeaderProtectionKey::new(masks, &label(secret, "sn", len)).unwrap().new_mask(&body[..16]).unwrap();
        for (byte, mask) in header[1 + cid.len()..].iter_mut().zip(mask).take(digits.len()) {
            *byte ^= mask;
        }
        [header, body].concat()
    }

    #[test]
    fn records_of_dtls_13_open() {
        for (suite, chacha) in [(0x1301, false), (0x1303, true)] {
            let log = log(&[
                ("SERVER_HANDSHAKE_TRAFFIC_SECRET", 1, 32),
                ("SERVER_TRAFFIC_SECRET_0", 2, 32),
                ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 3, 32),
            ]);
            let mut keys = DatagramKeys::new(log.get(&RANDOM).unwrap(), parameters(0xfefc, suite)).unwrap();
            let after = label(&[2; 32], "traffic upd", 32);
            let wire = [
                seal(&[1; 32], chacha, 0x2e, &[], 0, b"first", 22),
                seal(&[1; 32], chacha, 0x3e, &[7, 7], 0x1_0002, b"named", 21),
                seal(&[2; 32], chacha, 0x27, &[], 5, b"one byte", 26),
                seal(&after, chacha, 0x2c, &[], 9, b"updated", 23),
            ];
            let expected: [(u16, u8, &[u8]); 4] = [(2, 22, b"first"), (2, 21, b"named"), (3, 26, b"one byte"), (4, 23, b"updated")];
            for (bytes, (epoch, kind, content)) in wire.iter().zip(expected) {
                if kind == 21 {
                    let Epochs::V13(sides) = &mut keys.epochs else { panic!() };
                    sides.server.handshake.as_mut().unwrap().expected = 0xfff0;
                }
                let record = records(bytes, 2).next().unwrap();
                assert_eq!(
                    keys.open(Side::Server, &record),
                    Revealed::Content(epoch, ContentType(kind), content.to_vec()),
                    "{suite:x} {kind}"
                );
                assert_ne!(keys.open(Side::Client, &record), Revealed::Content(epoch, ContentType(kind), content.to_vec()));
            }
            let mut changed = wire[0].clone();
            *changed.last_mut().unwrap() ^= 1;
            assert_eq!(keys.open(Side::Server, &records(&changed, 0).next().unwrap()), Revealed::Failed);
        }
    }

    /// RFC 9146 section 5.3: what is authenticated beside a record with a connection identifier.
    #[test]
    fn records_with_a_connection_identifier_open() {
        let log = log(&[("CLIENT_RANDOM", 5, 48)]);
        let block = super::super::kdf::prf12(super::super::kdf::Hash::Sha256, &[5; 48], b"key expansion", [&[0xbb; 32], &RANDOM], 40);
        let explicit = [0, 1, 0, 0, 0, 0, 0, 9];
        let aad = [&[0xff; 8][..], &[25, 2, 25, 0xfe, 0xfd], &explicit, &[0xc1, 0xc2], &[0, 4]].concat();
        let mut body = vec![2, 40, 21, 0];
        let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_128_GCM, &block[..16]).unwrap());
        let nonce: [u8; 12] = [&block[32..36], &explicit].concat().try_into().unwrap();
        key.seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::from(&aad), &mut body).unwrap();
        let len = u16::try_from(8 + body.len()).unwrap().to_be_bytes();
        let wire = [&[25, 0xfe, 0xfd][..], &explicit, &[0xc1, 0xc2], &len, &explicit, &body].concat();
        let mut keys = DatagramKeys::new(log.get(&RANDOM).unwrap(), parameters(0xfefd, 0xc02f)).unwrap();
        let record = records(&wire, 2).next().unwrap();
        assert_eq!(keys.open(Side::Client, &record), Revealed::Content(1, ContentType::ALERT, vec![2, 40]));
    }

    /// RFC 9146 sections 5.1 and 5.2: what the MAC covers, before encryption and after.
    #[test]
    fn cbc_records_with_a_connection_identifier_open() {
        let log = log(&[("CLIENT_RANDOM", 5, 48)]);
        let block = super::super::kdf::prf12(super::super::kdf::Hash::Sha256, &[5; 48], b"key expansion", [&[0xbb; 32], &RANDOM], 72);
        let (mac_key, key) = (&block[..20], &block[40..56]);
        let explicit = [0, 1, 0, 0, 0, 0, 0, 9];
        let before_length = [&[0xff; 8][..], &[25, 2, 25, 0xfe, 0xfd], &explicit, &[0xc1, 0xc2]].concat();
        let mac = |covered: &[u8]| {
            let len = u16::try_from(covered.len()).unwrap().to_be_bytes();
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, mac_key);
            ring::hmac::sign(&key, &[&before_length, &len[..], covered].concat()).as_ref().to_vec()
        };
        let encrypt = |text: &[u8]| {
            use aes::cipher::{BlockModeEncrypt, KeyIvInit};
            let padding = 15 - text.len() % 16;
            let mut text = [text, &vec![u8::try_from(padding).unwrap(); padding + 1]].concat();
            let mut mode = cbc::Encryptor::<aes::Aes128>::new_from_slices(key, &[7; 16]).unwrap();
            for block in text.chunks_exact_mut(16) {
                mode.encrypt_block(block.try_into().unwrap());
            }
            [&[7; 16][..], &text].concat()
        };
        let inner = [2, 40, 21, 0, 0];
        let mac_then_encrypt = encrypt(&[&inner[..], &mac(&inner)].concat());
        let sealed = encrypt(&inner);
        let encrypt_then_mac = [&sealed[..], &mac(&sealed)].concat();
        for (body, order) in [(mac_then_encrypt, false), (encrypt_then_mac, true)] {
            let len = u16::try_from(body.len()).unwrap().to_be_bytes();
            let wire = [&[25, 0xfe, 0xfd][..], &explicit, &[0xc1, 0xc2], &len, &body].concat();
            for (set, opens) in [(order, true), (!order, false)] {
                let parameters = Parameters { encrypt_then_mac: set, ..parameters(0xfefd, 0xc013) };
                let mut keys = DatagramKeys::new(log.get(&RANDOM).unwrap(), parameters).unwrap();
                let opened = keys.open(Side::Client, &records(&wire, 2).next().unwrap());
                assert_eq!(opened == Revealed::Content(1, ContentType::ALERT, vec![2, 40]), opens, "{order} {set}: {opened:?}");
            }
        }
    }

    /// RFC 9147 section 8: each KeyUpdate begins another epoch, whose secret follows from the one before. Only two bits of it are sent.
    #[test]
    fn keys_are_updated_again_and_again() {
        let log =
            log(&[("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 1, 32), ("CLIENT_EARLY_TRAFFIC_SECRET", 2, 32), ("CLIENT_TRAFFIC_SECRET_0", 3, 32)]);
        let mut keys = DatagramKeys::new(log.get(&RANDOM).unwrap(), parameters(0xfefc, 0x1301)).unwrap();
        let mut secrets = vec![vec![3; 32]];
        for _ in 0..7 {
            secrets.push(label(secrets.last().unwrap(), "traffic upd", 32));
        }
        let traffic =
            |epoch: u16, number| seal(&secrets[usize::from(epoch) - 3], false, 0x2c | (epoch & 3) as u8, &[], number, b"data", 23);
        let content = |epoch| Revealed::Content(epoch, ContentType(23), b"data".to_vec());
        let mut open = |wire: &[u8]| keys.open(Side::Client, &records(wire, 0).next().unwrap());
        assert_eq!(open(&seal(&[2; 32], false, 0x2d, &[], 0, b"data", 23)), content(1));
        assert_eq!(open(&traffic(3, 0)), content(3));
        for epoch in 4..10 {
            assert_eq!(open(&traffic(epoch, 0)), content(epoch), "{epoch}");
            assert_eq!(open(&traffic(epoch - 1, 1)), content(epoch - 1), "what is late");
        }
        assert_eq!(open(&seal(&[1; 32], false, 0x2e, &[], 4, b"data", 23)), content(2), "the last flight again");
        assert_eq!(open(&seal(&[9; 32], false, 0x2d, &[], 4, b"data", 23)), Revealed::Failed);
    }

    #[test]
    fn numbers_are_completed() {
        assert_eq!(nearest(0x02, 0x100, 0x1fe), 0x202);
        assert_eq!(nearest(0xfe, 0x100, 0x201), 0x1fe);
        assert_eq!(nearest(0, 0x1_0000, 0), 0);
    }
}
