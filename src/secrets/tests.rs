//! Vectors of RFC 8448, and records built by hand for what it does not have.

use super::connection::Unusable;
use super::kdf::{Hash, prf10, prf12};
use super::keylog::{KeyLog, Label, Secret, Secrets};
use super::record::{Keys13, Sealed};
use super::suite::{Aead, Cipher, Protection};
use super::{ConnectionKeys, Opened, Parameters};
use crate::flow::Side;
use crate::tls::client_hello::tests::hex;
use crate::tls::registry::{CipherSuite, ContentType, ProtocolVersion};

const AES128: CipherSuite = CipherSuite(0x1301);

fn sealed(body: &[u8]) -> Sealed<'_> {
    Sealed { content_type: ContentType::APPLICATION_DATA, version: ProtocolVersion::TLS12, body }
}

fn parameters(version: ProtocolVersion, suite: CipherSuite) -> Parameters<'static> {
    Parameters { version, suite, client_random: &[1; 32], server_random: &[2; 32], encrypt_then_mac: false }
}

fn rfc8448() -> Secrets {
    let mut secrets = Secrets::default();
    for (label, secret) in [
        (Label::ClientHandshake, "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21"),
        (Label::ServerHandshake, "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38"),
        (Label::ClientApplication, "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"),
    ] {
        secrets.set(label, Secret::new(&hex(secret)).unwrap());
    }
    secrets
}

/// RFC 8448 section 3: the client's Finished, and its application data under the next key.
#[test]
fn opens_the_records_of_rfc_8448() {
    let mut keys = ConnectionKeys::new(&rfc8448(), parameters(ProtocolVersion::TLS13, AES128)).unwrap();
    let finished = hex("75ec4dc238cce60b298044a71e219c56cc77b0517fe9b93c7a4bfc44d87f38f80338ac98fc46deb384bd1caeacab6867d726c40546");
    let Opened::Content(kind, text) = keys.open(Side::Client, sealed(&finished)) else { panic!("does not open") };
    assert_eq!(kind, ContentType::HANDSHAKE);
    assert_eq!(text, hex("14000020 a8ec436d677634ae525ac1fcebe11a039ec17694fac6e98527b642f2edd5ce61"));
    let data = hex(
        "a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4",
    );
    assert_eq!(keys.open(Side::Client, sealed(&data)), Opened::Failed, "still under the handshake key");
    keys.finished(Side::Client);
    assert_eq!(keys.open(Side::Client, sealed(&data)), Opened::Content(ContentType::APPLICATION_DATA, (0..50).collect()));
    assert_eq!(keys.opened(Side::Client), 2);
    keys.finished(Side::Server);
    assert_eq!(keys.open(Side::Server, sealed(&data)), Opened::NoKey, "the log lacks that secret");
}

fn seal13(protection: Protection, secret: &Secret, sequence: u64, inner: &[u8]) -> Vec<u8> {
    let expand = |label, len| super::kdf::expand_label(protection.hash, secret.expose(), label, len).unwrap();
    let aead = Aead::new(protection.cipher, &expand(b"key", protection.cipher.key_len())).unwrap();
    let mut nonce: [u8; 12] = expand(b"iv", 12).try_into().unwrap();
    for (byte, other) in nonce.iter_mut().skip(4).zip(sequence.to_be_bytes()) {
        *byte ^= other;
    }
    let len = (inner.len() + protection.cipher.tag_len()) as u16;
    let [high, low] = len.to_be_bytes();
    aead.seal(nonce, &[23, 3, 3, high, low], inner)
}

/// Every suite of TLS 1.3: padding is removed, the true type found, and a KeyUpdate followed.
#[test]
fn every_suite_of_tls_13_opens_with_padding_and_key_update() {
    for suite in 0x1301..=0x1305 {
        let protection = Protection::of(CipherSuite(suite)).unwrap();
        let secret = Secret::new(&vec![7; protection.hash.len()]).unwrap();
        let mut keys = Keys13::new(protection, &secret).unwrap();
        let padded = [b"hello".as_slice(), &[22, 0, 0, 0]].concat();
        let first = seal13(protection, &secret, 0, &padded);
        assert_eq!(keys.open(sealed(&first)), Some((ContentType::HANDSHAKE, b"hello".to_vec())), "{suite:x}");
        assert_eq!(keys.open(sealed(&first)), None, "a sequence number is used once");
        let fourth = seal13(protection, &secret, 3, &[1, 0, 21]);
        assert_eq!(keys.open(sealed(&fourth)), None);
        assert_eq!(keys.open_within(sealed(&fourth), 16), Some((ContentType::ALERT, vec![1, 0])));
        let next = keys.next().unwrap();
        let updated = super::kdf::expand_label(protection.hash, secret.expose(), b"traffic upd", protection.hash.len()).unwrap();
        let record = seal13(protection, &Secret::new(&updated).unwrap(), 0, &[9, 23]);
        let mut next = next;
        assert_eq!(next.open(sealed(&record)), Some((ContentType::APPLICATION_DATA, vec![9])));
        // Nothing but zeros is no record.
        let empty = seal13(protection, &secret, 4, &[0, 0]);
        assert_eq!(keys.open(sealed(&empty)), None);
    }
}

