//! Packet protection (RFC 9001 section 5): keys, and what lies under header protection and AEAD.
//!
//! Initial packets are protected with keys that everybody can make from the client's first destination connection identifier. The keys of the
//! other levels come from secrets that only the endpoints have: whoever was given them hands them over as a [`KeyProvider`].

use std::fmt;

use ring::{aead, hkdf};
use tls_parser::{TlsCipherEnc, TlsCipherEncMode};

use crate::flow::Side;
use crate::tls::registry::{CipherSuite, KeyExchange};

use super::header::Long;
use super::version::Version;

/// Levels whose secrets have to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 0-RTT: the client's early traffic secret.
    ZeroRtt,
    /// Handshake traffic secrets.
    Handshake,
    /// Application traffic secrets.
    OneRtt,
}

/// What the keys of a connection follow from, beside its secrets.
#[derive(Debug, Clone, Copy)]
pub struct Connection<'a> {
    /// `ClientHello.random`.
    pub client_random: &'a [u8],
    /// The suite that the server chose.
    pub suite: Suite,
    /// The version in use.
    pub version: Version,
}

/// Gives the keys of a connection, where its secrets are known.
pub trait KeyProvider {
    /// The keys of what `sender` sends at this level.
    fn packet_keys(&self, connection: Connection<'_>, level: Level, sender: Side) -> Option<PacketKeys>;
}

/// AEAD and hash of a connection (RFC 9001 section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// `TLS_AES_128_GCM_SHA256`, and all Initial packets.
    Aes128Gcm,
    /// `TLS_AES_256_GCM_SHA384`.
    Aes256Gcm,
    /// `TLS_CHACHA20_POLY1305_SHA256`.
    ChaCha20Poly1305,
}

impl Suite {
    /// The AEAD and hash of a suite of TLS 1.3; `None` for those that QUIC does not use or that cannot be opened here (CCM).
    pub fn of(suite: CipherSuite) -> Option<Self> {
        let suite = suite.registered().filter(|suite| suite.key_exchange == KeyExchange::Tls13)?;
        match (suite.cipher?, suite.mode, suite.key_bits) {
            (TlsCipherEnc::Aes, TlsCipherEncMode::Gcm, 128) => Some(Self::Aes128Gcm),
            (TlsCipherEnc::Aes, TlsCipherEncMode::Gcm, 256) => Some(Self::Aes256Gcm),
            (TlsCipherEnc::Chacha20_Poly1305, ..) => Some(Self::ChaCha20Poly1305),
            _ => None,
        }
    }
}

/// The keys of one direction at one level.
pub struct PacketKeys {
    header: aead::quic::HeaderProtectionKey,
    packet: aead::LessSafeKey,
    iv: [u8; aead::NONCE_LEN],
    /// The traffic secret, of which a key update makes the next one.
    secret: [u8; SECRET],
    suite: Suite,
    version: Version,
}

/// The 1-RTT keys of one direction, through its key updates (RFC 9001 section 6).
#[derive(Debug)]
pub struct OneRttKeys {
    current: PacketKeys,
    /// The key phase bit of packets under the current keys.
    phase: bool,
    /// The keys after the next update, made when a packet has the other phase.
    next: Option<PacketKeys>,
}

/// What was under the protection.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened<'b> {
    /// Packet number, whole.
    pub number: u64,
    /// The frames.
    pub payload: &'b [u8],
}

/// The Initial keys of both directions.
#[derive(Debug)]
pub struct InitialKeys {
    /// For what the client sends.
    pub client: PacketKeys,
    /// For what the server sends.
    pub server: PacketKeys,
}

impl InitialKeys {
    /// The keys that follow from the destination connection identifier of the client's first Initial packet, or of its first one after a
    /// Retry (RFC 9001 section 5.2). `None` for versions that are not known.
    pub fn new(version: Version, dcid: &[u8]) -> Option<Self> {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, version.initial_salt()?).extract(dcid);
        let side = |label: &[u8]| {
            let mut secret = [0; 32];
            expand(&prk, label, &mut secret)?;
            PacketKeys::new(Suite::Aes128Gcm, version, &secret)
        };
        Some(Self { client: side(b"client in")?, server: side(b"server in")? })
    }

    /// The keys for what one side sends.
    pub const fn of(&self, sender: Side) -> &PacketKeys {
        match sender {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }
}

impl PacketKeys {
    /// Keys from a traffic secret. `None` when the secret has not the length of the suite's hash.
    pub fn new(suite: Suite, version: Version, secret: &[u8]) -> Option<Self> {
        let algorithms = suite.algorithms();
        if secret.len() != algorithms.hash_len {
            return None;
        }
        let prk = hkdf::Prk::new_less_safe(algorithms.hash, secret);
        let [key_label, iv_label, hp_label, _] = labels(version);
        let (mut key, mut iv, mut hp) = ([0; 32], [0; aead::NONCE_LEN], [0; 32]);
        let (key, hp) = (key.get_mut(..algorithms.aead.key_len())?, hp.get_mut(..algorithms.aead.key_len())?);
        expand(&prk, key_label, key)?;
        expand(&prk, iv_label, &mut iv)?;
        expand(&prk, hp_label, hp)?;
        let mut kept = [0; SECRET];
        kept.get_mut(..secret.len())?.copy_from_slice(secret);
        Some(Self {
            header: aead::quic::HeaderProtectionKey::new(algorithms.header, hp).ok()?,
            packet: aead::LessSafeKey::new(aead::UnboundKey::new(algorithms.aead, key).ok()?),
            iv,
            secret: kept,
            suite,
            version,
        })
    }

    /// The keys after a key update (RFC 9001 section 6.1). Their header protection is not used: it does not change.
    fn next(&self) -> Option<Self> {
        let algorithms = self.suite.algorithms();
        let prk = hkdf::Prk::new_less_safe(algorithms.hash, self.secret.get(..algorithms.hash_len)?);
        let [.., update] = labels(self.version);
        let mut secret = [0; SECRET];
        let secret = secret.get_mut(..algorithms.hash_len)?;
        expand(&prk, update, secret)?;
        Self::new(self.suite, self.version, secret)
    }

    /// Opens a packet with a long header into `buffer`. `expected` is one more than the largest packet number of its space so far. `None` when
    /// the keys do not fit or bytes are missing or changed.
    pub fn open<'b>(&self, packet: &Long<'_>, expected: u64, buffer: &'b mut Vec<u8>) -> Option<Opened<'b>> {
        if packet.missing > 0 {
            return None;
        }
        self.open_long(packet.bytes, packet.pn_offset, expected, buffer)
    }

    /// The same for all of a packet's bytes, with its number at this place.
    pub fn open_long<'b>(&self, bytes: &[u8], pn_offset: usize, expected: u64, buffer: &'b mut Vec<u8>) -> Option<Opened<'b>> {
        let place = self.unmask(bytes, pn_offset, LONG_BITS, expected, buffer)?;
        self.decrypt(place, buffer)
    }

    /// Copies a packet into `buffer` and removes its header protection. Gives its number, and where the payload begins.
    fn unmask(&self, bytes: &[u8], pn_offset: usize, bits: u8, expected: u64, buffer: &mut Vec<u8>) -> Option<(u64, usize)> {
        let sample = bytes.get(pn_offset.checked_add(4)?..)?.get(..SAMPLE)?;
        let [first_mask, number_mask @ ..] = self.header.new_mask(sample).ok()?;
        buffer.clear();
        buffer.extend_from_slice(bytes);
        let first = buffer.first_mut()?;
        *first ^= first_mask & bits;
        let len = usize::from(*first & 0x03) + 1;
        let mut truncated = 0;
        for (byte, mask) in buffer.get_mut(pn_offset..pn_offset + len)?.iter_mut().zip(number_mask) {
            *byte ^= mask;
            truncated = truncated << 8 | u64::from(*byte);
        }
        let bits = 8 * (1 + u32::from(*buffer.first()? & 0x03));
        Some((packet_number(truncated, bits, expected), pn_offset + len))
    }

    /// Decrypts a packet whose header is bare.
    fn decrypt<'b>(&self, (number, start): (u64, usize), buffer: &'b mut [u8]) -> Option<Opened<'b>> {
        let mut nonce = self.iv;
        for (byte, part) in nonce.iter_mut().skip(4).zip(number.to_be_bytes()) {
            *byte ^= part;
        }
        let (header, sealed) = buffer.split_at_mut_checked(start)?;
        let payload = self.packet.open_in_place(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::from(&*header), sealed).ok()?;
        Some(Opened { number, payload })
    }
}

impl OneRttKeys {
    /// From the keys that the first application traffic secret gives.
    pub const fn new(keys: PacketKeys) -> Self {
        Self { current: keys, phase: false, next: None }
    }