/// The key block of TLS 1.2 for this suite, as the client's side of it: MAC key, key, IV.
fn client_block(suite: CipherSuite, version: ProtocolVersion, master: &[u8], iv_len: usize) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let protection = Protection::of(suite).unwrap();
    let mac = if protection.cipher.is_aead() { 0 } else { protection.mac.len() };
    let key = protection.cipher.key_len();
    let len = 2 * (mac + key + iv_len);
    let block = if version == ProtocolVersion::TLS12 {
        prf12(protection.hash, master, b"key expansion", [&[2; 32], &[1; 32]], len)
    } else {
        prf10(master, b"key expansion", [&[2; 32], &[1; 32]], len)
    };
    let at = |start: usize, len: usize| block[start..start + len].to_vec();
    (at(0, mac), at(2 * mac, key), at(2 * (mac + key), iv_len))
}

fn master() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.set(Label::Master, Secret::new(&[5; 48]).unwrap());
    secrets
}

#[test]
fn aead_suites_of_tls_12_open() {
    for suite in [0xc02f, 0xc030, 0xc09c, 0xc09d, 0xc0a0, 0xc0a1, 0xcca8].map(CipherSuite) {
        let cipher = Protection::of(suite).unwrap().cipher;
        let implicit = cipher == Cipher::ChaCha20Poly1305;
        let (_, key, iv) = client_block(suite, ProtocolVersion::TLS12, &[5; 48], if implicit { 12 } else { 4 });
        let explicit = [0, 0, 0, 0, 0, 0, 0, 9];
        let nonce: [u8; 12] = if implicit { iv.try_into().unwrap() } else { [iv.as_slice(), &explicit].concat().try_into().unwrap() };
        let aad = [0, 0, 0, 0, 0, 0, 0, 0, 21, 3, 3, 0, 2];
        let mut body = if implicit { Vec::new() } else { explicit.to_vec() };
        body.extend(Aead::new(cipher, &key).unwrap().seal(nonce, &aad, &[2, 42]));
        let record = Sealed { content_type: ContentType::ALERT, version: ProtocolVersion::TLS12, body: &body };
        let mut keys = ConnectionKeys::new(&master(), parameters(ProtocolVersion::TLS12, suite)).unwrap();
        assert_eq!(keys.open(Side::Client, record), Opened::Content(ContentType::ALERT, vec![2, 42]), "{suite}");
        assert_eq!(keys.open(Side::Client, record), Opened::Failed, "the sequence number went on");
        assert_eq!(keys.open(Side::Server, record), Opened::Failed);
    }
}

#[test]
fn null_suites_are_verified() {
    let suite = CipherSuite(0x0002);
    let (mac_key, _, _) = client_block(suite, ProtocolVersion::TLS12, &[5; 48], 0);
    let text = [1, 0];
    let mac = Hash::Sha1.hmac(&mac_key, &[&[0, 0, 0, 0, 0, 0, 0, 0, 21, 3, 3, 0, 2], &text]);
    let body = [text.as_slice(), &mac].concat();
    let mut keys = ConnectionKeys::new(&master(), parameters(ProtocolVersion::TLS12, suite)).unwrap();
    let record = Sealed { content_type: ContentType::ALERT, version: ProtocolVersion::TLS12, body: &body };
    assert_eq!(keys.open(Side::Client, record), Opened::Content(ContentType::ALERT, text.to_vec()));
}

#[test]
fn bodies_of_any_length_do_no_harm() {
    for suite in [0x1301, 0xc02f, 0xcca8, 0xc0a0, 0x002f, 0xc028, 0x000a, 0x0002].map(CipherSuite) {
        let version = if suite.is_tls13() { ProtocolVersion::TLS13 } else { ProtocolVersion::TLS12 };
        for encrypt_then_mac in [false, true] {
            let secrets = if suite.is_tls13() { rfc8448() } else { master() };
            let mut keys = ConnectionKeys::new(&secrets, Parameters { encrypt_then_mac, ..parameters(version, suite) }).unwrap();
            for len in 0..200 {
                let body = vec![3; len];
                assert_eq!(keys.open(Side::Client, sealed(&body)), Opened::Failed);
            }
        }
    }
}

#[test]
fn what_cannot_be_opened_is_said() {
    let parameters13 = parameters(ProtocolVersion::TLS13, AES128);
    assert_eq!(ConnectionKeys::new(&master(), parameters13).unwrap_err(), Unusable::Secrets);
    assert_eq!(ConnectionKeys::new(&master(), parameters(ProtocolVersion::TLS12, CipherSuite(0x0005))).unwrap_err(), Unusable::Suite);
    assert_eq!(ConnectionKeys::new(&master(), parameters(ProtocolVersion::SSL3, CipherSuite(0x002f))).unwrap_err(), Unusable::Suite);
    // A secret of SHA-384's length for a suite with SHA-256.
    let mut wrong = Secrets::default();
    wrong.set(Label::ClientHandshake, Secret::new(&[1; 48]).unwrap());
    assert_eq!(ConnectionKeys::new(&wrong, parameters13).unwrap_err(), Unusable::Secrets);
}

#[test]
fn keys_are_not_shown() {
    let keys = ConnectionKeys::new(&rfc8448(), parameters(ProtocolVersion::TLS13, AES128)).unwrap();
    let shown = format!("{keys:?}");
    for key in ["179", "b3ed", "237"] {
        assert!(!shown.contains(key), "{shown}");
    }
    assert!(KeyLog::default().is_empty());
}