    /// Opens a packet with a short header whose destination connection identifier has `dcid_len` bytes. One with the other key phase that
    /// opens with the next keys shows that its sender has updated them. `None` when neither fits, also for what was late and under old keys.
    pub fn open<'b>(&mut self, bytes: &[u8], dcid_len: usize, expected: u64, buffer: &'b mut Vec<u8>) -> Option<Opened<'b>> {
        let place = self.current.unmask(bytes, dcid_len.checked_add(1)?, SHORT_BITS, expected, buffer)?;
        let phase = buffer.first()? & KEY_PHASE != 0;
        if phase == self.phase {
            return self.current.decrypt(place, buffer);
        }
        if self.next.is_none() {
            self.next = self.current.next();
        }
        let opened = self.next.as_ref()?.decrypt(place, buffer)?;
        if let Some(next) = self.next.take() {
            let PacketKeys { packet, iv, secret, .. } = next;
            (self.current.packet, self.current.iv, self.current.secret) = (packet, iv, secret);
            self.phase = phase;
        }
        Some(opened)
    }
}

/// The keys themselves are never shown.
impl fmt::Debug for PacketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketKeys").finish_non_exhaustive()
    }
}

/// What a suite is made of.
struct Algorithms {
    aead: &'static aead::Algorithm,
    header: &'static aead::quic::Algorithm,
    hash: hkdf::Algorithm,
    hash_len: usize,
}

impl Suite {
    const fn algorithms(self) -> Algorithms {
        let (aead, header, hash, hash_len) = match self {
            Self::Aes128Gcm => (&aead::AES_128_GCM, &aead::quic::AES_128, hkdf::HKDF_SHA256, 32),
            Self::Aes256Gcm => (&aead::AES_256_GCM, &aead::quic::AES_256, hkdf::HKDF_SHA384, 48),
            Self::ChaCha20Poly1305 => (&aead::CHACHA20_POLY1305, &aead::quic::CHACHA20, hkdf::HKDF_SHA256, 32),
        };
        Algorithms { aead, header, hash, hash_len }
    }
}

/// The labels of key, IV, header protection and key update (RFC 9001 section 5.1, RFC 9369 section 3.3.2).
const fn labels(version: Version) -> [&'static [u8]; 4] {
    if version.0 == Version::V2.0 {
        [b"quicv2 key", b"quicv2 iv", b"quicv2 hp", b"quicv2 ku"]
    } else {
        [b"quic key", b"quic iv", b"quic hp", b"quic ku"]
    }
}

/// The whole packet number that is nearest to what is expected (RFC 9000 appendix A.3).
fn packet_number(truncated: u64, bits: u32, expected: u64) -> u64 {
    let window = 1u64 << bits;
    let candidate = expected & !(window - 1) | truncated;
    if candidate.saturating_add(window / 2) <= expected && candidate < (1 << 62) - window {
        candidate + window
    } else if candidate > expected.saturating_add(window / 2) && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446 section 7.1).
fn expand(prk: &hkdf::Prk, label: &[u8], out: &mut [u8]) -> Option<()> {
    let [high, low] = u16::try_from(out.len()).ok()?.to_be_bytes();
    let label_len = u8::try_from(PREFIX.len() + label.len()).ok()?;
    let info = [&[high, low, label_len][..], PREFIX, label, &[0]];
    prk.expand(&info, Len(out.len())).ok()?.fill(out).ok()
}

/// The length of what is expanded.
#[derive(Debug, Clone, Copy)]
struct Len(usize);

impl hkdf::KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

const PREFIX: &[u8] = b"tls13 ";
/// Longest hash of any suite.
const SECRET: usize = 48;
/// The key phase bit of a short header.
const KEY_PHASE: u8 = 0x04;
/// Bytes of ciphertext that header protection samples.
const SAMPLE: usize = 16;
/// Bits of the first byte that header protection covers.
const LONG_BITS: u8 = 0x0f;
const SHORT_BITS: u8 = 0x1f;

/// Protects a packet as an endpoint does: what [`PacketKeys::open`] has to undo.
#[cfg(test)]
pub(crate) fn seal(keys: &PacketKeys, header: &[u8], number: u64, payload: &[u8]) -> Vec<u8> {
    let number_len = usize::from(header[0] & 3) + 1;
    let mut nonce = keys.iv;
    for (byte, part) in nonce.iter_mut().skip(4).zip(number.to_be_bytes()) {
        *byte ^= part;
    }
    let mut sealed = payload.to_vec();
    keys.packet.seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::from(header), &mut sealed).unwrap();
    let mask = keys.header.new_mask(&sealed[4 - number_len..][..SAMPLE]).unwrap();
    let mut packet = header.to_vec();
    packet[0] ^= mask[0] & if header[0] & 0x80 == 0 { SHORT_BITS } else { LONG_BITS };
    let start = packet.len() - number_len;
    for (byte, mask) in packet[start..].iter_mut().zip(&mask[1..]) {
        *byte ^= mask;
    }
    packet.extend(sealed);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quic::frame::{Frame, frames};
    use crate::quic::header::{LongKind, Packet, packets};
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        data_encoding::HEXLOWER.decode(digits.as_bytes()).unwrap()
    }

    /// The destination connection identifier of RFC 9001 appendix A.
    const DCID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

    /// RFC 9001 appendix A.2: the CRYPTO frame, before it is padded to 1162 bytes.
    const A2_FRAME: &str = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868
        04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578
        616d706c652e636f6dff01000100000a00080006001d00170018001000070005
        04616c706e000500050100000000003300260024001d00209370b2c9caa47fba
        baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400
        0d0010000e0403050306030203080408050806002d00020101001c0002400100
        3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000
        75300901100f088394c8f03e51570806048000ffff";

    /// RFC 9001 appendix A.3.
    const A3_PACKET: &str = "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a
        5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3
        dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84
        022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4
        2158407dd074ee";

    /// Appendix A.2: the protected packet begins and ends with the bytes printed there, and opens to the frame.
    #[test]
    fn the_clients_initial_of_the_rfc() {
        let keys = InitialKeys::new(Version::V1, &DCID).unwrap();
        let mut payload = hex(A2_FRAME);
        payload.resize(1162, 0);
        let packet = seal(&keys.client, &hex("c300000001088394c8f03e5157080000449e00000002"), 2, &payload);
        assert_eq!(packet[..38], hex("c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9b")[..38]);
        assert_eq!(packet[packet.len() - 16..], hex("e221af44860018ab0856972e194cd934"));
        assert_eq!(packet.len(), 1200);
        let Some(Packet::Long(long)) = packets(&packet).next() else { panic!() };
        let mut buffer = Vec::new();
        let opened = keys.client.open(&long, 0, &mut buffer).unwrap();
        assert_eq!((opened.number, opened.payload), (2, &payload[..]));
        assert!(keys.server.open(&long, 0, &mut Vec::new()).is_none(), "the other direction has other keys");
    }

    #[test]
    fn the_servers_initial_of_the_rfc() {
        let keys = InitialKeys::new(Version::V1, &DCID).unwrap();
        let packet = hex(A3_PACKET);
        let Some(Packet::Long(long)) = packets(&packet).next() else { panic!() };
        assert_eq!(long.kind, LongKind::Initial);
        let mut buffer = Vec::new();
        let opened = keys.server.open(&long, 0, &mut buffer).unwrap();
        assert_eq!(opened.number, 1);
        let found: Vec<Frame<'_>> = frames(Version::V1, opened.payload).collect();
        assert!(matches!(found[0], Frame::Ack(ack) if ack.largest == 0));
        assert!(matches!(found[1], Frame::Crypto { offset: 0, data } if data[0] == 2 && data.len() == 90));
    }

    /// Appendix A.5: ChaCha20-Poly1305 with a short header.
    #[test]
    fn the_short_header_packet_of_the_rfc() {
        let secret = hex("9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b");
        let keys = PacketKeys::new(Suite::ChaCha20Poly1305, Version::V1, &secret).unwrap();
        let mut buffer = Vec::new();
        let mut keys = OneRttKeys::new(keys);
        let opened = keys.open(&hex("4cfe4189655e5cd55c41f69080575d7999c25a5bfb"), 0, 654_360_564, &mut buffer).unwrap();
        assert_eq!((opened.number, opened.payload), (654_360_564, &[0x01][..]));
    }

    /// Appendix A.5: the secret after a key update ("quic ku"), by the packets that it opens; the header protection stays as it was.
    #[test]
    fn a_key_update_is_followed() {
        let secret = hex("9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b");
        let updated = hex("1223504755036d556342ee9361d253421a826c9ecdf3c7148684b36b714881f9");
        let first = PacketKeys::new(Suite::ChaCha20Poly1305, Version::V1, &secret).unwrap();
        let mut second = PacketKeys::new(Suite::ChaCha20Poly1305, Version::V1, &updated).unwrap();
        second.header = PacketKeys::new(Suite::ChaCha20Poly1305, Version::V1, &secret).unwrap().header;
        let packets = [
            seal(&first, &[0x42, 0, 0, 7], 7, &[1; 20]),
            seal(&second, &[0x46, 0, 0, 8], 8, &[2; 20]),
            seal(&first, &[0x42, 0, 0, 9], 9, &[3; 20]),
        ];
        let mut keys = OneRttKeys::new(PacketKeys::new(Suite::ChaCha20Poly1305, Version::V1, &secret).unwrap());
        let mut opened = packets.iter().map(|packet| {
            let mut buffer = Vec::new();
            keys.open(packet, 0, 0, &mut buffer).map(|opened| (opened.number, opened.payload.to_vec()))
        });
        assert_eq!(opened.next().unwrap(), Some((7, vec![1; 20])));
        assert_eq!(opened.next().unwrap(), Some((8, vec![2; 20])));
        assert_eq!(opened.next().unwrap(), None, "the keys of another update than the next do not fit");
    }

    /// RFC 9369 appendix A.1: the client's Initial of version 2 begins so.
    #[test]
    fn version_two_has_salt_and_labels_of_its_own() {
        let keys = InitialKeys::new(Version::V2, &DCID).unwrap();
        let mut payload = hex(A2_FRAME);
        payload.resize(1162, 0);
        let packet = seal(&keys.client, &hex("d36b3343cf088394c8f03e5157080000449e00000002"), 2, &payload);
        assert_eq!(packet[..34], hex("d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485dd04")[..34]);
    }

    /// The examples of RFC 9000 appendix A.3 and A.2.
    #[test]
    fn packet_numbers_are_completed() {
        assert_eq!(packet_number(0x9b32, 16, 0xa82f_30ea + 1), 0xa82f_9b32);
        assert_eq!(packet_number(0, 8, 0), 0);
        assert_eq!(packet_number(0xfe, 8, 0x101), 0xfe);
        assert_eq!(packet_number(0x01, 8, 0xff), 0x101);
    }

    /// The keys of appendix A.1 by another implementation of HKDF (HMAC-SHA256 from the `sha2` crate).
    #[test]
    fn another_implementation_derives_the_same_keys() {
        for (version, salt, names) in [
            (Version::V1, "38762cf7f55934b34d179ae6a4c80cadccbb7f0a", ["quic key", "quic iv", "quic hp"]),
            (Version::V2, "0dede3def700a6db819381be6e269dcbf9bd2ed9", ["quicv2 key", "quicv2 iv", "quicv2 hp"]),
        ] {
            let initial = hmac(&hex(salt), &DCID);
            let secret = expand_label(&initial, "client in", 32);
            let [key, iv, hp] = [(names[0], 16), (names[1], 12), (names[2], 16)].map(|(label, len)| expand_label(&secret, label, len));
            if version == Version::V1 {
                assert_eq!(secret, hex("c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea"));
                assert_eq!((key.clone(), iv.clone()), (hex("1f369613dd76d5467730efcbe3b1a22d"), hex("fa044b2f42a3fd3b46fb255c")));
                assert_eq!(hp, hex("9f50449e04a0e810283a1e9933adedd2"));
            }
            let other = PacketKeys {
                header: aead::quic::HeaderProtectionKey::new(&aead::quic::AES_128, &hp).unwrap(),
                packet: aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_128_GCM, &key).unwrap()),
                iv: iv.try_into().unwrap(),
                secret: [0; SECRET],
                suite: Suite::Aes128Gcm,
                version,
            };
            let first = if version == Version::V2 { 0xd3 } else { 0xc3 };
            let header = [&[first][..], &version.0.to_be_bytes(), &hex("088394c8f03e515708000040250000002a")].concat();
            let ours = InitialKeys::new(version, &DCID).unwrap().client;
            assert_eq!(seal(&ours, &header, 42, &[1; 17]), seal(&other, &header, 42, &[1; 17]));
        }
    }

    fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
        use sha2::Digest as _;
        let pad = |with: u8| (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect::<Vec<u8>>();
        let inner = sha2::Sha256::digest([pad(0x36), data.to_vec()].concat());
        sha2::Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
    }

    fn expand_label(secret: &[u8], label: &str, len: u8) -> Vec<u8> {
        let label_len = u8::try_from(label.len()).unwrap() + 6;
        let info = [&[0, len, label_len][..], b"tls13 ", label.as_bytes(), &[0, 1]].concat();
        hmac(secret, &info)[..usize::from(len)].to_vec()
    }

    proptest! {
        #[test]
        fn arbitrary_packets_are_refused(tail in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bytes = [&[0xc0, 0, 0, 0, 1, 0, 0, 0, 0x41, 0][..], &tail].concat();
            let keys = InitialKeys::new(Version::V1, &DCID).unwrap();
            for packet in packets(&bytes) {
                if let Packet::Long(long) = packet {
                    prop_assert!(keys.client.open(&long, 0, &mut Vec::new()).is_none());
                }
            }
        }

        #[test]
        fn a_packet_number_is_found_again(number in 0u64..1 << 40, back in 0u64..100) {
            let expected = number.saturating_sub(back);
            prop_assert_eq!(packet_number(number & 0xffff, 16, expected), number);
        }
    }
}
